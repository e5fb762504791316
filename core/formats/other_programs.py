"""Clips of other programs: keypoints in 2D or 3D as JSON, one file or a folder with one for each frame, and motion as BVH."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..capture.frame_numbers import timeline
from ..capture.video import IMAGES
from ..common.arrays import Pose
from ..common.errors import SapiensError
from ..common.predictions import Predictions
from ..common.wording import counted
from ..pose.lift import lift_pose
from ..retarget.body_motion import BodyMotion, motion_from_rig
from ..retarget.bone_map import BoneMap
from .bvh import BvhClip, read_bvh
from .keypoint_files import SUFFIXES, as_predictions, frame_files, load_json, read_sam3d
from .keypoint_frames import KeypointFrames, are_shares, frames_of


def read_bvh_motion(
    path: str | Path,
    start: float = 0.0,
    end: float = float("inf"),
    fps: float | None = None,
    bones: BoneMap | str | Path | None = None,
) -> BodyMotion:
    """The motion of a BVH file between two times in seconds, with notes of what the file was taken for.

    fps    of the motion, where the file's own is wrong; None = the file's
    bones  which joint of the file plays which role: a map, or the file of a bone table; None = recognised

    SapiensError for what is none, is nobody's, or has no such frames.
    """
    return bvh_motion(read_bvh(path, bones=bones), Path(path).name, start, end, fps)


def bvh_motion(clip: BvhClip, name: str, start: float = 0.0, end: float = float("inf"), fps: float | None = None) -> BodyMotion:
    """The motion of a clip that `read_bvh` read from the file of this name; as `read_bvh_motion`."""
    rate = fps or clip.fps
    first, last = int(np.ceil(start * rate - 1e-6)), int(min(np.ceil(end * rate - 1e-6), len(clip.root)))
    if last <= first:
        raise SapiensError(f"{name} has no frames from {start:g} to {end:g} s.", "Choose another range.")
    if clip.bone_map is None:
        raise SapiensError(
            f"No body could be found in {name}, by the names of its joints or by their structure.",
            "Say which joint is which with a bone table: Source Bones when it is imported, --source-bones FILE.json.",
        )
    hips = clip.positions()[first:last, clip.rest.index(clip.bone_map.bones["hips"][0])]
    motion = motion_from_rig(clip.rest, clip.bone_map, clip.rotations[first:last], hips, rate)
    return replace(motion, notes=clip.notes)


def is_foreign(path: str | Path) -> bool:
    """Whether this is keypoints of another program: a .json or .npz file, or a folder of them without images or predictions."""
    path = Path(path)
    if path.is_dir():
        suffixes = {p.suffix.lower() for p in path.iterdir() if not p.name.startswith(".")}
        return bool(suffixes & SUFFIXES) and not suffixes & (IMAGES | {".safetensors"})
    return path.suffix.lower() in SUFFIXES


def read_foreign(path: str | Path, size: tuple[int, int] | None = None) -> tuple[list[Predictions | list[Pose]], tuple[str, ...]]:
    """The frames of another program's keypoints, for `core.motion.take.make_take`:
    a file, or a folder with a file for each frame.

    size  (width, height) of the photos in pixels; None = as the files say, else as large as the points need, which is noted
    Returns the frames (2D keypoints as predictions without maps, SAM 3D Body's points as poses), and notes for the artist.
    """
    path = Path(path)
    files = frame_files(path) if path.is_dir() else [path]
    found = [read_sam3d(file) if _is_sam3d(file) else frames_of(load_json(file), file.name) for file in files]
    frames, notes = _in_time(files, found, path.name)
    flat = [f for f in found if isinstance(f, KeypointFrames)]
    whole = KeypointFrames([f for f in frames if isinstance(f, np.ndarray)])
    stated = next((f.size for f in flat if f.size), None)
    if are_shares(whole.frames):
        pixels = iter(KeypointFrames(whole.frames, stated, shares=True).in_pixels(size, path.name))
        frames = [next(pixels) if isinstance(f, np.ndarray) else f for f in frames]
    elif not (size or stated):
        seen = [f[f[..., 2] > 0][:, :2] for f in whole.frames if len(f)]
        points = np.concatenate(seen) if seen else np.zeros((0, 2))
        low, high = (points.min(axis=0), points.max(axis=0)) if len(points) else (np.zeros(2), np.ones(2))
        stated = (max(1, int(np.ceil(max(low[0], 0) + high[0]))), max(1, int(np.ceil(max(low[1], 0) + high[1]))))
        if len(points):
            said = f"{path.name} does not say how large the photos are: {stated[0]} x {stated[1]} pixels were assumed."
            notes = (said, *notes)
    width, height = size or stated or (1, 1)
    return [as_predictions(f, width, height, path.name) if isinstance(f, np.ndarray) else f for f in frames], notes


def _in_time(
    files: list[Path], found: list[KeypointFrames | list[Pose]], name: str
) -> tuple[list[np.ndarray | list[Pose]], tuple[str, ...]]:
    """Frames of all files and notes: of files with one frame each by the numbers in their names, else one after the other."""
    notes = tuple(note for f in found if isinstance(f, KeypointFrames) for note in f.notes)
    if all(isinstance(f, list) or len(f.frames) == 1 for f in found):
        time = timeline([file.name for file in files], name, files=True)
        nobody: np.ndarray | list[Pose] = [] if isinstance(found[0], list) else np.zeros((0, 308, 3), np.float32)
        out = [nobody] * time.length
        for n, slot in zip(time.order.tolist(), time.slots.tolist(), strict=True):
            file = found[n]
            out[slot] = file if isinstance(file, list) else file.frames[0]
        return out, (*notes, *time.notes)
    return [frame for f in found for frame in ([f] if isinstance(f, list) else f.frames)], notes


def foreign_pose(path: str | Path, person: int = 0, size: tuple[int, int] | None = None) -> tuple[Pose, tuple[str, ...]]:
    """The pose of one person in the first frame of another program's keypoints that shows anybody, and notes. Needs scipy.

    SapiensError if nobody, or not that many people, are in it.
    """
    frames, notes = read_foreign(path, size)
    counts = [len(f) if isinstance(f, list) else 0 if f.keypoints is None else len(f.keypoints) for f in frames]
    first = next((n for n, count in enumerate(counts) if count), None)
    if first is None:
        raise SapiensError(f"Nobody is in {Path(path).name}.", "Choose keypoints of a photo that shows a person.")
    if not 0 <= person < counts[first]:
        raise SapiensError(
            f"{Path(path).name} shows {counted(counts[first], 'person', 'people')}, person {person} is not one of them.",
            "They are counted from 0.",
        )
    frame = frames[first]
    return frame[person] if isinstance(frame, list) else lift_pose(frame, person), notes


def _is_sam3d(path: Path) -> bool:
    if path.suffix.lower() == ".npz":
        return True
    content = load_json(path)
    first = content[0] if isinstance(content, list) and content else content
    return isinstance(first, dict) and ("pred_keypoints_3d" in first or "keypoints_3d" in first)
