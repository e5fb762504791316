"""Stripes that are bent on a surface at rest."""

import numpy as np
import pytest

from sapiens2_avatar.core.texture.level_rows import levelled

PERIOD = 0.03
RNG = np.random.default_rng(11)


def bend(along: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Metres by which stripes are off: 15 mm at the border of the chest, and less at the hips."""
    return 0.2 * across**2 * (1 + along) + 0.05 * across


def striped(along: np.ndarray, period: float = PERIOD) -> np.ndarray:
    return 128 + 80 * np.sign(np.sin(2 * np.pi * along / period))


@pytest.fixture
def seen() -> tuple[np.ndarray, np.ndarray]:
    return RNG.uniform(0.9, 1.4, 30_000), RNG.uniform(-0.2, 0.2, 30_000)


def test_bent_stripes_are_made_level(seen):
    along, across = seen
    light = striped(along - bend(along, across)) + RNG.normal(0, 10, len(along))
    straight = levelled(along, across, (along, across, light))
    off = straight - (along - bend(along, across))
    assert np.ptp(bend(along, across)) > 0.02
    assert np.abs(off - off.mean()).max() < 0.004
    # Behind the body, at the same places across it, nothing else is known.
    assert np.array_equal(levelled(along[:9], across[:9], (along, across, light)), straight[:9])


@pytest.mark.parametrize("kind", ["plain", "noise", "upright", "few"])
def test_what_has_no_level_stripes_stays_as_it_is(seen, kind):
    along, across = seen
    light = {
        "plain": np.full(len(along), 90.0),
        "noise": RNG.normal(128, 40, len(along)),
        "upright": striped(across),
        "few": striped(along - bend(along, across)),
    }[kind]
    some = slice(0, 200 if kind == "few" else None)
    assert levelled(along, across, (along[some], across[some], light[some])) is along
