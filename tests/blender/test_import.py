"""File > Import: predictions of ours and outputs of the demo scripts, several at once, good and bad."""

from __future__ import annotations

import json
from pathlib import Path

import bpy
import numpy as np
import pytest


@pytest.fixture(scope="session")
def truth(studio) -> dict:
    """The maps of a studio sample with every fourth pixel."""
    from safetensors.numpy import load_file

    full = load_file(studio("body_sit"))
    small = {k: np.ascontiguousarray(v[::4, ::4]) for k, v in full.items() if v.shape[:2] == full["image"].shape[:2]}
    small["keypoints"] = full["keypoints"].reshape(-1, 308, 3) * np.array([0.25, 0.25, 1], np.float32)
    small["intrinsics"] = full["intrinsics"] * np.array([[0.25], [0.25], [1]], np.float32)
    return small


@pytest.fixture
def ours(truth, tmp_path):
    """Function: name -> a predictions file."""
    from safetensors.numpy import save_file

    def write(name: str) -> Path:
        path = tmp_path / f"{name}.safetensors"
        save_file(truth, path, {"format": "sapiens2-predictions", "version": "1"})
        return path

    return write


@pytest.fixture
def demo(truth, part, tmp_path) -> Path:
    """A photo, and what the demo scripts write for it, a folder per task."""
    (tmp_path / "person ü.png").write_bytes(part("scene.image").png_bytes(truth["image"]))
    for task in ("seg", "normal", "pointmap", "pose"):
        (tmp_path / "out" / task).mkdir(parents=True)
    np.save(tmp_path / "out/seg/person ü_seg.npy", truth["seg"].astype(np.int64))
    np.save(tmp_path / "out/normal/person ü.npy", truth["normal"].astype(np.float32))
    np.save(tmp_path / "out/pointmap/person ü_depth.npy", truth["pointmap"][..., 2].astype(np.float16))
    people = [{"bbox": [1, 2, 90, 120], "keypoints": k[:, :2].tolist(), "keypoint_scores": k[:, 2].tolist()}
              for k in truth["keypoints"].astype(float)]  # fmt: skip
    frames = [{"image_name": "person ü.png", "instances": people}]
    (tmp_path / "out/pose/pose_predictions.json").write_text(json.dumps({"num_keypoints": 308, "frames": frames}))
    return tmp_path


@pytest.fixture
def settled(worker):
    settings = bpy.context.scene.sapiens2
    settings.scan.resolution, settings.make = "HALF", "scan"
    return settings


def roles() -> list[str]:
    return sorted(obj["sapiens2_role"] for obj in bpy.data.objects if "sapiens2_role" in obj)


def test_demo_outputs_make_an_avatar_that_can_be_rebuilt(settled, demo, part):
    assert bpy.ops.sapiens2.import_predictions(
        filepath=str(demo / "out/seg/person ü_seg.npy"), photo=str(demo / "person ü.png")
    ) == {"FINISHED"}
    assert roles() == ["camera", "rig", "scan"]
    stored = Path(settled.predictions)
    assert stored.parent == part("folders").cache_folder() and part("core.formats.prediction_cache").NAME.fullmatch(stored.name)
    assert set(part("thumbnails").maps(settled.predictions)) >= {"photo", "normal", "depth", "parts", "pose"}
    settled.scan.resolution, settled.scan.faces = "FACES", 1500
    assert bpy.ops.sapiens2.build_scan() == {"FINISHED"} and roles() == ["camera", "rig", "scan"]
    scan = next(obj for obj in bpy.data.objects if obj.get("sapiens2_role") == "scan")
    assert len(scan.data.polygons) < 2500


def test_the_same_outputs_again_update_the_same_result(settled, demo):
    for _ in range(2):
        bpy.ops.sapiens2.import_predictions(filepath=str(demo / "out/normal/person ü.npy"), photo=str(demo / "person ü.png"))
    assert roles() == ["camera", "rig", "scan"]


def test_several_files_at_once_are_one_step(settled, ours, demo, tmp_path):
    names = [ours("first").name, ours("second").name, "person ü.png"]
    bpy.ops.ed.undo_push(message="before")
    before = {obj.name for obj in bpy.data.objects}
    assert bpy.ops.sapiens2.import_predictions(directory=str(tmp_path), files=[{"name": name} for name in names]) == {"FINISHED"}
    bpy.ops.ed.undo_push(message="import")
    assert roles() == ["camera"] * 2 + ["rig"] * 2 + ["scan"] * 2
    assert {collection.name for collection in bpy.data.collections} >= {"first", "second"}
    bpy.ops.ed.undo()
    assert {obj.name for obj in bpy.data.objects} == before


def test_a_folder_brings_what_is_in_it(settled, ours, demo, tmp_path):
    """Pressing Import in a folder, without a file chosen."""
    out = f"{demo / 'out'}/"  # the demo scripts make a folder for each task in it
    (demo / "person ü.png").rename(demo / "out" / "person ü.png")
    assert bpy.ops.sapiens2.import_predictions(filepath=out, directory=out, files=[{"name": ""}]) == {"FINISHED"}
    assert roles() == ["camera", "rig", "scan"]
    for name in ("first", "second"):
        ours(name)
    (tmp_path / ".part.safetensors").write_bytes(b"")
    settled.place = "NEW"
    assert bpy.ops.sapiens2.import_predictions(filepath=str(tmp_path)) == {"FINISHED"}
    assert {collection.name for collection in bpy.data.collections} >= {"first", "second"}
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "settings.json").write_text("{}")
    with pytest.raises(RuntimeError, match="The folder empty holds nothing that can be imported"):
        bpy.ops.sapiens2.import_predictions(filepath=str(tmp_path / "empty"))


def test_bad_ones_are_named_and_the_good_ones_come(settled, worker, ours, tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(b"not at all")
    (tmp_path / "lonely.npy").write_bytes(b"nothing")
    names = ["bad.safetensors", ours("good").name, "lonely.npy"]
    assert bpy.ops.sapiens2.import_predictions(directory=str(tmp_path), files=[{"name": name} for name in names]) == {"FINISHED"}
    assert roles() == ["camera", "rig", "scan"]
    said = " ".join(worker.status.notes)
    assert "bad.safetensors" in said and "The photo of lonely.npy was not found" in said


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("x_seg.npy", b"\x93NUMPY", "The photo of x_seg.npy was not found"),
        ("person ü_seg.npy", b"\x93NUMPY", "is not an array file that can be read"),
        ("person ü.ply", b"ply\nformat", "is not a point cloud that can be read"),
        ("keys_predictions.json", b"{", "is not a keypoint file"),
        ("notes.txt", b"", "no file that can be imported"),
    ],
)
def test_bad_demo_outputs_are_one_sentence(settled, worker, demo, tmp_path, name, content, sentence):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(RuntimeError, match=sentence) as caught:
        bpy.ops.sapiens2.import_predictions(filepath=str(path))
    assert "Traceback" not in str(caught.value) and worker.status.error.hint
    assert roles() == [] and not settled.predictions


def test_what_can_be_dropped_is_what_can_be_imported(part):
    registration, importing = part("registration"), part("core.formats.import_groups")
    handler = registration.SAPIENS2_FH_predictions
    assert set(handler.bl_file_extensions.split(";")) == {importing.OURS, *importing.DEMO}
    assert handler.bl_import_operator == "sapiens2.import_predictions"
