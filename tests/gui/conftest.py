"""Starts a Blender with a window on a virtual screen and lets driver.py work in it.

SAPIENS2_BLENDER        command that starts Blender 5.0 or newer with a window (tests/gui/install_blender.sh makes one)
EXT_ZIP                 the packaged extension
SAPIENS2_GUI_PICTURES   a folder that gets every picture; docs/images/sidebar to make those of the documentation anew
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SCREEN = 1120, 860
DISPLAY = 99 + 20 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
"""Number of the first screen that this process of pytest looks for: others take theirs at the same time."""
SECONDS = 3600
"""No scenario is waited for longer: the end of one that hangs, not what is expected of any computer."""
SAMPLE = ROOT / "data" / "sample_photo.jpg"


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
        pytest.skip(
            os.environ.get("SAPIENS2_NO_BLENDER") or "SAPIENS2_BLENDER names no Blender: see tests/gui/install_blender.sh"
        )
    if missing:
        pytest.skip(f"{', '.join(missing)} missing: install xvfb, xauth and imagemagick")
    program, *arguments = shlex.split(command)
    return [str(Path(program).resolve()) if "/" in program else program, *arguments]  # it is started in another folder


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


@pytest.fixture(scope="session")
def predictions(worker_python, tmp_path_factory) -> Path:
    """What the preview model sees in the sample photo."""
    path = tmp_path_factory.mktemp("predictions") / "sample.safetensors"
    code = (
        "import sys; from sapiens2_avatar.infer.predict import predict; predict(sys.argv[1], model='preview').save(sys.argv[2])"
    )
    subprocess.run([worker_python, "-c", code, str(SAMPLE), str(path)], check=True, timeout=SECONDS)
    return path


@pytest.fixture(scope="session")
def full_frame(tmp_path_factory) -> Path:
    """Predictions of 1024 x 768 pixels in which a person fills the whole picture:
    the largest scan of the network's resolution."""
    from sapiens2_avatar.core.common.predictions import Predictions

    height, width, focal = 1024, 768, 1100.0
    y, x = np.mgrid[:height, :width].astype(np.float32)
    z = 2 + 0.1 * np.sin(x / 97) * np.cos(y / 131)
    points = np.stack([(x - width / 2) / focal * z, (y - height / 2) / focal * z, z], -1)
    normal = np.zeros_like(points)
    normal[..., 2] = 1
    image = np.stack([x % 256, y % 256, (x + y) % 256], -1).astype(np.uint8)
    path = tmp_path_factory.mktemp("predictions") / "full frame.safetensors"
    Predictions(image=image, seg=np.full((height, width), 22, np.uint8), normal=normal, pointmap=points).save(path)
    return path


@dataclass
class Window:
    """A running Blender: its process, and the folder of its log, its pictures and its result."""

    process: subprocess.Popen
    out: Path

    def end(self) -> None:
        """Nothing of it is left running: not Blender, and not its screen."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def result(self) -> dict:
        """Wait for the end of the scenario. Fails with what it said when something went wrong."""
        try:
            status = self.process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            self.end()
        log = (self.out / "blender.log").read_text("utf-8", errors="replace")
        assert (self.out / "result.json").exists(), f"Blender ended with status {status}:\n{log[-3000:]}"
        result = json.loads((self.out / "result.json").read_text())
        assert not result["error"], result["error"] + log[-2000:]
        assert "Traceback" not in log, log[-3000:]
        keep = os.environ.get("SAPIENS2_GUI_PICTURES")
        if keep:
            Path(keep).mkdir(parents=True, exist_ok=True)
            for picture in (self.out / "pictures").glob("*.png"):
                shutil.copyfile(picture, Path(keep) / picture.name)
        return result


@pytest.fixture
def start(blender, zip_path, worker_python, predictions, tmp_path):
    """Function: starts Blender with a scenario, "file.function"; `user` is the folder of its preferences and extensions."""
    windows = []

    def run(scenario: str, user: str = "blender user ü", **environment: str) -> Window:
        out = tmp_path / f"{scenario} {len(windows)}"
        (out / "pictures").mkdir(parents=True)
        (tmp_path / user).mkdir(exist_ok=True)
        shutil.copyfile(SAMPLE, out / "anna.jpg")
        variables = {
            **os.environ, "OUT": str(out), "SCENARIO": scenario, "WORKER_PYTHON": worker_python,
            "EXT_ZIP": str(shutil.copy2(zip_path, tmp_path)), "PREDICTIONS": str(shutil.copy2(predictions, out)),
            "BLENDER_USER_RESOURCES": str(tmp_path / user), "SCREEN_HEIGHT": str(SCREEN[1]), **environment,
        }  # fmt: skip
        variables.pop("SAPIENS2_PYTHON", None)
        screen = f"-screen 0 {SCREEN[0]}x{SCREEN[1]}x24 +extension GLX +render -noreset"
        command = ["xvfb-run", "-n", str(DISPLAY), "-a", "-s", screen, *blender, "--factory-startup", "--gpu-backend", "opengl",
                   "--window-geometry", "0", "0", *map(str, SCREEN), "--python-exit-code", "3", "-P",
                   str(HERE / "begin.py")]  # fmt: skip
        with (out / "blender.log").open("wb") as log:
            windows.append(
                Window(subprocess.Popen(command, env=variables, stdout=log, stderr=log, cwd=out, start_new_session=True), out)
            )
        return windows[-1]

    yield run
    for window in windows:
        window.end()


@pytest.fixture
def play(start):
    """Function: name of a scenario -> what it returned, and the folder with its pictures."""

    def run(scenario: str, **environment: str) -> tuple[dict, Path]:
        window = start(scenario, **environment)
        return window.result(), window.out / "pictures"

    return run
