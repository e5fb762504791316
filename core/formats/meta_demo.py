"""Predictions from the files that Meta's Sapiens2 demo scripts write beside each other, one folder per task.

For a photo ``name.jpg``: ``name_seg.npy`` (labels), ``name.npy`` (normals), ``name_depth.npy`` (z, float16), ``name.ply`` (points
of the foreground in reading order, then 500 points of a blue sphere at the camera), ``<folder>_predictions.json``
(keypoints of all photos).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..capture.camera import ASSUMED_FOCAL, fit_rays, focal_in_pixels
from ..capture.photo import read_photo
from ..common.arrays import Camera
from ..common.errors import SapiensError
from ..common.predictions import FORMAT, VERSION, Predictions

SPHERE_POINTS = 500
PLY_TYPES = {
    "float": "f4", "float32": "f4", "double": "f8", "float64": "f8", "uchar": "u1", "uint8": "u1", "char": "i1", "int8": "i1",
    "short": "i2", "ushort": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4",
}  # fmt: skip
AGAIN = "Check that the files belong to this photo and were copied whole."


def predictions_from_demo(image: str | Path, places: Iterable[str | Path]) -> Predictions:
    """Predictions of a photo from outputs of the demo scripts.

    image   the photo that the scripts were given
    places  output folders, or files; what does not belong to the photo is passed over
    Points come from the .ply where its pixels can be told, else from the depth map and the focal length of EXIF or a common lens.
    Raises SapiensError when nothing belongs to the photo, or a file of it is damaged or of another size.
    """
    photo = read_photo(image)
    stem = Path(image).name.rsplit(".")[0]  # up to the first dot, as the scripts name their files
    files = _files(places)
    size = (photo.image.shape[0], photo.image.shape[1])
    seg = normal = depth = cloud = keypoints = boxes = None
    for path in files:
        if path.name == f"{stem}_seg.npy":
            seg = _labels(path, size)
        elif path.name == f"{stem}_depth.npy":
            depth = _array(path, size)
        elif path.name == f"{stem}.npy" and (found := _array(path, None)).ndim == 3:
            normal = _normals(path, found, size)
        elif path.name == f"{stem}.ply":
            cloud = read_ply(path)
        elif path.suffix == ".json" and (found_people := _people(path, Path(image).name)) is not None:
            keypoints, boxes = found_people
    if all(x is None for x in (seg, normal, depth, cloud, keypoints)):
        raise SapiensError(
            f"No output of the demo scripts for {photo.name} was found.", "Choose the folders that the scripts wrote."
        )
    points, camera = _points(photo.image, seg, depth, cloud, photo.focal_35mm)
    if seg is not None:
        for maps in (points, normal):
            if maps is not None:
                maps[seg == 0] = 0
    metadata = {"format": FORMAT, "version": str(VERSION), "source": photo.name, "sha256": photo.sha256}
    if camera is not None:
        metadata["focal_source"] = camera.source
    return Predictions(
        image=photo.image,
        pointmap=points,
        normal=normal,
        seg=seg,
        alpha=photo.alpha,
        keypoints=keypoints,
        boxes=boxes,
        intrinsics=None if camera is None else camera.matrix.astype(np.float32),
        metadata=metadata,
    )


def read_ply(path: Path) -> np.ndarray:
    """(N, 3) float32 positions of a point cloud, ascii or binary little-endian. Raises SapiensError for anything else."""
    damaged = SapiensError(f"{path.name} is not a point cloud that can be read.", AGAIN)
    data = _bytes(path)
    head, found, body = data.partition(b"end_header\n")
    lines = head.decode("ascii", "replace").split("\n")
    if not found or lines[0].strip() != "ply" or len(lines) < 3:
        raise damaged
    names: list[tuple[str, str]] = []
    elements: list[str] = []
    count = 0
    try:
        for words in (line.split() for line in lines):
            if words[:1] == ["element"]:
                elements.append(words[1])
                count = int(words[2]) if words[1] == "vertex" else count
            elif words[:1] == ["property"] and elements == ["vertex"]:  # points come first; what follows is not read
                names.append((words[2], "<" + PLY_TYPES[words[1]]))
        if "format ascii 1.0" in head.decode("ascii", "replace"):
            rows = np.array(body.split()[: count * len(names)], np.float64).reshape(count, len(names))
            return np.stack([rows[:, [n for n, _ in names].index(axis)] for axis in "xyz"], 1).astype(np.float32)
        if b"binary_little_endian" not in head or count < 0:
            raise damaged
        table = np.frombuffer(body, np.dtype(names), count)
        return np.stack([table[axis] for axis in "xyz"], 1).astype(np.float32)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise damaged from error


def _files(places: Iterable[str | Path]) -> list[Path]:
    found: list[Path] = []
    for place in map(Path, places):
        if not place.exists():
            raise SapiensError(f"{place} does not exist.", "Check the name.")
        found += sorted(path for path in place.iterdir() if path.is_file()) if place.is_dir() else [place]
    return found


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SapiensError(f"{path.name} could not be read: {error.strerror or error}.", AGAIN) from error


def _array(path: Path, size: tuple[int, int] | None) -> np.ndarray:
    """A numeric array of an .npy file, (H, W, ...) if a size is given. A pickled one is never opened."""
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError, MemoryError) as error:
        raise SapiensError(f"{path.name} is not an array file that can be read.", AGAIN) from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
        raise SapiensError(f"{path.name} holds no numbers.", AGAIN)
    if size is not None and array.shape != size:
        raise SapiensError(f"{path.name} has the shape {array.shape}, the photo {size}.", AGAIN)
    return array


def _labels(path: Path, size: tuple[int, int]) -> np.ndarray:
    labels = _array(path, size)
    if not (np.isfinite(labels).all() and labels.min() >= 0 and labels.max() < 29):
        raise SapiensError(
            f"{path.name} has labels outside of 0 to 28.", "Segment the photo with Sapiens2, not with its first version."
        )
    return labels.astype(np.uint8)


def _normals(path: Path, normals: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if normals.shape != (*size, 3):
        raise SapiensError(f"{path.name} has the shape {normals.shape}, expected {(*size, 3)}.", AGAIN)
    length = np.linalg.norm(normals.astype(np.float32), axis=-1, keepdims=True)
    return np.nan_to_num(normals / np.maximum(length, 1e-6)).astype(np.float16)


def _people(path: Path, image_name: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Keypoints (P, 308, 3) and boxes (P, 4) of the photo in a keypoint file; None when it is about other photos or nobody."""
    try:
        content = json.loads(_bytes(path))
        frames = content.get("frames", []) if isinstance(content, dict) else []
        people = next((frame["instances"] for frame in frames if frame["image_name"] == image_name), [])
        if not people:
            return None
        keypoints = np.array([np.column_stack([p["keypoints"], p["keypoint_scores"]]) for p in people], np.float32)
        boxes = np.array([p["bbox"] for p in people], np.float32)
    except (ValueError, KeyError, TypeError) as error:
        raise SapiensError(f"{path.name} is not a keypoint file of the demo script.", AGAIN) from error
    if keypoints.shape[1:] != (308, 3) or boxes.shape != (len(keypoints), 4):
        raise SapiensError(f"{path.name} has {keypoints.shape[1]} keypoints for each person, expected 308.", AGAIN)
    return keypoints, boxes


def _points(
    image: np.ndarray, seg: np.ndarray | None, depth: np.ndarray | None, cloud: np.ndarray | None, focal_35mm: float | None
) -> tuple[np.ndarray | None, Camera | None]:
    """Pointmap (H, W, 3) float32 and its camera, from the cloud if its pixels can be told, else from the depth."""
    height, width = image.shape[:2]
    if cloud is not None:
        coloured = image.any(-1)  # the script leaves out black pixels
        for mask in (coloured,) if seg is None else (coloured & (seg > 0), coloured):
            if np.count_nonzero(mask) == len(cloud) - SPHERE_POINTS:
                points = np.zeros((height, width, 3), np.float32)
                points[mask] = cloud[: len(cloud) - SPHERE_POINTS]
                return points, fit_rays(Predictions(image, pointmap=points, seg=seg))
        if depth is None:
            raise SapiensError(
                "The points of the .ply cannot be matched with the pixels of the photo.",
                "Add the _depth.npy, or the _seg.npy that masked it.",
            )
    if depth is None:
        return None, None
    if focal_35mm:
        focal, source = focal_in_pixels(focal_35mm, width, height), "exif"
    else:
        focal, source = ASSUMED_FOCAL * max(height, width), "assumed"
    camera = Camera(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2, source)
    z = np.nan_to_num(depth.astype(np.float32), nan=0, posinf=0, neginf=0)
    return camera.rays() * np.maximum(z, 0)[..., None], camera
