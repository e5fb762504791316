"""The way to the tab: where somebody who has just installed the extension finds it."""

from __future__ import annotations

from functools import partial

import bpy
from bpy.types import Area, Context, Operator

from .. import jobs

TAB = "Sapiens2"
"""Of the sidebar of the 3D view: `panels.tab.Sidebar.bl_category`."""
AGAIN_SECONDS = 0.05
TRIES = 40
"""A sidebar that was closed knows its tabs after it was drawn."""


def _views(context: Context) -> list[Area]:
    """The 3D views in sight: that of the click first, then the larger ones."""
    areas = [area for window in context.window_manager.windows for area in window.screen.areas if area.type == "VIEW_3D"]
    return sorted(areas, key=lambda area: (area != context.area, -area.width * area.height))


def _turn_to_tab(area: int, left: int = TRIES) -> float | None:
    """Turn the sidebar of an area, named by its address, to our tab; called again until it has been drawn."""
    for found in _views(bpy.context):
        sidebar = next((region for region in found.regions if region.type == "UI"), None)
        if found.as_pointer() != area or sidebar is None:
            continue
        try:
            sidebar.active_panel_category = TAB
        except (AttributeError, TypeError):  # it has no tabs yet
            if left:
                bpy.app.timers.register(partial(_turn_to_tab, area, left - 1), first_interval=AGAIN_SECONDS)
        else:
            sidebar.tag_redraw()
            jobs.settle()  # the status bar need not show the way any more
    return None


class SAPIENS2_OT_tab_open(Operator):
    """Open the tab Sapiens2 in the sidebar of the 3D view, which N opens too: it makes avatars of photos"""

    bl_idname = "sapiens2.tab_open"
    bl_label = "Open the Sapiens2 Tab"

    @classmethod
    def poll(cls, context: Context) -> bool:
        if bpy.app.background or not _views(context):
            cls.poll_message_set("There is no 3D view in sight: open one, as in the workspace Layout")
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        area = _views(context)[0]
        area.spaces.active.show_region_ui = True
        area.tag_redraw()
        _turn_to_tab(area.as_pointer())
        return {"FINISHED"}


CLASSES = (SAPIENS2_OT_tab_open,)
