"""A hundred inputs, fifteen of them odd: each has its result or its reason, and a run that is killed ends like one that was not.

With SAPIENS2_BATCH_FULL=1 everything is made for all hundred and the run is killed twenty times; otherwise predictions for all,
and everything for a few with three kills, which is what two cores can do in a few minutes.
"""

import csv
import hashlib
import json
import os
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from support.held_worker import Points, wait_until

if find_spec("bpy") is None:  # looked for, not imported: only the worker processes need it
    pytest.skip("writing .blend files needs Blender as a module", allow_module_level=True)

from sapiens2_avatar.core.common.predictions import Predictions

FULL = bool(os.environ.get("SAPIENS2_BATCH_FULL"))


def lines(output):
    rows = map(json.loads, (output / "report.jsonl").read_text("utf-8").splitlines())
    return {Path(row["input"]).name: row for row in rows}


@pytest.fixture(scope="module")
def hundred(tmp_path_factory, plain_photos, odd_inputs):
    folder = tmp_path_factory.mktemp("hundred")
    odd = odd_inputs(folder)  # with the original of the copy, which is a plain one
    plain_photos(folder, 84)
    assert len(list(folder.iterdir())) == 100 and len(odd.expected) == 15
    return folder, odd


@pytest.mark.slow
def test_each_of_a_hundred_inputs_gets_its_result_or_its_reason(hundred, run, tmp_path):
    (source, odd), output = hundred, tmp_path / "out"
    more = ["--export", "glb", "--no-picture"] if FULL else ["--no-blend", "--no-picture"]
    code, out, err = run(source, output, *more)
    assert code == 1, err
    rows = lines(output)
    assert len(rows) == 100
    reasons = {name: reason for name, reason in odd.expected.items() if reason}
    assert {name for name, row in rows.items() if row["error"]} == reasons.keys(), {
        n: r["error"] for n, r in rows.items() if r["error"]
    }
    for name, reason in reasons.items():
        assert reason in rows[name]["error"] and rows[name]["status"] == "failed", rows[name]
        assert name in err and "Traceback" not in err
    assert len(out.splitlines()) == 100 - len(reasons)  # the results but the copy, and the contact sheet
    folders = [row["name"] for name, row in rows.items() if not row["error"] and row["status"] != "copy"]
    assert len(set(folders)) == 91
    for name, row in rows.items():
        if row["error"]:
            continue
        made = Predictions.load(output / row["name"] / f"{row['name']}.safetensors")
        assert made.metadata["sha256"] == hashlib.sha256((source / name).read_bytes()).hexdigest() == row["sha256"]
        assert made.keypoints.shape[0] == (2 if name == "two.png" else 1)
        assert sorted(p.suffix for p in (output / row["name"]).iterdir()) == sorted(
            [*(Path(f).suffix for f in row["files"]), ".json"]
        )
    assert rows["plain copy.jpg"]["status"] == "copy" and rows["plain copy.jpg"]["name"] == rows["original.jpg"]["name"]
    with (output / "report.csv").open(encoding="utf-8", newline="") as file:
        assert [row["input"] for row in csv.DictReader(file)] == [row["input"] for row in rows.values()]
    same_person(output, rows)

    before = {p: p.stat().st_mtime_ns for p in output.rglob("*.safetensors")}
    assert run(source, output, *more)[0] == 1
    assert {p: p.stat().st_mtime_ns for p in output.rglob("*.safetensors")} == before, "finished work was done again"


def same_person(output, rows):
    """What is odd about a file does not change who is in it: the face and the limbs are where they are in the plain photo."""

    def points(name):
        return Predictions.load(output / rows[name]["name"] / f"{rows[name]['name']}.safetensors").keypoints[0, :21, :2]

    for name, pixels in (("really a png.jpg", 3), ("cmyk.jpg", 4), ("animated.gif", 6), ("sixteen.png", 12)):
        assert np.median(np.linalg.norm(points(name) - points("original.jpg"), axis=1)) < pixels, name


@pytest.mark.slow
def test_a_run_that_is_killed_ends_with_the_same_bytes(
    hundred, plain_photos, held_command, points, points_folder, run, contents, environment, tmp_path
):
    source, more = hundred[0], ["--export", "glb", "--no-picture"]
    if not FULL:
        source, more = tmp_path / "in", ["--export", "glb", "--group", "2"]
        source.mkdir()
        plain_photos(source, 3)
        for name in ("cut.jpg", "plain copy.jpg", "loop.jpg"):  # a few odd ones among them
            (source / name).symlink_to(hundred[0] / name)
    expected = run(source, tmp_path / "whole", *more, seconds=3600)[0]
    names = sorted(
        path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole").glob("*/*.*") if path.name != "report.json"
    )
    random = np.random.default_rng(6)
    kills = 20 if FULL else 3
    for kill in range(kills):
        # What is not there yet will be written: the run stops just before that, wherever it is with all the others.
        missing = [name for name in names if not (tmp_path / "killed" / name).exists()]
        point = missing[random.integers(1 + len(missing) // (kills - kill))]
        points.hold(f"writing {point.name}")
        started = subprocess.Popen(held_command(source, tmp_path / "killed", *more), start_new_session=True,
                                   env=environment | Points.environment(points_folder),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        wait_until(lambda started=started: points.reached or started.poll() is not None, 3600)
        assert points.reached and started.poll() is None and not (tmp_path / "killed" / point).exists(), point
        # Every other kill hits the whole family of processes, as a power cut does, the others the parent alone.
        os.killpg(started.pid, signal.SIGKILL) if kill % 2 else started.kill()
        started.wait()
    assert run(source, tmp_path / "killed", *more, seconds=3600)[0] == expected == 1
    killed, whole = contents(tmp_path / "killed"), contents(tmp_path / "whole")
    assert killed.keys() == whole.keys()
    assert [name for name in whole if killed[name] != whole[name]] == []
