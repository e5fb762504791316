"""An avatar into the Asset Browser, by its button. Runs inside Blender, see driver.py."""

from __future__ import annotations

import bpy
import numpy as np
from driver import OUT, key, mouse, press, until
from drops import SOON
from faces import unfold
from steps import at_rest, jobs, project, settings, store_predictions


def mark():
    """Mark as Asset, with the words of the dialog; then undo and redo."""
    yield from project("scan")
    store_predictions()
    bpy.ops.sapiens2.run("INVOKE_DEFAULT", True)
    yield from until(at_rest, SOON)
    yield from unfold(80, "Export")
    avatar = settings().avatar.name
    scenes = len(bpy.data.scenes)
    yield from press("sapiens2.asset_mark")
    yield 1.0
    mouse.key("Return")
    yield from until(lambda: bpy.data.collections[avatar].asset_data is not None, SOON)
    yield 1.0
    collection = bpy.data.collections[avatar]
    seen = np.empty(len(collection.preview.image_pixels_float), np.float32)
    collection.preview.image_pixels_float.foreach_get(seen)
    columns, rows = collection.preview.image_size
    image = bpy.data.images.new("asset", columns, rows, alpha=True)
    image.pixels.foreach_set(seen)
    image.filepath_raw, image.file_format = str(OUT / "pictures" / "asset.png"), "PNG"
    image.save()
    bpy.data.images.remove(image)
    shown = seen.reshape(rows, columns, 4)
    covered = shown[..., 3] > 0.9
    found = {
        "license": collection.asset_data.license,
        "tags": sorted(tag.name for tag in collection.asset_data.tags),
        "tall": float(covered.any(axis=1).mean()),
        "spread": float(shown[covered][:, :3].std(axis=0).min()),
        "error": str(jobs().status.error or ""),
        "scenes": len(bpy.data.scenes) - scenes,
    }
    yield from key("z", "Control_L", then=lambda: bpy.data.collections[avatar].asset_data is None)
    yield from key("z", "Control_L", "Shift_L", then=lambda: bpy.data.collections[avatar].asset_data is not None)
    return found
