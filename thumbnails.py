"""Small pictures for the panels: the photo and the maps of its predictions. Blender reads each file when it first draws it."""

from __future__ import annotations

from pathlib import Path

import bpy
import bpy.utils.previews

from . import preferences
from .core.previews import MAPS

_pictures: bpy.utils.previews.ImagePreviewCollection | None = None
_maps: dict[str, dict[str, Path]] = {}


def start() -> None:
    global _pictures
    _pictures = bpy.utils.previews.new()


def stop() -> None:
    global _pictures
    if _pictures is not None:
        bpy.utils.previews.remove(_pictures)
    _pictures = None
    _maps.clear()


def icon(path: Path) -> int:
    """Number of the icon that shows the image file at `path`; 0 outside of `start` and `stop`."""
    if _pictures is None:
        return 0
    key = str(path)
    if key not in _pictures:
        _pictures.load(key, key, "IMAGE")
    return _pictures[key].icon_id


def folder(predictions: str) -> Path:
    """Where the previews of a predictions file are kept."""
    return preferences.user_folder("previews", bpy.path.clean_name(Path(predictions).stem))


def maps(predictions: str) -> dict[str, Path]:
    """Name of the map -> its preview, for those that there are; looked up once until `forget`."""
    if predictions not in _maps:
        made = {name: folder(predictions) / f"{name}.png" for name in MAPS} if predictions else {}
        _maps[predictions] = {name: path for name, path in made.items() if path.is_file()}
    return _maps[predictions]


def forget(predictions: str) -> None:
    """Look again: the previews of this predictions file have been written anew."""
    for path in _maps.pop(predictions, {}).values():
        if _pictures is not None and str(path) in _pictures:
            del _pictures[str(path)]
