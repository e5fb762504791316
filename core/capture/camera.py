"""The camera that took the photo: its lens from several witnesses, and the scale of what it saw.

A focal length can come from the predictions (scale head), from the rays of the pointmap itself, or from EXIF. They rarely agree
to the last percent; one is chosen, and what disagrees is said.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ..common.arrays import Camera, Pose
from ..common.errors import SapiensError
from ..common.predictions import Predictions

CANONICAL_FOCAL = 768.0
NETWORK_SIZE = (1024, 768)
"""Focal length that the pointmap network normalises to, and (height, width) of what it sees, network pixels."""

ASSUMED_FOCAL = 1.2
"""Of the longer side, when nothing says more: between a portrait lens and a phone."""

PLAUSIBLE = (0.2, 20.0)
"""Focal lengths, in longer sides of the photo, outside of which a witness is not believed."""

FULL_FRAME_DIAGONAL = math.hypot(36, 24)
"""Millimetres; "equivalent" focal lengths compare diagonals."""

SENSOR_WIDTH = 36.0
"""Millimetres of the sensor of Blender's camera; full frame, so that the lens reads as photographers say it."""

AGREE, EXIF_AGREE = 0.15, 0.30
"""Shares by which two focal lengths may differ: before it is said, as it stretches the 25 cm of a body's depth by 4, which one
sees; before EXIF no longer counts, as the photo was cropped."""

WITNESSES = {
    "scale head": "the model says",
    "pointmap": "the depth says",
    "exif": "the photo's EXIF says",
    "typed": "you said",
    "given": "the predictions say",
    "assumed": "most photos have",
}
"""Who states a focal length, in the words of a note."""

SAMPLES = 40_000
"""Pixels that take part in the regression, at most."""


@dataclass(frozen=True)
class CameraEstimate:
    """The chosen camera, every focal length that was considered (source -> pixels), and what there is to say about it."""

    camera: Camera
    candidates: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def estimate_camera(
    predictions: Predictions, focal_35mm: float | None = None, scale: float | None = None, typed_35mm: float | None = None
) -> CameraEstimate:
    """Choose the camera of a photo.

    predictions  intrinsics, pointmap and metadata ("focal_source", "focal_35mm") are used where present
    focal_35mm   35 mm equivalent focal length, millimetres (EXIF); the metadata's if None
    scale        of the pointmap network's scale head: 768 / focal length in network pixels, photo fitted into 1024 x 768
    typed_35mm   35 mm equivalent focal length that somebody typed who knows it, millimetres: it wins over everything
    Order: intrinsics that came with the predictions, EXIF unless the photo was plainly cropped, scale head, pointmap, assumption.
    """
    height, width = predictions.height, predictions.width
    side, centre = max(height, width), ((width - 1) / 2, (height - 1) / 2)
    candidates: dict[str, float] = {}
    notes: list[str] = []
    given = _given(predictions)
    source = "given"
    if given is not None:
        source = predictions.metadata.get("focal_source", "given")
        source = source if source in ("scale head", "pointmap", "exif", "assumed") else "given"
        candidates[source] = given.fx
    if focal_35mm is None:
        focal_35mm = _number(predictions.metadata.get("focal_35mm"))
    if focal_35mm:
        candidates.setdefault("exif", focal_in_pixels(focal_35mm, width, height))
    if scale and scale > 0:
        resize = min(NETWORK_SIZE[1] / width, NETWORK_SIZE[0] / height)
        candidates.setdefault("scale head", CANONICAL_FOCAL / scale / resize)
    fitted = fit_rays(predictions)
    if fitted is not None:
        candidates.setdefault("pointmap", fitted.fx)
    candidates = {
        k: float(f) for k, f in candidates.items() if math.isfinite(f) and PLAUSIBLE[0] * side <= f <= PLAUSIBLE[1] * side
    }

    if typed_35mm is not None:
        typed = focal_in_pixels(typed_35mm, width, height)
        if not PLAUSIBLE[0] * side <= typed <= PLAUSIBLE[1] * side:
            raise SapiensError(
                f"A lens of {typed_35mm:g} mm is not plausible.", "Type the focal length for 35 mm film, for example 50."
            )
        candidates["typed"] = typed
        middle = given or fitted
        centre = (middle.cx, middle.cy) if middle is not None else centre
        camera = Camera(width, height, typed, typed * (given.fy / given.fx if given else 1), *centre, "typed")
    elif given is not None and source in candidates:
        camera = replace(given, source=source)
    else:
        seen = candidates.get("scale head", candidates.get("pointmap"))
        if "exif" in candidates and (seen is None or abs(candidates["exif"] / seen - 1) < EXIF_AGREE):
            source = "exif"
        else:
            source = next((s for s in ("scale head", "pointmap") if s in candidates), "assumed")
        if source == "assumed":
            candidates["assumed"] = ASSUMED_FOCAL * side
            notes.append("Nothing tells the focal length of this photo: a common lens was assumed.")
        focal = candidates[source]
        camera = Camera(width, height, focal, focal, *centre, source)
        if fitted is not None and (fitted.cx, fitted.cy) != centre:
            # A principal point off the centre and its focal length belong together.
            camera = replace(fitted, fx=focal, fy=focal, source=source)
            notes.append("The photo looks cropped: the optical axis does not pass through its centre.")
    return CameraEstimate(camera, candidates, (*notes, *_disagreement(camera, candidates)))


def _disagreement(camera: Camera, candidates: Mapping[str, float]) -> tuple[str, ...]:
    """A sentence about the focal length that differs most from the one that is used, where that can be seen in the scan."""
    apart = {source: max(focal / camera.fx, camera.fx / focal) for source, focal in candidates.items()}
    other = max(apart, key=apart.__getitem__, default="")
    if apart.get(other, 1.0) <= 1 + AGREE:
        return ()
    used, said = (focal_35mm_equivalent(focal, camera.width, camera.height) for focal in (camera.fx, candidates[other]))
    return (
        f"A lens of {used:.0f} mm was used, but {WITNESSES[other]} {said:.0f} mm: if the scan looks too deep or too flat, "
        "take that one in the Avatar panel, or type the lens.",
    )


def focal_in_pixels(focal_35mm: float, width: int, height: int) -> float:
    """Pixels of a 35 mm equivalent focal length (millimetres) in a photo of width x height."""
    return focal_35mm * math.hypot(width, height) / FULL_FRAME_DIAGONAL


def focal_35mm_equivalent(pixels: float, width: int, height: int) -> float:
    """The inverse of `focal_in_pixels`: millimetres for 35 mm film."""
    return pixels * FULL_FRAME_DIAGONAL / math.hypot(width, height)


def blender_lens(camera: Camera) -> dict[str, str | float]:
    """What a Blender camera needs to project as `camera` does: its own properties by name, lengths in millimetres.

    The sensor fits horizontally, so the width of the render is the width of the photo whatever the scene's render size is. The
    principal point counts from the edge (cx + 0.5, cy + 0.5). For pixels that are not square the pixel aspect must be fx : fy.
    """
    return {
        "sensor_fit": "HORIZONTAL",
        "sensor_width": SENSOR_WIDTH,
        "lens": camera.fx * SENSOR_WIDTH / camera.width,
        "shift_x": (camera.width / 2 - (camera.cx + 0.5)) / camera.width,
        "shift_y": ((camera.cy + 0.5) - camera.height / 2) * (camera.fx / camera.fy) / camera.width,
    }


def _given(predictions: Predictions) -> Camera | None:
    """The camera of the predictions' intrinsics, None where they are missing or make no sense."""
    k = predictions.intrinsics
    if k is None or not np.isfinite(k).all() or not (k[0, 0] > 0 and k[1, 1] > 0):
        return None
    return Camera.from_matrix(k, predictions.width, predictions.height)


def _number(text: str | None) -> float | None:
    """A positive finite number out of untrusted text, else None."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None


def fit_rays(predictions: Predictions) -> Camera | None:
    """The camera whose rays the points of the pointmap lie on, by robust regression of u = f X/Z + cx, v = f Y/Z + cy.

    The principal point is the centre of the photo unless freeing it explains the points far better (a cropped photo).
    Uses the person where there is a segmentation. None with fewer than 16 usable points, or if the points do not tell.
    """
    if predictions.pointmap is None:
        return None
    height, width = predictions.height, predictions.width
    step = max(1, round(math.sqrt(height * width / SAMPLES)))
    points = predictions.pointmap[::step, ::step].astype(np.float64)
    with np.errstate(invalid="ignore"):
        good = np.isfinite(points).all(-1) & (points[..., 2] > 1e-3) & (points[..., 2] < 1e4)
    if predictions.seg is not None:
        good &= predictions.seg[::step, ::step] > 0
    row, column = np.nonzero(good)
    if len(row) < 16:
        return None
    points = points[good]
    ray = points[:, :2] / points[:, 2:]
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    pixel = np.stack([column, row], 1) * step - centre
    focal, _, error = _regress(ray, pixel, free=False)
    _, offset, free_error = free = _regress(ray, pixel, free=True)
    if not (math.isfinite(focal) and focal > 0):
        return None
    spread = np.ptp(pixel, axis=0).min()
    # Two more unknowns always fit better; a crop shows as an offset of many pixels, well spread points and half the error.
    if free_error < 0.5 * error and np.abs(offset).max() > 0.03 * max(height, width) and spread > 0.1 * max(height, width):
        focal, centre = free[0], centre + offset
    return Camera(width, height, float(focal), float(focal), float(centre[0]), float(centre[1]), "pointmap")


def _regress(ray: np.ndarray, pixel: np.ndarray, free: bool) -> tuple[float, np.ndarray, float]:
    """Focal length, offset (2,) and median error in pixels of pixel (N, 2) = f ray (N, 2) + offset, blind to outliers.

    Iteratively reweighted least squares with Cauchy weights at the scale of the residuals themselves.
    """
    # Start from the median of what pairs of points say: no number of far-off points short of a third can pull the first fit.
    half = len(ray) // 2
    apart, moved = ray[half : 2 * half] - ray[:half], pixel[half : 2 * half] - pixel[:half]
    square = (apart * apart).sum(1)
    told = square > 1e-9
    if not told.any():
        return math.nan, np.zeros(2), math.inf
    focal = float(np.median((apart * moved).sum(1)[told] / square[told]))
    offset = np.median(pixel - focal * ray, axis=0) if free else np.zeros(2)
    error = math.inf
    for _ in range(8):
        residual = np.linalg.norm(pixel - focal * ray - offset, axis=1)
        error = float(np.median(residual))
        weight = 1 / (1 + np.square(residual / max(2 * error, 1e-6)))
        total = weight.sum()
        mean_ray, mean_pixel = (weight @ ray / total, weight @ pixel / total) if free else (np.zeros(2), np.zeros(2))
        a, b = ray - mean_ray, pixel - mean_pixel
        power = float((weight[:, None] * a * a).sum())
        if power <= 1e-12:
            return math.nan, np.zeros(2), math.inf
        focal = float((weight[:, None] * a * b).sum()) / power
        offset = mean_pixel - focal * mean_ray
    return focal, offset, error


def scale_to_stature(pose: Pose, stature: float) -> float:
    """Factor for the pointmap that makes the person `stature` metres tall; the focal length stays.

    SapiensError if neither is known.
    """
    if not 0.3 <= stature <= 3:
        raise SapiensError(f"A stature of {stature:g} m is not a person's.", "Type the height in metres, for example 1.75.")
    if not pose.stature > 0:
        raise SapiensError("The height of this person could not be estimated.", "Give a measured distance instead.")
    return stature / pose.stature


def scale_to_distance(predictions: Predictions, mask: np.ndarray, metres: float) -> float:
    """Factor for the pointmap that puts the person in mask (H, W) bool `metres` away from the camera: by the median depth, along
    its axis. SapiensError for a distance that cannot be, and where there is no depth."""
    if not 0.1 <= metres <= 1000:
        raise SapiensError(
            f"{metres:g} m is no distance from a camera to a person.", "Type the distance in metres, for example 2.5."
        )
    if predictions.pointmap is None:
        raise SapiensError("These predictions have no pointmap.", "Run the pointmap task, then scale.")
    z = predictions.pointmap[mask, 2].astype(np.float64)
    with np.errstate(invalid="ignore"):
        z = z[np.isfinite(z) & (z > 0)]
    if not len(z):
        raise SapiensError("The pointmap holds no depth on the person.", "Leave the distance out.")
    return metres / float(np.median(z))


def scaled(predictions: Predictions, factor: float) -> Predictions:
    """The same predictions with a pointmap `factor` times as large."""
    if predictions.pointmap is None or factor == 1:
        return predictions
    return replace(predictions, pointmap=(predictions.pointmap.astype(np.float32) * np.float32(factor)))
