"""How an avatar is made, its scan, texture and rig, whose settings take effect when it is built again; and the shape of the body,
whose sliders act at once."""

from __future__ import annotations

import bpy
from bpy.types import Context, Panel, PropertyGroup, UILayout

from ..avatar_queries import (
    avatar_rigs,
    has_controls,
    has_lost_rig,
    is_of_avatar,
    is_photo_pose,
    is_rigify_enabled,
    matched_camera,
    rig_doubts,
)
from ..shape_properties import body_shape
from .parts import paragraph, translated
from .progress import draw_outcome, step
from .tab import AfterSetup

FOCAL_SOURCES = {
    "scale head": "Seen in the Photo",
    "pointmap": "Depth",
    "exif": "EXIF",
    "assumed": "Common Lens",
    "given": "With the Predictions",
}
"""Where a focal length may come from (`core.capture.camera`), in the artist's words."""


class Rebuilds(AfterSetup):
    """Panels whose sliders take effect with Rebuild."""

    bl_options = {"DEFAULT_CLOSED"}

    def start(self, context: Context) -> tuple[UILayout, PropertyGroup]:
        layout = step(self.layout)
        layout.use_property_split, layout.use_property_decorate = True, False
        return layout, context.scene.sapiens2


class SAPIENS2_PT_avatar(Rebuilds, Panel):
    bl_idname = "SAPIENS2_PT_avatar"
    bl_label = "Avatar"

    def draw(self, context: Context) -> None:
        layout, settings = self.start(context)
        settings.scan.draw_avatar(layout)
        layout.operator("sapiens2.build_scan", icon="FILE_REFRESH")
        draw_outcome(self.layout, "sapiens2.build_scan")
        _draw_focal_lengths(step(self.layout), context)


class SAPIENS2_PT_scan(Rebuilds, Panel):
    """What an avatar that is made without a scan does not have."""

    bl_idname = "SAPIENS2_PT_scan"
    bl_label = "Scan"
    bl_parent_id = "SAPIENS2_PT_avatar"

    def draw(self, context: Context) -> None:
        layout, settings = self.start(context)
        made = settings.make != "avatar"
        if not made:
            paragraph(layout, "Choose Scan or Both in Run to make one", "INFO")
        column = layout.column()
        column.enabled = made
        settings.scan.draw_scan(column)


def _draw_focal_lengths(layout: UILayout, context: Context) -> None:
    """Every focal length that was considered for the photo, once: the one that was used ticked, the others with a button that
    builds with them; red where that would look different."""
    from ..core.capture.camera import AGREE, focal_35mm_equivalent

    values = matched_camera(context)
    if values is None:
        return
    box = layout.box().column(align=True)
    box.label(text="Focal Length")
    same: dict[str, list[str]] = {}  # as it is shown -> where it comes from
    for source, pixels in values["focal_lengths"].items():
        same.setdefault(f"{focal_35mm_equivalent(pixels, values['width'], values['height']):.1f} mm", []).append(source)
    for shown, sources in same.items():
        pixels, used = values["focal_lengths"][sources[0]], values["source"] in sources
        row = box.row()
        row.alert = max(pixels / values["fx"], values["fx"] / pixels) > 1 + AGREE
        names = ", ".join(translated(FOCAL_SOURCES.get(source, source.capitalize())) for source in sources)
        row.label(text=f"{names}: {shown}", icon="CHECKMARK" if used else "BLANK1", translate=False)
        if not used:
            millimetres = focal_35mm_equivalent(pixels, values["width"], values["height"])
            row.operator("sapiens2.build_scan", text="", icon="FILE_REFRESH").focal = millimetres


class SAPIENS2_PT_shape(Rebuilds, Panel):
    bl_idname = "SAPIENS2_PT_shape"
    bl_label = "Shape"

    @classmethod
    def poll(cls, context: Context) -> bool:
        return super().poll(context) and body_shape(context) is not None

    def draw(self, context: Context) -> None:
        layout, settings = self.start(context)
        found = body_shape(context)
        if found is None:
            return
        name, stature, problem = found
        if problem:
            paragraph(layout, problem, "INFO")
        else:
            layout.label(text=f"{name}: {stature:.2f} m", icon="OUTLINER_OB_ARMATURE", translate=False)
        sliders = layout.column()
        sliders.enabled = not problem
        settings.shape.draw_shape(sliders)
        layout.operator("sapiens2.shape_photo", icon="LOOP_BACK")


class SAPIENS2_PT_texture(Rebuilds, Panel):
    bl_idname = "SAPIENS2_PT_texture"
    bl_label = "Texture"

    def draw(self, context: Context) -> None:
        layout, settings = self.start(context)
        settings.texture.draw_texture(layout)
        layout.operator("sapiens2.build_texture", icon="FILE_REFRESH")
        draw_outcome(self.layout, "sapiens2.build_texture")


class SAPIENS2_PT_mesh_texture(Rebuilds, Panel):
    """There while a mesh of the artist is active."""

    bl_idname = "SAPIENS2_PT_mesh_texture"
    bl_label = "Photo onto Mesh"
    bl_parent_id = "SAPIENS2_PT_texture"
    bl_options = set()

    @classmethod
    def poll(cls, context: Context) -> bool:
        obj = context.object
        return super().poll(context) and obj is not None and obj.type == "MESH" and not is_of_avatar(obj)

    def draw(self, context: Context) -> None:
        layout, settings = self.start(context)
        settings.mesh_texture.draw_mesh_texture(layout)
        layout.operator("sapiens2.texture_mesh", icon="TEXTURE")
        draw_outcome(self.layout, "sapiens2.texture_mesh")


class SAPIENS2_PT_rig(Rebuilds, Panel):
    bl_idname = "SAPIENS2_PT_rig"
    bl_label = "Rig"

    def draw(self, context: Context) -> None:
        layout, settings = self.start(context)
        settings.rig.draw_rig(layout)
        layout.operator("sapiens2.build_rig", icon="FILE_REFRESH")
        draw_outcome(self.layout, "sapiens2.build_rig")
        if has_lost_rig(context):
            paragraph(layout, "The rig was deleted: Rebuild Rig makes it again, and the avatar follows it", "ERROR")
        for doubt in rig_doubts(context):
            paragraph(layout, doubt, "ERROR")
        if avatar_rigs(context):
            layout.operator("sapiens2.photo_pose", icon="POSE_HLT", depress=is_photo_pose(context))
            layout.operator("sapiens2.control_rig", icon="CON_ARMATURE", depress=has_controls(context))
            if not is_rigify_enabled():
                paragraph(layout, "Control Rig enables the add-on Rigify, which comes with Blender", "INFO")
        draw_outcome(self.layout, "sapiens2.control_rig")


class SAPIENS2_PT_export(AfterSetup, Panel):
    bl_idname = "SAPIENS2_PT_export"
    bl_label = "Export"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        layout = step(self.layout)
        if not bpy.ops.sapiens2.export.poll():
            paragraph(layout, "In Object Mode, select an avatar to take it apart or to export it", "INFO")
            return
        layout.operator("sapiens2.separate_parts", icon="MOD_EXPLODE")
        layout.operator("sapiens2.export", icon="EXPORT")
        layout.operator("sapiens2.asset_mark", icon="ASSET_MANAGER")
        draw_outcome(self.layout, "sapiens2.separate_parts", "sapiens2.export", "sapiens2.asset_mark")


CLASSES = (
    SAPIENS2_PT_avatar,
    SAPIENS2_PT_scan,
    SAPIENS2_PT_shape,
    SAPIENS2_PT_texture,
    SAPIENS2_PT_mesh_texture,
    SAPIENS2_PT_rig,
    SAPIENS2_PT_export,
)
