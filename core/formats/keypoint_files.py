"""Keypoints of other programs: JSON of Meta's demo scripts, COCO-WholeBody and OpenPose, and SAM 3D Body's 3D points.

All 2D sources become the 308 keypoints of `core.common.landmarks`, with score 0 where a source has no such point. Files are
untrusted: whatever is not what it should be ends in one SapiensError that names it.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..capture.frame_numbers import natural_order
from ..common.arrays import Pose
from ..common.errors import SapiensError
from ..common.landmarks import FINGERS, JOINT_NAMES, SIDES, finger_joints, joint_index, joint_keypoints, keypoint_index
from ..common.predictions import Predictions
from ..common.rotations import fit_rigid
from ..pose.anatomy import fit_head, template_joints
from ..pose.anthropometry import estimate_stature
from ..pose.lift import derive_joints

MAX_BYTES = 512 * 2**20
SUFFIXES = {".json", ".npz"}
_COCO17 = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow",
    "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
_COCO_FEET = ("left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel")
_OPENPOSE_ARMS = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
)  # fmt: skip
_OPENPOSE_LEGS = (
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
    "right_eye", "left_eye", "right_ear", "left_ear",
)  # fmt: skip
_BODY18 = (*_OPENPOSE_ARMS, *_OPENPOSE_LEGS)
_BODY25 = (*_OPENPOSE_ARMS, None, *_OPENPOSE_LEGS, *_COCO_FEET)


def _hand(side: str) -> tuple[str, ...]:
    """The 21 points of a hand from wrist to little finger, each finger from its base: COCO-WholeBody, OpenPose."""
    return (f"{side}_wrist", *(joint for finger in FINGERS for joint in finger_joints(side, finger)))


def read_keypoints(path: str | Path) -> list[np.ndarray]:
    """2D keypoints of a file, frame by frame: (P, 308, 3) float32 x, y in pixels and score; P people, may be 0.

    Recognised by content: Meta's demo and other MMPose output (`instance_info`, 308, 133 or 17 points), COCO annotations with or
    without whole body (`annotations`), OpenPose (`people`; BODY_25 or COCO, hands).
    """
    path = Path(path)
    content = load_json(path)
    if isinstance(content, dict) and "instance_info" in content:
        return _mmpose(content["instance_info"], path.name)
    if isinstance(content, dict) and "annotations" in content:
        return _coco(content["annotations"], path.name)
    if isinstance(content, dict) and "people" in content:
        return [_openpose(content["people"], path.name)]
    if isinstance(content, list) and content and isinstance(content[0], dict) and "keypoints" in content[0]:
        return _coco(content, path.name) if "image_id" in content[0] else _mmpose(content, path.name)
    raise SapiensError(
        f"{path.name} holds no keypoints in a form that is known.",
        "Give the JSON of Sapiens' demo script, COCO-WholeBody or OpenPose.",
    )


def frame_files(folder: str | Path) -> list[Path]:
    """The .json and .npz files of a folder, frame_2 before frame_10. SapiensError if there are none."""
    files = [path for path in Path(folder).glob("*") if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")]
    if not files:
        raise SapiensError(f"There are no JSON files in {folder}.", "Choose the folder that the keypoints were written to.")
    return sorted(files, key=natural_order)


def as_predictions(keypoints: np.ndarray, width: int, height: int, source: str = "") -> Predictions:
    """Keypoints alone as predictions for `core.pose.lift.lift_pose`,
    with a black image of the photo's size that takes no memory."""
    if not (0 < width <= 65536 and 0 < height <= 65536):
        raise SapiensError(
            f"A photo cannot be {width} x {height} pixels.", "Give the size of the photo that the keypoints belong to."
        )
    return Predictions(
        np.broadcast_to(np.zeros(3, np.uint8), (height, width, 3)),
        keypoints=np.asarray(keypoints, np.float32),
        metadata={"source": source} if source else {},
    )


def read_sam3d(path: str | Path) -> list[Pose]:
    """The people of a SAM 3D Body result (.json or .npz): 70 points in 3D in the order of our first 70.

    `pred_keypoints_3d` or `keypoints_3d` (70, 3) or (P, 70, 3), metres, axes of the camera (x right, y down, z forward);
    `pred_cam_t` (3,) or (P, 3), added where present.
    """
    path = Path(path)
    people = _sam_people(path)
    out = []
    for person in people:
        points = person.get("pred_keypoints_3d", person.get("keypoints_3d"))
        array = _numbers(points, path.name, "3D keypoints")
        if array.ndim == 2:
            array = array[None]
        if array.ndim != 3 or array.shape[1:] != (70, 3):
            raise SapiensError(
                f"{path.name} has 3D keypoints of shape {array.shape}, expected (people, 70, 3).", "Export them again."
            )
        if person.get("pred_cam_t") is not None:
            array = array + _numbers(person["pred_cam_t"], path.name, "pred_cam_t").reshape(-1, 1, 3)
        out += [pose_from_points(points70, path.name) for points70 in array]
    return out


def pose_from_points(points: np.ndarray, source: str = "The points") -> Pose:
    """A pose from the first 70 keypoints in 3D: (70, 3) metres, camera space; NaN = missing, filled from the mean person.

    SapiensError where they do not show hips, shoulders and neck.
    """
    index = joint_keypoints()
    known = np.full((len(JOINT_NAMES), 3), np.nan)
    eyes = np.array([name.endswith("_eye") for name in JOINT_NAMES])  # the keypoints lie on the skin, the joints in the eyeballs
    usable = (index >= 0) & (index < 70) & ~eyes
    known[usable] = points[index[usable]]
    seen = np.isfinite(known).all(axis=1)
    needed = [joint_index(n) for n in ("left_hip", "right_hip", "left_shoulder", "right_shoulder", "neck")]
    if not seen[needed].all() or np.ptp(known[seen], axis=0).max() < 0.1:
        raise SapiensError(
            f"{source} do not show hips, shoulders and neck of a person in metres.",
            "Check the units and the order of the points.",
        )
    rotation, scale, shift = fit_rigid(template_joints(), np.where(seen[:, None], known, 0.0), seen.astype(np.float64))
    filled = np.where(seen[:, None], known, scale * template_joints() @ rotation.T + shift)
    stature = estimate_stature(filled, seen.astype(np.float64))
    surface = np.full((308, 3), np.nan, np.float32)
    surface[:5] = points[:5]
    head = fit_head(surface.astype(np.float64), np.ones(308))
    derived = ~usable & ((index < 0) | eyes)
    positions = np.where(derived[:, None], derive_joints(filled, stature, head if head.known else None), filled)
    return Pose(
        JOINT_NAMES, positions.astype(np.float32), (seen | derived).astype(np.float32), seen | derived, surface, float(stature)
    )


def load_json(path: Path) -> Any:
    """The content of a JSON file. SapiensError if it cannot be read or is none."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SapiensError(f"{path.name} is larger than {MAX_BYTES // 2**20} MB.", "Split it into one file per clip.")
        return _parsed(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise SapiensError(f"{path.name} could not be read: {error.strerror}.", "Choose a file that exists.") from error
    except (ValueError, RecursionError) as error:
        raise SapiensError(f"{path.name} is not valid JSON.", "Write the keypoints again.") from error


@lru_cache(maxsize=1)
def _parsed(path: Path, _changed: int) -> Any:
    """Several readers look at one file in turn."""
    return json.loads(path.read_text("utf-8"))


def _numbers(values: Any, name: str, what: str) -> np.ndarray:
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise SapiensError(f"The {what} of {name} are not a table of numbers.", "Write the file again.") from error


def _empty() -> np.ndarray:
    return np.zeros((308, 3), np.float32)


def _fill(out: np.ndarray, names: Iterable[str | None], values: np.ndarray) -> None:
    """Put (n, 3) rows where their names belong. A point that is there already with a better score stays (two wrists)."""
    for name, row in zip(names, values, strict=False):
        if name is not None and np.isfinite(row).all():
            k = keypoint_index(name)
            if row[2] > out[k, 2]:
                out[k] = row


def _person(points: np.ndarray, name: str) -> np.ndarray:
    """(308, 3) from 17, 133 or 308 rows of x, y, score. SapiensError for another number."""
    out = _empty()
    count = len(points)
    if count == 308:
        points = np.where(np.isfinite(points).all(axis=1, keepdims=True), points, 0.0)
        return points.astype(np.float32)
    if count not in (17, 133):
        raise SapiensError(
            f"{name} has {count} keypoints per person; 17, 133 and 308 are known.",
            "Use COCO, COCO-WholeBody or Sapiens keypoints.",
        )
    _fill(out, _COCO17, points[:17])
    if count == 133:
        _fill(out, _COCO_FEET, points[17:23])
        _fill(out, _hand("left"), points[91:112])
        _fill(out, _hand("right"), points[112:133])
    return out


def _mmpose(instances: Any, name: str) -> list[np.ndarray]:
    if not isinstance(instances, list) or not all(isinstance(i, dict) for i in instances):
        raise SapiensError(f'"instance_info" of {name} must be a list.', "Write the keypoints again.")
    if instances and "instances" in instances[0]:  # a video: one entry per frame
        return [_mmpose_frame(frame.get("instances"), name) for frame in instances]
    return [_mmpose_frame(instances, name)]


def _mmpose_frame(instances: Any, name: str) -> np.ndarray:
    if not isinstance(instances, list):
        raise SapiensError(f"The instances of {name} must be a list.", "Write the keypoints again.")
    people = []
    for person in instances:
        if not isinstance(person, dict) or "keypoints" not in person:
            raise SapiensError(f"An instance of {name} has no keypoints.", "Write the keypoints again.")
        points = _numbers(person["keypoints"], name, "keypoints")
        if points.ndim == 3 and len(points) == 1:
            points = points[0]
        scores = _numbers(person.get("keypoint_scores", np.ones(len(points))), name, "scores").reshape(-1)
        if points.ndim != 2 or points.shape[1] not in (2, 3) or len(scores) != len(points):
            raise SapiensError(
                f"The keypoints of {name} have shape {points.shape} with {len(scores)} scores.", "Write the keypoints again."
            )
        rows = points if points.shape[1] == 3 and "keypoint_scores" not in person else np.column_stack([points[:, :2], scores])
        people.append(_person(rows, name))
    return np.array(people, np.float32).reshape(-1, 308, 3)


def _coco(annotations: Any, name: str) -> list[np.ndarray]:
    if not isinstance(annotations, list):
        raise SapiensError(f'"annotations" of {name} must be a list.', "Write the keypoints again.")
    frames: dict[Any, list[np.ndarray]] = {}
    for entry in annotations:
        if not isinstance(entry, dict) or not isinstance(entry.get("image_id", 0), (int, str)):
            raise SapiensError(f"An annotation of {name} is not a table.", "Write the keypoints again.")
        body = _triples(entry.get("keypoints", []), name)
        if len(body) not in (17, 133):
            raise SapiensError(
                f"{name} has {len(body)} keypoints per person; COCO has 17, COCO-WholeBody 133.", "Check which model wrote it."
            )
        out = _person(_coco_scores(body), name)
        for key, names in (("foot_kpts", _COCO_FEET), ("lefthand_kpts", _hand("left")), ("righthand_kpts", _hand("right"))):
            _fill(out, names, _coco_scores(_triples(entry.get(key, []), name)))
        frames.setdefault(entry.get("image_id", 0), []).append(out)
    order = sorted(frames, key=lambda key: (isinstance(key, str), key))
    return [np.array(frames[key], np.float32) for key in order] or [np.zeros((0, 308, 3), np.float32)]


def _coco_scores(rows: np.ndarray) -> np.ndarray:
    """Annotations say 0 = none, 1 = hidden, 2 = visible; results say a score up to about 1."""
    if len(rows) and rows[:, 2].max() > 1.5:
        rows = rows.copy()
        rows[:, 2] /= 2.0
    return rows


def _triples(values: Any, name: str) -> np.ndarray:
    array = _numbers(values if values is not None else [], name, "keypoints").reshape(-1)
    if array.size % 3:
        raise SapiensError(f"The keypoints of {name} are not triples of x, y, score.", "Write the keypoints again.")
    return array.reshape(-1, 3)


def _openpose(people: Any, name: str) -> np.ndarray:
    if not isinstance(people, list) or not all(isinstance(p, dict) for p in people):
        raise SapiensError(f'"people" of {name} must be a list.', "Write the keypoints again.")
    out = []
    for person in people:
        body = _triples(person.get("pose_keypoints_2d", []), name)
        table = {25: _BODY25, 18: _BODY18}.get(len(body))
        if table is None:
            raise SapiensError(
                f"{name} has {len(body)} body points per person; OpenPose has 25 or 18.", "Check which model wrote it."
            )
        one = _empty()
        _fill(one, table, body)
        for side in SIDES:
            _fill(one, _hand(side), _triples(person.get(f"hand_{side}_keypoints_2d", []), name))
        out.append(one)
    return np.array(out, np.float32).reshape(-1, 308, 3)


def _sam_people(path: Path) -> list[dict[str, Any]]:
    if path.suffix.lower() == ".npz":
        try:
            with np.load(path, allow_pickle=False) as file:
                content: Any = {key: file[key] for key in file.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise SapiensError(
                f"{path.name} is not a readable .npz file.", "Export the result again, without pickled objects."
            ) from error
    else:
        content = load_json(path)
    people = content if isinstance(content, list) else [content]
    if not people or not all(isinstance(p, dict) and ("pred_keypoints_3d" in p or "keypoints_3d" in p) for p in people):
        raise SapiensError(f"{path.name} holds no 3D keypoints of SAM 3D Body.", 'It must have "pred_keypoints_3d".')
    return people
