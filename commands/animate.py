"""`animate VIDEO|FOLDER|FILE.bvh -o FILE.blend [--armature FILE.blend[:NAME]] [--bvh FILE]`: a clip as an action.

Without an armature the person of the clip is built from the frame that shows most of somebody, and moves.
"""

from __future__ import annotations

import tempfile
from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.common.errors import SapiensError, UsageError
from ..core.common.wording import counted
from ..core.formats.export_formats import BVH, MOVING
from ..core.motion.settings import MotionSettings
from ..core.retarget.settings import RetargetSettings
from ..weights.catalogue import POSE_TASKS
from . import through_worker
from .armatures import bone_map_of, check_named, open_armature
from .build import avatars_of, require_blender
from .console import Console
from .inputs import check_blend, check_writable
from .options import (
    add_bones,
    add_build,
    add_clip,
    add_network,
    add_retarget,
    add_settings,
    avatar_settings,
    check_known_person,
    settings_from,
)

if TYPE_CHECKING:
    import bpy

    from ..core.motion.take import Take
    from ..core.retarget.body_motion import BodyMotion
    from ..infer.settings import NetworkSettings

HELP = "A video or a folder of frames as an action."


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "clip",
        metavar="VIDEO|FOLDER|FILE",
        help="a video; a folder of images, stored predictions or keypoints; a .json, .npz or .bvh file",
    )
    parser.add_argument("-o", "--output", required=True, metavar="FILE.blend")
    parser.add_argument(
        "--armature", metavar="FILE.blend[:NAME]", help="the rig to move (default: the person of the clip is built)"
    )
    parser.add_argument("--bvh", metavar="FILE.bvh", help="also write the motion as BVH")
    parser.add_argument(
        "--export", action="append", default=[], metavar="FILE.glb|.fbx|.usd|.bvh", help="also write this file; repeatable"
    )
    add_clip(parser)
    add_settings(parser, MotionSettings)
    add_retarget(parser)
    parser.add_argument("--no-raw", action="store_true", help="do not keep the unfiltered take on a track of its own")
    add_bones(parser)
    parser.add_argument("--source-bones", metavar="FILE.json", help="the bone table of the .bvh file (default: recognised)")
    parser.add_argument(
        "--save-source-bones", metavar="FILE.json", help="write the bone table of the .bvh file that was used, to be corrected"
    )
    parser.add_argument("--keep", metavar="DIR", help="keep the predictions of the frames here, and use those that are here")
    add_network(parser, box=False)
    add_build(parser)


def run(options: Namespace, console: Console) -> None:
    output = Path(options.output)
    for path in map(Path, options.export):
        if path.suffix.lower() not in MOVING:
            raise UsageError(f"{path.name} cannot hold motion.", f"Choose one of {', '.join(MOVING)}.")
    if options.bvh and Path(options.bvh).suffix.lower() != BVH:
        raise UsageError(f"Motion goes to a .bvh file, {Path(options.bvh).name} is none.", "Give --bvh a name that ends in .bvh.")
    if (options.source_bones or options.save_source_bones) and Path(options.clip).suffix.lower() != BVH:
        raise UsageError(f"{Path(options.clip).name} has no bones of its own.", "--source-bones is for .bvh files.")
    check_blend(output)
    check_known_person(options)
    if options.armature and options.known_person:
        raise UsageError("A known person is built, and --armature names the rig of somebody else.", "Leave one of both out.")
    if options.armature:
        check_named(options.armature)
    for path in (output, *(Path(p) for p in (options.bvh, options.save_bones, options.save_source_bones, *options.export) if p)):
        check_writable(path)
    require_blender()
    console.claim_stdout()
    source = Path(options.clip)
    if not source.exists():
        raise SapiensError(f"There is no clip at {source}.", "Check the name.")
    with tempfile.TemporaryDirectory(prefix="sapiens2-") as scratch:
        best = Path(scratch) / f"{source.stem}.safetensors"
        motion = _motion(source, best, options, console)
        if not options.armature and not best.exists():
            raise SapiensError(
                f"Nobody can be built from {source.name}: it holds no pictures.", "Give the rig to move with --armature."
            )
        _write(motion, best, options, console, source.stem)


def _motion(source: Path, best: Path, options: Namespace, console: Console) -> Take | BodyMotion:
    """The motion of the clip: of a BVH file as it is, else of the person who was asked for."""
    if source.suffix.lower() == BVH:
        from ..core.formats.bvh import read_bvh
        from ..core.formats.other_programs import bvh_motion
        from ..core.retarget.bone_map_file import save_preset

        clip = read_bvh(source, bones=options.source_bones)
        motion = bvh_motion(clip, source.name, options.start, options.end, options.fps)
        if options.save_source_bones and clip.bone_map is not None:
            console.result(save_preset(clip.bone_map, options.save_source_bones))
        return motion
    settings = settings_from(MotionSettings, options)
    if options.keep:
        Path(options.keep).mkdir(parents=True, exist_ok=True)
    # Where nobody is built, the network need not see more than poses are made of.
    network = through_worker.network_options(options, POSE_TASKS if options.armature else None)
    best_path = None if options.armature else best
    if through_worker.needed():
        return through_worker.take_of(source, options, network, settings, best_path, console)
    return _take(source, options, network, settings, best_path, console)


def _take(
    source: Path, options: Namespace, network: NetworkSettings, settings: MotionSettings, best: Path | None, console: Console
) -> Take:
    from ..core.motion.take import make_take
    from ..infer.clip import clip_poses

    clip = clip_poses(
        source,
        fps=options.fps,
        start=options.start,
        end=options.end,
        size=options.size,
        keep=Path(options.keep) if options.keep else None,
        best=best,
        progress=partial(console.progress, source.name),
        **asdict(network),
    )
    for note in clip.notes:
        console.note(note)
    return make_take(clip.frames, clip.fps, settings)


def _write(motion: Take | BodyMotion, best: Path, options: Namespace, console: Console, name: str) -> None:
    import bpy

    from ..scene.action import set_frame_rate, whole_frames, write_take
    from ..scene.export import export
    from ..scene.files import new_file, save_blend

    if options.armature:
        armature = open_armature(options.armature)
        if options.export and armature.name not in bpy.context.view_layer.objects:
            raise SapiensError(
                f"'{armature.name}' is not in the scene that {options.armature} opens with.",
                "Save the file with its scene open, or leave out --export.",
            )
    else:
        new_file()
        set_frame_rate(motion.fps)
        armature = _avatar(best, motion, options, console, name)
    bones = bone_map_of(armature, options, console)
    done = write_take(
        motion,
        armature,
        name=name,
        bones=bones,
        settings=settings_from(RetargetSettings, options, lock_feet=options.lock_feet),
        mute_constraints=options.mute_constraints,
        keep_raw=not options.no_raw,
        own_face=not options.armature,
    )
    scene, collections = bpy.context.scene, [c for c in armature.users_collection if armature.name in c.objects][:1]
    scene.frame_start, scene.frame_end = whole_frames(done.action)
    console.note(f"{armature.name}: {counted(len(motion), 'frame')} at {motion.fps:g} fps, {counted(done.keys, 'key')}")
    for note in dict.fromkeys(done.notes):
        console.note(note)
    console.record(armature=armature.name, frames=len(motion), fps=motion.fps, keys=done.keys, unseen=list(done.unseen))
    console.result(save_blend(Path(options.output)))
    for path in map(Path, [*options.export, *([options.bvh] if options.bvh else [])]):
        console.result(export(path, collections, motion=True, rig=armature, bones=bones))


def _avatar(best: Path, motion: Take | BodyMotion, options: Namespace, console: Console, name: str) -> bpy.types.Object:
    """The person who moves, and nobody else, built from the frame that shows most of somebody; the rig."""
    from ..core.motion.take import Take, who_moves
    from ..scene.build import write_avatars
    from ..scene.marks import objects_of
    from ..scene.photo_pose import show_photo_pose

    assert isinstance(motion, Take)  # of BVH there are no pictures
    avatar = who_moves(avatars_of(best, options, avatar_settings(options), console), motion, best.stem)
    if avatar is None:
        raise SapiensError(f"No rig could be made of the person in {name}.", "Give an armature of your own with --armature.")
    rig = objects_of([write_avatars([avatar], name, match_render=True)], "rig")[0]
    show_photo_pose(rig, False)  # it would go over the new motion
    return rig
