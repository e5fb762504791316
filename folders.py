"""The folders that the extension writes to: its own, and that of the stored predictions."""

from __future__ import annotations

from pathlib import Path

import bpy

from .core.common.atomic_files import sweep_parts
from .core.common.errors import SapiensError
from .preference_values import current


def user_folder(*parts: str) -> Path:
    """A folder that the extension may write to, made if need be; it survives updates of the extension.

    Where it cannot be made, its path all the same: who writes there says that it is missing.
    """
    return Path(_user_path(parts, create=True) or _user_path(parts, create=False))


def _user_path(parts: tuple[str, ...], create: bool) -> str:
    """The path of `user_folder`; empty where `create` failed, which must not be taken for the working directory."""
    assert __package__  # a module of the extension
    try:
        return bpy.utils.extension_path_user(__package__, path="/".join(parts), create=create)
    except ValueError:  # not installed as an extension
        return bpy.utils.user_resource("DATAFILES", path="/".join(("sapiens2_avatar", *parts)), create=create)


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
    sweep_parts(folder)
    return folder
