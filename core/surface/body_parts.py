"""Body parts on a mesh: soft vertex groups and the material of every face."""

from __future__ import annotations

import numpy as np

from ..common.arrays import MeshData, PartData
from .materials import material_of_label


def make_parts(mesh: MeshData) -> PartData:
    """Body parts of a mesh: of its faces, and as soft groups of its vertices. NumPy only."""
    groups = part_weights(mesh)
    return PartData(
        face_label=face_labels(mesh),
        face_material=face_materials(mesh),
        vertex=np.concatenate([np.zeros(0, np.int32), *(index for index, _ in groups.values())]).astype(np.int32),
        label=np.repeat(np.array(list(groups), np.uint8), [len(index) for index, _ in groups.values()]),
        weight=np.concatenate([np.zeros(0, np.float32), *(weight for _, weight in groups.values())]),
    )


def face_labels(mesh: MeshData) -> np.ndarray:
    """(F,) uint8 part of every face: the one that two corners share, else that of the first corner.

    Both halves of a quad have one.
    """
    return _one_per_polygon(mesh, _shared_by_two(mesh.labels[mesh.faces]))


def _shared_by_two(corner: np.ndarray) -> np.ndarray:
    """(F,) the value that two of the three corners (F, 3) share, else that of the first corner."""
    return np.where(corner[:, 1] == corner[:, 2], corner[:, 1], corner[:, 0])


def _one_per_polygon(mesh: MeshData, of_face: np.ndarray) -> np.ndarray:
    """Values (F,) of faces, with those of the first half of a quad on both halves."""
    return np.repeat(of_face[::2], 2) if mesh.quads else of_face


def face_materials(mesh: MeshData) -> np.ndarray:
    """(F,) uint8 index into `core.surface.materials.MATERIALS` of every face, by the majority of its corners after smoothing.

    Smoothing gives every vertex the material that most of the corners of the faces around it have, twice: single faces and teeth
    along the border of two materials go. Both halves of a quad have one.
    """
    material = material_of_label()[mesh.labels]
    # Only vertices near a border can change; votes come from all of the faces around them.
    faces, vertices = _near_borders(material, mesh.faces, 3)
    of_vertex = np.zeros(len(material), np.int64)
    of_vertex[vertices] = np.arange(len(vertices))
    local, kinds = of_vertex[faces], int(material.max(initial=0)) + 1
    for _ in range(2):
        votes = np.zeros((len(vertices), kinds), np.int32)
        of_face = material[faces]
        for kind in np.unique(of_face):
            around = (of_face == kind).sum(axis=1)
            votes[:, kind] = np.bincount(local.ravel(), np.repeat(around, 3), minlength=len(vertices))
        # A tie keeps the vertex as it is.
        votes *= 2
        votes[np.arange(len(vertices)), material[vertices]] += 1
        material = material.copy()
        material[vertices] = votes.argmax(axis=1)
    return _one_per_polygon(mesh, _shared_by_two(material[mesh.faces]))


def _near_borders(values: np.ndarray, faces: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Faces (n, 3), and the vertices on them, that lie within `steps` edges of a face whose corners differ in `values` (V,)."""
    # Corner by corner: numpy reduces rows of three slowly.
    first, second, third = np.ascontiguousarray(faces.T)
    active = np.zeros(len(values), bool)
    mixed = (values[first] != values[second]) | (values[first] != values[third])
    active[faces[mixed]] = True
    for _ in range(steps):
        active[faces[active[first] | active[second] | active[third]]] = True
    inside = active[first] & active[second] & active[third]
    return faces[inside], np.flatnonzero(active)


def part_weights(mesh: MeshData, steps: int = 3) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Soft vertex groups: label -> (vertex indices (n,) int64, weights (n,) float32 in 0..1].

    steps  how often weights are averaged over the faces around a vertex; every step blurs by about 0.7 of an edge, so 3 soften
           the border of two parts by 1.2 pixels on a mesh of every pixel. 0 = hard groups

    The weights of a vertex add up to 1. The blur follows the surface: an arm in front of a chest leaves no trace on it.
    Vertices of the background (label 0) have no group.
    """
    faces, vertices = _near_borders(mesh.labels, mesh.faces, steps)
    local = np.zeros(len(mesh.vertices), np.int64)
    local[vertices] = np.arange(len(vertices))
    corners = local[faces].ravel()
    valence = np.bincount(corners, minlength=len(vertices))
    groups = {}
    for label in np.unique(mesh.labels[mesh.labels > 0]).tolist():
        weight = (mesh.labels == label).astype(np.float32)
        soft = weight[vertices]
        for _ in range(steps):
            mean = soft[corners].reshape(-1, 3).mean(axis=1)
            around = np.bincount(corners, np.repeat(mean, 3), minlength=len(vertices))
            soft = np.where(valence > 0, around / np.maximum(valence, 1), soft)
        weight[vertices] = soft
        index = np.flatnonzero(weight > 1 / 255)
        groups[label] = (index, weight[index])
    return _normalised(groups, len(mesh.vertices))


def _normalised(groups: dict[int, tuple[np.ndarray, np.ndarray]], count: int) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """The groups scaled so that the weights of every vertex add up to 1."""
    total = np.zeros(count)
    for index, weight in groups.values():
        total[index] += weight
    return {label: (index, (weight / total[index]).astype(np.float32)) for label, (index, weight) in groups.items() if len(index)}
