"""Where the result is: a scene has other things in it, and a new avatar may stand inside one of them."""

from __future__ import annotations

from math import radians

import bpy
from bpy.types import Context, Operator
from mathutils import Euler

from ..properties import active_avatar

FROM_THE_FRONT = (radians(84), 0.0, radians(18))


class SAPIENS2_OT_result_show(Operator):
    """Show nothing but the result, as large as the view allows; once more shows everything again"""

    bl_idname = "sapiens2.result_show"
    bl_label = "Show Result"

    @classmethod
    def poll(cls, context: Context) -> bool:
        if context.area is None or context.area.type != "VIEW_3D":
            cls.poll_message_set("This works in a 3D viewport")
            return False
        if context.mode != "OBJECT":
            cls.poll_message_set("Switch to Object Mode first")
            return False
        # A result that was deleted while it was shown alone leaves a way out of the local view.
        alone = context.space_data.local_view is not None
        if not alone and active_avatar(context) is None:
            cls.poll_message_set("There is no avatar in the scene")
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        region = next(region for region in context.area.regions if region.type == "WINDOW")
        with context.temp_override(region=region):
            if context.space_data.local_view is None:
                self._show_alone(context)
            else:
                bpy.ops.view3d.localview()
        return {"FINISHED"}

    @staticmethod
    def _show_alone(context: Context) -> None:
        """Blender's local view takes what is selected: the selection is as before afterwards."""
        layer = context.view_layer
        selected = [obj for obj in layer.objects if obj.select_get()]
        shown = [obj for obj in active_avatar(context).all_objects if obj.type != "CAMERA"]
        for obj in selected:
            obj.select_set(False)
        for obj in shown:
            if obj.name in layer.objects:
                obj.select_set(True)
        bpy.ops.view3d.localview(frame_selected=True)
        # A photo sees one side of the person: from there, a little turned. Leaving the local view brings the former view back.
        view = context.space_data.region_3d
        view.view_perspective, view.view_rotation = "PERSP", Euler(FROM_THE_FRONT).to_quaternion()
        for obj in layer.objects:
            obj.select_set(obj in selected)


CLASSES = (SAPIENS2_OT_result_show,)
