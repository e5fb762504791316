"""The bone table of the Retarget panel: fill, correct, mirror, save and load."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import EnumProperty, StringProperty
from bpy.types import Context, Operator
from bpy_extras.io_utils import ExportHelper, ImportHelper

from ..core.common.errors import SapiensError
from ..core.common.wording import counted
from .job import at_once


class BoneTableOperator:
    """Mix in before `bpy.types.Operator`: an armature must be chosen."""

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        if context.scene.sapiens2.retarget.armature is None:
            cls.poll_message_set("Choose an armature first")
            return False
        return True


class SAPIENS2_OT_bones_auto(BoneTableOperator, Operator):
    """Look at the armature again and fill the whole table with what is recognized"""

    bl_idname = "sapiens2.bones_auto"
    bl_label = "Recognize Bones"

    @at_once
    def execute(self, context: Context) -> set[str]:
        from .. import bone_table_rows

        settings = context.scene.sapiens2.retarget
        bone_table_rows.refresh(settings)
        if settings.problem:
            raise SapiensError(settings.problem)
        return {"FINISHED"}


class SAPIENS2_OT_bones_mirror(BoneTableOperator, Operator):
    """Give the limbs of the other side the bones that are called the same but for their side"""

    bl_idname = "sapiens2.bones_mirror"
    bl_label = "Mirror Bones"

    source: EnumProperty(
        name="From",
        description="The side whose bones are correct",
        items=(("left", "Left", "The right side follows the left"), ("right", "Right", "The left side follows the right")),
    )

    def execute(self, context: Context) -> set[str]:
        from .. import bone_table_rows

        changed = bone_table_rows.mirror(context.scene.sapiens2.retarget, self.source)
        self.report({"INFO"}, f"{counted(changed, 'bone')} changed")
        return {"FINISHED"}


class BoneRowOperator(BoneTableOperator):
    """Acts on the active row."""

    @classmethod
    def poll(cls, context: Context) -> bool:
        settings = context.scene.sapiens2.retarget
        if not super().poll(context):
            return False
        if not 0 <= settings.active_bone < len(settings.bones):
            cls.poll_message_set("Choose a row of the bone table first")
            return False
        return True


class SAPIENS2_OT_bones_add(BoneRowOperator, Operator):
    """Another bone for the role of the active row, as spines have several"""

    bl_idname = "sapiens2.bones_add"
    bl_label = "Add Bone"

    def execute(self, context: Context) -> set[str]:
        from .. import bone_table_rows

        settings = context.scene.sapiens2.retarget
        settings.active_bone = bone_table_rows.add_row(settings, settings.active_bone)
        return {"FINISHED"}


class SAPIENS2_OT_bones_clear(BoneRowOperator, Operator):
    """No bone for the role of the active row: what the person does there is not written"""

    bl_idname = "sapiens2.bones_clear"
    bl_label = "Clear Bone"

    def execute(self, context: Context) -> set[str]:
        from .. import bone_table_rows

        settings = context.scene.sapiens2.retarget
        bone_table_rows.clear_row(settings, settings.active_bone)
        settings.active_bone = min(settings.active_bone, len(settings.bones) - 1)
        return {"FINISHED"}


class SAPIENS2_OT_bones_load(BoneTableOperator, ImportHelper, Operator):
    """Fill the table from a file that was saved here or by the command line"""

    bl_idname = "sapiens2.bones_load"
    bl_label = "Load Bone Table"

    filename_ext = ".json"
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    @at_once
    def execute(self, context: Context) -> set[str]:
        from .. import bone_table_rows
        from ..core.retarget.bone_map_file import load_preset

        settings = context.scene.sapiens2.retarget
        path = Path(bpy.path.abspath(self.filepath))
        bone_table_rows.fill(settings, load_preset(path, bone_table_rows.armature_rest(settings.armature)))
        return {"FINISHED"}


class SAPIENS2_OT_bones_save(BoneTableOperator, ExportHelper, Operator):
    """Save the table, for other characters with the same bones"""

    bl_idname = "sapiens2.bones_save"
    bl_label = "Save Bone Table"
    bl_options = {"REGISTER"}

    filename_ext = ".json"
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    @at_once
    def execute(self, context: Context) -> set[str]:
        from .. import bone_table_rows
        from ..core.retarget.bone_map_file import save_preset

        settings = context.scene.sapiens2.retarget
        bone_map = bone_table_rows.read(settings, bone_table_rows.armature_rest(settings.armature))
        if bone_map is None:
            raise SapiensError("The bone table is empty.", "Recognize the bones first.")
        save_preset(bone_map, bpy.path.abspath(self.filepath))
        return {"FINISHED"}


CLASSES = (
    SAPIENS2_OT_bones_auto,
    SAPIENS2_OT_bones_mirror,
    SAPIENS2_OT_bones_add,
    SAPIENS2_OT_bones_clear,
    SAPIENS2_OT_bones_load,
    SAPIENS2_OT_bones_save,
)
