"""Hair where no photo looks: strands from the whorl down."""

import numpy as np

from sapiens2_avatar.core.texture.all_round import paint
from sapiens2_avatar.core.texture.strands import relief, shade_of, strands, whorl_of
from sapiens2_avatar.core.texture.tangent_maps import decode
from sapiens2_avatar.core.texture.texels import texels_of
from support.barrel import HEIGHT, RADIUS, TONE, facing, photo_of, surface_at

WHORL = np.array([0.0, 0.0, HEIGHT])


def _streaks(points: np.ndarray) -> np.ndarray:
    """(n, 3) sRGB 0..255: brown hair with strands from top to bottom."""
    turn = np.arctan2(points[:, 1], points[:, 0])
    return np.array([90.0, 60.0, 45.0]) * (1 + 0.3 * np.sin(120 * turn)[:, None])


def _painted(whorl):
    surface = surface_at(0.0, whorl=whorl)
    along, share = surface.rest[:, 2:], np.ones((len(surface.rest), 1), np.float32)
    surface = surface_at(0.0, whorl=whorl, along=along, share=share)
    return surface, paint([surface], [photo_of(surface, 0, _streaks)], 512)[0]


def test_strands_run_down_the_back_and_leave_the_photo_alone():
    surface, made = _painted(WHORL)
    _, plain = _painted(None)
    texels = texels_of(surface.quads, surface.uvs, 512, 0)
    at = facing(texels.of(surface.rest))
    seen, unseen = (texels.index[rows] for rows in (at > 0.7, at < -0.5))
    colour, without = (x.base_colour_srgb.reshape(-1, 3).astype(np.float32) for x in (made, plain))
    assert np.abs(colour[seen] - without[seen]).mean() < 0.5
    back = made.base_colour_srgb[..., 1].astype(np.float32)[40:-40, 300:440]
    across, down = np.abs(np.diff(back, axis=1)).mean(), np.abs(np.diff(back, axis=0)).mean()
    assert across > 5 * down
    # As strong as a hint of what the photo shows, in the hair's own hue.
    assert 0.03 < back.std() / back.mean() < 0.2
    assert np.allclose(colour[unseen].mean(axis=0) / colour[seen].mean(axis=0), 1, atol=0.1)


def test_relief_breaks_the_gloss_of_the_back():
    surface, made = _painted(WHORL)
    assert made.normal_tangent is not None
    texels = texels_of(surface.quads, surface.uvs, made.normal_tangent.shape[0], 0)
    rows = texels.index[facing(texels.of(surface.rest)) < -0.5]
    x, y, z = decode(made.normal_tangent).reshape(-1, 3)[rows].T
    # Grooves run down the back, so normals lean to the sides.
    assert 3 < np.degrees(np.arccos(z)).mean() < 30 and np.abs(x).mean() > 5 * np.abs(y).mean()


def test_relief_leans_away_from_what_is_high():
    rows, columns = np.meshgrid(np.arange(8), np.arange(8), indexing="ij")
    lean = relief((0.2 * columns - 0.1 * rows).astype(np.float32) * 0.001, 0.001)
    # Height grows to the right and, since the first row is the top, upwards.
    assert np.allclose(lean, np.array([-0.2, -0.1, 1]) / np.linalg.norm([0.2, 0.1, 1]), atol=1e-5)


def test_strands_close_round_the_head():
    turn = np.pi + np.array([-1e-4, 1e-4])
    ring = np.stack([RADIUS * np.cos(turn), RADIUS * np.sin(turn), np.full(2, 0.3)], axis=1)
    assert abs(np.subtract(*strands(ring, WHORL, 0.001).shade)) < 0.05


def test_nothing_is_finer_than_the_texels():
    turn = np.linspace(0, 2 * np.pi, 2000, endpoint=False)
    ring = np.stack([RADIUS * np.cos(turn), RADIUS * np.sin(turn), np.full(2000, 0.3)], axis=1)
    fine, coarse = (strands(ring, WHORL, texel).shade for texel in (0.0005, 0.006))
    assert fine.std() > 0.5
    assert np.abs(np.diff(coarse)).max() < 0.35 * np.abs(np.diff(fine)).max()


def test_dark_hair_has_faint_strands_where_photos_show_none():
    shade = shade_of(np.zeros((0, 3), np.float32), TONE)
    assert (shade > 0.02 * TONE).all() and (shade < 0.1 * TONE).all()


def test_whorl_is_behind_the_top():
    turn, rise = np.meshgrid(np.linspace(0, 2 * np.pi, 60), np.linspace(0, np.pi / 2, 30))
    cap = 0.1 * np.stack([np.cos(turn) * np.cos(rise), np.sin(turn) * np.cos(rise), np.sin(rise)], axis=-1).reshape(-1, 3)
    x, y, z = whorl_of(cap + np.array([0.02, 0.05, 1.6]))
    assert abs(x - 0.02) < 0.01 and 0.05 < y < 0.1 and 1.68 < z <= 1.7


def _lit_from_behind(amount: float):
    """Hair whose outline is paler than its middle."""

    def colours(points: np.ndarray) -> np.ndarray:
        rim = np.clip((0.6 - facing(points)) / 0.3, 0, 1)[:, None]
        return np.array([90.0, 60.0, 45.0]) + amount * rim

    return colours


def test_a_pale_outline_of_hair_is_not_carried_round_it():
    paler = {}
    for amount in (0.0, 90.0):
        surface = surface_at(0.0, whorl=WHORL)
        along, share = surface.rest[:, 2:], np.ones((len(surface.rest), 1), np.float32)
        surface = surface_at(0.0, whorl=WHORL, along=along, share=share)
        made = paint([surface], [photo_of(surface, 0, _lit_from_behind(amount))], 512)[0].base_colour_srgb
        texels = texels_of(surface.quads, surface.uvs, 512, 0)
        at = facing(texels.of(surface.rest))
        colour = made.reshape(-1, 3)[texels.index].astype(np.float32)
        paler[amount] = [float(colour[rows].mean()) for rows in (at > 0.7, (at > 0.15) & (at < 0.3))]
    # Where the photo shows its middle well it is as it was; the border is no stripe.
    assert abs(paler[90.0][0] - paler[0.0][0]) < 6
    assert paler[90.0][1] - paler[0.0][1] < 45
