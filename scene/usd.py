"""What Blender's USD exporter leaves out: how long a unit of the scene is, and the values of shape keys where nothing moves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import bpy
from mathutils import Matrix

from ..core.common.errors import SapiensError
from .units import metres_per_unit

SUFFIXES = (".usd", ".usda", ".usdc")
_WEIGHTS = re.compile(r"(?P<indent>[ \t]*)float\[\] blendShapeWeights\.timeSamples = \{\s*[-\d.]+: (?P<values>\[[^\]]*\]),?\s*\}")


@contextmanager
def in_metres() -> Iterator[None]:
    """For the moment everything in the scene hangs below one Empty that is scaled to metres: exporters that convert units take
    those of every scene for metres. Older ones say in the file how long one is. Raises SapiensError where another file owns an
    object.
    """
    scale, scene = metres_per_unit(), bpy.context.scene
    exporter = getattr(bpy.ops, "wm").usd_export  # noqa: B009, the stubs take it for a method
    if scale == 1.0 or "convert_scene_units" not in exporter.get_rna_type().properties:
        yield
        return
    tops = [obj for obj in scene.objects if obj.parent is None]
    if any(obj.library is not None for obj in tops):
        raise SapiensError(
            f"A unit of this scene is {scale:g} m, and '{next(o.name for o in tops if o.library)}' belongs to another file.",
            "Set Unit Scale to 1 (Scene properties > Units), or export FBX or glTF.",
        )
    before = [(obj, obj.parent_type, obj.matrix_parent_inverse.copy()) for obj in tops]
    root = bpy.data.objects.new("Metres", None)
    scene.collection.objects.link(root)
    try:
        root.scale = (scale,) * 3
        for obj in tops:
            obj.parent, obj.parent_type, obj.matrix_parent_inverse = root, "OBJECT", Matrix.Identity(4)
        bpy.context.view_layer.update()
        yield
    finally:
        for obj, kind, inverse in before:
            obj.parent, obj.parent_type, obj.matrix_parent_inverse = None, kind, inverse
        bpy.data.objects.remove(root)
        bpy.context.view_layer.update()


def shows_keys(objects: Sequence[bpy.types.Object]) -> bool:
    """Whether a shape key of one of these objects has a value."""
    keys = [obj.data.shape_keys for obj in objects if isinstance(obj.data, bpy.types.Mesh) and obj.data.shape_keys is not None]
    return any(key.value != 0.0 for block in keys for key in block.key_blocks[1:])


@contextmanager
def one_frame(objects: Sequence[bpy.types.Object]) -> Iterator[None]:
    """For the moment the scene's range is the frame that is shown, and these objects keep what they show in it.

    The exporter binds the values of shape keys to a skeleton only where it writes frames; in a file without any, readers see a
    face without its expression. All else stays without a time, also for readers that ask without one: objects that could move
    have copies in their place that cannot.
    """
    scene = bpy.context.scene
    span = scene.frame_start, scene.frame_end
    blocks = [block for obj in objects for block in (obj.data, getattr(obj.data, "shape_keys", None)) if block is not None]
    animated = {block.animation_data for block in blocks if block.library is None} - {None}
    free = [data for data in animated if not data.use_tweak_mode]
    before = [(data, data.action, getattr(data, "action_slot", None), data.use_nla) for data in free]
    try:
        scene.frame_start = scene.frame_end = scene.frame_current
        for data, *_ in before:
            data.action, data.use_nla = None, False
        with _still(objects):
            yield
    finally:
        for data, action, slot, nla in before:
            data.action, data.use_nla = action, nla
            if slot is not None:
                data.action_slot = slot
        scene.frame_start, scene.frame_end = span


@contextmanager
def _still(objects: Sequence[bpy.types.Object]) -> Iterator[None]:
    """Copies without animation in the place of what has some, under the same names, selected in their stead."""
    copies = {obj: obj.copy() for obj in objects if obj.animation_data is not None and obj.library is None}
    names = {obj: obj.name for obj in copies}
    try:
        for obj, copy in copies.items():
            copy.animation_data_clear()
            for collection in obj.users_collection:
                collection.objects.link(copy)
            obj.name, copy.name = f".{names[obj]}", names[obj]
            copy.select_set(obj.select_get())
            obj.select_set(False)
        _follow([*objects, *copies.values()], copies)
        bpy.context.view_layer.update()
        yield
    finally:
        _follow(objects, {copy: obj for obj, copy in copies.items()})
        for obj, copy in copies.items():
            bpy.data.objects.remove(copy)
            obj.name = names[obj]


def _follow(objects: Sequence[bpy.types.Object], instead: Mapping[bpy.types.Object, bpy.types.Object]) -> None:
    """Let objects whose parent or Armature modifier names a key of `instead` name its value."""
    for obj in objects:
        parent = obj.parent
        if parent is not None and parent in instead:
            inverse = obj.matrix_parent_inverse.copy()
            obj.parent, obj.matrix_parent_inverse = instead[parent], inverse
        for modifier in [m for m in obj.modifiers if isinstance(m, bpy.types.ArmatureModifier)]:
            rig = modifier.object
            if rig is not None and rig in instead:
                modifier.object = instead[rig]


def complete_usd(path: Path) -> None:
    """Give the values of shape keys in a text file to readers that ask without a time, too."""
    if path.suffix.lower() == ".usda":
        text = path.read_text("utf-8")
        path.write_text(_WEIGHTS.sub(r"\g<indent>float[] blendShapeWeights = \g<values>\n\g<0>", text), "utf-8")
