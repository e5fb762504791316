"""Skin and eyes of the demo photographs: blood under the skin, freckles, pores, an iris, lashes."""

from __future__ import annotations

import bpy
import numpy as np

from . import wardrobe
from .blender_mesh import attribute, blend, bump, material_of, maths, mesh_object, noise
from .body import Body
from .fibres import curves_object
from .figure import Figure

_IRIS, _PUPIL = 0.0059, 0.0023  # metres, radii


def flushed(figure: Figure, shade: np.ndarray, rounds: int = 2) -> np.ndarray:
    """(V, 3) linear albedo of the skin, redder on cheeks, nose and ears, its edges softened."""
    x, up, depth = np.abs(figure.rest[:, 0]), figure.head[:, 1], figure.head[:, 2]
    skin = (figure.part == wardrobe.FACE) & (figure.eye < 0.1) & (figure.inside < 0.1)
    cheek = np.exp(-(((x - 0.042) / 0.022) ** 2 + ((up + 0.32) / 0.17) ** 2)) * (depth < 0.42)
    nose = np.exp(-((x / 0.017) ** 2 + ((up + 0.36) / 0.13) ** 2)) * (depth < 0.2)
    red = np.where(skin, np.clip(0.75 * cheek + 0.8 * nose + 0.8 * figure.ears, 0, 1), 0)[:, None]
    shade = shade * (1 - red * [-0.05, 0.17, 0.15])
    for _ in range(rounds):
        shade = figure.relax @ shade
    return shade


def skin_material(figure: Figure) -> tuple[bpy.types.Material, np.ndarray]:
    """The material, and the (V,) attribute `freckled` 0..1 that it asks for beside `colour`."""
    material, tree, shader = material_of("Skin", Roughness=0.5, Subsurface_Weight=0.16, Subsurface_Scale=0.010, IOR=1.4)
    shader.inputs["Subsurface Radius"].default_value = (1.0, 0.35, 0.2)
    colour = attribute(tree, "colour", "Color")
    for scale, strength, tint in ((90.0, 1.4, (0.78, 0.62, 0.60)), (380.0, 1.5, (0.78, 0.68, 0.66))):
        share = maths(tree, "MULTIPLY", maths(tree, "SUBTRACT", noise(tree, scale), 0.35), strength)
        colour = blend(tree, share, colour, np.array(tint), "MULTIPLY")
    spots, coordinates = tree.nodes.new("ShaderNodeTexVoronoi"), tree.nodes.new("ShaderNodeTexCoord")
    spots.inputs["Scale"].default_value = 260.0
    tree.links.new(coordinates.outputs["Object"], spots.inputs["Vector"])
    spot = maths(tree, "LESS_THAN", spots.outputs["Distance"], 0.27)
    spot = maths(tree, "MULTIPLY", spot, maths(tree, "GREATER_THAN", noise(tree, 110.0), 0.52))
    spot = maths(tree, "MULTIPLY", maths(tree, "MULTIPLY", spot, attribute(tree, "freckled", "Fac")), 0.5)
    tree.links.new(blend(tree, spot, colour, np.array([0.60, 0.42, 0.36]), "MULTIPLY"), shader.inputs["Base Color"])
    rough = maths(tree, "ADD", maths(tree, "MULTIPLY", noise(tree, 300.0), 0.3), 0.34)
    tree.links.new(rough, shader.inputs["Roughness"])
    bump(tree, shader, 620, 0.45)
    x, up, depth = np.abs(figure.rest[:, 0]), figure.head[:, 1], figure.head[:, 2]
    band = np.exp(-(((up + 0.24) / 0.16) ** 2) - (x / 0.05) ** 2) * (depth < 0.4)
    return material, np.where((figure.part == wardrobe.FACE) & (figure.lips < 0.1), band, 0)


def eyes(figure: Figure, body: Body, iris: np.ndarray, faces: np.ndarray) -> None:
    """Wet eyeballs. faces (F, 3) theirs; iris a linear colour."""
    centre = np.where(figure.rest[:, :1] > 0, *(body.bone_heads[body.bone(b)] for b in ("eye.L", "eye.R")))
    off = figure.rest - centre
    radius = np.where(off[:, 1] < 0, np.hypot(off[:, 0], off[:, 2]), 0.02)
    material, tree, shader = material_of("Eyes", Roughness=0.08, Coat_Weight=1.0, Coat_Roughness=0.01)
    away = attribute(tree, "radius", "Fac")
    colour = blend(tree, maths(tree, "MULTIPLY", maths(tree, "GREATER_THAN", away, 0.0085), 0.5), np.array([0.60, 0.55, 0.52]),
                   np.array([0.50, 0.36, 0.33]))  # fmt: skip
    for size, ring in ((_IRIS, 0.25 * iris), (_IRIS - 0.0007, iris), (_PUPIL + 0.0010, 1.3 * iris), (_PUPIL, np.full(3, 0.002))):
        colour = blend(tree, maths(tree, "LESS_THAN", away, size), colour, ring)
    tree.links.new(colour, shader.inputs["Base Color"])
    mesh_object("Eyes", figure.vertices, faces, {"radius": radius}, material)


def lid_rims(figure: Figure, body: Body) -> list[tuple[np.ndarray, np.ndarray]]:
    """For either eye the (n,) vertices along the edges of its lids, and (n,) bool: the upper one's."""
    out = []
    for name in ("eye.L", "eye.R"):
        ball = figure.heads[body.bone(name)]
        off = figure.vertices - ball
        away = np.linalg.norm(off, axis=1)
        wet = (figure.eye > 0.9) & (away < 0.02)
        skin = (figure.part == wardrobe.FACE) & (figure.eye < 0.1) & (figure.inside < 0.5) & (off[:, 1] < -0.003)
        rim = np.flatnonzero(skin & (away < away[wet].max() + 0.0016))
        out.append((rim, off[rim, 2] > (off[rim, 2].min() + off[rim, 2].max()) / 2))
    return out


def lashes(figure: Figure, body: Body, rng: np.random.Generator, count: int, colour: np.ndarray) -> None:
    """Hairs along the lids, curved upwards and outwards; the lower ones short."""
    for (rim, upper), name in zip(lid_rims(figure, body), ("eye.L", "eye.R"), strict=True):
        chosen = rng.integers(len(rim), size=count)
        root, up = figure.vertices[rim[chosen]], upper[chosen]
        aside = (root[:, 0] - figure.heads[body.bone(name)][0]) / 0.014
        length = np.where(up, rng.uniform(0.005, 0.008, count), rng.uniform(0.002, 0.003, count))
        out = np.stack([0.5 * aside, -np.ones(count), np.where(up, 0.15, -0.45)], 1) + rng.normal(0, 0.08, (count, 3))
        rise = np.array([0, 0.25, 1.0]) * np.where(up, 0.8, -0.2)[:, None]
        points = [root + (t * out + t * t * rise) * length[:, None] for t in np.linspace(0, 1, 5)]
        curves_object(f"Lashes {name}", np.stack(points, 1), 0.00009, colour)
