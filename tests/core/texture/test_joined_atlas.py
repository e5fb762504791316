"""Several surfaces on one atlas."""

from __future__ import annotations

import numpy as np

from sapiens2_avatar.core.common.avatars import SurfaceTextures
from sapiens2_avatar.core.texture.joined_atlas import Source, joined_atlas
from sapiens2_avatar.core.texture.tangent_maps import decode, encode

SIDE = 256
TILT = np.array([0.6, 0.0, 0.8], np.float32)


def strip(angle: float, mirrored: bool = False) -> Source:
    """A strip, 0.2 by 1 m, looking up, whose chart is turned by an angle in its texture; its normals lean along u."""
    points = np.array([[0, 0, 0], [0.2, 0, 0], [0.2, 1, 0], [0, 1, 0]], np.float32)
    c, s = np.cos(angle), np.sin(angle)
    flat = points[:, :2] * [-1, 1] if mirrored else points[:, :2]
    uv = flat @ np.array([[c, s], [-s, c]])
    uv = 0.1 + 0.8 * (uv - uv.min(axis=0)) / np.ptp(uv, axis=0).max()
    normal = np.tile(encode(TILT), (SIDE, SIDE, 1))
    return Source(
        np.array([[0, 1, 2, 3]]),
        uv[None].astype(np.float32),
        points,
        np.ones(1, np.float32),
        np.zeros(1, np.int32),
        SurfaceTextures(np.full((SIDE, SIDE, 3), 77, np.uint8), np.ones((SIDE, SIDE), bool), normal),
        np.zeros(3, np.uint8),
        0.5,
    )


def shown(uv: np.ndarray, points: np.ndarray, value: np.ndarray) -> np.ndarray:
    """(3,) the direction in space of a normal map's value on a flat triangle that looks up."""
    along, across = np.linalg.solve(uv[1:3] - uv[0], points[1:3] - points[0])
    along, across = along / np.linalg.norm(along), across / np.linalg.norm(across)
    return value[0] * along + value[1] * across + value[2] * np.array([0, 0, 1])


def test_normals_lean_to_the_same_side_in_space_however_charts_are_turned():
    sources = [strip(0.0), strip(0.5), strip(2.0), strip(-1.2, mirrored=True)]
    uvs, made = joined_atlas(sources, SIDE)
    assert made.normal_tangent.shape == (SIDE // 2, SIDE // 2, 3)
    for source, uv in zip(sources, uvs, strict=True):
        x, y = np.floor(uv.mean(axis=0) * [1, -1] * SIDE / 2 + [0, SIDE / 2]).astype(int)
        before = shown(source.uvs[0].astype(float), source.points.astype(float), TILT)
        after = shown(uv.astype(float), source.points.astype(float), decode(made.normal_tangent[y, x]))
        assert before @ after > 0.999


def test_texels_are_shared_by_area_and_density():
    sources = [strip(0.0), strip(0.0)]
    sources[1].density[:] = 2
    uvs, made = joined_atlas(sources, SIDE)
    length = np.linalg.norm(uvs[:, 2] - uvs[:, 1], axis=1)
    assert np.isclose(length[1], 2 * length[0], rtol=1e-3)
    assert (made.base_colour_srgb == 77).all() and (made.roughness == 128).all(), "what is between the charts continues them"


def test_faces_of_two_groups_come_apart():
    source = strip(0.0)
    two = Source(
        np.array([[0, 1, 2, 3], [0, 1, 2, 3]]),
        np.concatenate([source.uvs, source.uvs]),
        source.points,
        np.ones(2, np.float32),
        np.array([0, 1], np.int32),
        source.textures,
        source.colour,
        0.5,
    )
    uvs, _ = joined_atlas([two], SIDE)
    low, high = uvs.min(axis=1), uvs.max(axis=1)
    assert ((high[0] < low[1]) | (high[1] < low[0])).any()
