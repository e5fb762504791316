"""A scan that is closed all round: the front as the camera saw it, sides and back from the avatar, one watertight mesh.

1. The solid of body and garments on a grid: inside, walls, and the gaps between cloth and skin.
2. Its surface in quads, moved onto the scan where that is near and looks the same way, elsewhere onto the avatar.
3. The photo on it where it was seen, elsewhere the colours of the avatar.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .body.evaluate import vertex_normals
from .body.follow import dense
from .common.arrays import Camera, MeshData, SkinWeights, Textures
from .common.avatars import BodyData, GarmentData, SurfaceTextures
from .common.colour import SKIN_TONE
from .common.spaces import pixel_from_uv, uv_from_pixel
from .garments.charts import chart_uvs
from .garments.surface_nets import neighbours, smoothed, surface_of
from .rig.skin_weights import strongest
from .surface.solid import Lattice, inside
from .texture.all_round import GUTTER, paint
from .texture.project import PaintedSurface
from .texture.rasterise import halves
from .texture.texels import texels_of
from .texture.views import View

STEP = 0.004  # metres between samples
MARGIN = 0.03  # metres of the grid around the person
GAP = 0.012  # metres of air between cloth and skin, or between lips and teeth, that is filled
NEAR_WALL = 0.02  # metres from a garment, or from eyes and teeth, within which it is: fingers must not grow together
BLUR = 0.9  # samples, standard deviation
ROUNDS = 4  # of smoothing before the surface is moved
REACH = 0.012  # metres that a vertex may move
FACING = 0.3  # cosine between normals from which on a point is of the same side
COLOURS = 3  # points along each side of a face of the avatar, for its colours
EVEN = 6  # rounds in which moves take the mean of those around them
SKIN_REACH = 0.03  # metres over which seen colours run out


@dataclass(frozen=True, eq=False)
class Outside:
    """What the avatar looks like from outside: points of its surfaces, their normals, and where their colours are.

    points, normals  (n, 3)
    colours          (n, 3) uint8 sRGB
    labels           (n,) uint8 body parts; 0 = skin, whichever it is
    bones            weights of the points
    """

    points: np.ndarray
    normals: np.ndarray
    colours: np.ndarray
    labels: np.ndarray
    bones: SkinWeights


def close_scan(scan: MeshData, camera: Camera, body: BodyData, garments: Sequence[GarmentData], outside: Outside) -> MeshData:
    """The closed surface of a person in quads, with the atlas of its textures.

    scan, body, garments  in the photo, in the camera's space
    outside               of body and garments

    Needs scipy. Every edge belongs to as many faces in one direction as in the other.
    """
    vertices, quads = _solid_surface(scan, body, garments)
    vertices = _moved(vertices, quads, scan, outside)
    faces = halves(quads).astype(np.int32)
    normals = vertex_normals(vertices, quads).astype(np.float32)
    uvs = chart_uvs(vertices, quads, np.zeros(len(quads), bool), np.eye(3))
    return MeshData(
        vertices=vertices.astype(np.float32),
        faces=faces,
        uvs=uv_from_pixel(camera.project(vertices), camera.width, camera.height).astype(np.float32),
        normals=normals,
        labels=_labels(vertices, scan, outside),
        atlas=halves(uvs).astype(np.float32),
        quads=True,
    )


def look_from_outside(body: BodyData, garments: Sequence[GarmentData]) -> Outside:
    """The faces of body and garments that are seen from outside, by points on them."""
    skin = body.part == body.part_names.index("skin")
    shown = skin if body.covered is None else skin & ~body.covered[body.quads].all(axis=1)
    parts = [
        _points_on(
            body.vertices, body.quads[shown], body.uvs[shown], body.textures, np.array(SKIN_TONE, np.uint8), 0, body.weights
        )
    ]
    for g in garments:
        seen = ~g.inside
        parts.append(_points_on(g.vertices, g.quads[seen], g.uvs[seen], g.textures, g.tone, int(g.labels[0]), g.weights))
    points, normals, colours, labels, weights = zip(*parts, strict=True)
    bones = SkinWeights(
        np.concatenate([_four(own.bones) for own in weights]), np.concatenate([_four(own.weights) for own in weights])
    )
    return Outside(np.concatenate(points), np.concatenate(normals), np.concatenate(colours), np.concatenate(labels), bones)


def closed_textures(mesh: MeshData, view: View, outside: Outside, size: int, source: str) -> Textures:
    """Textures in the atlas of a closed scan: the photo where it shows the surface, elsewhere the avatar's colours.

    view    what the photo knows; its camera is the one of the mesh
    source  where the photo's colours come from, as in `Textures`
    """
    import cv2
    from scipy.spatial import cKDTree

    assert mesh.atlas is not None and mesh.quads  # of `close_scan`
    quads, uvs = mesh.polygons, mesh.of_polygon_corners(mesh.atlas)
    shown = np.unique(mesh.labels[mesh.labels > 0])
    tone = np.median(outside.colours, axis=0).astype(np.uint8)
    surface = PaintedSurface(quads, uvs, (mesh.vertices,), shown, tone, mesh.vertices, reach=SKIN_REACH)
    (painted,) = paint([surface], [view], size)
    texels = texels_of(quads, uvs, size // 2, GUTTER)
    _, nearest = cKDTree(outside.points).query(texels.of(mesh.vertices), workers=1)
    guess = cv2.resize(texels.image(outside.colours[nearest]), (size, size), interpolation=cv2.INTER_LINEAR)
    soft = np.clip(2 * cv2.GaussianBlur(painted.seen.astype(np.float32), (0, 0), 3.0) - 1, 0, 1)
    seen = np.where(painted.seen, soft, np.float32(0))[..., None]
    colour = seen * painted.base_colour_srgb + (1 - seen) * guess
    return Textures(
        base_colour_srgb=np.rint(colour).astype(np.uint8),
        colour_source=source,
        mask=np.full((size, size), 255, np.uint8),
        layout="atlas",
    )


def closed_weights(mesh: MeshData, outside: Outside) -> SkinWeights:
    """Each vertex follows the rig as the nearest point of the avatar does, evened out over the surface."""
    from scipy.spatial import cKDTree

    _, nearest = cKDTree(outside.points).query(mesh.vertices, workers=1)
    bones = np.unique(outside.bones.bones)
    shares = dense(SkinWeights(outside.bones.bones[nearest], outside.bones.weights[nearest]), bones)
    mean = neighbours(mesh.polygons, len(mesh.vertices))
    for _ in range(EVEN):
        shares = 0.5 * shares + 0.5 * (mean @ shares)
    return strongest(shares, np.broadcast_to(bones, shares.shape), 4)


def _points_on(
    vertices: np.ndarray,
    quads: np.ndarray,
    uvs: np.ndarray,
    textures: SurfaceTextures | None,
    tone: np.ndarray,
    label: int,
    weights: SkinWeights,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, SkinWeights]:
    """Points, normals, colours, labels and weights at a grid of points on each quad."""
    share = _grid_shares(COLOURS)
    corners = vertices[quads].astype(np.float64)
    points = np.einsum("nk,fkc->fnc", share, corners).reshape(-1, 3)
    normals = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    colours = np.broadcast_to(tone, (len(points), 3))
    if textures is not None:
        side = len(textures.base_colour_srgb)
        at = np.einsum("nk,fkc->fnc", share, uvs).reshape(-1, 2)
        x, y = np.clip(np.rint(pixel_from_uv(at, side, side)).astype(int), 0, side - 1).T
        colours = textures.base_colour_srgb[y, x]
    corner = np.repeat(quads, len(share), axis=0)[np.arange(len(points)), np.tile(share.argmax(axis=1), len(quads))]
    own = SkinWeights(weights.bones[corner], weights.weights[corner])
    return points, np.repeat(normals, len(share), axis=0), colours, np.full(len(points), label, np.uint8), own


def _grid_shares(parts: int) -> np.ndarray:
    """(parts², 4) bilinear weights of the corners of a quad at an even grid of points on it."""
    share = (np.arange(parts) + 0.5) / parts
    s, t = (grid.ravel()[:, None] for grid in np.meshgrid(share, share))
    return np.concatenate([(1 - s) * (1 - t), s * (1 - t), s * t, (1 - s) * t], axis=1)


def _four(values: np.ndarray) -> np.ndarray:
    """(n, 4) of (n, k <= 4)."""
    return np.pad(values, ((0, 0), (0, 4 - values.shape[1])))


def _solid_surface(scan: MeshData, body: BodyData, garments: Sequence[GarmentData]) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and quads of the surface of all together."""
    from scipy import ndimage

    skin = body.part == body.part_names.index("skin")
    lattice = Lattice.around(np.concatenate([body.vertices, scan.vertices, *(g.vertices for g in garments)]), STEP, MARGIN)
    full = inside(lattice, body.vertices, halves(body.quads[skin]))
    walls = np.zeros(lattice.shape, bool)
    # Eyes, teeth and tongue close the holes of the skin.
    walls[tuple(lattice.index(_dense(body.vertices, body.quads[~skin & ~_lashes(body)])).T)] = True
    for garment in garments:
        full |= inside(lattice, garment.vertices, halves(garment.quads))
        walls[tuple(lattice.index(_dense(garment.vertices, garment.quads)).T)] = True
    full |= walls
    ball = ndimage.generate_binary_structure(3, 1)
    near = ndimage.binary_dilation(walls, ball, round(NEAR_WALL / STEP))
    shut = ndimage.binary_closing(full, ball, round(GAP / STEP / 2))
    full |= shut & near
    full = ndimage.binary_fill_holes(full)
    number, count = ndimage.label(full)
    if count > 1:  # loose bits are nothing to print
        full = number == np.bincount(number.ravel())[1:].argmax() + 1
    field = 0.5 - ndimage.gaussian_filter(full.astype(np.float32), BLUR)
    vertices, quads = surface_of(field, lattice.low, STEP)
    return smoothed(vertices, quads, ROUNDS), quads


def _lashes(body: BodyData) -> np.ndarray:
    """(F,) bool: strips without a thickness, which would only thicken the lids."""
    return np.isin(body.part, [n for n, name in enumerate(body.part_names) if "lash" in name])


def _dense(vertices: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """(n, 3) points of quads, no farther apart than a step."""
    corners = vertices[quads].astype(np.float64)
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=-1).max(initial=STEP)
    return np.einsum("nk,fkc->fnc", _grid_shares(int(np.ceil(1.4 * min(longest, 0.05) / STEP))), corners).reshape(-1, 3)


def _moved(vertices: np.ndarray, quads: np.ndarray, scan: MeshData, outside: Outside) -> np.ndarray:
    """(V, 3) vertices on the scan where it is near, else on the avatar; what is near neither follows its neighbours."""
    mean = neighbours(quads, len(vertices))
    for _ in range(2):
        normals = vertex_normals(vertices, quads)
        seen, onto_scan = _onto(vertices, normals, scan.vertices, scan.normals)
        known, onto_avatar = _onto(vertices, normals, outside.points, outside.normals)
        # At the scan's border the surface goes over from one to the other.
        share = seen.astype(np.float64)
        for _ in range(EVEN):
            share = np.where(seen, 0.5 * share + 0.5 * (mean @ share), 0)
        share = np.where(seen, np.clip(2 * share - 1, 0, 1), 0)[:, None]
        target = share * onto_scan + (1 - share) * np.where(known[:, None], onto_avatar, 0)
        sure = (known | (share[:, 0] > 0.99))[:, None]
        move = np.where(sure, target, 0)
        for _ in range(EVEN):
            move = np.where(sure, np.where(share > 0.5, target, 0.5 * target + 0.5 * (mean @ move)), mean @ move)
        vertices = vertices + move
    return vertices


def _onto(vertices: np.ndarray, normals: np.ndarray, points: np.ndarray, facing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where a surface is near (V,) bool, and the way to its planes (V, 3), along the vertex' normals."""
    from scipy.spatial import cKDTree

    distance, nearest = cKDTree(points).query(vertices, k=4, workers=1, distance_upper_bound=REACH)
    nearest = np.where(np.isfinite(distance), nearest, 0)
    agree = np.einsum("vc,vkc->vk", normals, facing[nearest])
    weight = np.where((distance < REACH) & (agree > FACING), 1 / (distance**2 + 1e-6), 0)
    along = np.einsum("vkc,vkc->vk", points[nearest] - vertices[:, None], facing[nearest])
    step = (weight * along / np.maximum(agree, FACING)).sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-12)
    near = (weight > 0).any(axis=1) & (np.abs(step) < REACH)
    return near, np.where(near, step, 0)[:, None] * normals


def _labels(vertices: np.ndarray, scan: MeshData, outside: Outside) -> np.ndarray:
    """(V,) uint8 body parts: of garments their own, of skin the scan's nearest."""
    from scipy.spatial import cKDTree

    every = max(1, len(scan.vertices) // 20_000)
    _, seen = cKDTree(scan.vertices[::every]).query(vertices, workers=1)
    _, near = cKDTree(outside.points[:: COLOURS**2]).query(vertices, workers=1)
    own = outside.labels[:: COLOURS**2][near]
    return np.where(own == 0, scan.labels[::every][seen], own).astype(np.uint8)
