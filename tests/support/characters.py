"""People and clips for the tests of motion, without Blender."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np


def walking(factory, frames: int) -> np.ndarray:
    """(F, 68, 3) the mean person whose arms and legs swing sideways, z up, metres."""
    from sapiens2_avatar.core.common.landmarks import JOINT_NAMES
    from sapiens2_avatar.core.common.rotations import rotation_from_vector

    base = factory.person("A")
    out = []
    for n in range(frames):
        joints = {k: v.copy() for k, v in base.items()}
        for side, sign in (("left", 1), ("right", -1)):
            turn = rotation_from_vector([0, -sign * (0.25 + 0.2 * np.sin(0.4 * n)), 0])
            for pivot, parts in (("shoulder", ("elbow", "wrist", "thumb", "finger")), ("hip", ("knee", "ankle", "heel", "toe"))):
                centre = joints[f"{side}_{pivot}"].copy()
                for name in JOINT_NAMES:
                    if name.startswith(side) and any(p in name for p in parts):
                        joints[name] = centre + turn @ (joints[name] - centre)
        out.append([joints[name] for name in JOINT_NAMES])
    return np.array(out)


def keypoint_file(factory, path: Path, frames: int, size=(1280, 720), kind: str = "meta") -> Path:
    """Keypoints of the walker seen by a level camera 4 m away, as Meta's demo, COCO-WholeBody or OpenPose write them."""
    from sapiens2_avatar.core.common.landmarks import joint_keypoints
    from sapiens2_avatar.core.common.spaces import LEVEL_WORLD_FROM_CAMERA

    camera = (walking(factory, frames) - [0, -4, 1.0]) @ LEVEL_WORLD_FROM_CAMERA
    pixels = camera[..., :2] / camera[..., 2:] * 900 + [(size[0] - 1) / 2, (size[1] - 1) / 2]
    index = joint_keypoints()
    points = np.zeros((frames, 308, 3))
    points[:, index[index >= 0], :2], points[:, index[index >= 0], 2] = pixels[:, index >= 0], 0.9
    if kind == "sam":
        points3d = np.full((308, 3), 0.0)
        points3d[index[index >= 0]] = camera[0][index >= 0]
        content: object = {"pred_keypoints_3d": points3d[:70].tolist()}
    else:
        people = [{"keypoints": p[:, :2].tolist(), "keypoint_scores": p[:, 2].tolist()} for p in points]
        content = {
            "meta_info": {"image_size": list(size)},
            "instance_info": [{"frame_id": n, "instances": [p]} for n, p in enumerate(people)],
        }
    path.write_text(json.dumps(content))
    return path
