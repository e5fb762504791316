"""The rows of the bone table in the sidebar, which the artist edits: to and from the map that retargeting takes.

They live in `Scene.sapiens2.retarget`: `bones` has one row for each bone of a role and an empty one for a role without a bone,
`base` keeps what no row shows (twist bones, switches), the panel shows `family`, `confidence` and `problem`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import bpy

from .core.common.errors import SapiensError
from .core.retarget.armature import RestRig
from .core.retarget.bone_map import ROLES, BoneMap
from .core.retarget.bone_map_file import check_map, parse_preset, preset_text
from .core.retarget.recognise import opposite_name, recognise
from .scene.rig_state import read_rest

Settings = Any  # properties.SapiensRetarget, whose armature calls `refresh` when it is chosen


def refresh(settings: Settings) -> None:
    """Fill the table with what is recognised in the chosen armature; without one, or if nothing is, it is empty and says why."""
    settings.bones.clear()
    settings.base = settings.family = settings.problem = ""
    if settings.armature is None:
        return
    try:
        fill(settings, recognise(read_rest(settings.armature)))
    except SapiensError as error:
        settings.problem = str(error)
        _add_rows(settings, BoneMap("custom", "", {}))


def fill(settings: Settings, bone_map: BoneMap) -> None:
    """Show a map in the table."""
    settings.bones.clear()
    settings.base, settings.family = preset_text(bone_map), bone_map.title
    settings.confidence, settings.problem = bone_map.confidence, ""
    _add_rows(settings, bone_map)


def _add_rows(settings: Settings, bone_map: BoneMap) -> None:
    for role in ROLES:
        for name in bone_map.bones.get(role) or ("",):
            row = settings.bones.add()
            row.role, row.name, row.bone = role, role_label(role), name


def read(settings: Settings, rest: RestRig) -> BoneMap | None:
    """The map that the table shows, None if there is no table. SapiensError names what does not fit the rig."""
    if not len(settings.bones):
        return None
    table: dict[str, tuple[str, ...]] = {}
    for row in settings.bones:
        if row.bone:
            table[row.role] = (*table.get(row.role, ()), row.bone)
    base = parse_preset(settings.base, "The bone table") if settings.base else BoneMap("custom", "Bone table", {})
    # Twist bones and switches go with the limbs that they belong to.
    twist = {role: tuple(n for n in names if n in rest.names) for role, names in base.twist.items() if role in table}
    return check_map(replace(base, bones=table, twist={r: n for r, n in twist.items() if n}), rest)


def mirror(settings: Settings, source: str) -> int:
    """Give the other side's roles the bones of the same name on the other side; source "left" or "right".

    How many rows changed.
    """
    names = {bone.name for bone in settings.armature.data.bones}
    rows = [row for row in settings.bones if row.role.startswith(source) and row.bone]
    other = "right" if source == "left" else "left"
    wanted: dict[str, list[str]] = {}
    for row in rows:
        twin = opposite_name(row.bone, names)
        if twin is not None:
            wanted.setdefault(other + row.role.removeprefix(source), []).append(twin)
    changed = 0
    for row in settings.bones:
        if wanted.get(row.role):
            twin = wanted[row.role].pop(0)
            changed += row.bone != twin
            row.bone = twin
    return changed


def add_row(settings: Settings, index: int) -> int:
    """Another bone for the role of a row, below it. Returns its index."""
    row = settings.bones.add()
    row.role, row.name = settings.bones[index].role, settings.bones[index].name
    settings.bones.move(len(settings.bones) - 1, index + 1)
    return index + 1


def clear_row(settings: Settings, index: int) -> None:
    """No bone for this row; a further row of the same role goes."""
    role = settings.bones[index].role
    if sum(row.role == role for row in settings.bones) > 1:
        settings.bones.remove(index)
    else:
        settings.bones[index].bone = ""


def role_label(role: str) -> str:
    """`leftUpperArm` -> "Left Upper Arm"."""
    return "".join(f" {c}" if c.isupper() else c for c in role).title()


def armature_rest(armature: bpy.types.Object | None) -> RestRig:
    """The rest pose of the chosen armature; SapiensError without one."""
    if armature is None:
        raise SapiensError("No armature is chosen.", "Choose one in the Retarget panel.")
    return read_rest(armature)
