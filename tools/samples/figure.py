"""A subdivided body in a calm stance, for pictures in which it is looked at closely."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.spatial.transform import Rotation

from .body import Body, vertex_normals
from .pose import arc, random_pose, skin, turn_about


def subdivide(faces: np.ndarray, count: int) -> tuple[np.ndarray, sparse.csr_matrix]:
    """Each triangle into four: (4 F, 3) faces and the (V', V) matrix that makes the new vertices' values from the old ones'."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
    unique, index = np.unique(edges, axis=0, return_inverse=True)
    ab, bc, ca = count + index.reshape(3, -1)
    a, b, c = faces.T
    fine = np.concatenate([np.stack(t, 1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))])
    n = len(unique)
    rows = np.concatenate([np.arange(count), count + np.repeat(np.arange(n), 2)])
    columns = np.concatenate([np.arange(count), unique.ravel()])
    values = np.concatenate([np.ones(count), np.full(2 * n, 0.5)])
    return fine.astype(np.int32), sparse.csr_matrix((values, (rows, columns)), (count + n, count))


def smoothing(faces: np.ndarray, count: int) -> sparse.csr_matrix:
    """(V, V) matrix that replaces each vertex by the mean of its neighbours and itself."""
    i = np.concatenate([faces[:, [0, 1, 2]].ravel(), faces[:, [1, 2, 0]].ravel()])
    j = np.concatenate([faces[:, [1, 2, 0]].ravel(), faces[:, [0, 1, 2]].ravel()])
    adjacency = sparse.csr_matrix((np.ones(i.size), (i, j)), (count, count))
    adjacency.data[:] = 1
    adjacency = adjacency + sparse.identity(count)
    return sparse.diags(1 / np.asarray(adjacency.sum(1)).ravel()) @ adjacency


class Figure:
    """The subdivided, posed body and the per-vertex values that clothes, colours and hair are made from."""

    def __init__(self, rng: np.random.Generator, body: Body, phenotype: dict, face: dict, levels: int = 2):
        rest, heads = body.rest(phenotype, face)
        turn = random_pose(rng, body, heads, "relaxed")
        self._arms(body, heads, turn)
        posed, moved, _ = skin(body, rest, heads, turn)
        self.faces, matrix = body.faces, sparse.identity(len(rest), format="csr")
        for _ in range(levels):
            self.faces, step = subdivide(self.faces, matrix.shape[0])
            matrix = step @ matrix
        relax = smoothing(self.faces, matrix.shape[0])
        # Midpoints lie on the old triangles; two rounds of smoothing, undone in part, round them.
        vertices = matrix @ posed
        for amount in (0.6, -0.35, 0.6, -0.35):
            vertices = vertices + amount * (relax @ vertices - vertices)
        self.vertices, self.relax, self.heads = vertices.astype(np.float32), relax, moved
        self.rest, self.head = matrix @ body.template, matrix @ body.head
        self.arm, self.leg, self.lips, self.ears = (matrix @ v for v in (body.arm, body.leg, body.lips, body.ears))
        self.eye, self.inside, self.tongue = (
            matrix @ v.astype(float) for v in (body.eye, body.inside & ~body.tongue, body.tongue)
        )
        self.part = body.parts[(matrix @ body.part_weights).argmax(1)]
        self.normals = vertex_normals(self.vertices, self.faces)

    @staticmethod
    def _hand(body: Body, heads: np.ndarray, turn: np.ndarray, side: int, s: str) -> None:
        """A hand at ease: fingers side by side and a little bent, the more the nearer to the little finger."""
        wrist = heads[body.bone("wrist" + s)]
        across = np.cross(heads[body.bone("finger2-1" + s)] - wrist, heads[body.bone("finger5-1" + s)] - wrist)
        palm = across * np.sign(across @ np.array([-side, 0.0, -1.0]))
        chains = [[f"finger{finger}-{k}{s}" for k in (1, 2, 3)] for finger in range(1, 6)]
        directions = [heads[body.bone(chain[2])] - heads[body.bone(chain[0])] for chain in chains]
        for chain, direction, bend, closing in zip(
            chains, directions, (8, 13, 17, 20, 23), (0.45, 0.7, 0.0, 0.7, 0.75), strict=True
        ):
            for bone in chain:
                turn[body.bone(bone)] = turn_about(np.cross(direction, palm), bend)
            shut = Rotation.from_matrix(arc(direction, directions[2])).as_rotvec() * closing
            turn[body.bone(chain[0])] = Rotation.from_rotvec(shut).as_matrix() @ turn[body.bone(chain[0])]

    @staticmethod
    def _arms(body: Body, heads: np.ndarray, turn: np.ndarray) -> None:
        """A calm stance: arms a little away from the body, elbows nearly straight, weight on both feet."""
        for side, s in ((1, ".L"), (-1, ".R")):
            shoulder, elbow, wrist = (heads[body.bone(b + s)] for b in ("upperarm01", "lowerarm01", "wrist"))
            swing = arc(elbow - shoulder, np.array([side * 0.34, 0.12, -1.0]))
            turn[body.bone("clavicle" + s)] = np.eye(3)
            turn[body.bone("upperarm01" + s)] = swing
            turn[body.bone("lowerarm01" + s)] = turn_about(np.cross(elbow - shoulder, [0, -1.0, 0]), -8)
            turn[body.bone("lowerarm02" + s)] = turn[body.bone("wrist" + s)] = turn_about(wrist - elbow, side * 8)
            Figure._hand(body, heads, turn, side, s)
            hip, knee = heads[body.bone("upperleg01" + s)], heads[body.bone("lowerleg01" + s)]
            turn[body.bone("upperleg01" + s)] = arc(knee - hip, np.array([side * 0.075, -0.01 * side, -1.0]))
            turn[body.bone("lowerleg01" + s)] = turn[body.bone("foot" + s)] = np.eye(3)
        for bone in (
            "spine05",
            "spine04",
            "spine03",
            "spine02",
            "spine01",
            "neck01",
            "neck02",
            "neck03",
            "head",
            "eye.L",
            "eye.R",
        ):
            turn[body.bone(bone)] = np.eye(3)
        turn[body.bone("neck03")] = turn_about(np.array([0, 0, 1.0]), -6)
        turn[body.bone("head")] = turn_about(np.array([0, 0, 1.0]), -6)
