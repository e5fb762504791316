"""Blender files: an empty one to build in, and a safe save."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import bpy

from ..core.common.errors import SapiensError
from .blend_contents import read_contents
from .context_scene import renew_context_scene
from .reproducible import compressed, normalised


def new_file() -> None:
    """Start from an empty scene in metres: no cube, no lamp, no camera. For scripts; an artist's open file is never replaced."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    renew_context_scene()
    bpy.context.scene.unit_settings.system = "METRIC"
    _forget_what_was_shown()


def _forget_what_was_shown() -> None:
    """Show nothing of files that this process had open before: Blender keeps trees in node editors, and the kind of view."""
    for space in [space for screen in bpy.data.screens for area in screen.areas for space in area.spaces]:
        if space.type == "NODE_EDITOR":
            space.path.clear()
        elif space.type == "VIEW_3D" and space.region_3d is not None:
            space.region_3d.view_perspective = "PERSP"


def open_blend(path: str | Path) -> None:
    """Open a .blend in the place of the current one. For scripts. Raises SapiensError when it cannot be read."""
    try:
        bpy.ops.wm.open_mainfile(filepath=str(Path(path).absolute()), load_ui=False)
    except RuntimeError as error:
        raise SapiensError(
            f"{path} could not be opened: {str(error).strip()}", "Check that it is a whole .blend file."
        ) from error
    renew_context_scene()


def save_blend(path: str | Path, *, compress: bool = True) -> Path:
    """Save the open file at `path`, whole or not at all. Raises SapiensError when it cannot be written."""

    def write(temporary: Path) -> None:
        # In the folder where it will lie: Blender writes the paths of libraries and images relative to that.
        beside = temporary.parents[1] / f"{temporary.parent.name}.blend"
        try:
            bpy.ops.wm.save_as_mainfile(filepath=str(beside), copy=True, compress=compress)
            beside.replace(temporary)
        finally:
            beside.unlink(missing_ok=True)

    return write_whole(Path(path), write)


def save_reproducible(path: str | Path) -> tuple[str, ...]:
    """Save the open file at `path`, compressed, so that the same scene gives the same bytes (`scene.reproducible`).

    The file as Blender writes it, not compressed, is there first. A normalised copy takes its place only if Blender's own reader
    finds the same in both; else the plain file stays, and a sentence says why. Returns these notes, none as a rule. Raises
    SapiensError when not even the plain file can be written.
    """
    path = save_blend(path, compress=False)
    try:
        same = compressed(normalised(path.read_bytes()))

        def write(temporary: Path) -> None:
            temporary.write_bytes(same)
            if read_contents(temporary) != read_contents(path):
                raise SapiensError("Blender does not find the same in the normalised file.", "Please report it.")

        write_whole(path, write)
    except Exception as problem:  # noqa: BLE001 (whatever fails here is an extra: the scene itself is saved)
        reason = problem.message if isinstance(problem, SapiensError) else f"{type(problem).__name__}: {problem}."
        return (f"{path.name} is as Blender wrote it, and another run may give other bytes: {reason}",)
    return ()


def write_whole(path: Path, write) -> Path:
    """Call write(temporary path with the same suffix), then put what it wrote in the place of `path` in one step.

    Files that the writer put beside it (textures, an .mtl) move along. Raises SapiensError for what the system or Blender
    refuses.
    """
    path = path.absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".sapiens2-", dir=path.parent) as folder:
            temporary = Path(folder) / path.name
            write(temporary)
            if not temporary.exists() or temporary.stat().st_size == 0:
                raise SapiensError(f"Blender wrote nothing to {path}.", "Check the free space and the permissions of the folder.")
            for made in sorted(Path(folder).iterdir(), key=lambda p: p == temporary):  # the file itself last
                target = path.parent / made.name
                if made.is_dir():
                    target.mkdir(exist_ok=True)
                    for inner in made.iterdir():
                        os.replace(inner, target / inner.name)  # noqa: PTH105
                else:
                    os.replace(made, target)  # noqa: PTH105
    except OSError as error:
        raise SapiensError(
            f"{path} could not be written: {error.strerror or error}.", "Check the free space and the permissions."
        ) from error
    except RuntimeError as error:  # how operators report
        raise SapiensError(
            f"{path} could not be written: {str(error).strip()}", "Check the free space and the permissions."
        ) from error
    return path
