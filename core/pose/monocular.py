"""Poses from 2D keypoints alone, where there is no pointmap: how far away the person is, and how much each limb leans.

A limb's direction in the photo and its lean towards or away from the camera give its direction in space. The lean comes from
the normal map: the visible normals of a limb are perpendicular to its axis, so their mean tells sign and size of the lean
(reference values: sign right in over 99 % beyond 10 degrees, constant bias from the limb's taper subtracted, then 2 to 3 degrees
of scatter). Without a normal map, lengths and rays leave two solutions per bone; `core.pose.initial_guess` takes the likelier.
"""

from __future__ import annotations

import numpy as np

from ..common.arrays import Camera
from ..common.landmarks import SIDES, joint_index, keypoint_index
from ..common.predictions import Predictions
from ..common.rotations import cross, dot, unit
from ..common.spaces import camera_from_normal_head
from .anatomy import template_joints
from .surface_samples import Samples, allowed_parts

LIMBS = {  # bone: (joint at its head, joint at its tail, lean that the taper of a bare limb adds, degrees)
    "upper_arm": ("shoulder", "elbow", 4.5),
    "forearm": ("elbow", "wrist", 5.3),
    "thigh": ("hip", "knee", 6.8),
    "shin": ("knee", "ankle", 5.1),
}
MIDDLE = (0.2, 0.8)  # the part of a limb whose normals count
STRIP = 0.02  # half width of that part, share of the person's height in the photo
MIN_PIXELS = 12


def distance_from_size(samples: Samples, camera: Camera, stature: float) -> float:
    """Metres (z) to a person of known stature: the longest of their known upright spans in the photo, as a share of stature.

    Spans (keypoint pairs) are seen in full only when they are parallel to the image, so the largest of size / share counts.
    """
    spans = {
        ("neck", "ankle"): 0.815,
        ("neck", "hip"): 0.33,
        ("hip", "knee"): 0.24,
        ("shoulder", "elbow"): 0.155,
        ("nose", "neck"): 0.08,
        ("knee", "ankle"): 0.246,
    }
    pixels = 0.0
    for (a, b), share in spans.items():
        for side in SIDES:
            i, j = (keypoint_index(n if n in ("neck", "nose") else f"{side}_{n}") for n in (a, b))
            if samples.score[i] > 0 and samples.score[j] > 0:
                pixels = max(pixels, float(np.linalg.norm(samples.pixels[i] - samples.pixels[j])) / share)
    return camera.fy * stature / pixels if pixels else 2.5 * stature


LEANS = (
    *((f"{side}_{head}", f"{side}_{tail}", taper) for side in SIDES for head, tail, taper in LIMBS.values()),
    ("left_shoulder", "right_shoulder", 0.0),
    ("left_hip", "right_hip", 0.0),
)
"""(joint, joint, taper in degrees) of the ten lines whose direction in space the normals tell; the last two cross the trunk."""


def lean_pairs() -> np.ndarray:
    """(10, 2) int64: the joints of LEANS."""
    return np.array([[joint_index(a), joint_index(b)] for a, b, _ in LEANS])


def lean_directions(predictions: Predictions, samples: Samples, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Direction (10, 3) in camera space of each of LEANS that is (10,) bool wanted, and trust (10,) 0..1, 0 = not seen.

    Mean of the normals in a strip along the middle of the limb. The axis lies in the plane of the rays through its two joints and
    is perpendicular to that mean.
    """
    directions, trust = np.zeros((len(LEANS), 3)), np.zeros(len(LEANS))
    if predictions.normal is None:
        return directions, trust
    for row, (head, tail, taper) in enumerate(LEANS):
        i, j = keypoint_index(head), keypoint_index(tail)
        found = (
            _strip_normals(predictions, samples, i, j) if wanted[row] and min(samples.score[i], samples.score[j]) > 0 else None
        )
        if found is None:
            continue
        mean, trust[row] = found
        start, end = unit(samples.rays[i]), unit(samples.rays[j])
        forward = unit(start + end)
        across = unit(end - start - dot(end - start, forward) * forward)
        lean = np.arctan2(-dot(mean, across), dot(mean, forward))
        lean = (lean + np.pi / 2) % np.pi - np.pi / 2 - np.radians(taper)
        directions[row] = np.cos(lean) * across + np.sin(lean) * forward
    return directions, trust


def flat_start(samples: Samples, camera: Camera, stature: float, directions: np.ndarray, trust: np.ndarray) -> np.ndarray:
    """(68, 3) first positions without any depth: the trunk's joints on their rays, NaN elsewhere.

    The lines across shoulders and hips are turned about their middle until they have their length; to which side, the normals
    say, or where there are none, the way in which face and feet point.
    """
    out = np.full((68, 3), np.nan)
    distance = distance_from_size(samples, camera, stature)
    for name in ("neck", *(f"{side}_{j}" for side in SIDES for j in ("shoulder", "hip"))):
        k = keypoint_index(name)
        if samples.score[k] > 0:
            out[joint_index(name)] = samples.rays[k] * distance
    template = template_joints()
    facing = _facing_sideways(samples)
    for row in (len(LEANS) - 2, len(LEANS) - 1):
        a, b = lean_pairs()[row]
        if np.isfinite(out[[a, b]]).all():
            width = stature * np.linalg.norm(template[a] - template[b])
            side = np.sign(directions[row, 2]) if trust[row] > 0 else -facing
            deep = side * np.sqrt(max(width**2 - ((out[b] - out[a])[:2] ** 2).sum(), 0.0)) / 2
            out[a], out[b] = out[a] * (1 - deep / out[a, 2]), out[b] * (1 + deep / out[b, 2])
    return out


def _facing_sideways(samples: Samples) -> float:
    """+1 if the person looks to the side of the photo that is on the right when their head is up, else -1.

    Someone who looks to that side has their left side farther from the camera, whether they show their face or their back.
    """

    def at(*names: str) -> np.ndarray:
        return np.nanmean([samples.pixels[keypoint_index(n)] for n in names], axis=0)

    def seen(*names: str) -> bool:
        return all(samples.score[keypoint_index(n)] > 0 for n in names)

    up = np.array([0.0, -1.0])
    if seen("neck", "left_hip", "right_hip"):
        up = at("neck") - at("left_hip", "right_hip")
    sideways = np.array([-up[1], up[0]]) / max(float(np.linalg.norm(up)), 1e-9)
    votes = 0.0
    if seen("nose", "left_ear", "right_ear"):
        votes += 2 * float(np.sign((at("nose") - at("left_ear", "right_ear")) @ sideways))
    for side in SIDES:
        if seen(f"{side}_big_toe", f"{side}_heel"):
            votes += float(np.sign((at(f"{side}_big_toe") - at(f"{side}_heel")) @ sideways))
    return 1.0 if votes >= 0 else -1.0


def _strip_normals(predictions: Predictions, samples: Samples, i: int, j: int) -> tuple[np.ndarray, float] | None:
    """Mean normal (3,), camera space, of the limb between keypoints i and j, and how far to trust it; None = too few pixels."""
    assert predictions.normal is not None
    a, b = samples.pixels[i], samples.pixels[j]
    length = float(np.linalg.norm(b - a))
    if length < 6:
        return None
    side = np.array([a[1] - b[1], b[0] - a[0]]) / length
    half = max(1.0, min(STRIP * samples.height, 0.3 * length))
    along = np.linspace(*MIDDLE, max(4, int(length * (MIDDLE[1] - MIDDLE[0]))))
    out = np.arange(-np.floor(half), np.floor(half) + 1)
    grid = a + along[:, None, None] * (b - a) + out[None, :, None] * side
    x, y = np.rint(grid.reshape(-1, 2)).astype(np.int64).T
    inside = (x >= 0) & (y >= 0) & (x < predictions.width) & (y < predictions.height)
    x, y = x[inside], y[inside]
    normals = predictions.normal[y, x].astype(np.float64)
    good = np.isfinite(normals).all(axis=1) & (np.linalg.norm(normals, axis=1) > 0.5)
    if predictions.seg is not None:
        label = np.minimum(predictions.seg[y, x], allowed_parts().shape[1] - 1)
        good &= (allowed_parts()[i] & allowed_parts()[j])[label]
    if good.sum() < MIN_PIXELS:
        return None
    return unit(camera_from_normal_head(normals[good]).mean(axis=0)), float(good.mean())


def lean_forms(directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two (..., 3) unit vectors perpendicular to each (..., 3) direction: a bone along it has no component in either."""
    first = unit(cross(directions, np.eye(3)[np.argmin(np.abs(directions), axis=-1)]))
    return first, cross(directions, first)
