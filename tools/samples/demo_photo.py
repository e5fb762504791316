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
from scipy.spatial import cKDTree

from . import wardrobe
from .body import Body, load_body, vertex_normals
from .figure import Figure, smoothing

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


def _mesh(
    name: str, vertices: np.ndarray, faces: np.ndarray, values: dict[str, np.ndarray], material: bpy.types.Material
) -> bpy.types.Object:
    """A smooth mesh object with float or colour attributes per vertex."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices.tolist(), [], faces.tolist())
    for key, array in values.items():
        if array.ndim == 1:
            mesh.attributes.new(key, "FLOAT", "POINT").data.foreach_set("value", array.astype(np.float32))
        else:
            rgba = np.concatenate([array, np.ones((len(array), 1))], 1).astype(np.float32)
            mesh.attributes.new(key, "FLOAT_COLOR", "POINT").data.foreach_set("color", rgba.ravel())
    mesh.shade_smooth()
    mesh.materials.append(material)
    item = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(item)
    return item


def _material(name: str, **inputs: object) -> tuple[bpy.types.Material, bpy.types.ShaderNodeTree, bpy.types.Node]:
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    shader = material.node_tree.nodes["Principled BSDF"]
    for key, value in inputs.items():
        shader.inputs[key.replace("_", " ")].default_value = value
    return material, material.node_tree, shader


def _attribute(tree: bpy.types.NodeTree, name: str, output: str) -> bpy.types.NodeSocket:
    node = tree.nodes.new("ShaderNodeAttribute")
    node.attribute_name = name
    return node.outputs[output]


def _bump(tree: bpy.types.NodeTree, shader: bpy.types.Node, scale: float, strength: float, distance: float = 0.001) -> None:
    noise, bump = tree.nodes.new("ShaderNodeTexNoise"), tree.nodes.new("ShaderNodeBump")
    noise.inputs["Scale"].default_value, noise.inputs["Detail"].default_value = scale, 8
    bump.inputs["Strength"].default_value, bump.inputs["Distance"].default_value = strength, distance
    coordinates = tree.nodes.new("ShaderNodeTexCoord")
    tree.links.new(coordinates.outputs["Object"], noise.inputs["Vector"])
    tree.links.new(noise.outputs["Fac"], bump.inputs["Height"])
    tree.links.new(bump.outputs["Normal"], shader.inputs["Normal"])


def _cut_away(tree: bpy.types.NodeTree, shader: bpy.types.Node) -> None:
    """Transparent where the attribute `cut` is negative: hems follow a smooth line, not the triangles."""
    mix, clear, compare = (tree.nodes.new(n) for n in ("ShaderNodeMixShader", "ShaderNodeBsdfTransparent", "ShaderNodeMath"))
    compare.operation, compare.inputs[1].default_value = "GREATER_THAN", 0.0
    tree.links.new(_attribute(tree, "cut", "Fac"), compare.inputs[0])
    tree.links.new(compare.outputs[0], mix.inputs[0])
    tree.links.new(clear.outputs[0], mix.inputs[1])
    tree.links.new(shader.outputs[0], mix.inputs[2])
    tree.links.new(mix.outputs[0], tree.nodes["Material Output"].inputs["Surface"])


def garment(
    figure: Figure,
    name: str,
    cut: np.ndarray,
    offset: float | np.ndarray,
    rounds: int,
    folds: float,
    colour: np.ndarray,
    rng: np.random.Generator,
    rough: float,
) -> bpy.types.Object:
    """A cloth shell: the skin where cut > -0.04 m, smoothed so that it bridges hollows, lifted and folded.

    cut (V,) metres inside the hem; offset metres above the skin; rounds of smoothing; folds metres high.
    """
    keep = cut > -0.04
    faces = figure.faces[keep[figure.faces].all(1)]
    vertices = figure.vertices.copy()
    used = np.unique(faces)
    index = np.full(len(vertices), -1)
    index[used] = np.arange(len(used))
    faces = index[faces].astype(np.int32)
    relax = smoothing(faces, len(used))
    base = vertices[used]
    smooth = base
    for _ in range(rounds):
        smooth = relax @ smooth
    normals = vertex_normals(smooth.astype(np.float32), faces)
    # Never inside the body: at least the offset above the skin along its own normal.
    below = np.clip(np.einsum("ij,ij->i", base - smooth, figure.normals[used]), 0, 0.03)
    for _ in range(rounds // 10):  # cloth spans what it lies on, and shows none of it
        below = np.maximum(relax @ below, 0.5 * below)
    smooth = smooth + normals * (0.9 * below + np.broadcast_to(offset, keep.shape)[used])[:, None]
    rest = figure.rest[used]
    wave = sum(np.sin(rest @ rng.normal(0, 1, 3) * f + rng.uniform(0, 6)) for f in (26, 34, 47, 60)) / 4
    wave += 0.5 * sum(np.sin(rest @ (rng.normal(0, 1, 3) * [1, 1, 0.25]) * f) for f in (90, 120)) / 2
    smooth = smooth + normals * (folds * wave)[:, None]
    material, tree, shader = _material(name, Base_Color=(*colour, 1), Roughness=rough, Sheen_Weight=0.25)
    _bump(tree, shader, 900, 0.25)
    _cut_away(tree, shader)
    item = _mesh(name, smooth, faces, {"cut": cut[used]}, material)
    thick = item.modifiers.new("Thickness", "SOLIDIFY")
    thick.thickness, thick.offset = 0.0025, 0.0
    return item


def shoe(figure: Figure, foot: np.ndarray, upper: np.ndarray, sole: np.ndarray) -> None:
    """A closed shoe around the foot's vertices: their convex hull, remeshed, rounded, flat below; another colour up to 22 mm."""
    import bmesh

    floor = float(figure.vertices[:, 2].min()) - 0.012
    points = figure.vertices[foot] + figure.normals[foot] * 0.004
    shell = bmesh.new()
    for point in points.tolist():
        shell.verts.new(point)
    hull = bmesh.ops.convex_hull(shell, input=shell.verts)
    bmesh.ops.delete(
        shell,
        geom=[v for v in set(hull["geom_interior"] + hull["geom_unused"]) if isinstance(v, bmesh.types.BMVert)],
        context="VERTS",
    )
    material, tree, shader = _material("Shoe", Roughness=0.5)
    _bump(tree, shader, 700, 0.15)
    coordinates, split, compare, mix = (
        tree.nodes.new(n) for n in ("ShaderNodeNewGeometry", "ShaderNodeSeparateXYZ", "ShaderNodeMath", "ShaderNodeMix")
    )
    mix.data_type, compare.operation, compare.inputs[1].default_value = "RGBA", "LESS_THAN", floor + 0.022
    tree.links.new(coordinates.outputs["Position"], split.inputs[0])
    tree.links.new(split.outputs["Z"], compare.inputs[0])
    tree.links.new(compare.outputs[0], mix.inputs["Factor"])
    mix.inputs[6].default_value, mix.inputs[7].default_value = (*upper, 1), (*sole, 1)
    tree.links.new(mix.outputs[2], shader.inputs["Base Color"])
    mesh = bpy.data.meshes.new("Shoe")
    shell.to_mesh(mesh)
    shell.free()
    mesh.materials.append(material)
    item = bpy.data.objects.new("Shoe", mesh)
    bpy.context.scene.collection.objects.link(item)
    blocks = item.modifiers.new("Remesh", "REMESH")
    blocks.mode, blocks.voxel_size, blocks.use_smooth_shade = "VOXEL", 0.004, True
    rounding = item.modifiers.new("Round", "SMOOTH")
    rounding.factor, rounding.iterations = 0.5, 12


def hair(
    figure: Figure, body: Body, outfit: wardrobe.Outfit, rng: np.random.Generator, count: int, length: float
) -> bpy.types.Object:
    """Hairs combed back and down over the skull as a curves object."""
    amount = wardrobe.hair_amount(outfit, figure.head)
    scalp = (amount > 0) & (figure.part == wardrobe.FACE) & (figure.ears < 0.2) & (figure.eye < 0.1) & (figure.inside < 0.1)
    faces = figure.faces[scalp[figure.faces].all(1)]
    a, b, c = (figure.vertices[faces[:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    chosen = rng.choice(len(faces), count, p=area / area.sum())
    u, v = rng.random((2, count))
    u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
    root = a[chosen] * (1 - u - v)[:, None] + b[chosen] * u[:, None] + c[chosen] * v[:, None]
    head = (figure.part == wardrobe.FACE) & (figure.ears < 0.1)  # hair falls past the ears, not round them
    tree = cKDTree(figure.vertices[head])
    normals, skull = figure.normals[head], figure.vertices[head]
    crown = figure.heads[body.bone("head")] + np.array([0, 0.03, 0.19])
    steps, points, here = 14, [root], root
    fall = length * rng.uniform(0.75, 1.1, count) * (1 - 0.25 * rng.random(count))
    wander = rng.normal(0, 0.10, (count, 3))
    for k in range(1, steps):
        _, near = tree.query(here)
        normal = normals[near]
        away = here - crown
        comb = away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-6) * 0.7 + np.array([0, 0.55, -0.75]) + wander
        comb -= normal * np.einsum("ij,ij->i", comb, normal)[:, None]
        comb /= np.maximum(np.linalg.norm(comb, axis=1, keepdims=True), 1e-6)
        lift = normal * (0.75 * (1 - k / steps) ** 2)
        step = comb + lift
        here = here + step / np.linalg.norm(step, axis=1, keepdims=True) * (fall / steps)[:, None]
        _, near = tree.query(here)
        height = np.einsum("ij,ij->i", here - skull[near], normals[near])
        here = here + normals[near] * np.maximum(0.004 + 0.010 * min(k / 5, 1) - height, 0)[:, None]
        points.append(here)
    strands = np.stack(points, 1).astype(np.float32)
    curves = bpy.data.hair_curves.new("Hair")
    curves.add_curves([steps] * count)
    curves.position_data.foreach_set("vector", strands.ravel())
    radius = np.tile(np.linspace(1, 0.25, steps), count) * 0.00014
    curves.attributes.new("radius", "FLOAT", "POINT").data.foreach_set("value", radius.astype(np.float32))
    material = bpy.data.materials.new("Hair")
    material.use_nodes = True
    nodes = material.node_tree
    fibre = nodes.nodes.new("ShaderNodeBsdfHairPrincipled")
    fibre.inputs["Color"].default_value = (*np.clip(outfit.hair_colour, 0, 1), 1)
    fibre.inputs["Roughness"].default_value, fibre.inputs["Random Roughness"].default_value = 0.32, 0.4
    nodes.links.new(fibre.outputs[0], nodes.nodes["Material Output"].inputs["Surface"])
    curves.materials.append(material)
    item = bpy.data.objects.new("Hair", curves)
    bpy.context.scene.collection.objects.link(item)
    return item


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
        "cupsize": 0.3,
        "firmness": 0.6,
        "african": 0.3,
        "asian": 0.25,
        "caucasian": 0.45,
    }
    face = {"mouthSmileLeft": 0.42, "mouthSmileRight": 0.38, "cheekSquintLeft": 0.2, "cheekSquintRight": 0.2}
    figure = Figure(rng, body, phenotype, face)
    outfit = replace(
        wardrobe.random_outfit(rng, body, 0.0),
        skin=np.array([0.47, 0.27, 0.19]),
        lip=np.array([0.42, 0.15, 0.13]),
        beard=0.0,
        hairline=0.6,
        hair=-0.62,
        hair_colour=np.array([0.045, 0.020, 0.009]),
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
    skin_material, tree, shader = _material("Skin", Roughness=0.48, Subsurface_Weight=0.12, Subsurface_Scale=0.012, IOR=1.4)
    shader.inputs["Subsurface Radius"].default_value = (1.0, 0.35, 0.2)
    tree.links.new(_attribute(tree, "colour", "Color"), shader.inputs["Base Color"])
    _bump(tree, shader, 1100, 0.12)
    ball = figure.eye > 0.5
    eyes = ball[figure.faces].all(1)
    eye_material, tree, shader = _material("Eyes", Roughness=0.06, Coat_Weight=1.0, Coat_Roughness=0.02)
    tree.links.new(_attribute(tree, "colour", "Color"), shader.inputs["Base Color"])
    _mesh("Eyes", figure.vertices, figure.faces[eyes], {"colour": shade}, eye_material)

    neck, hip = body.bone_heads[body.bone("neck01")], body.bone_heads[body.bone("upperleg01.L")]
    z, limb = figure.rest[:, 2], np.isin(figure.part, wardrobe.UPPER_ARMS + wardrobe.LOWER_ARMS)
    hand = np.isin(figure.part, (6, 15))
    radial = np.hypot(figure.rest[:, 0], figure.rest[:, 1] - neck[1] + 0.02)
    collar = np.maximum(radial - 0.088, neck[2] - 0.05 - z)
    shirt = np.where(limb, (0.62 - figure.arm) * 0.27, np.minimum(z - (hip[2] - 0.05), collar))
    chin = (z > neck[2] - 0.05) & (figure.rest[:, 1] < neck[1] - 0.05)
    face = (figure.part == wardrobe.FACE) & ((z > neck[2] + 0.03) | chin)
    shirt[hand | (np.isin(figure.part, (8, 17, 5, 14))) | face] = -1
    legs = np.isin(figure.part, (12, 21, 8, 17))
    trousers = np.where(legs & (z < hip[2] - 0.02), (1.90 - figure.leg) * 0.4, (hip[2] + 0.0) - z)
    trousers[limb | hand | (figure.part == wardrobe.FACE) | np.isin(figure.part, (5, 14))] = -1
    garment(figure, "Trousers", trousers, 0.007, 10, 0.0016, np.array([0.045, 0.06, 0.10]), rng, 0.85)
    flare = 0.013 + 0.014 * np.clip((hip[2] + 0.10 - z) / 0.15, 0, 1) * ~limb
    garment(figure, "Shirt", shirt, flare, 160, 0.0022, np.array([0.50, 0.17, 0.10]), rng, 0.8)
    foot = np.isin(figure.part, (5, 14))
    for label in (5, 14):
        shoe(figure, (figure.part == label) & (figure.leg < 2.6), np.array([0.035, 0.035, 0.04]), np.array([0.62, 0.60, 0.57]))
    # Skin well inside the clothes is left out, so that it cannot poke through.
    covered = (np.maximum(shirt, trousers) > 0.03) | foot
    _mesh("Body", figure.vertices, figure.faces[~eyes & ~covered[figure.faces].all(1)], {"colour": shade}, skin_material)
    hair(figure, body, outfit, rng, hairs, 0.085)
    return figure


def studio(figure: Figure, view: View) -> None:
    """A plaster cove, soft lights and a camera."""
    low, high = figure.vertices.min(0), figure.vertices.max(0)
    floor = float(low[2]) - 0.012
    material, tree, shader = _material("Wall", Roughness=0.9)
    noise, ramp = tree.nodes.new("ShaderNodeTexNoise"), tree.nodes.new("ShaderNodeValToRGB")
    noise.inputs["Scale"].default_value, noise.inputs["Detail"].default_value = 1.6, 12
    ramp.color_ramp.elements[0].color, ramp.color_ramp.elements[1].color = (0.30, 0.33, 0.35, 1), (0.46, 0.48, 0.49, 1)
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
    cove = _mesh("Cove", vertices, quads, {}, material)
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
    scene.view_settings.look = "AgX - Medium High Contrast"
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
