"""The sheet of docs/body.md: the average body in poses and with faces that are hard on its skin, to be looked at.

usage: python tools/pictures/bodies.py [-o DIR] [--volume] [--only NAME…]

--volume turns on Preserve Volume of the Armature modifier, to compare. Needs bpy; Cycles on the CPU, half a minute.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import bpy
import numpy as np
from mathutils import Quaternion, Vector
from PIL import Image, ImageDraw

from sapiens2_avatar.core.body.character import standing
from sapiens2_avatar.core.body.evaluate import Shape
from sapiens2_avatar.scene.armature import write_armature
from sapiens2_avatar.scene.body import write_body

ROOT = Path(__file__).resolve().parents[2]
SIZE = 300, 360  # pixels of a panel
FINGERS = ("f_index", "f_middle", "f_ring", "f_pinky")

Direction = tuple[float, float, float]


@dataclass(frozen=True)
class Panel:
    """A picture of the sheet.

    aims   left limb -> where it points, x to the person's left, y to the back, z up; the right one is its mirror image, but for
           those that have a side in their name
    turns  bone -> axis of its own and degrees, after the aims; without a side: both
    keys   shape key -> value
    shows  bone at which the camera looks, and how many metres are in the picture from top to bottom; None = the whole body
    yaw    degrees of the camera to the person's left
    """

    name: str
    aims: dict[str, Direction] = field(default_factory=dict)
    turns: dict[str, tuple[str, float]] = field(default_factory=dict)
    keys: dict[str, float] = field(default_factory=dict)
    shows: tuple[str, float] | None = None
    yaw: float = 25.0


FACE = ("nose", 0.36)
PANELS = (
    Panel("arms up", {"shoulder": (0.75, 0.1, 0.65), "upper_arm": (0.2, 0, 1), "forearm": (0.05, 0, 1)}),
    Panel(
        "arms crossed",
        {
            "upper_arm": (0.3, -0.3, -0.9),
            "forearm.L": (-0.8, -0.55, 0.2),
            "hand.L": (-0.9, -0.2, 0.2),
            "forearm.R": (0.85, -0.5, 0.05),
            "hand.R": (0.95, -0.1, 0.1),
        },
    ),
    Panel(
        "squat",
        {
            "spine": (0, -0.45, 0.9),
            "thigh": (0.4, -0.9, 0.05),
            "shin": (0.05, 0.45, -0.9),
            "foot": (0.1, -0.85, -0.5),
            "upper_arm": (0.25, -0.95, 0),
            "forearm": (0.1, -1, 0),
        },
        yaw=50.0,
    ),
    Panel("high knee", {"thigh.L": (0.1, -0.85, 0.5), "shin.L": (0, 0.15, -1), "foot.L": (0.05, -0.9, -0.4)}, yaw=50.0),
    Panel(
        "twist",
        turns={f"spine.00{k}": ("Y", 22.0) for k in (1, 2, 3)}
        | {"spine.006": ("Y", 25.0), "hand.L": ("Y", 90.0), "hand.R": ("Y", -90.0)},
        yaw=0.0,
    ),
    Panel("turned wrist", turns={"hand.L": ("Y", 90.0)}, shows=("hand.L", 0.42), yaw=0.0),
    Panel(
        "fist",
        turns={f"{finger}.0{k}.L": ("X", 80.0) for finger in FINGERS for k in (1, 2, 3)}
        | {"thumb.02.L": ("X", 45.0), "thumb.03.L": ("X", 45.0)},
        shows=("f_middle.01.L", 0.26),
        yaw=0.0,
    ),
    Panel(
        "bent elbow",
        {"upper_arm.L": (0.35, -0.5, -0.8)},
        turns={"forearm.L": ("X", 100.0)},
        shows=("forearm.L", 0.5),
        yaw=80.0,
    ),
    Panel(
        "bent knee",
        {"thigh.L": (0.3, -1.0, 0.1), "upper_arm.L": (0.9, 0.2, 0.3)},
        turns={"shin.L": ("X", 135.0)},
        shows=("shin.L", 0.55),
        yaw=80.0,
    ),
    Panel("smile", keys={"mouthSmileLeft": 1, "mouthSmileRight": 1, "cheekSquintLeft": 0.5, "cheekSquintRight": 0.5}, shows=FACE),
    Panel("open jaw", keys={"jawOpen": 1}, shows=FACE),
    Panel("blink", keys={"eyeBlinkLeft": 1, "eyeBlinkRight": 1}, shows=FACE),
)


def sided(values: dict, mirrored) -> dict:
    """Both sides of what is said of one: bones without a side that the body has twice."""
    out = {}
    for name, value in values.items():
        if name.endswith((".L", ".R")) or name.startswith("spine"):
            out[name] = value
        else:
            out[f"{name}.L"], out[f"{name}.R"] = value, mirrored(value)
    return out


def pose(rig: bpy.types.Object, panel: Panel) -> None:
    """Turn the bones, parents first."""
    aims = sided(panel.aims, lambda aim: (-aim[0], *aim[1:]))
    turns = sided(panel.turns, lambda turn: turn)
    for bone in rig.pose.bones:
        bone.rotation_quaternion = Quaternion()
    for bone in rig.pose.bones:
        local = Quaternion()
        bpy.context.view_layer.update()
        if bone.name in aims:
            now = (bone.matrix.to_quaternion() @ Vector((0, 1, 0))).normalized()
            arc = now.rotation_difference(Vector(aims[bone.name]))
            own = bone.matrix.to_quaternion()
            local = own.inverted() @ arc @ own
        if bone.name in turns:
            axis, degrees = turns[bone.name]
            local = local @ Quaternion({"X": (1, 0, 0), "Y": (0, 1, 0), "Z": (0, 0, 1)}[axis], np.radians(degrees))
        bone.rotation_quaternion = local
    bpy.context.view_layer.update()


def render(body: bpy.types.Object, rig: bpy.types.Object, panel: Panel, path: Path) -> None:
    scene = bpy.context.scene
    camera = scene.camera
    points = np.empty(3 * len(body.data.vertices), np.float32)
    shown = body.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
    shown.vertices.foreach_get("co", points)
    points = points.reshape(-1, 3)
    middle, tall = (points.min(0) + points.max(0)) / 2, 1.06 * float(np.ptp(points[:, 2]))
    if panel.shows is not None:
        bone, tall = rig.pose.bones[panel.shows[0]], panel.shows[1]
        middle = np.array((bone.head + bone.tail) / 2)
    yaw = np.radians(panel.yaw)
    away = np.array([np.sin(yaw), -np.cos(yaw), 0.12])
    right = np.array([np.cos(yaw), np.sin(yaw), 0])
    wide = 1.06 * float(np.ptp(points @ right)) if panel.shows is None else 0.0
    camera.data.ortho_scale = max(tall, wide * SIZE[1] / SIZE[0])
    camera.location = middle + 6 * away
    camera.rotation_euler = Vector(away).to_track_quat("Z", "Y").to_euler()
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)


def stage(samples: int) -> None:
    """An orthographic camera, two suns and a grey world."""
    scene = bpy.context.scene
    camera = bpy.data.cameras.new("Camera")
    camera.type = "ORTHO"
    scene.camera = bpy.data.objects.new("Camera", camera)
    scene.collection.objects.link(scene.camera)
    for strength, turn in ((2.6, (0.9, 0.25, -0.5)), (1.0, (1.1, 0, 1.0))):
        light = bpy.data.lights.new("Sun", "SUN")
        light.energy, light.angle = strength, 0.3
        sun = bpy.data.objects.new("Sun", light)
        sun.rotation_euler = turn
        scene.collection.objects.link(sun)
    scene.world = bpy.data.worlds.new("World")
    scene.world.color = (0.35, 0.35, 0.35)
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", samples, False
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    scene.view_settings.view_transform = "Standard"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "images" / "body")
    parser.add_argument("--volume", action="store_true")
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--samples", type=int, default=24)
    options = parser.parse_args()
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    stage(options.samples)
    data, bones = standing(Shape())
    rig = write_armature(bones, np.eye(4), "Rig", bpy.context.scene.collection)
    rig.animation_data_clear()
    body = write_body(data, bones, "Body", np.eye(4), bpy.context.scene.collection, rig)
    next(m for m in body.modifiers if m.type == "ARMATURE").use_deform_preserve_volume = options.volume
    panels = [panel for panel in PANELS if not options.only or panel.name in options.only]
    columns = min(6, len(panels))
    sheet = Image.new("RGB", (columns * SIZE[0], -(-len(panels) // columns) * SIZE[1]), "white")
    options.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        for number, panel in enumerate(panels):
            for key in body.data.shape_keys.key_blocks:
                key.value = panel.keys.get(key.name, 0.0)
            pose(rig, panel)
            path = Path(scratch) / f"{number}.png"
            render(body, rig, panel, path)
            picture = Image.open(path).convert("RGB")
            ImageDraw.Draw(picture).text((8, SIZE[1] - 18), panel.name, fill="white")
            sheet.paste(picture, (number % columns * SIZE[0], number // columns * SIZE[1]))
    sheet.save(options.output / "poses.jpg", quality=84, optimize=True)


if __name__ == "__main__":
    main()
