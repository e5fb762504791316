"""Changes of the file that are made whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import bpy
from mathutils import Matrix

KINDS = ("objects", "meshes", "armatures", "cameras", "actions", "materials", "node_groups", "images", "collections", "scenes")
"""What a build makes, users before what they use."""


class Changes:
    """What was changed of data that were there before, so that it can be taken back; and what may only be done at the end."""

    def __init__(self) -> None:
        self._back: list[Callable[[], object]] = []
        self._last: list[Callable[[], object]] = []

    def set(self, owner: bpy.types.bpy_struct, name: str, value: object) -> None:
        """Set an attribute of Blender's data."""
        before = getattr(owner, name)
        self._back.append(partial(setattr, owner, name, before.copy() if isinstance(before, Matrix) else before))
        setattr(owner, name, value)

    def put(self, owner: bpy.types.ID, key: str, value: object) -> None:
        """Set a custom property; None removes it."""
        if key in owner:
            self._back.append(partial(owner.__setitem__, key, owner[key]))
        elif value is not None:
            self._back.append(partial(owner.__delitem__, key))
        if value is not None:
            owner[key] = value
        elif key in owner:
            del owner[key]

    def set_slot(self, mesh: bpy.types.Mesh, slot: int, material: bpy.types.Material) -> None:
        """Exchange the material of a slot."""
        self._back.append(partial(mesh.materials.__setitem__, slot, mesh.materials[slot]))
        mesh.materials[slot] = material

    def at_the_end(self, step: Callable[[], object]) -> None:
        """To be done when nothing can go wrong any more: what deletes and what renames."""
        self._last.append(step)

    def finish(self) -> None:
        for step in self._last:
            step()

    def take_back(self) -> None:
        for step in reversed(self._back):
            step()


@contextmanager
def whole_or_nothing() -> Iterator[Changes]:
    """Inside, build and change; when anything is raised, what was changed is as before and what was made is gone."""
    before = {kind: {block.session_uid for block in getattr(bpy.data, kind)} for kind in KINDS}
    changes = Changes()
    try:
        yield changes
    except BaseException:
        changes.take_back()
        for kind in KINDS:
            bpy.data.batch_remove([block for block in getattr(bpy.data, kind) if block.session_uid not in before[kind]])
        raise
    changes.finish()
