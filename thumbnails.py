"""Small pictures for the panels: the photo and the maps of its predictions. Blender reads each file when it first draws it."""

from __future__ import annotations

from pathlib import Path

import bpy
import bpy.utils.previews
import numpy as np

from . import folders
from .core.capture.exif_orientation import upright, upright_of
from .core.formats.previews import MAPS, paint_boxes

_pictures: bpy.utils.previews.ImagePreviewCollection | None = None
_maps: dict[str, dict[str, Path]] = {}
_turns: dict[str, tuple[int, bool]] = {}


def start() -> None:
    global _pictures
    _pictures = bpy.utils.previews.new()


def stop() -> None:
    global _pictures
    if _pictures is not None:
        bpy.utils.previews.remove(_pictures)
    _pictures = None
    _maps.clear()
    _turns.clear()


def icon(path: Path) -> int:
    """Number of the icon that shows the image file at `path`; 0 outside of `start` and `stop`."""
    if _pictures is None:
        return 0
    key = str(path)
    if key not in _pictures:
        _pictures.load(key, key, "IMAGE")
    return _pictures[key].icon_id


def photo_icon(settings: bpy.types.PropertyGroup) -> int:
    """The photo of `settings`, upright, its person boxes painted into it; each combination of boxes is painted once.

    A photo that is stored upright and has no boxes is left to Blender, which reads it beside its main thread.
    """
    path = Path(bpy.path.abspath(settings.photo))
    key = str(path)
    _turn(path)
    boxes = [(box.x1, box.y1, box.x2, box.y2, box.use) for box in settings.boxes]
    width, height = settings.photo_size
    if _pictures is None or not (any(_turns[key]) or (boxes and width and height)):
        return icon(path)
    painted = f"{key} {boxes}"
    if painted not in _pictures:
        shown = _upright_pixels(path)
        if shown is None:
            return _pictures[key].icon_id
        if boxes:
            table = np.array(boxes, np.float64)
            shown = paint_boxes(shown, table[:, :4] / (width, height, width, height), table[:, 4] > 0)
        _keep(painted, shown)
    return _pictures[painted].icon_id


def person_icon(settings: bpy.types.PropertyGroup, number: int) -> int:
    """What the photo of `settings` shows in one of its boxes, made once for each box; 0 where that cannot be shown."""
    path, box = Path(bpy.path.abspath(settings.photo)), settings.boxes[number]
    width, height = settings.photo_size
    if _pictures is None or not (width and height):
        return 0
    name = f"{path} {[round(edge) for edge in (box.x1, box.y1, box.x2, box.y2)]} alone"
    if name not in _pictures:
        shown = _upright_pixels(path)
        if shown is None:
            return 0
        rows, columns = shown.shape[:2]
        left, right = (round(edge / width * columns) for edge in (box.x1, box.x2))
        top, bottom = (round(edge / height * rows) for edge in (box.y1, box.y2))
        part = shown[max(top, 0) : max(bottom, top + 1), max(left, 0) : max(right, left + 1)]
        if not part.size:
            return 0
        _keep(name, part)
    return _pictures[name].icon_id


def _turn(path: Path) -> tuple[int, bool]:
    """How a photo is stored (`upright_of`), looked up once."""
    key = str(path)
    if key not in _turns:
        _turns[key] = upright_of(path)
    return _turns[key]


def _upright_pixels(path: Path) -> np.ndarray | None:
    """(H, W, 4) float32 of the preview of a photo; None where Blender cannot read it."""
    assert _pictures is not None  # asked before
    icon(path)
    source = _pictures[str(path)]
    columns, rows = source.image_size
    if not columns:
        return None
    pixels = np.empty(columns * rows * 4, np.float32)
    source.image_pixels_float.foreach_get(pixels)
    return upright(pixels.reshape(rows, columns, 4)[::-1], *_turn(path))


def _keep(name: str, shown: np.ndarray) -> None:
    """A preview of (H, W, 4) float32 pixels."""
    assert _pictures is not None  # asked before
    made = _pictures.new(name)
    made.image_size = shown.shape[1::-1]
    made.image_pixels_float.foreach_set(np.ascontiguousarray(shown[::-1]).ravel())


def folder(predictions: str) -> Path:
    """Where the previews of a predictions file are kept."""
    return folders.user_folder("previews", bpy.path.clean_name(Path(predictions).stem))


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
