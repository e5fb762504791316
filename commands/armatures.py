"""An armature that a person names on the command line, FILE.blend or FILE.blend:NAME, and its bone table."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.common.errors import SapiensError

if TYPE_CHECKING:
    import bpy

    from ..core.retarget.bone_map import BoneMap
    from .console import Console


def check_named(text: str) -> tuple[Path, str]:
    """File and name in FILE.blend[:NAME]; asked before hours of work. Raises SapiensError if there is no such file."""
    before, mark, name = text.rpartition(".blend:")
    path = Path(f"{before}.blend" if mark else text)
    if not path.is_file():
        raise SapiensError(f"There is no file {path}.", "Give FILE.blend or FILE.blend:NAME.")
    return path, name if mark else ""


def open_armature(text: str) -> bpy.types.Object:
    """Open the file in this process and return the armature object (the only one, if no name is given). Raises SapiensError."""
    import bpy

    from ..scene.files import open_blend

    path, name = check_named(text)
    open_blend(path)
    found = [ob for ob in bpy.data.objects if ob.type == "ARMATURE"]
    if name:
        found = [ob for ob in found if ob.name == name]
        if not found:
            raise SapiensError(f"{path.name} has no armature named {name!r}.", "Look up its name in the outliner.")
    if not found:
        raise SapiensError(f"{path.name} has no armature.", "Give a file with a rigged character.")
    if len(found) > 1:
        names = ", ".join(sorted(ob.name for ob in found))
        raise SapiensError(f"{path.name} has several armatures: {names}.", "Say which one: FILE.blend:NAME.")
    return found[0]


def bone_map_of(armature: bpy.types.Object, options: Namespace, console: Console) -> BoneMap:
    """The bone table that --bones names, else the recognised one; written to the file of --save-bones. Raises SapiensError."""
    from ..core.retarget.bone_map_file import save_preset
    from ..scene.bone_table import resolve
    from ..scene.rig_state import read_rest

    bone_map = resolve(options.bones, read_rest(armature))
    console.record(confidence=round(bone_map.confidence, 3))
    if options.save_bones:
        console.result(save_preset(bone_map, options.save_bones))
    return bone_map
