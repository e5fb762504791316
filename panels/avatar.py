"""Scan, texture and rig: sliders that rebuild from the stored predictions."""

from __future__ import annotations

from bpy.types import Context, Panel

from .. import jobs
from .tab import AfterSetup


class Rebuilds(AfterSetup):
    """Panels whose sliders take effect with Rebuild."""

    bl_options = {"DEFAULT_CLOSED"}

    def start(self, context: Context):
        self.layout.use_property_split, self.layout.use_property_decorate = True, False
        self.layout.enabled = jobs.current() is None
        return self.layout, context.scene.sapiens2


class SAPIENS2_PT_scan(Rebuilds, Panel):
    bl_idname = "SAPIENS2_PT_scan"
    bl_label = "Scan"

    def draw(self, context: Context) -> None:
        layout, settings = self.start(context)
        layout.prop(settings, "resolution")
        if settings.resolution == "FACES":
            layout.prop(settings, "faces")
        layout.prop(settings, "refine", slider=True)
        layout.prop(settings, "stature")
        layout.prop(settings, "focal")
        layout.prop(settings, "keep_camera_frame")
        layout.operator("sapiens2.build_scan", icon="FILE_REFRESH")


class SAPIENS2_PT_texture(Rebuilds, Panel):
    bl_idname = "SAPIENS2_PT_texture"
    bl_label = "Texture"

    def draw(self, context: Context) -> None:
        layout, settings = self.start(context)
        layout.prop(settings, "colour")
        layout.operator("sapiens2.build_texture", icon="FILE_REFRESH")


class SAPIENS2_PT_rig(Rebuilds, Panel):
    bl_idname = "SAPIENS2_PT_rig"
    bl_label = "Rig"

    def draw(self, context: Context) -> None:
        layout, settings = self.start(context)
        layout.prop(settings, "with_rig")
        rest = layout.row()
        rest.enabled = settings.with_rig
        rest.prop(settings, "rest")
        layout.operator("sapiens2.build_rig", icon="FILE_REFRESH")


CLASSES = (SAPIENS2_PT_scan, SAPIENS2_PT_texture, SAPIENS2_PT_rig)
