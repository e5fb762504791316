"""Bone tables as JSON files: saved by the artist, loaded as untrusted input, checked against the armature."""

from __future__ import annotations

import json
from pathlib import Path

from ..common.atomic_files import atomic_write
from ..common.errors import SapiensError
from .armature import RestRig
from .bone_map import ROLES, BoneMap

FORMAT = "sapiens2-bone-map"
VERSION = 1
MAX_BYTES = 2**20


def preset_text(bone_map: BoneMap) -> str:
    """A bone table as JSON."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "family": bone_map.family,
        "title": bone_map.title,
        "controls": bone_map.controls,
        "bones": {role: list(names) for role, names in bone_map.bones.items()},
        "twist": {role: list(names) for role, names in bone_map.twist.items()},
        "switches": [list(s) for s in bone_map.switches],
    }
    return json.dumps(content, indent=1, ensure_ascii=False)


def save_preset(bone_map: BoneMap, path: str | Path) -> Path:
    """Write a bone table; the file appears whole or not at all. SapiensError if the folder cannot be written."""
    path = Path(path)
    with atomic_write(path) as file:
        file.write(preset_text(bone_map).encode())
    return path


def load_preset(path: str | Path, rest: RestRig) -> BoneMap:
    """Read a bone table and check it against the armature. SapiensError names every bone and role that does not fit."""
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SapiensError(f"{path.name} is too large for a bone table.", "Choose a file that was saved from a rig.")
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise SapiensError(
            f"The bone table {path.name} could not be read: {error.strerror}.", "Choose a file that exists."
        ) from error
    except UnicodeDecodeError as error:
        raise SapiensError(f"{path.name} is not a bone table: it is not text.", "Save the table again from a rig.") from error
    return check_map(parse_preset(text, path.name), rest, path.name)


def parse_preset(text: str, name: str) -> BoneMap:
    """A bone table from JSON, not yet checked against an armature. `name` is for messages. SapiensError for anything else."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SapiensError(f"{name} is not a bone table: it is not valid JSON.", "Save the table again from a rig.") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise SapiensError(f"{name} is not a bone table of this extension.", f'Its "format" must be "{FORMAT}".')
    if content.get("version") != VERSION:
        raise SapiensError(
            f"{name} has version {content.get('version')!r}, this extension reads {VERSION}.", "Update the extension."
        )
    bones, twist = _names(name, content, "bones"), _names(name, content, "twist")
    unknown = sorted(role for role in (*bones, *twist) if role not in ROLES)
    if unknown:
        raise SapiensError(
            f"{name} names roles that do not exist: {', '.join(unknown)}.", "Correct the file, or make the table anew."
        )
    switches = content.get("switches", [])
    if not isinstance(switches, list) or not all(
        isinstance(s, list)
        and len(s) == 3
        and isinstance(s[0], str)
        and isinstance(s[1], str)
        and isinstance(s[2], (int, float))
        and abs(s[2]) < 1e6
        for s in switches
    ):
        raise SapiensError(f'"switches" of {name} must be a list of [bone, property, number].', "Correct the file.")
    return BoneMap(
        str(content.get("family", "custom")),
        str(content.get("title", name)),
        bones,
        twist,
        tuple((s[0], s[1], float(s[2])) for s in switches),
        bool(content.get("controls", False)),
    )


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


def _names(name: str, content: dict, key: str) -> dict[str, tuple[str, ...]]:
    table = content.get(key, {})
    if not isinstance(table, dict) or not all(
        isinstance(names, list) and all(isinstance(name, str) and name for name in names) for names in table.values()
    ):
        raise SapiensError(
            f'"{key}" of {name} must map roles to lists of bone names.', "Correct the file, or save the table again."
        )
    return {role: tuple(names) for role, names in table.items() if names}
