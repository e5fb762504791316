"""Avatars into the scene: one collection per photo with the body, the scan, the rig and the matched camera."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import bpy

from ..core.common.arrays import Avatar
from ..core.common.predictions import Predictions
from .armature import bind, write_armature
from .body import write_body
from .camera import match_render_size, write_camera
from .groups import write_skin_weights
from .material import Images, write_images, write_materials
from .mesh import write_mesh
from .photo_pose import photo_pose_actions, show_photo_pose
from .typed import scene_of

if TYPE_CHECKING:
    from ..core.settings import AvatarSettings

ROLE = "sapiens2_role"
PEOPLE = ("body", "scan")
"""Roles of the objects that show a person."""
SOURCE = "sapiens2_predictions"
PERSON = "sapiens2_person"
CAMERA = "sapiens2_camera"
"""Custom property of the camera: `core.common.arrays.Camera` and every focal length that was considered, as JSON."""


def objects_of(collections: Iterable[bpy.types.Collection], role: str) -> list[bpy.types.Object]:
    """What builds have put into the collections under a role: "body", "scan" (or its pieces), "rig", "camera"."""
    return [obj for collection in collections for obj in collection.all_objects if obj.get(ROLE) == role]


def has_person(collection: bpy.types.Collection) -> bool:
    """Whether a build has put a person into the collection: a body or a scan."""
    return any(obj.get(ROLE) in PEOPLE for obj in collection.objects)


def surfaces_of(collections: Iterable[bpy.types.Collection]) -> list[bpy.types.Object]:
    """What shows the people in the collections: bodies with what they wear, and the scans of those who have no body."""
    found = [obj for role in ("body", "garment") for obj in objects_of(collections, role)]
    embodied = {obj.get(PERSON) for obj in found}
    return found + [obj for obj in objects_of(collections, "scan") if obj.get(PERSON) not in embodied]


def find_collection(scene: bpy.types.Scene, source: str) -> bpy.types.Collection | None:
    """The collection of `scene` that was last built from the predictions at `source`."""
    found = [collection for collection in scene.collection.children_recursive if collection.get(SOURCE) == source]
    return found[-1] if found else None


def active_collection(context: bpy.types.Context, source: str = "") -> bpy.types.Collection | None:
    """The avatar that the artist means: of the active object, else built from `source`, else the only one in the scene."""
    built = [c for c in context.scene.collection.children_recursive if has_person(c)]
    active = context.view_layer.objects.active
    for collection in built:
        if active is not None and active.name in collection.objects:
            return collection
    return find_collection(scene_of(context), source) if source else (built[0] if len(built) == 1 else None)


def clear(collection: bpy.types.Collection) -> None:
    """Delete what a build has put into `collection`, with the data that nothing else uses any more."""
    clear_objects([obj for obj in collection.objects if ROLE in obj])


def clear_objects(objects: list[bpy.types.Object]) -> None:
    """Delete objects, and of their data, materials and images what nothing else uses any more."""
    data = {obj.data for obj in objects if obj.data is not None}
    materials = {slot.material for obj in objects for slot in obj.material_slots if slot.material is not None}
    images = {node.image for m in materials if m.node_tree for node in m.node_tree.nodes if node.type == "TEX_IMAGE"}
    images |= {bg.image for block in data if isinstance(block, bpy.types.Camera) for bg in block.background_images}
    actions = photo_pose_actions(objects)
    bpy.data.batch_remove(objects)
    for group in (data, materials, images - {None}, actions):
        bpy.data.batch_remove([block for block in group if block.users == 0])


@dataclass(frozen=True)
class Written:
    """What one avatar became: Blender objects, None where the avatar has no such part."""

    camera: bpy.types.Object
    scan: bpy.types.Object | None = None
    rig: bpy.types.Object | None = None
    body: bpy.types.Object | None = None


def build(
    predictions: Predictions,
    name: str = "Person",
    settings: AvatarSettings | None = None,
    *,
    scene: bpy.types.Scene | None = None,
    match_render: bool = False,
    progress: Callable[[str, float], None] | None = None,
) -> bpy.types.Collection:
    """Predictions to objects in `scene` (the context's scene without one), in a new collection named `name`.

    settings      `core.avatar.AvatarSettings`
    match_render  also set the scene's render size and camera to the photo's
    progress      called with (stage, fraction of the whole) before each stage

    Needs scipy and OpenCV, which Blender's own Python does not have: inside Blender the operators let the worker process
    make the avatars and call `write_avatars`. Raises SapiensError when there is no person or no surface.
    """
    from ..core.avatar import make_avatars

    return write_avatars(make_avatars(predictions, name, settings, progress), name, scene=scene, match_render=match_render)


def write_avatars(
    avatars: Iterable[Avatar],
    name: str,
    *,
    scene: bpy.types.Scene | None = None,
    source: str = "",
    match_render: bool = False,
    replace: bpy.types.Collection | None = None,
) -> bpy.types.Collection:
    """The avatars of one photo into a new collection of `scene`. People share the camera and the photo.

    source        path of the predictions, kept on the collection so that it can be built again
    match_render  also set the scene's render size and camera to the photo's
    replace       a collection of an earlier build: what was built goes, what the artist put into it stays

    Nothing else in the file changes.
    """
    scene = scene or scene_of(bpy.context)
    if replace is None:
        collection = bpy.data.collections.new(name)
        scene.collection.children.link(collection)
    else:
        collection = replace
        clear(collection)
    if source:
        collection[SOURCE] = source
    camera = photo = None
    for avatar in avatars:
        images = write_images(avatar, photo)
        photo = images.photo
        written = write_avatar(avatar, collection, images=images, camera=camera)
        camera = written.camera
        if match_render:
            match_render_size(scene, avatar.camera, camera)
    return collection


def write_avatar(
    avatar: Avatar,
    collection: bpy.types.Collection,
    *,
    images: Images | None = None,
    camera: bpy.types.Object | None = None,
) -> Written:
    """One avatar into `collection`: new objects with the custom property `sapiens2_role`, images packed.

    `images` and `camera`: those that another person of the same photo has written already.
    """
    images = images or write_images(avatar)
    scan = _write_scan(avatar, collection, images) if avatar.mesh is not None else None
    if camera is None:
        camera = write_camera(avatar.camera, avatar.world_from_camera, images.photo, f"{avatar.name} Camera", collection)
        camera[ROLE] = "camera"
        camera[CAMERA] = json.dumps({**asdict(avatar.camera), "focal_lengths": dict(avatar.focal_lengths)})
    rig = None
    if avatar.rig is not None:
        rig = write_armature(avatar.rig, avatar.world_from_camera, f"{avatar.name} Rig", collection)
        rig[ROLE], rig[PERSON] = "rig", avatar.name
        if scan is not None:
            if avatar.weights is not None:
                write_skin_weights(scan, avatar.weights, avatar.rig)
            bind(scan, rig)
    body = None
    if avatar.body is not None:
        body = write_body(avatar.body, avatar.rig, f"{avatar.name} Body", avatar.world_from_camera, collection, rig)
        body[ROLE], body[PERSON] = "body", avatar.name
        if rig is not None:
            show_photo_pose(rig, True)
    for obj in (body, scan):
        if obj is not None and avatar.notes:
            obj["sapiens2_notes"] = "\n".join(avatar.notes)
    return Written(camera, scan, rig, body)


def _write_scan(avatar: Avatar, collection: bpy.types.Collection, images: Images) -> bpy.types.Object:
    """The scan with its materials, not bound to a rig yet."""
    assert avatar.mesh is not None
    scan = write_mesh(avatar.mesh, f"{avatar.name} Scan", avatar.world_from_camera, collection, avatar.parts)
    scan[ROLE], scan[PERSON] = "scan", avatar.name
    write_materials(scan, avatar, images)
    return scan
