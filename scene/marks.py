"""What a build writes on its objects, and how they are told from the copies that an artist makes of them.

A copy (Shift+D) has all custom properties of the object that it was made from, its role included: they say what an object shows,
not whose it is. What a copy cannot have is the original's name, which the original keeps as a custom property, and the original's
place in the collection, which is before that of every copy.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import bpy

ROLE = "sapiens2_role"
PERSON = "sapiens2_person"
PIECE = "sapiens2_piece"
"""Custom property of a scan that was taken apart: which piece it is (`core.surface.materials.Material.piece`)."""
GARMENT = "sapiens2_garment"
NAME = "sapiens2_name"
"""Custom property of an object: the name that a build gave it."""
BOX = "sapiens2_box"
"""Custom property of an object: where its person is in the photo, x1, y1, x2, y2 as shares of its width and height, from the
upper left."""
SOURCE = "sapiens2_predictions"
"""Custom property of a collection: path of the predictions that it was last built from; after // it counts from the folder of the
file, as those that lie beside it are named (`named_in_file`)."""
OTHERS = "sapiens2_others"
"""Custom property of a collection: paths of the predictions of other photos of the person, in lines, named like SOURCE."""
PHOTO = "sapiens2_photo"
"""Custom property of a collection: what its photo is known by, the hash of the file."""
CAMERA = "sapiens2_camera"
"""Custom property of the camera: `core.common.arrays.Camera` and every focal length that was considered, as JSON."""
SHAPE = "sapiens2_shape"
"""Custom property of a body: the numbers of its shape (`core.body.evaluate.Shape.numbers`)."""
PHOTO_SHAPE = "sapiens2_photo_shape"
"""Custom property of a body: the numbers that its photo gave."""
PEOPLE = ("body", "scan")
"""Roles of the objects that show a person."""

Key = tuple[str, str, str]
"""Role, person, and which of several: a piece of a scan, a kind of garment."""


def mark(obj: bpy.types.Object, role: str, person: str = "") -> None:
    """Say what a new object is. `person`: whose; empty for what all people of a photo share."""
    obj[ROLE] = role
    if person:
        obj[PERSON] = person
    sign(obj)


def sign(obj: bpy.types.Object) -> None:
    """Note the name that an object has from us. Also to be called when we change it."""
    obj[NAME] = obj.name


def unmark(obj: bpy.types.Object) -> None:
    """From now on the object is the artist's own."""
    for name in (ROLE, PERSON, PIECE, GARMENT, NAME, BOX, SHAPE, PHOTO_SHAPE):
        if name in obj:
            del obj[name]


def source_of(collection: bpy.types.Collection) -> str:
    """Path of the predictions that a collection was last built from; "" for none."""
    name = collection.get(SOURCE, "")
    return bpy.path.abspath(name, library=collection.library) if isinstance(name, str) else ""


def named_in_file(path: str) -> str:
    """How the open file names a path: what lies in its folder counts from there, so that both can be moved together."""
    folder = Path(bpy.data.filepath).parent
    beside = bool(bpy.data.filepath) and Path(path).is_relative_to(folder)
    return f"//{Path(path).relative_to(folder).as_posix()}" if beside else path


def key_of(obj: bpy.types.Object) -> Key:
    return obj.get(ROLE, ""), obj.get(PERSON, ""), obj.get(PIECE, "") or obj.get(GARMENT, "")


def made_in(collection: bpy.types.Collection) -> dict[Key, bpy.types.Object]:
    """The objects of the last build of an avatar, by what they are, without the artist's copies of them.

    An object that the artist has moved to another collection is found through its parent, its children or its rig.
    """
    inside = [obj for obj in collection.all_objects if obj.get(ROLE)]
    near = [obj for obj in _relatives(set(inside)) if obj.get(ROLE) and not _in_avatar(obj)]
    found: dict[Key, list[bpy.types.Object]] = {}
    for obj in dict.fromkeys((*inside, *near)):
        found.setdefault(key_of(obj), []).append(obj)
    apart = {(role, person) for role, person, which in found if role == "scan" and which}
    for key in [("scan", person, "") for _, person in apart]:
        found.pop(key, None)  # of a scan that was taken apart, what is whole is a copy
    return {key: next((obj for obj in same if obj.get(NAME) == obj.name), same[0]) for key, same in found.items()}


def _relatives(objects: set[bpy.types.Object]) -> Iterable[bpy.types.Object]:
    """Parents, rigs and children of objects."""
    above = [other for obj in objects for other in (obj.parent, *(m.object for m in obj.modifiers if m.type == "ARMATURE"))]
    below = [obj for obj in bpy.data.objects if obj.parent is not None and obj.parent in objects]
    return [obj for obj in (*above, *below) if obj is not None]


def _in_avatar(obj: bpy.types.Object) -> bool:
    return any(is_avatar(collection) for collection in obj.users_collection)


def is_avatar(collection: bpy.types.Collection) -> bool:
    """Whether a build has made the collection, and something of it is still there."""
    if SOURCE in collection or PHOTO in collection:
        return any(obj.get(ROLE) for obj in collection.all_objects)
    return has_person(collection)


def objects_of(collections: Iterable[bpy.types.Collection], role: str) -> list[bpy.types.Object]:
    """What builds have put into the collections under a role: "body", "scan" (or its pieces), "rig", "camera"; copies too."""
    return [obj for collection in collections for obj in collection.all_objects if obj.get(ROLE) == role]


def has_person(collection: bpy.types.Collection) -> bool:
    """Whether a build has put a person into the collection: a body or a scan."""
    return any(obj.get(ROLE) in PEOPLE for obj in collection.objects)


def surfaces_of(collections: Iterable[bpy.types.Collection]) -> list[bpy.types.Object]:
    """What shows the people in the collections: bodies with what they wear, and the scans of those who have no body."""
    found = [obj for role in ("body", "garment") for obj in objects_of(collections, role)]
    embodied = {obj.get(PERSON) for obj in found}
    return found + [obj for obj in objects_of(collections, "scan") if obj.get(PERSON) not in embodied]
