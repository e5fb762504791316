"""What the processes of the product share: the environment that they start in, and streams as C code writes to them."""

from __future__ import annotations

import os


def silence_stdout() -> None:
    """Send what this process still prints on file descriptor 1 nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def clean_environment() -> dict[str, str]:
    """This process's environment without what would lead another Python astray."""
    foreign = ("PYTHON", "VIRTUAL_ENV", "CONDA", "LD_PRELOAD")
    return {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
