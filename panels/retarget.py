"""The pose onto an armature of the artist."""

from __future__ import annotations

from bpy.types import Context, Panel

from .. import jobs
from .parts import paragraph
from .tab import AfterSetup


class SAPIENS2_PT_retarget(AfterSetup, Panel):
    bl_idname = "SAPIENS2_PT_retarget"
    bl_label = "Retarget"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        layout, settings = self.layout, context.scene.sapiens2
        layout.enabled = jobs.current() is None
        layout.prop(settings, "armature", text="")
        if settings.armature is None:
            paragraph(layout, "Choose an armature: Rigify, Mixamo, Unreal, VRM and twenty more families are known", "INFO")
        layout.operator("sapiens2.retarget", icon="ARMATURE_DATA")


CLASSES = (SAPIENS2_PT_retarget,)
