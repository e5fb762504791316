"""Hairs of the demo photographs, as curves: on the head, and along the brows."""

from __future__ import annotations

import bpy
import numpy as np
from scipy.spatial import cKDTree

from . import wardrobe
from .body import Body
from .figure import Figure

PARTING = 0.026
"""Metres left of the middle at which the hair parts."""


def hair(figure: Figure, body: Body, outfit: wardrobe.Outfit, rng: np.random.Generator, count: int) -> bpy.types.Object:
    """Short hair with a parting, swept aside above and combed back and down at the sides, in locks, as a curves object."""
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
    level = figure.heads[body.bone("eye.L")][2]
    middle = figure.heads[body.bone("head")]
    steps, points, here = 14, [root], root
    aside = np.where(root[:, 0] > PARTING, 1.0, -1.0)
    top = np.clip((root[:, 2] - level - 0.045) / 0.05, 0, 1)  # 0 at the temples, 1 above
    behind = np.clip((root[:, 1] - middle[1] - 0.03) / 0.06, 0, 1)
    fall = (0.024 + 0.068 * top) * rng.uniform(0.75, 1.1, count)
    swept = np.stack([aside * (1 - behind), 0.45 + 0.3 * behind, -0.25 - 0.6 * behind], 1)
    down = np.stack([np.zeros(count), 0.75 * (1 - behind), -np.ones(count)], 1)
    way = swept * top[:, None] + down * (1 - top[:, None]) + rng.normal(0, 0.09, (count, 3))
    for k in range(1, steps):
        _, near = tree.query(here)
        normal = normals[near]
        comb = way - normal * np.einsum("ij,ij->i", way, normal)[:, None]
        comb /= np.maximum(np.linalg.norm(comb, axis=1, keepdims=True), 1e-6)
        step = comb + normal * ((0.25 + 0.5 * top) * (1 - k / steps) ** 2)[:, None]
        here = here + step / np.linalg.norm(step, axis=1, keepdims=True) * (fall / steps)[:, None]
        _, near = tree.query(here)
        height = np.einsum("ij,ij->i", here - skull[near], normals[near])
        clear = 0.002 + (0.003 + 0.009 * top) * min(k / 4, 1)
        here = here + normals[near] * np.maximum(clear - height, 0)[:, None]
        points.append(here)
    strands = np.stack(points, 1)
    # Hairs gather in locks: towards their ends they bend to one among them.
    leader = rng.choice(count, count // 28, replace=False)
    _, own = cKDTree(root[leader] + [1, 0, 0] * aside[leader, None]).query(root + [1, 0, 0] * aside[:, None])
    share = (0.75 * np.linspace(0, 1, steps) ** 1.3)[None, :, None]
    strands = strands + share * (strands[leader][own] - strands)
    return curves_object("Hair", strands, 0.00014, outfit.hair_colour)


def eyebrows(figure: Figure, outfit: wardrobe.Outfit, under: np.ndarray, rng: np.random.Generator, count: int) -> None:
    """Hairs that lie outwards along the brows, steeper towards the nose. under (V,) bool: the skin below them."""
    faces = figure.faces[under[figure.faces].all(1)]
    chosen = faces[rng.integers(len(faces), size=count)]
    share = rng.dirichlet([1, 1, 1], count)[..., None]
    root = (figure.vertices[chosen] * share).sum(1)
    normal = (figure.normals[chosen] * share).sum(1)
    x = (figure.rest[chosen] * share).sum(1)[:, 0]
    steep = np.clip(1 - (np.abs(x) - 0.012) / 0.03, -0.35, 1)
    way = np.stack([np.sign(x), np.zeros(count), steep], 1) + rng.normal(0, 0.12, (count, 3))
    way -= normal * (way * normal).sum(1)[:, None]
    way *= (rng.uniform(0.005, 0.009, count) / np.linalg.norm(way, axis=1))[:, None]
    lifted = [root + t * way + normal * (0.0004 + 0.0012 * t * (1 - t)) for t in np.linspace(0, 1, 4)]
    curves_object("Brows", np.stack(lifted, 1), 0.00010, 0.5 * outfit.hair_colour)


def curves_object(name: str, strands: np.ndarray, radius: float, colour: np.ndarray) -> bpy.types.Object:
    """Hairs as a curves object: (n, steps, 3) points, metres at the root, a linear colour."""
    count, steps = strands.shape[:2]
    curves = bpy.data.hair_curves.new(name)
    curves.add_curves([steps] * count)
    curves.position_data.foreach_set("vector", strands.astype(np.float32).ravel())
    thinner = np.tile(np.linspace(1, 0.25, steps), count) * radius
    curves.attributes.new("radius", "FLOAT", "POINT").data.foreach_set("value", thinner.astype(np.float32))
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    nodes = material.node_tree
    fibre = nodes.nodes.new("ShaderNodeBsdfHairPrincipled")
    fibre.inputs["Color"].default_value = (*np.clip(colour, 0, 1), 1)
    fibre.inputs["Roughness"].default_value, fibre.inputs["Random Roughness"].default_value = 0.32, 0.4
    nodes.links.new(fibre.outputs[0], nodes.nodes["Material Output"].inputs["Surface"])
    curves.materials.append(material)
    item = bpy.data.objects.new(name, curves)
    bpy.context.scene.collection.objects.link(item)
    return item
