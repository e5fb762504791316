"""Starts a Blender with a window on a virtual screen and lets driver.py work in it.

SAPIENS2_BLENDER   command that starts Blender 5.0 or newer with a window (tests/gui/install_blender.sh makes one)
EXT_ZIP            the packaged extension
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in Path(item.path).parents:
            item.add_marker(pytest.mark.gui)
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def blender() -> list[str]:
    command = os.environ.get("SAPIENS2_BLENDER", "")
    missing = [name for name in ("xvfb-run", "import", "mogrify") if shutil.which(name) is None]
    if not command:
        pytest.skip("SAPIENS2_BLENDER names no Blender with a window: see tests/gui/install_blender.sh")
    if missing:
        pytest.skip(f"{', '.join(missing)} missing: install xvfb and imagemagick")
    return shlex.split(command)


@pytest.fixture(scope="session")
def zip_path() -> Path:
    path = os.environ.get("EXT_ZIP", "")
    if not path:
        pytest.skip("EXT_ZIP names no packaged extension")
    return Path(path).resolve()


@pytest.fixture(scope="session")
def worker_python() -> str:
    path = Path(os.environ.get("SAPIENS2_PYTHON") or ROOT / ".venv/bin/python")
    if not path.exists():
        pytest.skip(f"no Python for the worker at {path}")
    return str(path)


@pytest.fixture
def play(blender, zip_path, worker_python, studio, tmp_path):
    """Function: name of a scenario -> what it returned, and the folder with its pictures."""

    def run(scenario: str, sample: str = "body_apose", seconds: int = 300, **environment: str):
        import numpy as np
        from PIL import Image
        from safetensors.numpy import load_file

        out = tmp_path / scenario
        user = tmp_path / "blender user ü"
        out.mkdir()
        user.mkdir()
        predictions = studio(sample)
        photo = out / f"{sample}.png"
        Image.fromarray(np.ascontiguousarray(load_file(predictions)["image"])).save(photo)
        variables = {
            **os.environ, "OUT": str(out), "SCENARIO": scenario, "EXT_ZIP": str(zip_path), "WORKER_PYTHON": worker_python,
            "PHOTO": str(photo), "PREDICTIONS": str(predictions), "BLENDER_USER_RESOURCES": str(user), **environment,
        }  # fmt: skip
        variables.pop("SAPIENS2_PYTHON", None)
        command = ["xvfb-run", "-a", "-s", "-screen 0 1280x900x24 +extension GLX +render -noreset", *blender, "--factory-startup",
                   "--gpu-backend", "opengl", "--enable-event-simulate", "--window-geometry", "0", "0", "1280", "900",
                   "-P", str(HERE / "driver.py")]  # fmt: skip
        with (out / "blender.log").open("wb") as log:
            status = subprocess.run(command, env=variables, stdout=log, stderr=log, timeout=seconds, cwd=out).returncode
        log_text = (out / "blender.log").read_text("utf-8", errors="replace")
        assert (out / "result.json").exists(), f"Blender ended with status {status}:\n{log_text[-3000:]}"
        result = json.loads((out / "result.json").read_text())
        assert not result["error"], result["error"] + log_text[-2000:]
        assert "Traceback" not in log_text, log_text[-3000:]
        keep = os.environ.get("SAPIENS2_GUI_PICTURES")
        if keep:
            Path(keep).mkdir(parents=True, exist_ok=True)
            for picture in out.glob("*.png"):
                if picture != photo:
                    shutil.copy2(picture, Path(keep) / picture.name)
        return result, out

    return run
