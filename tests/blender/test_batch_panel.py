"""The sidebar's batch: the same as the command line with the settings of the sidebar."""

import json
import shutil
from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy")
SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample_photo.jpg"


def test_the_settings_of_the_sidebar_are_arguments_that_the_command_line_takes(part, tmp_path):
    settings = bpy.context.scene.sapiens2
    settings.batch.folder, settings.batch.output = str(tmp_path / "in"), str(tmp_path / "out")
    settings.scan.resolution, settings.scan.faces, settings.scan.detail, settings.rig.with_rig = "FACES", 5000, 0.25, False
    settings.scan.scale, settings.scan.stature, settings.batch.export, settings.batch.retry = "STATURE", 1.7, "glb", True
    settings.batch.picture, settings.network.flip_test, settings.texture.colour = False, False, "photo"
    options = part("commands.cli").parser().parse_args(part("operators.batch").batch_arguments(settings))
    assert (options.source, options.output) == (str(tmp_path / "in"), str(tmp_path / "out"))
    assert (options.resolution, options.detail, options.with_rig, options.colour) == (5000, 0.25, False, "photo")
    assert (options.stature, options.distance, options.export) == (pytest.approx(1.7), None, ["glb"])
    assert options.retry_failed and options.blend and not options.picture and not options.flip_test


@pytest.mark.slow
@pytest.mark.one_blender  # the scenes are written by the Blender of the worker's Python
def test_the_button_makes_scenes_says_how_many_and_brings_them_in(part, worker, tmp_path):
    if not SAMPLE.exists():
        pytest.skip("the built-in photo is not there")
    settings = bpy.context.scene.sapiens2
    (tmp_path / "in").mkdir()
    shutil.copy(SAMPLE, tmp_path / "in" / "person.jpg")
    (tmp_path / "in" / "broken.jpg").write_bytes(b"no photo")
    settings.batch.folder, settings.batch.output, settings.make = str(tmp_path / "in"), str(tmp_path / "out"), "scan"
    settings.scan.resolution, settings.scan.faces, settings.batch.picture, settings.network.flip_test = (
        "FACES",
        2000,
        False,
        False,
    )
    with pytest.raises(RuntimeError, match=r"1 input failed.*broken\.jpg"):
        bpy.ops.sapiens2.batch()
    assert worker.status.notes == ("Batch: 1 of 2 inputs done, 1 failed",)
    rows = [json.loads(line) for line in (tmp_path / "out" / "report.jsonl").read_text("utf-8").splitlines()]
    assert [row["status"] for row in rows] == ["failed", "done"]
    assert (tmp_path / "out" / "person" / "person.blend").stat().st_size > 0

    assert bpy.ops.sapiens2.batch_gather(link=True) == {"FINISHED"}
    instance = bpy.context.scene.objects["person"]
    assert instance.instance_collection.library is not None


def test_results_that_are_not_there_are_said(part, tmp_path):
    bpy.context.scene.sapiens2.batch.output = str(tmp_path)
    with pytest.raises(RuntimeError, match=r"There are no \.blend files"):
        bpy.ops.sapiens2.batch_gather()
