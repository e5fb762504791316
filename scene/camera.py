"""The matched camera: projects every point of the scan onto the pixel that it came from, with the photo behind it."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix

from ..core.capture.camera import SENSOR_WIDTH, blender_lens
from ..core.common.arrays import Camera
from ..core.common.spaces import world_from_blender_camera
from .image import MAP
from .restore import Changes
from .typed import scene_of

PLACED = "sapiens2_placed"
"""Custom property of the camera: the transform that a build gave it, row by row."""
LENS = ("sensor_fit", "sensor_width", "sensor_height", "lens", "shift_x", "shift_y")
"""What a build sets of a camera's own."""


def write_camera(
    camera: Camera, world_from_camera: np.ndarray, photo: bpy.types.Image, name: str, collection: bpy.types.Collection
) -> bpy.types.Object:
    """A new camera object in `collection` with the lens of `core.capture.camera.blender_lens`: an artist's render size can stay.

    For pixels that are not square the scene's pixel aspect must be fx : fy, see `match_render_size`.
    """
    data = bpy.data.cameras.new(name)
    for setting, value in blender_lens(camera).items():
        setattr(data, setting, value)
    data.sensor_height = SENSOR_WIDTH * camera.height / camera.width
    data.clip_start, data.clip_end = 0.01, 1000.0
    data.display_size = 0.2
    fit_photo(data, camera, scene_of(bpy.context))
    _write_background(data, photo)
    obj = bpy.data.objects.new(name, data)
    obj.matrix_world = Matrix(world_from_blender_camera(world_from_camera).tolist())
    obj[PLACED] = [value for row in obj.matrix_basis for value in row]
    collection.objects.link(obj)
    return obj


def _write_background(data: bpy.types.Camera, photo: bpy.types.Image) -> None:
    """The photo as the camera's background, whole within the camera frame."""
    data.show_background_images = True
    background = data.background_images.new()
    background.image = photo
    background.alpha = 1.0
    background.display_depth = "BACK"
    background.frame_method = "FIT"


def fit_photo(data: bpy.types.Camera, camera: Camera, scene: bpy.types.Scene) -> None:
    """Let the frame of a camera hold the whole photo, whatever the scene's render size is: a frame that is wider than the photo
    fits its height, any other its width. The lens and the size of the sensor are the same."""
    render = scene.render
    frame = render.resolution_x * render.pixel_aspect_x / (render.resolution_y * render.pixel_aspect_y)
    photo = camera.width * camera.fy / (camera.height * camera.fx)
    square = abs(camera.fx / camera.fy - 1) < 1e-6  # of other pixels the lens is right at the photo's own size only
    wider = square and frame > photo * (1 + 1e-4)
    data.sensor_fit = "VERTICAL" if wider else "HORIZONTAL"
    unit = camera.width / camera.height if wider else 1.0  # shifts count in sizes of the side that fits
    lens = blender_lens(camera)
    data.shift_x, data.shift_y = float(lens["shift_x"]) * unit, float(lens["shift_y"]) * unit


def match_render_size(scene: bpy.types.Scene, camera: Camera, obj: bpy.types.Object) -> None:
    """Make `scene` render through `obj` at the size of the photo: only when the artist, or a headless build, asked for it."""
    render = scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = camera.width, camera.height, 100
    aspect = camera.fx / camera.fy
    if abs(aspect - 1) < 1e-6:
        render.pixel_aspect_x = render.pixel_aspect_y = 1.0
    else:  # Blender's smallest value is 1
        render.pixel_aspect_x, render.pixel_aspect_y = (1.0, aspect) if aspect > 1 else (1 / aspect, 1.0)
    scene.camera = obj
    assert isinstance(obj.data, bpy.types.Camera)
    fit_photo(obj.data, camera, scene)


def adopt_camera(
    kept: bpy.types.Object, obj: bpy.types.Object, changes: Changes
) -> tuple[bpy.types.Image | None, bpy.types.Image | None]:
    """The lens, the photo and the place of the new camera `obj` for the artist's camera `kept`.

    It goes to the new place only if it stands where a build has put it: one that the artist has moved stays. Everything else of
    it is the artist's. Returns the image of the photo that it showed, if it did, and the one that it shows now.
    """
    old, new = kept.data, obj.data
    assert isinstance(old, bpy.types.Camera)
    assert isinstance(new, bpy.types.Camera)
    for name in LENS:
        changes.set(old, name, getattr(new, name))
    photo = new.background_images[0].image
    before = next((shown for shown in old.background_images if shown.image is not None and shown.image.get(MAP) == "image"), None)
    shown = before.image if before is not None else None
    if before is not None:
        changes.set(before, "image", photo)
    stands = PLACED not in kept or np.allclose(
        [value for row in kept.matrix_basis for value in row], list(kept[PLACED]), atol=1e-4
    )
    if stands:
        changes.set(kept, "matrix_basis", obj.matrix_basis.copy())
        changes.put(kept, PLACED, list(obj[PLACED]))
    return shown, photo
