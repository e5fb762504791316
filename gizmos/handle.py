"""A handle: a dot in the pixels of a region, with a name while the pointer is over it. A press runs its operator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import blf
import bpy
import gpu
import numpy as np
from bpy.types import Context, Event, Gizmo
from gpu_extras.batch import batch_for_shader

RADIUS, REACH = 5.0, 11.0
"""Pixels at a display scale of 1: of the dot, and round its middle where a press takes it."""
CORNERS = 20
Colour = tuple[float, float, float, float]
DARK: Colour = (0.0, 0.0, 0.0, 0.6)
LIGHT: Colour = (1.0, 1.0, 1.0, 1.0)


def scale() -> float:
    return bpy.context.preferences.system.ui_scale


def pressed_at(_context: Context, event: Event) -> tuple[int, int]:
    """Where in its region the drag of a handle begins: Blender may call the handle's operator at the first movement."""
    return event.mouse_region_x, event.mouse_region_y


def draw_dot(place: Sequence[float], radius: float, colour: Colour) -> None:
    """A filled circle with a dark rim."""
    turn = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    for size, shade in ((radius + 1.5, DARK), (radius, colour)):
        draw_shape("TRI_FAN", (np.array(place) + size * circle).tolist(), shade)


def draw_shape(kind: str, points: Sequence[Sequence[float]], colour: Colour, width: float = 1.0) -> None:
    """Triangles or lines in the pixels of the region."""
    lines = kind.startswith("LINE")
    shader = gpu.shader.from_builtin("POLYLINE_UNIFORM_COLOR" if lines else "UNIFORM_COLOR")
    batch = batch_for_shader(shader, kind, {"pos": [(x, y, 0.0) for x, y in points]})
    gpu.state.blend_set("ALPHA")
    shader.bind()
    if lines:
        viewport: Any = gpu.state.viewport_get()  # x, y, width, height; the stubs say None
        shader.uniform_float("viewportSize", viewport[2:])
        shader.uniform_float("lineWidth", width)
    shader.uniform_float("color", colour)
    batch.draw(shader)
    gpu.state.blend_set("NONE")


def draw_words(text: str, place: Sequence[float]) -> None:
    """Text beside a place, with a shadow that tells it from the photo."""
    blf.size(0, 12 * scale())
    blf.enable(0, blf.SHADOW)
    blf.shadow(0, 5, 0.0, 0.0, 0.0, 1.0)
    blf.position(0, place[0] + 10 * scale(), place[1] + 6 * scale(), 0)
    blf.color(0, *LIGHT)
    blf.draw(0, text)
    blf.disable(0, blf.SHADOW)


class SAPIENS2_GT_handle(Gizmo):
    """place: (x, y) in pixels of the region."""

    bl_idname = "SAPIENS2_GT_handle"
    __slots__ = ("label", "place", "tint")

    def setup(self) -> None:
        self.place, self.label, self.tint = (0.0, 0.0), "", LIGHT

    def draw(self, _context: Context) -> None:
        draw_dot(self.place, scale() * RADIUS * (1.4 if self.is_highlight else 1.0), self.tint)
        if self.is_highlight and self.label:
            draw_words(self.label, self.place)

    def test_select(self, _context: Context, location: Sequence[float]) -> int:
        """0 where a press at this place of the region takes the handle, else -1."""
        reach = scale() * REACH
        return 0 if max(abs(location[0] - self.place[0]), abs(location[1] - self.place[1])) <= reach else -1


CLASSES = (SAPIENS2_GT_handle,)
