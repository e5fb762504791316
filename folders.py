"""The folders that the extension writes to: its own, and that of the stored predictions."""

from __future__ import annotations

from pathlib import Path

import bpy

from .core.common.errors import SapiensError
from .preference_values import current


def user_folder(*parts: str) -> Path:
    """A folder that the extension may write to, made if need be; it survives updates of the extension."""
    path = "/".join(parts)
    try:
        return Path(bpy.utils.extension_path_user(__package__, path=path, create=True))
    except ValueError:  # not installed as an extension
        return Path(bpy.utils.user_resource("DATAFILES", path="/".join(("sapiens2_avatar", *parts)), create=True))


def cache_folder() -> Path:
    """Where predictions are kept. It may be missing: `make_cache_folder`."""
    chosen = current().cache_folder
    return Path(bpy.path.abspath(chosen)) if chosen else user_folder("predictions")


def make_cache_folder() -> Path:
    """The folder of stored predictions, made if need be. SapiensError where it cannot be written."""
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SapiensError(
            f"The folder of stored predictions, {folder}, cannot be made: {error.strerror}.",
            "Choose another one in the preferences.",
            "preferences",
        ) from error
    return folder
