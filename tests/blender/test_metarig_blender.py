"""Rigify generates from the armature as it is, with and without a face and of a fitted body, in every Blender."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["face", "bare", "body"])
def test_rigify_generates_without_a_repair(kind) -> None:
    command = [sys.executable, str(Path(__file__).with_name("metarig_script.py")), "4", kind]
    run = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)
    assert "RESULT " in run.stdout, run.stderr[-2000:]
    result = json.loads(run.stdout.split("RESULT ")[1])
    assert result["written"] == result["bones"] == (67 if kind == "bare" else 159)
    assert result["generated"] > (300 if kind == "bare" else 650)
    assert result["off"] < 1e-4
    assert not result["missing"]
    wanted = [] if kind == "bare" else ["jaw_master", "master_eye.L"]
    assert result["controls"] == [*wanted, "torso", "hand_ik.L"]
