"""Pictures of rigs to look at, as in docs/rig.md: bones over the photo, and scan and bones from four sides, at rest and posed.

usage: python tools/pictures/rigs.py [--data FOLDER] [-o FOLDER]

FOLDER of the data holds X.safetensors.gz; default: the environment variable SAPIENS2_SHARED, or the folder `shared` beside the
repository, and in it `studio`. Needs Blender's Python module (Workbench renders the scan) and OpenCV (draws the bones).
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import bpy
import cv2
import numpy as np
from mathutils import Quaternion, Vector

from sapiens2_avatar.core.avatar import AvatarSettings, make_avatars
from sapiens2_avatar.core.common.processes import leave
from sapiens2_avatar.core.rig.metarig import RigSettings, make_rig
from sapiens2_avatar.core.rig.rigify_types import collection_of
from sapiens2_avatar.core.surface.scan import ScanSettings
from sapiens2_avatar.scene.build import write_avatars

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
from measures.studio import STUDIO, read_predictions, sample_names  # noqa: E402 (benchmarks/ is on no path of its own)

SIDES = (0, 60, 150, -70)  # degrees about the vertical; 0 = from the front
SIZE = 300
COLOURS = {
    "Torso": (90, 200, 255),
    "Arm": (120, 255, 120),
    "Leg": (255, 170, 90),
    "Fingers": (230, 120, 255),
    "Face": (0, 220, 255),
}
RAISED = {"upper_arm.L": ("Y", -60), "upper_arm.R": ("Y", 60), "thigh.L": ("X", -80), "shin.L": ("X", 90)}
"""Bone -> world axis and degrees: both arms raised by 60 degrees, a knee bent by 90."""


def colour(bone: str, unseen: bool) -> tuple[int, int, int]:
    return (130, 130, 130) if unseen else COLOURS[collection_of(bone).split(".")[0].split(" ")[0]]


def draw(image: np.ndarray, heads: np.ndarray, tails: np.ndarray, names: list[str], unseen: list[bool]) -> None:
    """Bones as lines with a dot at the head, (n, 2) pixels."""
    for head, tail, name, hidden in zip(heads, tails, names, unseen, strict=True):
        start, end = (tuple(round(8 * float(v)) for v in p) for p in (head, tail))
        thin = collection_of(name) in ("Face", "Fingers")
        cv2.line(image, start, end, colour(name, hidden), 1 if thin else 2, cv2.LINE_AA, 3)
        cv2.circle(image, start, 8 * (1 if thin else 3), colour(name, hidden), -1, cv2.LINE_AA, 3)


def over_photo(folder: Path, name: str, face: bool) -> np.ndarray:
    """The photo, or its face, with the bones of the rig as the matched camera sees them."""
    predictions = read_predictions(folder, name)
    from sapiens2_avatar.core.capture.camera import estimate_camera
    from sapiens2_avatar.core.pose.lift import lift_pose

    camera = estimate_camera(predictions).camera
    rig = make_rig(lift_pose(predictions, camera=camera))
    shown = [i for i, n in enumerate(rig.names) if (collection_of(n) == "Face") == face and n != "face"]
    heads, tails = camera.project(rig.heads[shown]), camera.project(rig.tails[shown])
    low, high = (
        (np.r_[heads, tails].min(0) - 20, np.r_[heads, tails].max(0) + 20)
        if face
        else (np.zeros(2), np.array(predictions.image.shape[1::-1]))
    )
    low, high = np.maximum(low, 0).astype(int), np.minimum(high, predictions.image.shape[1::-1]).astype(int)
    photo = predictions.image[low[1] : high[1], low[0] : high[0], ::-1]
    scale = 420 / photo.shape[0]
    image = np.ascontiguousarray(
        cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    )
    draw(
        image, (heads - low + 0.5) * scale, (tails - low + 0.5) * scale, [rig.names[i] for i in shown], rig.unseen[shown].tolist()
    )
    return image


def build(folder: Path, name: str, rest: str) -> tuple[bpy.types.Object, bpy.types.Object]:
    """Scan and rig of a sample in an empty file, half resolution."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    settings = AvatarSettings(make="scan", scan=ScanSettings(resolution="half"), rig=RigSettings(rest=rest))
    predictions = replace(read_predictions(folder, name), albedo=None)
    collection = write_avatars(make_avatars(predictions, name, settings), name)
    found = {obj["sapiens2_role"]: obj for obj in collection.objects}
    return found["scan"], found["rig"]


def four_sides(scan: bpy.types.Object, rig: bpy.types.Object, pose: dict[str, tuple[str, float]], bones: bool) -> np.ndarray:
    """The posed scan from four sides, with its bones drawn over it."""
    for name, (axis, degrees) in pose.items():
        bone = rig.pose.bones[name]
        local = bone.bone.matrix_local.to_3x3().inverted() @ Vector([float(axis == a) for a in "XYZ"])
        bone.rotation_mode = "QUATERNION"
        bone.rotation_quaternion = Quaternion(local, math.radians(degrees))
    bpy.context.view_layer.update()
    mesh = scan.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
    points = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", points)
    low, high = np.percentile(points.reshape(-1, 3), [0.3, 99.7], axis=0)
    middle, extent = Vector(((low + high) / 2).tolist()), 1.12 * float((high - low).max())
    scene = bpy.context.scene
    camera = bpy.data.objects.new("Side", bpy.data.cameras.new("Side"))
    scene.collection.objects.link(camera)
    camera.data.type, camera.data.ortho_scale, scene.camera = "ORTHO", extent, camera
    scene.render.engine, scene.display.shading.light = "BLENDER_WORKBENCH", "STUDIO"
    scene.render.resolution_x = scene.render.resolution_y = SIZE
    views = []
    for degrees in SIDES:
        angle = math.radians(degrees)
        away = Vector((math.sin(angle), -math.cos(angle), 0.12)).normalized()
        camera.location, camera.rotation_euler = middle + 6 * away, (-away).to_track_quat("-Z", "Y").to_euler()
        bpy.context.view_layer.update()
        with tempfile.TemporaryDirectory() as scratch:
            scene.render.filepath = str(Path(scratch) / "view.png")
            bpy.ops.render.render(write_still=True)
            view = cv2.imread(scene.render.filepath, cv2.IMREAD_UNCHANGED)
        opaque = view[..., 3:].astype(np.float32) / 255 if view.shape[2] == 4 else 1.0
        view = np.ascontiguousarray((view[..., :3] * opaque + 64 * (1 - opaque)).astype(np.uint8))
        if bones:
            matrix = np.array(camera.matrix_world.inverted())[:2]
            shown = [b for b in rig.pose.bones if collection_of(b.name) != "Face"]
            ends = [np.array([[*getattr(b, end), 1.0] for b in shown]) @ matrix.T / extent for end in ("head", "tail")]
            pixels = [np.stack([(0.5 + e[:, 0]) * SIZE - 0.5, (0.5 - e[:, 1]) * SIZE - 0.5], axis=1) for e in ends]
            draw(view, *pixels, [b.name for b in shown], ["sapiens2_unseen" in b for b in shown])
        views.append(view)
    return np.concatenate(views, axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=STUDIO)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "images" / "rig")
    options = parser.parse_args()
    folder = options.data
    sample_names(folder)
    options.output.mkdir(parents=True, exist_ok=True)
    photos = [
        over_photo(folder, *which)
        for which in (("body_sit", False), ("body_walk.degraded", False), ("face_a", True), ("face_b.degraded", True))
    ]
    pictures = {"over-photo": np.concatenate(photos, axis=1)}
    pictures["over-scan"] = four_sides(*build(folder, "body_walk", "photo"), {}, True)
    pictures["raised"] = four_sides(*build(folder, "body_apose", "photo"), RAISED, False)
    pictures["raised-degraded"] = four_sides(*build(folder, "body_crossed.degraded", "photo"), RAISED, False)
    pictures["a-pose"] = four_sides(*build(folder, "body_crossed", "A"), {}, False)
    pictures["a-pose-sitting"] = four_sides(*build(folder, "body_sit", "A"), {}, True)
    for name, picture in pictures.items():
        few = np.clip(np.round(picture.astype(np.float32) / 8) * 8, 0, 255).astype(np.uint8)  # fewer shades: a third of the bytes
        cv2.imwrite(str(options.output / f"{name}.png"), few, [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main()
    leave(0)
