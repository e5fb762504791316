"""The look through a photo and the way back, and pins: kept with the avatar, built with, and where its landmarks are."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from support.reading import roles


def state(scene):
    render = scene.render
    return [render.resolution_x, render.resolution_y, render.resolution_percentage, render.pixel_aspect_x, scene.camera]


@pytest.fixture
def avatar(part, make_avatar):
    return part("scene.build").write_avatars([make_avatar()], "Photo", source="/p.safetensors")


@pytest.fixture
def mine():
    """A camera of the artist, which the scene renders through."""
    camera = bpy.data.objects.new("Mine", bpy.data.cameras.new("Mine"))
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.camera = camera
    bpy.context.scene.render.resolution_x = 333
    return camera


@pytest.mark.usefixtures("worker")
def test_the_way_back_restores_camera_and_render_size(mine, avatar):
    scene = bpy.context.scene
    before, camera = state(scene), roles(avatar)["camera"]
    lens = [camera.data.sensor_fit, camera.data.shift_x, camera.data.shift_y]
    assert bpy.ops.sapiens2.look_through() == {"FINISHED"}
    assert state(scene)[:2] == [48, 64] and scene.camera == camera
    assert bpy.ops.sapiens2.look_through() == {"FINISHED"}
    assert state(scene) == before and scene.camera == mine
    assert [camera.data.sensor_fit, camera.data.shift_x, camera.data.shift_y] == lens
    assert not scene.sapiens2.look.scene_before and scene.sapiens2.look.avatar is None


@pytest.mark.usefixtures("worker", "avatar", "mine")
def test_what_the_artist_changes_while_looking_stays():
    scene = bpy.context.scene
    bpy.ops.sapiens2.look_through()
    scene.render.resolution_y = 77
    other = bpy.data.objects.new("Other", bpy.data.cameras.new("Other"))
    scene.collection.objects.link(other)
    scene.camera = other
    bpy.ops.sapiens2.look_through()
    assert (scene.render.resolution_y, scene.camera) == (77, other)


@pytest.mark.usefixtures("worker", "mine")
def test_there_is_a_way_back_from_an_avatar_that_was_deleted(avatar, mine):
    bpy.ops.sapiens2.look_through()
    bpy.data.batch_remove(list(avatar.all_objects))
    bpy.data.collections.remove(avatar)
    assert bpy.ops.sapiens2.look_through.poll() and bpy.ops.sapiens2.look_through() == {"FINISHED"}
    assert bpy.context.scene.render.resolution_x == 333 and bpy.context.scene.camera == mine


def test_a_pixel_is_where_its_point_is(part, avatar):
    through = part("scene.through_photo")
    camera, lens = through.photo_camera(avatar)
    bpy.context.view_layer.update()
    for pixel in ([0, 0], [47, 63], [10.5, 20.25]):
        point = np.array(through.point_of(np.array(pixel), camera, lens))
        assert np.allclose(through.pixel_of(point, camera, lens), pixel, atol=1e-3)
    behind = camera.matrix_world @ part("scene.through_photo").Vector((0, 0, 1))
    assert through.pixel_of(np.array(behind), camera, lens) is None


def test_a_frame_maps_places_and_pixels_both_ways(part):
    frame = part("scene.through_photo").PhotoFrame((10.0, 20.0), (110.0, 220.0), (50, 100))
    assert frame.pixel(10, 220) == (-0.5, -0.5) and frame.pixel(110, 20) == (49.5, 99.5)
    assert np.allclose(frame.pixel(*frame.place(12.25, 70.5)), (12.25, 70.5))


def test_pins_are_kept_with_the_avatar(part, avatar, tmp_path):
    pins = part("scene.pins")
    make = part("core.common.pins").Pin
    assert pins.pins_of(avatar) == () and pins.pins_of(None) == ()
    pins.set_pin(avatar, make(person=0, keypoint="left_wrist", x=1.0, y=2.0))
    pins.set_pin(avatar, make(person=0, keypoint="nose", x=3.0, y=4.0))
    pins.set_pin(avatar, make(person=0, keypoint="left_wrist", x=5.0, y=6.0))
    assert [(pin.keypoint, pin.x) for pin in pins.pins_of(avatar)] == [("nose", 3.0), ("left_wrist", 5.0)]
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "pins.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "pins.blend"))
    assert len(pins.pins_of(bpy.data.collections["Photo"])) == 2
    pins.keep_pins(bpy.data.collections["Photo"], ())
    assert "sapiens2_pins" not in bpy.data.collections["Photo"]


@pytest.mark.parametrize(
    ("keypoint", "words"), [("left_wrist", "Left Wrist"), ("r_outer_corner_of_mouth", "Right Outer Corner of Mouth")]
)
def test_pins_have_an_artists_words(part, keypoint, words):
    assert part("scene.pins").pin_words(keypoint) == words


def test_a_person_is_found_again_by_where_they_are(part, avatar):
    scan = roles(avatar)["scan"]
    scan["sapiens2_box"] = (0.5, 0.0, 1.0, 1.0)
    keypoints = np.ones((2, 308, 3))
    keypoints[0, :, 0], keypoints[1, :, 0] = 0.2, 0.7
    assert part("scene.pin_places").rows_of(avatar, keypoints) == {scan["sapiens2_person"]: 1}
    assert part("scene.pin_places").rows_of(avatar, keypoints[:1]) == {scan["sapiens2_person"]: 0}
    assert part("scene.pin_places").rows_of(avatar, keypoints[[0, 0]]) == {}


@pytest.mark.usefixtures("worker")
def test_a_pin_is_built_with_and_taken_away_again(part, avatar, monkeypatch):
    asked = []
    monkeypatch.setattr(part("operators.pins"), "follow", lambda context: asked.append(part("scene.pins").pins_of(avatar)))
    assert bpy.ops.sapiens2.pin_set(person=0, keypoint="left_wrist", pixel=(3, 4)) == {"FINISHED"}
    assert [(pin.person, pin.keypoint, pin.x, pin.y) for pin in asked[-1]] == [(0, "left_wrist", 3.0, 4.0)]
    with pytest.raises(RuntimeError, match="no point third_eye"):
        bpy.ops.sapiens2.pin_set(person=0, keypoint="third_eye", pixel=(3, 4))
    assert bpy.ops.sapiens2.pin_remove(pin=0) == {"FINISHED"} and asked[-1] == ()
    assert not bpy.ops.sapiens2.pin_remove.poll()
