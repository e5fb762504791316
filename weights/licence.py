"""The licence of the Sapiens2 weights: what it says, and that the person at this computer accepted it."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from ..core.common.atomic_files import atomic_write
from ..core.common.errors import SapiensError


@dataclass(frozen=True)
class Licence:
    """name, where its text is, and what it means in our words: one sentence each, no substitute for the text."""

    name: str
    url: str
    summary: tuple[str, ...]

    @property
    def text(self) -> str:
        """What is shown before the first download or import."""
        points = "\n".join(f"  - {point}" for point in self.summary)
        return f"{self.name}: {self.url}\nIn short, and no substitute for its text:\n{points}"


SAPIENS2_LICENCE = Licence(
    name="Sapiens2 License (Meta)",
    url="https://github.com/facebookresearch/sapiens2/blob/main/LICENSE.md",
    summary=(
        "You may use, copy, change and share the weights, also commercially, free of charge.",
        "Whoever you share them with must get them under the same agreement, with a copy of it.",
        "Publications that use them must say so.",
        "Not allowed: surveillance, biometric processing, finding out who somebody is.",
        "Not allowed: deepfakes, impersonation and other deception; sexual or defamatory pictures of people.",
        "Not allowed: guessing health or other sensitive facts about people without their consent.",
        "Not allowed: military, weapons, espionage and critical infrastructure; users under sanctions; reverse engineering.",
        "Meta may audit the use and ask for deletion; suing over it ends your rights.",
        "By downloading or using the weights you accept the agreement.",
    ),
)

PREVIEW_LICENCE = Licence(
    name="Apache-2.0",
    url="https://www.apache.org/licenses/LICENSE-2.0",
    summary=("The networks of the built-in model are MediaPipe's and come with this extension.",),
)


def user_folder() -> Path:
    """Where this person's weights and choices are kept: $SAPIENS2_HOME, else the platform's folder for application data."""
    if home := os.environ.get("SAPIENS2_HOME"):
        return Path(home).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "sapiens2-avatar"
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support/sapiens2-avatar"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "sapiens2-avatar"


def is_accepted(licence: Licence = SAPIENS2_LICENCE) -> bool:
    """Whether this person accepted the licence on this computer."""
    try:
        accepted = json.loads(_acceptances().read_text("utf-8"))["accepted"]
        return licence.url in accepted
    except (OSError, ValueError, KeyError, TypeError):
        return False


def accept(licence: Licence = SAPIENS2_LICENCE) -> None:
    """Remember that this person accepted the licence. SapiensError if it cannot be written down."""
    path = _acceptances()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SapiensError(f"The folder {path.parent} cannot be made.", "Set SAPIENS2_HOME to a folder of yours.") from error
    with atomic_write(path) as file:
        file.write(json.dumps({"accepted": {licence.url: licence.name}}, indent=1).encode())


def require_acceptance(accepted_now: bool, licence: Licence = SAPIENS2_LICENCE) -> None:
    """Pass if the licence was accepted before, or is now; SapiensError with its summary otherwise."""
    if is_accepted(licence):
        return
    if not accepted_now:
        raise SapiensError(
            f"The weights come under a licence that you have not accepted yet.\n{licence.text}",
            "Read it, then run the command again with --accept-license.",
        )
    accept(licence)


def _acceptances() -> Path:
    """The file of what was accepted; the date of acceptance is that of the file."""
    return user_folder() / "licences.json"
