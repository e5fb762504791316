"""Keypoints of other programs: JSON files of 2D keypoints (`core.formats.keypoint_frames`), and SAM 3D Body's 3D points.

Files are untrusted: whatever is not what it should be ends in one SapiensError that names it.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..capture.frame_numbers import natural_order
from ..common.arrays import Pose
from ..common.errors import SapiensError
from ..common.landmarks import JOINT_NAMES, joint_index, joint_keypoints
from ..common.predictions import Predictions
from ..common.rotations import fit_rigid
from ..pose.anatomy import fit_head, template_joints
from ..pose.anthropometry import estimate_stature
from ..pose.lift import derive_joints
from .keypoint_frames import frames_of, numbers

MAX_BYTES = 512 * 2**20
SUFFIXES = {".json", ".npz"}


def read_keypoints(path: str | Path) -> list[np.ndarray]:
    """2D keypoints of a file, frame by frame: (P, 308, 3) float32 x, y in pixels and score; P people, may be 0.

    Recognised by content (`core.formats.keypoint_frames`): Meta's demo and other MMPose output, COCO annotations and results with
    or without whole body, OpenPose and the editors that write like it, AlphaPose, MediaPipe. Frames are in the order of their
    numbers; one that the file leaves out shows nobody. Points that are shares of the photo need a file that states its size.
    """
    path = Path(path)
    return frames_of(load_json(path), path.name).in_pixels(None, path.name)


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
        array = numbers(points, path.name, "3D keypoints")
        if array.ndim == 2:
            array = array[None]
        if array.ndim != 3 or array.shape[1:] != (70, 3):
            raise SapiensError(
                f"{path.name} has 3D keypoints of shape {array.shape}, expected (people, 70, 3).", "Export them again."
            )
        if person.get("pred_cam_t") is not None:
            array = array + numbers(person["pred_cam_t"], path.name, "pred_cam_t").reshape(-1, 1, 3)
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
    """Several readers look at one file in turn. Bytes, so that any mark of their order is understood."""
    return json.loads(path.read_bytes())


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
