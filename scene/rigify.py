"""What Rigify needs to generate from an armature: types, parameters and collections of its human metarig.

Written as Rigify stores it, so that it works whether Rigify is enabled now, later, or in another Blender.
"""

from __future__ import annotations

import bpy

from ..core.rig.rigify_types import RIGIFY_BONES, RIGIFY_COLLECTIONS, collection_of
from .typed import data_of

ENUMS = {"rotation_axis": ("automatic", "x", "z"), "limb_type": ("arm", "leg", "paw")}
"""Choices of Rigify's enum parameters in their order: what is stored is the index."""


def _storage(owner: bpy.types.bpy_struct) -> bpy.types.bpy_struct:
    """Where the values of properties that an add-on registers are kept: apart from the custom properties since 5.0."""
    return owner.bl_system_properties_get(do_create=True) if bpy.app.version >= (5, 0, 0) else owner


def write_rigify(obj: bpy.types.Object) -> None:
    """Make an armature with the metarig's bone names into a metarig."""
    assert isinstance(obj.data, bpy.types.Armature)
    uids = _write_collections(obj.data)
    for name, row in RIGIFY_BONES.items():
        bone = obj.pose.bones.get(name)
        if bone is None:
            continue
        store = _storage(bone)
        store["rigify_type"] = row.rigify_type
        parameters: dict[str, object] = {
            key: ENUMS[key].index(value) if key in ENUMS else int(value) if isinstance(value, bool) else value
            for key, value in row.parameters.items()
        }
        for key, collection in row.collections.items():
            parameters[key] = [{"uid": uids[collection], "name": collection}]
        if parameters:
            store["rigify_parameters"] = parameters


def adopt_rigify(kept: bpy.types.Object, obj: bpy.types.Object, before: bpy.types.Armature) -> None:
    """What Rigify needs, from the new rig `obj` for those bones of the rig `kept` that lack it; and what Rigify has noted on the
    armature `before`, the rig that it generated, for the armature that took its place."""
    for bone in obj.pose.bones:
        store, own = _storage(bone), _storage(kept.pose.bones[bone.name])
        for key in ("rigify_type", "rigify_parameters"):
            if key in store and key not in own:
                value = store[key]
                own[key] = value.to_dict() if hasattr(value, "to_dict") else value
    store, own = _storage(before), _storage(data_of(kept))
    for key, value in store.items():
        if key.startswith("rigify_") and key not in own:
            own[key] = value.to_dict() if hasattr(value, "to_dict") else value


def _write_collections(armature: bpy.types.Armature) -> dict[str, int]:
    """The bone collections of the metarig, each bone in its own; name -> the number by which Rigify refers to it."""
    uids = {}
    for uid, (name, row, _colours) in enumerate(RIGIFY_COLLECTIONS):
        collection = armature.collections.new(name)
        store = _storage(collection)
        store["rigify_uid"], store["rigify_ui_row"] = uid, row
        uids[name] = uid
    for bone in armature.bones:
        armature.collections[collection_of(bone.name)].assign(bone)
    return uids
