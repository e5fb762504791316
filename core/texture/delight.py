"""Intrinsic decomposition (delighting): the albedo of the surface, from a photo in whatever light it was taken.

The photo is modelled as  I = albedo · S + G  with S the light that reaches a matt surface and G what the surface mirrors. Both
are linear in the radiance of a sphere of directions (`core.texture.lighting`), with the shadows that the person casts on
themself. The radiance is fitted per colour channel, under the assumption that each material of the person has a few colours only.
Smooth differences that are then left inside of a material count as light as well. Fine detail always counts as albedo.

The fit runs on a few thousand cells, whatever the size of the photo; only the last step, albedo = (I - G) / S, visits all pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..common.arrays import Camera
from ..common.colour import LUMINANCE
from ..common.landmarks import part_labels
from ..surface.materials import MATERIALS, material_of_label, parts_of
from .colour_clusters import split_colours
from .inpaint import push_pull
from .lighting import Cells, diffuse_transfer, directions, fit_radiance, glossy_transfer, make_cells, visibility
from .settings import DelightSettings

FEWEST_CELLS = 60
"""Below this nothing can be told about the light."""
BRIGHTEST = 0.9
"""Linear albedo of fresh snow and of the whitest cloth."""
MOST_MIRRORED = 0.6
"""Share of a colour that may count as mirrored: the model of the gloss is a rough one, and hair is no plane."""
SAME_SURFACE = 0.05
"""Metres in depth between neighbouring cells of one surface."""
LEAST_ROUGHNESS = 0.7
"""Least roughness that the fit works with: a mirror's lobe must be wider than the 29 degrees between the directions."""
GAIN_SAMPLES = 200_000
"""Pixels of the photo that are looked at to keep its brightness."""
ONE_NORMAL = 0.97
"""Length of the mean of four unit normals from which they count as one: 14 degrees apart from it."""
LEAST_LIGHT = 0.1
"""Of the usual light: no place on a person is darker, for light comes back from clothes and walls."""
TINT = 1.7
"""How much more or less of one channel than of the others light may hold, beside the usual light: a few directions of the sphere
that is fitted can be of any colour, and what only they reach would turn grey or white."""
ROOM = 0.5
"""Logarithm of how much brighter than its material a place in the dark may be, and twice that in half of the usual light. Where
the model lets too little light in, as under an arm, the quotient would be white."""
DARKEST = 0.004
"""Linear values below this are noise of the camera and of 8 bits."""


@dataclass(frozen=True, eq=False)
class Delighted:
    """albedo_linear (H, W, 3) float32, 0 outside of the person; highlight (H, W) float32: white light, in units of the light on
    a matt white surface, that the pixel shows beyond its surroundings."""

    albedo_linear: np.ndarray
    highlight: np.ndarray


def delight(
    colour: np.ndarray,
    labels: np.ndarray,
    normal: np.ndarray,
    depth: np.ndarray,
    camera: Camera,
    settings: DelightSettings | None = None,
) -> Delighted | None:
    """The albedo of a person in a photo.

    colour  (H, W, 3) float32 linear: the photo, best without background in the pixels of the border
    labels  (H, W) uint8: body parts, 0 = not the person
    normal  (H, W, 3) float32 camera space, unit, towards the camera
    depth   (H, W) float32 metres, 0 = none

    Brightness is free: the median luminance of the skin (of everything, where no skin is seen) stays as it is in the photo,
    unless that makes the surface brighter than any is. Returns None if too little of the person is seen, or in too little light,
    to tell light from colour.
    """
    settings = settings or DelightSettings()
    normal, depth = np.nan_to_num(normal), np.nan_to_num(depth, posinf=0, neginf=0)
    known = (labels > 0) & (depth > 0) & (np.einsum("ijk,ijk->ij", normal, normal) > 0.25)
    cells = make_cells(colour, np.where(known, labels, 0).astype(np.uint8), normal, depth, camera, settings.cells)
    if np.count_nonzero(cells.valid) < FEWEST_CELLS or np.percentile(cells.colour[cells.valid].max(axis=1), 95) <= DARKEST:
        return None
    light = _fit(cells, camera, settings)
    result = _apply(colour, labels, normal, depth, cells, light)
    return Delighted(result.albedo_linear * _gain(result.albedo_linear, colour, labels), result.highlight)


@dataclass(frozen=True, eq=False)
class _Light:
    """occlusion (h, w, 3): S over the light without shadows; mirrored (h, w, 3); albedo (h, w, 3) of the
    materials; radiance (D, 3) of towards (D, 3); usual (3,): `_usual` of S."""

    occlusion: np.ndarray
    mirrored: np.ndarray
    albedo: np.ndarray
    radiance: np.ndarray
    towards: np.ndarray
    usual: np.ndarray


def _fit(cells: Cells, camera: Camera, settings: DelightSettings) -> _Light:
    """Light and the albedo of the materials in turn, on the cells."""
    towards = directions(settings.directions)
    colour, normal, points = (x[cells.valid] for x in (cells.colour, cells.normal, cells.points))
    material = material_of_label()[cells.part[cells.valid]]
    free = visibility(cells, camera, towards)
    matt = diffuse_transfer(normal, free, towards)
    roughness, ior = (np.array([getattr(m, name) for m in MATERIALS], np.float32)[material] for name in ("roughness", "ior"))
    gloss = glossy_transfer(normal, points, free, towards, np.maximum(roughness, LEAST_ROUGHNESS), ior)

    albedo = colour
    shading, mirrored = np.ones_like(colour), np.zeros_like(colour)
    radiance: np.ndarray | None = None
    for turn in range(settings.rounds):
        albedo = albedo * (0.6 / np.percentile(albedo.max(axis=1), 95))
        constant = _material_albedo(albedo, material, lightness=0.3 if turn == 0 else 0.5)
        shading, mirrored, radiance = _fit_channels(matt, gloss, constant, colour)
        albedo = _unlit(colour, shading, mirrored)
    constant = _material_albedo(albedo, material, lightness=0.5)
    shading = shading * np.exp(settings.strength * _smooth_residual(cells, albedo, constant, shading))[:, None]
    assert radiance is not None  # there is at least one round
    open_sky = _irradiance(normal, towards, radiance)

    def spread(values: np.ndarray) -> np.ndarray:
        out = np.zeros((*cells.part.shape, 3), np.float32)
        out[cells.valid] = values
        return push_pull(out, cells.valid.astype(np.float32))

    return _Light(spread(shading / open_sky), spread(mirrored), spread(constant), radiance, towards, _usual(shading))


def _usual(shading: np.ndarray) -> np.ndarray:
    """(3,) float32 > 0: the median of (N, 3) shading."""
    return np.maximum(np.median(shading, axis=0), 1e-6).astype(np.float32)


def _likely(shading: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """(N, 3) float32 shading, brought to what light can be where the (3,) usual one is: not too dark, of no strong tint."""
    relative = shading / usual
    light = np.maximum(relative @ LUMINANCE, LEAST_LIGHT)[:, None]
    return np.clip(relative, light / TINT, light * TINT).astype(np.float32) * usual


def _unlit(colour: np.ndarray, shading: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
    """Albedo of (..., 3) linear colours."""
    return np.maximum(colour - mirrored, (1 - MOST_MIRRORED) * colour) / shading


def _material_albedo(albedo: np.ndarray, material: np.ndarray, lightness: float) -> np.ndarray:
    """(N, 3) each cell's albedo replaced by the robust mean, in logarithms, of its cluster of colours in its material."""
    log = np.log(np.maximum(albedo, DARKEST))
    cluster = split_colours(log, material, lightness, whole=[i for i, m in enumerate(MATERIALS) if m.name in ("Skin", "Hair")])
    out = np.zeros_like(albedo)
    for index in range(cluster.max() + 1):
        member = cluster == index
        centre = np.median(log[member], axis=0)
        for _ in range(3):
            weight = 1 / (1 + np.square((log[member] - centre).mean(axis=1) / 0.3))
            centre = (log[member] * weight[:, None]).sum(axis=0) / weight.sum()
        out[member] = np.exp(centre)
    return out


def _fit_channels(
    matt: np.ndarray, gloss: np.ndarray, albedo: np.ndarray, colour: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Radiance per channel that explains `colour` with the given albedo: shading (N, 3), mirrored (N, 3), radiance (D, 3).

    Relative errors are minimised (weights 1 / prediction), robustly (Cauchy weights of the error in luminance).
    """
    radiance = np.zeros((matt.shape[1], 3))
    expected, robust = np.maximum(colour, 0.01), np.ones(len(colour), np.float32)
    shading = mirrored = np.zeros_like(colour)
    for _ in range(3):
        for channel in range(3):
            transfer = matt * albedo[:, channel, None] + gloss
            radiance[:, channel] = fit_radiance(transfer, colour[:, channel], robust / expected[:, channel])
        shading, mirrored = (matt @ radiance).astype(np.float32), (gloss @ radiance).astype(np.float32)
        shading = _likely(shading, _usual(shading))
        expected = np.maximum(shading * albedo + mirrored, DARKEST)
        error = np.log(np.maximum(colour, DARKEST) / expected).mean(axis=1)
        robust = 1 / (1 + np.square(error / (2 * (1.48 * np.median(np.abs(error)) + 0.02))))
    return shading, mirrored, radiance


def _smooth_residual(cells: Cells, albedo: np.ndarray, constant: np.ndarray, shading: np.ndarray, radius: int = 4) -> np.ndarray:
    """(N,) smooth part of log(albedo / constant): light that the model missed. Bilateral in place, depth and normal."""
    error = np.log(np.maximum(albedo, DARKEST) / np.maximum(constant, DARKEST)).mean(axis=1)
    h, w = cells.part.shape
    # What differs much is another colour (a print, an eyebrow), not light; but in the shade small errors of the light are large
    # ones of the quotient.
    shade = shading @ LUMINANCE
    tolerance = 0.5 / np.clip(shade / np.median(shade), 0.25, 1)
    belief = 1 / np.square(1 + np.square(error / tolerance))
    planes = np.zeros((6, h, w), np.float32)
    planes[:, cells.valid] = [error * belief, belief, cells.depth[cells.valid], *cells.normal[cells.valid].T]
    framed = np.pad(planes, ((0, 0), (radius, radius), (radius, radius)))
    total, mass = np.zeros((h, w), np.float32), np.full((h, w), 1e-3, np.float32)
    sigma = radius / 2.5
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            near = framed[:, radius + dy : radius + dy + h, radius + dx : radius + dx + w]
            facing = near[3] * planes[3] + near[4] * planes[4] + near[5] * planes[5]
            weight = np.square(np.square(np.maximum(facing, 0)))
            weight *= np.abs(near[2] - planes[2]) < SAME_SURFACE
            weight *= np.float32(np.exp(-(dx * dx + dy * dy) / (2 * sigma * sigma)))
            total += weight * near[0]
            mass += weight * near[1]
    return np.clip((total / mass)[cells.valid], -1, 1)


def _irradiance(normal: np.ndarray, towards: np.ndarray, radiance: np.ndarray) -> np.ndarray:
    """(..., 3) float32 light on a surface with normal (..., 3) that nothing shadows.

    Order-2 spherical harmonics hold 99 % of it (Ramamoorthi and Hanrahan, "An Efficient Representation for Irradiance Environment
    Maps", 2001). The factors pi, 2 pi / 3 and pi / 4 of the cosine lobe over pi are inside the constants.
    """
    basis = _harmonics(towards)
    lobe = np.repeat([1, 2 / 3, 1 / 4], [1, 3, 5])
    coefficients = (basis.T @ radiance[: len(towards)]) * (4 * np.pi / len(towards)) * lobe[:, None]
    light = _harmonics(normal) @ coefficients.astype(np.float32)
    return np.maximum(light, 0.05 * 0.282095 * coefficients[0] + 1e-6).astype(np.float32)


def _harmonics(n: np.ndarray) -> np.ndarray:
    """(..., 9) float32 real spherical harmonics of orders 0 to 2 at unit vectors (..., 3)."""
    x, y, z = n[..., 0], n[..., 1], n[..., 2]
    parts = [np.full_like(x, 0.282095), 0.488603 * y, 0.488603 * z, 0.488603 * x, 1.092548 * x * y, 1.092548 * y * z,
             0.315392 * (3 * z * z - 1), 1.092548 * x * z, 0.546274 * (x * x - y * y)]  # fmt: skip
    return np.stack(parts, axis=-1).astype(np.float32)


def _apply(
    linear: np.ndarray, labels: np.ndarray, normal: np.ndarray, depth: np.ndarray, cells: Cells, light: _Light, band: int = 256
) -> Delighted:
    """albedo = (I - G) / S at every pixel of the person, in bands of rows so that memory stays flat."""
    albedo, highlight = np.zeros_like(linear, order="C"), np.zeros(labels.shape, np.float32)
    plain = _plain(cells)
    count = max(1, band // cells.step)
    for first in range(0, len(cells.part), count):
        rows = slice(first * cells.step, min((first + count) * cells.step, len(labels)))
        label = labels[rows].ravel()
        inside = np.flatnonzero(label)
        if not len(inside):
            continue
        label, colour, n = label[inside], _rows_of(linear, rows)[inside], _rows_of(normal, rows)[inside]
        occlusion, mirrored, usual = _bilinear(cells, light, first, count, rows, labels.shape[1], inside)
        hard = np.flatnonzero(_quads(plain, cells, rows, labels.shape[1]).ravel()[inside] != label)
        if len(hard):
            y, x = np.divmod(inside[hard], labels.shape[1])
            exact = _upsample(cells, light, x, y + rows.start, label[hard], n[hard], depth[rows][y, x])
            for values, fixed in zip((occlusion, mirrored, usual), exact, strict=True):
                values[hard] = fixed
        shading = _likely(occlusion * _irradiance(n, light.towards, light.radiance), light.usual)
        dark = np.clip(1 - (shading / light.usual) @ LUMINANCE, 0.01, 1)
        found = np.minimum(_unlit(colour, shading, mirrored), usual * np.exp(ROOM / dark)[:, None])
        albedo[rows].reshape(-1, 3)[inside] = found
        # A mirrored light is white: it adds as much to every channel as the least of the three rises.
        rise = found - usual
        highlight[rows].reshape(-1)[inside] = np.clip(np.minimum(np.minimum(rise[:, 0], rise[:, 1]), rise[:, 2]), 0, 1)
    return Delighted(albedo, highlight)


def _rows_of(image: np.ndarray, rows: slice) -> np.ndarray:
    """(N, 3) pixels of some rows of an (H, W, 3) image."""
    return np.ascontiguousarray(image[rows]).reshape(-1, 3)


def _plain(cells: Cells) -> np.ndarray:
    """(h + 1, w + 1) uint8: the part of the body that all four cells around a corner of the grid show as one smooth surface.
    0 where they do not: pixels there have to look at each of the four."""
    framed = np.pad(cells.valid, 1, mode="edge")
    around = [np.s_[dy : dy + len(framed) - 1, dx : dx + framed.shape[1] - 1] for dy in (0, 1) for dx in (0, 1)]
    part = np.where(framed, np.pad(cells.part, 1, mode="edge"), 0)
    depth, normal = np.pad(cells.depth, 1, mode="edge"), np.pad(cells.normal, ((1, 1), (1, 1), (0, 0)), mode="edge")
    one = np.all([part[corner] == part[around[0]] for corner in around], axis=0)
    with np.errstate(invalid="ignore"):
        one &= np.ptp([depth[corner] for corner in around], axis=0) < SAME_SURFACE
    one &= np.linalg.norm(sum(normal[corner] for corner in around), axis=-1) > 4 * ONE_NORMAL
    return np.where(one, part[around[0]], 0).astype(np.uint8)


def _quads(corners: np.ndarray, cells: Cells, rows: slice, width: int) -> np.ndarray:
    """(rows, width) values of (h + 1, w + 1) corners of the grid at the corner that each pixel is nearest to."""
    row, column = (
        (np.arange(first, end) + (cells.step + 1) / 2) // cells.step for first, end in ((rows.start, rows.stop), (0, width))
    )
    return corners[row.astype(np.intp)[:, None], column.astype(np.intp)]


def _bilinear(
    cells: Cells, light: _Light, first: int, count: int, rows: slice, width: int, inside: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Occlusion, mirrored light and albedo of the materials, (N, 3) each, interpolated as if all cells were one surface.
    inside (N,): flat indices of the pixels, in the rows of the photo that cell rows `first` to `first + count` cover."""
    import cv2

    above = min(first, 1)
    around = slice(first - above, first + count + 1)
    found = []
    for grid in (light.occlusion, light.mirrored, light.albedo):
        part = grid[around]
        size = (part.shape[1] * cells.step, part.shape[0] * cells.step)
        fine = cv2.resize(part, size, interpolation=cv2.INTER_LINEAR)
        top = above * cells.step
        found.append(_rows_of(fine[:, :width], slice(top, top + rows.stop - rows.start))[inside])
    return found[0], found[1], found[2]


def _gain(albedo: np.ndarray, photo: np.ndarray, labels: np.ndarray) -> float:
    """What the albedo is multiplied by."""
    step = max(1, math.ceil(math.sqrt(labels.size / GAIN_SAMPLES)))
    photo, albedo, labels = photo[::step, ::step], albedo[::step, ::step], labels[::step, ::step]
    skin = np.isin(labels, part_labels(*parts_of("Skin")))
    reference = skin if skin.any() else labels > 0
    if not reference.any():
        return 1.0
    before, after = (float(np.median(image[reference] @ LUMINANCE)) for image in (photo, albedo))
    brightest = float(np.quantile(albedo[labels > 0].max(axis=1), 0.99))
    return min(before / max(after, DARKEST), BRIGHTEST / max(brightest, DARKEST))


def _upsample(
    cells: Cells, light: _Light, x: np.ndarray, y: np.ndarray, label: np.ndarray, normal: np.ndarray, depth: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Occlusion, mirrored light and albedo of the materials, (N, 3) each, at pixels.

    Joint bilateral upsampling (Kopf et al. 2007) from the four cells around: bilinear weights times likeness in part, depth,
    normal.
    """
    h, w = cells.part.shape
    u, v = (((axis + 0.5) / cells.step - 0.5).astype(np.float32) for axis in (x, y))
    left, top = np.floor(u).astype(np.int32), np.floor(v).astype(np.int32)
    total, mass = np.zeros((len(x), 9), np.float32), np.zeros((len(x), 1), np.float32)
    values = np.concatenate([light.occlusion, light.mirrored, light.albedo], axis=-1).reshape(-1, 9)
    valid, part, z, n = cells.valid.ravel(), cells.part.ravel(), cells.depth.ravel(), cells.normal.reshape(-1, 3)
    for dy in (0, 1):
        for dx in (0, 1):
            near = np.clip(top + dy, 0, h - 1) * w + np.clip(left + dx, 0, w - 1)
            linear = (1 - np.abs(u - left - dx)) * (1 - np.abs(v - top - dy))
            alike = valid[near] & (part[near] == label) & (np.abs(z[near] - depth) < SAME_SURFACE)
            facing = np.clip(np.einsum("ij,ij->i", n[near], normal), 0.05, 1) ** 2
            weight = (linear * np.where(alike, facing, np.float32(1e-3)))[:, None]
            total += weight * values[near]
            mass += weight
    total /= np.maximum(mass, 1e-8)
    return total[:, :3], total[:, 3:6], total[:, 6:]
