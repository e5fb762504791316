"""The Python environment of the worker: how it is made, mended and removed, and whether it can be used.

A runtime folder holds::

    bin/uv             the copy of uv that runs (the one in the extension may lie on a read-only disk)
    env/               the environment; its files are hard links into the cache where the disk can do that
    cache/             uv's downloads: a broken installation goes on where it stopped, a repair needs no network
    installed.json     written last: which lock the environment was made from, its torch, the devices that this has found
    lock               held by the Blender that is installing
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ..core.common.atomic_files import atomic_write, long_path
from ..core.common.errors import SapiensError
from ..core.common.file_lock import Held, file_lock
from ..core.common.processes import clean_environment
from ..core.common.progress import Progress
from .uv import SOURCE, Step, run_step, uv_program
from .wheel_records import damaged_packages

LOCK = SOURCE / "requirements.lock"
TORCH = SOURCE / "torch.txt"
DOWNLOAD_GIGABYTES = (0.4, 3.0)
"""What has to be downloaded: with torch for the CPU, and for CUDA."""
DISK_GIGABYTES = (1.2, 6.0)
OLDEST_PYTHON = (3, 11)
MODULES = ("torch", "timm", "scipy", "cv2", "safetensors", "PIL", "huggingface_hub", "fast_simplification", "psutil")
IN_PART = ("timm",)
"""Those that are never imported whole: of timm one module is, which needs torch alone (`infer.model.rotary`)."""
PROGRAMS = Path(__file__).parent / "programs"
IMPORT_CHECK, INTERPRETER_CHECK = PROGRAMS / "import_check.py", PROGRAMS / "interpreter_check.py"
DEVICES = Path(__file__).parents[1] / "infer" / "devices.py"
"""Handed to `IMPORT_CHECK`: the file that finds the devices for the network and needs nothing but torch."""
BACKENDS = ("auto", "cpu", "pypi")
"""Which torch: for the graphics card that uv finds; for the CPU; whatever the Python Package Index has, from there alone."""
ANSWER_SECONDS = 20.0


@dataclass(frozen=True)
class Source:
    """Where packages come from.

    wheels   a folder of wheels to install from instead of the network
    backend  one of BACKENDS; $UV_TORCH_BACKEND and $UV_FIND_LINKS, which studios set for uv, come before it
    offline  only from the cache
    """

    wheels: Path | None = None
    backend: str = "auto"
    offline: bool = False

    @property
    def arguments(self) -> tuple[str, ...]:
        if self.wheels is not None:
            return ("--offline", "--no-index", "--find-links", str(self.wheels))
        return ("--offline",) if self.offline else ()

    @property
    def torch_arguments(self) -> tuple[str, ...]:
        chosen = self.backend == "pypi" or os.environ.get("UV_TORCH_BACKEND") or os.environ.get("UV_FIND_LINKS")
        return self.arguments if self.wheels is not None or chosen else (*self.arguments, f"--torch-backend={self.backend}")


def lock_hash() -> str:
    """Of everything that decides what gets installed."""
    return hashlib.sha256(LOCK.read_bytes() + TORCH.read_bytes()).hexdigest()


def environment_python(folder: Path) -> Path:
    return folder / "env" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def installed_python(folder: Path) -> Path | None:
    """The Python of a finished environment in `folder`, None where there is none, or it was made from another lock."""
    python = environment_python(folder)
    return python if _installed(folder).get("lock") == lock_hash() and python.is_file() else None


def installed_torch(folder: Path) -> str:
    """Version of torch in a finished environment of this lock, empty where there is none."""
    return str(_installed(folder).get("torch", "")) if installed_python(folder) is not None else ""


def installed_devices(folder: Path) -> list[tuple[str, str, int]]:
    """Devices that a finished environment found, best first, as of `infer.devices`: name, hardware, bytes of its own memory."""
    return [(name, hardware, memory) for name, hardware, memory in _installed(folder).get("devices", ())]


def outdated(folder: Path) -> bool:
    """Whether there is a finished environment, but of another lock."""
    return _installed(folder).get("lock", lock_hash()) != lock_hash()


def unfinished(folder: Path) -> bool:
    """Whether an installation was begun and not ended: it can go on."""
    return not (folder / "installed.json").is_file() and (folder / "cache").is_dir()


def install(
    folder: Path,
    log: Path,
    progress: Progress,
    stopped: Callable[[], bool],
    source: Source | None = None,
    base_python: str = sys.executable,
) -> Path:
    """Make the environment, go on making it, bring it up to date or mend it, whatever it needs; return its Python.

    log          gets what uv says
    progress     called with what is being done and the share of the whole that is done
    stopped      asked ten times a second; True raises Cancelled. What was downloaded is kept
    base_python  the interpreter that the environment is based on; Blender's own by default: nothing is installed into it
    Raises SapiensError when it fails; it can go on later. Of an environment that counts as installed every file is
    compared with its hash; where one differs, it is made again from the cache.
    """
    source = source or Source()
    with _alone(folder):
        installed = _installed(folder)
        _check_space(folder, needed=0.2 if installed else DISK_GIGABYTES[0])
        log.unlink(missing_ok=True)
        for left in (folder / "cache").glob(".tmp*"):  # packages that an installation that was cut off had half of
            shutil.rmtree(long_path(left), ignore_errors=True)
        python = environment_python(folder)
        repair = installed.get("lock") == lock_hash() and _answers(python)
        whole = repair and not damaged_packages(
            folder / "env", True, lambda share: progress("Checking files", 0.5 * share), stopped
        )
        (folder / "installed.json").unlink(missing_ok=True)
        if not whole:
            if installed or not _answers(python):
                shutil.rmtree(long_path(folder / "env"), ignore_errors=True)
            _make_whole(folder, source, base_python, log, progress, stopped, repair)
        whole = (name for name in MODULES if name not in IN_PART)
        check = (str(python), "-I", str(IMPORT_CHECK), str(DEVICES), *whole)
        test = Step("Testing", 0.05, check, "Remove the runtime and install it again.")
        progress(test.title, 0.95)
        said = run_step(test, folder, log, lambda *_: None, stopped)
        if installed and not repair:  # what only the former version needed would stay for ever
            shutil.rmtree(long_path(folder / "cache"), ignore_errors=True)
        with atomic_write(folder / "installed.json") as file:
            found = next(line for line in said.splitlines() if line.startswith('{"torch"'))  # libraries may warn around it
            file.write(json.dumps({"lock": lock_hash(), **json.loads(found)}).encode())
    progress("Done", 1.0)
    return python


def _make_whole(
    folder: Path, source: Source, base_python: str, log: Path, progress: Progress, stopped: Callable[[], bool], repair: bool
) -> None:
    """Make the environment; when its files are not those that came, make it once more without what the cache has of them.

    repair  first take what is in the cache, without asking a server, and compare the content of every file
    """
    for tried, last in ((replace(source, offline=True) if repair else source, False), (source, True)):
        done = 0.0
        try:
            for step in steps(folder, tried, base_python):
                run_step(
                    step, folder, log, lambda text, share, at=done, step=step: progress(text, at + share * step.share), stopped
                )
                done += step.share
        except SapiensError:
            if last or not repair:
                raise
        else:

            def report(share: float, at: float = done) -> None:
                progress("Checking files", at + 0.05 * share)

            damaged = damaged_packages(folder / "env", repair or last, report, stopped)
            if not damaged:
                return
            if last:
                raise SapiensError(
                    f"The files of {', '.join(damaged)} change after they are written.",
                    "Check the disk and the virus scanner, then remove the runtime and install it again.",
                    "runtime",
                )
            # What is damaged in the environment may be so in the cache that it is linked with.
            forget = Step("Forgetting damaged files", 0.0, (str(uv_program(folder)), "cache", "clean", *damaged))
            run_step(forget, folder, log, lambda *_: None, stopped)
        shutil.rmtree(long_path(folder / "env"), ignore_errors=True)


def steps(folder: Path, source: Source, base_python: str = sys.executable) -> Iterator[Step]:
    """The commands that make the environment in `folder`; each may be run again after it was cut off."""
    uv = str(uv_program(folder))
    python = str(environment_python(folder))
    if not Path(python).is_file():
        yield Step(
            "Making the environment",
            0.02,
            (uv, "venv", "--quiet", "--clear", "--no-python-downloads", "--python", base_python, str(folder / "env")),
        )
    torch = TORCH.read_text("utf-8").split()
    yield Step("Downloading core", 0.7, (uv, "pip", "install", "--python", python, *source.torch_arguments, *torch))
    yield Step(
        "Downloading libraries",
        0.18,
        (uv, "pip", "install", "--python", python, *source.arguments, "--require-hashes", "--no-deps", "-r", str(LOCK)),
    )


def remove(folder: Path) -> None:
    """Delete the environment, uv and its cache.

    Raises SapiensError when a file cannot be deleted, or another Blender installs.
    """
    with _alone(folder):
        (folder / "installed.json").unlink(missing_ok=True)
        try:
            for part in ("env", "cache", "bin"):
                if (folder / part).exists():
                    shutil.rmtree(long_path(folder / part))
        except OSError as error:
            raise SapiensError(
                f"{Path(error.filename).name} could not be deleted: {error.strerror}.",
                "Close other Blender windows, then remove the runtime again.",
            ) from error


def check_interpreter(python: Path) -> None:
    """SapiensError unless `python`, which somebody chose, is new enough and has the packages. Takes a tenth of a second."""
    elsewhere = "Choose another Python in the preferences, or none to use the extension's own runtime."
    try:
        answer = subprocess.run(
            [str(python), str(INTERPRETER_CHECK), *MODULES],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=ANSWER_SECONDS,
            env=clean_environment(),
            cwd=python.parent,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        version, missing = json.loads(answer.stdout)
    except (OSError, ValueError, TypeError, subprocess.TimeoutExpired) as error:
        raise SapiensError(f"{python} is not a Python that starts.", elsewhere, "preferences") from error
    if tuple(version) < OLDEST_PYTHON:
        wanted, found = (".".join(map(str, numbers)) for numbers in (OLDEST_PYTHON, version))
        raise SapiensError(f"The chosen Python is {found}, it has to be {wanted} or newer.", elsewhere, "preferences")
    if missing:
        raise SapiensError(f"The chosen Python has no {', '.join(missing)}.", f"Install them there. {elsewhere}", "preferences")


def _installed(folder: Path) -> dict:
    """What is known of the finished environment; empty where there is none."""
    try:
        installed = json.loads((folder / "installed.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return installed if isinstance(installed, dict) else {}


def _answers(python: Path) -> bool:
    """Whether the environment's Python starts: it does not when the Blender that it was based on is gone."""
    if not python.is_file():
        return False
    try:
        return (
            subprocess.run(
                [str(python), "-I", "-c", ""],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=ANSWER_SECONDS,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            ).returncode
            == 0
        )
    except (OSError, subprocess.TimeoutExpired):
        return False


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock of a runtime folder, which is made if need be."""
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(file_lock(folder / "lock"))
        except Held as error:
            raise SapiensError("Another Blender is installing or removing the runtime.", "Wait until it has ended.") from error
        except OSError as error:
            raise SapiensError(
                f"The folder of the runtime, {folder}, cannot be written: {error.strerror}.",
                "Choose another folder for it in the preferences.",
                "preferences",
            ) from error
        yield


def _check_space(folder: Path, needed: float) -> None:
    free = shutil.disk_usage(folder).free / 1e9
    if free < needed:
        raise SapiensError(
            f"The disk has {free:.1f} GB free, the runtime needs {needed} GB at least.",
            "Free some space, or choose another folder for the runtime in the preferences.",
            "preferences",
        )
