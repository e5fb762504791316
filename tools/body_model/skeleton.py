"""Bones of Rigify's metarig on MakeHuman's joints, and its weights gathered to them."""

from __future__ import annotations

import numpy as np

from sapiens2_avatar.core.body.skeleton import BONES

from .makehuman import BaseMesh

MOST = 4  # bones that move one vertex

FINGERS = {"thumb": 1, "f_index": 2, "f_middle": 3, "f_ring": 4, "f_pinky": 5}


def heads(mesh: BaseMesh, bones: dict) -> dict[str, np.ndarray]:
    """Bone of BONES -> (n,) vertices whose mean its head is."""

    def point(bone: str, end: str = "head") -> np.ndarray:
        place = bones[bone][end]
        if place["strategy"] == "CUBE":
            return mesh.vertices_of(place["cube_name"])
        return np.atleast_1d(place["vertex_index"] if place["strategy"] == "VERTEX" else place["vertex_indices"])

    out = {
        "spine.001": point("spine04"), "spine.002": point("spine03"), "spine.003": point("spine02"),
        "spine.004": point("neck01"), "spine.005": point("neck02", "tail"), "spine.006": point("head"), "jaw": point("jaw"),
    }  # fmt: skip
    for side in "LR":
        limbs = {
            "shoulder": "clavicle", "upper_arm": "upperarm01", "forearm": "lowerarm01", "hand": "wrist", "thigh": "upperleg01",
            "shin": "lowerleg01", "foot": "foot", "eye": "eye",
        }  # fmt: skip
        out |= {f"{ours}.{side}": point(f"{theirs}.{side}") for ours, theirs in limbs.items()}
        out[f"toe.{side}"] = np.concatenate([point(f"toe{k}-1.{side}") for k in (1, 2, 3, 4, 5)])
        for number in (1, 2, 3, 4):
            out[f"palm.0{number}.{side}"] = point(f"metacarpal{number}.{side}")
        for finger, number in FINGERS.items():
            out |= {f"{finger}.0{k}.{side}": point(f"finger{number}-{k}.{side}") for k in (1, 2, 3)}
    # The body turns about the middle of its hips, as the pelvis joint of a photo does; spine05 begins 15 to 25 mm above it.
    out["spine"] = np.concatenate([out["thigh.L"], out["thigh.R"]])
    return {name: out[name] for name in BONES}


def gathered(weights: dict[str, np.ndarray], bones: dict, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(count, 4) uint8 rows of BONES and float64 weights that add up to 1, of MakeHuman's weights."""
    full = np.zeros((count, len(BONES)))
    names = list(BONES)
    for bone, pairs in weights.items():
        if bone in bones:
            np.add.at(full, (pairs[:, 0].astype(int), names.index(metarig_bone(bone, bones))), pairs[:, 1])
    order = np.argsort(-full, axis=1, kind="stable")[:, :MOST]
    kept = np.take_along_axis(full, order, axis=1)
    kept[kept.sum(axis=1) == 0, 0] = 1.0
    kept[kept < 2e-3 * kept.max(axis=1, keepdims=True)] = 0.0
    return order.astype(np.uint8), kept / kept.sum(axis=1, keepdims=True)


def metarig_bone(bone: str, bones: dict) -> str:
    """The bone of the metarig that takes over what a bone of MakeHuman's default rig moves."""
    stem, _, side = bone.partition(".")
    direct = {
        "root": "spine", "pelvis": "spine", "spine05": "spine", "spine04": "spine.001", "spine03": "spine.002",
        "spine02": "spine.003", "spine01": "spine.003", "breast": "spine.003", "neck01": "spine.004", "neck02": "spine.004",
        "neck03": "spine.005", "head": "spine.006", "jaw": "jaw",
    }  # fmt: skip
    if stem in direct:
        return direct[stem]
    limbs = {
        "clavicle": "shoulder", "shoulder01": "shoulder", "upperarm01": "upper_arm", "upperarm02": "upper_arm",
        "lowerarm01": "forearm", "lowerarm02": "forearm", "wrist": "hand", "upperleg01": "thigh", "upperleg02": "thigh",
        "lowerleg01": "shin", "lowerleg02": "shin", "foot": "foot", "eye": "eye",
    }  # fmt: skip
    if stem in limbs:
        return f"{limbs[stem]}.{side}"
    if stem.startswith("toe"):
        return f"toe.{side}"
    if stem.startswith("metacarpal"):
        return f"palm.0{stem[-1]}.{side}"
    if stem.startswith("finger"):
        finger = next(ours for ours, number in FINGERS.items() if number == int(stem[6]))
        return f"{finger}.0{stem[-1]}.{side}"
    return metarig_bone(bones[bone]["parent"], bones)  # bones of the face move what their parents move
