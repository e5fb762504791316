"""Render the built-in demo photographs (needs anny and bpy): `python -m tools.samples.demo_photo data/sample_photo.jpg`, and the
others of the same person with `--view side data/sample_side.jpg`, and so on.

One person, drawn with care: a subdivided body with separate clothes, a few
ten thousand combed hairs, studio light, path-traced in Cycles.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix
from PIL import Image

from . import wardrobe
from .blender_mesh import attribute, bump, material_of, mesh_object
from .body import load_body
from .cloth import CLOTH, STRIPE, denim, garment, shoe
from .fibres import eyebrows, hair
from .figure import Figure

SEED = 20260
WIDTH, HEIGHT = 768, 1024


@dataclass(frozen=True)
class View:
    """Where the camera stands. The studio turns with it, as if the person had turned.

    azimuth  degrees from the person's front, towards their left
    up       of the camera above what it looks at, in its distance
    part     of the height of the person that is seen, from above
    """

    azimuth: float
    up: float = 0.03
    part: float = 1.0


FRONT = View(-14.0)
VIEWS = {"front": FRONT, "side": View(76.0, 0.05), "back": View(172.0, 0.06), "close": View(-6.0, 0.02, 0.34)}


def build(rng: np.random.Generator, hairs: int) -> Figure:
    """The dressed person in an empty scene."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    body = load_body()
    phenotype = {
        "gender": 0.92,
        "age": 0.62,
        "muscle": 0.52,
        "weight": 0.42,
        "height": 0.5,
        "proportions": 0.62,
        "cupsize": 0.12,
        "firmness": 0.6,
        "african": 0.3,
        "asian": 0.25,
        "caucasian": 0.45,
    }
    face = {"mouthSmileLeft": 0.42, "mouthSmileRight": 0.38, "cheekSquintLeft": 0.3, "cheekSquintRight": 0.3} | dict.fromkeys(
        ("eyeBlinkLeft", "eyeBlinkRight"), 0.16
    )
    figure = Figure(rng, body, phenotype, face)
    outfit = replace(
        wardrobe.random_outfit(rng, body, 0.0),
        skin=np.array([0.47, 0.27, 0.19]),
        lip=np.array([0.42, 0.15, 0.13]),
        beard=0.0,
        hairline=0.6,
        hair=-0.5,
        hair_colour=np.array([0.016, 0.008, 0.004]),
        iris=np.array([0.10, 0.05, 0.02]),
    )
    label = np.where(figure.part == wardrobe.FACE, wardrobe.FACE, figure.part)
    bare = wardrobe.cut(
        body,
        replace(outfit, top=False, trouser=0.0, shoes=False, sock=2.0),
        label,
        figure.rest,
        figure.arm,
        figure.leg,
        figure.head,
        figure.lips,
    )
    shade = wardrobe.paint(body, outfit, bare, figure.rest, figure.head, figure.eye, figure.inside)
    under = wardrobe.brows(bare, figure.rest, figure.head)
    shade[under] = 0.3 * shade[under] + 0.7 * outfit.skin  # the hairs themselves are drawn
    shade[np.isin(figure.part, wardrobe.FEET) | (np.isin(figure.part, wardrobe.SHANKS) & (figure.leg > 1.75))] = STRIPE  # socks
    skin_material, tree, shader = material_of("Skin", Roughness=0.48, Subsurface_Weight=0.12, Subsurface_Scale=0.012, IOR=1.4)
    shader.inputs["Subsurface Radius"].default_value = (1.0, 0.35, 0.2)
    tree.links.new(attribute(tree, "colour", "Color"), shader.inputs["Base Color"])
    bump(tree, shader, 1100, 0.12)
    ball = figure.eye > 0.5
    eyes = ball[figure.faces].all(1)
    eye_material, tree, shader = material_of("Eyes", Roughness=0.06, Coat_Weight=1.0, Coat_Roughness=0.02)
    tree.links.new(attribute(tree, "colour", "Color"), shader.inputs["Base Color"])
    mesh_object("Eyes", figure.vertices, figure.faces[eyes], {"colour": shade}, eye_material)

    neck, hip = body.bone_heads[body.bone("neck01")], body.bone_heads[body.bone("upperleg01.L")]
    z, limb = figure.rest[:, 2], np.isin(figure.part, wardrobe.UPPER_ARMS + wardrobe.LOWER_ARMS)
    hand = np.isin(figure.part, (6, 15))
    above = np.where(figure.rest[:, 1] < neck[1], neck[2] + 0.03, neck[2] + 0.055)  # a round neckline, lower in front
    collar = np.hypot(figure.rest[:, 0], 1.25 * (z - above)) - 0.098
    collar[z > above] = np.minimum(collar, np.abs(figure.rest[:, 0]) - 0.098)[z > above]
    shirt = np.where(limb, (0.62 - figure.arm) * 0.27, np.minimum(z - (hip[2] - 0.05), collar))
    chin = (z > neck[2] - 0.05) & (figure.rest[:, 1] < neck[1] - 0.05)
    face = (figure.part == wardrobe.FACE) & ((z > neck[2] + 0.03) | chin)
    shirt[hand | (np.isin(figure.part, (8, 17, 5, 14))) | face] = -1
    legs = np.isin(figure.part, (12, 21, 8, 17))
    trousers = np.where(legs & (z < hip[2] - 0.02), (1.90 - figure.leg) * 0.4, (hip[2] + 0.0) - z)
    trousers[limb | hand | (figure.part == wardrobe.FACE) | np.isin(figure.part, (5, 14))] = -1
    garment(figure, "Trousers", trousers, 0.007, 10, 0.0016, denim(figure, hip), rng, 0.85)
    flare = 0.013 + 0.014 * np.clip((hip[2] + 0.10 - z) / 0.15, 0, 1) * ~limb
    flare = flare * np.where(limb, 1, np.clip(0.25 + collar / 0.08, 0.25, 1))  # close to the neck
    garment(figure, "Shirt", shirt, flare, 160, 0.0022, CLOTH, rng, 0.8, striped=True)
    foot = np.isin(figure.part, (5, 14))
    for label in (5, 14):
        shoe(figure, (figure.part == label) & (figure.leg < 2.6), np.array([0.24, 0.035, 0.03]), np.array([0.70, 0.68, 0.64]))
    # Skin well inside the clothes is left out, so that it cannot poke through.
    covered = (np.maximum(shirt, trousers) > 0.03) | foot
    mesh_object("Body", figure.vertices, figure.faces[~eyes & ~covered[figure.faces].all(1)], {"colour": shade}, skin_material)
    hair(figure, body, outfit, rng, hairs, 0.085)
    eyebrows(figure, outfit, under, rng, 900)
    return figure


def studio(figure: Figure, view: View) -> None:
    """A plaster cove, soft lights and a camera."""
    low, high = figure.vertices.min(0), figure.vertices.max(0)
    floor = float(low[2]) - 0.012
    material, tree, shader = material_of("Wall", Roughness=0.9)
    noise, ramp = tree.nodes.new("ShaderNodeTexNoise"), tree.nodes.new("ShaderNodeValToRGB")
    noise.inputs["Scale"].default_value, noise.inputs["Detail"].default_value = 1.6, 12
    ramp.color_ramp.elements[0].color, ramp.color_ramp.elements[1].color = (0.26, 0.30, 0.34, 1), (0.40, 0.45, 0.49, 1)
    ramp.color_ramp.elements[0].position, ramp.color_ramp.elements[1].position = 0.3, 0.7
    coordinates = tree.nodes.new("ShaderNodeTexCoord")
    tree.links.new(coordinates.outputs["Object"], noise.inputs["Vector"])
    tree.links.new(noise.outputs["Fac"], ramp.inputs[0])
    tree.links.new(ramp.outputs[0], shader.inputs["Base Color"])
    angle = np.linspace(0, np.pi / 2, 24)
    profile = np.concatenate([[[-6, 0]], np.stack([1.6 + np.sin(angle), 1 - np.cos(angle)], 1), [[2.6, 6]]])
    vertices = np.array([[x, y, floor + z] for x in (-7, 7) for y, z in profile])
    n = len(profile)
    quads = np.array([[i, i + 1, n + i + 1, n + i] for i in range(n - 1)])
    cove = mesh_object("Cove", vertices, quads, {}, material)
    cove.data.polygons.foreach_set("use_smooth", np.ones(len(quads), bool))
    for name, position, size, power, colour in (
        ("Key", (-1.9, -2.6, 2.1), 1.6, 165, (1, 0.95, 0.88)),
        ("Fill", (2.8, -2.4, 0.9), 2.6, 60, (0.88, 0.94, 1)),
        ("Rim", (1.5, 1.5, 2.1), 1.2, 40, (1, 1, 1)),
        ("Top", (0, 0.6, 3.0), 2.4, 60, (1, 1, 1)),
    ):
        light = bpy.data.lights.new(name, "AREA")
        light.size, light.energy, light.color = size, power, colour
        item = bpy.data.objects.new(name, light)
        bpy.context.scene.collection.objects.link(item)
        _aim(item, np.array(position), np.array([0, 0, 0.35]))
    camera = bpy.data.cameras.new("Camera")
    camera.lens, camera.sensor_fit = 60, "AUTO"
    item = bpy.data.objects.new("Camera", camera)
    bpy.context.scene.collection.objects.link(item)
    tall = (high[2] - floor) * view.part
    target = np.array([(low[0] + high[0]) / 2, 0, high[2] - tall / 2 + 0.01])
    azimuth = np.radians(view.azimuth)
    distance = tall * 1.17 * 60 / 36
    _aim(item, target + distance * np.array([np.sin(azimuth), -np.cos(azimuth), view.up]), target)
    bpy.context.scene.camera = item
    turn = Matrix.Rotation(np.radians(view.azimuth - FRONT.azimuth), 4, "Z")
    for item in (cove, *(item for item in bpy.context.scene.objects if item.type == "LIGHT")):
        bpy.context.view_layer.update()
        item.matrix_world = turn @ item.matrix_world


def _aim(item: bpy.types.Object, position: np.ndarray, target: np.ndarray) -> None:
    from mathutils import Vector

    item.location = position.tolist()
    item.rotation_euler = Vector((target - position).tolist()).to_track_quat("-Z", "Y").to_euler()


def render(path: Path, samples: int, scale: int, threads: int) -> None:
    """Path-trace the scene into a JPEG of at most 400 kB."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples, scene.cycles.use_denoising = "CPU", samples, True
    scene.cycles.seed, scene.cycles.max_bounces, scene.cycles.transparent_max_bounces = 1, 6, 12
    scene.render.threads_mode, scene.render.threads = "FIXED", threads
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = WIDTH, HEIGHT, scale
    scene.view_settings.view_transform = "AgX"
    scene.view_settings.look = "AgX - Punchy"
    scene.view_settings.exposure = 0.4
    scene.render.image_settings.file_format = "PNG"
    with tempfile.TemporaryDirectory() as folder:
        scene.render.filepath = str(Path(folder) / "photo.png")
        bpy.ops.render.render(write_still=True)
        photo = Image.open(scene.render.filepath).convert("RGB")
        # A trace of grain, as any sensor leaves it.
        grain = np.random.default_rng(SEED).normal(0, 1.1, (*photo.size[::-1], 3))
        photo = Image.fromarray(np.clip(np.asarray(photo) + grain, 0, 255).astype(np.uint8))
    photo.save(path, quality=92, subsampling=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--view", choices=VIEWS, default="front")
    parser.add_argument("--samples", type=int, default=10)
    parser.add_argument("--scale", type=int, default=100, help="per cent of 768 x 1024")
    parser.add_argument("--hairs", type=int, default=20000)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    figure = build(np.random.default_rng(SEED), options.hairs)
    studio(figure, VIEWS[options.view])
    render(options.output, options.samples, options.scale, options.threads)


if __name__ == "__main__":
    main()
