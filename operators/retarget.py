"""The pose of the stored predictions onto an armature of the artist."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import BoolProperty, IntProperty
from bpy.types import Context, Operator

from .. import jobs
from ..avatar_queries import active_predictions
from ..core.common.errors import SapiensError
from ..core.common.wording import counted
from ..setting_properties import said
from ..worker.client import WorkerJob
from ..worker.requests import PoseRequest
from .job import BUSY, JobOperator


class SAPIENS2_OT_retarget(JobOperator, Operator):
    """Pose the chosen armature like the person in the photo. Its proportions stay"""

    bl_idname = "sapiens2.retarget"
    bl_label = "Apply Pose"
    bl_options = {"REGISTER", "UNDO"}

    person: IntProperty(name="Person", description="Which person, counted from the left", default=1, min=1)
    snap_ik: BoolProperty(name="Snap IK", description="Move the IK controls of a control rig to the pose too", default=True)

    @classmethod
    def poll(cls, context: Context) -> bool:
        if jobs.current() is not None:
            cls.poll_message_set(BUSY)
            return False
        if context.scene.sapiens2.retarget.armature is None:
            cls.poll_message_set("Choose an armature first")
            return False
        if not active_predictions(context):
            cls.poll_message_set("There are no predictions yet: make an avatar first")
            return False
        return True

    def make_job(self, context: Context, scratch: Path) -> WorkerJob:
        path = Path(bpy.path.abspath(active_predictions(context)))
        if not path.is_file():
            raise SapiensError(f"{path.name} does not exist any more.", "Make the avatar from the photo again.")
        request = PoseRequest(predictions=path, output=scratch / "pose.safetensors", person=self.person - 1)
        return WorkerJob(context.scene.sapiens2.retarget.armature.name, request)

    def finish(self, context: Context, job: WorkerJob) -> None:
        from .. import bone_table_rows
        from ..core.formats.pose_file import load_pose
        from ..core.retarget.settings import RetargetSettings
        from ..scene.photo_pose import show_photo_pose
        from ..scene.retarget import retarget

        settings = context.scene.sapiens2
        bones = bone_table_rows.read(settings.retarget, bone_table_rows.armature_rest(settings.retarget.armature))
        show_photo_pose(settings.retarget.armature, False)  # it would go over the new pose
        pose = load_pose(job.result["pose"])
        done = retarget(
            pose,
            settings.retarget.armature,
            bones=bones,
            settings=RetargetSettings(**said(RetargetSettings, settings.retarget)),
            mute_constraints=settings.retarget.mute_constraints,
            snap_ik=self.snap_ik,
        )
        jobs.status.notes = tuple(filter(None, (pose.doubt, *done.notes)))
        self.report({"INFO"}, f"{counted(len(done.bones), 'bone')} posed ({done.family})")


CLASSES = (SAPIENS2_OT_retarget,)
