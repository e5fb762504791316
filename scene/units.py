"""Exports in metres, whatever length the scene gives to one of its units: Blender's own exporters but FBX leave it out.

For USD see `usd.in_metres`.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

import bpy

_HEADER, _CHUNK = struct.Struct("<4sII"), struct.Struct("<II")


def metres_per_unit() -> float:
    """How long a unit of the scene is (Scene properties > Units > Unit Scale)."""
    units = bpy.context.scene.unit_settings
    return 1.0 if units.system == "NONE" else float(f"{units.scale_length:.6g}")  # float32: 0.01 is no 0.0099999998


def let_be_metres(path: Path, scale: float) -> None:
    """Let what reads a glTF file find metres where numbers of units of `scale` metres were written."""
    if scale == 1.0:
        return
    suffix = path.suffix.lower()
    if suffix == ".gltf":
        path.write_text(json.dumps(_under_a_root(json.loads(path.read_text("utf-8")), scale)), "utf-8")
    elif suffix == ".glb":
        path.write_bytes(_binary_gltf(path.read_bytes(), scale))


def _under_a_root(document: dict, scale: float) -> dict:
    """All nodes of each scene of a glTF below one that is scaled: the format is in metres and has no word for other units."""
    nodes = document.setdefault("nodes", [])
    for scene in document.get("scenes", []):
        if scene.get("nodes"):
            nodes.append({"name": "Metres", "scale": [scale] * 3, "children": scene["nodes"]})
            scene["nodes"] = [len(nodes) - 1]
    return document


def _binary_gltf(content: bytes, scale: float) -> bytes:
    """The same for a .glb: a header, the document as a chunk, then the chunks of arrays."""
    length, kind = _CHUNK.unpack_from(content, _HEADER.size)
    start = _HEADER.size + _CHUNK.size
    document = json.dumps(_under_a_root(json.loads(content[start : start + length]), scale), separators=(",", ":")).encode()
    document += b" " * (-len(document) % 4)
    rest = content[start + length :]
    magic, version, _ = _HEADER.unpack_from(content)
    whole = _HEADER.size + _CHUNK.size + len(document) + len(rest)
    return _HEADER.pack(magic, version, whole) + _CHUNK.pack(len(document), kind) + document + rest
