"""Motion onto an armature: from a video or pictures through the worker, or from the files of other programs."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.props import BoolProperty, StringProperty
from bpy.types import Context, Event, Operator
from bpy_extras.io_utils import ImportHelper

from .. import folders, jobs
from ..avatar_queries import avatar_rigs
from ..core.capture.settings import ClipSettings
from ..core.common.errors import SapiensError
from ..core.common.wording import counted
from ..core.motion.settings import MotionSettings
from ..setting_properties import said
from ..weights.catalogue import POSE_TASKS
from ..worker.client import WorkerJob
from ..worker.requests import AnimateRequest
from .build import network_options, stated
from .job import Idle, JobOperator, fail, succeed

if TYPE_CHECKING:
    from ..core.motion.take import Take
    from ..core.retarget.body_motion import BodyMotion


BVH = ".bvh"


def target(context: Context) -> bpy.types.Object:
    """The armature of the Retarget panel, else the rig of the avatar that the artist means. SapiensError without either."""
    settings = context.scene.sapiens2
    if settings.retarget.armature is not None:
        return settings.retarget.armature
    rigs = avatar_rigs(context)
    if not rigs:
        raise SapiensError(
            "There is no armature to move.", "Choose one in the Retarget panel, or make an avatar with a rig first."
        )
    active = context.view_layer.objects.active
    return active if active in rigs else rigs[0]


def write_motion(context: Context, motion: Take | BodyMotion, name: str) -> str:
    """Put a motion on the target as the panel says; a single frame as its pose. Returns what was done, for the status line."""
    from .. import bone_table_rows
    from ..core.motion.take import Take
    from ..core.retarget.settings import RetargetSettings
    from ..scene.action import whole_frames, write_take
    from ..scene.photo_pose import show_photo_pose
    from ..scene.retarget import pose_armature
    from ..scene.typed import scene_of

    settings, armature = context.scene.sapiens2, target(context)
    bones = None
    if armature == settings.retarget.armature:
        bones = bone_table_rows.read(settings.retarget, bone_table_rows.armature_rest(armature))
    how = RetargetSettings(**said(RetargetSettings, settings.retarget), lock_feet=settings.motion.lock_feet)
    show_photo_pose(armature, False)  # it would go over the new motion
    if len(motion) == 1:
        still = motion.motion() if isinstance(motion, Take) else motion
        done = pose_armature(armature, still, bones=bones, settings=how, mute_constraints=settings.retarget.mute_constraints)
        jobs.status.notes = done.notes
        return f"{counted(len(done.bones), 'bone')} posed ({done.family})"
    start = context.scene.frame_current if settings.motion.at_cursor else 1
    written = write_take(motion, armature, name=name, start_frame=start, bones=bones, settings=how,
                         mute_constraints=settings.retarget.mute_constraints, keep_raw=settings.motion.keep_raw)  # fmt: skip
    told = fit_timeline(scene_of(context), armature, *whole_frames(written.action))
    jobs.status.notes = tuple(dict.fromkeys((*written.notes, *told)))
    return f"{counted(len(motion), 'frame')}, {counted(written.keys, 'key')} on '{armature.name}'"


def fit_timeline(scene: bpy.types.Scene, armature: bpy.types.Object, first: int, last: int) -> tuple[str, ...]:
    """Let a scene show a take from its first to its last frame; a sentence where the scene ends elsewhere than before.

    A take from the scene's first frame on ends it too, where nothing else moves; else the scene only becomes long enough.
    """
    before = scene.frame_start, scene.frame_end
    others = [ob for ob in scene.objects if ob != armature and ob.animation_data is not None and ob.animation_data.action]
    editor = scene.sequence_editor
    strips = () if editor is None else editor.strips if hasattr(editor, "strips") else editor.sequences  # since 4.4
    alone = not others and not len(strips) and first <= before[0]
    scene.frame_start, scene.frame_end = (first, last) if alone else (min(before[0], first), max(before[1], last))
    now = scene.frame_start, scene.frame_end
    return () if now == before else (f"The scene plays the frames {now[0]} to {now[1]} now.",)


class MotionOperator(JobOperator):
    """What the operators share that put a clip on an armature. `_clip` says which."""

    def _clip(self, context: Context) -> Path:
        raise NotImplementedError

    def _bvh(self, context: Context) -> set[str] | None:
        """A BVH file needs no worker: write it at once. None for every other clip."""
        from ..core.formats.other_programs import read_bvh_motion

        try:
            path = self._clip(context)
            if path.suffix.lower() != BVH:
                return None
            settings = context.scene.sapiens2
            clip = ClipSettings(**said(ClipSettings, settings.motion))
            bones = bpy.path.abspath(getattr(self, "source_bones", "")) or None
            motion = read_bvh_motion(path, clip.start, clip.end, bones=bones)
            self.report({"INFO"}, write_motion(context, motion, path.stem))
        except SapiensError as error:
            return fail(self, error)
        succeed(self)
        return {"FINISHED"}

    def execute(self, context: Context) -> set[str]:
        return self._bvh(context) or JobOperator.execute(self, context)

    def invoke(self, context: Context, event: Event | None) -> set[str]:
        return self._bvh(context) or JobOperator.invoke(self, context, event)

    def make_job(self, context: Context, scratch: Path) -> WorkerJob:
        from .. import bone_table_rows

        settings, path = context.scene.sapiens2, self._clip(context)
        bone_table_rows.armature_rest(target(context))  # what cannot be posed is said before the work, not after it
        chosen = ClipSettings(**said(ClipSettings, settings.motion))
        request = AnimateRequest(
            clip=path,
            output=scratch / "take",
            settings=MotionSettings(**said(MotionSettings, settings.motion)),
            network=replace(network_options(context), tasks=POSE_TASKS),
            fps=chosen.fps if path.is_dir() or path.suffix.lower() in (".json", ".npz") else None,
            start=chosen.start,
            end=chosen.end if math.isfinite(chosen.end) else None,
        )
        poses = folders.make_cache_folder() / f"{path.stem[:80]}-{_digest(request)}.safetensors"
        return WorkerJob(path.name, replace(request, poses=poses))

    def finish(self, context: Context, job: WorkerJob) -> None:
        from ..core.formats.clip_files import load_take

        said = write_motion(context, load_take(job.result["take"]), job.request.clip.stem)
        jobs.status.notes = tuple(dict.fromkeys((*job.result["notes"], *jobs.status.notes)))
        self.report({"INFO"}, said)


def _digest(request: AnimateRequest) -> str:
    """16 hexadecimal digits that name the clip as it is now, and how it is looked at."""
    path, options = request.clip, stated(request.network) | {"start": request.start}
    options |= {name: value for name, value in (("end", request.end), ("fps", request.fps)) if value is not None}
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    seen = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.is_file()]
    return hashlib.sha256(json.dumps([str(path), seen, options], sort_keys=True).encode()).hexdigest()[:16]


class SAPIENS2_OT_animate(Idle, MotionOperator, Operator):
    """Let the armature move like the person in the video. Frames that were looked at before are not looked at again"""

    bl_idname = "sapiens2.animate"
    bl_label = "Animate"
    bl_options = {"UNDO"}

    def _clip(self, context: Context) -> Path:
        chosen = context.scene.sapiens2.motion.clip
        if not chosen:
            raise SapiensError("No clip is chosen.", "Choose a video, or a folder of pictures.")
        path = Path(bpy.path.abspath(chosen))
        if not path.exists():
            raise SapiensError(f"{path.name} does not exist.", "Choose another clip.")
        return path


class SAPIENS2_OT_import_motion(Idle, MotionOperator, ImportHelper, Operator):
    """Put keypoints (JSON of Sapiens2, COCO-WholeBody or OpenPose, points of SAM 3D Body) or a BVH file on the chosen armature"""

    bl_idname = "sapiens2.import_motion"
    bl_label = "Import Motion"
    bl_options = {"UNDO"}

    _asked = False
    filename_ext = BVH
    filepath: StringProperty(
        name="File Path", description="The keypoints or the BVH file", subtype="FILE_PATH", options={"SKIP_SAVE"}
    )  # what was chosen last must not be taken unasked
    filter_glob: StringProperty(default="*.json;*.npz;*.bvh", options={"HIDDEN"})
    sequence: BoolProperty(
        name="Whole Folder", description="Every file of the folder is a frame, in the order of the names", default=False
    )

    source_bones: StringProperty(
        name="Source Bones",
        description="The bone table of the BVH file, where its joints are not recognized. Empty: they are recognized",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )

    def invoke(self, context: Context, event: Event) -> set[str]:
        """With a path (a file that was dropped) at once, else ask for it."""
        from ..scene.typed import choose_file

        if self.filepath and not self._asked:
            return MotionOperator.invoke(self, context, event)
        self._asked = True
        return choose_file(self, context, event)

    def execute(self, context: Context) -> set[str]:
        """Blocking, except after the file browser, where there is a window to wait in."""
        if self._asked:
            return MotionOperator.invoke(self, context, None)
        return MotionOperator.execute(self, context)

    def _clip(self, _context: Context) -> Path:
        path = Path(bpy.path.abspath(self.filepath))
        if not path.is_file():
            raise SapiensError(f"{path.name or 'The file'} does not exist.", "Choose keypoints or a BVH file.")
        return path.parent if self.sequence and path.suffix.lower() != BVH else path


CLASSES = (SAPIENS2_OT_animate, SAPIENS2_OT_import_motion)
