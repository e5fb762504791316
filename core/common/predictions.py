"""What a network saw in one photo, and its file: one container per photo (`core.common.containers`), which others write too."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .arrays import check_arrays
from .containers import Format, fitting, read_container, write_container
from .errors import SapiensError

FORMAT = "sapiens2-predictions"
VERSION = 1

# key -> types that the file may hold; an array of another type is written as the first
TYPES = {
    "image": ("uint8",),
    "pointmap": ("float32", "float16"),
    "normal": ("float16",),
    "albedo": ("uint8",),
    "seg": ("uint8",),
    "alpha": ("uint8",),
    "keypoints": ("float32",),
    "boxes": ("float32",),
    "intrinsics": ("float32",),
}
CLASSES = 29
AGAIN = "Run the photo again, or check that the whole file was copied."
FILE = Format(FORMAT, VERSION, "predictions", AGAIN, "Choose a file that `predict` wrote.", anonymous=True)


@dataclass(frozen=True, eq=False)
class Predictions:
    """What the network saw in one photo: maps aligned with the upright photo. None = the task was not run.

    image       (H, W, 3) uint8 sRGB
    pointmap    (H, W, 3) float16/32, camera space, metres; non-finite or z <= 0 = no value
    normal      (H, W, 3) float16/32, axes of the normal head (x right, y up, z to the viewer), unit
    albedo      (H, W, 3) uint8 sRGB
    seg         (H, W) uint8, the 29 classes of data/seg29.json, 0 = background
    alpha       (H, W) uint8, foreground opacity
    keypoints   (P, 308, 3) float32: x, y in pixels and score
    boxes       (P, 4) float32: x1, y1, x2, y2 in pixels
    intrinsics  (3, 3) float32: fx 0 cx; 0 fy cy; 0 0 1, pixels
    metadata    strings: format, version, source, sha256, models (JSON), created
    """

    image: np.ndarray
    pointmap: np.ndarray | None = None
    normal: np.ndarray | None = None
    albedo: np.ndarray | None = None
    seg: np.ndarray | None = None
    alpha: np.ndarray | None = None
    keypoints: np.ndarray | None = None
    boxes: np.ndarray | None = None
    intrinsics: np.ndarray | None = None
    metadata: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        # The one class of arrays that others make too: what does not fit is their input, not a bug of ours.
        try:
            check_arrays(
                "Predictions",
                image=(self.image, ("H", "W", 3), "u"),
                pointmap=(self.pointmap, ("H", "W", 3), "f"),
                normal=(self.normal, ("H", "W", 3), "f"),
                albedo=(self.albedo, ("H", "W", 3), "u"),
                seg=(self.seg, ("H", "W"), "u"),
                alpha=(self.alpha, ("H", "W"), "u"),
                keypoints=(self.keypoints, ("P", 308, 3), "f"),
                boxes=(self.boxes, ("P", 4), "f"),
                intrinsics=(self.intrinsics, (3, 3), "f"),
            )
        except ValueError as error:
            raise SapiensError(str(error), "Make them again with `predict`, or see the shapes in `Predictions`.") from error

    @property
    def height(self) -> int:
        return self.image.shape[0]

    @property
    def width(self) -> int:
        return self.image.shape[1]

    @classmethod
    def load(cls, path: str | Path) -> Predictions:
        """Read a predictions file; see `load_predictions`."""
        return load_predictions(path)

    def save(self, path: str | Path) -> Path:
        """Write a predictions file, whole or not at all; see `save_predictions`."""
        return save_predictions(self, path)


def save_predictions(predictions: Predictions, path: str | Path) -> Path:
    """Write `predictions` to `path` (.safetensors), whole or not at all; the same predictions give the same bytes.

    Keys, shapes and types are those of the design's contract; `normal` is stored as float16.
    Raises SapiensError when the file cannot be written (no permission, full disk, missing folder).
    """
    arrays = {}
    for key, types in TYPES.items():
        array = getattr(predictions, key)
        if array is not None:
            wanted = array.dtype.name if array.dtype.name in types else types[0]
            arrays[key] = array.astype(wanted, copy=False)
    return write_container(path, FILE, arrays, {str(k): str(v) for k, v in predictions.metadata.items()})


def load_predictions(path: str | Path) -> Predictions:
    """Read a predictions file. Metadata may be missing, and keypoints may be those of one person, (308, 3).

    Raises SapiensError for a file that is missing, truncated, not safetensors, not predictions, of wrong shapes or types,
    or whose maps hold no value at all.
    """
    read = read_container(path, FILE, TYPES.__contains__)
    name, arrays = Path(path).name, read.arrays
    if "image" not in arrays:
        raise SapiensError(f"{name} holds no predictions: it has no image.", "Choose a file that `predict` wrote, or a photo.")
    for key in arrays:
        arrays[key] = _converted(name, key, arrays[key])
    keypoints = arrays.get("keypoints")
    if keypoints is not None and keypoints.ndim == 2:
        arrays["keypoints"] = keypoints[None]
    with fitting(path, FILE):
        predictions = Predictions(**arrays, metadata=read.strings)
    _check_values(name, predictions)
    return predictions


def _converted(name: str, key: str, array: np.ndarray) -> np.ndarray:
    """The array in a type that Predictions takes; conversions that could change the meaning of a value are refused."""
    types = TYPES[key]
    if array.dtype.name in types:
        return array
    if array.dtype.kind == "f" and "uint8" not in types:
        return array.astype(np.float32, copy=False)
    if array.dtype.kind in "iu" and key in ("seg", "alpha") and array.size and array.min() >= 0 and array.max() <= 255:
        return array.astype(np.uint8)
    raise SapiensError(f"{name}: {key} has the type {array.dtype.name}, expected {' or '.join(types)}.", AGAIN)


def _check_values(name: str, predictions: Predictions) -> None:
    """Raise when the values cannot be used: no pixel, labels beyond the classes, maps without one finite value."""
    if predictions.image.size == 0:
        raise SapiensError(f"{name}: the image has no pixels.", AGAIN)
    if predictions.seg is not None and predictions.seg.max() >= CLASSES:
        raise SapiensError(f"{name}: seg has the label {predictions.seg.max()}, the highest is {CLASSES - 1}.", AGAIN)
    for key in ("pointmap", "normal", "keypoints", "boxes"):
        array = getattr(predictions, key)
        if array is not None and array.size and not np.isfinite(array).any():
            raise SapiensError(f"{name}: {key} has no finite value.", AGAIN)
    pointmap = predictions.pointmap
    if pointmap is not None and not (np.isfinite(pointmap).all(axis=-1) & (pointmap[..., 2] > 0)).any():
        raise SapiensError(f"{name}: the pointmap has no point in front of the camera.", AGAIN)
    k = predictions.intrinsics
    if k is not None and not (np.isfinite(k).all() and k[0, 0] > 0 and k[1, 1] > 0 and math.isclose(k[2, 2], 1, abs_tol=1e-3)):
        raise SapiensError(f"{name}: the intrinsics are no camera matrix.", AGAIN)
