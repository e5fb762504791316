"""Blender as a process of its own: it takes steps, and one that does not come up says why."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import pytest

from sapiens2_avatar.batch.blender import BlenderDied, BlenderProcess
from sapiens2_avatar.core.common.errors import SapiensError


def test_a_program_that_does_not_start_is_quoted(tmp_path):
    program = tmp_path / "not blender.py"
    program.write_text("import sys\nprint('hello')\nsys.exit('libGL.so.1: cannot open shared object file')\n")
    with pytest.raises(SapiensError) as raised:
        BlenderProcess(f"'{sys.executable}' '{program}'")("write")
    assert raised.value.message == "Blender did not start."
    assert raised.value.hint.endswith("It said: libGL.so.1: cannot open shared object file")


def test_a_blender_that_dies_in_a_step_is_told_from_a_step_that_fails(tmp_path):
    program = tmp_path / "dying blender.py"
    program.write_text("import sys\nprint('{\"ready\": 1}', flush=True)\nsys.stdin.readline()\n")
    with pytest.raises(BlenderDied, match="in the step write"):
        BlenderProcess(f"'{sys.executable}' '{program}'")("write")


def test_a_program_that_is_not_there_is_named():
    with pytest.raises(SapiensError, match=r"Blender could not be started: .*"):
        BlenderProcess("/nowhere/blender")("write")


@pytest.mark.skipif(find_spec("bpy") is None, reason="needs Blender as a module")
def test_steps_are_answered_with_a_result_or_the_sentence_of_their_error(tmp_path):
    program = tmp_path / "blender.py"  # Blender's module, started with the options of the program
    program.write_text(
        "import runpy, sys\nimport bpy\nrunpy.run_path(sys.argv[sys.argv.index('--python') + 1], run_name='__main__')\n"
    )
    blender = BlenderProcess(f"'{sys.executable}' '{program}'")
    with pytest.raises(SapiensError) as raised:
        blender("load", path=str(tmp_path / "niemand ü.blend"))
    assert "niemand ü.blend" in raised.value.message and raised.value.hint
    with pytest.raises(SapiensError, match="holds nobody"):
        blender("write", path=str(tmp_path / "x.glb"))
    assert blender("library", files=[], path=str(tmp_path / "all ü.blend")) == {"notes": []}
    assert (tmp_path / "all ü.blend").stat().st_size > 0
