"""Biovision hierarchy files: skeleton and motion of a rig, read as untrusted input and written for other programs.

`BvhClip` is in a world with z up (as `core.common.spaces` names it). Files are written with y up; what they are read with is
decided by `core.formats.bvh_body`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..common.atomic_files import atomic_write
from ..common.quaternions import euler_from_rotation, unwrapped
from ..common.spaces import WORLD_FROM_UP, WORLD_FROM_Y_UP
from ..retarget.armature import RestRig
from ..retarget.bone_map import BoneMap
from ..retarget.bone_map_file import check_map, load_preset
from .bvh_body import LEG_SHARE, find_body, rest_rig
from .bvh_skeleton import Skeleton, skeleton_of
from .bvh_text import read_text


@dataclass(frozen=True, eq=False)
class BvhClip:
    """A skeleton that moves. J joints, F frames.

    rest        (J bones) at rest, bones pointing to their first child, z up, units of the file times `scale`
    rotations   (F, J, 3, 3) pose of each joint in the world; the rest pose of every joint is `rest.rotations`
    root        (F, 3) position of the first joint
    fps         frames per second
    places      (F, J, 3) heads of all joints, where joints other than the first may travel; None = only that one does
    bone_map    which joint plays which role; None = no body was recognised, or nobody has looked
    notes       sentences for the artist: what was decided about the file
    """

    rest: RestRig
    rotations: np.ndarray
    root: np.ndarray
    fps: float
    places: np.ndarray | None = None
    bone_map: BoneMap | None = None
    notes: tuple[str, ...] = ()

    def positions(self) -> np.ndarray:
        """(F, J, 3) heads of all joints."""
        if self.places is not None:
            return self.places
        out = np.empty((*self.rotations.shape[:2], 3))
        for j, parent in enumerate(self.rest.parents.tolist()):
            if parent < 0:
                out[:, j] = self.root + self.rest.heads[j] - self.rest.heads[0]
            else:
                turn = self.rotations[:, parent] @ self.rest.rotations[parent].T
                out[:, j] = out[:, parent] + turn @ (self.rest.heads[j] - self.rest.heads[parent])
        return out


def read_bvh(path: str | Path, scale: float | None = None, bones: BoneMap | str | Path | None = None) -> BvhClip:
    """Read a BVH file. SapiensError names the line's fault for anything that is not one.

    scale  metres per unit of the file; None = guessed from the size of the skeleton (people are 1 to 2.3 m tall)
    bones  which joint plays which role: a map, or the file of a bone table; None = recognised
    """
    path = Path(path)
    text = read_text(path)
    whole = skeleton_of(text)
    notes = list(text.notes)
    given = _given_roles(bones, whole, path.stem)
    trees = whole.trees()
    skeleton, body = next(
        ((tree, body) for tree in trees if (body := find_body(tree, path.stem, given)) is not None), (trees[0], None)
    )
    if len(trees) > 1:
        notes.append(f"{path.name} holds {len(trees)} skeletons: the one of '{skeleton.names[0]}' was read.")
    if body is None:
        rest = rest_rig(skeleton, path.stem)
        metres = scale or _guess_scale(np.ptp(np.concatenate([rest.heads, rest.tails]), axis=0).max())
        turns, world, floor = np.broadcast_to(np.eye(3), skeleton.turns.shape[1:]), WORLD_FROM_Y_UP, 0.0
    else:
        skeleton = skeleton.mirrored() if body.mirrored else skeleton
        metres = scale or _guess_scale(body.leg / LEG_SHARE)
        turns = np.broadcast_to(np.eye(3), skeleton.turns.shape[1:]) if body.rest is None else body.rest
        world, floor = WORLD_FROM_UP[body.up], body.floor * metres
        notes += body.notes(path.name, metres)
    rest = rest_rig(skeleton, path.stem, turns, world * metres)
    rotations = world @ skeleton.turns @ np.swapaxes(turns, -1, -2) @ world.T @ rest.rotations
    places = skeleton.heads @ (world * metres).T - [0.0, 0.0, floor]
    return BvhClip(rest, rotations, places[:, 0], text.fps, places, None if body is None else body.bone_map, tuple(notes))


def _given_roles(bones: BoneMap | str | Path | None, skeleton: Skeleton, name: str) -> BoneMap | None:
    """The given bone table, checked against the joints. SapiensError if it does not fit."""
    if bones is None:
        return None
    rest = rest_rig(skeleton, name)
    return check_map(bones, rest) if isinstance(bones, BoneMap) else load_preset(bones, rest)


def _guess_scale(size: float) -> float:
    """Metres per unit for a skeleton of this size: m, dm, inches / 0.45 (CMU), inches, cm or mm."""
    known = (1.0, 0.0564444, 0.1, 0.0254, 0.01, 0.001)
    return min(known, key=lambda s: abs(np.log(max(size, 1e-9) * s / 1.7)))


def write_bvh(clip: BvhClip, path: str | Path, centimetres: bool = True) -> Path:
    """Write a BVH file, y up, with rotations in the order Z X Y; it appears whole or not at all.

    centimetres  the unit most programs expect; False = metres
    """
    path = Path(path)
    unit = 100.0 if centimetres else 1.0
    down = WORLD_FROM_Y_UP.T
    rest = clip.rest
    heads, tails = rest.heads @ down.T * unit, rest.tails @ down.T * unit
    lines = ["HIERARCHY"]
    order: list[int] = []
    _write_joint(rest, heads, tails, 0, 0, lines, order)
    turns = down @ (clip.rotations @ np.swapaxes(rest.rotations, -1, -2)) @ down.T
    columns = [clip.root @ down.T * unit]
    for n in order:
        parent = int(rest.parents[n])
        local = turns[:, n] if parent < 0 else np.swapaxes(turns[:, parent], -1, -2) @ turns[:, n]
        angles = np.degrees(unwrapped(euler_from_rotation(local, "YXZ"), "YXZ"))
        columns.append(angles[:, [2, 0, 1]])
    values = np.concatenate(columns, axis=1)
    lines += ["MOTION", f"Frames: {len(values)}", f"Frame Time: {1 / clip.fps:.8f}"]
    lines += [" ".join(f"{v:.6f}" for v in row) for row in values.tolist()]
    with atomic_write(path) as file:
        file.write(("\n".join(lines) + "\n").encode())
    return path


def _write_joint(
    rest: RestRig, heads: np.ndarray, tails: np.ndarray, n: int, depth: int, lines: list[str], order: list[int]
) -> None:
    order.append(n)
    pad = "\t" * depth
    parent = int(rest.parents[n])
    offset = heads[n] - heads[parent] if parent >= 0 else heads[n]
    name = "_".join(rest.names[n].split())  # a name with a space would end at it
    channels = (
        "6 Xposition Yposition Zposition Zrotation Xrotation Yrotation" if parent < 0 else "3 Zrotation Xrotation Yrotation"
    )
    lines += [
        f"{pad}{'ROOT' if parent < 0 else 'JOINT'} {name}",
        f"{pad}{{",
        f"{pad}\tOFFSET {_numbers(offset)}",
        f"{pad}\tCHANNELS {channels}",
    ]
    children = rest.children(n)
    for child in children:
        _write_joint(rest, heads, tails, child, depth + 1, lines, order)
    if not children:
        lines += [f"{pad}\tEnd Site", f"{pad}\t{{", f"{pad}\t\tOFFSET {_numbers(tails[n] - heads[n])}", f"{pad}\t}}"]
    lines.append(f"{pad}}}")


def _numbers(values: np.ndarray) -> str:
    return " ".join(f"{v:.6f}" for v in values.tolist())
