"""Where a new avatar stands: at the 3D cursor, as everything that Blender adds, and beside what stands there already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import bpy
import numpy as np
from mathutils import Vector

from .bounds import bounds_of
from .camera import PLACED
from .typed import layer_of, scene_of

MOVED = "sapiens2_moved"
"""Custom property of a collection: (x, y, z) in metres from where its photo puts the avatar to where it stands."""
SOLID = frozenset({"MESH", "CURVE", "SURFACE", "META", "FONT"})
GAP = 0.2
"""Metres between an avatar and what it stands beside."""
STEP = 0.1
"""Metres that a place beside something is a multiple of, so that the artist finds a plain number."""
GROUND = 0.2
"""Metres above the feet: what reaches no higher is stood upon."""
SETTING = 10.0
"""Metres: what is larger than this to both sides is where the scene plays, such as a landscape."""
FARTHEST = 50.0
"""Metres beyond which no place is looked for."""


def move(objects: Iterable[bpy.types.Object], by: Iterable[float]) -> None:
    """Move objects of a build, and what follows them, by (x, y, z) in metres."""
    offset = Vector(tuple(by))
    for obj in objects:
        if obj.parent is None:
            obj.location = obj.location + offset
            if PLACED in obj:
                obj[PLACED] = [value for row in obj.matrix_basis for value in row]


def move_along(objects: Iterable[bpy.types.Object], collection: bpy.types.Collection) -> None:
    """Move newly built objects by what the avatar that they are for was moved by."""
    move(objects, collection.get(MOVED, (0, 0, 0)))


def stand_free(context: bpy.types.Context, collection: bpy.types.Collection) -> str:
    """Move a new avatar to the 3D cursor, or to the next place along x where it stands in nothing: one after the other in a row.

    What is under its feet, around it like a room or a landscape, or hidden is not in its way. Where `FARTHEST` leaves no place to
    the right it goes to the left, and where there is none either it stands at the cursor. Returns a sentence about what it stands
    beside, empty where it stands at the cursor.
    """
    layer, cursor = layer_of(context), np.array(scene_of(context).cursor.location)
    # Whether something can be seen must not depend on what a view shows alone.
    visible = {obj.original for obj in context.evaluated_depsgraph_get().objects}
    own = list(collection.all_objects)
    solid = [obj for obj in own if obj.type in SOLID]
    if not solid:
        return ""
    low, high = (value + cursor for value in bounds_of(solid))
    seen = [obj for obj in layer.objects if obj.type in SOLID and obj in visible and obj not in own]
    ways = {obj.name: box for obj in seen if _is_in_the_way(box := bounds_of([obj]), low, high)}
    places = [place for side in (1, -1) if abs((place := _aside(low, high, ways, side))[0]) <= FARTHEST]
    aside, beside = places[0] if places else (0.0, "")
    moved = cursor + np.array([aside, 0.0, 0.0])
    if moved.any():
        move(own, moved)
        collection[MOVED] = moved.tolist()
        layer.update()
    return f"{collection.name} stands beside {beside}, which is at the 3D cursor." if beside else ""


@contextmanager
def at_origin(collection: bpy.types.Collection) -> Iterator[None]:
    """For the moment, an avatar stands where its photo puts it: by as much as it was moved to stand free, the artist's own moves
    kept. What belongs to a library stays."""
    layer, moved = bpy.context.view_layer, Vector(collection.get(MOVED, (0, 0, 0)))
    roots = [obj for obj in collection.all_objects if obj.parent is None and obj.library is None]
    before = [obj.location.copy() for obj in roots] if moved.length else []
    try:
        for obj, place in zip(roots, before, strict=False):
            obj.location = place - moved
        layer.update()
        yield
    finally:
        for obj, place in zip(roots, before, strict=False):
            obj.location = place
        layer.update()


def _is_in_the_way(box: tuple[np.ndarray, np.ndarray], low: np.ndarray, high: np.ndarray) -> bool:
    """Whether something is at the height of an avatar, wherever it is sideways, without being where the scene plays."""
    under, over = box
    if under[2] >= high[2] or over[2] <= low[2] + GROUND or over[1] <= low[1] or under[1] >= high[1]:
        return False
    is_around = (under[:2] < low[:2] - GAP).all() and (over > high + GAP).all()  # who is of the same size is in the way
    return not is_around and not (over - under > SETTING)[:2].all()


def _aside(low: np.ndarray, high: np.ndarray, ways: dict[str, tuple[np.ndarray, np.ndarray]], side: int) -> tuple[float, str]:
    """How far along x an avatar goes until nothing is in its way, and the name of what was first in it; side: 1 or -1."""
    aside, first = 0.0, ""
    for name, (under, over) in sorted(ways.items(), key=lambda way: side * (way[1][0][0] if side > 0 else way[1][1][0])):
        if under[0] < high[0] + aside and over[0] > low[0] + aside:
            reach = over[0] - low[0] if side > 0 else high[0] - under[0]
            aside, first = side * float(np.ceil((reach + GAP) / STEP) * STEP), first or name
    return aside, first
