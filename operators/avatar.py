"""What an artist does with a finished avatar: put its rig into the pose of the photo, take the scan apart, write it to a file."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty
from bpy.types import Context, Operator
from bpy_extras.io_utils import ExportHelper

from ..core.common.errors import SapiensError
from ..properties import avatar_rigs, is_photo_pose
from .job import fail

FORMATS = (
    (".glb", "glTF Binary (.glb)", "Scan, rig, camera and textures in one file, for engines and the web"),
    (".fbx", "FBX (.fbx)", "Scan, rig and camera for other animation programs, textures embedded"),
    (".usdc", "USD (.usdc)", "Scan, rig and camera for film pipelines"),
    (".obj", "Wavefront (.obj)", "The scan with its textures beside it"),
    (".bvh", "Motion (.bvh)", "What the rig does in the frames of its action, for other animation programs; one person"),
    (".ply", "Stanford PLY (.ply)", "The scan with colors at its vertices"),
    ("cloud", "Point Cloud (.ply)", "The vertices of the scan with normals and colors"),
    (".exr", "Displacement (.exr)", "Distance from the mesh to the surface that the network saw, in meters, 32 bits"),
    (".json", "Camera (.json)", "The matched camera as numbers: pinhole, pose, and every focal length that was considered"),
)


def chosen(context: Context) -> bpy.types.Collection | None:
    """The collection of the avatar that the artist means."""
    from ..scene.build import active_collection

    return active_collection(context, context.scene.sapiens2.predictions)


def has_action(obj: bpy.types.Object) -> bool:
    return obj.animation_data is not None and obj.animation_data.action is not None


def write_bvh(context: Context, path: Path) -> Path:
    """The motion of the active rig, else of the first that has an action. Raises SapiensError where none has."""
    from ..scene.action import whole_frames
    from ..scene.bone_table import resolve
    from ..scene.bvh_export import export_bvh
    from ..scene.rig_state import read_rest

    rigs = [rig for rig in avatar_rigs(context) if has_action(rig)]
    if not rigs:
        raise SapiensError("The avatar has no action to export.", "Animate it in the Motion panel first.")
    active = context.view_layer.objects.active
    rig = active if active in rigs else rigs[0]
    return export_bvh(path, rig, resolve(None, read_rest(rig)), *whole_frames(rig.animation_data.action))


class ForAvatar:
    """What the operators share that need an avatar in the scene."""

    modes = ("OBJECT",)

    @classmethod
    def poll(cls, context: Context) -> bool:
        if context.mode not in cls.modes:
            cls.poll_message_set("Switch to Object Mode first")
            return False
        if chosen(context) is None:
            cls.poll_message_set("Select an object of an avatar")
            return False
        return True


class SAPIENS2_OT_photo_pose(ForAvatar, Operator):
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
        with_pose = [rig for rig in rigs if photo_pose_track(rig) is not None]
        if not with_pose:
            cls.poll_message_set("The rest pose of the rig is the pose in the photo already")
            return False
        if all(rig.animation_data.action is not None for rig in with_pose) and not is_photo_pose(context):
            cls.poll_message_set("The rig has an action, which goes over the pose in the photo: unlink it first")
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        from ..scene.photo_pose import show_photo_pose

        shown = not is_photo_pose(context)
        for rig in avatar_rigs(context):
            show_photo_pose(rig, shown)
        return {"FINISHED"}


class SAPIENS2_OT_separate_parts(ForAvatar, Operator):
    """Take the scan apart: hair, upper and lower clothing, shoes and skin become objects of their own"""

    bl_idname = "sapiens2.separate_parts"
    bl_label = "Separate by Part"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        from ..scene.build import objects_of

        if not super().poll(context):
            return False
        if not objects_of([chosen(context)], "scan"):
            cls.poll_message_set("The avatar has no scan: its parts are apart already")
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        from ..scene.separate import scans, separate

        try:
            made = [piece for objects in scans(chosen(context)).values() for obj in objects for piece in separate(obj)]
        except SapiensError as error:
            return fail(self, error)
        self.report({"INFO"}, ", ".join(obj.name for obj in made))
        return {"FINISHED"}


class SAPIENS2_OT_export(ForAvatar, ExportHelper, Operator):
    """Write the avatar of the active object to a file; nothing is moved or scaled"""

    bl_idname = "sapiens2.export"
    bl_label = "Export Sapiens2 Avatar"

    filename_ext = ""
    filter_glob: StringProperty(default="*.glb;*.fbx;*.usd*;*.obj;*.ply;*.json;*.exr;*.bvh", options={"HIDDEN"})
    format: EnumProperty(name="Format", description="What the file is for", items=FORMATS)
    check_existing: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: Context, event: bpy.types.Event) -> set[str]:
        if not self.filepath:
            self.filepath = bpy.path.clean_name(chosen(context).name) + self._suffix()
        return ExportHelper.invoke(self, context, event)

    def check(self, _context: Context) -> bool:
        """The name in the file browser follows the format."""
        path = str(Path(self.filepath).with_suffix(self._suffix())) if Path(self.filepath).name else self.filepath
        changed, self.filepath = path != self.filepath, path
        return changed

    def execute(self, context: Context) -> set[str]:
        path = Path(bpy.path.abspath(self.filepath)).with_suffix(self._suffix())
        try:
            written = self._write(context, path)
        except SapiensError as error:
            return fail(self, error)
        self.report({"INFO"}, f"{written.name} written")
        return {"FINISHED"}

    def _write(self, context: Context, path: Path) -> Path:
        from ..scene.export import export, export_ply

        collection = chosen(context)
        if self.format == ".bvh":
            return write_bvh(context, path)
        if self.format == "cloud":
            return export_ply(path, [collection], cloud=True)
        return export(path, [collection], motion=any(has_action(obj) for obj in collection.all_objects))

    def _suffix(self) -> str:
        return ".ply" if self.format == "cloud" else self.format


CLASSES = (SAPIENS2_OT_photo_pose, SAPIENS2_OT_separate_parts, SAPIENS2_OT_export)
