"""The same batch on a Ray cluster of several nodes on this machine, one of which is killed midway."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from support.held_worker import Points

if find_spec("bpy") is None:  # looked for, not imported: only the worker processes need it
    pytest.skip("writing .blend files needs Blender as a module", allow_module_level=True)
pytest.importorskip("torch", reason="a batch of photos needs the network")
pytest.importorskip("ray", reason="the Ray engine is an optional extra")
psutil = pytest.importorskip("psutil", reason="needs psutil to end what hangs")
Image = pytest.importorskip("PIL.Image", reason="needs Pillow")

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 600
"""No run is waited for longer: the end of one that hangs, not what is expected of any computer."""
# One thread per process: how a sum is split among threads shows in its last bits, and a node has one core here.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
ENVIRONMENT.pop("PYTHONDONTWRITEBYTECODE", None)  # Ray starts a dozen processes, and each would compile all of Ray


def contents(output):
    """Bytes of all results and reports. A .blend holds memory addresses, and the report of an input its size."""
    found = (p for p in output.rglob("*") if p.is_file() and p.suffix != ".blend" and p.name != "report.json")
    return {p.relative_to(output).as_posix(): p.read_bytes() for p in found if not p.name.startswith(".")}


def run(command, seconds, variables=None):
    """The output of a command; it and all that it started are gone afterwards, whatever happens."""
    started = subprocess.Popen(
        command, env=ENVIRONMENT | (variables or {}), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        out, err = started.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        family = [*psutil.Process(started.pid).children(recursive=True), psutil.Process(started.pid)]
        for process in family:
            process.kill()
        out, err = started.communicate()
        pytest.fail(f"not done after {seconds} s\n{err[-4000:]}")
    assert started.returncode == 0, err[-4000:]
    return out


@pytest.mark.slow
def test_a_lost_node_s_work_is_done_by_the_others(tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    image = Image.open(ROOT / "data" / "sample_photo.jpg").convert("RGB").resize((168, 224))
    for i in range(4):
        image.crop((i, i, image.width - i, image.height - i)).save(source / f"{i}.png")
    command = [sys.executable, "-m", "sapiens2_avatar", "batch", str(source), "-o", str(tmp_path / "local"), "--quiet"]
    run([*command, "--no-picture", "--export", "glb"], SECONDS)
    script = Path(__file__).with_name("cluster_script.py")
    (tmp_path / "points").mkdir()
    # Ray gives its workers the lowest priority but a few: beside two busy programs they would have a fourteenth of a core.
    variables = {"PYTHONPATH": str(script.with_name("held_everywhere")), "RAY_worker_niceness": "0"}
    variables |= Points.environment(tmp_path / "points")
    arguments = [str(source), str(tmp_path / "ray"), f"{SECONDS - 60}", "writing 1.safetensors"]
    out = run([sys.executable, str(script), *arguments], SECONDS, variables)
    killed = json.loads(out.splitlines()[-1])
    assert killed["pids"] and killed["there"] and "1.safetensors" not in killed["there"], "no node was lost while it worked"
    assert not [pid for pid in killed["pids"] if psutil.pid_exists(pid)], "processes of the lost node outlived it"
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")
    assert len(list((tmp_path / "ray").glob("*/*.blend"))) == 4
