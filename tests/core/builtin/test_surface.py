"""The surface of one person: inflated from the outline where no body is known, and the body where it fits."""

import numpy as np

from sapiens2_avatar.core.body.maps import BodyMaps
from sapiens2_avatar.core.builtin.surface import person_surface
from sapiens2_avatar.core.common.arrays import Camera
from sapiens2_avatar.core.common.landmarks import part_labels

CAMERA = Camera(120, 160, 200.0, 200.0, 59.5, 79.5)
BOX = (slice(20, 140), slice(30, 90))


def ellipse(across: float, down: float) -> np.ndarray:
    y, x = np.mgrid[:160, :120]
    return ((x - 59.5) / across) ** 2 + ((y - 79.5) / down) ** 2 <= 1


def test_an_outline_alone_is_inflated():
    mask = ellipse(25, 55)
    surface = person_surface(mask, np.zeros((120, 60), np.uint8), None, CAMERA, BOX)
    assert surface.depth.shape == (120, 60) and surface.normal.shape == (120, 60, 3)
    np.testing.assert_allclose(np.linalg.norm(surface.normal, axis=-1), 1, atol=1e-3)
    middle = surface.normal[59:61, 29:31].mean((0, 1))
    assert middle[2] < -0.98
    assert surface.normal[60, 6, 0] < -0.7 and surface.normal[60, 53, 0] > 0.7
    assert surface.depth[60, 30] < surface.depth[60, 8] - 0.02  # the middle is nearer than the sides


def body_before(depth: float, across: float, down: float) -> BodyMaps:
    on = ellipse(across, down)
    points = np.where(on[..., None], CAMERA.rays() * np.float32(depth), np.float32(np.nan))
    normals = np.where(on[..., None], np.float32([0, 0, -1]), np.float32(np.nan))
    return BodyMaps(points, normals, on.astype(np.uint8), np.where(on, 0, -1).astype(np.int32))


def test_the_depth_is_that_of_the_body_where_it_fits():
    mask = ellipse(25, 55)
    skin = np.full((120, 60), part_labels("Torso")[0], np.uint8)
    surface = person_surface(mask, skin, body_before(3.0, 24, 54), CAMERA, BOX)
    np.testing.assert_allclose(surface.depth[40:80, 20:40], 3.0, atol=0.02)
    assert (surface.normal[40:80, 20:40, 2] < -0.95).all()


def test_clothes_wider_than_the_body_turn_sideways_at_their_own_outline():
    mask = ellipse(25, 55)
    cloth = np.full((120, 60), part_labels("Upper_Clothing")[0], np.uint8)
    surface = person_surface(mask, cloth, body_before(3.0, 12, 40), CAMERA, BOX)
    assert surface.normal[60, 6, 0] < -0.6 and surface.normal[60, 53, 0] > 0.6
    np.testing.assert_allclose(surface.depth[55:65, 27:33], 3.0, atol=0.05)


def test_hair_is_a_dome_over_the_skull():
    mask = ellipse(25, 55)
    depths = {}
    for name in ("Upper_Clothing", "Hair"):
        worn = np.full((120, 60), part_labels(name)[0], np.uint8)
        worn[70:] = part_labels("Face_Neck")[0]  # from the brow down the skin is the body's
        depths[name] = person_surface(mask, worn, body_before(3.0, 20, 50), CAMERA, BOX).depth
    np.testing.assert_allclose(depths["Hair"][80:100, 25:35], 3.0, atol=0.03)
    # Cloth lies on the body; hair stands off the skull where its outline says so.
    assert depths["Hair"][40, 30] < depths["Upper_Clothing"][40, 30] - 0.02
    assert depths["Hair"][8, 30] > depths["Hair"][40, 30] + 0.1


def test_a_person_who_is_cut_by_the_photo_is_not_rounded_there():
    mask = np.zeros((160, 120), bool)
    mask[60:, 40:80] = True
    box = (slice(57, 160), slice(37, 83))
    surface = person_surface(mask, np.zeros((103, 46), np.uint8), None, CAMERA, box)
    assert abs(surface.normal[-2, 23, 1]) < 0.2
    assert surface.normal[4, 23, 1] < -0.5


def limbs_before(depths: dict[str, tuple[float, slice]]) -> BodyMaps:
    """Upright round pillars of the body: part -> its distance in metres and its columns."""
    points = np.full((160, 120, 3), np.nan, np.float32)
    normals, labels, face = points.copy(), np.zeros((160, 120), np.uint8), np.full((160, 120), -1, np.int32)
    for name, (depth, columns) in depths.items():
        points[30:130, columns] = (CAMERA.rays() * np.float32(depth))[30:130, columns]
        across = np.linspace(-0.95, 0.95, columns.stop - columns.start, dtype=np.float32)
        normals[30:130, columns] = np.stack([across, 0 * across, -np.sqrt(1 - across**2)], axis=-1)
        labels[30:130, columns], face[30:130, columns] = part_labels(name)[0], 0
    return BodyMaps(points, normals, labels, face)


def test_a_sleeve_beside_a_jacket_has_an_outline_of_its_own():
    """Nothing of the background is seen between them, and both are wider than the body in them."""
    mask = np.zeros((160, 120), bool)
    mask[28:132, 33:87] = True
    maps = limbs_before({"Right_Upper_Arm": (2.9, slice(36, 46)), "Torso": (3.0, slice(52, 84))})
    cloth = np.full((120, 60), part_labels("Upper_Clothing")[0], np.uint8)
    normal = person_surface(mask, cloth, maps, CAMERA, BOX).normal
    border = 49 - BOX[1].start  # half way between the two
    row = normal[60, :, 0]
    assert row[border - 2] > 0.4 and row[border + 2] < -0.4
    assert np.diff(row)[border - 3 : border + 3].min() < -0.5


def test_a_skirt_spans_both_legs():
    mask = np.zeros((160, 120), bool)
    mask[28:132, 35:85] = True
    maps = limbs_before({"Right_Upper_Leg": (3.0, slice(40, 50)), "Left_Upper_Leg": (3.0, slice(70, 80))})
    cloth = np.full((120, 60), part_labels("Lower_Clothing")[0], np.uint8)
    normal = person_surface(mask, cloth, maps, CAMERA, BOX).normal
    assert np.abs(np.diff(normal[60, 8:52, 0])).max() < 0.3
    assert normal[60, 28:32, 2].mean() < -0.9
