"""The corrective shape keys of what follows a rig, and the drivers that let them follow its bones."""

from __future__ import annotations

import bpy
import numpy as np

from ..core.common.arrays import RigData, SkinWeights
from ..core.common.spaces import transform_vectors
from ..core.rig.correctives import CORRECTIVES, corrective_offsets
from .typed import mesh_of

VARIABLE = "angle"
"""The name that `core.rig.correctives.Corrective.expression` has for what the driver reads."""


def write_correctives(
    obj: bpy.types.Object, points: np.ndarray, weights: SkinWeights, rig: RigData, world_from_camera: np.ndarray
) -> None:
    """Add the keys to a mesh object at rest in world space, whose (V, 3) points are these in the space of the rig; at 0."""
    found = corrective_offsets(points, weights, rig)
    if not found:
        return
    mesh = mesh_of(obj)
    if mesh.shape_keys is None:
        obj.shape_key_add(name="Basis", from_mix=False)
    keys = mesh.shape_keys
    assert keys is not None  # made just now
    basis = np.empty(3 * len(mesh.vertices), np.float32)
    keys.reference_key.data.foreach_get("co", basis)
    for name, offsets in found.items():
        key = keys.key_blocks.get(name) or obj.shape_key_add(name=name, from_mix=False)
        key.value = 0.0  # 5.0 makes keys with the value 1
        moved = transform_vectors(world_from_camera, np.ascontiguousarray(offsets, np.float32))
        key.data.foreach_set("co", basis + moved.ravel())
    obj.active_shape_key_index = 0


def drive_correctives(obj: bpy.types.Object, armature: bpy.types.Object | None) -> None:
    """Let the keys of an object follow the bones of this armature: those of ours, or those of a control rig that deform. Without
    an armature, or the bone, a key is still, at 0."""
    keys = obj.data.shape_keys if isinstance(obj.data, bpy.types.Mesh) else None
    if keys is None or keys.library is not None:
        return
    for corrective in CORRECTIVES:
        key = keys.key_blocks.get(corrective.name)
        if key is None:
            continue
        bones = armature.data.bones if armature is not None and isinstance(armature.data, bpy.types.Armature) else ()
        bone = next((name for name in (corrective.bone, f"DEF-{corrective.bone}") if name in bones), None)
        key.driver_remove("value")
        key.value = 0.0
        if bone is None:
            continue
        driver = key.driver_add("value").driver
        variable = driver.variables.new()
        variable.name, variable.type = VARIABLE, "TRANSFORMS"
        target = variable.targets[0]
        target.id, target.bone_target = armature, bone
        target.transform_type = "ROT_X" if corrective.bends else "ROT_Y"
        target.transform_space, target.rotation_mode = "LOCAL_SPACE", "SWING_TWIST_Y"
        driver.type, driver.expression = "SCRIPTED", corrective.expression
