"""A process with Blender's module in it ends at once, and nothing of Blender's stays behind."""

import os
import subprocess
import sys

from sapiens2_avatar.core.common.processes import is_alive

PROGRAM = """
import atexit, sys
from types import SimpleNamespace
from sapiens2_avatar.core.common.processes import leave
sys.modules["bpy"] = SimpleNamespace(app=SimpleNamespace(tempdir=sys.argv[1]))
atexit.register(print, "an orderly exit")
print("all that was said", end="")
leave(7)
"""


def left(folder) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", PROGRAM, f"{folder}/"], capture_output=True, text=True, timeout=60)


def test_leaving_says_all_removes_blenders_folder_and_keeps_the_status(tmp_path):
    session = tmp_path / "blender_a1B2c3"
    session.mkdir()
    (session / "quit.blend").write_bytes(b"BLENDER")
    done = left(session)
    assert (done.returncode, done.stdout) == (7, "all that was said"), done.stderr
    assert not session.exists() and tmp_path.exists()


def test_a_folder_that_is_not_blenders_own_stays(tmp_path):
    (tmp_path / "of somebody else").touch()
    assert left(tmp_path).returncode == 7
    assert (tmp_path / "of somebody else").exists()


def test_a_process_is_there_until_it_has_ended():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert is_alive(process.pid) and is_alive(os.getpid())
    assert not is_alive(process.pid)
