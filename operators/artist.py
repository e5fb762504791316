"""What the artist is in the middle of: a result that arrives meanwhile is held, and written when the artist is free."""

from __future__ import annotations

from typing import Literal

import bpy
from bpy.types import Context

OURS = "SAPIENS2_OT_"
RENDERS: dict[str, Literal["RENDER", "OBJECT_BAKE"]] = {"RENDER_OT_render": "RENDER", "OBJECT_OT_bake": "OBJECT_BAKE"}
"""Operators of Blender whose job (`bpy.app.is_job_running`) reads the scene in a thread of its own. Such an operator notices that
its job has ended at the next event of its window only, which may never come: whether it runs is asked of the job."""


def occupation(context: Context, *, modal: bool = True) -> str:
    """What the artist is in the middle of and has to end before data may change under it, as a short sentence; empty: nothing.

    Looks at all windows. An operator that moves, cuts or paints, or a drawer of brush strokes, keeps pointers to what it began
    with, and takes that back when it is cancelled; a mode has a copy of the mesh; a render reads it from another thread.

    modal  also count running operators. Those of add-ons may run for as long as Blender does, so the artist can say no.
    """
    windows = list(context.window_manager.windows)
    # A dialog and a render are running operators too, but what the artist sees of them has a better name.
    files = (area.spaces.active for window in windows for area in window.screen.areas if area.type == "FILE_BROWSER")
    if any(getattr(space, "active_operator", None) is not None for space in files):
        return _sentence("A file dialog is open: close it")
    if any(bpy.app.is_job_running(kind) for kind in RENDERS.values()):
        return _sentence("Blender is rendering: let it end, or cancel it")
    if modal:
        running = (op for window in windows for op in window.modal_operators)
        names = [op.name for op in running if not op.bl_idname.startswith(OURS) and op.bl_idname not in RENDERS]
        if names:
            return _sentence("{:s} is running: end it, or cancel it", names[0])
    for window in windows:
        active = window.view_layer.objects.active
        if active is not None and active.mode != "OBJECT":
            return _sentence("{:s} is being edited: go back to Object Mode", active.name)
    if any(window.screen.is_animation_playing or window.screen.is_scrubbing for window in windows):
        return _sentence("The animation is playing: stop it")
    return ""


def _sentence(text: str, *values: str) -> str:
    return bpy.app.translations.pgettext_iface(text).format(*values)
