"""The text of a bug report: facts, traceback and ends of logs, with private paths and the name of the user masked."""

from __future__ import annotations

import getpass
import platform
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

LOG_LINES = 60
CODE = (".py", ".pyc", ".so", ".pyd", ".dll", ".dylib")
# The folders of an absolute path (a slash, a drive or ~ before them; none begins or ends with a space), and the name after them.
PATH = re.compile(
    r"(?:~|\b[A-Za-z]:|(?<![\w.…/\\~:]))[\\/]+((?:[^\\/\s\"':](?:[^\\/\n\"':]*[^\\/\s\"':])?[\\/]+)+)([^\\/\s\"':,]*)"
)


def compose(facts: Mapping[str, str], detail: str, logs: Iterable[Path]) -> str:
    """The facts, the traceback and the ends of the logs as one text with private paths masked."""
    parts = [f"{key}: {value}" for key, value in {**facts, "System": platform.platform()}.items()]
    if detail:
        parts += ["", detail.strip()]
    for log in logs:
        if log.exists():
            lines = log.read_text("utf-8", errors="replace").splitlines()[-LOG_LINES:]
            parts += ["", f"{re.sub(r'-[0-9]+', '', log.name)}:", *lines]
    return mask("\n".join(parts)) + "\n"


def mask(text: str, home: Path | None = None, user: str | None = None) -> str:
    """Replace the home folder by ~, the folders of a path by …, and the user's name by <user>.

    Paths of program files keep their last two folders: a traceback needs them.
    """
    folder = str(home or Path.home())
    user = user or getpass.getuser()
    for spelling in (folder, folder.replace("\\", "/"), folder.replace("\\", "\\\\")):
        if len(spelling) > 1:
            text = text.replace(spelling, "~")
    text = PATH.sub(_shorten, text)
    if len(user) > 2 and user != "root":
        text = re.sub(rf"\b{re.escape(user)}\b", "<user>", text)
    return text


def _shorten(match: re.Match) -> str:
    folders, name = match.groups()
    if not name.strip().endswith(CODE):
        return f"…/{name}"
    parts = [part for part in re.split(r"[\\/]+", folders) if part]
    return "/".join(["…", *parts[-2:], name])
