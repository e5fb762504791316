"""The Python environment of the worker: where it is, how uv makes it, and whether it is whole. No bpy.

A runtime folder holds::

    bin/uv             the copy of uv that runs (the one in the extension may lie on a read-only disk)
    env/               the environment
    cache/             uv's downloads, so that a broken download goes on where it stopped
    installed.json     written last: which lock the environment was made from
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import Cancelled, SapiensError
from .files import atomic_write
from .worker_client import clean_environment

SOURCE = Path(__file__).parent.parent / "runtime"
LOCK = SOURCE / "requirements.lock"
TORCH = SOURCE / "torch.txt"
DOWNLOAD_GIGABYTES = (0.4, 3.5)
"""What has to be downloaded: with torch for the CPU, and for CUDA."""
DISK_GIGABYTES = (1.2, 7.5)
IMPORT_TEST = (
    "import torch, timm, scipy, cv2, safetensors, PIL, huggingface_hub; torch.zeros(2).sum().item(); print(torch.__version__)"
)

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Step:
    """One command of the installation: what the artist reads, its share of the whole, and the arguments."""

    title: str
    share: float
    command: tuple[str, ...]
    hint: str


def lock_hash() -> str:
    """Of everything that decides what gets installed."""
    return hashlib.sha256(LOCK.read_bytes() + TORCH.read_bytes()).hexdigest()


def environment_python(folder: Path) -> Path:
    return folder / "env" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def installed_python(folder: Path) -> Path | None:
    """The Python of a finished environment in `folder`, None where there is none, or it was made from another lock."""
    try:
        record = json.loads((folder / "installed.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    python = environment_python(folder)
    return python if record.get("lock") == lock_hash() and python.is_file() else None


def outdated(folder: Path) -> bool:
    """Whether there is an environment, but of an older lock."""
    return (folder / "installed.json").is_file() and installed_python(folder) is None


def uv_program(folder: Path) -> Path:
    """uv, copied out of the extension into `folder`. Raises SapiensError where the extension was packed without it."""
    name = "uv.exe" if os.name == "nt" else "uv"
    target, source = folder / "bin" / name, SOURCE / name
    if not source.is_file():
        found = shutil.which("uv")
        if found is None:
            raise SapiensError("This copy of the extension has no uv, which makes the runtime.",
                               "Install the extension from its zip, or choose a Python in the preferences.")  # fmt: skip
        return Path(found)
    if not target.is_file() or target.stat().st_size != source.stat().st_size:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_suffix(".part")
        shutil.copyfile(source, temporary)
        temporary.chmod(0o755)
        temporary.replace(target)
    return target


def steps(folder: Path, wheels: Path | None = None, base_python: str = sys.executable) -> Iterator[Step]:
    """The commands that make the environment in `folder`; each may be run again after it was cut off.

    wheels       a folder of wheels to install from instead of the network
    base_python  the interpreter that the environment is based on; Blender's own by default: nothing is installed into it
    """
    uv = str(uv_program(folder))
    python = str(environment_python(folder))
    source = ("--offline", "--no-index", "--find-links", str(wheels)) if wheels is not None else ()
    backend = () if wheels is not None or os.environ.get("UV_FIND_LINKS") else ("--torch-backend=auto",)
    away = "Check the internet connection, then install again: it goes on where it stopped."
    if not Path(python).is_file():
        yield Step("Making the environment", 0.02,
                   (uv, "venv", "--clear", "--no-python-downloads", "--python", base_python, str(folder / "env")),
                   "Choose a Python 3.11 or newer in the preferences.")  # fmt: skip
    torch = TORCH.read_text("utf-8").split()
    yield Step("Downloading torch", 0.7, (uv, "pip", "install", "--python", python, *source, *backend, *torch), away)
    yield Step("Downloading libraries", 0.2,
               (uv, "pip", "install", "--python", python, *source, "--require-hashes", "--no-deps", "-r", str(LOCK)), away)  # fmt: skip
    yield Step("Testing", 0.08, (python, "-I", "-c", IMPORT_TEST), "Remove the runtime and install it again.")


def run_step(step: Step, folder: Path, log: Path, stopped: Callable[[], bool]) -> None:
    """Run one step, its output into `log`. Raises Cancelled when `stopped()` says so, SapiensError when it fails."""
    environment = clean_environment() | {
        "UV_NO_CONFIG": "1",
        "UV_CACHE_DIR": str(folder / "cache"),
        "UV_NO_PROGRESS": "1",
        "UV_LINK_MODE": "copy",
    }
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        try:
            process = subprocess.Popen(
                step.command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )  # fmt: skip
        except OSError as error:
            raise SapiensError(f"{step.title} could not start: {error}.", step.hint) from error
        try:
            while True:
                try:
                    status = process.wait(0.1)
                    break
                except subprocess.TimeoutExpired:
                    if stopped():
                        raise Cancelled from None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if status:
        raise SapiensError(f"{step.title} failed: {_last_line(log)}.", step.hint)


def install(folder: Path, log: Path, progress: Progress, stopped: Callable[[], bool], wheels: Path | None = None) -> Path:
    """Make or mend the environment and return its Python. Raises Cancelled, or SapiensError; in both cases it can go on later."""
    _check_space(folder)
    done = 0.0
    (folder / "installed.json").unlink(missing_ok=True)
    log.unlink(missing_ok=True)
    for step in steps(folder, wheels):
        progress(step.title, done)
        run_step(step, folder, log, stopped)
        done += step.share
    with atomic_write(folder / "installed.json") as file:
        file.write(json.dumps({"lock": lock_hash()}).encode())
    progress("Done", 1.0)
    return environment_python(folder)


def remove(folder: Path) -> None:
    """Delete the environment, uv and its cache. Raises SapiensError when a file cannot be deleted."""
    (folder / "installed.json").unlink(missing_ok=True)
    try:
        for part in ("env", "cache", "bin"):
            if (folder / part).exists():
                shutil.rmtree(folder / part)
    except OSError as error:
        raise SapiensError(f"{error.filename} could not be deleted: {error.strerror}.",
                           "Close other Blender windows, then remove the runtime again.") from error  # fmt: skip


def _check_space(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free / 1e9
    except OSError as error:
        raise SapiensError(f"{folder} cannot be written: {error.strerror}.", "Check the permissions of the folder.") from error
    if free < DISK_GIGABYTES[0]:
        raise SapiensError(
            f"The disk has {free:.1f} GB free, the runtime needs {DISK_GIGABYTES[0]} GB at least.", "Free some space."
        )


def _last_line(log: Path) -> str:
    """The last thing that a failed command said, short enough for a panel."""
    lines = [line.strip() for line in log.read_text("utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1].rstrip(".")[:160] if lines else "it said nothing"
