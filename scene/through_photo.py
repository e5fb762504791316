"""Looking through the camera of a photo: the scene and a view for it, and the way back to what the artist had."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields

import bpy
import numpy as np
from mathutils import Vector

from ..core.common.arrays import Camera
from .camera import fit_photo, match_render_size
from .image import MAP
from .marks import CAMERA, made_in
from .photo_pose import photo_pose_shown, photo_pose_track, show_photo_pose
from .typed import camera_of

SIZE = ("resolution_x", "resolution_y", "resolution_percentage", "pixel_aspect_x", "pixel_aspect_y")
VIEW = ("view_perspective", "view_distance", "view_camera_zoom")


def photo_camera(collection: bpy.types.Collection) -> tuple[bpy.types.Object, Camera] | None:
    """The camera object of an avatar, and the lens of its photo; None where the object is gone or is not known."""
    obj = made_in(collection).get(("camera", "", ""))
    if obj is None or CAMERA not in obj or not isinstance(obj.data, bpy.types.Camera):
        return None
    stored = json.loads(obj[CAMERA])
    return obj, Camera(**{field.name: stored[field.name] for field in fields(Camera) if field.name in stored})


def photo_of(camera: bpy.types.Object) -> bpy.types.Image | None:
    """The photo behind an avatar's camera; None where the artist has taken it away."""
    shown = [background.image for background in camera.data.background_images if background.image is not None]
    return next((image for image in shown if image.get(MAP) == "image"), None)


def look_through(scene: bpy.types.Scene, collection: bpy.types.Collection, camera: bpy.types.Object, lens: Camera) -> str:
    """Let the scene render what the photo shows: its camera, its size, and the rigs in the pose of the photo.

    Returns what was before, for `look_away`, as JSON.
    """
    before = {name: getattr(scene.render, name) for name in SIZE}
    rigs = [obj for key, obj in made_in(collection).items() if key[0] == "rig"]
    posed = [rig.name for rig in rigs if photo_pose_track(rig) is not None and not photo_pose_shown(rig)]
    for rig in rigs:
        show_photo_pose(rig, True)
    match_render_size(scene, lens, camera)
    during = {name: getattr(scene.render, name) for name in SIZE}
    return json.dumps({"before": before, "during": during, "posed": posed})


def look_away(
    scene: bpy.types.Scene, collection: bpy.types.Collection | None, camera_before: bpy.types.Object | None, stored: str
) -> None:
    """The way back from `look_through`. What the artist has changed meanwhile stays."""
    state = json.loads(stored)
    found = photo_camera(collection) if collection is not None else None
    if found is None or scene.camera == found[0]:
        scene.camera = camera_before
    # One by one they make no sense: whoever has changed the size meanwhile means all of it.
    if all(getattr(scene.render, name) == value for name, value in state["during"].items()):
        for name, value in state["before"].items():
            setattr(scene.render, name, value)
    if found is not None:
        fit_photo(camera_of(found[0]), found[1], scene)
    rigs = [] if collection is None else [obj for key, obj in made_in(collection).items() if key[0] == "rig"]
    for rig in rigs:
        if rig.name in state["posed"]:
            show_photo_pose(rig, False)


def view_state(space: bpy.types.SpaceView3D) -> str:
    """Where a 3D view looks from, as JSON."""
    view = space.region_3d
    return json.dumps(
        {
            **{name: getattr(view, name) for name in VIEW},
            "view_rotation": view.view_rotation[:],
            "view_location": view.view_location[:],
            "view_camera_offset": view.view_camera_offset[:],
            "lock_camera": space.lock_camera,
            "own_camera": space.camera.name if space.use_local_camera and space.camera is not None else "",
        }
    )


def view_through(space: bpy.types.SpaceView3D, camera: bpy.types.Object) -> None:
    """Let a 3D view look through a camera that turning the view does not move. A local view does not follow the scene's."""
    space.use_local_camera, space.camera = True, camera
    space.lock_camera = False
    space.region_3d.view_perspective = "CAMERA"


def restore_view(space: bpy.types.SpaceView3D, scene: bpy.types.Scene, stored: str) -> None:
    """Let a 3D view look from where it did, once the scene has its camera back."""
    state = json.loads(stored)
    space.lock_camera = state.pop("lock_camera")
    own = bpy.data.objects.get(state.pop("own_camera"))
    space.camera = own if own is not None else scene.camera
    space.use_local_camera = own is not None
    for name, value in state.items():
        setattr(space.region_3d, name, value)


def point_of(pixel: np.ndarray, camera: bpy.types.Object, lens: Camera) -> Vector:
    """The point of the world one metre before an avatar's camera that (2,) a pixel of the photo shows."""
    x, y, z = lens.rays(np.asarray(pixel, np.float64)).tolist()
    return camera.matrix_world @ Vector((x, -y, -z))


def pixel_of(point: np.ndarray, camera: bpy.types.Object, lens: Camera) -> np.ndarray | None:
    """The (2,) pixel of the photo that shows (3,) a point of the world; None behind the camera."""
    x, y, z = camera.matrix_world.inverted() @ Vector(point.tolist())
    return None if z > -1e-6 else lens.project(np.array([x, -y, -z]))


@dataclass(frozen=True)
class PhotoFrame:
    """Where the photo lies in a region of a 3D view that looks through its camera.

    low, high  (x, y) of the region: the photo's lower left and upper right corners
    size       width and height of the photo in pixels
    """

    low: tuple[float, float]
    high: tuple[float, float]
    size: tuple[int, int]

    def pixel(self, x: float, y: float) -> tuple[float, float]:
        """The pixel of the photo under a place of the region, (0, 0) in the middle of the upper left one."""
        across, up = ((value - low) / (high - low) for value, low, high in zip((x, y), self.low, self.high, strict=True))
        return across * self.size[0] - 0.5, (1 - up) * self.size[1] - 0.5

    def place(self, x: float, y: float) -> tuple[float, float]:
        """The place of the region where a pixel is shown."""
        across, up = (x + 0.5) / self.size[0], 1 - (y + 0.5) / self.size[1]
        return (
            self.low[0] + across * (self.high[0] - self.low[0]),
            self.low[1] + up * (self.high[1] - self.low[1]),
        )


def photo_frame(
    region: bpy.types.Region, view: bpy.types.RegionView3D, camera: bpy.types.Object, lens: Camera
) -> PhotoFrame | None:
    """Where the photo is in a region whose view looks through `camera`; None where the view looks from elsewhere."""
    from bpy_extras.view3d_utils import location_3d_to_region_2d

    if view.view_perspective != "CAMERA":
        return None
    corners = np.array([[-0.5, lens.height - 0.5], [lens.width - 0.5, -0.5]])
    low, high = (location_3d_to_region_2d(region, view, point_of(corner, camera, lens)) for corner in corners)
    if low is None or high is None or high.x - low.x < 1 or high.y - low.y < 1:
        return None
    return PhotoFrame((low.x, low.y), (high.x, high.y), (lens.width, lens.height))
