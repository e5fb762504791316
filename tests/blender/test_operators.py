"""Operators do what the functions do, in one undo step, and say what went wrong in one sentence."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import bpy
import numpy as np
import pytest

KINDS = ("objects", "meshes", "materials", "images", "cameras", "armatures", "collections", "node_groups", "scenes")


def datablocks():
    return {kind: sorted(block.name for block in getattr(bpy.data, kind)) for kind in KINDS}


def coordinates(obj):
    values = np.empty(len(obj.data.vertices) * 3, np.float32)
    obj.data.vertices.foreach_get("co", values)
    return values


def scan():
    return next(obj for obj in bpy.data.objects if obj.get("sapiens2_role") == "scan")


@pytest.fixture(scope="session")
def sample(studio, tmp_path_factory) -> Path:
    """A studio sample with every other pixel, so that a build takes a second or two."""
    from safetensors.numpy import load_file, save_file

    full = load_file(studio("body_sit"))
    small = {
        key: np.ascontiguousarray(value[::2, ::2]) if value.shape[:2] == full["seg"].shape else value
        for key, value in full.items()
    }
    small["keypoints"] = full["keypoints"] * np.array([0.5, 0.5, 1], np.float32)
    small["intrinsics"] = full["intrinsics"] * np.array([[0.5], [0.5], [1]], np.float32)
    path = tmp_path_factory.mktemp("sample") / "sitting ü.safetensors"
    save_file(small, path, {"format": "sapiens2-predictions", "version": "1"})
    return path


@pytest.fixture
def settled(worker):
    """A scene with settings that build quickly."""
    bpy.context.scene.sapiens2.scan.resolution, bpy.context.scene.sapiens2.make = "HALF", "scan"
    return bpy.context.scene.sapiens2


def test_import_equals_the_function(settled, worker, part, sample, tmp_path):
    path = sample
    assert bpy.ops.sapiens2.import_predictions(filepath=str(path)) == {"FINISHED"}
    made = coordinates(scan())
    assert settled.predictions == str(path)
    assert not list(part("folders").user_folder("scratch").iterdir())

    request = part("worker.requests").BuildRequest(
        predictions=path,
        name=path.stem,
        output=tmp_path / "a.safetensors",
        settings=part("properties").avatar_settings(settled),
    )
    job = worker.wait(worker.submit(part("worker.client").WorkerJob("again", request)), 60)
    avatar = part("core.formats.avatar_file").load_avatars(job.result["avatars"])[0]
    expected = part("core.common.spaces").transform_points(avatar.world_from_camera, avatar.mesh.vertices)
    np.testing.assert_array_equal(made.reshape(-1, 3), expected)


def test_one_undo_removes_all_and_one_redo_brings_it_back(settled, sample):
    bpy.ops.ed.undo_push(message="before")
    before = datablocks()
    bpy.ops.sapiens2.import_predictions(filepath=str(sample))
    bpy.ops.ed.undo_push(message="import")
    after = datablocks()
    assert len(after["objects"]) == len(before["objects"]) + 3
    bpy.ops.ed.undo()
    assert datablocks() == before
    bpy.ops.ed.redo()
    assert datablocks() == after


def test_rebuild_updates_or_adds_as_asked(settled, sample):
    bpy.ops.sapiens2.import_predictions(filepath=str(sample))
    before, count = datablocks(), len(scan().data.vertices)
    settled.scan.resolution = "FACES"
    settled.scan.faces = 2000
    assert bpy.ops.sapiens2.build_scan() == {"FINISHED"}
    assert datablocks() == before
    assert len(scan().data.polygons) < 2600 and len(scan().data.vertices) < count
    settled.place = "NEW"
    bpy.ops.sapiens2.build_scan()
    assert len(bpy.data.collections) == 2 * len(before["collections"])


@pytest.mark.parametrize(
    ("content", "sentence"), [(None, "does not exist"), (b"", "bad ü"), (b"not a safetensors file at all", "bad ü")]
)
def test_bad_files_are_refused_with_a_sentence_and_change_nothing(settled, worker, tmp_path, content, sentence):
    path = tmp_path / "bad ü.safetensors"
    if content is not None:
        path.write_bytes(content)
    before = datablocks()
    with pytest.raises(RuntimeError, match=sentence) as caught:
        bpy.ops.sapiens2.import_predictions(filepath=str(path))
    assert "Traceback" not in str(caught.value)
    assert datablocks() == before and not settled.predictions
    assert worker.status.error is not None and worker.status.error.hint
    assert worker.current() is None


def test_without_predictions_or_photo_the_next_step_is_named(worker):
    with pytest.raises(RuntimeError, match="import predictions"):
        bpy.ops.sapiens2.build_scan()
    with pytest.raises(RuntimeError, match="No photo is chosen"):
        bpy.ops.sapiens2.run()


def test_without_a_runtime_the_operators_say_so(part, monkeypatch, tmp_path):
    jobs = part("jobs")
    jobs.stop()
    monkeypatch.delenv("SAPIENS2_PYTHON", raising=False)
    with pytest.raises(RuntimeError, match="Install the runtime"):
        bpy.ops.sapiens2.import_predictions(filepath=str(tmp_path / "x.safetensors"))


def test_rigify_generates_from_the_rig_without_a_repair(settled, sample):
    bpy.ops.sapiens2.import_predictions(filepath=str(sample))
    rig = next(obj for obj in bpy.data.objects if obj.get("sapiens2_role") == "rig")
    bpy.ops.preferences.addon_enable(module="rigify")
    try:
        bpy.context.view_layer.objects.active = rig
        rig.select_set(True)
        assert bpy.ops.pose.rigify_generate() == {"FINISHED"}
        made = next(obj for obj in bpy.data.objects if obj.type == "ARMATURE" and obj != rig)
        assert {"hand_ik.L", "foot_ik.R", "upper_arm_fk.L", "torso"} <= set(made.data.bones.keys())
        assert made.data.collections["Arm.L (FK)"].bones
    finally:
        bpy.ops.preferences.addon_disable(module="rigify")


def test_texture_and_rig_can_be_made_again_on_the_same_scan(settled, sample):
    bpy.ops.sapiens2.import_predictions(filepath=str(sample))
    kept, before = scan(), datablocks()
    settled.texture.colour = "photo"
    assert bpy.ops.sapiens2.build_texture() == {"FINISHED"}
    assert scan() == kept and datablocks() == before
    assert bpy.ops.sapiens2.build_rig() == {"FINISHED"}
    assert scan() == kept and datablocks() == before
    assert kept.parent is not None and kept.parent.get("sapiens2_role") == "rig"


BUILDS = {"build_scan": "ScanProperties", "build_texture": "TextureProperties", "build_rig": "RigProperties"}


@pytest.mark.parametrize("name", BUILDS)
def test_the_redo_panel_shows_the_sliders_of_the_sidebar(part, name):
    sidebar = getattr(bpy.context.scene.sapiens2, name.removeprefix("build_")).bl_rna.properties
    here = getattr(bpy.ops.sapiens2, name).get_rna_type().properties
    own = set(getattr(part("step_properties"), BUILDS[name]).__annotations__)
    assert {prop.identifier for prop in here if not prop.is_hidden} - {"rna_type"} == own
    for prop in (here[n] for n in own):
        twin = sidebar[prop.identifier]
        for what in ("name", "description", "type", "subtype", "unit", "default", "hard_min", "hard_max", "soft_min", "soft_max"):
            assert getattr(prop, what, None) == getattr(twin, what, None), (prop.identifier, what)


def test_the_redo_panel_builds_again_and_the_sidebar_follows(part, settled, sample):
    own = part("step_properties").ScanProperties.__annotations__
    bpy.ops.sapiens2.import_predictions(filepath=str(sample))
    before = len(scan().data.polygons)
    settled.scan.resolution, settled.scan.faces = "FACES", 2000
    bpy.ops.ed.undo_push(message="before")
    # As a click does: one undo step, and the operator is the last one.
    assert bpy.ops.sapiens2.build_scan("EXEC_DEFAULT", True) == {"FINISHED"}
    assert 1300 < (rebuilt := len(scan().data.polygons)) < 2600
    last = bpy.context.window_manager.operators[-1]
    assert last.bl_idname == "SAPIENS2_OT_build_scan" and all(last.properties.is_property_set(name) for name in own)
    values = {name: getattr(last.properties, name) for name in own}
    assert (values["resolution"], values["faces"]) == ("FACES", 2000)
    made = datablocks()
    # What the redo panel does, which needs a window: the step back, and the operator again with all of its values.
    bpy.ops.ed.undo()
    assert len(scan().data.polygons) == before != rebuilt
    assert bpy.ops.sapiens2.build_scan("EXEC_DEFAULT", True, **values | {"faces": 1000}) == {"FINISHED"}
    assert len(scan().data.polygons) < 1300 and bpy.context.scene.sapiens2.scan.faces == 1000
    assert datablocks() == made
    bpy.ops.ed.undo()
    assert len(scan().data.polygons) == before != rebuilt and bpy.context.scene.sapiens2.scan.faces == 2000


def test_scripts_may_name_what_differs_from_the_sidebar(settled, sample, tmp_path):
    with pytest.raises(RuntimeError, match="is not in"):
        bpy.ops.sapiens2.build_texture(predictions=str(tmp_path / "none.safetensors"), colour="photo")
    assert settled.texture.colour == "auto"
    bpy.ops.sapiens2.import_predictions(filepath=str(sample))
    kept, settled.texture.bake = scan(), "1024"
    assert bpy.ops.sapiens2.build_rig(rest="A") == {"FINISHED"}
    rig = next(obj for obj in bpy.data.objects if obj.get("sapiens2_role") == "rig")
    assert scan() == kept and rig.animation_data is not None and settled.rig.rest == "A" and settled.rig.with_rig
    # The next call takes the sidebar's again, not the last call's.
    settled.rig.rest = "photo"
    assert bpy.ops.sapiens2.build_rig() == {"FINISHED"} and settled.rig.rest == "photo"
    rig = next(obj for obj in bpy.data.objects if obj.get("sapiens2_role") == "rig")
    assert rig.animation_data is None
    assert bpy.ops.sapiens2.build_scan(faces=1500, resolution="FACES") == {"FINISHED"}
    assert len(scan().data.polygons) < 2000 and (settled.scan.resolution, settled.scan.faces, settled.texture.bake) == (
        "FACES",
        1500,
        "1024",
    )


def test_clear_removes_what_was_made_and_nothing_else(settled, sample):
    mine = bpy.data.objects.new("Mine", None)
    bpy.context.scene.collection.objects.link(mine)
    before = datablocks()
    bpy.ops.sapiens2.import_predictions(filepath=str(sample))
    assert bpy.ops.sapiens2.clear() == {"FINISHED"}
    assert datablocks() == before


def test_report_masks_what_is_private(part):
    report = part("runtime.bug_report")
    text = report.mask(
        'File "/home/mia/secret project/client x/photos/raw/a.py", line 3\nC:\\Users\\mia\\a\\b\\c\\d\\e.jpg by mia',
        home=Path("/home/mia"), user="mia",
    )  # fmt: skip
    assert "mia" not in text and "secret project" not in text
    assert "a.py" in text and "e.jpg" in text


def test_a_waiting_job_can_be_taken_out_of_the_queue(worker, part, studio, tmp_path):
    job_class, state = part("worker.client").WorkerJob, part("worker.job").State
    coarse = part("core.surface.scan").ScanSettings(resolution=2000)
    build = partial(
        part("worker.requests").BuildRequest,
        predictions=studio("body_apose"),
        settings=part("core.avatar").AvatarSettings(make="scan", scan=coarse),
    )
    first, second = (
        worker.submit(job_class(name, build(name=name, output=tmp_path / f"{name}.safetensors"))) for name in ("Anna", "Berta")
    )
    while not first.accepted:
        worker.pump()
    assert [job.title for job in worker.waiting()] == ["Berta"]
    assert bpy.ops.sapiens2.cancel(job=second.number) == {"FINISHED"}
    assert second.state is state.CANCELLED and not worker.waiting()
    assert worker.wait(first, 120).state is state.DONE
    assert not (tmp_path / "Berta.safetensors").exists()
