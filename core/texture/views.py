"""What one photo knows of a person's surface: its colours without light, its parts, its camera and its depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..common.arrays import Camera, check_arrays
from ..common.colour import LUMINANCE
from ..common.landmarks import keypoint_index
from ..common.predictions import Predictions
from ..surface.normal_map import usable_normals
from ..surface.person_mask import person_domain
from .base_colour import FAR, SeenPerson, base_colour, framed, labels_in, person_box
from .inpaint import nearest_index
from .roughness import roughness_map
from .settings import TextureSettings

LEAST_IRIS = 12.0
"""Pixels across an iris from which its colour can be told from that of lashes and sclera."""
LEAST_SCORE = 0.3
"""Of the keypoints round an iris."""


@dataclass(frozen=True, eq=False)
class View:
    """One person in one photo.

    colour  (H, W, 3) uint8 sRGB, the photo without its light, continued around the person
    photo   (H, W, 3) uint8 sRGB
    labels  (H, W) uint8 body parts of 29 classes, 0 = not the person
    camera  of the photo
    depth   (H, W) float32 metres of the surface that is seen; NaN where unknown
    normal  (H, W, 3) float32 camera space, unit, towards the camera; 0 where unknown; None = no normal map
    roughness  (H, W) uint8, 255 = fully rough: by part, less where a highlight was seen; None = not known
    drawn   the surface is that of a fitted body, no network has seen it
    """

    colour: np.ndarray
    photo: np.ndarray
    labels: np.ndarray
    camera: Camera
    depth: np.ndarray
    normal: np.ndarray | None = None
    roughness: np.ndarray | None = None
    drawn: bool = False

    def __post_init__(self):
        check_arrays(
            "View",
            colour=(self.colour, ("H", "W", 3), "u"),
            photo=(self.photo, ("H", "W", 3), "u"),
            labels=(self.labels, ("H", "W"), "u"),
            depth=(self.depth, ("H", "W"), "f"),
            normal=(self.normal, ("H", "W", 3), "f"),
            roughness=(self.roughness, ("H", "W"), "u"),
        )


def view_of(
    predictions: Predictions, camera: Camera, mask: np.ndarray | None = None, settings: TextureSettings | None = None
) -> View:
    """What a photo shows of one person.

    mask  (H, W) bool, the person's pixels; None = everybody's

    Without parts everything of the person counts as torso. Where nobody is seen all labels are 0.
    """
    settings = settings or TextureSettings()
    size = predictions.image.shape[:2]
    z = np.zeros(size, np.float32)
    if predictions.pointmap is not None:
        with np.errstate(invalid="ignore"):
            z = predictions.pointmap[..., 2].astype(np.float32)
            z = np.where(np.isfinite(z) & (z > 0), z, np.float32(0))
    nothing = predictions.seg is None and predictions.alpha is None and predictions.pointmap is None
    known = np.zeros(size, bool) if nothing and mask is None else z > 0
    domain, labels = person_domain(predictions.seg, predictions.alpha, mask, known, max(size) / 1024)
    normal, informed = np.zeros((*size, 3), np.float32), False
    if domain.any() and (predictions.normal is not None or (domain & (z > 0)).any()):
        rays = camera.rays()
        if (domain & (z > 0)).any():
            normal, informed, _ = usable_normals(predictions.normal, z, domain, rays)
    gutter = settings.gutter or max(4, max(size) // 256)
    box = person_box(domain, gutter + FAR)
    person = SeenPerson(camera, domain, labels, normal, z)
    colour, _, highlight = base_colour(predictions, person, settings, box, gutter)
    parts = labels_in(person, box)
    gloss = roughness_map(parts, np.zeros(parts.shape, np.float32) if highlight is None else highlight)
    return View(
        framed(colour, size, box),
        predictions.image,
        labels,
        camera,
        np.where(domain & (z > 0), z, np.nan).astype(np.float32),
        normal if informed else None,
        framed(gloss, size, box),
    )


def iris_tone(view: View, keypoints: np.ndarray | None) -> np.ndarray | None:
    """(3,) uint8 sRGB colour of the irises; None where neither is large and clear enough in the photo.

    keypoints  (308, 3) float x, y in pixels, score; None = none

    Of each iris the ring between pupil and rim is looked at, without the brightest pixels, where the eye mirrors a light, and
    without the darkest, which are lashes and the pupil.
    """
    if keypoints is None:
        return None
    height, width = view.labels.shape
    found = []
    for side in "lr":
        centre = keypoints[keypoint_index(f"{side}_center_of_iris")]
        rim = keypoints[[keypoint_index(f"{side}_border_of_iris_{hour}") for hour in (3, 6, 9, 12)]]
        points = np.concatenate([centre[None], rim])
        if not np.isfinite(points).all() or points[:, 2].min() < LEAST_SCORE:
            continue
        radius = float(np.median(np.linalg.norm(rim[:, :2] - centre[:2], axis=1)))
        if 2 * radius < LEAST_IRIS:
            continue
        y, x = np.indices((height, width), np.float32)
        # The lids cover the top and the bottom of most irises.
        away = np.hypot(x - centre[0], y - centre[1]) / radius
        ring = (away > 0.5) & (away < 0.85) & (np.abs(y - centre[1]) < 0.5 * radius) & (view.labels > 0)
        colours = view.colour[ring].astype(np.float32)
        if len(colours) < 12:
            continue
        light = colours @ LUMINANCE
        low, high = np.quantile(light, (0.2, 0.8))
        found.append(colours[(light >= low) & (light <= high)])
    return np.median(np.concatenate(found), axis=0).round().astype(np.uint8) if found else None


def continued(values: np.ndarray, own: np.ndarray) -> np.ndarray:
    """(H, W, ...) values, beyond `own` (H, W) bool those of the nearest pixel in it; as they are where there is none."""
    if own.all() or not own.any():
        return values
    return values.reshape(-1, *values.shape[2:])[nearest_index(own)]
