"""`pose IMAGE|PREDICTIONS|KEYPOINTS --armature FILE.blend[:NAME] -o FILE.blend`: the person's pose on an armature."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from . import through_worker
from .armatures import bone_map_of, check_armature, open_armature, retarget_settings
from .build import require_blender
from .console import Console
from .inputs import check_blend, check_writable, predictions_of

if TYPE_CHECKING:
    from ..core.common.arrays import Pose


def run(options: Namespace, console: Console) -> None:
    output = Path(options.output)
    check_blend(output)
    check_armature(options.armature)
    for path in (output, *([Path(options.save_bones)] if options.save_bones else [])):
        check_writable(path)
    require_blender()
    console.claim_stdout()
    pose = pose_of(Path(options.input), options, console)
    from ..scene.files import save_blend
    from ..scene.retarget import retarget

    armature = open_armature(options.armature)
    done = retarget(
        pose,
        armature,
        bones=bone_map_of(armature, options, console),
        settings=retarget_settings(options),
        mute_constraints=options.mute_constraints,
    )
    console.note(f"{armature.name}: {done.family}, {len(done.bones)} bones posed")
    for note in filter(None, (pose.doubt, *done.notes)):
        console.note(note)
    console.record(armature=armature.name, family=done.family, bones=list(done.bones), unseen=list(done.unseen))
    console.result(save_blend(output))


def pose_of(path: Path, options: Namespace, console: Console) -> Pose:
    """The pose in a photo, a predictions file or another program's keypoints; inside Blender the worker lifts it."""
    if through_worker.needed():
        return through_worker.pose_of(path, options.person, options, console)
    from ..core.formats.other_programs import foreign_pose, is_foreign

    if is_foreign(path):
        pose, notes = foreign_pose(path, options.person, options.size)
        for note in notes:
            console.note(note)
        return pose
    from ..core.pose.lift import lift_pose

    return lift_pose(predictions_of(path, options, console), person=options.person)
