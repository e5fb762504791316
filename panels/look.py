"""The avatar beside its photo: the look through the photo's camera, and the pins that put right what the network got wrong."""

from __future__ import annotations

from bpy.types import Context, Panel, UILayout

from ..avatar_queries import active_avatar, active_pins, avatars
from .parts import paragraph
from .progress import draw_outcome, step
from .tab import AfterSetup


class SAPIENS2_PT_look(AfterSetup, Panel):
    bl_idname = "SAPIENS2_PT_look"
    bl_label = "Adjust"

    @classmethod
    def poll(cls, context: Context) -> bool:
        return super().poll(context) and (bool(avatars(context)) or bool(context.scene.sapiens2.look.scene_before))

    def draw(self, context: Context) -> None:
        layout, look = self.layout, context.scene.sapiens2.look
        looks = bool(look.scene_before)
        layout.operator("sapiens2.look_through", icon="VIEW_CAMERA", depress=looks)
        if looks:
            column = layout.column(align=True)
            column.prop(look, "opacity", slider=True)
            column.prop(look, "wipe", slider=True)
            layout.prop(look, "show_pins")
            if look.show_pins:
                paragraph(layout, "Drag a joint or a point of the face onto its place in the photo: the avatar follows", "INFO")
        _draw_pins(step(layout), context)
        draw_outcome(layout, "sapiens2.pin_set")


def _draw_pins(layout: UILayout, context: Context) -> None:
    pins = active_pins(context)
    if not pins:
        return
    several = len({person for person, _ in pins}) > 1
    box = layout.box().column(align=True)
    box.label(text="Pins")
    for number, (person, words) in enumerate(pins):
        row = box.row()
        row.label(text=f"{words} ({person + 1})" if several else words, icon="PINNED", translate=False)
        row.operator("sapiens2.pin_remove", text="", icon="X", emboss=False).pin = number
    if len(pins) > 1:
        box.operator("sapiens2.pin_remove", text="Remove All Pins", icon="TRASH").pin = -1
    if active_avatar(context) is not None:
        box.operator("sapiens2.build_scan", text="Rebuild", icon="FILE_REFRESH").in_place = True


CLASSES = (SAPIENS2_PT_look,)
