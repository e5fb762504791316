"""Who is in the photo. People are drawn from a few shapes; what is checked is who gets which pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sapiens2_avatar.core.capture.people import box_of, find_people
from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.core.common.landmarks import part_labels
from sapiens2_avatar.core.common.predictions import Predictions

HAIR, FACE, SHIRT, ARM, TROUSERS, SHOE = part_labels(
    "Hair", "Face_Neck", "Upper_Clothing", "Left_Lower_Arm", "Lower_Clothing", "Left_Shoe"
)


def draw(seg, x, y, height):
    """A standing figure whose head's top is at (x, y); about a quarter as wide as tall."""
    unit = height / 16
    rows, columns = np.mgrid[: seg.shape[0], : seg.shape[1]]

    def block(label, top, bottom, half):
        seg[(rows >= y + top * unit) & (rows < y + bottom * unit) & (np.abs(columns - x) <= half * unit)] = label

    block(TROUSERS, 8, 15, 1.5)
    block(SHOE, 15, 16, 1.7)
    block(SHIRT, 3, 8.5, 2)
    block(FACE, 1, 3, 1)
    block(HAIR, 0, 1, 1)
    return seg


def empty(height=400, width=600):
    return np.zeros((height, width), np.uint8)


def test_nobody():
    assert find_people(empty()) == []


def test_people_from_left_to_right():
    seg = empty()
    places = [450, 120, 290]
    alone = [draw(empty(), x, 60 + 10 * i, 300) for i, x in enumerate(places)]
    for one in alone:
        seg = np.maximum(seg, one)
    people = find_people(seg)
    assert len(people) == 3
    for person, i in zip(people, (1, 2, 0), strict=True):
        assert (person.mask == (alone[i] > 0)).all()
        assert (person.box == box_of(alone[i] > 0)).all()


def test_a_far_person_counts_and_a_speck_does_not():
    seg = draw(draw(empty(), 200, 20, 370), 500, 200, 130)
    seg[300:306, 560:566] = SHIRT
    people = find_people(seg)
    assert len(people) == 2
    assert not people[1].mask[300:306, 560:566].any()
    assert people[1].box[3] - people[1].box[1] == pytest.approx(130, abs=2)


@pytest.mark.parametrize("cut", [slice(180, 195), slice(240, 256)])
def test_what_something_in_front_cuts_off_stays_with_the_person(cut):
    """A table edge, a rail: legs below belong to the trunk above."""
    seg = draw(empty(), 300, 20, 370)
    seg[cut] = 0
    (person,) = find_people(seg)
    assert (person.mask == (seg > 0)).all()


def test_cut_off_legs_go_to_the_right_person():
    seg = draw(draw(empty(), 200, 20, 370), 420, 20, 370)
    seg[210:222, 380:460] = 0
    people = find_people(seg)
    assert len(people) == 2
    assert people[1].mask[300, 420]
    assert not people[0].mask[300, 420]


def test_a_head_alone_in_a_close_up():
    seg = empty()
    seg[50:400, 200:400] = FACE
    seg[20:50, 200:400] = HAIR
    (person,) = find_people(seg)
    assert (person.mask == (seg > 0)).all()


def test_a_body_without_a_head():
    seg = draw(empty(), 300, -80, 400)
    seg[seg == FACE] = 0
    (person,) = find_people(seg)
    assert person.mask[100, 300]


def test_boxes_tell_touching_people_apart():
    seg = draw(draw(empty(), 250, 40, 320), 322, 40, 320)
    assert len(find_people(seg)) == 1
    boxes = np.array([[286, 30, 370, 370], [205, 30, 286, 370]], np.float32)
    right, left = find_people(seg, boxes)
    assert (right.box == boxes[0]).all()  # in the order given
    assert right.mask[200, 330]
    assert left.mask[200, 240]
    assert not (left.mask & right.mask).any()


def test_boxes_of_found_people_find_them_again():
    """Predictions keep the boxes; later stages must get the same people out of seg and boxes, though the boxes overlap."""
    seg = draw(draw(empty(), 250, 20, 370), 345, 100, 280)
    seg[150:160, 180:250] = ARM
    people = find_people(seg)
    assert len(people) == 2
    assert people[0].box[2] > people[1].box[0] - 15
    for person, again in zip(people, find_people(seg, np.stack([p.box for p in people])), strict=True):
        assert (person.mask == again.mask).all()


@pytest.mark.parametrize(
    ("boxes", "sentence"),
    [
        ([[500, 10, 590, 90]], "No person was found in the box"),
        ([[10, 10, 10, 90]], "no area inside the photo"),
        ([[-90, 0, -10, 90]], "no area inside the photo"),
        ([[0, 0, np.inf, 90]], "no area inside the photo"),
        ([1, 2, 3], "rows of x1, y1, x2, y2"),
        (np.zeros((0, 4)), "rows of x1, y1, x2, y2"),
    ],
)
def test_boxes_that_are_none(boxes, sentence):
    with pytest.raises(SapiensError, match=sentence) as caught:
        find_people(draw(empty(), 200, 20, 370), np.array(boxes))
    assert caught.value.hint


@pytest.mark.parametrize("name", ["body_apose", "body_walk.degraded", "body_sit", "face_b.degraded"])
@pytest.mark.parametrize("noise", [0.0, 0.1, 0.3])
def test_studio_people_in_noise(studio, name, noise):
    """A weak network's speckle: random labels on a share of all pixels."""
    seg = Predictions.load(studio(name)).seg
    rng = np.random.default_rng(0)
    noisy = np.where(rng.random(seg.shape) < noise, rng.integers(0, 29, seg.shape, np.uint8), seg)
    (person,) = find_people(noisy)
    truth = seg > 0
    assert (person.mask & truth).sum() / truth.sum() > 0.98 - noise / 20
    assert (person.mask & ~truth).sum() / truth.sum() < 0.1
    # nothing far away
    far = np.abs(person.box - box_of(truth)).max() / max(seg.shape)
    assert far < 0.02


def test_speckle_alone_is_nobody():
    rng = np.random.default_rng(1)
    for share in (0.01, 0.1, 0.3):
        seg = np.where(rng.random((800, 600)) < share, rng.integers(1, 29, (800, 600)), 0).astype(np.uint8)
        assert find_people(seg) == []


@settings(max_examples=40, deadline=None)
@given(st.integers(40, 900), st.integers(40, 900), st.integers(1, 40), st.data())
def test_any_map(height, width, count, data):
    """Whatever the labels: masks are foreground, do not overlap, fill their boxes, and stand from left to right."""
    seg = np.zeros((height, width), np.uint8)
    for _ in range(count):
        x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
        seg[y : y + data.draw(st.integers(1, height)), x : x + data.draw(st.integers(1, width))] = data.draw(st.integers(0, 28))
    people = find_people(seg)
    taken = np.zeros(seg.shape, bool)
    for person in people:
        assert person.mask.any()
        assert not (person.mask & taken).any()
        assert (seg[person.mask] > 0).all()
        assert (person.box == box_of(person.mask)).all()
        taken |= person.mask
    middles = [person.box[0] + person.box[2] for person in people]
    assert middles == sorted(middles)
