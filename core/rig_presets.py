"""Bone tables as JSON files: saved by the artist, loaded as untrusted input, checked against the armature."""

from __future__ import annotations

import json
from pathlib import Path

from .errors import SapiensError
from .rest import RestRig
from .rigs import ROLES, BoneMap

FORMAT = "sapiens2-bone-map"
VERSION = 1


def save_preset(bone_map: BoneMap, path: str | Path) -> Path:
    """Write a bone table; the file appears whole or not at all. SapiensError if the folder cannot be written."""
    path = Path(path)
    content = {"format": FORMAT, "version": VERSION, "family": bone_map.family, "title": bone_map.title, "controls": bone_map.controls,
               "bones": {role: list(names) for role, names in bone_map.bones.items()},
               "twist": {role: list(names) for role, names in bone_map.twist.items()},
               "switches": [list(s) for s in bone_map.switches]}  # fmt: skip
    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False), "utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise SapiensError(
            f"The bone table could not be written to {path}: {error.strerror}.", "Choose another folder."
        ) from error
    return path


def load_preset(path: str | Path, rest: RestRig) -> BoneMap:
    """Read a bone table and check it against the armature. SapiensError names every bone and role that does not fit."""
    path = Path(path)
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SapiensError(
            f"The bone table {path.name} could not be read: {error.strerror}.", "Choose a file that exists."
        ) from error
    except ValueError as error:
        raise SapiensError(
            f"{path.name} is not a bone table: it is not valid JSON.", "Save the table again from a rig."
        ) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise SapiensError(f"{path.name} is not a bone table of this extension.", f'Its "format" must be "{FORMAT}".')
    if content.get("version") != VERSION:
        raise SapiensError(
            f"{path.name} has version {content.get('version')!r}, this extension reads {VERSION}.", "Update the extension."
        )
    bones, twist = _names(path, content, "bones"), _names(path, content, "twist")
    unknown = sorted(role for role in (*bones, *twist) if role not in ROLES)
    if unknown:
        raise SapiensError(
            f"{path.name} names roles that do not exist: {', '.join(unknown)}.", "Correct the file, or make the table anew."
        )
    switches = content.get("switches", [])
    if not isinstance(switches, list) or not all(
        isinstance(s, list) and len(s) == 3 and isinstance(s[0], str) and isinstance(s[1], str) and isinstance(s[2], (int, float))
        for s in switches
    ):
        raise SapiensError(f'"switches" of {path.name} must be a list of [bone, property, number].', "Correct the file.")
    bone_map = BoneMap(str(content.get("family", "custom")), str(content.get("title", path.stem)), bones, twist,
                       tuple((s[0], s[1], float(s[2])) for s in switches), bool(content.get("controls", False)))  # fmt: skip
    return check_map(bone_map, rest, path.name)


def check_map(bone_map: BoneMap, rest: RestRig, source: str = "The bone table") -> BoneMap:
    """The map itself if every bone exists in the armature, none plays two roles and the hips have one; else SapiensError."""
    used = [name for names in (*bone_map.bones.values(), *bone_map.twist.values()) for name in names]
    absent = sorted({name for name in used if name not in rest.names})
    if absent:
        listed = ", ".join(f"'{name}'" for name in absent[:5]) + (f" and {len(absent) - 5} more" if len(absent) > 5 else "")
        raise SapiensError(
            f"{source} names bones that '{rest.name}' does not have: {listed}.", "Choose the rig it was made for, or correct it."
        )
    mapped = [name for names in bone_map.bones.values() for name in names]
    double = sorted({name for name in mapped if mapped.count(name) > 1})
    if double:
        raise SapiensError(f"{source} gives two roles to '{double[0]}'.", "Leave one of the two empty.")
    if not bone_map.bones.get("hips"):
        raise SapiensError(f"{source} has no bone for the hips.", "Choose the bone that carries the whole body.")
    return bone_map


def _names(path: Path, content: dict, key: str) -> dict[str, tuple[str, ...]]:
    table = content.get(key, {})
    if not isinstance(table, dict) or not all(
        isinstance(names, list) and all(isinstance(name, str) and name for name in names) for names in table.values()
    ):
        raise SapiensError(
            f'"{key}" of {path.name} must map roles to lists of bone names.', "Correct the file, or save the table again."
        )
    return {role: tuple(names) for role, names in table.items() if names}
