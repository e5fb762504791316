"""The normal map of a closed surface: on a barrel whose ripples only the photo's normals know."""

from dataclasses import replace

import numpy as np
import pytest

from sapiens2_avatar.core.common.spaces import pixel_from_uv
from sapiens2_avatar.core.texture.all_round import paint
from sapiens2_avatar.core.texture.rasterise import draw_mesh, halves
from sapiens2_avatar.core.texture.tangent_maps import decode
from support.barrel import barrel, colours_of, facing, photo_of, stood, surface_at

TILT = 0.35
"""Sine of the largest angle by which the ripples turn the normal about the barrel's axis."""


def ripple(points: np.ndarray) -> np.ndarray:
    """(n,) sine of the angle at points at rest, towards growing u."""
    return TILT * np.sin(60 * points[:, 2])


def rippled(surface, number: int = 0, tilt=ripple):
    """The photo with its normals, and how they are tilted."""
    view = photo_of(surface, number, colours_of)
    posed, faces = surface.posed[number].astype(np.float64), halves(surface.quads)
    face, share = draw_mesh(posed, faces, view.camera)
    inside = face >= 0
    at = lambda values: (values[faces[face[inside]]] * share[inside][..., None]).sum(axis=1)  # noqa: E731
    rest, place = at(surface.rest.astype(np.float64)), at(posed)
    out = place * [1, 0, 1] - [0, 0, 1.5]
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    up = np.array([0.0, -1.0, 0.0])
    along = np.cross(out, up) * np.sign(_towards_u(surface, number))
    sine = tilt(rest)[:, None]
    normal = np.zeros((*inside.shape, 3), np.float32)
    normal[inside] = np.sqrt(1 - sine**2) * out + sine * along
    return replace(view, normal=normal)


def _towards_u(surface, number: int) -> float:
    """Whether u grows along  normal x up  (+1) or against it."""
    posed = surface.posed[number].astype(np.float64)
    edge = posed[surface.quads[0, 3]] - posed[surface.quads[0, 0]]
    out = posed[surface.quads[0]].mean(axis=0) * [1, 0, 1] - [0, 0, 1.5]
    grows = surface.uvs[0, 3, 0] - surface.uvs[0, 0, 0]
    return float(np.cross(out, [0, -1, 0]) @ edge * grows)


def at_quads(surface, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    size = len(values)
    x, y = np.rint(pixel_from_uv(surface.uvs.mean(axis=1).astype(np.float64), size, size)).astype(int).T
    return surface.rest[surface.quads].mean(axis=1), values[y, x]


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_map_holds_what_the_mesh_lacks_and_nothing_elsewhere(mirrored):
    surface = surface_at(0)
    if mirrored:  # charts that lie face down
        surface = replace(surface, uvs=np.ascontiguousarray(surface.uvs * np.float32([-1, 1]) + np.float32([1, 0])))
    made = paint([surface], [rippled(surface)], 512)[0].normal_tangent
    assert made is not None and made.dtype == np.uint16 and made.shape == (256, 256, 3)
    points, found = at_quads(surface, decode(made))
    front, back = facing(points) > 0.6, facing(points) < 0.1
    assert np.abs(found[front, 0] - ripple(points[front])).mean() < 0.03
    assert np.abs(found[front, 1]).mean() < 0.03
    np.testing.assert_allclose(found[back], np.broadcast_to([0, 0, 1], found[back].shape), atol=1e-3)


def test_there_is_no_map_of_what_the_mesh_has_or_no_photo_knows():
    surface = surface_at(0)
    smooth = rippled(surface, tilt=lambda p: np.zeros(len(p)))
    assert paint([surface], [smooth], 256)[0].normal_tangent is None
    assert paint([surface], [photo_of(surface, 0, colours_of)], 256)[0].normal_tangent is None


def test_normals_of_something_else_are_left_out():
    surface = surface_at(0)
    strange = rippled(surface)
    normal = strange.normal.copy()
    normal[200:280] = [0.9, 0, -np.sqrt(1 - 0.81)]  # another surface before the barrel
    points, found = at_quads(surface, decode(paint([surface], [replace(strange, normal=normal)], 512)[0].normal_tangent))
    pixel = np.rint(240 - 900 * (points[:, 2] - 0.3) / (stood(barrel()[0]).mean(axis=0)[2] - 0.15))
    away = (facing(points) > 0.95) & (pixel > 215) & (pixel < 265)
    assert away.any() and (found[away, 2] > 0.99).all()
