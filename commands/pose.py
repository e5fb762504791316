"""`pose IMAGE|PREDICTIONS|KEYPOINTS --armature FILE.blend[:NAME] -o FILE.blend`: the person's pose on an armature."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.common.wording import counted
from ..core.retarget.settings import RetargetSettings
from . import arguments, through_worker
from .armatures import bone_map_of, check_named, open_armature
from .build import require_blender
from .console import Console
from .inputs import check_blend, check_writable, predictions_of
from .options import add_bones, add_network, add_retarget, settings_from

if TYPE_CHECKING:
    from ..core.common.arrays import Pose


HELP = "The person's pose on an armature of yours."


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "input",
        metavar="IMAGE|PREDICTIONS|KEYPOINTS",
        help="a photo, stored predictions (ours, or .npy and .ply of Meta's demo scripts), or keypoints as .json or .npz",
    )
    parser.add_argument("--armature", required=True, metavar="FILE.blend[:NAME]", help="the rig to pose")
    parser.add_argument("-o", "--output", required=True, metavar="FILE.blend")
    parser.add_argument(
        "--person", type=arguments.number(0, kind=int), default=0, metavar="N", help="from the left, counted from 0 (default: 0)"
    )
    add_bones(parser)
    add_retarget(parser)
    add_network(parser)


def run(options: Namespace, console: Console) -> None:
    output = Path(options.output)
    check_blend(output)
    check_named(options.armature)
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
        settings=settings_from(RetargetSettings, options),
        mute_constraints=options.mute_constraints,
        put_aside=True,
    )
    console.note(f"{armature.name}: {done.family}, {counted(len(done.bones), 'bone')} posed")
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
