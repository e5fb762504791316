"""An avatar as an asset of Blender: its collection, with what the Asset Browser shows of it, and a picture."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from ..core.common.errors import SapiensError
from .marks import GARMENT, objects_of
from .render import Shot, render_views

SIZE = 256
"""Pixels of the side of a picture, which Blender shows no larger."""
SAMPLES = 16
AZIMUTH_DEGREES = 18.0
"""How far from the side of the photo the picture is taken."""
LICENSE = "As the photo"
"""Of an avatar whose artist says nothing else: its looks are those of the photo, and the rest of it is free (CC0)."""


@dataclass(frozen=True)
class AssetDetails:
    """What the Asset Browser says of an asset. tags: words to search by."""

    description: str
    license: str
    tags: tuple[str, ...]
    author: str = ""


def asset_details(collection: bpy.types.Collection) -> AssetDetails:
    """What is said of an avatar: what its asset says already, else what can be seen of it."""
    data = collection.asset_data
    if data is not None:
        return AssetDetails(data.description, data.license, tuple(tag.name for tag in data.tags), data.author)
    worn = sorted({str(obj[GARMENT]) for obj in objects_of([collection], "garment") if GARMENT in obj})
    parts = [role for role in ("body", "scan", "rig") if objects_of([collection], role)]
    rigged = ("rigged",) if "rig" in parts else ()
    return AssetDetails(
        f"Digital human from a photo: {', '.join((*parts, *worn))}", LICENSE, ("avatar", "character", "human", *rigged)
    )


def mark_asset(collection: bpy.types.Collection, details: AssetDetails) -> None:
    """Make an avatar an asset, or let the one that it is say something else. Its picture stays, see `render_preview`.

    A collection is what the Asset Browser brings into another file whole: meshes, rig, and what ties them together.
    """
    collection.asset_mark()
    data = collection.asset_data
    data.description, data.license, data.author = details.description, details.license, details.author
    for tag in data.tags[:]:
        data.tags.remove(tag)
    for tag in details.tags:
        data.tags.new(tag, skip_if_exists=True)


def render_preview(collection: bpy.types.Collection, engines: Iterable[str] | None = None) -> None:
    """Render an avatar as it stands, for the Asset Browser.

    engines  of Blender, the first that renders is taken; None: what this Blender has: Workbench, which is done at once, needs
             a window, Cycles needs none
    Raises SapiensError where none of them renders; the picture is as before.
    """
    wanted = engines if engines is not None else ("CYCLES",) if bpy.app.background else ("BLENDER_WORKBENCH", "CYCLES")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for engine in wanted:
            path = Path(folder) / f"{engine}.png"
            try:
                render_views(collection, [Shot(path, AZIMUTH_DEGREES, engine=engine)], (SIZE, SIZE), SAMPLES)
            except (RuntimeError, TypeError):  # it is switched off, or another render is running
                continue
            if path.is_file():
                _show(collection, path)
                return
    raise SapiensError(
        "No picture of the avatar could be rendered here.",
        "Switch on the add-on Cycles, or choose a picture in the Asset Browser.",
    )


def _show(collection: bpy.types.Collection, path: Path) -> None:
    """Let an image file be the preview of an asset."""
    image = bpy.data.images.load(str(path))
    try:
        columns, rows = image.size
        pixels = np.empty(columns * rows * 4, np.float32)  # Blender reads every PNG with four channels
        image.pixels.foreach_get(pixels)
        preview = collection.preview_ensure()
        preview.image_size = columns, rows
        preview.image_pixels_float.foreach_set(pixels)
    finally:
        bpy.data.images.remove(image)
