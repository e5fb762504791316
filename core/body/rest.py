"""The rest pose of a body and its rig: the template's A-pose, a T-pose, or the pose in the photo."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..common.arrays import RigData
from ..common.avatars import Avatar, BodyData
from ..common.rotations import shortest_arc, unit
from ..common.spaces import WORLD_FRONT
from ..rig.correctives import before_correction
from ..rig.rest_pose import blended, moved, pose_rig, undeform, undeformed
from .character import make_body, resting_place
from .fitted import BodyFit


def body_at_rest(avatar: Avatar, fit: BodyFit, rest: str) -> Avatar:
    """The avatar with its body, garments, rig and scan in the template's A-pose ("T": in the T-pose), upright on the ground.

    avatar  in the pose of the photo, placed in the world; it has a body, a rig, and weights where it has a scan
    """
    assert avatar.body is not None
    place = resting_place(fit, avatar.world_from_camera)
    body, rig = make_body(fit, place)
    kept = {name: getattr(avatar.body, name) for name in ("covered", "bust", "textures", "tones")}
    body = replace(body, **kept)
    if rest == "T":
        body, rig = in_t_pose(body, rig, place[:3, :3] @ WORLD_FRONT)
    mesh, maps = avatar.mesh, rig.photo_from_rest
    assert maps is not None  # of `character.make_body`
    if mesh is not None and avatar.weights is not None:
        mesh = undeform(mesh, avatar.weights, maps)
    garments = tuple(
        replace(g, vertices=before_correction(undeformed(g.vertices, g.weights, maps), g.weights, rig)) for g in avatar.garments
    )
    return replace(avatar, mesh=mesh, body=body, garments=garments, rig=rig)


def in_photo(body: BodyData, rig: RigData) -> tuple[BodyData, RigData]:
    """Both with the pose in the photo as their rest."""
    assert rig.photo_from_rest is not None  # of `character.make_body`
    maps = rig.photo_from_rest
    turns = maps[:, :3, :3]

    def placed(points: np.ndarray) -> np.ndarray:
        return (np.einsum("bij,bj->bi", turns, points) + maps[:, :3, 3]).astype(np.float32)

    posed = replace(
        rig,
        heads=placed(rig.heads),
        tails=placed(rig.tails),
        z_axes=np.einsum("bij,bj->bi", turns, rig.z_axes).astype(np.float32),
        photo_from_rest=None,
    )
    return deformed(body, maps), posed


def in_t_pose(body: BodyData, rig: RigData, front: np.ndarray) -> tuple[BodyData, RigData]:
    """Both with the arms straight out to the sides, from the A-pose. front: (3,) unit, where the body faces at rest."""
    assert rig.photo_from_rest is not None
    names = rig.names
    up = rig.heads[names.index("spine.006")] - rig.heads[names.index("spine")]
    left = unit(np.cross(up, front))
    turns = np.tile(np.eye(3), (len(names), 1, 1))
    for bone, name in enumerate(names):
        if name.startswith(("upper_arm", "forearm", "hand")):
            turns[bone] = shortest_arc(rig.tails[bone] - rig.heads[bone], left if name.endswith(".L") else -left)
        elif rig.parents[bone] >= 0:
            turns[bone] = turns[rig.parents[bone]]
    posed, maps = pose_rig(rig, turns)
    return deformed(body, maps), replace(posed, photo_from_rest=rig.photo_from_rest @ np.linalg.inv(maps))


def deformed(body: BodyData, maps: np.ndarray) -> BodyData:
    """The body moved by linear blend skinning, its shape keys with it: (B, 4, 4) maps of the bones."""
    mixed = blended(body.weights, maps)
    offsets = np.einsum("mij,mj->mi", mixed[body.key_entries[:, 1], :, :3], body.key_offsets)
    return replace(body, vertices=moved(mixed, body.vertices).astype(np.float32), key_offsets=offsets.astype(np.float32))
