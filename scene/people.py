"""Which person of a photo is which: by the photo's content and the place in it, not by names or options."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace

import bpy
import numpy as np

from ..core.common.avatars import Avatar
from .marks import BOX, CAMERA, PERSON, PHOTO, ROLE, is_avatar, made_in, source_of
from .typed import layer_of, scene_of

SAME_PLACE = 0.4
"""Intersection over union of two boxes from which they are of one person: other options of the network see other outlines, and
people who stand before each other share less."""


def photo_hash(avatar: Avatar) -> str:
    """What the photo of an avatar is known by: the hash of its pixels."""
    return image_hash(avatar.image)


def image_hash(image: np.ndarray) -> str:
    """The hash of the pixels (H, W, 3) uint8 of a photo."""
    image = np.ascontiguousarray(image)
    return hashlib.blake2b(image.tobytes() + str(image.shape).encode(), digest_size=16).hexdigest()


def photo_box(avatar: Avatar) -> tuple[float, float, float, float]:
    """Where the person is in the photo: x1, y1, x2, y2 as shares of its width and height, from the upper left. Of a body without
    a scan it is where the joints are."""
    if avatar.mesh is not None:
        low, high = avatar.mesh.uvs.min(axis=0), avatar.mesh.uvs.max(axis=0)
        return float(low[0]), float(1 - high[1]), float(high[0]), float(1 - low[1])
    if avatar.rig is None:
        return 0.0, 0.0, 1.0, 1.0
    joints = avatar.rig.heads.astype(np.float64)
    if avatar.rig.photo_from_rest is not None:
        joints = np.einsum("bij,bj->bi", avatar.rig.photo_from_rest[:, :3, :3], joints) + avatar.rig.photo_from_rest[:, :3, 3]
    size = avatar.camera.width, avatar.camera.height
    places = np.clip((avatar.camera.project(joints) + 0.5) / size, 0, 1)
    (left, top), (right, bottom) = places.min(axis=0).tolist(), places.max(axis=0).tolist()
    return left, top, right, bottom


def find_photo(
    scene: bpy.types.Scene, photo: str, source: str = "", first: bpy.types.Collection | None = None
) -> bpy.types.Collection | None:
    """The avatar in `scene` that was made from this photo (`photo_hash`), or from the predictions at `source`: `first` if it
    was, else the one that was built last."""
    found = [c for c in avatars_of(scene) if c.get(PHOTO) == photo or (source and source_of(c) == source)]
    return first if first in found else found[-1] if found else None


def avatars_of(scene: bpy.types.Scene) -> list[bpy.types.Collection]:
    """The collections of all avatars in a scene, in the order of the outliner."""
    return [collection for collection in scene.collection.children_recursive if is_avatar(collection)]


def active_avatar(context: bpy.types.Context) -> bpy.types.Collection | None:
    """The avatar that the artist means: that of the selection, else the one chosen in the list or built last, else the only one.

    Of several selected ones it is that of the active object. None where the scene has no avatar, or several and none is meant.
    """
    found = avatars_of(scene_of(context))
    objects = context.view_layer.objects
    selected = list(objects.selected)
    first = [objects.active] if objects.active is not None else []
    for obj in (*(first if first and first[0] in selected else ()), *selected, *first):
        for collection in found:
            if obj in collection.all_objects[:] or (obj.get(ROLE) and obj in made_in(collection).values()):
                return collection
    settings = getattr(scene_of(context), "sapiens2", None)
    if settings is not None and settings.avatar in found:
        return settings.avatar
    shown = bpy.path.abspath(settings.predictions) if settings is not None else ""
    last = [collection for collection in found if shown and source_of(collection) == shown]
    return last[-1] if last else found[0] if len(found) == 1 else None


def active_body(context: bpy.types.Context) -> tuple[bpy.types.Collection, bpy.types.Object] | None:
    """The body that the artist means, after its avatar: of several people that of the active object, else the first."""
    collection = active_avatar(context)
    if collection is None:
        return None
    bodies = {key[1]: obj for key, obj in made_in(collection).items() if key[0] == "body"}
    active = context.view_layer.objects.active
    person = active.get(PERSON, "") if active is not None else ""
    body = bodies.get(person) or next(iter(bodies.values()), None)
    return None if body is None else (collection, body)


def select_avatar(context: bpy.types.Context, collection: bpy.types.Collection) -> None:
    """Select what a build has made of an avatar, but for the camera, and nothing else; its rig becomes active, else a surface."""
    layer = layer_of(context)
    made = [obj for key, obj in made_in(collection).items() if key[0] != "camera" and obj.name in layer.objects]
    for obj in list(layer.objects.selected):
        obj.select_set(False, view_layer=layer)
    for obj in made:
        obj.select_set(True, view_layer=layer)
    if made:
        layer.objects.active = next((obj for obj in made if obj.get(ROLE) == "rig"), made[0])


def match_people(avatars: Iterable[Avatar], collection: bpy.types.Collection) -> list[Avatar]:
    """The avatars under the names that their people have in an earlier build; who was not in it gets a name of its own."""
    avatars = list(avatars)
    boxes: dict[str, tuple[float, ...] | None] = {}
    for obj in made_in(collection).values():
        if CAMERA not in obj and PERSON in obj:
            boxes[obj[PERSON]] = tuple(obj[BOX]) if BOX in obj else boxes.get(obj[PERSON])
    pairs = sorted(
        ((_overlap(photo_box(avatar), box), number, name) for number, avatar in enumerate(avatars) for name, box in boxes.items()
         if box is not None),
        reverse=True,
    )  # fmt: skip
    names: dict[int, str] = {}
    for overlap, number, name in pairs:
        if overlap >= SAME_PLACE and number not in names and name not in names.values():
            names[number] = name
    for number, avatar in enumerate(avatars):
        # Builds of older versions do not say where their people are.
        if number not in names and avatar.name in boxes and boxes[avatar.name] is None:
            names[number] = avatar.name
    taken = set(boxes)
    for number, avatar in enumerate(avatars):
        if number not in names:
            name, count = avatar.name, 2
            while name in taken:
                name, count = f"{avatar.name} {count}", count + 1
            names[number] = name
            taken.add(name)
    return [replace(avatar, name=names[number]) for number, avatar in enumerate(avatars)]


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Intersection over union."""
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    both = float(np.prod(np.maximum(high - low, 0)))
    whole = float(np.prod(np.subtract(a[2:], a[:2])) + np.prod(np.subtract(b[2:], b[:2]))) - both
    return both / whole if whole > 0 else 0.0
