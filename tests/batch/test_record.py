"""Resume: a stage is done when its key and its files are as recorded, and a setting redoes only what it touches."""

from dataclasses import replace
from pathlib import Path

import pytest

from sapiens2_avatar.batch import record as records
from sapiens2_avatar.batch import stages
from sapiens2_avatar.batch.items import Item
from sapiens2_avatar.batch.plan import PREDICT, PREVIEW, SCENE, NetworkOptions, Plan
from sapiens2_avatar.batch.stages import InputJob, fail
from sapiens2_avatar.core.common.errors import SapiensError

PLAN = Plan(make=("predictions", "blend", "preview", ".glb"))


@pytest.fixture
def item(tmp_path):
    return Item(tmp_path / "photo.jpg", "photo", "ab" * 32)


def finished(item, folder, plan):
    """A folder in which everything that the plan asks for is done."""
    folder.mkdir(exist_ok=True)
    record = records.Record(str(item.path), item.sha256)
    for stage, key in plan.stages(item).items():
        path = folder / f"photo.{stage.strip('.')}"
        path.write_bytes(b"result")
        record.done(stage, key, [path])
    records.save(folder, record)


def left(item, folder, plan, retry=False):
    return list(plan.todo(item, records.load(folder), folder, retry))


def test_finished_work_is_left_alone_and_new_content_is_not(item, tmp_path):
    assert left(item, tmp_path / "out", PLAN) == [PREDICT, SCENE, ".glb", PREVIEW]
    finished(item, tmp_path / "out", PLAN)
    assert left(item, tmp_path / "out", PLAN) == []
    assert left(replace(item, sha256="cd" * 32), tmp_path / "out", PLAN) == [PREDICT, SCENE, ".glb", PREVIEW]


def test_a_changed_setting_redoes_what_it_touches(item, tmp_path):
    finished(item, tmp_path / "out", PLAN)
    more = replace(PLAN, make=(*PLAN.make, ".fbx"))
    assert left(item, tmp_path / "out", more) == [".fbx"]
    detail = replace(PLAN, avatar=replace(PLAN.avatar, with_rig=False))
    assert left(item, tmp_path / "out", detail) == [SCENE, ".glb", PREVIEW]
    network = replace(PLAN, network=NetworkOptions(weights="other"))
    assert left(item, tmp_path / "out", network) == [PREDICT, SCENE, ".glb", PREVIEW]
    draft = replace(PLAN, network=NetworkOptions(draft=True))
    assert left(item, tmp_path / "out", draft) == [PREDICT, SCENE, ".glb", PREVIEW]
    device = replace(PLAN, network=NetworkOptions(device="cuda"))
    assert left(item, tmp_path / "out", device) == []


def test_a_missing_or_cut_file_is_made_again(item, tmp_path):
    finished(item, tmp_path / "out", PLAN)
    (tmp_path / "out" / "photo.glb").write_bytes(b"res")
    (tmp_path / "out" / "photo.preview").unlink()
    assert left(item, tmp_path / "out", PLAN) == [".glb", PREVIEW]


def test_a_known_failure_waits_for_retry_or_for_another_setting(item, tmp_path):
    folder = tmp_path / "out"
    fail(InputJob(item, folder, PLAN.stages(item)), PREDICT, SapiensError("No person was found.", "Another photo."))
    assert left(item, folder, PLAN) == []
    assert left(item, folder, PLAN, retry=True) == list(PLAN.stages(item))
    assert left(item, folder, replace(PLAN, network=NetworkOptions(model="1b"))) == list(PLAN.stages(item))


def test_a_report_that_cannot_be_read_counts_as_none(item, tmp_path):
    finished(item, tmp_path / "out", PLAN)
    (tmp_path / "out" / "report.json").write_text('{"input": "photo.jpg", "sha')
    assert left(item, tmp_path / "out", PLAN) == list(PLAN.stages(item))


def test_a_scene_that_nobody_wants_is_no_stage_and_does_not_change_the_others(item, tmp_path):
    without = replace(PLAN, make=("predictions", "preview", ".glb"))
    stages = PLAN.stages(item)
    assert without.stages(item) == {stage: key for stage, key in stages.items() if stage != SCENE}
    finished(item, tmp_path / "out", without)
    assert left(item, tmp_path / "out", without) == []
    assert left(item, tmp_path / "out", PLAN) == [SCENE]


def test_a_range_is_of_clips_alone_and_bvh_too(item):
    plan = replace(PLAN, make=("predictions", ".bvh"))
    clip = replace(item, clip=True)
    assert list(plan.stages(item)) == [PREDICT] and list(plan.stages(clip)) == [PREDICT, ".bvh"]
    shorter = replace(plan, clip=replace(plan.clip, end=2.0))
    assert shorter.stages(item) == plan.stages(item) and shorter.stages(clip)[PREDICT] != plan.stages(clip)[PREDICT]


def test_what_saving_the_scene_had_to_say_is_in_the_report(item, tmp_path, monkeypatch):
    note = "photo.blend is as Blender wrote it."
    monkeypatch.setattr(stages, "_open_scene", lambda job, plan: None)

    def blender(step, path):
        assert step == "save"
        Path(path).write_bytes(b"scene")
        return {"notes": [note]}

    monkeypatch.setattr(stages, "blender", lambda plan: blender)
    job = InputJob(item, tmp_path / "out", {SCENE: "key"})
    assert stages.finish(job, PLAN) is None
    record = records.load(job.folder)
    assert record.notes == [note] and record.error == "" and record.is_done(SCENE, "key", job.folder)
