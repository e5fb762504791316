"""A scene of our own with one object in it, so that the artist's scene, selection and mode stay out of what is done to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import bpy


@contextmanager
def alone(obj: bpy.types.Object | None = None) -> Iterator[bpy.types.ViewLayer]:
    """The view layer of a new scene that holds nothing but this object; None = nothing at all. The scene is gone afterwards.

    Bringing the layer up to date evaluates this object and what it needs, never the artist's scene.
    """
    scene = bpy.data.scenes.new(".sapiens2")
    try:
        if obj is not None:
            scene.collection.objects.link(obj)
        yield scene.view_layers[0]
    finally:
        bpy.data.scenes.remove(scene)


def operators_see(obj: bpy.types.Object, layer: bpy.types.ViewLayer) -> AbstractContextManager:
    """Inside, operators find this object active in the scene of this layer, whatever the artist is editing meanwhile."""
    return bpy.context.temp_override(scene=layer.id_data, view_layer=layer, active_object=obj, object=obj, edit_object=None)
