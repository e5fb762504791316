"""Text for a bug report, without what is nobody else's business."""

from __future__ import annotations

import getpass
import platform
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

LOG_LINES = 60


def extension_version() -> str:
    manifest = Path(__file__).parent.parent / "blender_manifest.toml"
    return tomllib.loads(manifest.read_text("utf-8"))["version"]


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
    """Replace the home folder by ~, names of folders above a file by …, and the user's name by <user>.

    Long paths keep their last two folders: a traceback needs them.
    """
    folder = str(home or Path.home())
    user = user or getpass.getuser()
    for spelling in (folder, folder.replace("\\", "/"), folder.replace("\\", "\\\\")):
        if len(spelling) > 1:
            text = text.replace(spelling, "~")
    text = re.sub(r"(?:~|\b[A-Za-z]:|(?<![\w.…/\\]))[\\/](?:[^\\/\n\"':]+[\\/]){3,}", _shorten, text)
    if len(user) > 2 and user != "root":
        text = re.sub(rf"\b{re.escape(user)}\b", "<user>", text)
    return text


def _shorten(match: re.Match) -> str:
    parts = [part for part in re.split(r"[\\/]", match.group()) if part]
    return "…/" + "/".join(parts[-2:]) + "/"
