"""The menu of presets in the header of the Run panel: those that come with the extension, then the artist's own."""

from __future__ import annotations

from bl_ui.utils import PresetPanel
from bpy.types import Context, Menu, Panel

OWN = "sapiens2_avatar"


class SAPIENS2_MT_presets(Menu):
    bl_idname = "SAPIENS2_MT_presets"
    bl_label = "Presets"
    preset_subdir = OWN
    preset_operator = "script.execute_preset"

    def draw(self, context: Context) -> None:
        self.layout.operator_enum("sapiens2.preset_apply", "preset")
        Menu.draw_preset(self, context)


class SAPIENS2_PT_presets(PresetPanel, Panel):
    bl_idname = "SAPIENS2_PT_presets"
    bl_label = "Avatar Presets"
    bl_space_type = "VIEW_3D"
    preset_subdir = OWN
    preset_operator = "script.execute_preset"
    preset_add_operator = "sapiens2.preset_add"

    def draw(self, context: Context) -> None:
        self.layout.operator_enum("sapiens2.preset_apply", "preset")
        self.layout.separator()
        super().draw(context)


CLASSES = (SAPIENS2_MT_presets, SAPIENS2_PT_presets)
