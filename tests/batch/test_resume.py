"""A batch goes on where it stopped: after a changed setting, a signal, a dead worker, in shares, and under other names."""

import hashlib
import json
import signal
import subprocess
import sys
from importlib.util import find_spec

import pytest

from support.held_worker import Points, wait_until

if find_spec("bpy") is None:  # looked for, not imported: only the worker processes need it
    pytest.skip("writing .blend files needs Blender as a module", allow_module_level=True)
psutil = pytest.importorskip("psutil", reason="needs psutil to look at processes")

SECONDS = 600
"""No wait is longer: the end of a test that hangs, not what is expected of any computer."""
NETWORK_ONLY = ("--no-blend", "--no-picture", "--no-flip")


@pytest.fixture
def source(tmp_path, plain_photos):
    folder = tmp_path / "in"
    folder.mkdir()
    plain_photos(folder, 2)
    return folder


@pytest.fixture
def start(held_command, environment, points_folder):
    """Function: start a batch that stops at `points` and do not wait. What is left of it after the test is killed."""
    started = []

    def begin(*arguments):
        command, variables = held_command(*arguments), environment | Points.environment(points_folder)
        started.append(subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def stamps(output, suffix):
    return {path.name: path.stat().st_mtime_ns for path in output.rglob(f"*{suffix}")}


def reports(output):
    return {row["name"]: row for row in map(json.loads, (output / "report.jsonl").read_text("utf-8").splitlines())}


def workers(pid):
    """The worker processes of a batch."""
    try:
        return [p for p in psutil.Process(pid).children(recursive=True) if "spawn_main" in " ".join(p.cmdline())]
    except psutil.Error:
        return []


@pytest.mark.slow
def test_a_changed_setting_redoes_the_stages_it_touches_and_no_other(source, run, tmp_path):
    output = tmp_path / "out"

    def made(*more):
        """Suffixes of the files that a run has written again."""
        before = {suffix: stamps(output, suffix) for suffix in (".safetensors", ".blend", ".glb", ".ply", ".png")}
        code, _, err = run(source, output, "--no-flip", *more)
        assert code == 0, err
        return {suffix for suffix, old in before.items() if stamps(output, suffix) != old and suffix != ".png"} | (
            {".png"} if {n: t for n, t in stamps(output, ".png").items() if n != "contact.png"}
            != {n: t for n, t in before[".png"].items() if n != "contact.png"} else set()
        )  # fmt: skip

    assert made("--no-picture") == {".safetensors", ".blend"}
    assert made("--no-picture") == set()
    assert made("--no-picture", "--export", "glb") == {".glb"}
    assert made("--export", "glb") == {".png"}
    assert made("--export", "glb", "--colour", "photo", "--export", "ply") == {".blend", ".glb", ".png", ".ply"}
    for path in list(source.iterdir()):
        path.rename(source / f"renamed {path.name}")
    assert made("--export", "glb", "--colour", "photo", "--export", "ply") == set()
    assert all(row["input"].split("/")[-1].startswith("renamed") for row in reports(output).values())
    assert made("--export", "glb", "--colour", "photo", "--export", "ply", "--tasks", "pose,seg,normal,pointmap") == {
        ".safetensors", ".blend", ".glb", ".png", ".ply",
    }  # fmt: skip


PIECES = """
import os, sys, bpy
bpy.ops.wm.open_mainfile(filepath=sys.argv[1])
print(*sorted(ob.name for ob in bpy.data.objects if ob.get("sapiens2_role") == "scan"), sep="|")
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.slow
def test_kinds_of_surface_are_objects_of_their_own_when_asked(studio, run, contents, tmp_path):
    source = studio("body_sit")
    more = ("--no-picture", "--resolution", "2000", "--jobs", "1")
    found = []
    for separate in ((), ("--separate",)):
        assert run(source, tmp_path / "out", *more, *separate)[0] == 0
        command = [sys.executable, "-c", PIECES, str(tmp_path / "out" / source.stem / f"{source.stem}.blend")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
        found.append(done.stdout.splitlines()[-1].split("|"))
    assert len(found[0]) == 1 and {name.split()[-1] for name in found[1]} >= {"Skin", "Clothing"}
    assert run(source, tmp_path / "again", *more, "--separate")[0] == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "again")


@pytest.mark.slow
def test_without_blend_there_is_none_and_what_is_finished_stays_so(source, points, start, run, contents, tmp_path):
    more = ("--no-flip", "--no-blend", "--export", "ply", "--jobs", "1")
    output = tmp_path / "out"
    points.hold("writing photo 000.png")
    process = start(source, output, *more)
    wait_until(lambda: points.reached or process.poll() is not None, SECONDS)
    family = workers(process.pid)
    assert points.reached in {worker.pid for worker in family}
    process.kill()  # after the export, before the picture
    process.communicate()
    assert psutil.wait_procs(family, timeout=SECONDS)[1] == [], "a worker outlived the batch"
    assert {path.suffix for path in (output / "photo 000").glob("photo*")} == {".safetensors", ".ply"}
    assert run(source, output, *more)[0] == 0
    names = {path.name for path in (output / "photo 000").iterdir()}
    assert names == {"report.json", *(f"photo 000.{suffix}" for suffix in ("safetensors", "ply", "png"))}
    assert reports(output)["photo 000"]["files"] == ["photo 000.ply", "photo 000.png", "photo 000.safetensors"]
    before = {name: time_ for suffix in (".safetensors", ".ply", ".png") for name, time_ in stamps(output, suffix).items()}
    assert run(source, output, *more)[0] == 0
    after = {name: time_ for suffix in (".safetensors", ".ply", ".png") for name, time_ in stamps(output, suffix).items()}
    assert {name for name in after if after[name] != before[name]} == {"contact.png"}, "finished work was done again"
    assert run(source, tmp_path / "whole", *more)[0] == 0
    assert contents(output) == contents(tmp_path / "whole")
    code, _, err = run(source, output, *more, "--library", str(tmp_path / "all.blend"))
    assert code == 2 and "--no-blend" in err and not (tmp_path / "all.blend").exists()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_everything_to_go_on_from(source, points, start, run, tmp_path, number):
    output = tmp_path / "out"
    points.hold("writing photo 001.safetensors")
    process = start(source, output, *NETWORK_ONLY, "--group", "1")
    wait_until(lambda: points.reached or process.poll() is not None, SECONDS)
    family = workers(process.pid)
    assert points.reached in {worker.pid for worker in family}
    process.send_signal(number)
    _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 1 and "Stopped." in err and "Traceback" not in err
    assert psutil.wait_procs(family, timeout=SECONDS)[1] == [], "a worker outlived the batch"
    finished = {f"{path.parent.name}.safetensors": (path.parent / f"{path.parent.name}.safetensors").stat().st_mtime_ns
                for path in output.rglob("report.json")}  # fmt: skip
    assert finished.keys() == {"photo 000.safetensors"}
    assert run(source, output, *NETWORK_ONLY)[0] == 0
    assert finished.items() <= stamps(output, ".safetensors").items(), "finished work was done again"
    assert not list(output.rglob(".*.part"))


@pytest.mark.slow
def test_a_worker_that_dies_costs_a_retry_and_one_that_dies_again_a_line_in_the_report(source, points, start, run, tmp_path):
    output = tmp_path / "out"

    def batch_with_deaths(times, *more):
        points.hold("writing photo 000.safetensors", "writing photo 001.safetensors")
        process, dead = start(source, output, *NETWORK_ONLY, *more), {0}
        for _ in range(times):
            wait_until(lambda: points.reached not in dead or process.poll() is not None, SECONDS)
            worker = next(worker for worker in workers(process.pid) if worker.pid == points.reached)
            dead.add(worker.pid)
            worker.kill()
        points.release()  # who comes after them is let go
        _, err = process.communicate(timeout=SECONDS)
        return process.returncode, err

    code, err = batch_with_deaths(3)  # the group of two, then each photo in its second try
    assert code == 1 and err.count("died twice") == 2 and "Traceback" not in err
    assert {row["status"] for row in reports(output).values()} == {"failed"}
    assert run(source, output, *NETWORK_ONLY)[0] == 1, "a known failure was tried again without being asked for"
    assert not stamps(output, ".safetensors")
    code, err = batch_with_deaths(1, "--retry-failed")
    assert code == 0, err
    assert {row["status"] for row in reports(output).values()} == {"done"} and len(stamps(output, ".safetensors")) == 2


@pytest.mark.slow
def test_shares_of_a_farm_give_what_one_machine_gives(source, start, run, contents, tmp_path):
    """Two processes at once, as two machines of a farm, into one folder; then the command without a share writes the reports."""
    (source / "cut.jpg").write_bytes((source / "photo 000.jpg").read_bytes()[:900])
    shares = [start(source, tmp_path / "farm", *NETWORK_ONLY, "--chunk", f"{i}/2") for i in (1, 2)]
    for share in shares:
        share.communicate(timeout=SECONDS)
    assert sorted(share.returncode for share in shares) == [0, 1], "the broken file fails in its share alone"
    parts = [(tmp_path / "farm" / f"report-{i}of2.jsonl").read_text("utf-8").splitlines() for i in (1, 2)]
    assert sum(map(len, parts)) == 3
    before = stamps(tmp_path / "farm", ".safetensors")
    assert run(source, tmp_path / "farm", *NETWORK_ONLY)[0] == 1
    assert stamps(tmp_path / "farm", ".safetensors") == before
    assert run(source, tmp_path / "one", *NETWORK_ONLY)[0] == 1
    farm = {name: data for name, data in contents(tmp_path / "farm").items() if "of2" not in name}
    assert farm == contents(tmp_path / "one")


def test_a_share_without_inputs_is_done_at_once(source, run, tmp_path):
    used = {int(hashlib.sha256(path.read_bytes()).hexdigest()[:8], 16) % 5 for path in source.iterdir()}
    share = min(set(range(5)) - used) + 1
    code, _, err = run(source, tmp_path / "out", "--chunk", f"{share}/5")
    assert code == 0 and not err.strip()
    assert (tmp_path / "out" / f"report-{share}of5.jsonl").read_text("utf-8") == ""


@pytest.mark.slow
def test_what_concerns_all_inputs_is_the_reason_of_each(source, run, tmp_path):
    code, _, err = run(source, tmp_path / "out", *NETWORK_ONLY, "--model", "0.4b")
    assert code == 1 and err.count("The weights of 0.4b are not") == 2 and "unexpected" not in err
    assert run(source, tmp_path / "out", *NETWORK_ONLY, "--retry-failed")[0] == 0


def test_wrong_usage_and_nothing_to_do_have_their_own_exit_status(source, run, tmp_path):
    assert run(source, tmp_path / "out", "--chunk", "9/8")[0] == 2
    assert run(source, tmp_path / "out", "--engine", "kubernetes")[0] == 2
    (tmp_path / "empty").mkdir()
    code, _, err = run(tmp_path / "empty", tmp_path / "out")
    assert code == 1 and "No photo was found" in err
