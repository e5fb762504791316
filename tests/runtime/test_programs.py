"""The programs that another Python runs by path: each alone, with its arguments, its output and its status."""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sapiens2_avatar.runtime.environment import DEVICES, IMPORT_CHECK, INTERPRETER_CHECK
from sapiens2_avatar.runtime.programs import interpreter_check
from sapiens2_avatar.runtime.uv import GUARDED

SLEEPER = (sys.executable, "-c", "import time; print('awake', flush=True); time.sleep(60)")


def run(*command: object, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, timeout=60, **options)


def test_the_version_and_what_is_missing_are_told(tmp_path):
    (tmp_path / "no_such_thing.py").touch()
    found = run(sys.executable, INTERPRETER_CHECK, "numpy", "no_such_thing", "guarded", "json", cwd=tmp_path)
    # Neither the folder that it runs in nor that of the program itself is one for packages.
    assert json.loads(found.stdout) == [list(sys.version_info[:2]), ["no_such_thing", "guarded"]]


def test_every_python_understands_the_check():
    """Python 2 reads ASCII, and knows neither annotations nor f-strings; the Pythons of this machine are asked elsewhere."""
    source = Path(interpreter_check.__file__).read_bytes()
    assert source.isascii()
    nodes = list(ast.walk(ast.parse(source)))
    assert not [node for node in nodes if isinstance(node, (ast.JoinedStr, ast.AnnAssign))]
    assert not [node for node in nodes if getattr(node, "annotation", None) or getattr(node, "returns", None)]


@pytest.fixture
def packages(tmp_path) -> Path:
    """A folder with a torch that says what it is asked, beside a file that finds devices."""
    (tmp_path / "torch.py").write_text(
        "__version__ = '1.0'\nclass zeros:\n def __init__(s, n): pass\n def sum(s): return s\n def item(s): return 0.0\n"
    )
    (tmp_path / "devices.py").write_text("import torch\ndef available_devices(): return [(torch.__version__, 'Card', 8)]\n")
    return tmp_path


def test_what_can_be_imported_says_what_is_remembered(packages):
    environment = {**os.environ, "PYTHONPATH": str(packages)}
    found = run(sys.executable, IMPORT_CHECK, packages / "devices.py", "torch", "json", env=environment)
    assert json.loads(found.stdout) == {"torch": "1.0", "devices": [["1.0", "Card", 8]]} and found.returncode == 0
    found = run(sys.executable, IMPORT_CHECK, packages / "devices.py", "torch", "no_such_thing", env=environment)
    assert found.returncode != 0 and found.stderr.strip().endswith("No module named 'no_such_thing'") and not found.stdout


def test_the_devices_of_the_network_are_found_by_the_check():
    pytest.importorskip("torch")
    found = run(sys.executable, "-I", IMPORT_CHECK, DEVICES, "torch")
    answer = json.loads(found.stdout.splitlines()[-1])
    assert answer["devices"][-1] == ["cpu", "", 0] and answer["torch"]


@pytest.mark.parametrize("status", [0, 3, 255])
def test_a_guarded_command_keeps_its_status_and_its_output(status):
    with subprocess.Popen(
        [sys.executable, "-I", str(GUARDED), sys.executable, "-c", f"import sys; print('done'); sys.exit({status})"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as guard:
        assert guard.stdout.read().strip() == b"done"
        assert guard.wait(20) == status


@pytest.mark.parametrize("end", ["close", "kill"])
def test_a_guarded_command_ends_with_its_parent(end, tmp_path):
    """Its input closes, or the process that held the other end is killed."""
    script = tmp_path / "parent.py"
    script.write_text(
        "import subprocess, sys\n"
        "guard = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE)\n"
        "sys.stdin.read(1)\nguard.stdin.close()\nsys.exit(guard.wait())\n"
    )
    command = [sys.executable, str(script), sys.executable, "-I", str(GUARDED), *SLEEPER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout.readline().strip() == b"awake"
        begin = time.monotonic()
        if end == "close":
            parent.stdin.close()
            assert parent.wait(20) == 1  # killed, not done
        else:
            parent.send_signal(signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
        assert parent.stdout.read() == b"", "the pipe ends when the command, which holds it too, is gone"
        assert time.monotonic() - begin < 20
