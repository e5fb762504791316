"""A clip to everybody's poses: frames are predicted and lifted in small groups, so that its length does not matter."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.capture.provenance import draft_notes
from ..core.capture.video import DEFAULT_FPS, IMAGES, Clip, open_clip, read_frames
from ..core.common.arrays import Camera, Pose
from ..core.common.errors import SapiensError
from ..core.common.predictions import Predictions
from ..core.common.progress import Progress
from ..core.formats.clip_files import ClipPoses
from ..core.formats.other_programs import is_foreign, read_foreign
from ..core.motion.take import clip_camera, lift_frames
from ..weights.catalogue import PREVIEW
from .kept_frames import KeptFrames

if TYPE_CHECKING:
    from .session import Session

GROUP = 8  # frames whose maps are in memory at a time
Found = tuple[int, Predictions]
Frames = Iterator[tuple[int, Predictions | None]]


def clip_poses(
    source: str | Path,
    *,
    fps: float | None = None,
    start: float = 0.0,
    end: float = float("inf"),
    size: tuple[int, int] | None = None,
    keep: Path | None = None,
    best: Path | None = None,
    progress: Progress | None = None,
    **network: Any,
) -> ClipPoses:
    """The poses of all people in each frame of a clip.

    source      a video; a folder of images, of stored predictions or of keypoints of another program; a file of those
    fps         frames per second; None = the video's, 25 for a folder
    start, end  seconds
    size        (width, height) of the photos that foreign keypoints belong to; None = as the file says
    keep        folder for the predictions of the frames; those that are there of the same picture, model and options are used
    best        file for the predictions of the frame that shows most of a person
    progress    called with a stage and 0..1
    network     model, tasks, device, precision, flip_test and draft, as `infer.predict.predict` takes them

    SapiensError for what is no clip, or shows nobody. Frames that fail are noted.
    """
    source, report = Path(source), progress or (lambda stage, fraction: None)
    notes: list[str] = []
    if is_foreign(source):
        frames, found_notes = read_foreign(source, size)
        rate = fps or DEFAULT_FPS
        chosen = [f for n, f in enumerate(frames) if start <= n / rate < end]
        return _checked(ClipPoses(lift_frames(chosen, progress=partial(report, "poses")), rate, found_notes), source)
    if source.is_dir() and not any(p.suffix.lower() in IMAGES for p in source.iterdir()):
        clip = open_clip(source, fps, start, end, {".safetensors"})
        present = [(n, p) for n, p in zip(clip.slots, clip.files, strict=True) if clip.start <= n / clip.fps < clip.end]
        files = [p for _, p in present]
        stream: Frames = _stored(present, math.ceil(clip.start * clip.fps - 1e-9), report)
        camera = clip_camera([Predictions.load(p) for p in files[:: max(1, len(files) // 9)][:9]]) if files else None
    else:
        clip = open_clip(source, fps, start, end)
        stream, camera = _predicted(clip, source, keep, notes, report, network), None
    notes += clip.notes
    poses: list[list[Pose]] = []
    group: list[Found] = []
    most = -1
    for n, frame in stream:
        poses += [[] for _ in range(n + 1 - len(poses))]
        if frame is not None:
            group.append((n, frame))
            notes += draft_notes([frame])
        if len(group) == GROUP:
            camera, most = _lift(group, poses, camera, best, most)
            group = []
    if group:
        _lift(group, poses, camera, best, most)
    return _checked(ClipPoses(poses, clip.fps, tuple(dict.fromkeys(notes))), source)


def _checked(clip: ClipPoses, source: Path) -> ClipPoses:
    if not any(clip.frames):
        reason = f" {clip.notes[0]}" if clip.notes else ""
        raise SapiensError(f"No person was found in {source.name}.{reason}", "Choose a clip that shows a person.")
    return clip


def _lift(group: list[Found], poses: list[list[Pose]], camera: Camera | None, best: Path | None, most: int) -> tuple[Camera, int]:
    """Lift the frames of a group into `poses`, through the camera of the clip: that of its first group.

    And keep the fullest frame.
    """
    camera = camera or clip_camera([frame for _, frame in group])
    for (n, frame), found in zip(group, lift_frames([frame for _, frame in group], camera), strict=True):
        poses[n] = found
        shown = max((int(pose.seen.sum()) for pose in found), default=-1)
        if best is not None and shown > most:
            most = shown
            frame.save(best)
    return camera, most


def _stored(files: list[tuple[int, Path]], first: int, report: Progress) -> Frames:
    """The stored predictions of frames (n, file), counted from the first of the range."""
    for done, (n, path) in enumerate(files):
        report("poses", done / len(files))
        yield n - first, Predictions.load(path)


def _predicted(
    clip: Clip, source: Path, keep: Path | None, notes: list[str], report: Progress, network: dict[str, Any]
) -> Frames:
    """(index, predictions) of each frame, in groups that share a checkpoint; None without a picture or a person."""
    seconds = min(clip.seconds, clip.end) - clip.start
    count = max(1, round(clip.fps * seconds)) if math.isfinite(seconds) else 1
    done = 0

    def progress(_stage: str, _share: float) -> None:
        report(f"frame {min(done + 1, count)} of {count}", min(done / count, 1.0))

    session = None if network.get("model", PREVIEW) == PREVIEW else _session(network, progress)
    options = {name: network[name] for name in ("model", "tasks", "flip_test") if name in network}
    looked = options | {"precision": network.get("precision", "auto")} | ({"draft": True} if network.get("draft") else {})
    kept = None if keep is None else KeptFrames(keep, source.stem, looked)
    frames = enumerate(read_frames(clip))
    try:
        while group := list(islice(frames, GROUP)):
            fresh = []
            for n, frame in group:
                found = None if frame.image is None or kept is None else kept.find(frame.image)
                if frame.image is not None and found is None:
                    fresh.append((n, frame.image))
                    continue
                if frame.image is None and frame.error:
                    notes.append(frame.error)
                yield n, found
                done += 1
            if fresh:
                progress("frame", 0.0)
            for item in _run(fresh, session, options, kept, notes) if fresh else ():
                done += 1
                progress("frame", 0.0)
                yield item
    finally:
        if session is not None:
            session.close()


def _session(network: dict[str, Any], progress: Progress) -> Session:
    """What keeps the networks of a clip loaded."""
    from .session import Session

    return Session(
        network.get("device", "auto"), network.get("precision", "auto"), progress, keep=True, draft=network.get("draft", False)
    )


def _run(
    fresh: list[tuple[int, np.ndarray]],
    session: Session | None,
    options: dict[str, Any],
    kept: KeptFrames | None,
    notes: list[str],
) -> Frames:
    from .predict import predict_many

    for (n, image), made in zip(fresh, predict_many([image for _, image in fresh], session, **options), strict=True):
        if isinstance(made, SapiensError):
            notes.append(f"Frame {n + 1}: {made.message}")
            yield n, None
            continue
        if kept is not None:
            kept.save(made, image, n)
        yield n, made
