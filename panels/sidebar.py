"""The tab in the 3D viewport's sidebar, in the order of the work. Draws what is, does nothing."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.types import Context, Panel

from .. import jobs, thumbnails
from ..core.licence import SAPIENS2_LICENCE
from ..core.previews import MAPS
from .parts import draw_error, draw_job, draw_setup, paragraph


class Sidebar:
    """Where all our panels are, and when: the ones below Run only where the network could run."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Sapiens2"


class AfterSetup(Sidebar):
    @classmethod
    def poll(cls, _context: Context) -> bool:
        return jobs.status.python is not None


class SAPIENS2_PT_setup(Sidebar, Panel):
    bl_idname = "SAPIENS2_PT_setup"
    bl_label = "Set Up"

    @classmethod
    def poll(cls, _context: Context) -> bool:
        return jobs.status.python is None

    def draw(self, _context: Context) -> None:
        if not draw_job(self.layout):
            draw_setup(self.layout)
            draw_error(self.layout)


class SAPIENS2_PT_reference(AfterSetup, Panel):
    bl_idname = "SAPIENS2_PT_reference"
    bl_label = "Reference"

    def draw(self, context: Context) -> None:
        layout, settings = self.layout, context.scene.sapiens2
        layout.enabled = jobs.current() is None
        column = layout.column()
        column.prop(settings, "photo", text="")
        row = column.row(align=True)
        row.prop(settings, "image", text="")
        row.operator("sapiens2.photo_from_image", text="", icon="IMPORT")
        row.operator("sapiens2.photo_from_clipboard", text="", icon="PASTEDOWN")
        if not settings.photo:
            paragraph(layout, "Choose the photo of a person, or drop one on the viewport", "INFO")
            return
        layout.template_icon(thumbnails.icon(Path(bpy.path.abspath(settings.photo))), scale=7.0)
        row = layout.row(align=True)
        row.operator("sapiens2.people_find", icon="VIEWZOOM")
        row.operator("sapiens2.box_draw", text="", icon="SELECT_SET")
        if settings.boxes:
            row.operator("sapiens2.boxes_clear", text="", icon="X")
            column = layout.column(align=True)
            for index, box in enumerate(settings.boxes):
                size = f"{box.x2 - box.x1:.0f} × {box.y2 - box.y1:.0f}"
                column.prop(box, "use", text=bpy.app.translations.pgettext_iface("Person") + f" {index + 1}, {size}")


class SAPIENS2_PT_model(AfterSetup, Panel):
    bl_idname = "SAPIENS2_PT_model"
    bl_label = "Model"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_header_preset(self, context: Context) -> None:
        self.layout.label(text=context.scene.sapiens2.bl_rna.properties["model"].enum_items[context.scene.sapiens2.model].name)

    def draw(self, context: Context) -> None:
        layout, settings = self.layout, context.scene.sapiens2
        layout.enabled = jobs.current() is None
        layout.prop(settings, "model", text="")
        found = jobs.status.models.get(settings.model)
        if settings.model == "preview":
            paragraph(layout, "Rough, for a first look: no substitute for Sapiens2", "INFO")
        elif found is not None:
            _draw_weights(layout, settings.model, found)
        column = layout.column()
        column.use_property_split, column.use_property_decorate = True, False
        column.prop(settings, "device")
        column.prop(settings, "precision")
        column.prop(settings, "flip")
        layout.operator("wm.url_open", text="License of Sapiens2", icon="URL").url = SAPIENS2_LICENCE.url


def _draw_weights(layout: bpy.types.UILayout, model: str, found: jobs.Installed) -> None:
    translate = bpy.app.translations.pgettext_iface
    if found.tasks:
        paragraph(layout, translate("Installed: {:s}").format(", ".join(found.tasks)), "CHECKMARK")
    if found.missing:
        paragraph(layout, translate("Missing: {:s}").format(", ".join(found.missing)), "ERROR")
        row = layout.row(align=True)
        row.operator(
            "sapiens2.model_download", text=translate("Download {:.1f} GB").format(found.missing_bytes / 1e9), icon="IMPORT"
        )
        row.operator("sapiens2.model_import", text="", icon="FILE_FOLDER")
    needed = 1.3 * found.largest / 1e9
    column = layout.column()
    if jobs.status.memory:
        column.alert = needed > jobs.status.memory / 1e9
        text = translate("Needs {:.0f} GB, this computer has {:.0f} GB").format(needed + 1, jobs.status.memory / 1e9)
        paragraph(column, text, "ERROR" if column.alert else "NONE")


class SAPIENS2_PT_run(AfterSetup, Panel):
    bl_idname = "SAPIENS2_PT_run"
    bl_label = "Run"

    def draw(self, context: Context) -> None:
        layout, settings = self.layout, context.scene.sapiens2
        if draw_job(layout):
            return
        column = layout.column()
        column.scale_y = 1.6
        column.operator("sapiens2.run", icon="PLAY")
        row = layout.row(align=True)
        row.prop(settings, "place", expand=True)
        layout.prop(settings, "match_render")
        draw_error(layout)
        for note in jobs.status.notes:
            paragraph(layout, note, "INFO")


class SAPIENS2_PT_maps(AfterSetup, Panel):
    bl_idname = "SAPIENS2_PT_maps"
    bl_label = "Maps"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        layout, settings = self.layout, context.scene.sapiens2
        maps = thumbnails.maps(settings.predictions)
        if not maps:
            paragraph(layout, "Make an avatar to see what the network saw", "INFO")
            return
        grid = layout.grid_flow(row_major=True, columns=3, even_columns=True, align=True)
        for name in MAPS:
            if name in maps:
                column = grid.column(align=True)
                column.template_icon(thumbnails.icon(maps[name]), scale=4.2)
                column.operator("sapiens2.map_open", text=name.capitalize()).map = name


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
        layout.operator("sapiens2.build_rig", icon="FILE_REFRESH")


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


class SAPIENS2_PT_batch(AfterSetup, Panel):
    bl_idname = "SAPIENS2_PT_batch"
    bl_label = "Batch"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        layout, settings = self.layout, context.scene.sapiens2
        layout.enabled = jobs.current() is None
        column = layout.column()
        column.use_property_split, column.use_property_decorate = True, False
        column.prop(settings, "batch_folder")
        column.prop(settings, "batch_output")
        paragraph(layout, "Runs the network on each photo of the folder. Import the results with File > Import.")
        layout.operator("sapiens2.batch", icon="FILE_FOLDER")


CLASSES = (
    SAPIENS2_PT_setup,
    SAPIENS2_PT_reference,
    SAPIENS2_PT_model,
    SAPIENS2_PT_run,
    SAPIENS2_PT_maps,
    SAPIENS2_PT_scan,
    SAPIENS2_PT_texture,
    SAPIENS2_PT_rig,
    SAPIENS2_PT_retarget,
    SAPIENS2_PT_batch,
)
