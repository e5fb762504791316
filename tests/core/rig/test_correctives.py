"""Corrective keys give back what linear blend skinning takes from bent and turned joints."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sapiens2_avatar.core.body.character import standing
from sapiens2_avatar.core.body.evaluate import Shape
from sapiens2_avatar.core.common.arrays import RigData, SkinWeights
from sapiens2_avatar.core.common.rotations import rotation_from_vector
from sapiens2_avatar.core.rig.correctives import CORRECTIVES, before_correction, corrective_offsets, photo_values
from sapiens2_avatar.core.rig.rest_pose import blended, moved

KEYS = {corrective.name: corrective for corrective in CORRECTIVES}


@pytest.fixture(scope="module")
def person():
    """(body, rig) in the A-pose."""
    return standing(Shape())


def turned(rig: RigData, bone: str, axis: int, angle: float) -> RigData:
    """The rig in whose photo one bone is turned about an axis of its own, all below it with it."""
    row, maps = rig.names.index(bone), np.tile(np.eye(4), (len(rig.names), 1, 1))
    own = rotation_from_vector(rig.axes()[row][:, axis] * angle)
    below = {row}
    for k, parent in enumerate(rig.parents.tolist()):
        if k in below or parent in below:
            below.add(k)
            maps[k, :3, :3] = own
            maps[k, :3, 3] = rig.heads[row] - own @ rig.heads[row]
    return replace(rig, photo_from_rest=maps)


def from_axis(points: np.ndarray, rig: RigData, bone: str, axis: int) -> np.ndarray:
    """(V,) metres from the axis that a bone turns about, which stays where it is."""
    row = rig.names.index(bone)
    from_head, along = points - rig.heads[row], rig.axes()[row][:, axis]
    return np.linalg.norm(from_head - np.outer(from_head @ along, along), axis=1)


@pytest.mark.parametrize("angle", [40.0, 90.0, 120.0])
@pytest.mark.parametrize(
    ("name", "axis"),
    [
        ("corrective_hand_twist.L", 1),
        ("corrective_forearm_twist.R", 1),
        ("corrective_forearm_bend.L", 0),
        ("corrective_shin_bend.R", 0),
        ("corrective_thigh_bend.L", 0),
    ],
)
def test_a_joint_keeps_its_thickness(person, name, axis, angle):
    """Of what skinning takes from the outside of a joint, most comes back, and nothing grows beyond what it was."""
    body, rest = person
    corrective = KEYS[name]
    rig = turned(rest, corrective.bone, axis, np.radians(angle) * (corrective.bends or 1))
    values, offsets = photo_values(rig), corrective_offsets(body.vertices, body.weights, rig)[name]
    assert values[name] == pytest.approx(corrective.value(np.radians(angle) * (corrective.bends or 1)), abs=1e-4)
    assert max(value for other, value in values.items() if other != name) < 1e-4
    mixed = blended(body.weights, rig.photo_from_rest)
    moves = np.linalg.norm(offsets, axis=1)
    outside = moves > 0.5 * moves.max()
    before, plain, mended = (
        from_axis(points, rest, corrective.bone, axis)[outside]
        for points in (
            body.vertices,
            moved(mixed, body.vertices),
            moved(mixed, body.vertices + values[name] * offsets),
        )
    )
    assert (before - plain).max() > 0.04 * before.mean() * (angle / 90) ** 2
    lost, left = (before - plain).mean(), (before - mended).mean()
    assert abs(left) < 0.4 * lost and (mended / before).max() < 1.05


def test_they_bend_the_way_that_joints_do(person):
    """The forearm comes forward, the shin goes back, the thigh comes forward."""
    _, rest = person
    for name, sign in (("corrective_forearm_bend.L", -1), ("corrective_shin_bend.L", 1), ("corrective_thigh_bend.R", -1)):
        corrective = KEYS[name]
        rig = turned(rest, corrective.bone, 0, 0.8 * corrective.bends)
        row = rig.names.index(corrective.bone)
        tail = rig.photo_from_rest[row] @ np.append(rest.tails[row], 1)
        assert sign * (tail[:3] - rest.tails[row])[1] > 0.05, name


def test_what_lay_on_the_photo_still_does(person):
    """A garment that hangs round a bent knee rests where the key brings it back to its place."""
    body, rest = person
    rig = turned(rest, "shin.L", 0, np.radians(100))
    placed = before_correction(body.vertices, body.weights, rig)
    assert np.abs(placed - body.vertices).max() > 0.004
    values = photo_values(rig)
    keys = corrective_offsets(placed, body.weights, rig)
    assert np.abs(placed + sum(values[k] * v for k, v in keys.items()) - body.vertices).max() < 1e-3
    np.testing.assert_array_equal(before_correction(body.vertices, body.weights, rest), body.vertices)


def test_what_no_joint_moves_has_no_keys(person):
    body, rest = person
    head = SkinWeights(np.full((3, 1), rest.names.index("spine.006"), np.int32), np.ones((3, 1), np.float32))
    assert corrective_offsets(body.vertices[:3], head, rest) == {}
    assert corrective_offsets(body.vertices[:0], SkinWeights(head.bones[:0], head.weights[:0]), rest) == {}
