"""*Online Manual* in the menu of a right click: the page about a button, at the website of the manifest, else from the zip."""

from __future__ import annotations

import tomllib
from pathlib import Path

HERE = Path(__file__).parent
PAGES = (
    ("animate*", "retarget.md"),
    ("bones_*", "retarget.md"),
    ("retarget*", "retarget.md"),
    ("import_motion*", "retarget.md"),
    ("batch*", "batch.md"),
    ("texture_mesh*", "texture.md"),
    ("build_texture*", "texture.md"),
    ("build_rig*", "rig.md"),
    ("control_rig*", "rig.md"),
    ("photo_pose*", "rig.md"),
    ("shape_photo*", "body.md"),
    ("runtime_*", "install.md"),
    ("model_*", "install.md"),
    ("*", "sidebar.md"),
)
"""Operators, as a pattern of their names -> the page about them; the first that fits counts."""
GROUPS = (
    ("sapiensretarget*", "retarget.md"),
    ("sapiensmotion*", "retarget.md"),
    ("sapiensbatch*", "batch.md"),
    ("sapienstexture*", "texture.md"),
    ("sapiensmeshtexture*", "texture.md"),
    *((f"sapiensscan.{name}*", "body.md") for name in ("extent", "garments", "one_mesh", "texture_size", "trust", "known")),
    ("sapiensscan*", "scan.md"),
    ("sapiensrig*", "rig.md"),
    ("sapiensshape*", "body.md"),
    ("sapiens*", "sidebar.md"),
)
"""The same for groups of properties."""


def manual_map() -> tuple[str, tuple[tuple[str, str], ...]]:
    """What `bpy.utils.register_manual_map` asks for: the beginning of all addresses, and pattern -> the rest of it."""
    buttons = tuple((f"bpy.ops.sapiens2.{pattern}", page) for pattern, page in PAGES)
    return address(), (*buttons, *((f"bpy.types.{pattern}", page) for pattern, page in GROUPS))


def address() -> str:
    """Where the pages are."""
    website = tomllib.loads((HERE / "blender_manifest.toml").read_text("utf-8")).get("website", "")
    return f"{website.rstrip('/')}/" if website else f"{(HERE / 'docs').as_uri()}/"
