"""Frames of a video to the motion of one person: tracked, gaps bridged, smoothed, lengths steady, feet on the ground."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..capture.camera import estimate_camera
from ..capture.ground import place
from ..common.arrays import Camera, Pose
from ..common.avatars import Avatar
from ..common.errors import SapiensError
from ..common.landmarks import JOINT_NAMES, joint_index
from ..common.predictions import Predictions
from ..common.rotations import unit
from ..common.spaces import CAMERA_FORWARD, transform_points
from ..common.wording import counted
from ..pose.anatomy import HEAD_SUPPORT
from ..pose.lift import lift_pose, lift_poses
from ..retarget.body_motion import FACE_POINTS, BodyMotion, head_frames, motion_from_joints
from ..retarget.ground_contacts import find_contacts, ground_level, lock_feet, spans
from ..retarget.head_motion import calm_frame, calm_frames, face_moves, head_motion
from .bone_lengths import steady_lengths
from .filters import cutoff, low_pass, low_pass_rotations, outliers
from .settings import MotionSettings
from .tracking import track, undo_swaps

GAP_SECONDS = 0.35  # unseen for no longer than this: bridged in time; longer: the guess of the single frame counts
REGION_FACTOR = {"hand": 1.35, "foot": 1.2, "body": 1.0, "trunk": 0.75, "head": 0.8}  # of the cut-off frequency
OUTLIER_METRES = 0.04  # off its neighbours, at 30 frames per second, below which no sample is an outlier
BATCH = 64  # people that are lifted side by side


@dataclass(frozen=True, eq=False)
class Take:
    """The motion of one person over F frames. World space: z up, the ground at z = 0, metres.

    positions         (F, 68, 3) float64 joints, order of `core.common.landmarks.JOINT_NAMES`
    head              (F, 3, 3) float64 frame of the head: x to the person's left, y up, z ahead
    raw, raw_head     the same before anything was filtered or locked (gaps are bridged)
    seen              (F, 68) bool: the joint was seen in that frame
    found             (F,) bool: the person was found in that frame
    contacts          (F, 4) bool: left heel, left toes, right heel, right toes stand on the ground
    fps               frames per second
    world_from_camera (4, 4) of the clip
    notes             sentences for the artist
    locked            feet are held where they stand, and are to be on every rig
    face, raw_face    jaw (F,) and gaze (F, 2, 2) of `core.retarget.body_motion.BodyMotion`, smoothed and not; neutral is the
                      calmest face of the clip. None = no face was seen
    expression, raw_expression
                      (F, 238, 3) float32 `core.retarget.head_motion.face_moves`, smoothed and not; None as face
    fullest           the frame that shows most of somebody, which avatars of the clip are built from
    person, people    which one the person is in that frame, counted from 0 from the left, and how many there are. Where the
                      person was not found there: the one nearest to where they were last seen or are seen next
    """

    positions: np.ndarray
    head: np.ndarray
    raw: np.ndarray
    raw_head: np.ndarray
    seen: np.ndarray
    found: np.ndarray
    contacts: np.ndarray
    fps: float
    world_from_camera: np.ndarray
    notes: tuple[str, ...] = ()
    locked: bool = True
    face: tuple[np.ndarray, np.ndarray] | None = None
    raw_face: tuple[np.ndarray, np.ndarray] | None = None
    expression: np.ndarray | None = None
    raw_expression: np.ndarray | None = None
    fullest: int = 0
    person: int = 0
    people: int = 1

    def __len__(self) -> int:
        return len(self.positions)

    def motion(self, raw: bool = False) -> BodyMotion:
        """Anatomical frames to pose rigs with."""
        if raw:
            return motion_from_joints(self.raw, self.seen, head=self.raw_head, fps=self.fps, face=self.raw_face)
        contacts = self.contacts if self.locked else None
        return motion_from_joints(self.positions, self.seen, head=self.head, fps=self.fps, contacts=contacts, face=self.face)


def make_take(
    frames: Sequence[Predictions | Pose | Sequence[Pose] | None],
    fps: float,
    settings: MotionSettings | None = None,
    world_from_camera: np.ndarray | None = None,
    progress: Callable[[float], None] | None = None,
) -> Take:
    """The motion of one person.

    frames             what was found in each frame: predictions, or one or several poses; None or an empty list = nobody
    fps                frames per second
    world_from_camera  (4, 4) of the static camera; None = from the person's upright frames and feet
    progress           called with 0..1 while predictions are lifted to poses

    SapiensError if nobody is in the clip. Needs scipy.
    """
    settings = settings or MotionSettings()
    if not 0.1 <= fps <= 1000:
        raise SapiensError(f"A clip cannot have {fps} frames per second.", "Give the rate of the video, such as 30.")
    people = lift_frames(frames, progress=progress)
    tracked = track(people, fps, settings.person)
    found = np.array([p is not None for p in tracked])
    if not found.any():
        raise SapiensError("Nobody was found in any frame.", "Check the clip, or lower the detection threshold.")
    reference = [p for p in tracked if p is not None]
    if world_from_camera is None:
        world_from_camera = _stand(reference)
    notes = _gaps(found, fps)
    fullest = fullest_frame(people)
    camera, seen, confidence, surface = _stack(tracked, found)
    if settings.undo_swaps:
        camera, swapped = undo_swaps(camera, found)
        if swapped.any():
            notes.append(f"Left and right were exchanged back in {counted(int(swapped.sum()), 'frame')}.")
    positions = transform_points(world_from_camera, camera)
    head = head_frames(positions, transform_points(world_from_camera, surface))
    weight = _trust(positions, seen, confidence, found, fps)
    raw = _bridged(positions, weight, fps, found)
    head_weight = np.where(found, 1.0, 0.0)[:, None]
    raw_head = low_pass_rotations(head[:, None], fps, fps, head_weight)[:, 0]
    smooth = _smoothed(raw, weight, fps, settings.smoothness)
    hertz = REGION_FACTOR["head"] * cutoff(settings.smoothness)
    smooth_head = low_pass_rotations(head[:, None], fps, hertz, head_weight)[:, 0]
    faces = _face(surface, found, fps, (fps, hertz))
    if settings.steady_lengths:
        smooth = steady_lengths(smooth, seen & found[:, None])
    lift = ground_level(smooth, fps)
    smooth[..., 2] -= lift
    raw[..., 2] -= lift
    contacts = find_contacts(smooth, fps)
    if settings.lock_feet:
        smooth, contacts = lock_feet(smooth, contacts, fps)
    world = np.array(world_from_camera, np.float64)
    world[2, 3] -= lift
    if not settings.keep_place:
        origin = np.append(smooth[0, joint_index("pelvis"), :2], 0.0)
        smooth, raw = smooth - origin, raw - origin
        world[:3, 3] -= origin
    return Take(
        positions=smooth,
        head=smooth_head,
        raw=raw,
        raw_head=raw_head,
        seen=seen,
        found=found,
        contacts=contacts,
        fps=float(fps),
        world_from_camera=world,
        notes=tuple(notes),
        locked=settings.lock_feet,
        **faces,
        fullest=fullest,
        person=_nearest(people[fullest], tracked[_nearest_frames(found)[fullest]]),
        people=len(people[fullest]),
    )


def fullest_frame(people: Sequence[Sequence[Pose]]) -> int:
    """The frame with the pose of which most joints were seen, the first of several. `infer.clip` keeps its predictions."""
    return int(np.argmax([max((int(pose.seen.sum()) for pose in poses), default=-1) for poses in people]))


def who_moves(avatars: Sequence[Avatar], take: Take, name: str) -> Avatar | None:
    """The take's person among the avatars that `core.avatar` made of the fullest frame under this name. None = without a rig."""
    rigged = [avatar for avatar in avatars if avatar.rig is not None]
    if len(rigged) == take.people:
        return rigged[take.person]
    # Somebody has no surface, or two were taken for one. Names count everybody.
    return next((avatar for avatar in rigged if avatar.name in (name, f"{name} {take.person + 1}")), None)


def _nearest(poses: Sequence[Pose], person: Pose | None) -> int:
    """Index of the pose whose hips are nearest to the person's: of the person's own, if it is among them."""
    assert person is not None
    pelvis = joint_index("pelvis")
    return int(np.argmin([np.linalg.norm(pose.positions[pelvis] - person.positions[pelvis]) for pose in poses]))


def _face(surface: np.ndarray, found: np.ndarray, fps: float, hertz: tuple[float, float]) -> dict[str, Any]:
    """`Take`'s raw_face, face, raw_expression and expression: low-passed by the two cut-off frequencies, and bridged where no
    face is seen; nothing where none ever is.

    surface  (F, 308, 3) keypoints on the skin, NaN = none
    """
    shown = found & np.isfinite(surface[:, list(FACE_POINTS)]).all(axis=(1, 2))
    if not shown.any():
        return {}
    own = head_motion(surface, np.ones(surface.shape[:-1]))
    seen = replace(own, support=np.where(shown, own.support, 0.0))
    motion = head_motion(surface, np.ones(surface.shape[:-1]), calm_frame(seen))
    values = np.concatenate([motion.jaw[:, None], motion.gaze.reshape(len(surface), 4)], axis=1)
    trust = np.where(shown & (motion.support >= HEAD_SUPPORT), 1.0, 0.0)
    if not trust.any():
        return {}
    moves = face_moves(surface, calm_frames(seen)).reshape(len(surface), -1)
    both = np.concatenate([values, moves], axis=1)[:, None]
    found_faces = {}
    for prefix, frequency in zip(("raw_", ""), hertz, strict=True):
        out = low_pass(both, fps, frequency, trust[:, None])[:, 0]
        found_faces[f"{prefix}face"] = np.maximum(out[:, 0], 0.0), out[:, 1:5].reshape(-1, 2, 2)
        found_faces[f"{prefix}expression"] = out[:, 5:].reshape(len(surface), -1, 3).astype(np.float32)
    return found_faces


def lift_frames(
    frames: Sequence[Predictions | Pose | Sequence[Pose] | None],
    camera: Camera | None = None,
    progress: Callable[[float], None] | None = None,
) -> list[list[Pose]]:
    """Everybody's pose in each frame: predictions are lifted side by side, through one camera, which does not zoom; poses pass.

    camera  None = the median of what the frames say. People whose keypoints cannot be a person's are left out. Needs scipy.
    """
    out: list[list[Pose]] = [_given_poses(frame) for frame in frames]
    seen = [(n, f) for n, f in enumerate(frames) if isinstance(f, Predictions) and f.keypoints is not None and len(f.keypoints)]
    jobs = [(n, f, person) for n, f in seen if f.keypoints is not None for person in range(len(f.keypoints))]
    camera = camera or (clip_camera([f for _, f in seen]) if seen else None)
    for start in range(0, len(jobs), BATCH):
        batch = jobs[start : start + BATCH]
        try:
            poses: list[Pose | None] = list(lift_poses([f for _, f, _ in batch], [person for *_, person in batch], camera))
        except SapiensError:  # keypoints of one of them cannot be a person: take them one by one and leave that one out
            poses = [_lifted(f, person, camera) for _, f, person in batch]
        for (n, *_), pose in zip(batch, poses, strict=True):
            if pose is not None:
                out[n].append(pose)
        if progress is not None:
            progress((start + len(batch)) / len(jobs))
    return out


def _given_poses(frame: Predictions | Pose | Sequence[Pose] | None) -> list[Pose]:
    """The poses that a frame brings; predictions are still to be lifted."""
    if frame is None or isinstance(frame, Predictions):
        return []
    return [frame] if isinstance(frame, Pose) else list(frame)


def _lifted(frame: Predictions, person: int, camera: Camera | None) -> Pose | None:
    try:
        return lift_pose(frame, person, camera)
    except SapiensError:
        return None


def clip_camera(frames: Sequence[Predictions]) -> Camera:
    """The camera of a clip: the median of what up to nine of its frames say."""
    picked = frames[:: max(1, len(frames) // 9)][:9]
    cameras = sorted((estimate_camera(f).camera for f in picked), key=lambda c: c.fx)
    return cameras[len(cameras) // 2]


def _stand(poses: Sequence[Pose]) -> np.ndarray:
    """(4, 4) one placement for the clip: up is the mean of single frames, the floor comes from all feet later."""
    matrices = [place(p, p.positions).world_from_camera for p in poses[:: max(1, len(poses) // 50)]]
    up = unit(np.mean([m[2, :3] for m in matrices], axis=0))
    ahead = unit(CAMERA_FORWARD - (CAMERA_FORWARD @ up) * up)
    world = np.eye(4)
    world[:3, :3] = np.stack([np.cross(ahead, up), ahead, up])
    world[2, 3] = -float(np.median([-m[2, 3] for m in matrices]))
    return world


def _gaps(found: np.ndarray, fps: float) -> list[str]:
    missing = spans(~found)
    if not missing:
        return []
    longest = max(stop - start for start, stop in missing) / fps
    frames = f"{int((~found).sum())} of {counted(len(found), 'frame')}"
    return [f"The person was not found in {frames} (longest gap {longest:.1f} s): bridged."]


def _stack(tracked: Sequence[Pose | None], found: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Positions (F, 68, 3), seen and confidence (F, 68), surface (F, 308, 3); frames without a pose repeat their neighbour."""
    poses = [pose for n in _nearest_frames(found) if (pose := tracked[n]) is not None]
    order = [poses[0].names.index(name) for name in JOINT_NAMES]
    positions = np.array([p.positions[order] for p in poses], np.float64)
    seen = np.array([p.seen[order] for p in poses]) & found[:, None]
    confidence = np.array([p.confidence[order] for p in poses], np.float64) * found[:, None]
    return positions, seen, confidence, np.array([p.surface for p in poses], np.float64)


def _nearest_frames(found: np.ndarray) -> np.ndarray:
    """(F,) for each frame the nearest one in which the person was found."""
    known = np.flatnonzero(found)
    return known[np.abs(np.arange(len(found))[:, None] - known).argmin(axis=1)]


def _trust(positions: np.ndarray, seen: np.ndarray, confidence: np.ndarray, found: np.ndarray, fps: float) -> np.ndarray:
    """(F, 68) weight of each sample: 0 for frames without the person, short occlusions and outliers."""
    weight = np.where(seen, np.clip(confidence, 0.15, 1.0), 0.05)
    longest = round(GAP_SECONDS * fps)
    for joint in range(positions.shape[1]):
        for start, stop in spans(~seen[:, joint]):
            if stop - start <= longest and start > 0 and stop < len(seen):
                weight[start:stop, joint] = 0.0
    pelvis = positions[:, joint_index("pelvis")][:, None]
    # What limbs that change their speed stand off grows with the square of the step.
    floor = OUTLIER_METRES * max(1.0, 30.0 / fps) ** 2
    weight[outliers(positions - pelvis, floor) | outliers(positions, 2 * floor)] = 0.0
    weight[~found] = 0.0
    return weight


def _bridged(positions: np.ndarray, weight: np.ndarray, fps: float, found: np.ndarray) -> np.ndarray:
    """Samples of weight 0 replaced by the smoothest path through the others; all others untouched."""
    path = low_pass(positions, fps, fps, weight)
    keep = (weight > 0) | ~np.isfinite(path).all(axis=-1)
    out = np.where(keep[..., None], positions, path)
    first, last = np.flatnonzero(found)[[0, -1]]
    out[:first], out[last + 1 :] = out[first], out[last]  # nothing is known outside: the person waits
    return out


def _smoothed(positions: np.ndarray, weight: np.ndarray, fps: float, smoothness: float) -> np.ndarray:
    """Joints relative to the pelvis and the pelvis itself, each region with its own cut-off."""
    hertz = cutoff(smoothness)
    pelvis = joint_index("pelvis")
    root = positions[:, pelvis : pelvis + 1]
    weight = np.maximum(weight, 0.02)
    smooth_root = low_pass(root, fps, REGION_FACTOR["trunk"] * hertz, weight[:, pelvis : pelvis + 1])
    out = np.empty_like(positions)
    regions = np.array([_region(name) for name in JOINT_NAMES])
    for region in np.unique(regions):
        chosen = np.flatnonzero(regions == region)
        out[:, chosen] = low_pass(positions[:, chosen] - root, fps, REGION_FACTOR[region] * hertz, weight[:, chosen])
    return out + smooth_root


def _region(name: str) -> str:
    if "thumb" in name or "finger" in name:
        return "hand"
    if name.endswith(("ankle", "heel", "toe")):
        return "foot"
    if name in ("head", "head_top", "left_eye", "right_eye"):
        return "head"
    return "trunk" if name in ("pelvis", "spine", "chest", "neck", "left_hip", "right_hip") else "body"
