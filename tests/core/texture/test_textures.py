"""Textures of one person: which source they come from, that nothing foreign gets in, and that any input gives a result."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sapiens2_avatar.core.common.arrays import Camera, MeshData
from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.common.spaces import camera_from_normal_head, uv_from_pixel
from sapiens2_avatar.core.texture.base_colour import colour_source
from sapiens2_avatar.core.texture.detail_transfer import add_detail, blur_between
from sapiens2_avatar.core.texture.textures import TextureSettings, make_textures, roughness_map


def surface_of(predictions: Predictions, mask: np.ndarray | None = None) -> SimpleNamespace:
    """What texturing needs of a surface: every pixel of the person is a vertex."""
    height, width = predictions.height, predictions.width
    camera = Camera(width, height, 1.2 * width, 1.2 * width, width / 2, height / 2)
    labels = predictions.seg if predictions.seg is not None else np.ones((height, width), np.uint8)
    mask = labels > 0 if mask is None else mask
    depth = np.where(mask, 2, 0).astype(np.float32)
    normal = np.zeros((height, width, 3), np.float32)
    normal[..., 2] = -1
    if predictions.normal is not None:
        normal = camera_from_normal_head(np.nan_to_num(predictions.normal.astype(np.float32)))
    index = np.arange(height * width).reshape(height, width)
    a, b, c, d = index[:-1, :-1].ravel(), index[:-1, 1:].ravel(), index[1:, 1:].ravel(), index[1:, :-1].ravel()
    faces = np.concatenate([np.stack([a, d, b], axis=1), np.stack([b, d, c], axis=1)]).astype(np.int32)
    faces = faces[mask.ravel()[faces].all(axis=1)] if len(faces) else faces.reshape(0, 3)
    y, x = np.indices((height, width), np.float32).reshape(2, -1)
    mesh = MeshData(
        (camera.rays() * 2).reshape(-1, 3).astype(np.float32),
        faces,
        uv_from_pixel(np.stack([x, y], axis=1), width, height).astype(np.float32),
        np.tile(np.float32([0, 0, -1]), (height * width, 1)),
        labels.ravel().astype(np.uint8),
    )
    return SimpleNamespace(mask=mask, labels=labels, depth=depth, normal=normal, camera=camera, mesh=mesh, notes=())


def person(size=64, **maps) -> Predictions:
    """A person in two parts before a green wall."""
    seg = np.zeros((size, size), np.uint8)
    seg[8:30, 16:48], seg[30:60, 16:48] = 3, 23
    image = np.zeros((size, size, 3), np.uint8)
    image[:] = (0, 255, 0)
    image[seg == 3], image[seg == 23] = (200, 120, 90), (60, 60, 160)
    return Predictions(**({"image": image, "seg": seg} | maps))


def facing(size=64) -> np.ndarray:
    normal = np.zeros((size, size, 3), np.float16)
    normal[..., 2] = 1
    return normal


def test_nothing_of_the_wall_is_in_the_texture():
    predictions = person()
    textures = make_textures(predictions, surface_of(predictions))
    colour = textures.base_colour_srgb.astype(int)
    assert textures.colour_source == "photo"
    assert colour[..., 1].max() <= 121  # the greenest part of the person
    assert np.abs(colour[20, 12] - (200, 120, 90)).max() <= 1 and np.abs(colour[45, 12] - (60, 60, 160)).max() <= 1
    assert ((textures.mask > 0) == (predictions.seg > 0)).all()


def test_an_exact_albedo_map_stays_exact():
    predictions = person()
    albedo = np.where((predictions.seg > 0)[..., None], predictions.image // 2, 0).astype(np.uint8)
    predictions = person(albedo=albedo)
    textures = make_textures(predictions, surface_of(predictions))
    assert textures.colour_source == "albedo"
    inside = predictions.seg > 0
    assert np.array_equal(textures.base_colour_srgb[inside], albedo[inside])


def test_the_best_source_there_is():
    full, no_albedo, photo = person(albedo=person().image, normal=facing()), person(normal=facing()), person()
    assert [colour_source(p) for p in (full, no_albedo, photo)] == ["albedo", "delighted", "photo"]
    assert [colour_source(full, wanted) for wanted in ("delighted", "photo")] == ["delighted", "photo"]
    with pytest.raises(SapiensError, match="no albedo"):
        colour_source(no_albedo, "albedo")
    with pytest.raises(SapiensError, match="no normal"):
        colour_source(photo, "delighted")
    with pytest.raises(SapiensError, match="Base Color must be auto, albedo, delighted or photo"):
        TextureSettings(colour="best")
    with pytest.raises(SapiensError, match="Gutter"):
        TextureSettings(gutter=-1)


def test_a_delighted_texture_has_roughness_of_the_parts():
    predictions = person(normal=facing())
    textures = make_textures(predictions, surface_of(predictions))
    assert textures.colour_source == "delighted"
    assert textures.roughness[45, 30] == pytest.approx(0.8 * 255, abs=2)
    assert textures.roughness[15, 30] == pytest.approx(0.45 * 255, abs=2)
    glossy = roughness_map(predictions.seg, np.where(predictions.seg == 3, 1.0, 0.0).astype(np.float32))
    assert glossy[15, 30] < 0.7 * textures.roughness[15, 30] and abs(int(glossy[50, 30]) - int(textures.roughness[50, 30])) <= 1


def test_one_person_of_two_gets_only_their_own_colours():
    predictions = person()
    mask = (predictions.seg > 0) & (np.arange(64) < 32)
    predictions.image[:, 32:48][predictions.seg[:, 32:48] > 0] = (255, 0, 0)
    textures = make_textures(predictions, surface_of(predictions, mask))
    assert textures.base_colour_srgb[..., 0].max() <= 201 and not textures.mask[:, 32:].any()


def test_lost_detail_comes_back_and_sharp_maps_stay():
    import cv2

    rng = np.random.default_rng(0)
    albedo = cv2.resize(rng.integers(40, 220, (40, 40, 3)).astype(np.uint8), (200, 200), interpolation=cv2.INTER_NEAREST)
    light = np.linspace(0.5, 1, 200, dtype=np.float32)[None, :, None]
    photo = np.rint(albedo * light).astype(np.uint8)
    blurred = cv2.GaussianBlur(albedo, (0, 0), 1.4)
    everywhere = np.ones((200, 200), bool)
    inside = np.full((200, 200), 99, np.float32)
    assert blur_between(albedo, photo, inside) is None
    assert blur_between(blurred, photo, inside) == pytest.approx(1.4)
    error = lambda image: np.abs(image[20:-20, 20:-20] - albedo[20:-20, 20:-20].astype(np.float32)).mean()  # noqa: E731
    assert error(add_detail(blurred, photo, everywhere)) < 0.3 * error(blurred)
    assert np.array_equal(add_detail(albedo, photo, everywhere), albedo.astype(np.float32))


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.booleans(), st.booleans(), st.booleans(),
    st.sampled_from(["all", "none", "one", "some"]),
)  # fmt: skip
def test_any_maps_give_textures_of_the_photos_size(height, width, seed, with_normal, with_albedo, with_alpha, share):
    rng = np.random.default_rng(seed)
    seg = rng.integers(1, 29, (height, width)).astype(np.uint8)
    keep = {
        "all": np.ones((height, width), bool),
        "none": np.zeros((height, width), bool),
        "some": rng.random((height, width)) < 0.5,
    }
    one = np.zeros((height, width), bool)
    one[height // 2, width // 2] = True
    seg *= (keep | {"one": one})[share]
    normal = rng.normal(size=(height, width, 3)).astype(np.float16)
    normal[rng.random((height, width)) < 0.1] = np.nan
    predictions = Predictions(
        image=rng.integers(0, 256, (height, width, 3)).astype(np.uint8),
        seg=seg,
        normal=normal if with_normal else None,
        albedo=rng.integers(0, 256, (height, width, 3)).astype(np.uint8) if with_albedo else None,
        alpha=rng.integers(0, 256, (height, width)).astype(np.uint8) if with_alpha else None,
    )
    textures = make_textures(predictions, surface_of(predictions))
    assert textures.base_colour_srgb.shape == (height, width, 3) and textures.mask.shape == (height, width)
    assert not textures.mask[seg == 0].any()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "limits"),
    [
        ("body_sit", {"samples": 60, "studio": 45}),
        ("body_sit.degraded", {"samples": 33, "studio": 28}),
        ("body_apose.degraded", {"samples": 28, "studio": 28}),
    ],
)
def test_the_albedo_map_of_a_person_keeps_or_gains_fidelity(every_studio, name, limits):
    import safetensors.numpy

    truth = safetensors.numpy.load_file(every_studio(name.removesuffix(".degraded")))
    maps = safetensors.numpy.load_file(every_studio(name))
    predictions = Predictions(**{key: maps[key] for key in ("image", "normal", "albedo", "seg", "alpha")})
    textures = make_textures(predictions, surface_of(predictions))
    person = (truth["seg"] > 0) & (maps["seg"] > 0)
    error = textures.base_colour_srgb[person].astype(float) - truth["albedo"][person]
    assert 10 * np.log10(255**2 / max(np.square(error).mean(), 1e-9)) > limits[every_studio.folder.name]
