"""The picture of a result: the photo, and the person from some sides, in clay, with its skeleton or in another pose."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..core.common.atomic_files import atomic_write

BACKDROP = np.array([46, 48, 52], np.float32)
BONE = (255, 176, 46)
TURN = 28.0  # degrees from the camera of the photo


def write_picture(path: Path, photo: np.ndarray, collection, height: int = 768) -> Path:
    """Render the collection (needs bpy) and write photo and renders side by side as a PNG.

    photo is (H, W, 3) uint8 sRGB; the picture is `height` pixels high. Whole people are shown from the front, from behind in
    clay, and in another pose; of a scan, which has no back, the same view with its skeleton.
    """
    from ..scene.aim import STROLL
    from ..scene.marks import objects_of
    from ..scene.render import Shot, render_view, render_views

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        if not objects_of([collection], "body"):
            view = render_view(collection, place / "view.png", view_size(height))
            return compose_picture(path.absolute(), photo, view.path, view.bones)
        shots = [Shot(place / "front.png"), Shot(place / "back.png", 180 - TURN, clay=True)]
        if objects_of([collection], "rig"):
            shots.append(Shot(place / "pose.png", TURN, aims=STROLL))
        views = render_views(collection, shots, (height * 9 // 16, height))
        return _write(path.absolute(), photo, [_shown(view.path) for view in views])


def view_size(height: int) -> tuple[int, int]:
    """(width, height) in pixels of the view in a picture of this height."""
    return height * 3 // 4, height


def compose_picture(path: Path, photo: np.ndarray, view: Path, bones: np.ndarray) -> Path:
    """Write the photo (H, W, 3) uint8 sRGB, the rendered view and the view with its bones (B, 2, 2) side by side as a PNG."""
    render = _shown(view)
    return _write(path, photo, [render, *([_with_bones(render, bones)] if len(bones) else [])])


def _shown(view: Path) -> np.ndarray:
    """(H, W, 3) uint8: a rendered view before the backdrop."""
    from PIL import Image

    with Image.open(view) as image:
        return _over_backdrop(np.asarray(image.convert("RGBA"), np.float32))


def _write(path: Path, photo: np.ndarray, renders: Sequence[np.ndarray]) -> Path:
    """The photo (H, W, 3) uint8 sRGB and renders of one height, (h, w, 3) uint8 each, side by side."""
    from PIL import Image

    height = len(renders[0])
    width = max(1, round(photo.shape[1] * height / photo.shape[0]))
    panels = [np.asarray(Image.fromarray(photo).resize((width, height), Image.Resampling.LANCZOS))]
    gap = np.broadcast_to(BACKDROP.astype(np.uint8), (height, 8, 3))
    for render in renders:
        panels += [gap, render]
    with atomic_write(path) as file:
        Image.fromarray(np.concatenate(panels, axis=1)).save(file, format="PNG")
    return path


def _over_backdrop(rgba: np.ndarray) -> np.ndarray:
    alpha = rgba[..., 3:] / 255
    shade = np.linspace(1.35, 0.7, len(rgba), dtype=np.float32)[:, None, None]
    return (rgba[..., :3] * alpha + BACKDROP * shade * (1 - alpha)).round().clip(0, 255).astype(np.uint8)


def _with_bones(image: np.ndarray, bones: np.ndarray) -> np.ndarray:
    """The image, dimmed, with each bone as a tapered stroke from its head (wide) to its tail."""
    import cv2

    canvas = (image * 0.55).astype(np.uint8)
    for head, tail in bones:
        along = tail - head
        length = np.linalg.norm(along)
        across = np.array([-along[1], along[0]]) / max(length, 1e-6) * np.clip(length * 0.09, 1.0, 7.0)
        shape = np.array([head, head + along * 0.15 + across, tail, head + along * 0.15 - across])
        cv2.fillPoly(canvas, [np.round(shape * 16).astype(np.int32)], BONE, cv2.LINE_AA, shift=4)
        cv2.circle(canvas, tuple(np.round(head * 16).astype(int)), 2 * 16, (255, 255, 255), -1, cv2.LINE_AA, shift=4)
    return canvas
