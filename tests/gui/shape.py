"""The sliders of a body's shape, dragged with the mouse. Runs inside Blender, see driver.py."""

from __future__ import annotations

import bpy
import numpy as np
from driver import NET, drag, find_button, key, picture, redraws, rest, until
from faces import unfold
from steps import at_rest, project, settings, store_predictions


def body_points():
    """(V, 3) where the vertices of the body rest now."""
    body = next(obj for obj in bpy.data.objects if obj.get("sapiens2_role") == "body")
    points = np.empty(3 * len(body.data.vertices), np.float32)
    body.data.vertices.foreach_get("co", points)
    return points.reshape(-1, 3)


def apart(first, second):
    return float(np.linalg.norm(first - second, axis=1).max())


def dragged():
    """A slider changes the body while it is dragged; one Ctrl+Z takes the whole drag back; As in the Photo too."""
    yield from project("avatar")
    store_predictions()
    bpy.ops.sapiens2.run("INVOKE_DEFAULT", True)
    yield from until(at_rest, NET)
    yield from unfold(50, "Shape")
    yield from rest()
    picture("shape", crop_panel=True)
    before, weight = body_points(), settings().shape.weight
    x, y = yield from find_button("sapiens2.shape.weight")
    redraws.begin("drag")
    yield from drag((x, y), (x + 60, y))
    redraws.label = ""
    yield from until(lambda: settings().shape.weight > weight + 0.05, NET)
    heavy = body_points()
    yield from rest()
    picture("heavier")
    yield from key("z", "Control_L", then=lambda: abs(settings().shape.weight - weight) < 1e-6)
    undone = body_points()
    settings().shape.height = 1.0
    bpy.ops.ed.undo_push(message="taller")
    tall = body_points()
    bpy.ops.sapiens2.shape_photo("INVOKE_DEFAULT", True)
    yield from until(lambda: settings().shape.height < 0.99, NET)
    return {
        "heavier": apart(before, heavy),
        "undone": apart(before, undone),
        "taller": float(np.ptp(tall[:, 2]) - np.ptp(before[:, 2])),
        "photo": apart(before, body_points()),
    }
