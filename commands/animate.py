"""`animate VIDEO|FOLDER -o FILE.blend [--armature FILE.blend[:NAME]] [--bvh FILE]`: a clip as an action.

Without an armature the person of the clip is built from the frame that shows most of them, and moves.
"""

from __future__ import annotations

import tempfile
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ..core.data import Pose, Predictions
from ..core.errors import SapiensError
from .armatures import bone_map_of, open_armature
from .build import avatar_settings, require_blender
from .console import Console
from .inputs import check_writable

Files = list[Path | None]  # of the predictions of each frame; None = nobody was found in it


def run(options: Namespace, console: Console) -> None:
    from ..core.motion import MotionSettings, make_take

    output = Path(options.output)
    for path in (output, *(Path(p) for p in (options.bvh, options.save_bones, *options.export) if p)):
        check_writable(path)
    require_blender()
    console.claim_stdout()
    with tempfile.TemporaryDirectory(prefix="sapiens2-") as scratch:
        folder = Path(options.keep) if options.keep else Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        files, fps = _predicted(options, console, folder)
        name = Path(options.clip).stem
        settings = MotionSettings(smoothness=options.smoothness, person=options.person, lock_feet=not options.no_foot_lock)
        take = make_take(_poses(files, partial(console.progress, name, "poses")), fps, settings)
        _write(options, console, take, files, name)


def _poses(files: Files, progress: Callable[[float], None]) -> list[list[Pose]]:
    """Everybody's pose in each frame, through one camera, since it does not zoom from frame to frame. One frame is in memory at a time."""
    from ..core.motion import clip_camera
    from ..core.pose import lift_pose

    found = [path for path in files if path is not None]
    camera = clip_camera([Predictions.load(path) for path in found[:: max(1, len(found) // 9)][:9]])
    poses: list[list[Pose]] = []
    for index, path in enumerate(files):
        poses.append([])
        progress(index / len(files))
        predictions = None if path is None else Predictions.load(path)
        if predictions is None or predictions.keypoints is None:
            continue
        for person in range(len(predictions.keypoints)):
            try:
                poses[-1].append(lift_pose(predictions, person, camera))
            except SapiensError:
                continue  # keypoints that cannot be a person's: the take notes who is missing where
    return poses


def _predicted(options: Namespace, console: Console, folder: Path) -> tuple[Files, float]:
    """A predictions file per frame in `folder` (those that are there are kept), None for frames without a person; and fps."""
    from ..core.video import open_clip, read_frames

    source = Path(options.clip)
    if source.is_dir() and any(source.glob("*.safetensors")):
        clip = open_clip(source, options.fps, options.start, options.end, {".safetensors"})
        times = [i / clip.fps for i in range(len(clip.files))]
        return [path for path, time in zip(clip.files, times, strict=True) if clip.start <= time < clip.end], clip.fps
    from ..infer.predict import predict

    clip = open_clip(source, options.fps, options.start, options.end)
    files: Files = []
    for index, frame in enumerate(read_frames(clip)):
        path = folder / f"{source.stem}-{index:06d}.safetensors"
        if frame.image is None:
            console.note(frame.error)
            files.append(None)
            continue
        if not path.exists():
            try:
                made = predict(
                    frame.image,
                    model=options.model,
                    tasks=options.tasks,
                    device=options.device,
                    precision=options.precision,
                    flip_test=options.flip,
                    progress=partial(_frame_progress, console, source.name, index),
                )
            except SapiensError as error:
                if index == 0 and not error.message.startswith("No person"):
                    raise
                console.note(f"Frame {index}: {error.message}")
                files.append(None)
                continue
            made.save(path)
        files.append(path)
    if not any(files):
        raise SapiensError(f"No person was found in {source.name}.", "Choose a clip that shows a person.")
    return files, clip.fps


def _frame_progress(console: Console, name: str, index: int, stage: str, fraction: float) -> None:
    console.progress(name, f"frame {index}", fraction)


def _write(options: Namespace, console: Console, take, files: Files, name: str) -> None:
    import bpy

    from ..scene.action import write_take
    from ..scene.export import export, export_bvh
    from ..scene.files import new_file, save_blend

    if options.armature:
        armature = open_armature(options.armature)
    else:
        new_file()
        armature = _avatar(options, take, files, name)
    bones = bone_map_of(armature, options, console)
    done = write_take(take, armature, name=name, bones=bones, keep_raw=not options.no_raw)
    scene = bpy.context.scene
    first, last = done.action.frame_range
    scene.frame_start, scene.frame_end = min(scene.frame_start, int(first)), max(int(last), scene.frame_start)
    console.note(f"{armature.name}: {len(take)} frames at {take.fps:g} fps, {done.keys} keys")
    for note in dict.fromkeys(done.notes):
        console.note(note)
    console.record(armature=armature.name, frames=len(take), fps=take.fps, keys=done.keys, unseen=list(done.unseen))
    console.result(save_blend(Path(options.output)))
    for path in map(Path, options.export):
        console.result(export(path, [armature.users_collection[0]]))
    if options.bvh:
        console.result(export_bvh(Path(options.bvh), armature, int(first), int(last)))


def _avatar(options: Namespace, take, files: Files, name: str):
    """The person built from the frame that shows most joints; its rig."""
    from ..core.avatar import make_avatars
    from ..scene.build import write_avatars

    best = int((take.seen.sum(1) * take.found).argmax())
    path = files[best]
    assert path is not None  # the take says that the person was found there
    avatars = make_avatars(Predictions.load(path), name, avatar_settings(options))
    collection = write_avatars(avatars, name, match_render=True)
    rigs = [ob for ob in collection.all_objects if ob.get("sapiens2_role") == "rig"]
    if not rigs:
        raise SapiensError(f"No rig could be made of the person in {name}.", "Give an armature of your own with --armature.")
    return rigs[min(options.person, len(rigs) - 1)]
