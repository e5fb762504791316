"""A photo to predictions with what comes with the extension: no download, no graphics card, no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ..body.correspondence import compared_vertices
from ..capture.camera import focal_in_pixels
from ..capture.photo import Photo, read_photo
from ..capture.provenance import BUILT_IN, provenance
from ..common.arrays import Camera
from ..common.colour import linear_from_srgb, srgb_bytes_from_linear
from ..common.errors import Cancelled, SapiensError
from ..common.predictions import Predictions
from ..common.progress import Progress
from ..common.spaces import normal_head_from_camera
from ..landmarks.body import INDEX
from ..landmarks.networks import BODY, FACE, HAND, IRIS, PERSON_MASK, load
from ..landmarks.people import PersonLandmarks, find_people
from ..texture.delight import delight
from ..texture.foreground import foreground
from .bodies import FittedPerson, fit_people
from .colours import lab
from .parts import person_parts
from .surface import person_surface

MODEL, REVISION = BUILT_IN, "10"
"""What the predictions say of the model, and its version: higher whenever it would see something else in the same photo."""
TASKS = ("seg", "normal", "pointmap", "albedo", "pose")
ASSUMED_FOCAL, WHOLE_FIGURE = 1.6, 1.75
"""Longer sides of the photo: a lens of 58 mm, of 63 mm where somebody is seen from head to foot. People fill the photos that they
are made of: who takes or crops such a photo is a few metres off, farther than with the short lens that a telephone has for whole
rooms; whole figures are taken with 50 to 85 mm.
"""
MARGIN = 3
"""Pixels around a person's mask in which their maps are made."""

Box = tuple[slice, slice]


def predict_builtin(
    image: str | Path | np.ndarray,
    tasks: Iterable[str] | None = None,
    boxes: np.ndarray | None = None,
    progress: Progress | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Predictions:
    """People, their keypoints, and maps that are drawn from the body that fits them.

    image     path, or (H, W, 3) uint8 sRGB; see `core.capture.photo.read_photo` for what is understood
    tasks     of TASKS; None = all. The opacity always comes with them
    boxes     (P, 4) x1, y1, x2, y2 in pixels of the upright photo, instead of looking for people: each gives a person
    progress  called with (stage, share of the work that is done); an exception that it raises ends the job
    cancel    asked often; True ends the job with `core.common.errors.Cancelled`

    The maps have the photo's size and hold 0 away from the people. The same input gives the same bytes. The focal length is that
    of the EXIF, else assumed; "focal_source" of the metadata says which.
    Raises SapiensError: unreadable photo, nobody in it, unknown tasks, damaged installation.
    """
    wanted = task_names(tasks)

    def report(stage: str, share: float) -> None:
        if cancel is not None and cancel():
            raise Cancelled
        if progress is not None:
            progress(stage, share)

    with ThreadPoolExecutor(1) as beside:
        loaded = beside.submit(_load)
        photo = read_photo(image)
        report("people", 0.0)
        people = find_people(photo.image, None if boxes is None or len(boxes) == 0 else np.asarray(boxes, np.float32))
        loaded.result()
    if not people:
        raise SapiensError(
            f"No person was found in {photo.name}.", "Choose a photo that shows a person, or give a box around them."
        )
    camera = _camera(photo, people)
    report("body", 0.3)
    fitted = fit_people(photo.image, people, camera, photo.alpha, lambda share: report("body", 0.3 + 0.4 * share))
    maps = _maps(photo, fitted, camera, wanted, lambda share: report("maps", 0.7 + 0.3 * share))
    models = {task: {"id": MODEL, "revision": REVISION} for task in wanted}
    report("done", 1.0)
    return Predictions(
        image=photo.image,
        keypoints=np.stack([person.keypoints for person in fitted]) if "pose" in wanted else None,
        boxes=np.stack([person.box for person in fitted]),
        intrinsics=camera.matrix.astype(np.float32) if "pointmap" in wanted else None,
        metadata=provenance(photo, models, camera.source if "pointmap" in wanted else None),
        **maps,
    )


def _load() -> None:
    """Read and work out once what is needed later. OpenCV leaves the other threads alone while a network runs."""
    load(BODY, HAND, FACE, IRIS, PERSON_MASK)
    import scipy.ndimage
    import scipy.sparse  # noqa: F401

    compared_vertices()
    lab(np.zeros((1, 1, 3), np.uint8))  # OpenCV makes its tables


def task_names(tasks: Iterable[str] | None) -> tuple[str, ...]:
    """The tasks asked for, in their order. Raises SapiensError for those that the built-in model does not have."""
    if tasks is None:
        return TASKS
    names = [name.strip() for name in (tasks.split(",") if isinstance(tasks, str) else tasks)]
    if missing := [name for name in names if name not in TASKS]:
        raise SapiensError(
            f"The built-in model has no task {', '.join(map(repr, missing))}.",
            f"Choose from {', '.join(TASKS)}, or choose another model.",
        )
    if not names:
        raise SapiensError("No task was asked for.", f"Choose from {', '.join(TASKS)}.")
    return tuple(task for task in TASKS if task in names)


def _camera(photo: Photo, people: list[PersonLandmarks]) -> Camera:
    """The lens of the EXIF, else an assumed one."""
    height, width = photo.image.shape[:2]
    if photo.focal_35mm:
        source, focal = "exif", focal_in_pixels(photo.focal_35mm, width, height)
    else:
        whole = any(_whole(person, width, height) for person in people)
        source, focal = "assumed", (WHOLE_FIGURE if whole else ASSUMED_FOCAL) * max(height, width)
    return Camera(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2, source)


def _whole(person: PersonLandmarks, width: int, height: int) -> bool:
    """Whether head and feet are in the photo."""
    ends = [INDEX[name] for name in ("nose", "left_ankle", "right_ankle", "left_heel", "right_heel")]
    places = person.body.points[ends, :2]
    inside = ((places >= 0) & (places <= (width - 1, height - 1))).all()
    return bool(inside and person.body.inside[ends].min() > 0.5)


def _maps(
    photo: Photo, people: list[FittedPerson], camera: Camera, tasks: tuple[str, ...], report: Callable[[float], None]
) -> dict[str, np.ndarray]:
    """The maps of everybody, by name."""
    height, width = photo.image.shape[:2]
    seg = np.zeros((height, width), np.uint8)
    alpha = np.zeros((height, width), np.uint8)
    depth = np.zeros((height, width), np.float32)
    normal = np.zeros((height, width, 3), np.float32)
    albedo = np.zeros((height, width, 3), np.uint8)
    shaped, coloured = {"normal", "pointmap", "albedo"} & set(tasks), "albedo" in tasks
    for i, person in enumerate(people):
        report(i / len(people))
        np.maximum(alpha, np.round(person.opacity * 255).astype(np.uint8), out=alpha)
        box = _box(person.mask)
        if box is None:
            continue
        mine = person.mask[box]
        parts = np.maximum(person_parts(photo.image, person.mask, person.landmarks, person.maps, box), mine)
        seg[box][mine] = parts[mine]
        if shaped:
            surface = person_surface(person.mask, parts, person.maps, camera, box)
            depth[box][mine], normal[box][mine] = surface.depth[mine], surface.normal[mine]
            if coloured:
                report((i + 0.5) / len(people))
                albedo[box][mine] = _albedo(photo.image[box], parts, surface.normal, surface.depth, camera, box)[mine]
    made = {"seg": seg, "alpha": alpha, "normal": normal_head_from_camera(normal).astype(np.float16), "albedo": albedo}
    made["pointmap"] = camera.rays() * depth[..., None]
    return {name: made[name] for name in ("seg", "normal", "pointmap", "albedo") if name in tasks} | {"alpha": alpha}


def _box(mask: np.ndarray) -> Box | None:
    """Rows and columns of a person's mask with a margin; None where nothing of them is left."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    low, high = np.array([rows[0], columns[0]]) - MARGIN, np.array([rows[-1], columns[-1]]) + MARGIN + 1
    low, high = np.maximum(low, 0).tolist(), np.minimum(high, mask.shape).tolist()
    return slice(low[0], high[0]), slice(low[1], high[1])


def _albedo(image: np.ndarray, parts: np.ndarray, normal: np.ndarray, depth: np.ndarray, camera: Camera, box: Box) -> np.ndarray:
    """(h, w, 3) uint8 sRGB of one person: the photo without its light, or as it is where the light cannot be told."""
    height, width = parts.shape
    cx, cy = camera.cx - box[1].start, camera.cy - box[0].start
    seen = Camera(width, height, camera.fx, camera.fy, cx, cy, camera.source)
    colour = foreground(linear_from_srgb(np.ascontiguousarray(image)), None, parts)
    found = delight(colour, parts, normal, np.where(parts > 0, depth, 0).astype(np.float32), seen)
    return srgb_bytes_from_linear(colour if found is None else found.albedo_linear)
