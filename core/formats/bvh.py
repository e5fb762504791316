"""Biovision hierarchy files: skeleton and motion of a rig, read as untrusted input and written for other programs.

A BVH file has y up; `BvhClip` and everything else here is in a world with z up (as `core.common.spaces` names it).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..common.atomic_files import atomic_write
from ..common.errors import SapiensError
from ..common.quaternions import euler_from_rotation, rotation_from_euler, unwrapped
from ..common.spaces import WORLD_FROM_Y_UP
from ..retarget.armature import RestRig

MAX_JOINTS, MAX_VALUES = 10_000, 200_000_000


@dataclass(frozen=True, eq=False)
class BvhClip:
    """A skeleton that moves. J joints, F frames.

    rest        (J bones) at rest, bones pointing to their first child, z up, units of the file times `scale`
    rotations   (F, J, 3, 3) pose of each joint in the world; the rest pose of every joint is `rest.rotations`
    root        (F, 3) position of the first joint
    fps         frames per second
    """

    rest: RestRig
    rotations: np.ndarray
    root: np.ndarray
    fps: float

    def positions(self) -> np.ndarray:
        """(F, J, 3) heads of all joints."""
        out = np.empty((*self.rotations.shape[:2], 3))
        for j, parent in enumerate(self.rest.parents.tolist()):
            if parent < 0:
                out[:, j] = self.root + self.rest.heads[j] - self.rest.heads[0]
            else:
                turn = self.rotations[:, parent] @ self.rest.rotations[parent].T
                out[:, j] = out[:, parent] + turn @ (self.rest.heads[j] - self.rest.heads[parent])
        return out


@dataclass
class _Joint:
    name: str
    parent: int
    offset: np.ndarray
    channels: tuple[str, ...] = ()
    end: np.ndarray | None = None


_CHANNELS = {f"{axis}{kind}".casefold(): (axis, kind) for axis in "XYZ" for kind in ("position", "rotation")}


def read_bvh(path: str | Path, scale: float | None = None) -> BvhClip:
    """Read a BVH file. SapiensError names the line's fault for anything that is not one.

    scale  metres per unit of the file; None = guessed from the size of the skeleton (people are 1 to 2.3 m tall)
    """
    path = Path(path)
    try:
        text = path.read_text("utf-8", errors="replace")
    except OSError as error:
        raise SapiensError(f"{path.name} could not be read: {error.strerror}.", "Choose a file that exists.") from error
    head, found, tail = text.partition("MOTION")
    if "HIERARCHY" not in head or not found:
        raise SapiensError(f"{path.name} is not a BVH file: HIERARCHY or MOTION is missing.", "Export the motion as BVH again.")
    joints = _read_hierarchy(head, path.name)
    values, fps = _read_motion(tail, sum(len(j.channels) for j in joints), path.name)
    return _clip(joints, values, fps, path.stem, scale)


def _read_hierarchy(text: str, name: str) -> list[_Joint]:
    joints: list[_Joint] = []
    stack: list[int] = []
    ending = False
    tokens = iter(text.split())
    try:
        for token in tokens:
            word = token.upper()
            if word in ("ROOT", "JOINT"):
                joints.append(_Joint(next(tokens), stack[-1] if stack else -1, np.zeros(3)))
                if len(joints) > MAX_JOINTS:
                    raise SapiensError(f"{name} has more than {MAX_JOINTS} joints.", "This is not the skeleton of a person.")
            elif word == "END":
                next(tokens)
                ending = True
            elif word == "{":
                stack.append(-2 if ending else len(joints) - 1)
            elif word == "}":
                ending = ending and stack[-1] != -2
                stack.pop()
            elif word == "OFFSET":
                offset = np.array([float(next(tokens)) for _ in range(3)])
                if stack[-1] == -2:
                    joints[stack[-2]].end = offset
                else:
                    joints[stack[-1]].offset = offset
            elif word == "CHANNELS":
                channels = tuple(next(tokens).casefold() for _ in range(int(next(tokens))))
                if any(c not in _CHANNELS for c in channels):
                    raise SapiensError(f"{name} has channels that no BVH file has: {', '.join(channels)}.", "Export it again.")
                joints[stack[-1]].channels = channels
    except (StopIteration, ValueError, IndexError) as error:
        where = f" near '{joints[-1].name}'" if joints else ""
        raise SapiensError(f"The hierarchy of {name} is broken{where}.", "Export the motion as BVH again.") from error
    if not joints or stack or not all(np.isfinite(j.offset).all() for j in joints):
        raise SapiensError(f"The hierarchy of {name} is not complete.", "Export the motion as BVH again.")
    return joints


def _read_motion(text: str, channels: int, name: str) -> tuple[np.ndarray, float]:
    lines = text.strip().split("\n", 2)
    try:
        frames = int(lines[0].split(":")[1])
        step = float(lines[1].split(":")[1])
    except (IndexError, ValueError) as error:
        raise SapiensError(
            f"The motion of {name} does not say how many frames it has, and how long they are.", "Export it again."
        ) from error
    if frames < 1 or frames * channels > MAX_VALUES or not 1e-4 < step < 60:
        raise SapiensError(f"{name} has {frames} frames of {step} s, which cannot be.", "Export the motion as BVH again.")
    body = lines[2] if len(lines) > 2 else ""
    try:
        values = np.array(body.split(), np.float64)
    except ValueError as error:
        raise SapiensError(
            f"The motion of {name} holds something that is not a number.", "Export the motion as BVH again."
        ) from error
    if values.size < frames * channels:
        raise SapiensError(
            f"The motion of {name} ends early: {values.size} of {frames * channels} numbers.", "Copy the file again."
        )
    values = values[: frames * channels].reshape(frames, channels)
    if not np.isfinite(values).all():
        raise SapiensError(f"The motion of {name} holds numbers that are not finite.", "Export the motion as BVH again.")
    return values, 1.0 / step


def _clip(joints: list[_Joint], values: np.ndarray, fps: float, name: str, scale: float | None) -> BvhClip:
    count, frames = len(joints), len(values)
    parents = np.array([j.parent for j in joints], np.int32)
    heads = np.zeros((count, 3))
    for n, joint in enumerate(joints):
        heads[n] = joint.offset + (heads[joint.parent] if joint.parent >= 0 else 0.0)
    tails = np.array([_tail(joints, heads, n) for n in range(count)])
    if scale is None:
        scale = _guess_scale(np.ptp(np.concatenate([heads, tails]), axis=0).max())
    turns = np.empty((frames, count, 3, 3))
    root = np.tile(heads[0], (frames, 1))
    column = 0
    for n, joint in enumerate(joints):
        local = np.broadcast_to(np.eye(3), (frames, 3, 3))
        for channel in joint.channels:
            axis, kind = _CHANNELS[channel]
            if kind == "rotation":
                angles = np.zeros((frames, 3))
                angles[:, "XYZ".index(axis)] = np.radians(values[:, column])
                local = local @ rotation_from_euler(angles)
            elif n == 0:
                root[:, "XYZ".index(axis)] = values[:, column]
            column += 1
        turns[:, n] = local if joint.parent < 0 else turns[:, joint.parent] @ local
    up = WORLD_FROM_Y_UP
    rest = RestRig.from_joints(name, tuple(_unique(joints)), parents, heads @ up.T * scale, tails @ up.T * scale)
    rotations = up @ turns @ up.T @ rest.rotations
    return BvhClip(rest, rotations, root @ up.T * scale, fps)


def _unique(joints: list[_Joint]) -> list[str]:
    seen: dict[str, int] = {}
    out = []
    for joint in joints:
        seen[joint.name] = seen.get(joint.name, -1) + 1
        out.append(joint.name if not seen[joint.name] else f"{joint.name}.{seen[joint.name]:03d}")
    return out


def _tail(joints: list[_Joint], heads: np.ndarray, n: int) -> np.ndarray:
    """Where a bone from this joint ends: the mean of its children, its end site, or a little way on."""
    children = [heads[c] for c, joint in enumerate(joints) if joint.parent == n and np.linalg.norm(joint.offset) > 1e-9]
    if children:
        return np.mean(children, axis=0)
    end = joints[n].end
    if end is not None and np.linalg.norm(end) > 1e-9:
        return heads[n] + end
    length = np.linalg.norm(joints[n].offset)
    return heads[n] + (joints[n].offset if length > 1e-9 else np.array([0.0, 1.0, 0.0]))


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
