"""Blender 4.2 keeps a scene in `bpy.context` that may be gone."""

from __future__ import annotations

import bpy


def renew_context_scene() -> None:
    """Let `bpy.context` know no scene but the present one.

    Whoever asks Blender 4.2 for `bpy.context.layer_collection`, as Rigify and other add-ons do, leaves the present scene in the
    context itself. What is set by way of the context later, as the glTF exporter sets `bpy.context.window.scene`, marks that
    scene as changed; where it has gone with its file, Blender writes into memory that is no longer its own, and crashes. To ask
    again puts the present scene there. To be called when scenes may have gone, and before an exporter runs.
    """
    if bpy.app.version < (4, 5):
        _ = bpy.context.layer_collection
