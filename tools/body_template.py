"""Make data/body_template.json: the mean standing person, from ground truth of synthetic people (bones with rest pose).

usage: python tools/body_template.py SAMPLE.gt.npz... -o data/body_template.json

Each file holds joint_names, joints, keypoints_xyz, bone_names, bone_heads, bone_delta (rest to pose, camera axes) and
cam_from_world; the rest pose stands with the arms 45 degrees down and faces -y, z up. Every point is carried back to rest by
the bone that moves it, divided by the distances that the skeleton's own stature gives, averaged over people and over the two
sides of the body.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from sapiens2_avatar.core.common.landmarks import JOINT_NAMES, joint_swap, keypoint_names, keypoint_swap

HEAD_OVER_STATURE = 0.9138  # height of the head joint over the soles / stature, mean of Anny adults


def bone_of(name: str) -> str:
    """The bone that carries a joint or keypoint."""
    side = {"left": ".L", "right": ".R"}.get(name.split("_")[0], "")
    bare = name.split("_", 1)[-1]
    fingers = {"thumb": 1, "forefinger": 2, "middle_finger": 3, "ring_finger": 4, "pinky_finger": 5}
    for finger, number in fingers.items():
        if side and bare.startswith(finger):
            order = 1 if bare.endswith("third_joint") else int(bare[-1])
            return f"finger{number}-{min(order, 3)}{side}"
    limbs = {
        "shoulder": "upperarm01", "elbow": "lowerarm01", "wrist": "wrist", "hip": "upperleg01", "knee": "lowerleg01",
        "ankle": "foot", "big_toe": "foot", "small_toe": "foot", "heel": "foot", "clavicle": "clavicle",
    }  # fmt: skip
    if side and bare in limbs:
        return limbs[bare] + side
    return {"pelvis": "root", "spine": "spine04", "chest": "spine02", "neck": "neck01"}.get(name, "head")


def rest_points(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(68, 3) joints with the pelvis at 0, and (308, 3) face keypoints from the head joint, rest axes, share of stature."""
    gt = np.load(path)
    bones = list(gt["bone_names"])
    joints = dict(zip(gt["joint_names"], gt["joints"].astype(float), strict=True))
    rest = dict(zip(bones, gt["bone_rest_world"][:, :3, 3].astype(float), strict=True))
    head = dict(zip(bones, gt["bone_heads"].astype(float), strict=True))
    delta = dict(zip(bones, gt["bone_delta"].astype(float), strict=True))
    world = gt["cam_from_world"][:3, :3].astype(float).T
    back = lambda point, bone: rest[bone] + world @ delta[bone].T @ (point - head[bone])  # noqa: E731
    placed = np.array([back(joints[n], bone_of(n)) for n in JOINT_NAMES])
    pelvis = (placed[JOINT_NAMES.index("left_hip")] + placed[JOINT_NAMES.index("right_hip")]) / 2
    placed[JOINT_NAMES.index("pelvis")] = pelvis
    soles = min(placed[JOINT_NAMES.index(n), 2] for n in ("left_heel", "left_big_toe")) - 0.012
    stature = (rest["head"][2] - soles) / HEAD_OVER_STATURE
    face = np.array([back(p, "head") - rest["head"] for p in gt["keypoints_xyz"].astype(float)])
    return (placed - pelvis) / stature, face / stature


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("samples", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    found = [rest_points(path) for path in options.samples]
    mirror = np.array([-1.0, 1.0, 1.0])
    joints = np.mean([f[0] for f in found], axis=0)
    joints = (joints + joints[joint_swap()] * mirror) / 2
    faces = np.array([f[1] for f in found])
    face = np.where(np.isfinite(faces).all(axis=0), faces, np.nan).mean(axis=0)
    face = (face + face[keypoint_swap()] * mirror) / 2
    names = keypoint_names()
    table = {
        "about": "Mean standing person over synthetic CC0 adults: x to the person's left, y to the back, z up, share of stature. "
        "joints from the pelvis, head_points (keypoints on the head) from the joint 'head'. Made by tools/body_template.py.",
        "joints": {n: np.round(p, 5).tolist() for n, p in zip(JOINT_NAMES, joints, strict=True)},
        "head_points": {
            n: np.round(p, 5).tolist()
            for k, (n, p) in enumerate(zip(names, face, strict=True))
            if (k >= 70 or k < 5) and np.isfinite(p).all()
        },
    }
    text = (
        json.dumps(table)
        .replace("], ", "],\n ")
        .replace('"joints": {', '"joints": {\n ')
        .replace('"head_points": {', '"head_points": {\n ')
    )
    options.output.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
