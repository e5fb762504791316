"""The template body: one mesh for everybody, and how its shape, its bones and its face change.

`data/body.npz` is baked by `python -m tools.body_model` from MakeHuman's CC0 mesh and targets. Space: metres, x to the person's
left, y to the back, z up; the rest pose stands with the arms 45 degrees down (A-pose), near the origin of MakeHuman's mesh.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from ..common.landmarks import DATA
from .phenotype import CHOICES
from .skeleton import BONES

PARTS = ("skin", "eyes", "lashes", "teeth", "tongue", "tights", "skirt", "hair")
"""Loose parts in the order of the faces. The last three are layers that clothes and hair are made on, not parts of the body."""
BODY_PARTS = PARTS[:5]


@dataclass(frozen=True, eq=False)
class Means:
    """Points that are weighted means of the template's points: n of them, as a sparse matrix.

    count    n
    entries  (m, 2) int32: which of the n, and a point
    weights  (m,) float32; those of one mean add up to 1
    """

    count: int
    entries: np.ndarray
    weights: np.ndarray

    def of(self, points: np.ndarray) -> np.ndarray:
        """(n, ...) means of (P, ...) points; NaN where a mean has no entry."""
        values = self.weights.reshape(-1, *[1] * (points.ndim - 1)) * points[self.entries[:, 1]]
        out = np.full((self.count, *points.shape[1:]), np.nan)
        rows, first = self._starts
        out[rows] = np.add.reduceat(values, first, axis=0)
        return out

    @cached_property
    def _starts(self) -> tuple[np.ndarray, np.ndarray]:
        """The means that have entries, and the first entry of each."""
        return np.unique(self.entries[:, 0], return_index=True)

    def over(self, points: np.ndarray) -> Means:
        """The same means of (n,) of the points alone, ascending, among which are all that they are made of."""
        entries = np.stack([self.entries[:, 0], np.searchsorted(points, self.entries[:, 1])], axis=1)
        return Means(self.count, entries, self.weights)

    def followed_by(self, other: Means) -> Means:
        """These means, and those of the same points after them."""
        after = other.entries + np.array([self.count, 0], np.int32)
        entries, weights = np.concatenate([self.entries, after]), np.concatenate([self.weights, other.weights])
        return Means(self.count + other.count, entries, weights)

    @property
    def defined(self) -> np.ndarray:
        """(n,) bool: which means have an entry."""
        return np.bincount(self.entries[:, 0], minlength=self.count) > 0


@dataclass(frozen=True, eq=False)
class Template:
    """The arrays of data/body.npz. P points: V vertices of the mesh, then points that only follow the shape (joints).

    base            (P, 3) float32, the mean of all targets at zero
    mirror          (P,) int32 the point on the body's other side
    half            (h,) int32 points whose directions are stored; the others mirror them
    directions      (K, h, 3) float32 metres per unit of a shape coefficient: macro mixture, body, head
    counts          how many of the K are macro, of the body, of the head
    macro           (T, M) float32 weights of targets -> macro coefficients
    members         (T, c) bool which variations (`phenotype.CHOICES`) a target is the product of
    faces           (F, 4) int32 quads, counter-clockwise from outside
    face_part       (F,) uint8 row of PARTS
    uvs, face_uvs   (U, 2) float32; (F, 4) int32 rows of it
    weight_bones    (P, 4) uint8 rows of BONES
    weights         (P, 4) float32, rows add up to 1
    labels          (V,) uint8 body part of 29 classes, of a naked person
    joints          means that are the 68 joints (`common.landmarks.JOINT_NAMES`)
    keypoints       means that are the 308 keypoints, where the body has them
    heads           means that are the heads of BONES
    unit_names      the 52 ARKit shapes
    unit_entries    (m, 2) int32 of shape and point, ordered by shape
    unit_offsets    (m, 3) float32 metres
    viseme_names    fifteen mouth shapes of speech
    visemes         (15, 52) float32 mixtures of the ARKit shapes
    """

    base: np.ndarray
    mirror: np.ndarray
    half: np.ndarray
    directions: np.ndarray
    counts: tuple[int, int, int]
    macro: np.ndarray
    members: np.ndarray
    faces: np.ndarray
    face_part: np.ndarray
    uvs: np.ndarray
    face_uvs: np.ndarray
    weight_bones: np.ndarray
    weights: np.ndarray
    labels: np.ndarray
    joints: Means
    keypoints: Means
    heads: Means
    unit_names: tuple[str, ...]
    unit_entries: np.ndarray
    unit_offsets: np.ndarray
    viseme_names: tuple[str, ...]
    visemes: np.ndarray

    @property
    def vertex_count(self) -> int:
        """V, layers for clothes included."""
        return len(self.labels)

    @cache  # noqa: B019  there is one template
    def body_faces(self) -> np.ndarray:
        """(f,) int64: faces of the body without the layers for clothes and hair."""
        return np.flatnonzero(self.face_part < len(BODY_PARTS))

    @cache  # noqa: B019
    def skin_faces(self) -> np.ndarray:
        """(f, 4) int32 quads of the skin."""
        return self.faces[self.face_part == PARTS.index("skin")]

    @cache  # noqa: B019
    def skin_vertices(self) -> np.ndarray:
        """(n,) int32 vertices of the skin, ascending."""
        return np.unique(self.skin_faces())


@cache
def template() -> Template:
    """The template body, read once."""
    with np.load(DATA / "body.npz", allow_pickle=False) as stored:
        a = {name: stored[name] for name in stored.files}
    macro, body, head = (int(n) for n in a["direction_counts"])
    directions = a["directions"].astype(np.float32) * a["steps"][:, None, None]
    choices = np.unpackbits(a["macro_members"], axis=1).astype(bool)
    weights = a["weights"].astype(np.float32)

    def means(name: str, count: int) -> Means:
        return Means(count, a[f"{name}_entries"], a[f"{name}_weights"])

    return Template(
        base=a["base"],
        mirror=a["mirror"],
        half=a["half"],
        directions=directions,
        counts=(macro, body, head),
        macro=a["macro"],
        members=choices[:, : sum(len(words) for words in CHOICES.values())],
        faces=a["faces"],
        face_part=a["face_part"],
        uvs=a["uvs"],
        face_uvs=a["face_uvs"],
        weight_bones=a["weight_bones"],
        weights=weights / weights.sum(axis=1, keepdims=True),
        labels=a["labels"],
        joints=means("joint", 68),
        keypoints=means("keypoint", 308),
        heads=means("bone", len(BONES)),
        unit_names=tuple(a["unit_names"].tolist()),
        unit_entries=a["unit_entries"],
        unit_offsets=a["unit_offsets"].astype(np.float32),
        viseme_names=tuple(a["viseme_names"].tolist()),
        visemes=a["visemes"],
    )
