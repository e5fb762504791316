"""What the processes of the product share: the environment that they start in, streams as C code writes to them, whether one
is still there, and how those end that have Blender's module in them."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

BLENDERS_FOLDER = "blender_"
"""How the name of the folder begins that each Blender makes for its session, and removes in an orderly exit."""


def silence_stdout() -> None:
    """Send what this process still prints on file descriptor 1 nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def clean_environment() -> dict[str, str]:
    """This process's environment without what would lead another Python astray."""
    foreign = ("PYTHON", "VIRTUAL_ENV", "CONDA", "LD_PRELOAD")
    return {key: value for key, value in os.environ.items() if not key.startswith(foreign)}


def is_alive(pid: int) -> bool:
    """Whether a process of this number exists."""
    if os.name == "nt":
        import ctypes

        handle = ctypes.windll.kernel32.OpenProcess(0x1000, False, pid)  # PROCESS_QUERY_LIMITED_INFORMATION
        if handle:
            ctypes.windll.kernel32.CloseHandle(handle)
        return bool(handle)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def leave(status: int) -> NoReturn:
    """End this process at once with this exit status, when all is written: Blender's module can hang or crash in an orderly exit.
    The folder of its session goes as in one."""
    sys.stdout.flush()
    sys.stderr.flush()
    blender = sys.modules.get("bpy")
    if blender is not None:
        session = Path(blender.app.tempdir)
        if session.name.startswith(BLENDERS_FOLDER):  # it is the system's folder for everybody where it could not be made
            shutil.rmtree(session, ignore_errors=True)
    os._exit(status)
