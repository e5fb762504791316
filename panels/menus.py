"""Where artists look for what the tab does: the Add menu, the Object menu and the context menu of an avatar's objects.

What stands in a menu is found by F3, too.
"""

from __future__ import annotations

from bpy.types import Context, Menu

from .. import jobs
from ..avatar_queries import active_predictions, is_of_avatar


class SAPIENS2_MT_avatar(Menu):
    bl_idname = "SAPIENS2_MT_avatar"
    bl_label = "Sapiens2 Avatar"

    def draw(self, _context: Context) -> None:
        layout = self.layout
        layout.operator("sapiens2.build_scan", icon="FILE_REFRESH")
        layout.operator("sapiens2.build_texture")
        layout.operator("sapiens2.build_rig")
        layout.separator()
        layout.operator("sapiens2.photo_pose", icon="POSE_HLT")
        layout.operator("sapiens2.control_rig", icon="CON_ARMATURE")
        layout.operator("sapiens2.separate_parts")
        layout.operator("sapiens2.export", icon="EXPORT")
        layout.operator("sapiens2.asset_mark", icon="ASSET_MANAGER")
        layout.operator("sapiens2.keep_predictions")
        layout.separator()
        layout.operator("sapiens2.clear", icon="TRASH")


def draw_add(menu: Menu, _context: Context) -> None:
    """Into Add: from a photo to an avatar, or to the tab that sets this up."""
    if jobs.status.python is not None:
        menu.layout.operator("sapiens2.add_avatar", text="Sapiens2 Avatar from Photo", icon="OUTLINER_OB_ARMATURE")
    else:
        menu.layout.operator("sapiens2.tab_open", text="Set Up Sapiens2 Avatar", icon="OUTLINER_OB_ARMATURE")


def draw_object(menu: Menu, context: Context) -> None:
    """Into Object and its context menu: where an object of an avatar is active, or a mesh beside one."""
    if is_of_avatar(context.object):
        menu.layout.separator()
        menu.layout.menu(SAPIENS2_MT_avatar.bl_idname)
    elif context.object is not None and context.object.type == "MESH" and active_predictions(context):
        menu.layout.separator()
        menu.layout.operator("sapiens2.texture_mesh", text="Sapiens2 Photo onto Mesh", icon="TEXTURE")


CLASSES = (SAPIENS2_MT_avatar,)
