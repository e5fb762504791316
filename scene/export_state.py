"""The scene as exporters need it, for the moment that they take: they leave out what is hidden or cannot be selected, and write
armatures that show their rest position without motion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import bpy

from ..core.common.errors import SapiensError


@contextmanager
def selected(objects: Sequence[bpy.types.Object], motion: bool = False) -> Iterator[None]:
    """Select these objects alone; the selection and the active object are put back.

    What the artist has hidden stays out, but for armatures, without which nothing bends: those are selected wherever they hide.
    motion  armatures show their pose

    Raises SapiensError where all that could be seen is hidden.
    """
    layer = bpy.context.view_layer
    before, active = [ob.name for ob in layer.objects if ob.select_get()], layer.objects.active
    rigs = [ob for ob in objects if ob.type == "ARMATURE"]
    meshes = [ob for ob in objects if ob.type == "MESH"]
    if meshes and not any(ob.visible_get() for ob in meshes):
        raise SapiensError("All that would be exported is hidden.", "Show it in the outliner (H hides, Alt H shows).")
    undo = _Undo()
    try:
        for rig in rigs:
            _bring_out(rig, undo)
            if motion and rig.data is not None:
                undo.set(rig.data, "pose_position", "POSE")
        for ob in layer.objects:
            ob.select_set(False)
        for ob in objects:
            if ob.name in layer.objects and ob.visible_get():
                undo.set(ob, "hide_select", False)
                ob.select_set(True)
        yield
    finally:
        for ob in layer.objects:
            ob.select_set(False)
        undo.all()
        for name in before:
            if (ob := layer.objects.get(name)) is not None:
                ob.select_set(True)
        layer.objects.active = active


class _Undo:
    """Values and links that were changed, to be put back in the opposite order."""

    def __init__(self) -> None:
        self.steps: list = []

    def set(self, owner: bpy.types.ID, name: str, value: object) -> None:
        """Set a property, unless it has this value or belongs to a library, which lets nobody change it."""
        before = getattr(owner, name)
        if before == value or owner.library is not None:
            return
        setattr(owner, name, value)
        self.steps.append(lambda: setattr(owner, name, before))

    def all(self) -> None:
        while self.steps:
            self.steps.pop()()


def _bring_out(obj: bpy.types.Object, undo: _Undo) -> None:
    """Let an object be seen: by itself, and where its collections hide it."""
    layer, collection = bpy.context.view_layer, bpy.context.scene.collection
    undo.set(obj, "hide_viewport", False)
    undo.set(obj, "hide_select", False)
    if obj.name in layer.objects and obj.hide_get():
        obj.hide_set(False)
        undo.steps.append(lambda: obj.hide_set(True))
    if not obj.visible_get() and obj.name not in collection.objects:
        collection.objects.link(obj)  # nothing can hide what is right in the scene
        undo.steps.append(lambda: collection.objects.unlink(obj))
        layer.update()
        if obj.hide_get():
            obj.hide_set(False)
