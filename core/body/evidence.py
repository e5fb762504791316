"""What one photo says about a body: joints, keypoints, and the maps of one person."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from ..common.arrays import Camera, Pose
from ..common.landmarks import CLOTH_PARTS, joint_keypoints, part_labels, part_names
from ..common.predictions import Predictions
from ..common.rotations import unit
from ..common.spaces import camera_from_normal_head

MIN_SCORE = 0.25  # of a keypoint that is believed at all
SHOWN = 0.5  # of one that is taken for seen, though nothing says how far away it is

CLOTH_EASE: dict[str, tuple[float, float, float]] = {
    "Upper_Clothing": (0.012, 0.022, 0.0035),
    "Lower_Clothing": (0.018, 0.035, 0.0035),
    "Apparel": (0.012, 0.020, 0.004),
    "Hair": (0.020, 0.030, 0.005),
    "Left_Shoe": (0.012, 0.025, 0.006),
    "Right_Shoe": (0.012, 0.025, 0.006),
    "Left_Sock": (0.002, 0.004, 0.004),
    "Right_Sock": (0.002, 0.004, 0.004),
}
"""Class -> metres from the skin out to its surface: usual, standard deviation outwards, and of skin that would show through."""
EASE_THERE = {("Lower_Clothing", "Lower_Leg"): 0.026, ("Upper_Clothing", "Upper_Leg"): 0.024}
"""Class and part of the body where it usually hangs farther out: trouser legs widen to the hem, and so do skirts of coats."""
LOOSENESS = 0.015  # metres: standard deviation from one suit to another, of the ease of a whole piece on a part of the body
JOINT_SPREAD = 0.012  # metres: of joints that were seen
DRAWN_JOINT = 0.03
"""Metres, standard deviation of joints beside the usual one, where maps are drawn."""
DRAWN_DEPTH = 0.15
"""The same of joints and of the surface along the ray, where several photos tell of it. The networks of landmarks tell where
limbs are in the photo, hardly how far away, and each photo otherwise than the next: several that were believed met in a thin
person. One alone is believed: clothes are made on its surface, and a body beside it would swell them."""
DRAWN_KEYPOINT = 3.0
"""Times the usual spread of keypoints in the image, of those networks."""
ALONG_RAY = 0.25  # weight of a clothed joint's depth: what is lifted from cloth is as far off as the cloth is
SKIN_SPREAD = 0.004  # metres, of bare skin

_LIMBS = ("Upper_Arm", "Lower_Arm", "Hand", "Upper_Leg", "Lower_Leg", "Foot")
_BODY_OF: dict[str, tuple[str, ...]] = {
    "Upper_Clothing": ("Torso", "Upper_Arm", "Lower_Arm", "Face_Neck", "Upper_Leg"),
    "Lower_Clothing": ("Torso", "Upper_Leg", "Lower_Leg"),
    "Apparel": ("Torso", *_LIMBS, "Face_Neck"),
    "Hair": ("Face_Neck", "Torso"),
    "Face_Neck": ("Face_Neck", "Torso"),
    "Torso": ("Torso", "Face_Neck", "Upper_Arm"),
    "Upper_Arm": ("Upper_Arm", "Lower_Arm", "Torso"),
    "Lower_Arm": ("Lower_Arm", "Upper_Arm", "Hand"),
    "Hand": ("Hand", "Lower_Arm"),
    "Upper_Leg": ("Upper_Leg", "Lower_Leg", "Torso"),
    "Lower_Leg": ("Lower_Leg", "Upper_Leg", "Foot"),
    "Foot": ("Foot", "Lower_Leg"),
    "Shoe": ("Foot", "Lower_Leg"),
    "Sock": ("Foot", "Lower_Leg"),
    "Lower_Lip": ("Face_Neck",),
    "Upper_Lip": ("Face_Neck",),
}
"""Class in the photo, without its side -> parts of the body that may lie under it. Sides must agree."""


@cache
def may_lie_under() -> np.ndarray:
    """(29, 29) bool: class in the photo, part of the body."""
    names = part_names()
    out = np.zeros((len(names), len(names)), bool)
    for row, name in enumerate(names):
        side, _, rest = name.partition("_")
        sided = side in ("Left", "Right")
        for part in _BODY_OF.get(rest if sided else name, ()):
            for candidate in (part, f"Left_{part}", f"Right_{part}"):
                if candidate in names and not (sided and candidate.startswith("Right" if side == "Left" else "Left")):
                    out[row, part_labels(candidate)[0]] = True
    return out


@cache
def ease_table() -> np.ndarray:
    """(29, 29, 3) of CLOTH_EASE by class in the photo and part of the body below; bare skin lies where the surface is."""
    names = part_names()
    by_class = np.array([CLOTH_EASE.get(name, (0.0, SKIN_SPREAD, SKIN_SPREAD)) for name in names])
    out = np.repeat(by_class[:, None], len(names), axis=1)
    for (name, part), usual in EASE_THERE.items():
        out[part_labels(name)[0], part_labels(f"Left_{part}", f"Right_{part}"), 0] = usual
    return out


@cache
def looseness_table() -> np.ndarray:
    """(29,) metres of LOOSENESS, 0 for other classes."""
    return np.array([LOOSENESS if name in CLOTH_PARTS else 0.0 for name in part_names()])


@cache
def part_without_side() -> np.ndarray:
    """(29,) label that both sides of a part share: that of the left one."""
    names = part_names()
    return np.array([names.index(name.replace("Right_", "Left_")) for name in names])


@dataclass(frozen=True, eq=False)
class Evidence:
    """One person in one photo.

    camera     of the photo
    pose       lifted joints and keypoints on the skin
    keypoints  (308, 3) x, y, score; None = no network has seen any
    mask       (H, W) bool, the person's pixels; None = not known, and then none of the maps below
    pointmap   (H, W, 3) camera space, as predicted
    normal     (H, W, 3) as the normal head gives it
    labels     (H, W) uint8 body part; None without a segmentation
    outside    (H, W) float32 pixels from the person's mask, 0 in it; None without a mask
    depth_spread  metres, standard deviation along the ray of maps that are drawn, those of a fitted body; 0 = of maps that a
               network has seen, and of those that are believed as if one had
    """

    camera: Camera
    pose: Pose
    keypoints: np.ndarray | None
    mask: np.ndarray | None = None
    pointmap: np.ndarray | None = None
    normal: np.ndarray | None = None
    labels: np.ndarray | None = None
    outside: np.ndarray | None = None
    depth_spread: float = 0.0

    @property
    def drawn(self) -> bool:
        """Whether the maps are no more than likely."""
        return self.depth_spread > 0

    @cached_property
    def points(self) -> np.ndarray | None:
        """(H, W, 3) float32 camera space, NaN where the person has none; None without a pointmap."""
        if self.pointmap is None or self.mask is None:
            return None
        return _known_points(self.pointmap, self.mask)

    @cached_property
    def normals(self) -> np.ndarray | None:
        """(H, W, 3) float32 camera space, NaN where unknown; of the points where no network has seen any."""
        if self.points is None:
            return None
        if self.normal is None:
            return normals_of(self.points)
        return np.where(np.isfinite(self.points[..., :1]), camera_from_normal_head(self.normal.astype(np.float32)), np.nan)

    def surface_at(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n, 3) float64 `points` and `normals` at (n,) pixels, without making the whole maps; there is a pointmap."""
        assert self.pointmap is not None
        assert self.mask is not None
        points = _known_points(self.pointmap[y, x], self.mask[y, x])
        if self.normal is not None:
            normals = camera_from_normal_head(self.normal[y, x].astype(np.float32))
        else:
            assert self.normals is not None
            normals = self.normals[y, x]
        return points.astype(np.float64), normals.astype(np.float64)

    def classes_at(self, pixels: np.ndarray) -> np.ndarray:
        """(n,) class of the photo at (n, 2) pixels, the nearest one for those outside; 0 where nothing is known."""
        if self.labels is None:
            return np.zeros(len(pixels), np.uint8)
        x, y = np.round(np.nan_to_num(pixels)).astype(np.int64).T
        return self.labels[np.clip(y, 0, self.camera.height - 1), np.clip(x, 0, self.camera.width - 1)]

    @cached_property
    def shown(self) -> np.ndarray:
        """(68,) bool: joints that the photo shows, at least where they are in it; the others are guesses."""
        if self.keypoints is None:
            return self.pose.seen
        at = joint_keypoints()
        return self.pose.seen | ((at >= 0) & (self.keypoints[at, 2] >= SHOWN))

    @cached_property
    def keypoint_is_bare(self) -> np.ndarray:
        """(308,) bool: the surface at the keypoint is the skin that it lies on. On cloth or hair it is not."""
        if self.labels is None or self.keypoints is None:
            return np.ones(308, bool)
        return ~np.isin(self.classes_at(self.keypoints[:, :2]), part_labels(*CLOTH_EASE))

    @cached_property
    def joint_weights_in_space(self) -> np.ndarray:
        """(68, 3, 3) by which the gap to a lifted joint counts in each direction: less along the ray where cloth covers it."""
        ray = unit(self.pose.positions.astype(np.float64))
        with np.errstate(invalid="ignore", divide="ignore"):
            pixels = self.camera.project(self.pose.positions)
        lost = np.where(np.isin(self.classes_at(pixels), part_labels(*CLOTH_PARTS)), 1 - ALONG_RAY, 0.0)
        lost = np.maximum(lost, 1 - JOINT_SPREAD / np.hypot(JOINT_SPREAD, self.depth_spread))
        return np.eye(3) - lost[:, None, None] * ray[:, :, None] * ray[:, None, :]


def gather(predictions: Predictions, person: int, camera: Camera, pose: Pose, mask: np.ndarray | None) -> Evidence:
    """The evidence of one person; mask: (H, W) bool, where they are."""
    keypoints = None
    if predictions.keypoints is not None and person < len(predictions.keypoints):
        keypoints = predictions.keypoints[person].astype(np.float64)
        keypoints = np.where(np.isfinite(keypoints).all(axis=1, keepdims=True), keypoints, 0.0)
    if mask is None or not mask.any():
        return Evidence(camera, pose, keypoints)
    import cv2

    outside = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    return Evidence(camera, pose, keypoints, mask, predictions.pointmap, predictions.normal, predictions.seg, outside)


def _known_points(points: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(..., 3) float32 points; NaN outside of the (...) mask, and where they are not in front of the camera."""
    points = points.astype(np.float32)
    good = mask & np.isfinite(points).all(axis=-1) & (points[..., 2] > 0)
    return np.where(good[..., None], points, np.float32(np.nan))


def normals_of(points: np.ndarray) -> np.ndarray:
    """(H, W, 3) unit normals towards the camera of a pointmap, over five pixels; NaN at its borders."""
    across, down = np.full_like(points, np.nan), np.full_like(points, np.nan)
    across[:, 2:-2] = points[:, 4:] - points[:, :-4]
    down[2:-2] = points[4:] - points[:-4]
    normal = np.cross(down, across)
    with np.errstate(invalid="ignore", divide="ignore"):
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
        return np.where((normal * points).sum(axis=-1, keepdims=True) > 0, -normal, normal)
