"""Make data/landmarks/face_points.json: where our keypoints of the face lie on the 468 points of the face network.

usage: python tools/face_points.py SAMPLE… -o data/landmarks/face_points.json

A SAMPLE is a path without suffix of a picture with exact keypoints: SAMPLE.safetensors.gz holds `image` and `keypoints` (308, 3),
whose score is 1 where a point is seen, 0.5 where it is covered, 0 where it is not defined.

The network's points on all pictures and their mirror images give a mean face. A keypoint on the face is found in the triangle of
the mesh that it is seen in, on each picture and in the mirror, and its median place on the mean face is kept: three points and
their weights. A keypoint on an ear is outside the mesh: it has one place beside the mean head, found by least squares over the
pictures, as weights of eight points that stay put when the face moves. Irises and pupils have a network of their own.
"""

from __future__ import annotations

import argparse
import gzip
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.numpy
from scipy.optimize import linear_sum_assignment
from scipy.spatial import Delaunay

from sapiens2_avatar.core.common.landmarks import keypoint_names, keypoint_swap
from sapiens2_avatar.core.common.rotations import fit_rigid
from sapiens2_avatar.core.landmarks.people import find_people

MIRROR = np.array([-1.0, 1.0, 1.0])
FOREHEAD, CHIN, NOSE_TIP, NOSE_ROOT, RIGHT_CORNER, LEFT_CORNER = 10, 152, 1, 168, 33, 263
STEADY = (10, 152, 234, 454, 1, 168, 127, 356)  # forehead, chin, sides, nose: they stay put when the face moves
SMALLEST = 80  # pixels of the face's square: smaller faces are too coarse
FACE = range(70, 308)
RIGHT_BROW = {
    "upper_startpoint": (107,), "upper_midpoint_3": (66,), "upper_midpoint_1": (105,), "upper_midpoint_2": (63,), "end": (70, 46),
    "lower_startpoint": (55,), "lower_midpoint_3": (65,), "lower_midpoint_1": (52,), "lower_midpoint_2": (53,),
}  # fmt: skip
"""The rims of the brow are points of the mesh: it has seen real brows, and those of rendered people lie higher."""

RIMS = {
    "of_upper_inner_lip": (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308),
    "of_lower_inner_lip": (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308),
    "inner_corner_of_mouth": (61, 78),
    "of_upper_lash_line": (263, 466, 388, 387, 386, 385, 384, 398, 362),
}  # fmt: skip
"""Rows of the mesh along the rims of mouth and left eye, by the end of the keypoints' names. What lies on a rim moves with it: in
the triangle between two closed lips a point of one of them would stay behind on the other when the mouth opens."""


@dataclass(frozen=True, eq=False)
class Example:
    """One face: the network's points (468, 3), true keypoints (308, 3), and the side of the face's square."""

    mesh: np.ndarray
    truth: np.ndarray
    side: float


def examples(samples: list[Path]) -> list[Example]:
    found = []
    for sample in samples:
        arrays = safetensors.numpy.load(gzip.decompress(Path(f"{sample}.safetensors.gz").read_bytes()))
        for person in find_people(arrays["image"])[:1]:
            if person.face is not None and person.face.region.side >= SMALLEST:
                truth = arrays["keypoints"].reshape(-1, 3).astype(np.float64)
                found.append(Example(person.face.points, truth, person.face.region.side))
    return found


def similarity(source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(3, 3) and (3,): source @ matrix + offset is nearest to target."""
    rotation, scale, offset = fit_rigid(source, target, np.ones(len(source)))
    return scale * rotation.T, offset


def mean_face(meshes: list[np.ndarray], start: np.ndarray) -> np.ndarray:
    mean = start
    for _ in range(10):
        placed = []
        for mesh in meshes:
            matrix, offset = similarity(mesh, mean)
            placed.append(mesh @ matrix + offset)
        mean = np.mean(placed, axis=0)
        mean = mean - mean.mean(0)
        mean /= np.sqrt((mean**2).sum(1).mean())
    return mean


def symmetric_face(meshes: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The mean face (468, 3): x to its left, y down, z to the back; and (468,) each point's mirror image."""
    face = mean_face(meshes, meshes[0])
    x = face[LEFT_CORNER] - face[RIGHT_CORNER]
    x /= np.linalg.norm(x)
    y = face[CHIN] - face[FOREHEAD]
    y -= x * (x @ y)
    y /= np.linalg.norm(y)
    face = face @ np.stack([x, y, np.cross(x, y)], axis=1)
    middle = [NOSE_TIP, FOREHEAD, CHIN, NOSE_ROOT]
    face[:, 0] -= face[middle, 0].mean()
    apart = np.linalg.norm(face[:, None] - (face * MIRROR)[None], axis=2)
    swap = linear_sum_assignment(apart)[1]
    assert (swap[swap] == np.arange(len(swap))).all()
    face = mean_face([*meshes, *((mesh * MIRROR)[swap] for mesh in meshes)], face)
    face[:, 0] -= face[middle, 0].mean()
    return (face + (face * MIRROR)[swap]) / 2, swap


def turning(corners: np.ndarray) -> np.ndarray:
    """Twice the signed area of triangles (N, 3, 2)."""
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def weights_in(point: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """(N, 3) barycentric weights of a point (2,) in triangles (N, 3, 2)."""
    a, b, p = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], point - corners[:, 0]
    area = turning(corners)
    area = np.where(np.abs(area) < 1e-12, 1e-12, area)
    v = (p[:, 0] * b[:, 1] - p[:, 1] * b[:, 0]) / area
    w = (a[:, 0] * p[:, 1] - a[:, 1] * p[:, 0]) / area
    return np.stack([1 - v - w, v, w], axis=1)


def triangles_of(face: np.ndarray) -> np.ndarray:
    """(N, 3): the mesh as seen from the front, all turning the same way."""
    triangles = Delaunay(face[:, :2]).simplices
    area = turning(face[triangles][..., :2])
    triangles = np.where((area < 0)[:, None], triangles[:, [0, 2, 1]], triangles)
    return triangles[np.abs(area) > 1e-5]


def place_on_face(point: np.ndarray, mesh: np.ndarray, face: np.ndarray, triangles: np.ndarray) -> np.ndarray | None:
    """(2,): the point of a picture, carried to the mean face by the nearest triangle that it is seen in; None = in none."""
    corners = mesh[triangles][..., :2]
    weights = weights_in(point, corners)
    inside = np.flatnonzero((weights.min(1) >= 0) & (turning(corners) > 0))
    if not len(inside):
        return None
    best = inside[np.argmin(mesh[triangles[inside], 2].mean(1))]
    return weights[best] @ face[triangles[best], :2]


def on_rim(weights: dict[int, float], rim: tuple[int, ...], face: np.ndarray) -> dict[int, float]:
    """Weights of two neighbours in a row of the mesh: where it is nearest to a place on the mean face."""
    place = np.array(list(weights.values())) @ face[list(weights), :2]
    start, end = face[list(rim[:-1]), :2], face[list(rim[1:]), :2]
    along = ((place - start) * (end - start)).sum(1) / ((end - start) ** 2).sum(1)
    share = np.clip(along, 0, 1)
    best = int(np.linalg.norm(start + share[:, None] * (end - start) - place, axis=1).argmin())
    second = round(float(share[best]), 4)
    return {rim[best]: round(1 - second, 4), rim[best + 1]: second}


def on_mesh(name: int, known: list[Example], face: np.ndarray, triangles: np.ndarray) -> dict[int, float] | None:
    """Weights of three points of the mesh; None for a keypoint that is outside of it."""
    swap = keypoint_swap()
    places = []
    for example in known:
        for keypoint, mirror in ((name, 1), (int(swap[name]), -1)):
            x, y, score = example.truth[keypoint]
            place = place_on_face(np.array([x, y]), example.mesh, face, triangles) if score > 0.9 else None
            if place is not None:
                places.append(place * [mirror, 1])
    if len(places) < len(known) / 2:
        return None
    median = np.median(places, axis=0)
    weights = weights_in(median, face[triangles][..., :2])
    best = np.argmax(weights.min(1))
    return {int(i): round(float(w), 4) for i, w in zip(triangles[best], weights[best], strict=True)}


def beside_mesh(name: int, known: list[Example], face: np.ndarray) -> dict[int, float] | None:
    """Weights of the steady points; None for a keypoint that no picture defines."""
    rows, values = [], []
    for example in known:
        matrix, offset = similarity(face, example.mesh)
        for keypoint, mirror in ((name, np.ones(3)), (int(keypoint_swap()[name]), MIRROR)):
            if example.truth[keypoint, 2] > 0.4:
                rows.append(matrix.T[:2] / example.side * mirror)
                values.append((example.truth[keypoint, :2] - offset[:2]) / example.side)
    if len(rows) < 3:
        return None
    lines, right = np.array(rows), np.array(values)
    trust = np.ones(len(lines))
    for _ in range(10):  # least absolute distance, by reweighting
        place = np.linalg.lstsq((lines * trust[:, None, None]).reshape(-1, 3), (right * trust[:, None]).ravel(), rcond=None)[0]
        trust = 1 / np.sqrt(np.maximum(np.linalg.norm(lines @ place - right, axis=1), 1e-3))
    steady = np.vstack([face[list(STEADY)].T, np.ones(len(STEADY))])
    weights = np.linalg.lstsq(steady, np.append(place, 1), rcond=None)[0]
    return {i: round(float(w), 4) for i, w in zip(STEADY, weights, strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("samples", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    known = examples(options.samples)
    face, mirror = symmetric_face([example.mesh for example in known])
    triangles = triangles_of(face)
    names, swap = keypoint_names(), keypoint_swap()
    points: dict[str, dict[int, float]] = {}
    for k in FACE:
        if "iris" in names[k] or "pupil" in names[k]:
            continue
        if swap[k] < k and names[swap[k]] in points:
            points[names[k]] = {int(mirror[i]): w for i, w in points[names[swap[k]]].items()}
        elif names[k].endswith("_of_r_eyebrow"):
            rim = RIGHT_BROW[names[k].removesuffix("_of_r_eyebrow")]
            points[names[k]] = dict.fromkeys(rim, 1 / len(rim))
        elif (weights := on_mesh(k, known, face, triangles) or beside_mesh(k, known, face)) is not None:
            rim = next((rim for end, rim in RIMS.items() if names[k].endswith(end)), None)
            points[names[k]] = weights if rim is None else on_rim(weights, rim, face)
    row = lambda name, value: f" {json.dumps(name)}: {json.dumps(value)}"  # noqa: E731
    parts = [
        '"about": "Keypoints of the face on the 468 points of the face network, as weights of its points, and the mean face. '
        'Made by tools/face_points.py from rendered people."',
        '"points": {\n' + ",\n".join(row(*item) for item in points.items()) + "\n}",
        '"mean_face": [\n' + ",\n".join(f" {json.dumps(np.round(p, 3).tolist())}" for p in face) + "\n]",
    ]
    options.output.write_text("{\n" + ",\n".join(parts) + "\n}\n", "utf-8")
    print(f"{len(points)} points from {len(known)} faces")


if __name__ == "__main__":
    main()
