"""An armature at rest as arrays: what retargeting needs to know of a rig, from Blender or from a file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..common.arrays import check_arrays
from ..common.errors import SapiensError
from ..common.rotations import shortest_arc


@dataclass(frozen=True, eq=False)
class RestRig:
    """The rest pose of an armature in its own space, parents before children.

    name              for messages
    names             B bone names
    parents           (B,) int32    index of the parent, -1 = none
    matrices          (B, 4, 4) float64  armature space; columns x, y (head to tail), z, head
    lengths           (B,) float64  head to tail, units of the armature
    inherit_rotation  (B,) bool     the bone turns with its parent
    local_location    (B,) bool     its location is measured along its own rest axes, not along the parent bone's
    connected         (B,) bool     its head cannot leave the parent's tail
    world             (4, 4) float64  world_from_armature: rotation, uniform scale, translation
    """

    name: str
    names: tuple[str, ...]
    parents: np.ndarray
    matrices: np.ndarray
    lengths: np.ndarray
    inherit_rotation: np.ndarray
    local_location: np.ndarray
    connected: np.ndarray
    world: np.ndarray

    def __post_init__(self):
        check_arrays(
            "RestRig",
            parents=(self.parents, ("B",), "i"),
            matrices=(self.matrices, ("B", 4, 4), "f"),
            lengths=(self.lengths, ("B",), "f"),
            inherit_rotation=(self.inherit_rotation, ("B",), "b"),
            local_location=(self.local_location, ("B",), "b"),
            connected=(self.connected, ("B",), "b"),
            world=(self.world, (4, 4), "f"),
        )
        if len(self.names) != len(self.parents):
            raise ValueError(f"'{self.name}' has {len(self.names)} bone names for {len(self.parents)} bones.")
        if (self.parents >= np.arange(len(self.parents))).any():
            raise ValueError(f"The bones of '{self.name}' are not sorted parents first.")

    @classmethod
    def from_joints(cls, name: str, names: tuple[str, ...], parents: np.ndarray, heads: np.ndarray, tails: np.ndarray) -> RestRig:
        """A rig whose bones point from head to tail with an arbitrary roll: heads and tails (B, 3), world space, metres."""
        count = len(names)
        along = np.asarray(tails, np.float64) - heads
        lengths = np.linalg.norm(along, axis=1)
        along[lengths < 1e-9] = [0.0, 0.0, 1.0]
        matrices = np.tile(np.eye(4), (count, 1, 1))
        matrices[:, :3, :3] = shortest_arc(np.array([0.0, 1.0, 0.0]), along)
        matrices[:, :3, 3] = heads
        flags = np.ones(count, bool)
        return cls(name, tuple(names), np.asarray(parents, np.int32), matrices, lengths, flags, flags, ~flags, np.eye(4))

    @property
    def heads(self) -> np.ndarray:
        """(B, 3) armature space."""
        return self.matrices[:, :3, 3]

    @property
    def tails(self) -> np.ndarray:
        """(B, 3) armature space."""
        return self.matrices[:, :3, 3] + self.matrices[:, :3, 1] * self.lengths[:, None]

    @property
    def rotations(self) -> np.ndarray:
        """(B, 3, 3) armature space."""
        return self.matrices[:, :3, :3]

    def index(self, name: str) -> int:
        """Index of a bone; SapiensError if the armature has none of that name."""
        try:
            return self.names.index(name)
        except ValueError:
            raise SapiensError(
                f"'{self.name}' has no bone '{name}'.", "Correct the bone table, or choose the rig it was made for."
            ) from None

    def ancestors(self, bone: int) -> list[int]:
        """Indices from the bone's parent up to its root."""
        out = []
        while (bone := int(self.parents[bone])) >= 0:
            out.append(bone)
        return out

    def children(self, bone: int) -> list[int]:
        return np.flatnonzero(self.parents == bone).tolist()
