"""The pose onto an armature of the artist: which rig it is, which bone plays which role, and go."""

from __future__ import annotations

import bpy
from bpy.types import Context, Panel, PropertyGroup, UILayout, UIList

from .. import jobs
from .parts import paragraph
from .progress import draw_outcome, step
from .tab import AfterSetup

SURE = 0.95
"""From this confidence on a rig counts as recognised without a look at the table."""


BONES_OF_FINGERS = {
    "Thumb Metacarpal": "Thumb 1",
    "Thumb Proximal": "Thumb 2",
    "Thumb Distal": "Thumb 3",
    "Proximal": "1",
    "Intermediate": "2",
    "Distal": "3",
}
"""What the rows of the table call the bones of a finger: their whole names leave no room for those of the armature."""


def in_row(role: str) -> str:
    """A role as a row of the table shows it: "Left Middle Proximal" -> "L Middle 1"."""
    for words, short in BONES_OF_FINGERS.items():
        if role.endswith(words):
            role = role.removesuffix(words) + short
            break
    return role.replace("Left ", "L ").replace("Right ", "R ")


class SAPIENS2_UL_bones(UIList):
    """Role and bone; the bone of the active row is chosen below the list, where its whole name has room."""

    bl_idname = "SAPIENS2_UL_bones"

    def draw_item(
        self,
        _context: Context,
        layout: UILayout,
        table: PropertyGroup,
        row: PropertyGroup,
        _icon: int,
        _active: PropertyGroup,
        _active_property: str,
    ) -> None:
        split = layout.split(factor=0.48, align=True)
        split.label(text=in_row(row.name), translate=False)
        bone = split.row()
        bone.alert = table.armature is not None and bool(row.bone) and row.bone not in table.armature.data.bones
        bone.active = bool(row.bone)
        # Every bone of a Mixamo character begins with "mixamorig:".
        bone.label(text=row.bone.rpartition(":")[2] or "-", translate=False)


class SAPIENS2_PT_retarget(AfterSetup, Panel):
    bl_idname = "SAPIENS2_PT_retarget"
    bl_label = "Retarget"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        layout, settings = step(self.layout), context.scene.sapiens2.retarget
        layout.prop(settings, "armature", text="")
        if settings.armature is None:
            paragraph(layout, "Choose an armature. Rigify, Mixamo, Unreal, VRM and many more are recognized", "INFO")
        elif settings.problem:
            paragraph(layout, settings.problem, "ERROR")
        elif settings.family:
            sure = settings.confidence >= SURE
            layout.label(
                text=f"{settings.family} ({settings.confidence:.0%})",
                icon="CHECKMARK" if sure else "QUESTION",
                translate=False,
            )
            if not sure:
                paragraph(layout, "Check the bone table: some bones were guessed or are missing")
        column = layout.column()
        column.use_property_split, column.use_property_decorate = True, False
        column.prop(settings, "hips")
        column.prop(settings, "face_gain")
        column.prop(settings, "mute_constraints")
        layout.operator("sapiens2.retarget", icon="ARMATURE_DATA")
        draw_outcome(self.layout, "sapiens2.retarget")


class SAPIENS2_PT_bones(AfterSetup, Panel):
    bl_idname = "SAPIENS2_PT_bones"
    bl_label = "Bone Table"
    bl_parent_id = "SAPIENS2_PT_retarget"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        return super().poll(context) and context.scene.sapiens2.retarget.armature is not None

    def draw(self, context: Context) -> None:
        layout, table = self.layout, context.scene.sapiens2.retarget
        layout.enabled = jobs.current() is None
        if not len(table.bones):
            layout.operator("sapiens2.bones_auto", icon="FILE_REFRESH")
            return
        layout.template_list(SAPIENS2_UL_bones.bl_idname, "", table, "bones", table, "active_bone", rows=8)
        if table.active_bone < len(table.bones):
            active = table.bones[table.active_bone]
            column = layout.column(align=True)
            column.label(text=active.name, translate=False)
            row = column.row(align=True)
            row.prop_search(active, "bone", table.armature.data, "bones", text="")
            row.operator("sapiens2.bones_add", text="", icon="ADD")
            row.operator("sapiens2.bones_clear", text="", icon="REMOVE")
        row = layout.row(align=True)
        row.label(text="Mirror")
        for source, text in (("left", "Left to Right"), ("right", "Right to Left")):
            row.operator("sapiens2.bones_mirror", text=text).source = source
        layout.operator("sapiens2.bones_auto", icon="FILE_REFRESH")
        row = layout.row(align=True)
        row.operator("sapiens2.bones_load", text="Load", icon="FILE_FOLDER")
        row.operator("sapiens2.bones_save", text="Save", icon="FILE_TICK")
        empty = sum(not bone.bone for bone in table.bones)
        if empty:
            text = "{:d} role without a bone" if empty == 1 else "{:d} roles without a bone"
            layout.label(text=bpy.app.translations.pgettext_iface(text).format(empty), translate=False)


CLASSES = (SAPIENS2_UL_bones, SAPIENS2_PT_retarget, SAPIENS2_PT_bones)
