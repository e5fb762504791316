"""What is known of the avatar that the artist means, for panels and operators to ask."""

from __future__ import annotations

import json
from pathlib import Path

import bpy


def avatars(context: bpy.types.Context) -> list[bpy.types.Collection]:
    """The avatars of the scene."""
    from .scene.people import avatars_of
    from .scene.typed import scene_of

    return avatars_of(scene_of(context))


def active_avatar(context: bpy.types.Context) -> bpy.types.Collection | None:
    """The avatar that every button acts on; see `scene.people.active_avatar`."""
    from .scene.people import active_avatar as of_scene

    return of_scene(context)


def is_of_avatar(obj: bpy.types.Object | None) -> bool:
    """Whether a build has made the object, or it is a copy of one that a build has made."""
    from .scene.marks import ROLE

    return obj is not None and ROLE in obj


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
