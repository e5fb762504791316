"""Hairs of the demo photographs, as curves: on the head, and along the brows."""

from __future__ import annotations

import bpy
import numpy as np
from scipy.spatial import cKDTree

from . import wardrobe
from .body import Body
from .figure import Figure

PARTING = 0.024
"""Metres from the middle of the head to the parting, on the person's left."""
TOP, SIDE, NAPE = 0.088, 0.052, 0.034
"""Metres: lengths of the hair."""
STEPS = 16
VOLUME = (0.004, 0.017)
"""Metres above the skull that hair lies at the sides and on the top."""
LOOSE = 0.012
"""Metres beside the broadest place of the skull from which on a strand sticks out, as one that the ear holds up."""
BARE = 0.9
"""Share of the strands over the bare forehead that are combed out of it."""


def hair(figure: Figure, body: Body, outfit: wardrobe.Outfit, rng: np.random.Generator, count: int) -> bpy.types.Object:
    """Hairs as a curves object: short, parted on one side, over the top to both sides, back above the ears, down behind."""
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
    normals, skull, bare = figure.normals[head], figure.vertices[head], amount[head] <= 0
    middle = figure.heads[body.bone("head")] + np.array([0, 0.03, 0.10])
    broad = np.abs(skull[normals[:, 2] < 0.5, 0] - middle[0]).max() + LOOSE
    forward = np.linalg.norm(figure.vertices[scalp] - middle, axis=1).max()
    _, near = tree.query(root)
    top = np.clip(normals[near, 2] / 0.75, 0, 1)
    behind = np.clip((root[:, 1] - middle[1]) / (0.6 * forward), 0, 1)
    length = (top * TOP + (1 - top) * ((1 - behind) * SIDE + behind * NAPE)) * rng.uniform(0.8, 1.1, count)
    side = np.where(root[:, 0] > middle[0] + PARTING, 1.0, -1.0) * np.where(rng.random(count) < 0.03, -1, 1)
    side *= np.clip(1 - 2.5 * behind, 0, 1)  # the parting ends on the crown
    # Locks: neighbours wander together, and each a little by itself.
    wander = np.stack([np.sin(root @ rng.normal(0, 1, 3) * 90 + k) for k in range(3)], 1) * 0.12 + rng.normal(0, 0.07, (count, 3))
    over, beside, back = (np.stack(way, 1) for way in (
        (side, 0.45 + 0 * side, 0.1 + 0 * side), (0.1 * side, 0.75 + 0 * side, -0.7 + 0 * side), (0 * side, 0.1 + 0 * side, -1 + 0 * side)
    ))  # fmt: skip
    points, here, hidden = [root], root, np.zeros(count, bool)
    loose = np.zeros(count, bool)
    for k in range(1, STEPS):
        _, near = tree.query(here)
        normal = normals[near]
        upper = np.clip(normal[:, 2:] / 0.75, 0, 1)
        rear = np.clip((here[:, 1:2] - middle[1]) / (0.6 * forward), 0, 1)
        comb = upper * over + (1 - upper) * ((1 - rear) * beside + rear * back) + wander
        comb -= normal * np.einsum("ij,ij->i", comb, normal)[:, None]
        comb /= np.maximum(np.linalg.norm(comb, axis=1, keepdims=True), 1e-6)
        # Hair stands up at the parting and at the hairline in front, and falls over.
        lift = normal * ((0.3 + 0.5 * top) * (1 - k / STEPS) ** 2)[:, None]
        step = comb + lift
        here = here + step / np.linalg.norm(step, axis=1, keepdims=True) * (length / STEPS)[:, None]
        _, near = tree.query(here)
        height = np.einsum("ij,ij->i", here - skull[near], normals[near])
        least = VOLUME[0] + (VOLUME[1] - VOLUME[0]) * np.clip(normals[near, 2] / 0.75, 0, 1)
        here = here + normals[near] * np.maximum(least * min(k / 6, 1) - height, 0)[:, None]
        hidden |= bare[near] & (normals[near, 1] < -0.3)
        loose |= np.abs(here[:, 0] - middle[0]) > broad
        points.append(here)
    strands = np.stack(points, 1)[~loose & (~hidden | (rng.random(count) > BARE))]
    return curves_object("Hair", strands, 0.00014, outfit.hair_colour)


def eyebrows(figure: Figure, outfit: wardrobe.Outfit, under: np.ndarray, rng: np.random.Generator, count: int) -> None:
    """Hairs that lie outwards along the brows, steeper towards the nose. under (V,) bool: the skin below them."""
    faces = figure.faces[under[figure.faces].all(1)]
    well = under.astype(float)
    for _ in range(12):  # fewer hairs along the border of a brow
        well = figure.relax @ well
    often = well[faces].mean(1) ** 2
    chosen = faces[rng.choice(len(faces), count, p=often / often.sum())]
    share = rng.dirichlet([1, 1, 1], count)[..., None]
    root = (figure.vertices[chosen] * share).sum(1)
    normal = (figure.normals[chosen] * share).sum(1)
    x = (figure.rest[chosen] * share).sum(1)[:, 0]
    steep = np.clip(1 - (np.abs(x) - 0.012) / 0.03, -0.35, 1)
    way = np.stack([np.sign(x), np.zeros(count), steep], 1) + rng.normal(0, 0.12, (count, 3))
    way -= normal * (way * normal).sum(1)[:, None]
    way *= (rng.uniform(0.005, 0.009, count) / np.linalg.norm(way, axis=1))[:, None]
    lifted = [root + t * way + normal * (0.0004 + 0.0012 * t * (1 - t)) for t in np.linspace(0, 1, 4)]
    curves_object("Brows", np.stack(lifted, 1), 0.00006, 0.8 * outfit.hair_colour)


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
    fibre.inputs["Roughness"].default_value, fibre.inputs["Random Roughness"].default_value = 0.42, 0.4
    nodes.links.new(fibre.outputs[0], nodes.nodes["Material Output"].inputs["Surface"])
    curves.materials.append(material)
    item = bpy.data.objects.new(name, curves)
    bpy.context.scene.collection.objects.link(item)
    return item
