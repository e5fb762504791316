"""Rigify generates from the armature as it is, with and without a face, in every Blender."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("face", ["face", "bare"])
def test_rigify_generates_without_a_repair(face) -> None:
    command = [sys.executable, str(Path(__file__).with_name("metarig_script.py")), "4", face]
    run = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)
    assert "RESULT " in run.stdout, run.stderr[-2000:]
    result = json.loads(run.stdout.split("RESULT ")[1])
    assert result["written"] == result["bones"] == (159 if face == "face" else 67)
    assert result["generated"] > (650 if face == "face" else 300)
    assert result["off"] < 1e-4
    assert not result["missing"]
    wanted = ["jaw_master", "master_eye.L"] if face == "face" else []
    assert result["controls"] == [*wanted, "torso", "hand_ik.L"]
