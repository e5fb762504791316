"""Hair, hats and glasses from drawn people: closed, as far out as seen, off the face, symmetrical behind, unwrapped, weighted."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import binary_erosion, distance_transform_edt
from scipy.spatial import cKDTree

from sapiens2_avatar.core.body.character import make_body
from sapiens2_avatar.core.body.evaluate import Posture, Shape, pose_points, rest_points
from sapiens2_avatar.core.body.fit import Sighting
from sapiens2_avatar.core.body.fitted import BodyFit
from sapiens2_avatar.core.body.maps import draw_body
from sapiens2_avatar.core.body.rest import in_photo
from sapiens2_avatar.core.body.skeleton import BONES
from sapiens2_avatar.core.body.template import template
from sapiens2_avatar.core.common.arrays import Camera, Pose
from sapiens2_avatar.core.common.landmarks import JOINT_NAMES, part_labels
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.common.rotations import rotation_from_vector
from sapiens2_avatar.core.garments.hair import make_head_garments
from sapiens2_avatar.core.garments.head_space import HEAD, head_vertices
from sapiens2_avatar.core.texture.rasterise import rasterise

TO_CAMERA = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
CAMERA = Camera(300, 300, 560.0, 560.0, 149.5, 149.5)
HAIR, APPAREL, GLASSES, FACE = (int(part_labels(name)[0]) for name in ("Hair", "Apparel", "Eyeglass", "Face_Neck"))
OUT = 0.02  # metres that drawn hair stands off the scalp


def standing(yaw: float = 0.0) -> BodyFit:
    """Somebody whose head and shoulders fill the picture."""
    turns = Posture.rest().turns.copy()
    turns[0] = TO_CAMERA @ rotation_from_vector(np.array([0, 0, yaw]))
    heads = template().heads.of(rest_points(Shape()).astype(float))
    crown = rest_points(Shape())[head_vertices()].mean(axis=0)
    hips = heads[0]
    return BodyFit(Shape(), Posture(turns, np.array([0, 0, 1.4]) - turns[0] @ (crown - hips) - hips))


def drawn(fit: BodyFit, hairline: float | None = 0.06, label: int = HAIR, camera: Camera = CAMERA) -> Predictions:
    """What a perfect network would say; hairline: metres over the eyes where hair begins in front, None = bald."""
    maps = draw_body(fit, camera)
    seen = maps.face >= 0
    points, labels = np.where(seen[..., None], maps.points, 0).astype(np.float32), maps.labels.copy()
    if hairline is not None:
        rest = rest_points(fit.shape)
        posed = pose_points(rest, fit.posture)
        back = cKDTree(posed[template().skin_vertices()])
        own = rest[template().skin_vertices()][back.query(maps.points[seen])[1]]
        eyes = template().heads.of(rest.astype(float))[[k for k, n in enumerate(BONES) if n.startswith("eye")]].mean(axis=0)
        hair = np.zeros_like(seen)
        hair[seen] = own[:, 2] - eyes[2] > hairline - 0.9 * (own[:, 1] - eyes[1]).clip(0, None)
        labels[hair] = label
        # Hair stands off along the line of sight, and the outline grows by as much.
        grown, depth = grow(hair, points[..., 2], seen, round(OUT * camera.fx / 1.4))
        labels[grown] = label
        rays = camera.rays()
        points[hair] -= OUT * (rays / np.linalg.norm(rays, axis=-1, keepdims=True))[hair]
        points[grown] = rays[grown] * depth[grown][:, None]
    image = np.full((*seen.shape, 3), 90, np.uint8)
    image[labels == label] = [40, 30, 20]
    return Predictions(image=image, pointmap=points, seg=labels, intrinsics=camera.matrix.astype(np.float32))


def grow(hair: np.ndarray, depth: np.ndarray, seen: np.ndarray, pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """Background within some pixels of hair, and the depth of the nearest hair there."""
    far, nearest = distance_transform_edt(~hair, return_indices=True)
    return (far <= pixels) & ~seen, depth[tuple(nearest)]


def dressed(*photos: tuple[BodyFit, Predictions]):
    """Garments, notes, body and rig."""
    known = np.ones(68, np.float32)
    pose = Pose(JOINT_NAMES, np.zeros((68, 3), np.float32), known, known > 0, np.zeros((308, 3), np.float32), 1.7)
    body, rig = in_photo(*make_body(photos[0][0], np.eye(4)))
    made, notes = make_head_garments([(Sighting(p, CAMERA, pose), fit) for fit, p in photos], body, rig)
    return made, notes, body, rig


@pytest.fixture(scope="module")
def front():
    fit = standing()
    predictions = drawn(fit)
    made, notes, body, rig = dressed((fit, predictions))
    assert [piece.kind for piece in made] == ["hair"]
    assert notes == ()
    return fit, predictions, made[0], body, rig


def unbalanced(quads: np.ndarray) -> int:
    """Edges that are not passed as often in one direction as in the other."""
    ends = np.concatenate([quads[:, [k, (k + 1) % 4]] for k in range(4)]).astype(np.int64)
    forth, there = np.unique(ends[:, 0] * (1 << 32) + ends[:, 1], return_counts=True)
    back, here = np.unique(ends[:, 1] * (1 << 32) + ends[:, 0], return_counts=True)
    return len(np.setxor1d(forth, back)) + int((there != here).sum() if len(there) == len(here) else 1)


def volume(vertices: np.ndarray, quads: np.ndarray) -> float:
    a, b, c, d = (vertices[quads[:, k]].astype(float) for k in range(4))
    return float(((np.cross(a, b) * c).sum() + (np.cross(a, c) * d).sum()) / 6)


def overlap(uvs: np.ndarray, side: int = 1024) -> float:
    """Share of the covered texels where the face on top is not the one at the bottom."""
    middle = uvs.mean(axis=1, keepdims=True)
    shrunk = ((uvs - middle) * 0.96 + middle) * side - 0.5
    halves = np.stack([shrunk[:, [0, 1, 2]], shrunk[:, [0, 2, 3]]], axis=1).reshape(-1, 3, 2).astype(np.float32)
    top, _ = rasterise(halves, side, side)
    bottom, _ = rasterise(halves[::-1], side, side)
    both = top >= 0
    return float((top[both] // 2 != (len(halves) - 1 - bottom[both]) // 2).mean())


def test_hair_is_closed_and_made_of_quads(front):
    _, _, hair, _, _ = front
    assert unbalanced(hair.quads) == 0
    assert hair.quads.max() < len(hair.vertices)
    assert np.unique(hair.quads).size == len(hair.vertices)
    assert volume(hair.vertices, hair.quads) > 0.0005  # outwards: half a litre at least
    assert 0.2 < hair.inside.mean() < 0.7


def test_hair_follows_what_is_seen(front):
    _, predictions, hair, _, _ = front
    seen = predictions.pointmap[predictions.seg == HAIR]
    # Where the drawn surface stands edge-on (the grown outline) no surface is known to half a pixel.
    distance, _ = cKDTree(dense(hair)).query(seen)
    assert np.median(distance) < 0.0015
    assert distance.mean() < 0.003


def dense(piece) -> np.ndarray:
    """Points of a piece, 2 mm apart or less."""
    corners = piece.vertices[piece.quads].astype(float)
    share = (np.arange(4) + 0.5) / 4
    s, t = (g.ravel()[None, :, None] for g in np.meshgrid(share, share))
    a, b, c, d = (corners[:, k, None] for k in range(4))
    return ((1 - s) * ((1 - t) * a + t * d) + s * ((1 - t) * b + t * c)).reshape(-1, 3)


def test_hair_stays_off_the_face(front):
    _, predictions, hair, _, _ = front
    seg = predictions.seg
    points = dense(hair)
    pixel = np.rint(CAMERA.project(points)).astype(int)
    inner = (pixel >= 0).all(axis=1) & (pixel < 300).all(axis=1)
    pixel, points = pixel[inner], points[inner]
    face = binary_erosion(seg == FACE, iterations=2)  # not the rim of what stands 2 cm before it
    at = face[pixel[:, 1], pixel[:, 0]]
    before = predictions.pointmap[pixel[:, 1], pixel[:, 0], 2] - points[:, 2]
    assert at.any()
    assert np.mean(before[at] > 0.004) < 0.002


def test_the_unseen_back_is_hair_and_symmetrical(front):
    fit, _, hair, body, _ = front
    turn = fit.posture.turns[0]
    points = (dense(hair) - body.vertices[head_rows(body)].mean(axis=0)) @ turn
    outside = points[~np.repeat(hair.inside, 16)]
    behind = outside[outside[:, 1] > 0.02]
    distance, _ = cKDTree(behind).query(behind * [-1, 1, 1])
    assert np.median(distance) < 0.003
    skull = (body.vertices[head_rows(body)] - body.vertices[head_rows(body)].mean(axis=0)) @ turn
    occiput = skull[(skull[:, 1] > 0.07) & (skull[:, 2] > 0.0)]
    over, _ = cKDTree(outside).query(occiput)
    assert over.min() > 0.0005
    assert np.median(over) > 0.008
    assert over.max() < 0.045  # about as thick as in front


def head_rows(body) -> np.ndarray:
    """(n,) of the body's vertices that are the head's: above the chin of somebody who stands upright."""
    high = body.vertices[:, 1] < body.vertices[:, 1].min() + 0.2
    return np.flatnonzero(high & (np.abs(body.vertices[:, 0]) < 0.12))


def test_nothing_shows_where_the_photo_has_background(front):
    _, predictions, hair, _, _ = front
    pixel = np.rint(CAMERA.project(dense(hair))).astype(int)
    outside = distance_transform_edt(predictions.seg == 0)[pixel[:, 1], pixel[:, 0]]
    assert np.mean(outside > 1.5) < 0.01
    assert outside.max() * 1.4 / CAMERA.fx < 0.008


def test_texture_coordinates_do_not_overlap(front):
    _, _, hair, _, _ = front
    assert hair.uvs.min() >= 0
    assert hair.uvs.max() <= 1
    assert overlap(hair.uvs) < 0.002
    a, b, c, d = (hair.uvs[:, k].astype(float) for k in range(4))
    area = np.abs(np.cross(c - a, d - b)) / 2
    assert area[~hair.inside].sum() > 0.2  # of the square


def test_hair_on_the_head_goes_with_the_head(front):
    _, _, hair, _, rig = front
    w = hair.weights
    assert w.bones.shape[1] <= 4
    np.testing.assert_allclose(w.weights.sum(axis=1), 1, atol=1e-5)
    head = (w.weights * (w.bones == rig.names.index(HEAD))).sum(axis=1)
    high = hair.vertices[:, 1] < np.median(hair.vertices[:, 1])
    np.testing.assert_allclose(head[high], 1, atol=1e-6)


def test_the_same_photo_gives_the_same_bytes(front):
    fit, predictions, hair, _, _ = front
    again = dressed((fit, predictions))[0][0]
    for name in ("vertices", "quads", "uvs"):
        assert getattr(again, name).tobytes() == getattr(hair, name).tobytes()


def test_tone_is_the_hairs(front):
    np.testing.assert_array_equal(front[2].tone, [40, 30, 20])


def test_bald_people_and_photos_without_parts_get_nothing():
    fit = standing()
    bald = drawn(fit, None)
    assert dressed((fit, bald))[0] == ()
    assert dressed((fit, replace(bald, seg=None)))[0] == ()
    assert dressed((fit, replace(drawn(fit), pointmap=None)))[0] == ()


def test_a_map_of_nothing_and_stray_pixels_are_no_hair():
    fit = standing()
    photo = drawn(fit)
    assert dressed((fit, replace(photo, pointmap=np.full_like(photo.pointmap, np.nan))))[0] == ()
    far = photo.pointmap * np.float32(20)
    assert dressed((fit, replace(photo, pointmap=far)))[0] == ()


def test_holes_and_noise_in_the_map_leave_the_hair_closed():
    fit = standing()
    photo = drawn(fit)
    rng = np.random.default_rng(0)
    points = photo.pointmap * (1 + rng.normal(0, 0.002, photo.seg.shape).astype(np.float32))[..., None]
    points[rng.random(photo.seg.shape) < 0.2] = np.nan
    (hair,), _, _, _ = dressed((fit, replace(photo, pointmap=points)))
    assert unbalanced(hair.quads) == 0
    assert np.isfinite(hair.vertices).all()
    clean = dressed((fit, photo))[0][0]
    assert cKDTree(dense(clean)).query(dense(hair))[0].mean() < 0.005


def test_from_behind_the_face_stays_free():
    fit = standing(np.pi)
    (hair,), _, body, _ = dressed((fit, drawn(fit)))
    rest = rest_points(Shape())
    eyes = pose_points(rest, fit.posture)
    heads = template().heads.of(eyes.astype(float))[[k for k, n in enumerate(BONES) if n.startswith("eye")]]
    nearest, _ = cKDTree(dense(hair)).query(heads)
    assert nearest.min() > 0.02
    assert len(body.vertices)


def test_several_photos_agree_about_one_head():
    first, second = standing(), standing(np.pi)
    made, _, _, _ = dressed((first, drawn(first)), (second, drawn(second)))
    (hair,) = made
    assert unbalanced(hair.quads) == 0
    # The second photo's hair, brought into the first.
    back = drawn(second)
    points = back.pointmap[back.seg == HAIR]
    turn = first.posture.turns[0] @ second.posture.turns[0].T
    middle = [pose_points(rest_points(f.shape), f.posture)[head_vertices()].mean(axis=0) for f in (first, second)]
    moved = (points - middle[1]) @ turn.T + middle[0]
    assert np.median(cKDTree(dense(hair)).query(moved)[0]) < 0.0025


def test_a_hat_is_apparel_on_the_head():
    fit = standing()
    made, _, _, _ = dressed((fit, drawn(fit, label=APPAREL)))
    assert [piece.kind for piece in made] == ["headwear"]
    assert unbalanced(made[0].quads) == 0
    np.testing.assert_array_equal(made[0].labels, [APPAREL])


def test_apparel_below_the_head_is_no_hat():
    fit = standing()
    photo = drawn(fit, None)
    labels = photo.seg.copy()
    labels[-40:][labels[-40:] > 0] = APPAREL
    assert dressed((fit, replace(photo, seg=labels)))[0] == ()


@pytest.fixture(scope="module")
def with_glasses():
    """A face with two rings round the eyes."""
    fit = standing()
    photo = drawn(fit, None)
    heads = template().heads.of(pose_points(rest_points(Shape()), fit.posture).astype(float))
    eyes = heads[[k for k, n in enumerate(BONES) if n.startswith("eye")]]
    labels = photo.seg.copy()
    y, x = np.mgrid[:300, :300]
    for px, py in CAMERA.project(eyes):
        radius = np.hypot(x - px, y - py) * 1.4 / CAMERA.fx
        labels[(radius > 0.019) & (radius < 0.023)] = GLASSES
    return fit, replace(photo, seg=labels), eyes


def test_glasses_are_rims_before_the_eyes_and_temples_to_the_ears(with_glasses):
    fit, photo, eyes = with_glasses
    (glasses,), notes, _, rig = dressed((fit, photo))
    assert glasses.kind == "eyewear"
    assert notes == ()
    assert unbalanced(glasses.quads) == 0
    assert volume(glasses.vertices, glasses.quads) > 0
    assert overlap(glasses.uvs) < 0.002
    depth = glasses.vertices[:, 2]
    assert depth.min() < eyes[:, 2].min() - 0.015
    assert depth.max() > eyes[:, 2].max() + 0.05
    for eye in eyes:
        around = glasses.vertices[np.abs(depth - depth.min()) < 0.01] - eye
        radius = np.hypot(around[:, 0], around[:, 1])
        assert 0.015 < radius.min() < 0.026
    assert set(glasses.weights.bones.ravel()) == {rig.names.index(HEAD)}


def test_a_few_pixels_of_glasses_are_left_out_and_said(with_glasses):
    fit, photo, _ = with_glasses
    labels = photo.seg.copy()
    ring = np.argwhere(labels == GLASSES)
    labels[tuple(ring[12:].T)] = FACE
    made, notes, _, _ = dressed((fit, replace(photo, seg=labels)))
    assert made == ()
    assert len(notes) == 1
    assert "glasses" in notes[0]


def test_a_dark_collar_is_no_hair(front):
    """A small patch far below the hair that was taken for hair adds nothing."""
    fit, predictions, hair, _, _ = front
    labels = predictions.seg.copy()
    rows = np.flatnonzero((labels == FACE).any(axis=1))
    row = rows[-1] - 4
    column = np.flatnonzero(labels[row] > 0)[0]
    labels[row : row + 6, column : column + 10] = np.where(labels[row : row + 6, column : column + 10] > 0, HAIR, 0)
    assert 12 < (labels == HAIR).sum() - (predictions.seg == HAIR).sum() < 0.05 * (predictions.seg == HAIR).sum()
    (again,), _, _, _ = dressed((fit, replace(predictions, seg=labels)))
    assert abs(again.vertices[:, 1].max() - hair.vertices[:, 1].max()) < 0.01


def test_a_sliver_of_skin_at_the_outline_is_hair(front):
    """Where the outline of the hair was taken for skin, above the eyes, the hair has no hole."""
    fit, predictions, hair, _, _ = front
    labels = predictions.seg.copy()
    own = labels == HAIR
    rim = own & ~binary_erosion(own | (labels > 0), iterations=4)
    rim[np.flatnonzero(own.any(axis=1))[0] + 25 :] = False
    rim[:, labels.shape[1] // 2 :] = False
    labels[rim] = FACE
    assert 60 < rim.sum() < 0.1 * own.sum()
    (again,), _, _, _ = dressed((fit, replace(predictions, seg=labels)))
    assert volume(again.vertices, again.quads) > 0.985 * volume(hair.vertices, hair.quads)


def test_hair_beside_the_neck_on_one_side_goes_round_behind_it():
    """The photo shows that none stands out on the other side, and nothing of what the neck hides."""
    fit = standing()
    seen = drawn(fit)
    labels, points = seen.seg.copy(), seen.pointmap.copy()
    row = 190
    neck = np.flatnonzero(labels[row] == FACE)
    strand = np.zeros_like(labels, bool)
    strand[150 : row + 10, neck[0] - 12 : neck[0] + 1] = True
    depth = float(np.median(points[row, neck, 2])) + 0.08  # behind the side of the neck
    labels[strand], points[strand] = HAIR, (CAMERA.rays() * np.float32(depth))[strand]
    (hair,), _, _, _ = dressed((fit, replace(seen, seg=labels, pointmap=points)))
    pixel = CAMERA.project(dense(hair))
    beside = pixel[(np.abs(pixel[:, 1] - row) < 5) & (dense(hair)[:, 2] > depth - 0.01), 0]
    assert beside.min() < neck[0] - 4
    assert neck[-1] - 8 < beside.max() < neck[-1] + 6
