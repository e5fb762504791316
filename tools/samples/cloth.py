"""Clothes of the demo photographs: shells over a figure, a sailor's shirt and worn jeans."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import bpy
import numpy as np

from . import wardrobe
from .blender_mesh import attribute, bump, material_of, mesh_object
from .body import vertex_normals
from .figure import Figure, smoothing, subdivide

CLOTH, STRIPE = np.array([0.50, 0.27, 0.055]), np.array([0.012, 0.022, 0.055])
"""Of the shirt: mustard, and navy."""
DENIM, THREAD = np.array([0.026, 0.046, 0.098]), np.array([0.36, 0.17, 0.05])
"""Of the jeans, and of their stitches."""
POCKET = (0.082, 0.062, 0.135)
"""Metres from the middle of the body to that of a pocket behind, half of its width, and how far below the hip it ends."""
PERIOD, SHARE, PLAIN = 0.034, 0.36, 0.024
"""Metres from stripe to stripe, how much of that is blue, and the width of the bands along hems, which have none."""
SEAM = 0.05
"""Metres over which a sleeve turns into the trunk."""
BEYOND = 0.06
"""Metres beyond a hem to which a shell reaches while it is smoothed."""
MARGIN = 0.006
"""Metres beyond a hem that are kept, transparent."""
LEVELS = 2
"""Times that each triangle of a shell becomes four, for colours by vertex that are finer than a pixel."""


@dataclass(frozen=True, eq=False)
class Place:
    """Where n points of a shell are on the resting body.

    rest  (n, 3) metres;  arm, leg  (n,) along them, 1 = elbow or knee, 2 = wrist or ankle;  limb  (n,) 0..1 share of an arm
    """

    rest: np.ndarray
    arm: np.ndarray
    leg: np.ndarray
    limb: np.ndarray

    def mapped(self, matrix: object) -> Place:
        return Place(*(matrix @ values for values in (self.rest, self.arm, self.leg, self.limb)))

    @staticmethod
    def of(figure: Figure) -> Place:
        limb = np.isin(figure.part, wardrobe.UPPER_ARMS + wardrobe.LOWER_ARMS).astype(float)
        return Place(np.asarray(figure.rest), np.asarray(figure.arm), np.asarray(figure.leg), limb)


Values = Callable[[Place], np.ndarray]


def garment(
    figure: Figure,
    name: str,
    cut: Values,
    allowed: np.ndarray,
    offset: Values,
    rounds: int,
    folds: Values,
    look: Values,
    rough: float,
) -> bpy.types.Object:
    """A cloth shell: the skin inside of its hems, smoothed so that it bridges hollows, lifted and folded.

    cut     (n,) metres inside the hem;  allowed  (V,) bool: the skin that it may lie on
    offset  (n,) metres above the skin;  rounds  of smoothing;  folds  (n,) metres of relief
    look    (n, 3) linear colours
    """
    place = Place.of(figure)
    keep = allowed & (cut(place) > -BEYOND)
    faces = figure.faces[keep[figure.faces].all(1)]
    used = np.unique(faces)
    index = np.full(len(keep), -1)
    index[used] = np.arange(len(used))
    faces = index[faces].astype(np.int32)
    relax = smoothing(faces, len(used))
    base = figure.vertices[used].astype(float)
    smooth, place = base, Place(place.rest[used], place.arm[used], place.leg[used], place.limb[used])
    for _ in range(rounds):  # the cloth's own coordinates move with it, so that hems and seams are as smooth as it is
        smooth, place = relax @ smooth, place.mapped(relax)
    normals = vertex_normals(smooth.astype(np.float32), faces)
    # Never inside the body: at least the offset above the skin along its own normal.
    below = np.clip(np.einsum("ij,ij->i", base - smooth, figure.normals[used]), 0, 0.03)
    for _ in range(rounds // 10):  # cloth spans what it lies on, and shows none of it
        below = np.maximum(relax @ below, 0.5 * below)
    smooth = smooth + normals * (0.9 * below + offset(place))[:, None]
    for _ in range(LEVELS):
        faces, matrix = subdivide(faces, len(smooth))
        smooth, place = matrix @ smooth, place.mapped(matrix)
        relax = smoothing(faces, len(smooth))
        for amount in (0.6, -0.35):
            smooth = smooth + amount * (relax @ smooth - smooth)
    smooth = smooth + vertex_normals(smooth.astype(np.float32), faces) * folds(place)[:, None]
    material, tree, shader = material_of(name, Roughness=rough, Sheen_Weight=0.25)
    tree.links.new(attribute(tree, "colour", "Color"), shader.inputs["Base Color"])
    bump(tree, shader, 900, 0.25)
    _cut_away(tree, shader)
    inside = cut(place)
    faces = faces[(inside[faces] > -MARGIN).any(1)]
    posed = Place(np.column_stack([place.rest, smooth]), place.arm, place.leg, place.limb)
    item = mesh_object(name, smooth, faces, {"cut": inside, "colour": look(posed)}, material)
    thick = item.modifiers.new("Thickness", "SOLIDIFY")
    thick.thickness, thick.offset = 0.0025, 0.0
    return item


def _cut_away(tree: bpy.types.NodeTree, shader: bpy.types.Node) -> None:
    """Transparent where the attribute `cut` is negative."""
    mix, clear, compare = (tree.nodes.new(n) for n in ("ShaderNodeMixShader", "ShaderNodeBsdfTransparent", "ShaderNodeMath"))
    compare.operation, compare.inputs[1].default_value = "GREATER_THAN", 0.0
    tree.links.new(attribute(tree, "cut", "Fac"), compare.inputs[0])
    tree.links.new(compare.outputs[0], mix.inputs[0])
    tree.links.new(clear.outputs[0], mix.inputs[1])
    tree.links.new(shader.outputs[0], mix.inputs[2])
    tree.links.new(mix.outputs[0], tree.nodes["Material Output"].inputs["Surface"])


def waves(rng: np.random.Generator, scales: tuple[float, ...], stretch: tuple[float, float, float] = (1, 1, 1)) -> Values:
    """A smooth random relief of height about 1. scales: waves in 1/m; stretch: how much of each scale every axis of rest has."""
    ways = [(rng.normal(0, 1, 3) * stretch * scale, rng.uniform(0, 6)) for scale in scales for _ in range(2)]
    return lambda place: sum(np.sin(place.rest @ way + phase) for way, phase in ways) / len(ways) ** 0.5


def shirt_look(cut: Values, rng: np.random.Generator) -> Values:
    """Stripes round trunk and sleeves, but for plain bands along the hems, seams where the sleeves begin, and stitches."""

    def look(place: Place) -> np.ndarray:
        rest, posed = place.rest[:, :3], place.rest[:, 3:]
        inside = cut(Place(rest, place.arm, place.leg, place.limb))
        along = np.where(place.limb > 0.5, place.arm * 0.27, posed[:, 2])
        from_edge = (SHARE / 2 - np.abs(np.mod(along / PERIOD, 1) - SHARE / 2)) * PERIOD
        blue = _edge(np.minimum(from_edge, inside - PLAIN))
        colour = (CLOTH + blue[:, None] * (STRIPE - CLOTH)) * _grain(rng, len(along), 0.05)
        dark = 0.4 * _edge(0.0016 - np.abs(place.limb - 0.5) * SEAM) + 0.3 * _edge(0.0009 - np.abs(inside - PLAIN))
        return colour * (1 - dark)[:, None]

    return look


def denim(axis: np.ndarray, hem: Values, rng: np.random.Generator) -> Values:
    """Worn jeans: pale on thighs and knees and along creases at the hips, seams on either side of each leg with their stitches.

    axis  (3, 3) hip, knee and ankle of the resting left leg
    """

    def look(place: Place) -> np.ndarray:
        leg = np.clip(place.leg, 0, 2)
        middle = np.stack([np.interp(leg, (0, 1, 2), axis[:, k]) for k in range(3)], axis=1)
        x, y, z = np.abs(place.rest[:, 0]) - middle[:, 0], place.rest[:, 1] - middle[:, 1], place.rest[:, 2] - axis[0, 2]
        front = np.clip(-y / 0.06, 0, 1)
        worn = front * np.exp(-(((place.leg - 0.5) / 0.4) ** 2)) + 0.6 * front * np.exp(-(((place.leg - 1.05) / 0.2) ** 2))
        creased = np.exp(-(((z + 0.10) / 0.07) ** 2)) * front * np.clip(np.sin((z + 0.35 * np.abs(x)) / 0.0065), 0, 1)
        colour = DENIM * (1 + 2.0 * worn + 0.9 * creased)[:, None] * _grain(rng, len(x), 0.16)
        colour *= (1 - 0.55 * _edge(0.002 - np.abs(y)))[:, None]
        dashed = np.mod(place.leg * 0.42 / 0.0055, 1) < 0.62
        end = hem(Place(place.rest[:, :3], place.arm, place.leg, place.limb))
        around = np.mod(np.arctan2(y, x) / 0.09, 1) < 0.62
        stitch = np.maximum(
            dashed * (x > 0) * _edge(0.0009 - np.abs(y + 0.0065)), around * (leg > 1.5) * _edge(0.0009 - np.abs(end - 0.0139))
        )
        aside = np.abs(np.abs(place.rest[:, 0]) - POCKET[0])
        pocket = np.minimum(POCKET[1] - aside, z + POCKET[2] - 0.3 * aside)  # metres inside of a pocket behind
        colour *= (1 - 0.35 * (y > 0) * _edge(0.0012 - np.abs(pocket)))[:, None]
        stitch = np.maximum(stitch, (y > 0) * np.maximum(*(_edge(0.0008 - np.abs(pocket - at)) for at in (0.004, 0.009))) * 0.8)
        return colour + stitch[:, None] * (THREAD - colour)

    return look


def denim_folds(rng: np.random.Generator, hem: float) -> Values:
    """Long shallow folds, and short ones that stack above the shoe and behind the knee."""
    long, bent = waves(rng, (22, 34), (1, 1, 0.35)), waves(rng, (14, 20))

    def folds(place: Place) -> np.ndarray:
        down = place.leg * 0.42 + 0.012 * bent(place)
        stacked = np.exp(-(((place.leg - hem + 0.12) / 0.13) ** 2)) + 0.5 * np.exp(-(((place.leg - 1.02) / 0.09) ** 2))
        return 0.0016 * long(place) + 0.0036 * stacked * np.sin(down * 2 * np.pi / 0.036)

    return folds


def _edge(inside: np.ndarray) -> np.ndarray:
    """0..1: 1 well inside of something, 0 outside, over about the distance of the vertices. inside: metres."""
    return np.clip(0.5 + inside / 0.0016, 0, 1)


def _grain(rng: np.random.Generator, count: int, amount: float) -> np.ndarray:
    """(count, 1) factors around 1, one of every yarn."""
    return 1 + amount * rng.normal(0, 1, (count, 1)).clip(-2, 2)
