"""The bones of a rig while it is made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..common.arrays import RigData
from ..common.rotations import unit

MIN_BONE = 0.002  # metres: Blender deletes bones without a length


@dataclass(frozen=True, eq=False)
class Bone:
    """One bone, rolled so that its local z lies in the half plane of `z`.

    parent     None = a root
    head, tail, z  (3,), metres, one space
    connected  its head is its parent's tail
    seen       it lies on what the photo shows
    """

    name: str
    parent: str | None
    head: np.ndarray
    tail: np.ndarray
    z: np.ndarray
    connected: bool = False
    seen: bool = True


class BoneList:
    """Collects bones in order; parents first."""

    def __init__(self) -> None:
        self._bones: dict[str, Bone] = {}

    def add(self, bone: Bone) -> None:
        """A bone, lengthened along its z to what Blender keeps if it has no length."""
        head, tail, z = (np.asarray(vector, np.float64) for vector in (bone.head, bone.tail, bone.z))
        if np.linalg.norm(tail - head) < MIN_BONE:
            tail = head + MIN_BONE * unit(z + 1e-3)
        self._bones[bone.name] = Bone(bone.name, bone.parent, head, tail, z, bone.connected, bone.seen)

    def head(self, name: str) -> np.ndarray:
        """(3,) metres."""
        return self._bones[name].head

    def data(self) -> RigData:
        """All of them as arrays."""
        names, bones = tuple(self._bones), self._bones.values()
        return RigData(
            names=names,
            parents=np.array([names.index(bone.parent) if bone.parent else -1 for bone in bones], np.int32),
            heads=np.array([bone.head for bone in bones], np.float32),
            tails=np.array([bone.tail for bone in bones], np.float32),
            z_axes=np.array(unit(np.array([bone.z for bone in bones])), np.float32),
            connected=np.array([bone.connected for bone in bones]),
            unseen=np.array([not bone.seen for bone in bones]),
        )
