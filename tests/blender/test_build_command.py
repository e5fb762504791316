"""`build` from end to end: the contract of the scene, the same result twice, and what bad input says."""

import json
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")
pytest.importorskip("scipy", reason="building needs SciPy and OpenCV, which Blender's own Python does not have")
pytest.importorskip("cv2", reason="building needs SciPy and OpenCV, which Blender's own Python does not have")

from sapiens2_avatar.commands.cli import main  # noqa: E402
from sapiens2_avatar.core.body.person import Person  # noqa: E402
from sapiens2_avatar.core.common.spaces import pixel_from_uv  # noqa: E402

SAMPLES = ["body_apose", "body_crossed", "body_walk", "body_sit", "face_a", "face_b"]


def by_role(role):
    return next(ob for ob in bpy.data.objects if ob.get("sapiens2_role") == role)


def said_by(capsys):
    """The JSON of a command. In tests Blender's own lines land on the same stream, before it."""
    out = capsys.readouterr().out
    return json.loads(out[out.index("{\n") :])


def stride(mesh):
    """Every how many vertices to look at: some two thousand are enough."""
    return max(1, len(mesh.vertices) // 2000)


def positions(mesh):
    """(V, 3) of all vertices."""
    out = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", out)
    return out.reshape(-1, 3)


def projected(scan, camera, width, height):
    """(V, 2) pixels of the scan's vertices through the Blender camera, by Blender's own formula."""
    from bpy_extras.object_utils import world_to_camera_view
    from mathutils import Vector

    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = width, height, 100
    seen = [
        world_to_camera_view(scene, camera, scan.matrix_world @ Vector(p)) for p in positions(scan.data)[:: stride(scan.data)]
    ]
    return pixel_from_uv(np.array([(p.x, p.y) for p in seen]), width, height)


def uvs_of_vertices(mesh):
    uv = np.empty(2 * len(mesh.loops), np.float32)
    mesh.uv_layers[0].data.foreach_get("uv", uv)
    corner = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", corner)
    out = np.zeros((len(mesh.vertices), 2), np.float32)
    out[corner] = uv.reshape(-1, 2)
    return out


@pytest.mark.slow
@pytest.mark.parametrize("sample", SAMPLES)
def test_the_file_keeps_the_contract_of_the_scene(sample, studio, tmp_path):
    assert main(["build", str(studio(sample)), "-o", str(tmp_path / "out.blend"), "--make", "scan", "--quiet"]) == 0
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "out.blend"))
    scan, camera, rig = by_role("scan"), by_role("camera"), by_role("rig")
    assert {ob.users_collection[0].name for ob in (scan, camera, rig)} == {sample}
    image = camera.data.background_images[0].image
    width, height = image.size
    wanted = pixel_from_uv(uvs_of_vertices(scan.data)[:: stride(scan.data)], width, height)
    assert np.percentile(np.linalg.norm(projected(scan, camera, width, height) - wanted, axis=1), 95) < 0.5
    assert scan.data.validate() is False, "the mesh needed a repair"
    material = scan.material_slots[0].material
    assert any(node.type == "BSDF_PRINCIPLED" for node in material.node_tree.nodes)
    assert all(node.image.packed_file for node in material.node_tree.nodes if node.type == "TEX_IMAGE")
    assert any(modifier.type == "ARMATURE" and modifier.object == rig for modifier in scan.modifiers)
    limb = {"upper_arm.L"} if sample.startswith("body") else {"spine.006"}
    assert {"Face_Neck"} | limb <= {g.name for g in scan.vertex_groups}
    assert {"spine", "spine.004", "upper_arm.L", "forearm.R", "f_index.01.L"} <= set(rig.data.bones.keys())


def test_the_same_input_gives_the_same_mesh(studio, tmp_path):
    def mesh(name):
        assert (
            main(["build", str(studio("body_sit.degraded")), "-o", str(tmp_path / name), "--make", "scan", "--quiet", "--json"])
            == 0
        )
        data = by_role("scan").data
        return positions(data).tobytes(), len(data.polygons)

    assert mesh("a.blend") == mesh("b.blend")


def test_every_input_gets_a_collection_and_every_failure_a_line(studio, tmp_path, capsys):
    (tmp_path / "none.safetensors").write_bytes(b"\x80\x04not a tensor")
    arguments = ["build", str(studio("body_sit")), str(tmp_path / "none.safetensors"), str(studio("face_b"))]
    assert main([*arguments, "-o", str(tmp_path / "both.blend"), "--quiet", "--json", "--no-rig", "--make", "scan"]) == 1
    said = said_by(capsys)
    assert said["results"] == [str(tmp_path / "both.blend")] and [f["input"] for f in said["failures"]] == [arguments[2]]
    assert {c.name for c in bpy.data.collections} >= {"body_sit", "face_b"}


def _truncated(studio, folder):
    path = folder / "cut.safetensors"
    path.write_bytes(studio("body_sit").read_bytes()[:-1000])
    return path


def _nan(studio, folder):
    from dataclasses import replace

    from sapiens2_avatar.core.common.predictions import Predictions

    good = Predictions.load(studio("body_sit"))
    empty = replace(good, pointmap=np.full_like(good.pointmap, np.nan))
    from safetensors.numpy import save_file

    arrays = {k: getattr(empty, k) for k in ("image", "pointmap", "seg", "normal")}
    save_file(arrays, folder / "nan.safetensors")
    return folder / "nan.safetensors"


def _shapes(studio, folder):
    from safetensors.numpy import save_file

    save_file(
        {"image": np.zeros((20, 30, 3), np.uint8), "pointmap": np.ones((30, 20, 3), np.float32)}, folder / "shapes.safetensors"
    )
    return folder / "shapes.safetensors"


def _pickle(studio, folder):
    import pickle

    path = folder / "pickle.safetensors"
    path.write_bytes(pickle.dumps({"weights": [1, 2, 3]}))
    return path


def _missing(studio, folder):
    return folder / "not here.safetensors"


@pytest.mark.parametrize("make", [_truncated, _nan, _shapes, _pickle, _missing])
def test_bad_predictions_give_one_sentence_and_no_file(make, studio, tmp_path, capsys):
    path = make(studio, tmp_path)
    assert main(["build", str(path), "-o", str(tmp_path / "out" / "x.blend"), "--quiet", "--json"]) == 1
    failure = said_by(capsys)["failures"][0]
    assert failure["error"].endswith(".") and "\n" not in failure["error"] and failure["hint"]
    assert not any((tmp_path / "out").iterdir())


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_named_before_the_work(studio, tmp_path, capsys):
    tmp_path.chmod(0o500)
    try:
        assert main(["build", str(studio("body_sit")), "-o", str(tmp_path / "x.blend"), "--json"]) == 1
    finally:
        tmp_path.chmod(0o700)
    assert "permission" in said_by(capsys)["failures"][0]["error"]


@pytest.mark.skipif(shutil.which("mount") is None or not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs a small disk")
def test_a_full_disk_leaves_nothing_half_written(studio, tmp_path, capsys):
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.system(f"mount -t tmpfs -o size=64k tmpfs '{disk}' 2>/dev/null"):
        pytest.skip("a small disk cannot be mounted here")
    try:
        assert main(["build", str(studio("body_sit")), "-o", str(disk / "x.blend"), "--make", "scan", "--json", "--quiet"]) == 1
        failure = said_by(capsys)["failures"][0]
        assert "could not be written" in failure["error"] and "space" in failure["hint"]
        assert not any(disk.iterdir())
    finally:
        os.system(f"umount '{disk}'")


@pytest.mark.slow
@pytest.mark.parametrize("make", ["avatar", "both"])
def test_a_body_is_built_and_exported(make, studio, tmp_path):
    """It stands over the photo's person when the file opens, and glb carries the keys of its face."""
    names = ["a.glb", "a.ply", "a.png"]
    arguments = ["build", str(studio("body_walk")), "-o", str(tmp_path / "a.blend"), "--make", make, "--resolution", "6000"]
    exports = [part for name in names[:2] for part in ("--export", str(tmp_path / name))]
    assert main([*arguments, *exports, "--preview", str(tmp_path / "a.png"), "--quiet"]) == 0
    assert all((tmp_path / name).stat().st_size > 500 for name in names)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    wanted = {"body", "garment", "rig", "camera"} | ({"scan"} if make == "both" else set())
    assert {ob.get("sapiens2_role") for ob in bpy.data.objects} == wanted
    worn = {ob["sapiens2_garment"] for ob in bpy.data.objects if ob.get("sapiens2_role") == "garment"}
    assert {"upper", "lower", "hair"} <= worn
    body, rig, seen, truth = by_role("body"), by_role("rig"), by_role("camera"), studio.joints("body_walk")
    for bone, joint in (
        ("forearm.L", "left_elbow"),
        ("forearm.R", "right_elbow"),
        ("shin.L", "left_knee"),
        ("shin.R", "right_knee"),
    ):
        x, y, z = seen.matrix_world.inverted() @ rig.matrix_world @ rig.pose.bones[bone].head
        assert np.linalg.norm([x, -y, -z] - truth[joint]) < 0.1
    body.modifiers["covered"].show_viewport = False
    posed = positions(body.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh())
    assert np.abs(posed - positions(body.data)).max() > 0.1
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.ops.import_scene.gltf(filepath=str(tmp_path / "a.glb"))
    keyed = [ob.data.shape_keys.key_blocks for ob in bpy.data.objects if ob.type == "MESH" and ob.data.shape_keys]
    (face,) = [keys for keys in keyed if "jawOpen" in keys]
    # The basis, 52 of ARKit, 15 visemes, and what keeps bent joints thick, which clothes have as well.
    assert len([key for key in face if not key.name.startswith("corrective_")]) == 68
    assert all(any(key.name.startswith("corrective_") for key in keys) for keys in keyed)


def test_what_artists_and_technicians_may_ask_for(studio, tmp_path, capsys):
    """Quads, pieces, the atlas, a lens, a distance, and every file beside the .blend."""
    names = ["a.ply", "a.json", "a.exr", "a.obj"]
    arguments = [
        "build",
        str(studio("body_sit")),
        "-o",
        str(tmp_path / "a.blend"),
        "--resolution",
        "half",
        "--quads",
        "--separate",
        "--make",
        "scan",
    ]
    arguments += ["--bake", "512", "--focal", "60", "--distance", "3", "--cloud", str(tmp_path / "c.ply"), "--json", "--quiet"]
    assert main([*arguments, *(part for name in names for part in ("--export", str(tmp_path / name)))]) == 0
    said = said_by(capsys)
    assert {Path(path).name for path in said["results"]} == {"a.blend", "c.ply", *names}
    assert all((tmp_path / name).stat().st_size > 500 for name in (*names, "c.ply"))
    (camera,) = said["cameras"].values()
    assert camera["source"] == "typed" and {"given", "typed", "pointmap"} <= camera["focal_lengths"].keys()
    wanted = 60 * np.hypot(448, 448) / np.hypot(36, 24)
    assert camera["focal_length"] == pytest.approx(wanted)
    assert json.loads((tmp_path / "a.json").read_text("utf-8"))["fx"] == pytest.approx(wanted)

    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    pieces = [ob for ob in bpy.data.objects if ob.get("sapiens2_role") == "scan"]
    assert len(pieces) >= 3 and any(ob["sapiens2_piece"] == "Skin" for ob in pieces)
    seen = by_role("camera")
    depths = np.concatenate([positions(ob.data) for ob in pieces]) @ np.array(seen.matrix_world)[:3, 2]
    assert np.median(np.array(seen.matrix_world)[:3, 2] @ np.array(seen.matrix_world)[:3, 3] - depths) == pytest.approx(
        3, rel=0.03
    )
    for ob in pieces:
        assert ob.data.validate() is False and {len(polygon.vertices) for polygon in ob.data.polygons} == {4}
        assert [layer.name for layer in ob.data.uv_layers] == ["UVMap", "Atlas"]
        nodes = ob.material_slots[0].material.node_tree.nodes
        assert next(n for n in nodes if n.type == "UVMAP").uv_map == "Atlas"
        assert next(n.image.size[:] for n in nodes if n.type == "TEX_IMAGE") == (512, 512)


@pytest.mark.parametrize(
    "arguments",
    [["--cloud", "c.obj"], ["--distance", "0"], ["--stature", "1.7", "--distance", "2"], ["--focal", "-3"], ["--bake", "7"],
     ["--export", "a.xyz"], ["--separate"], ["--export", "a.exr"], ["--one-person", "--make", "scan"]],
)  # fmt: skip
def test_options_that_make_no_sense_are_explained(arguments, studio, tmp_path, capsys):
    assert main(["build", str(studio("body_sit")), "-o", str(tmp_path / "x.blend"), "--quiet", *arguments]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert "error: " in said.lower() and any(word in said for word in arguments)
    assert not (tmp_path / "x.blend").exists()


@pytest.fixture
def demo_outputs(studio, part, tmp_path) -> Path:
    """What Meta's demo scripts write, a folder per task, and the photo next to them, of a small sitting person."""
    from sapiens2_avatar.core.common.predictions import Predictions

    whole = Predictions.load(studio("body_sit"))
    out = tmp_path / "out"
    for task in ("seg", "normal", "pointmap", "pose"):
        (out / task).mkdir(parents=True)
    (out / "sitting.png").write_bytes(part("scene.image").png_bytes(np.ascontiguousarray(whole.image[::4, ::4])))
    np.save(out / "seg" / "sitting_seg.npy", whole.seg[::4, ::4].astype(np.int64))
    np.save(out / "normal" / "sitting.npy", whole.normal[::4, ::4].astype(np.float32))
    np.save(out / "pointmap" / "sitting_depth.npy", whole.pointmap[::4, ::4, 2].astype(np.float16))
    people = [{"bbox": [1, 2, 90, 120], "keypoints": (k[:, :2] / 4).tolist(), "keypoint_scores": k[:, 2].tolist()}
              for k in whole.keypoints]  # fmt: skip
    content = {"num_keypoints": 308, "frames": [{"image_name": "sitting.png", "instances": people}]}
    (out / "pose" / "pose_predictions.json").write_text(json.dumps(content))
    return out


@pytest.mark.parametrize("away", [False, True], ids=["here", "by the worker"])
def test_outputs_of_meta_s_scripts_are_built_and_posed_from(
    away, demo_outputs, rig_file, worker, part, monkeypatch, capsys, tmp_path
):
    monkeypatch.setattr(part("commands.through_worker"), "needed", lambda: away)
    out = str(tmp_path / "o.blend")
    files = [
        str(demo_outputs / name) for name in ("seg/sitting_seg.npy", "pointmap/sitting_depth.npy", "pose/pose_predictions.json")
    ]
    assert main(["build", *files, "-o", out, "--json"]) == 0
    assert list(said_by(capsys)["cameras"]) == files[:1], "three files of one photo are one person"
    bpy.ops.wm.open_mainfile(filepath=out)
    assert [ob.users_collection[0].name for ob in bpy.data.objects if ob.get("sapiens2_role") == "rig"] == ["sitting"]
    rig = str(rig_file("mixamo"))
    assert main(["pose", files[1], "--armature", rig, "-o", out, "--json"]) == 0
    assert len(said_by(capsys)["bones"]) > 40
    (demo_outputs / "sitting.png").unlink()
    assert main(["build", *files[:1], "-o", out, "--json"]) == 1
    assert "photo of sitting_seg.npy was not found" in said_by(capsys)["failures"][0]["error"]


def test_a_person_is_kept_and_used_again(studio, tmp_path, capsys):
    out, person = tmp_path / "a.blend", tmp_path / "a.person"
    words = ["build", studio("body_apose"), "-o", out]
    assert main([*map(str, words), "--save-person", str(person)]) == 0

    def body_at_rest():
        return positions(by_role("body").data)

    first = body_at_rest()
    words = ["build", studio("body_crossed"), "-o", tmp_path / "b.blend", "--make", "both", "--person", person]
    assert main(list(map(str, words))) == 0
    again = body_at_rest()
    # The same body at rest, whichever way its photo made it face.
    assert np.allclose(
        np.linalg.norm(first - first.mean(axis=0), axis=1), np.linalg.norm(again - again.mean(axis=0), axis=1), atol=1e-5
    )
    assert {ob.get("sapiens2_role") for ob in bpy.data.objects} >= {"body", "scan", "rig", "camera"}

    person.write_bytes(b"nobody")
    assert main(list(map(str, words))) == 1
    assert "a.person" in capsys.readouterr().err
    words = ["build", studio("body_apose"), "-o", out, "--make", "scan", "--save-person", person]
    assert main(list(map(str, words))) == 1
    assert "--make" in capsys.readouterr().err


def test_several_photos_of_one_person_make_one_avatar(studio, tmp_path, capsys):
    photos = [studio("walk/frame_00"), studio("walk/frame_04")]
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(photos[0].read_bytes()[:1000])
    given = photos[0], broken, photos[1]
    words = ["build", *given, "--one-person", "-o", tmp_path / "a.blend", "--save-person", tmp_path / "a.person"]
    assert main(list(map(str, words))) == 1
    assert "broken.safetensors" in capsys.readouterr().err
    roles = [ob.get("sapiens2_role") for ob in bpy.data.objects]
    assert sorted(role for role in roles if role and role != "garment") == ["body", "camera", "rig"] and "garment" in roles
    assert main(["person", *map(str, photos), "-o", str(tmp_path / "b.person")]) == 0
    built, found = (Person.load(tmp_path / name).shape.numbers() for name in ("a.person", "b.person"))
    assert np.abs(built - found).max() < 0.3, "the build also follows the border of the photo"
    assert main(["build", str(photos[0]), "--one-person", "--person", "x", "-o", str(tmp_path / "c.blend")]) == 2
    assert main(["person", str(broken), "-o", str(tmp_path / "c.person")]) == 1 and not (tmp_path / "c.person").exists()


def test_blender_is_read_alone_before_a_photo_is_looked_at(monkeypatch, tmp_path):
    """Its add-ons are modules like any others: one that is read while another thread reads the same ones stays away, the exporter
    for glTF with it, and with files that were never compiled that is likely."""
    from sapiens2_avatar.commands import build as command
    from sapiens2_avatar.core.common.errors import SapiensError
    from sapiens2_avatar.scene import files

    order = []
    monkeypatch.setattr(files, "new_file", lambda: order.append(("blender", threading.current_thread())))

    def look(path, *_):
        order.append((path.name, threading.current_thread()))
        raise SapiensError("Nothing is made here.", "It is a test.")

    monkeypatch.setattr(command, "avatars_of", look)
    photos = [tmp_path / name for name in ("a.png", "b.png")]
    assert main(["build", *map(str, photos), "-o", str(tmp_path / "out.blend"), "--quiet"]) == 1
    assert order == [(name, threading.main_thread()) for name in ("blender", "a.png", "b.png")]
