"""Exports through Blender's own exporters: glb, fbx, usd, obj, ply. Nothing is re-centred or rescaled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import bpy

from ..core.errors import SapiensError
from .files import write_whole

# suffix -> (operator, options). Every exporter is told to take the selected objects only.
FORMATS: dict[str, tuple[str, dict]] = {
    ".glb": ("export_scene.gltf", {"export_format": "GLB", "use_selection": True, "export_cameras": True, "export_yup": True}),
    ".gltf": ("export_scene.gltf", {"export_format": "GLTF_SEPARATE", "use_selection": True, "export_cameras": True, "export_yup": True}),
    ".fbx": ("export_scene.fbx", {"use_selection": True, "add_leaf_bones": False, "path_mode": "COPY", "embed_textures": True,
                                  "object_types": {"ARMATURE", "CAMERA", "MESH"}}),
    ".usd": ("wm.usd_export", {"selected_objects_only": True, "export_armatures": True}),
    ".usda": ("wm.usd_export", {"selected_objects_only": True, "export_armatures": True}),
    ".usdc": ("wm.usd_export", {"selected_objects_only": True, "export_armatures": True}),
    ".obj": ("wm.obj_export", {"export_selected_objects": True, "path_mode": "COPY"}),
    ".ply": ("wm.ply_export", {"export_selected_objects": True, "export_normals": True, "export_colors": "NONE"}),
}  # fmt: skip


def export(path: str | Path, collections: Sequence[bpy.types.Collection]) -> Path:
    """Write the objects of the collections in the format of the suffix; whole or not at all.

    The artist's selection is the same afterwards. Raises SapiensError for an unknown format, one that this Blender was built
    without, or a file that cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise SapiensError(f"{path.name} has no known format.", f"Choose one of {', '.join(FORMATS)}.")
    name, options = FORMATS[suffix]
    group, operator = name.split(".")
    function = getattr(getattr(bpy.ops, group), operator)
    try:
        function.get_rna_type()
    except KeyError as error:
        raise SapiensError(f"This Blender was built without the exporter for {suffix}.", "Choose another format.") from error
    with _selected([ob for collection in collections for ob in collection.all_objects]):
        return write_whole(path, lambda temporary: function(filepath=str(temporary), **options))


def export_bvh(path: str | Path, armature: bpy.types.Object, first: int, last: int) -> Path:
    """Write the motion of an armature between two frames as BVH, through Blender's exporter. Raises SapiensError."""
    with _selected([armature]):
        bpy.context.view_layer.objects.active = armature
        return write_whole(
            Path(path),
            lambda temporary: bpy.ops.export_anim.bvh(
                filepath=str(temporary), frame_start=first, frame_end=last, root_transform_only=True
            ),
        )


@contextmanager
def _selected(objects: Sequence[bpy.types.Object]) -> Iterator[None]:
    """Select these objects alone, and put the selection and the active object back."""
    layer = bpy.context.view_layer
    before, active = [ob.name for ob in layer.objects if ob.select_get()], layer.objects.active
    for ob in layer.objects:
        ob.select_set(False)
    for ob in objects:
        if ob.name in layer.objects:
            ob.select_set(True)
    try:
        yield
    finally:
        for ob in layer.objects:
            ob.select_set(ob.name in before)
        layer.objects.active = active
