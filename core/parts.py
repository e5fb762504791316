"""Body parts on a mesh: soft vertex groups and the material of every face."""

from __future__ import annotations

import numpy as np

from .data import MeshData
from .materials import material_of_label


def face_labels(mesh: MeshData) -> np.ndarray:
    """(F,) uint8 part of every face: the one that two corners share, else that of the first corner."""
    corner = mesh.labels[mesh.faces]
    return np.where(corner[:, 1] == corner[:, 2], corner[:, 1], corner[:, 0])


def face_materials(mesh: MeshData) -> np.ndarray:
    """(F,) uint8 index into `core.materials.MATERIALS` of every face, by the majority of its corners after smoothing.

    Smoothing gives every vertex the material that most of the corners of the faces around it have, twice: single faces and teeth
    along the border of two materials go.
    """
    material = material_of_label()[mesh.labels]
    kinds = int(material.max(initial=0)) + 1
    corners = mesh.faces.ravel()
    for _ in range(2):
        votes = np.zeros((len(mesh.vertices), kinds), np.int32)
        of_face = material[mesh.faces]
        for kind in np.unique(material):
            around = (of_face == kind).sum(axis=1)
            votes[:, kind] = np.bincount(corners, np.repeat(around, 3), minlength=len(mesh.vertices))
        # A tie keeps the vertex as it is.
        votes *= 2
        votes[np.arange(len(material)), material] += 1
        material = votes.argmax(axis=1).astype(np.uint8)
    corner = material[mesh.faces]
    return np.where(corner[:, 1] == corner[:, 2], corner[:, 1], corner[:, 0])


def part_weights(mesh: MeshData, steps: int = 3) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Soft vertex groups: label -> (vertex indices (n,) int64, weights (n,) float32 in 0..1].

    steps  how often weights are averaged over the faces around a vertex; every step blurs by about 0.7 of an edge, so 3 soften
           the border of two parts by 1.2 pixels on a mesh of every pixel. 0 = hard groups

    The weights of a vertex add up to 1. The blur follows the surface: an arm in front of a chest leaves no trace on it.
    Vertices of the background (label 0) have no group.
    """
    mixed = np.ptp(mesh.labels[mesh.faces], axis=1) > 0
    active = np.zeros(len(mesh.vertices), bool)
    active[mesh.faces[mixed]] = True
    for _ in range(steps):
        active[mesh.faces[active[mesh.faces].any(axis=1)]] = True
    faces = mesh.faces[active[mesh.faces].all(axis=1)]
    vertices = np.flatnonzero(active)
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
