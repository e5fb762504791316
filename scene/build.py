"""Avatars into the scene: one collection per photo with the body, the scan, the rig and the matched camera."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import bpy
import numpy as np

from ..core.common.avatars import Avatar
from ..core.common.predictions import Predictions
from .armature import bind, write_armature
from .body import write_body
from .camera import match_render_size, write_camera
from .garments import write_garment
from .groups import write_skin_weights
from .marks import BOX, CAMERA, OTHERS, PHOTO, ROLE, SOURCE, made_in, mark, named_in_file, source_of, unmark
from .material import Images, write_images, write_materials
from .mesh import write_mesh
from .people import match_people, photo_box, photo_hash
from .photo_pose import photo_pose_actions, show_photo_pose
from .replace import check_free, replace_build
from .reshape import artist_shapes, note_numbers, restore_shapes
from .restore import whole_or_nothing
from .standing import MOVED, move_along
from .typed import scene_of

if TYPE_CHECKING:
    from ..core.settings import AvatarSettings


def find_collection(scene: bpy.types.Scene, source: str) -> bpy.types.Collection | None:
    """The collection of `scene` that was last built from the predictions at `source`."""
    found = [collection for collection in scene.collection.children_recursive if source_of(collection) == source]
    return found[-1] if found else None


def clear(collection: bpy.types.Collection) -> None:
    """Delete what a build has put into `collection`, with the data that nothing else uses any more; the artist's copies stay,
    and are the artist's own from now on. Raises SapiensError when an object cannot be deleted now."""
    made = list(made_in(collection).values())
    check_free(made)
    copies = [obj for obj in collection.all_objects if ROLE in obj and obj not in made]
    clear_objects(made)
    for copy in copies:
        unmark(copy)
    for key in (SOURCE, OTHERS, PHOTO, MOVED):
        if key in collection:
            del collection[key]


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
    garments: tuple[bpy.types.Object, ...] = ()


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
    notes: list[str] | None = None,
    others: Sequence[str] = (),
) -> bpy.types.Collection:
    """The avatars of one photo into a new collection of `scene`. People share the camera and the photo.

    source        path of the predictions, kept on the collection so that it can be built again
    match_render  also set the scene's render size and camera to the photo's
    replace       a collection of an earlier build of this photo: its objects stay and get what is built, whatever the artist
                  has done with them (`scene.replace`); people who are not among the avatars stay as they are
    notes         gets sentences about what was kept aside
    others        paths of the predictions of other photos that the avatars were made of, kept like `source`

    Nothing else in the file changes, and nothing at all when anything is raised. Raises SapiensError for a collection that cannot
    be built again now.
    """
    scene = scene or scene_of(bpy.context)
    said: list[str] = []
    with whole_or_nothing() as changes:
        staged = bpy.data.collections.new(name)
        if replace is not None:
            avatars = match_people(avatars, replace)
        camera = photo = lens = None
        for avatar in avatars:
            images = write_images(avatar, photo)
            if lens is None:
                staged[PHOTO] = photo_hash(avatar)
            lens, photo = avatar.camera, images.photo
            camera = write_avatar(avatar, staged, images=images, camera=camera).camera
        if source:
            staged[SOURCE] = named_in_file(source)
        if others:
            staged[OTHERS] = "\n".join(map(named_in_file, others))
        if replace is None:
            scene.collection.children.link(staged)
            collection = staged
        else:
            move_along(staged.objects, replace)
            for key in (SOURCE, PHOTO):
                if key in staged:
                    changes.put(replace, key, staged[key])
            changes.put(replace, OTHERS, staged.get(OTHERS))
            shapes = artist_shapes(replace)
            said = replace_build(replace, staged, changes)
            changes.at_the_end(lambda: restore_shapes(replace, shapes))
            collection = replace
    if notes is not None:
        notes += said
    if match_render and lens is not None:
        match_render_size(scene, lens, made_in(collection)["camera", "", ""])
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
        mark(camera, "camera")
        camera[CAMERA] = json.dumps({**asdict(avatar.camera), "focal_lengths": dict(avatar.focal_lengths)})
    rig = None
    if avatar.rig is not None:
        rig = write_armature(avatar.rig, avatar.world_from_camera, f"{avatar.name} Rig", collection)
        mark(rig, "rig", avatar.name)
        if scan is not None:
            if avatar.weights is not None:
                write_skin_weights(scan, avatar.weights, avatar.rig)
            bind(scan, rig)
    body = None
    if avatar.body is not None:
        body = write_body(
            avatar.body,
            avatar.rig,
            f"{avatar.name} Body",
            avatar.world_from_camera,
            collection,
            rig,
            encoded=_encoded(avatar, "body"),
        )
        mark(body, "body", avatar.name)
        if avatar.body.shape is not None:
            note_numbers(body, avatar.body.shape)
        if rig is not None:
            show_photo_pose(rig, True)
    garments = []
    for k, garment in enumerate(avatar.garments):
        worn = write_garment(
            garment, avatar.rig, avatar.name, avatar.world_from_camera, collection, rig, _encoded(avatar, f"garment {k}")
        )
        mark(worn, "garment", avatar.name)
        garments.append(worn)
    for obj in (body, scan):
        if obj is not None:
            obj[BOX] = photo_box(avatar)
        if obj is not None and avatar.notes:
            obj["sapiens2_notes"] = "\n".join(avatar.notes)
    return Written(camera, scan, rig, body, tuple(garments))


def _encoded(avatar: Avatar, owner: str) -> dict[str, np.ndarray]:
    """The image files that were made already of the body or of a garment, by the names in `SurfaceTextures`."""
    prefix = f"{owner}."
    return {name.removeprefix(prefix): file for name, file in avatar.encoded.items() if name.startswith(prefix)}


def _write_scan(avatar: Avatar, collection: bpy.types.Collection, images: Images) -> bpy.types.Object:
    """The scan with its materials, not bound to a rig yet."""
    assert avatar.mesh is not None
    scan = write_mesh(avatar.mesh, f"{avatar.name} Scan", avatar.world_from_camera, collection, avatar.parts)
    mark(scan, "scan", avatar.name)
    write_materials(scan, avatar, images)
    return scan
