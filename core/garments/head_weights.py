"""How hair, hats and glasses follow the rig: with the head, and what hangs lower with the trunk more and more."""

from __future__ import annotations

import numpy as np

from ..common.arrays import RigData, SkinWeights
from ..common.avatars import BodyData
from .head_space import HEAD, Head, View

CARRIERS = ("spine", "spine.001", "spine.002", "spine.003", "spine.004", "spine.005", HEAD)
CHEST = "spine.003"
STIFF, LOOSE = 1.2, 2.2
"""How far below the eyes hair still goes with the head alone, and from where on with the skin beside it alone, in head heights
above the eyes."""
NEIGHBOURS = 12
MOST_BONES = 4


def head_weights(vertices: np.ndarray, head: Head, first: View, body: BodyData, rig: RigData) -> SkinWeights:
    """Of (V, 3) vertices in head space; body and rig stand in the first photo."""
    from scipy.spatial import cKDTree

    count = len(vertices)
    names = list(rig.names)
    carriers = [name for name in CARRIERS if name in names]
    own = np.array([names.index(name) for name in carriers])
    skin = np.unique(body.quads[body.part == body.part_names.index("skin")])
    table = np.zeros((len(body.vertices), len(names)), np.float32)
    np.add.at(table, (np.arange(len(table))[:, None], body.weights.bones), body.weights.weights)
    of_skin = table[skin][:, own]
    trunk = of_skin.sum(axis=1) > 0.5
    dense = np.zeros((count, len(own)))
    head_column = carriers.index(HEAD) if HEAD in carriers else len(own) - 1
    loose = np.clip((head.eye_level - STIFF * head.height - vertices[:, 2]) / ((LOOSE - STIFF) * head.height), 0, 1)
    loose = loose * loose * (3 - 2 * loose)
    if trunk.any():
        near = skin[trunk]
        wanted = min(NEIGHBOURS, len(near))
        tree = cKDTree(body.vertices[near])
        distance, nearest = tree.query(first.to_camera(vertices), k=wanted, workers=1)
        distance, nearest = distance.reshape(count, wanted), nearest.reshape(count, wanted)
        share = 1 / (distance + 0.02) ** 2
        dense = (share[..., None] * of_skin[trunk][nearest]).sum(axis=1)
        dense /= dense.sum(axis=1, keepdims=True)
    else:
        loose[:] = 0
    dense *= loose[:, None]
    dense[:, head_column] += 1 - loose
    order = np.argsort(-dense, axis=1, kind="stable")[:, :MOST_BONES]
    weights = np.take_along_axis(dense, order, axis=1)
    weights /= weights.sum(axis=1, keepdims=True)
    return SkinWeights(own[order].astype(np.int32), weights.astype(np.float32))
