"""A stick person who walks, as BVH in many dialects: the same motion, whatever the axes, the zero pose and the channels are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from sapiens2_avatar.core.common.quaternions import euler_from_rotation
from sapiens2_avatar.core.common.rotations import rotation_from_vector

_BONES = (  # joint, parent, offset from it, its end site or None: y up, facing z, centimetres
    ("Hips", None, (0, 0, 0), None), ("Spine", "Hips", (0, 12, 0), None), ("Spine1", "Spine", (0, 20, 0), None),
    ("Neck", "Spine1", (0, 20, 0), None), ("Head", "Neck", (0, 10, 2), (0, 20, 0)),
)  # fmt: skip
_SIDED = (
    ("Shoulder", "Spine1", (4, 15, 0), None), ("Arm", "Shoulder", (13, 0, 0), None), ("ForeArm", "Arm", (28, 0, 0), None),
    ("Hand", "ForeArm", (25, 0, 0), (15, 0, 0)), ("UpLeg", "Hips", (9, -5, 0), None), ("Leg", "UpLeg", (0, -42, 0), None),
    ("Foot", "Leg", (0, -42, 0), None), ("ToeBase", "Foot", (0, -6, 14), (0, 0, 8)),
)  # fmt: skip
PARENTS: dict[str, str | None] = {}
OFFSETS: dict[str, np.ndarray] = {}
ENDS: dict[str, np.ndarray] = {}
for _name, _parent, _offset, _end in _BONES:
    PARENTS[_name], OFFSETS[_name] = _parent, np.array(_offset, float)
    if _end:
        ENDS[_name] = np.array(_end, float)
for _side, _flip in (("Left", 1.0), ("Right", -1.0)):
    for _name, _parent, _offset, _end in _SIDED:
        _own = _parent if _parent in ("Hips", "Spine1") else _side + _parent
        PARENTS[_side + _name], OFFSETS[_side + _name] = _own, np.array(_offset, float) * [_flip, 1, 1]
        if _end:
            ENDS[_side + _name] = np.array(_end, float) * [_flip, 1, 1]
NAMES = tuple(PARENTS)


@dataclass
class BvhPerson:
    """F frames: local turns (F, 3, 3) of the joints that turn, and where the hips are (F, 3), y up, centimetres.

    zero    joint -> (3, 3) what its bone lacks, in a zero pose of another kind, to the T-pose
    axes    (3, 3) file_from_y_up
    """

    frames: int = 12
    zero: dict[str, np.ndarray] = field(default_factory=dict)
    axes: np.ndarray = field(default_factory=lambda: np.eye(3))

    def __post_init__(self) -> None:
        phase = np.linspace(0, 2 * np.pi, self.frames)
        self.turns = {name: np.broadcast_to(np.eye(3), (self.frames, 3, 3)) for name in NAMES}
        for side, sign in (("Left", 1.0), ("Right", -1.0)):
            swing = 0.4 * np.sin(phase) * sign
            self.turns[f"{side}UpLeg"] = self._about([1, 0, 0], swing)
            self.turns[f"{side}Leg"] = self._about([1, 0, 0], 0.3 - 0.3 * np.cos(phase))
            self.turns[f"{side}Arm"] = self._about([0, 0, 1], -1.2 * sign + 0 * phase) @ self._about([1, 0, 0], -swing)
            self.turns[f"{side}ForeArm"] = self._about([0, 1, 0], -sign * (0.5 + 0.2 * np.sin(phase)))
        self.turns["Spine1"] = self._about([0, 1, 0], 0.1 * np.sin(phase))
        self.hips = np.column_stack([np.zeros(self.frames), 95 + np.cos(2 * phase), 10.0 * np.arange(self.frames)])

    @staticmethod
    def _about(axis: list[float], angles: np.ndarray) -> np.ndarray:
        return rotation_from_vector(np.array(axis, float) * np.asarray(angles)[:, None])

    def world(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Joint -> (F, 3, 3) turns from the T-pose, and (F, 3) places; y up, centimetres."""
        turns: dict[str, np.ndarray] = {}
        places: dict[str, np.ndarray] = {}
        for name, parent in PARENTS.items():
            turns[name] = self.turns[name] if parent is None else turns[parent] @ self.turns[name]
            places[name] = self.hips if parent is None else places[parent] + turns[parent] @ OFFSETS[name]
        return turns, places

    def truth(self) -> dict[str, np.ndarray]:
        """Joint -> (F, 3) places in the world, z up, metres."""
        return {name: at @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]) / 100 for name, at in self.world()[1].items()}

    def text(
        self,
        rename: Callable[[str], str] = str,
        positions: str = "root",
        zero_offsets: bool = False,
        step: str = "0.0333333",
        order: Callable[[str], str] = lambda _: "ZXY",
        few: bool = False,
    ) -> str:
        """The file. positions: channels for the place of the root, of "all" joints, or "added" to the offsets of all; "places"
        of all joints in the axes of the file, without rotations. order: joint -> its axes of rotation; few: only those that
        turn."""
        world, places = self.world()
        zero = {name: self.zero.get(name, np.eye(3)) for name in NAMES}
        lines, columns = ["HIERARCHY"], []

        def write(name: str, pad: str) -> None:
            parent = PARENTS[name]
            above = np.eye(3) if parent is None else zero[parent]
            offset = self.axes @ above.T @ OFFSETS[name]
            here = world[name] @ zero[name]
            local = here if parent is None else np.swapaxes(world[parent] @ above, -1, -2) @ here
            local = self.axes @ local @ self.axes.T
            axes = order(name)
            angles = np.degrees(euler_from_rotation(local, axes[::-1]))[:, ["XYZ".index(axis) for axis in axes]]
            place = self.hips @ self.axes.T if parent is None else np.tile(offset, (self.frames, 1))
            moves = parent is None or positions != "root"
            if positions == "added" and parent is not None:
                place = place * 0
            if positions == "places":
                angles = angles * 0
                place = (places[name] - (places[parent] if parent else 0)) @ self.axes.T
            turning = [n for n in range(3) if not few or np.ptp(angles[:, n]) > 1e-9 or abs(angles[0, n]) > 1e-9]
            angles = angles[:, turning]
            columns.extend([place, angles] if moves else [angles])
            shown = offset * 0 if zero_offsets else offset
            channels = [*(["Xposition", "Yposition", "Zposition"] if moves else []), *(f"{axes[n]}rotation" for n in turning)]
            lines.extend([f"{pad}{'JOINT' if parent else 'ROOT'} {rename(name)}", f"{pad}{{",
                          f"{pad}\tOFFSET {' '.join(f'{v:.6f}' for v in shown)}",
                          f"{pad}\tCHANNELS {' '.join([str(len(channels)), *channels])}"])  # fmt: skip
            for child in NAMES:
                if PARENTS[child] == name:
                    write(child, pad + "\t")
            if name in ENDS:
                end = self.axes @ zero[name].T @ ENDS[name]
                at = " ".join(f"{v:.6f}" for v in end)
                lines.extend([f"{pad}\tEnd Site", f"{pad}\t{{", f"{pad}\t\tOFFSET {at}", f"{pad}\t}}"])
            lines.append(f"{pad}}}")

        write("Hips", "")
        lines += ["MOTION", f"Frames: {self.frames}", f"Frame Time: {step}"]
        lines += [" ".join(f"{v:.6f}" for v in row) for row in np.concatenate(columns, axis=1).tolist()]
        return "\n".join(lines) + "\n"


def along_x() -> dict[str, np.ndarray]:
    """A zero pose in which every bone lies along its own x axis."""
    out = {}
    for name in NAMES:
        child = next((c for c in NAMES if PARENTS[c] == name and not c.startswith(("Left", "Right"))), None)
        child = child or next((c for c in NAMES if PARENTS[c] == name), None)
        step = OFFSETS[child] if child is not None else ENDS[name]
        x = step / np.linalg.norm(step)
        z = np.cross(x, [0.3, 0.5, 0.8])
        z /= np.linalg.norm(z)
        out[name] = np.column_stack([x, np.cross(z, x), z])
    return out
