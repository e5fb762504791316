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
from .blender_mesh import material_of, mesh_object
from .body import Body, load_body
from .cloth import STRIPE, Place, denim, denim_folds, garment, shirt_look, waves
from .complexion import eyes, flushed, lashes, skin_material
from .fibres import eyebrows, hair
from .figure import Figure
from .footwear import shoe

SEED = 20260
WIDTH, HEIGHT = 768, 1024
HEM = 1.93
"""Where the jeans end, along the leg: 2 = ankle."""


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
    face = {"mouthSmileLeft": 0.42, "mouthSmileRight": 0.38, "cheekSquintLeft": 0.15, "cheekSquintRight": 0.15} | dict.fromkeys(
        ("eyeBlinkLeft", "eyeBlinkRight"), 0.03
    )
    figure = Figure(rng, body, phenotype, face)
    outfit = replace(
        wardrobe.random_outfit(rng, body, 0.0),
        skin=np.array([0.45, 0.245, 0.165]),
        lip=np.array([0.40, 0.16, 0.13]),
        beard=0.0,
        hairline=0.6,
        hair=-0.5,
        hair_colour=np.array([0.016, 0.008, 0.004]),
        iris=np.array([0.052, 0.026, 0.012]),
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
    shade[figure.ears > 0.15] = outfit.skin  # the hairs stop above them
    shade = flushed(figure, shade)
    skin, freckled = skin_material(figure)
    ball = (figure.eye > 0.5)[figure.faces].all(1)
    eyes(figure, body, outfit.iris, figure.faces[ball])

    shirt, trousers = _clothes(figure, body, rng)
    foot = np.isin(figure.part, wardrobe.FEET)
    for label in wardrobe.FEET:
        shoe(figure, (figure.part == label) & (figure.leg < 2.6))
    # Skin well inside the clothes is left out, so that it cannot poke through.
    covered = (np.maximum(shirt, trousers) > 0.03) | foot
    mesh_object(
        "Body",
        figure.vertices,
        figure.faces[~ball & ~covered[figure.faces].all(1)],
        {"colour": shade, "freckled": freckled},
        skin,
    )
    hair(figure, body, outfit, rng, hairs)
    eyebrows(figure, outfit, under, rng, 700)
    lashes(figure, body, rng, 160, outfit.hair_colour)
    return figure


def _clothes(figure: Figure, body: Body, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Shirt and jeans. Returns (V,) metres that the skin is inside the hems of each."""
    neck, hip = body.bone_heads[body.bone("neck01")], body.bone_heads[body.bone("upperleg01.L")]
    z, front = figure.rest[:, 2], figure.rest[:, 1] < neck[1] - 0.05
    hand, foot = np.isin(figure.part, (6, 15)), np.isin(figure.part, wardrobe.FEET)
    legs = np.isin(figure.part, wardrobe.SHANKS + wardrobe.THIGHS)
    face = (figure.part == wardrobe.FACE) & ((z > neck[2] + 0.03) | ((z > neck[2] - 0.05) & front))
    limb = np.isin(figure.part, wardrobe.UPPER_ARMS + wardrobe.LOWER_ARMS)

    def collar(place: Place) -> np.ndarray:
        """A round neckline, lower in front."""
        x, y, height = place.rest.T
        above = neck[2] + 0.03 + 0.025 * np.clip((y - neck[1] + 0.01) / 0.02, 0, 1)
        return np.where(
            height > above,
            np.minimum(np.hypot(x, 1.25 * (height - above)), np.abs(x)) - 0.089,
            np.hypot(x, 1.25 * (height - above)) - 0.089,
        )

    def shirt(place: Place) -> np.ndarray:
        trunk = np.minimum(place.rest[:, 2] - (hip[2] - 0.05), collar(place))
        return np.where(place.limb > 0.5, (0.62 - place.arm) * 0.27, trunk)

    def shirt_offset(place: Place) -> np.ndarray:
        flare = 0.013 + 0.014 * np.clip((hip[2] + 0.10 - place.rest[:, 2]) / 0.15, 0, 1) * (1 - place.limb)
        return flare * (place.limb + (1 - place.limb) * np.clip(0.12 + collar(place) / 0.08, 0.12, 1))  # close to the neck

    def trousers(place: Place) -> np.ndarray:
        below = (hip[2] - place.rest[:, 2]) > 0.02
        return np.where(below, (HEM - place.leg) * 0.42, hip[2] + 0.03 - place.rest[:, 2])

    def trouser_offset(place: Place) -> np.ndarray:
        return 0.006 + 0.014 * np.clip((place.leg - 0.5) / 1.2, 0, 1)

    wide, narrow = waves(rng, (18, 30), (1, 1, 0.6)), waves(rng, (60, 90), (1, 1, 0.3))
    place = Place.of(figure)
    worn = ~(hand | foot | limb | (figure.part == wardrobe.FACE))
    axis = np.stack([body.bone_heads[body.bone(bone)] for bone in ("upperleg01.L", "lowerleg01.L", "foot.L")])
    look = denim(axis, trousers, rng)
    garment(figure, "Trousers", trousers, worn, trouser_offset, 12, denim_folds(rng, HEM), look, 0.85)
    worn = ~(hand | foot | face | np.isin(figure.part, wardrobe.SHANKS))
    folds = lambda place: 0.0032 * wide(place) + 0.0008 * narrow(place)  # noqa: E731
    garment(figure, "Shirt", shirt, worn, shirt_offset, 160, folds, shirt_look(shirt, rng), 0.8)
    inside = np.where(worn, shirt(place), -1.0)
    return inside, np.where(legs | (z > hip[2] - 0.1) & ~limb & ~hand, trousers(place), -1.0)


def studio(figure: Figure, view: View) -> None:
    """A plaster cove, soft lights and a camera."""
    low, high = figure.vertices.min(0), figure.vertices.max(0)
    floor = float(low[2]) - 0.012
    material, _, shader = material_of("Wall", Roughness=0.9)
    shader.inputs["Base Color"].default_value = (0.36, 0.42, 0.43, 1)
    angle = np.linspace(0, np.pi / 2, 24)
    profile = np.concatenate([[[-6, 0]], np.stack([1.6 + np.sin(angle), 1 - np.cos(angle)], 1), [[2.6, 6]]])
    vertices = np.array([[x, y, floor + z] for x in (-7, 7) for y, z in profile])
    n = len(profile)
    quads = np.array([[i, i + 1, n + i + 1, n + i] for i in range(n - 1)])
    cove = mesh_object("Cove", vertices, quads, {}, material)
    cove.data.polygons.foreach_set("use_smooth", np.ones(len(quads), bool))
    for name, position, size, power, colour in (
        ("Key", (-1.7, -2.5, 1.9), 1.4, 190, (1, 0.94, 0.86)),
        ("Fill", (2.8, -2.4, 0.9), 2.6, 55, (0.88, 0.94, 1)),
        ("Rim", (1.6, 1.2, 1.7), 1.2, 34, (1, 0.97, 0.92)),
        ("Top", (0, 0.9, 3.2), 2.4, 45, (1, 1, 1)),
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
    """Path-trace the scene into a JPEG of at most 150 kB."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples, scene.cycles.use_denoising = "CPU", samples, True
    scene.cycles.seed, scene.cycles.max_bounces, scene.cycles.transparent_max_bounces = 1, 6, 32
    scene.render.threads_mode, scene.render.threads = "FIXED", threads
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = WIDTH, HEIGHT, scale
    scene.view_settings.view_transform = "AgX"
    scene.view_settings.look = "AgX - Punchy"
    scene.view_settings.exposure = 0.5
    scene.render.image_settings.file_format = "PNG"
    with tempfile.TemporaryDirectory() as folder:
        scene.render.filepath = str(Path(folder) / "photo.png")
        bpy.ops.render.render(write_still=True)
        photo = Image.open(scene.render.filepath).convert("RGB")
        # A trace of grain, as any sensor leaves it.
        grain = np.random.default_rng(SEED).normal(0, 1.1, (*photo.size[::-1], 3))
        photo = Image.fromarray(np.clip(np.asarray(photo) + grain, 0, 255).astype(np.uint8))
    photo.save(path, quality=90, subsampling=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--view", choices=VIEWS, default="front")
    parser.add_argument("--samples", type=int, default=12)
    parser.add_argument("--scale", type=int, default=100, help="per cent of 768 x 1024")
    parser.add_argument("--hairs", type=int, default=26000)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    figure = build(np.random.default_rng(SEED), options.hairs)
    studio(figure, VIEWS[options.view])
    render(options.output, options.samples, options.scale, options.threads)


if __name__ == "__main__":
    main()
