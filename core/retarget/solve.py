"""A person's motion onto a rig: bone rotations for any rest pose, as arrays.

For every bone the pose rotation in armature space is ``D @ rest`` with ``D = body_frame @ rest_frame.T``: the turn that takes the
rig's anatomical frame at rest to that of the person (`core.retarget.body_frames`). The basis that Blender stores is what remains
after the parent's turn: ``basis = rest.T @ D_parent.T @ D @ rest``.

Nothing is stretched: no scale is ever written, and only the hips move.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from ..common.errors import SapiensError
from ..common.landmarks import SIDES
from ..common.quaternions import continuous
from ..common.rotations import quaternion_from_rotation
from .armature import RestRig
from .armature_frames import MappedRig, trunk_heights
from .body_motion import NECK_SHARE, BodyMotion, has_leg, leg_length
from .bone_map import BoneMap
from .foot_lock import ground_of, lock_rig_feet
from .settings import RetargetSettings
from .twist_bones import spread_twist


@dataclass(frozen=True, eq=False)
class RigMotion:
    """What to write on a rig.

    bones      n names, parents before children
    rotations  (F, n, 4) float64 w x y z: basis rotation of each bone, continuous over frames
    location   (F, 3) float64 basis location of `mover`; None = not written
    mover      name of the bone that carries the location
    turns      bone -> (F, 3, 3) what its pose adds to its rest, armature space
    unseen     roles that the source never saw: their bones are at rest
    skipped    roles of the source for which the rig has no bone
    """

    bones: tuple[str, ...]
    rotations: np.ndarray
    location: np.ndarray | None
    mover: str
    turns: Mapping[str, np.ndarray]
    unseen: tuple[str, ...] = ()
    skipped: tuple[str, ...] = field(default=())


def retarget_motion(
    motion: BodyMotion,
    rest: RestRig,
    bone_map: BoneMap,
    settings: RetargetSettings | None = None,
    follows: Mapping[str, str | None] | None = None,
    present: Mapping[str, np.ndarray] | None = None,
) -> RigMotion:
    """Basis rotations and the location of the hips for every frame.

    follows  bone -> the bone that its parent rigidly follows, where constraints make that another one than the hierarchy says;
             None = it follows nothing that moves
    present  bone -> (3, 3) basis rotation that unmapped bones have now and keep
    """
    settings = settings or RetargetSettings()
    rig = MappedRig.of(rest, bone_map)
    roles = _role_turns(motion, rig, settings)
    path = None
    if settings.hips != "none":
        path, ground = _hips_path(motion, rig, settings)
        if settings.lock_feet and settings.hips == "move":
            path, bent = lock_rig_feet(motion, rig, roles, path, ground)
            roles |= {role: turn @ roles[role] for role, turn in bent.items()}
    wanted = _wanted_turns(motion, rig, roles, settings)
    posed = _PosedBones(rest, follows or {}, present or {}, len(motion))
    basis = []
    for bone in posed.leaders_first(sorted(wanted, key=rest.index)):
        local = rest.rotations[rest.index(bone)]
        carried = posed.carried(bone)
        turn = wanted[bone]
        if turn is None:  # unseen: at rest, that is with its parent
            turn = carried
        posed.turns[bone] = turn
        basis.append(local.T @ np.swapaxes(carried, -1, -2) @ turn @ local)
    rotations = continuous(quaternion_from_rotation(np.stack(basis, axis=1)))
    mover = mover_of(rest, bone_map)
    location = None if path is None else _location(path, rig, posed, mover)
    skipped = tuple(r for r in motion.frames if r != "chest" and not bone_map.bones.get(r) and r not in motion.unseen)
    return RigMotion(tuple(posed.turns), rotations, location, mover, posed.turns, motion.unseen, skipped)


def mover_of(rest: RestRig, bone_map: BoneMap) -> str:
    """The bone that carries the location: the first of the hips, or what it is connected to, whose head Blender lets move."""
    first = rest.index(bone_map.bones["hips"][0])
    chain = [first, *rest.ancestors(first)]
    return rest.names[next(n for n in chain if not rest.connected[n] or rest.parents[n] < 0)]


def _role_turns(motion: BodyMotion, rig: MappedRig, settings: RetargetSettings) -> dict[str, np.ndarray | None]:
    """Role -> (F, 3, 3) turn from rest in armature space, None = rest. Only roles that the motion says something about."""
    out: dict[str, np.ndarray | None] = {}
    face = motion.face_frames(settings.face_gain) if settings.face_gain > 0 else {}
    for role, frame in (face | motion.frames).items():
        hand = role.endswith(("Metacarpal", "Proximal", "Intermediate", "Distal", "Hand"))
        head = role in ("head", "jaw", "leftEye", "rightEye")
        chosen = (settings.hands or not hand) and (settings.head or not head)
        if role in rig.frames and chosen and (rig.bone_map.bones.get(role) or role == "chest"):
            out[role] = None if role in motion.unseen else rig.armature_from_world @ frame @ rig.frames[role].T
    return out


def _wanted_turns(
    motion: BodyMotion, rig: MappedRig, roles: dict[str, np.ndarray | None], settings: RetargetSettings
) -> dict[str, np.ndarray | None]:
    """Bone -> (F, 3, 3) turn from rest in armature space, None = rest. Only bones that the motion says something about."""
    bones, own = rig.bone_map.bones, rig.frames
    out: dict[str, np.ndarray | None] = {bone: turn for role, turn in roles.items() for bone in bones.get(role, ())}
    spine_heights, neck_heights = trunk_heights(rig.rest, rig.bone_map)
    if settings.spine:
        for bone, height in zip(bones.get("spine", ()), spine_heights[1:], strict=True):
            out[bone] = rig.armature_from_world @ motion.spine_at(float(height)) @ own["spine"].T
    if settings.head and bones.get("neck"):
        direct = len(motion.neck_heights) == 2  # the source knows chest and head only
        for n, (bone, height) in enumerate(zip(bones["neck"], neck_heights[1:], strict=False)):
            at = NECK_SHARE * (n + 1) / (len(bones["neck"]) + 1) if direct else float(height)
            out[bone] = rig.armature_from_world @ motion.neck_at(at) @ own["neck"].T
    return out | spread_twist(rig, roles, settings.forearm_twist, not motion.forearms_turn)


@dataclass(frozen=True, eq=False)
class _PosedBones:
    """The bones that have their turn already, and what those that are still to come inherit from them.

    follows  bone -> the bone that its parent rigidly follows, None = nothing that moves
    present  bone -> (3, 3) basis rotation that unmapped bones keep
    frames   F
    turns    bone -> (F, 3, 3) turn from rest, armature space; filled by the caller, parents first
    """

    rest: RestRig
    follows: Mapping[str, str | None]
    present: Mapping[str, np.ndarray]
    frames: int
    turns: dict[str, np.ndarray] = field(default_factory=dict)

    def leaders_first(self, bones: list[str]) -> list[str]:
        """Bones so that each comes after the one its parent follows."""
        out: list[str] = []
        waiting = list(bones)
        while waiting:
            ready = [b for b in waiting if (lead := self._leader(b, bones)) is None or lead in out]
            if not ready:
                raise SapiensError(
                    f"Bones of '{self.rest.name}' follow each other in a circle: {', '.join(waiting[:3])}.",
                    "Correct the bone table.",
                )
            out += ready
            waiting = [b for b in waiting if b not in ready]
        return out

    def _leader(self, bone: str, mapped: list[str]) -> str | None:
        """The mapped bone whose turn the bone's parent takes part in."""
        if bone in self.follows:
            return self.follows[bone] if self.follows[bone] in mapped else None
        names = self.rest.names
        return next((names[i] for i in self.rest.ancestors(self.rest.index(bone)) if names[i] in mapped), None)

    def carried(self, bone: str) -> np.ndarray:
        """(F, 3, 3) the turn that a bone inherits: of the nearest bone that is posed, with what unmapped bones between add."""
        rest = self.rest
        still = np.broadcast_to(np.eye(3), (self.frames, 3, 3))
        if bone in self.follows:
            leader = self.follows[bone]
            return self.turns.get(leader, still) if leader else still
        index = rest.index(bone)
        if not rest.inherit_rotation[index]:
            return still
        between = []
        for i in rest.ancestors(index):
            name = rest.names[i]
            if name in self.turns:
                still = self.turns[name]
                break
            if name in self.present:
                local = rest.rotations[i]
                between.append(local @ self.present[name] @ local.T)
            if not rest.inherit_rotation[i]:
                break
        for extra in reversed(between):
            still = still @ extra
        return still

    def head(self, bone: str, mover: str) -> np.ndarray | None:
        """(F, 3) head of a bone in the pose while the mover has no location; None if the mover is not among its ancestors."""
        rest, top = self.rest, self.rest.index(mover)
        path = [rest.index(bone), *rest.ancestors(rest.index(bone))]
        if top not in path:
            return None
        path = path[: path.index(top) + 1][::-1]
        position = np.broadcast_to(rest.heads[top], (self.frames, 3))
        for parent, child in pairwise(path):
            name = rest.names[parent]
            turn = self.turns[name] if name in self.turns else self.carried(name)
            if name in self.present:
                local = rest.rotations[parent]
                turn = turn @ local @ self.present[name] @ local.T
            position = position + turn @ (rest.heads[child] - rest.heads[parent])
        return position


def _hips_path(motion: BodyMotion, rig: MappedRig, settings: RetargetSettings) -> tuple[np.ndarray, float]:
    """(F, 3) where the motion wants the middle of the rig's hip joints, world; and the height of the ground under the rig."""
    rest, points, scale = rig.rest, rig.points, rig.scale
    world_up = rest.world[2, :3] / np.linalg.norm(rest.world[2, :3])  # world z in armature space
    size = _mean_leg(points) * scale / motion.leg
    home = rest.world[:3, :3] @ rig.hips_middle + rest.world[:3, 3]
    ankle = min(float(points[f"{s}_ankle"][0] @ world_up) for s in SIDES if f"{s}_ankle" in points) * scale + rest.world[2, 3]
    world = np.array(motion.position)
    # A person who stands on straight legs gives a rig that stands on straight legs, whatever the height of its ankles.
    world[:, 2] = ankle + size * (motion.position[:, 2] - motion.ankle)
    if settings.origin == "rig":
        world[:, :2] = home[:2] + size * (motion.position[:, :2] - motion.position[:1, :2])
    else:
        world[:, :2] = motion.position[:, :2]
    if settings.hips == "height":
        world[:, :2] = home[:2]
    return world, ground_of(motion, ankle, size)


def _location(path: np.ndarray, rig: MappedRig, posed: _PosedBones, bone: str) -> np.ndarray:
    """(F, 3) basis location of `bone`, the hips or above: it brings the middle of the hip joints onto the path (F, 3), world."""
    rest = rig.rest
    target = (path - rest.world[:3, 3]) @ (rest.world[:3, :3] / rig.scale**2)
    first = rig.bone_map.bones["hips"][0]
    thighs = [rig.bone_map.first(f"{side}UpperLeg") for side in SIDES]
    known = [head for thigh in thighs if thigh is not None and (head := posed.head(thigh, bone)) is not None]
    if len(known) == 2:
        reached = (known[0] + known[1]) / 2
    else:
        hips = posed.head(first, bone)
        assert hips is not None  # `bone` is the hips or above them
        reached = hips + posed.turns[first] @ (rig.hips_middle - rest.heads[rest.index(first)])
    shift = target - reached
    mover = rest.index(bone)
    carried = posed.carried(bone)
    # Without "local location" Blender measures along the axes of the parent bone (of the armature if there is none).
    parent = int(rest.parents[mover])
    axes = carried @ (
        rest.rotations[mover] if rest.local_location[mover] else rest.rotations[parent] if parent >= 0 else np.eye(3)
    )
    return (np.swapaxes(axes, -1, -2) @ shift[..., None])[..., 0]


def _mean_leg(points: dict[str, np.ndarray]) -> float:
    """Mean length of the rig's legs, units of the armature. SapiensError if it has no whole one."""
    lengths = [leg_length(points, side) for side in SIDES if has_leg(points, side)]
    if not lengths:
        raise SapiensError("The rig has no whole leg, so that its size cannot be compared with the person's.", 'Use hips "none".')
    return float(np.mean(lengths))
