"""Keypoints on a metric pointmap: the surface under each keypoint, sampled where it belongs to the right body part.

The pose head gives 308 points in the photo. Those of the face lie on the skin; those of body, hands and feet are the projections
of joint centres *inside* the body, so the surface under them is one limb radius too near (`core.pose.anthropometry`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from ..common.arrays import Camera
from ..common.errors import SapiensError
from ..common.landmarks import HEAD_PARTS, joint_keypoints, keypoint_index, keypoint_names, part_labels, part_names
from ..common.predictions import Predictions

MIN_VALID = 0.3  # share of a window that must show the right part
MAX_SPREAD = 0.15  # metres: median absolute deviation of a window that straddles a silhouette edge
WINDOWS = (0.006, 0.014)  # window sides as a share of the person's height in the photo; the second is tried if the first fails
THIN = 0.03  # metres: a finger's depth this far behind the nearest part of its hand nearby is that of what lies behind the finger


@dataclass(frozen=True, eq=False)
class Samples:
    """The surface of one person under the 308 keypoints.

    pixels   (308, 2) float64  the keypoints, NaN = not in the photo
    rays     (308, 3) float64  points at depth 1 through them
    score    (308,) float64    0..1
    depth    (308,) float64    metres (z) of the surface of the right body part, NaN = none
    front    (308,) float64    metres (z) of the nearest part of the person around the keypoint of a joint, NaN = none
    visible  (308,) float64    0..1 how likely the keypoint's own part is what the camera sees there
    height   pixels spanned by the person
    """

    pixels: np.ndarray
    rays: np.ndarray
    score: np.ndarray
    depth: np.ndarray
    front: np.ndarray
    visible: np.ndarray
    height: float

    @property
    def points(self) -> np.ndarray:
        """(308, 3) float64 metres, camera space: the surface points, NaN = none."""
        return self.rays * self.depth[:, None]


_LEG = ("Lower_Clothing", "Apparel")
_ARM = ("Upper_Clothing", "Apparel")


def _parts_of(name: str) -> tuple[str, ...]:
    """Body parts on which a keypoint may be seen."""
    side = "Left" if name.startswith("left") else "Right"
    if any(finger in name for finger in ("thumb", "finger")):
        return (f"{side}_Hand", "Apparel")
    if any(foot in name for foot in ("toe", "heel")):
        return (f"{side}_Foot", f"{side}_Shoe", f"{side}_Sock", f"{side}_Lower_Leg", "Lower_Clothing")
    table = {
        "shoulder": (f"{side}_Upper_Arm", "Torso", "Hair", *_ARM),
        "acromion": (f"{side}_Upper_Arm", "Torso", "Hair", *_ARM),
        "elbow": (f"{side}_Upper_Arm", f"{side}_Lower_Arm", *_ARM),
        "olecranon": (f"{side}_Upper_Arm", f"{side}_Lower_Arm", *_ARM),
        "cubital_fossa": (f"{side}_Upper_Arm", f"{side}_Lower_Arm", *_ARM),
        "wrist": (f"{side}_Lower_Arm", f"{side}_Hand", *_ARM),
        "hip": (f"{side}_Upper_Leg", "Torso", "Upper_Clothing", *_LEG),
        "knee": (f"{side}_Upper_Leg", f"{side}_Lower_Leg", "Upper_Clothing", *_LEG),
        "ankle": (f"{side}_Lower_Leg", f"{side}_Foot", f"{side}_Shoe", f"{side}_Sock", *_LEG),
    }
    if name == "neck":
        return ("Face_Neck", "Hair", "Torso", *_ARM)
    return table.get(name.split("_", 1)[-1], HEAD_PARTS) if name.startswith(("left_", "right_")) else HEAD_PARTS


@cache
def allowed_parts() -> np.ndarray:
    """(308, 29) bool: may keypoint k be seen on a pixel of class c."""
    out = np.zeros((308, len(part_names())), bool)
    for k, name in enumerate(keypoint_names()):
        out[k, part_labels(*_parts_of(name))] = True
    return out


def check_keypoints(keypoints: np.ndarray | None, min_score: float) -> np.ndarray:
    """(308, 3) float64 keypoints of one person with unusable ones at score 0, or SapiensError with the reason.

    Refused: none at all, another number than 308, all zero or NaN, all at one point, and an order that is not Sapiens2's
    (points that are neighbours on every face and hand lie as far apart as the whole person).
    """
    again = "Run the pose task of Sapiens2, or import keypoints with the matching importer."
    if keypoints is None:
        raise SapiensError("The predictions hold no keypoints.", "Run the pose task on the photo first.")
    points = np.array(keypoints, np.float64)
    if points.shape != (308, 3):
        raise SapiensError(f"A pose needs 308 keypoints with x, y and score, not an array of shape {points.shape}.", again)
    finite = np.isfinite(points).all(axis=1)
    points[~finite] = 0
    points[:, 2] = np.where(points[:, 2] >= min_score, np.clip(points[:, 2], 0, 1), 0)
    used = points[points[:, 2] > 0, :2]
    if not finite.any():
        raise SapiensError("All keypoints are NaN, so there is no pose to lift.", again)
    if len(used) < 5:
        raise SapiensError(f"Only {len(used)} of 308 keypoints have a usable score, so there is no pose to lift.", again)
    extent = np.ptp(used, axis=0).max()
    if extent < 4:
        raise SapiensError("All keypoints lie at one point, so there is no pose to lift.", again)
    if _is_shuffled(points):
        raise SapiensError("The keypoints are not in Sapiens2's order: points that belong together lie far apart.", again)
    return points


def _is_shuffled(points: np.ndarray) -> bool:
    """Whether (308, 3) keypoints are in some other order than Sapiens2's.

    In the right one, neighbours of face and fingers are nearer to each other than to the other points of these groups, and a face
    is smaller than the body below it.
    """
    first, second = _neighbours()
    both = (points[first, 2] > 0) & (points[second, 2] > 0)
    if both.sum() >= 8:
        a, b = points[first[both], :2], points[second[both], :2]
        near = np.median(np.linalg.norm(a - b, axis=1))
        far = np.median(np.linalg.norm(a - np.roll(b, len(b) // 2, axis=0), axis=1))
        if near > 0.7 * far:
            return True
    seen = points[:, 2] > 0
    body = seen & np.isin(np.arange(308), [*range(5, 15), 41, 62])
    face = seen & (np.arange(308) >= 70)
    if body.sum() < 6 or face.sum() < 50:
        return False

    def spread(chosen: np.ndarray) -> np.ndarray:
        return np.linalg.norm(points[chosen, :2] - np.median(points[chosen, :2], axis=0), axis=1)

    return bool(np.percentile(spread(face), 95) > np.percentile(spread(body), 75))


@cache
def _neighbours() -> tuple[np.ndarray, np.ndarray]:
    names = keypoint_names()
    pairs = [(i, i + 1) for i in (*range(70, 307), *range(21, 24), *range(25, 28), *range(42, 45), *range(46, 49))]
    pairs += [(keypoint_index("nose"), names.index("tip_of_nose"))] + [(a, b) for a, b in ((15, 16), (18, 19), (5, 67), (6, 68))]
    return np.array([a for a, _ in pairs]), np.array([b for _, b in pairs])


def sample_surface(predictions: Predictions, keypoints: np.ndarray, camera: Camera, mask: np.ndarray | None = None) -> Samples:
    """Read the pointmap under each keypoint.

    keypoints  (308, 3) float64 from `check_keypoints`
    mask       (H, W) bool: pixels of this person, None = all

    The depth is the median, with the outer quarters dropped, over the pixels of a small window that show a part on which the
    keypoint can be. Windows with less than 30 % of such pixels, or whose depths spread over more than 0.15 m, give none.
    Without a pointmap every depth is NaN.
    """
    height, width = predictions.height, predictions.width
    inside = (keypoints[:, 2] > 0) & (keypoints[:, 0] > -0.5) & (keypoints[:, 1] > -0.5)
    inside &= (keypoints[:, 0] < width - 0.5) & (keypoints[:, 1] < height - 0.5)
    pixels = np.where(inside[:, None], keypoints[:, :2], np.nan)
    span = float(np.ptp(keypoints[inside, 1])) if inside.any() else float(height)
    span = max(span, float(np.ptp(keypoints[inside, 0])) if inside.any() else 0.0)
    score = np.where(inside, keypoints[:, 2], 0)
    rays = np.ones((308, 3))
    rays[:, 0], rays[:, 1] = (pixels[:, 0] - camera.cx) / camera.fx, (pixels[:, 1] - camera.cy) / camera.fy

    depth, front, visible = np.full(308, np.nan), np.full(308, np.nan), np.zeros(308)
    if predictions.pointmap is not None:
        sides = [max(3, round(side * span)) | 1 for side in WINDOWS]
        everywhere = np.ones(308, bool)
        small = _read_windows(predictions, pixels, sides[0], mask, everywhere, ~everywhere)
        large = _read_windows(predictions, pixels, sides[1], mask, np.isnan(small.depth) | thin_keypoints(), _at_joints())
        depth = np.where(np.isnan(small.depth), large.depth, small.depth)
        # At the silhouette of a finger the map shows what is behind it; the finger is the nearest thing with its label there.
        astray = thin_keypoints() & (depth > large.near + THIN)
        depth = np.where(astray, large.near, depth)
        front, visible = large.front, np.maximum(small.share, large.share)
    return Samples(pixels, rays, score, depth, front, visible * (score > 0), span)


@cache
def thin_keypoints() -> np.ndarray:
    """(308,) bool: keypoints of the fingers."""
    return np.array(["thumb" in n or "finger" in n for n in keypoint_names()])


@cache
def _at_joints() -> np.ndarray:
    """(308,) bool: keypoints of joints."""
    return np.isin(np.arange(308), joint_keypoints())


@dataclass(frozen=True, eq=False)
class _Windows:
    """Order statistics of the depth around each keypoint, (308,) metres (z), NaN = none; and the share of the right part.

    depth  median of the body part on which the keypoint can be
    near   the same part where it is nearest to the camera (lower fifth)
    front  any part of the person where it is nearest (lower fifth)
    share  0..1 of the window that shows the right part
    """

    depth: np.ndarray
    near: np.ndarray
    front: np.ndarray
    share: np.ndarray


def _read_windows(
    predictions: Predictions, pixels: np.ndarray, side: int, mask: np.ndarray | None, depths: np.ndarray, fronts: np.ndarray
) -> _Windows:
    """Depth statistics of the pointmap in windows of side x side pixels around each keypoint.

    depths  (308,) bool: keypoints whose own part is read; depth and near of the others are NaN
    fronts  (308,) bool: keypoints over which any part is read; front of the others is NaN

    Both are asked for because sorting the windows is what takes time.
    """
    assert predictions.pointmap is not None
    height, width = predictions.height, predictions.width
    reach = np.arange(side) - (side - 1) // 2
    centre = np.rint(np.nan_to_num(pixels, nan=0.0)).astype(np.int64)
    x, y = centre[:, 0, None, None] + reach[None, None, :], centre[:, 1, None, None] + reach[None, :, None]
    x, y = np.broadcast_arrays(x, y)
    in_photo = (x >= 0) & (y >= 0) & (x < width) & (y < height) & np.isfinite(pixels[:, :1, None])
    x, y = np.clip(x, 0, width - 1).reshape(308, -1), np.clip(y, 0, height - 1).reshape(308, -1)
    z = predictions.pointmap[y, x, 2]
    with np.errstate(invalid="ignore"):
        valid = in_photo.reshape(308, -1) & np.isfinite(z) & (z > 0)
    if mask is not None:
        valid &= mask[y, x]
    own = valid
    if predictions.seg is not None:
        label = np.minimum(predictions.seg[y, x], len(part_names()) - 1)
        own = valid & np.take_along_axis(allowed_parts(), label.astype(np.int64), axis=1)
        valid &= label > 0
    share = own.mean(axis=1)
    depth, near, front = np.full((3, 308), np.nan)
    ordered = np.sort(np.where(own[depths], z[depths], np.float32(np.inf)), axis=1)
    middle = _ranked(ordered, 0.5)
    spread = _ranked(np.sort(np.abs(ordered - middle[:, None]), axis=1), 0.5)
    depth[depths] = np.where((share[depths] >= MIN_VALID) & (spread <= MAX_SPREAD), middle, np.nan)
    near[depths] = _ranked(ordered, 0.2)
    front[fronts] = _ranked(np.sort(np.where(valid[fronts], z[fronts], np.float32(np.inf)), axis=1), 0.2)
    return _Windows(depth, near, front, share)


def _ranked(ordered: np.ndarray, rank: float) -> np.ndarray:
    """(n,) float64 quantile of the finite values of each ascending row, interpolated; NaN for a row without any."""
    count = np.isfinite(ordered).sum(axis=1)
    row, place = np.arange(len(ordered)), rank * np.maximum(count - 1, 0)
    low = np.floor(place).astype(np.int64)
    below, above = ordered[row, low].astype(np.float64), ordered[row, np.minimum(low + 1, np.maximum(count - 1, 0))]
    with np.errstate(invalid="ignore"):
        return np.where(count > 0, below + (place - low) * (above - below), np.nan)
