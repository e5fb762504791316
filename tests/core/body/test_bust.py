"""What a bust keeps: head, shoulders and the upper chest, cut straight, with what is worn there."""

import numpy as np
import pytest

from sapiens2_avatar.core.body.bust import bust_shares, cut_to_bust
from sapiens2_avatar.core.body.character import make_body
from sapiens2_avatar.core.body.evaluate import Posture, Shape
from sapiens2_avatar.core.body.fitted import BodyFit
from sapiens2_avatar.core.body.rest import in_photo
from sapiens2_avatar.core.common.arrays import SkinWeights
from sapiens2_avatar.core.common.avatars import BodyData, GarmentData


@pytest.fixture(scope="module")
def person():
    """Body and rig at rest, and in a photo in which the person lies on their side."""
    posture = Posture.rest()
    turns = posture.turns.copy()
    turns[0] = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    resting = make_body(BodyFit(Shape(), Posture(turns, np.array([0.0, 0, 3]))), np.eye(4))
    return resting, in_photo(*resting)


def skin_as_garment(body: BodyData, bones: np.ndarray, kind: str) -> GarmentData:
    """The skin that some bones (B,) bool move for the most part."""
    moved = (body.weights.weights * bones[body.weights.bones]).sum(axis=1) > 0.9
    faces = moved[body.quads].all(axis=1) & (body.part == 0)
    used, row = np.unique(body.quads[faces], return_inverse=True)
    return GarmentData(
        kind,
        body.vertices[used],
        row.reshape(-1, 4).astype(np.int32),
        body.uvs[faces],
        SkinWeights(body.weights.bones[used], body.weights.weights[used]),
        np.array([22], np.uint8),
        np.array([200, 30, 40], np.uint8),
        np.zeros(faces.sum(), bool),
    )


def test_head_and_shoulders_are_kept_and_hands_and_legs_are_not(person) -> None:
    (body, rig), _ = person
    kept = bust_shares(body.vertices, body.weights, rig) > 0.5
    bones = np.array(rig.names)[body.weights.bones[np.arange(len(kept)), body.weights.weights.argmax(axis=1)]]
    for name, wanted in (("spine.006", True), ("shoulder.L", True), ("thigh.R", False), ("hand.R", False), ("forearm.L", False)):
        assert (kept[bones == name] == wanted).all(), name
    assert 0.2 < kept[bones == "upper_arm.L"].mean() < 0.7 and 0.2 < kept[bones == "spine.003"].mean() < 1


def test_the_cut_is_that_of_the_rest_pose_whatever_the_photo_s_pose_and_what_hangs_below_goes(person) -> None:
    (body, rig), (posed, _) = person
    chest, shoes = (
        skin_as_garment(posed, np.isin(rig.names, names), kind)
        for kind, names in (("upper", ["spine.003", "upper_arm.L"]), ("shoes", ["foot.L", "foot.R"]))
    )
    cut, worn = cut_to_bust(posed, [chest, shoes], body.vertices, rig)
    assert [garment.kind for garment in worn] == ["upper"]
    assert np.array_equal(cut.bust, bust_shares(body.vertices, body.weights, rig))
    alone = bust_shares(body.vertices, body.weights, rig)
    on_skin = {tuple(np.round(point, 4)): share for point, share in zip(posed.vertices, alone, strict=True)}
    shares = np.array([on_skin[tuple(np.round(point, 4))] for point in worn[0].vertices])
    assert np.abs(worn[0].bust - shares).max() < 0.02
