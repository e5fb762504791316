"""Where all our panels are, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpy.types import Context, UILayout

from .. import jobs


class Sidebar:
    """The tab in the 3D viewport's sidebar."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Sapiens2"
    if TYPE_CHECKING:
        layout: UILayout  # the stubs say None as well, which no panel sees that is drawn


class AfterSetup(Sidebar):
    """Panels that are there only where the network could run."""

    @classmethod
    def poll(cls, _context: Context) -> bool:
        return jobs.status.python is not None


def is_tab_in_sight(context: Context) -> bool:
    """Whether a sidebar shows the tab now."""
    areas = [area for window in context.window_manager.windows for area in window.screen.areas if area.type == "VIEW_3D"]
    sidebars = [region for area in areas for region in area.regions if region.type == "UI" and region.width > 1]
    return any(getattr(sidebar, "active_panel_category", "") == Sidebar.bl_category for sidebar in sidebars)
