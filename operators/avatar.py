"""What an artist does with a finished avatar: the pose and the shape of the photo, the scan taken apart, a file."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty
from bpy.types import Context, Operator
from bpy_extras.io_utils import ExportHelper

from .. import jobs
from ..avatar_queries import avatar_rigs, has_controls, is_photo_pose, meant_avatar
from ..core.common.errors import SapiensError
from ..core.formats.export_formats import CLOUD, FORMATS, SUFFIXES, dialog_items
from .job import ForAvatar, at_once
from .show import show_instead


class InObjectMode(ForAvatar):
    """What the operators share that change the objects of an avatar."""

    modes = ("OBJECT",)


class SAPIENS2_OT_photo_pose(InObjectMode, Operator):
    """Let the rig lie as in the photo, with the scan on its pixels; press again for its rest pose"""

    bl_idname = "sapiens2.photo_pose"
    bl_label = "Photo Pose"
    bl_options = {"REGISTER", "UNDO"}
    modes = ("OBJECT", "POSE")

    @classmethod
    def poll(cls, context: Context) -> bool:
        from ..scene.photo_pose import photo_pose_track

        if not super().poll(context):
            return False
        rigs = avatar_rigs(context)
        if not rigs:
            cls.poll_message_set("The avatar has no rig")
            return False
        if has_controls(context):
            cls.poll_message_set("The avatar follows its control rig: pose that, or take it off")
            return False
        with_pose = [rig for rig in rigs if photo_pose_track(rig) is not None]
        if not with_pose:
            cls.poll_message_set("The rest pose of the rig is the pose in the photo already")
            return False
        if all(rig.animation_data.action is not None for rig in with_pose) and not is_photo_pose(context):
            cls.poll_message_set("The rig has an action, which goes over the pose in the photo: unlink it first")
            return False
        return True

    @at_once
    def execute(self, context: Context) -> set[str]:
        from ..scene.photo_pose import show_photo_pose

        shown = not is_photo_pose(context)
        for rig in avatar_rigs(context):
            show_photo_pose(rig, shown)
        return {"FINISHED"}


def _take_over(context: Context, rig: bpy.types.Object, controls: bpy.types.Object) -> None:
    """Who had a rig selected, which is hidden now, has its control rig selected, and sees it where the avatar is shown alone."""
    from ..scene.typed import layer_of

    layer = layer_of(context)
    show_instead(context, rig, controls)
    if layer.objects.active == rig:
        controls.select_set(True, view_layer=layer)
        layer.objects.active = controls


class SAPIENS2_OT_control_rig(InObjectMode, Operator):
    """Let Rigify make a rig with controls for animating, with IK, and let the avatar follow it, in the pose and with the motion that it has. Press again to take it off"""  # noqa: E501 - Blender shows it as one line of a tooltip

    bl_idname = "sapiens2.control_rig"
    bl_label = "Control Rig"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        if not super().poll(context):
            return False
        if not avatar_rigs(context):
            cls.poll_message_set("The avatar has no rig")
            return False
        return True

    @at_once
    def execute(self, context: Context) -> set[str]:
        from ..scene.control_rig import add_controls, controls_of, remove_controls

        rigs = avatar_rigs(context)
        with_controls = [rig for rig in rigs if controls_of(rig) is not None]
        for rig in with_controls:
            was_active = context.view_layer.objects.active == controls_of(rig)
            remove_controls(rig)
            if was_active:
                rig.select_set(True)
                context.view_layer.objects.active = rig
        made = [] if with_controls else [add_controls(context, rig) for rig in rigs]
        if not with_controls:
            for rig, controls in zip(rigs, made, strict=True):
                _take_over(context, rig, controls.armature)
        jobs.status.notes = tuple(note for controls in made for note in controls.notes)
        return {"FINISHED"}


class SAPIENS2_OT_shape_photo(InObjectMode, Operator):
    """Give the body the shape that was found in the photo"""

    bl_idname = "sapiens2.shape_photo"
    bl_label = "As in the Photo"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        from ..scene.people import active_body
        from ..scene.reshape import numbers_of

        if not super().poll(context):
            return False
        found = active_body(context)
        photo = None if found is None else numbers_of(found[1], of_photo=True)
        if found is None or photo is None:
            cls.poll_message_set("The avatar has no body whose shape is known")
            return False
        if (photo == numbers_of(found[1])).all():
            cls.poll_message_set("The body has the shape of the photo already")
            return False
        return True

    @at_once
    def execute(self, context: Context) -> set[str]:
        from ..scene.people import active_body
        from ..scene.reshape import change_shape, numbers_of

        found = active_body(context)
        photo = None if found is None else numbers_of(found[1], of_photo=True)
        if found is None or photo is None:
            raise SapiensError("The avatar has no body whose shape is known.", "Rebuild it.")
        change_shape(*found, photo)
        return {"FINISHED"}


class SAPIENS2_OT_separate_parts(InObjectMode, Operator):
    """Take the scan apart: hair, upper and lower clothing, shoes and skin become objects of their own"""

    bl_idname = "sapiens2.separate_parts"
    bl_label = "Separate by Part"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        from ..scene.marks import objects_of

        if not super().poll(context):
            return False
        if not objects_of([meant_avatar(context)], "scan"):
            cls.poll_message_set("The avatar has no scan: its parts are apart already")
            return False
        return True

    @at_once
    def execute(self, context: Context) -> set[str]:
        from ..scene.replace import check_free
        from ..scene.separate import scans, separate

        whole = [obj for objects in scans(meant_avatar(context)).values() for obj in objects]
        check_free(whole)
        made = [piece for obj in whole for piece in separate(obj)]
        self.report({"INFO"}, ", ".join(obj.name for obj in made))
        return {"FINISHED"}


class SAPIENS2_OT_export(InObjectMode, ExportHelper, Operator):
    """Write the avatar of the active object to a file; nothing is scaled"""

    bl_idname = "sapiens2.export"
    bl_label = "Export Sapiens2 Avatar"
    changes = False

    filename_ext = ""
    filter_glob: StringProperty(default=";".join(f"*{suffix}" for suffix in SUFFIXES), options={"HIDDEN"})
    format: EnumProperty(name="Format", description="What the file is for", items=dialog_items())
    at_origin: BoolProperty(
        name="At the Origin",
        description="As if it had been made alone: not beside what was in its way, nor at the 3D cursor. Your own moves stay",
        default=True,
    )
    check_existing: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: Context, event: bpy.types.Event) -> set[str]:
        from ..scene.typed import choose_file

        if not self.filepath:
            self.filepath = bpy.path.clean_name(meant_avatar(context).name) + self._suffix()
        return choose_file(self, context, event)

    def check(self, _context: Context) -> bool:
        """The name in the file browser follows the format."""
        path = str(Path(self.filepath).with_suffix(self._suffix())) if Path(self.filepath).name else self.filepath
        changed, self.filepath = path != self.filepath, path
        return changed

    @at_once
    def execute(self, context: Context) -> set[str]:
        if not Path(self.filepath).name:
            raise SapiensError("The file has no name.", "Give it one.")
        from ..scene.standing import at_origin

        path = Path(bpy.path.abspath(self.filepath)).with_suffix(self._suffix())
        with at_origin(meant_avatar(context)) if self.at_origin else nullcontext():
            written = self._write(context, path)
        self.report({"INFO"}, f"{written.name} written")
        return {"FINISHED"}

    def _write(self, context: Context, path: Path) -> Path:
        from ..scene.export import export, export_ply, has_action, left_out

        collection = meant_avatar(context)
        if self.format == CLOUD:
            return export_ply(path, [collection], cloud=True)
        written = export(path, [collection], motion=any(has_action(obj) for obj in collection.all_objects))
        if (without := left_out(path, [collection])) is not None:
            self.report({"WARNING"}, without)
        return written

    def _suffix(self) -> str:
        return FORMATS[self.format].suffix


CLASSES = (
    SAPIENS2_OT_photo_pose,
    SAPIENS2_OT_control_rig,
    SAPIENS2_OT_shape_photo,
    SAPIENS2_OT_separate_parts,
    SAPIENS2_OT_export,
)
