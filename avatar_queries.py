"""What is known of the avatar that the artist means, for panels and operators to ask."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

if TYPE_CHECKING:
    from .core.common.arrays import Camera
    from .scene.through_photo import PhotoFrame


def avatars(context: bpy.types.Context) -> list[bpy.types.Collection]:
    """The avatars of the scene."""
    from .scene.people import avatars_of
    from .scene.typed import scene_of

    return avatars_of(scene_of(context))


def active_avatar(context: bpy.types.Context) -> bpy.types.Collection | None:
    """The avatar that every button acts on; see `scene.people.active_avatar`."""
    from .scene.people import active_avatar as of_scene

    return of_scene(context)


def meant_avatar(context: bpy.types.Context) -> bpy.types.Collection:
    """As `active_avatar`. Raises SapiensError where there is none."""
    from .core.common.errors import SapiensError

    avatar = active_avatar(context)
    if avatar is None:
        raise SapiensError("There is no avatar in the scene.", "Make one from a photo first.")
    return avatar


def is_of_avatar(obj: bpy.types.Object | None) -> bool:
    """Whether a build has made the object, or it is a copy of one that a build has made, or the control rig of one."""
    from .scene.control_rig import CONTROLS
    from .scene.marks import ROLE

    if obj is None or ROLE in obj:
        return obj is not None
    return obj.type == "ARMATURE" and any(rig.get(CONTROLS) == obj for rig in bpy.data.objects if CONTROLS in rig)


def is_linked(avatar: bpy.types.Collection) -> bool:
    """Whether an avatar is another file's, linked or overridden, and cannot be changed here."""
    return avatar.library is not None or avatar.override_library is not None


def has_lost_rig(context: bpy.types.Context) -> bool:
    """Whether the avatar that the artist means has followed a rig that is gone."""
    from .scene.marks import made_in

    collection = active_avatar(context)
    made = {} if collection is None else made_in(collection)
    persons = {key[1] for key in made if key[0] == "rig"}
    followers = [obj for key, obj in made.items() if key[0] != "rig" and key[1] not in persons]
    return any(modifier.type == "ARMATURE" and modifier.object is None for obj in followers for modifier in obj.modifiers)


def active_predictions(context: bpy.types.Context) -> str:
    """Path of the predictions of the avatar that the artist means, else of those that were used last; empty for none."""
    from .scene.marks import source_of

    collection = active_avatar(context)
    return bpy.path.abspath(context.scene.sapiens2.predictions) if collection is None else source_of(collection)


def is_beside(predictions: str) -> bool:
    """Whether a file lies in the folder of the open file."""
    return bool(bpy.data.filepath and predictions) and Path(predictions).is_relative_to(Path(bpy.data.filepath).parent)


def matched_camera(context: bpy.types.Context) -> dict | None:
    """What is known of the lens of the avatar that the artist means: the fields of `core.common.arrays.Camera`, and
    `focal_lengths`, source -> pixels. None where there is no avatar."""
    from .scene.marks import CAMERA, made_in

    collection = active_avatar(context)
    camera = None if collection is None else made_in(collection).get(("camera", "", ""))
    return None if camera is None or CAMERA not in camera else json.loads(camera[CAMERA])


def avatar_rigs(context: bpy.types.Context) -> list[bpy.types.Object]:
    """The rigs of the avatar that the artist means, one for each person who has one."""
    from .scene.marks import made_in

    collection = active_avatar(context)
    return [] if collection is None else [obj for key, obj in made_in(collection).items() if key[0] == "rig"]


def is_photo_pose(context: bpy.types.Context) -> bool:
    """Whether a rig of the avatar that the artist means lies as in the photo."""
    from .scene.photo_pose import photo_pose_shown

    return any(photo_pose_shown(rig) for rig in avatar_rigs(context))


def has_controls(context: bpy.types.Context) -> bool:
    """Whether a rig of the avatar that the artist means has a control rig."""
    from .scene.control_rig import controls_of

    return any(controls_of(rig) is not None for rig in avatar_rigs(context))


def is_rigify_enabled() -> bool:
    """Whether the add-on is on that makes control rigs."""
    from .scene.control_rig import is_rigify_enabled as is_enabled

    return is_enabled()


def rig_doubts(context: bpy.types.Context) -> list[str]:
    """What is doubtful about the rigs of the avatar that the artist means, in sentences; empty where the network was sure."""
    from .scene.armature import DOUBT

    return list(dict.fromkeys(rig[DOUBT] for rig in avatar_rigs(context) if DOUBT in rig))


@dataclass(frozen=True)
class Look:
    """An avatar that the artist looks at through its photo.

    lens   of the photo
    frame  where the photo is in the region of the context; None where that looks from elsewhere
    """

    avatar: bpy.types.Collection
    camera: bpy.types.Object
    lens: Camera
    frame: PhotoFrame | None


def look_in(context: bpy.types.Context) -> Look | None:
    """What the artist looks at through its photo in the scene of the context; None where they do not, or what
    that needs is gone."""
    from .scene.through_photo import photo_camera, photo_frame
    from .scene.typed import region_of, view_of

    look = context.scene.sapiens2.look
    avatar: bpy.types.Collection | None = look.avatar
    found = photo_camera(avatar) if look.scene_before and avatar is not None else None
    if avatar is None or found is None or context.scene.camera != found[0]:
        return None
    view, region = view_of(context), region_of(context)
    frame = None
    if view is not None and region is not None and region.type == "WINDOW" and context.space_data.camera == found[0]:
        frame = photo_frame(region, view, *found)
    return Look(avatar, *found, frame)


def active_pins(context: bpy.types.Context) -> list[tuple[int, str]]:
    """Row of the person and words of each pin of the avatar that the artist means."""
    from .scene.pins import pin_words, pins_of

    return [(pin.person, pin_words(pin.keypoint)) for pin in pins_of(active_avatar(context))]
