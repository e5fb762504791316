"""A handle for each landmark of the avatar that the artist looks at through its photo, and for each pin."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import bpy
import numpy as np
from bpy.app.handlers import depsgraph_update_post, persistent
from bpy.types import Context, GizmoGroup

from ..avatar_queries import Look, look_in
from ..core.common.errors import SapiensError
from ..core.common.predictions import Predictions
from ..scene.marks import source_of
from ..scene.pin_places import places_of, rows_of
from ..scene.pins import pin_words, pins_of
from ..scene.through_photo import pixel_of
from .handle import Colour, SAPIENS2_GT_handle, draw_shape, scale
from .overlay import SAPIENS2_GT_photo

MOST = 60
APART = 15.0
"""Pixels at a display scale of 1: handles closer than this to one before them are left out until the artist zooms in."""
FREE: Colour = (1.0, 0.75, 0.2, 1.0)
PINNED: Colour = (0.25, 0.9, 0.45, 1.0)


@dataclass(frozen=True)
class Landmark:
    """A landmark of a person.

    person  row of the predictions' keypoints
    pixel   (x, y) of the photo where the avatar has it
    pin     (x, y) where it was pinned; None = it was not
    """

    person: int
    keypoint: str
    pixel: tuple[float, float]
    pin: tuple[float, float] | None = None


dragged: Landmark | None = None
"""What is being dragged; its `pin` follows the pointer."""
_known: tuple[int, tuple[Landmark, ...]] | None = None


def landmarks(look: Look) -> tuple[Landmark, ...]:
    """Those of an avatar, pinned ones first; computed anew after anything in the scene has changed."""
    global _known
    if _known is None or _known[0] != look.avatar.session_uid:
        _known = look.avatar.session_uid, _landmarks(look)
    return _known[1]


def _landmarks(look: Look) -> tuple[Landmark, ...]:
    pins = {(pin.person, pin.keypoint): (pin.x, pin.y) for pin in pins_of(look.avatar)}
    rows = _rows(look)
    found = []
    for (person, keypoint), place in places_of(look.avatar).items():
        pixel = pixel_of(place, look.camera, look.lens)
        if person in rows and pixel is not None and np.isfinite(pixel).all():
            key = rows[person], keypoint
            found.append(Landmark(*key, (float(pixel[0]), float(pixel[1])), pins.get(key)))
    return tuple(sorted(found, key=lambda landmark: landmark.pin is None))


def _rows(look: Look) -> dict[str, int]:
    path = Path(source_of(look.avatar))
    try:
        keypoints = _keypoints(str(path), path.stat().st_mtime_ns)
    except (OSError, SapiensError):  # nothing can be pinned without them; the list of avatars says what to do
        return {}
    return {} if keypoints is None else rows_of(look.avatar, keypoints)


@lru_cache(maxsize=1)
def _keypoints(path: str, _written: int) -> np.ndarray | None:
    """(P, 308, 3) of a predictions file, as shares of the photo's size."""
    predictions = Predictions.load(path)
    if predictions.keypoints is None:
        return None
    return (predictions.keypoints + np.array([0.5, 0.5, 0])) / np.array([predictions.width, predictions.height, 1])


@persistent
def forget(*_changed: object) -> None:
    """Look again where everything is, at the next drawing."""
    global _known
    _known = None


def start() -> None:
    depsgraph_update_post.append(forget)


def stop() -> None:
    if forget in depsgraph_update_post:
        depsgraph_update_post.remove(forget)
    forget()


class SAPIENS2_GGT_pins(GizmoGroup):
    bl_idname = "SAPIENS2_GGT_pins"
    bl_label = "Pins"
    bl_space_type = "VIEW_3D"
    bl_region_type = "WINDOW"
    bl_options = {"PERSISTENT", "SHOW_MODAL_ALL"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        look = look_in(context)
        return look is not None and look.frame is not None

    def setup(self, _context: Context) -> None:
        self.targets = []
        for _ in range(MOST):
            handle = self.gizmos.new(SAPIENS2_GT_handle.bl_idname)
            handle.hide = True
            self.targets.append(handle.target_set_operator("sapiens2.pin_drag"))
        for kind in (SAPIENS2_GT_pin_lines, SAPIENS2_GT_photo):  # Blender draws the last one first
            self.gizmos.new(kind.bl_idname).use_draw_modal = True

    def draw_prepare(self, context: Context) -> None:
        look = look_in(context)
        if look is None or (frame := look.frame) is None:
            return
        taken: list[tuple[float, float]] = []
        handles = list(self.gizmos)[:MOST]
        for landmark in landmarks(look) if context.scene.sapiens2.look.show_pins else ():
            if dragged is not None and (landmark.person, landmark.keypoint) == (dragged.person, dragged.keypoint):
                landmark = dragged
            place = frame.place(*(landmark.pin or landmark.pixel))
            near = any(abs(place[0] - x) < APART * scale() and abs(place[1] - y) < APART * scale() for x, y in taken)
            if (near and landmark.pin is None) or len(taken) == MOST:
                continue
            handle, target = handles[len(taken)], self.targets[len(taken)]
            handle.hide, handle.place, handle.label = False, place, pin_words(landmark.keypoint)
            handle.tint = FREE if landmark.pin is None else PINNED
            target.person, target.keypoint = landmark.person, landmark.keypoint
            taken.append(place)
        for handle in handles[len(taken) :]:
            handle.hide = True


class SAPIENS2_GT_pin_lines(bpy.types.Gizmo):
    """Lines from where the avatar has a landmark to its pin."""

    bl_idname = "SAPIENS2_GT_pin_lines"

    def draw(self, context: Context) -> None:
        look = look_in(context)
        if look is None or (frame := look.frame) is None:
            return
        shown = [mark for mark in landmarks(look) if mark.pin is not None] if context.scene.sapiens2.look.show_pins else []
        if dragged is not None:
            shown.append(dragged)
        ends = [frame.place(*end) for landmark in shown for end in (landmark.pixel, landmark.pin) if end is not None]
        if ends:
            draw_shape("LINES", ends, PINNED, 1.5)

    def test_select(self, _context: Context, _location: object) -> int:
        return -1


CLASSES = (SAPIENS2_GT_pin_lines, SAPIENS2_GGT_pins)
