"""Pictures of what was built: the people from some sides, and where their bones are in each picture."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector

from ..core.common.spaces import WORLD_FRONT
from .aim import aimed_copies
from .armature import UNSEEN
from .bounds import bounds_of
from .marks import objects_of, surfaces_of

SOFT = ((-0.7, 0.6, 2.2, 0.5), (2.4, 0.5, 1.0, 0.5))
SIDE = ((-1.05, 0.4, 4.2, 0.03),)
"""Suns of each lighting: turn from the camera and height (radians, units of its distance), strength, angle (radians)."""
SAMPLES = 3
"""Of each pixel. The denoiser leaves less grain than five times as many would; fewer leave steps along outlines."""


@dataclass(frozen=True, eq=False)
class View:
    """A rendered picture and the skeleton in its pixels.

    path   PNG with a transparent background
    bones  (B, 2, 2) float64: head and tail of each deforming bone, pixels; the unseen ones are left out
    """

    path: Path
    bones: np.ndarray


@dataclass(frozen=True)
class Shot:
    """One picture.

    path  where it goes
    azimuth_degrees  how far the camera is to the side of the matched one; the side is the one to which the surface is turned
    turntable  the azimuth is counter-clockwise as seen from above, whichever way the surface is turned, and all views have one
              scale
    side_light  one hard light from the side instead of soft ones, which shows every bump
    clay  a matt grey instead of the materials
    aims  bone -> where it points, see `scene.aim`; empty = as they stand
    engine  of Blender: Cycles needs no graphics card and no window, Workbench both, but no time
    """

    path: str | Path
    azimuth_degrees: float = 28.0
    turntable: bool = False
    side_light: bool = False
    clay: bool = False
    aims: Mapping[str, Sequence[float]] = field(default_factory=dict)
    engine: str = "CYCLES"


def render_view(
    collection: bpy.types.Collection,
    path: str | Path,
    size: tuple[int, int] = (576, 768),
    azimuth_degrees: float = 28.0,
    samples: int = SAMPLES,
    side_light: bool = False,
    clay: bool = False,
) -> View:
    """Render the people of a collection once, see `Shot`."""
    return render_views(collection, [Shot(path, azimuth_degrees, side_light=side_light, clay=clay)], size, samples)[0]


def render_views(
    collection: bpy.types.Collection, shots: Sequence[Shot], size: tuple[int, int] = (576, 768), samples: int = SAMPLES
) -> list[View]:
    """Render the people of a collection, in a scene of its own.

    size  (width, height) in pixels
    The artist's scene, its render settings, its world and all poses stay as they are.
    """
    bpy.context.view_layer.update()  # new bones have no pose until the scene was evaluated
    return [_render(collection, shot, size, samples) for shot in shots]


def _render(collection: bpy.types.Collection, shot: Shot, size: tuple[int, int], samples: int) -> View:
    people = surfaces_of([collection])
    scene = bpy.data.scenes.new("sapiens2 preview")
    made: list[bpy.types.ID] = []
    images = set(bpy.data.images)
    try:
        for rig in objects_of([collection], "rig") if shot.aims else ():
            follow = [ob for ob in people if ob.parent == rig]
            shown, copied = aimed_copies(follow, rig, shot.aims)
            people = [ob for ob in people if ob.parent != rig] + shown
            made += copied
        for ob in people:
            scene.collection.objects.link(ob)
        scene.view_layers[0].update()  # copies stand nowhere until their scene was evaluated
        low, high = (Vector(end.tolist()) for end in bounds_of(ob for ob in people if ob.type == "MESH"))
        azimuth = math.radians(shot.azimuth_degrees)
        camera = _camera(scene, collection, low, high, size, azimuth, shot.turntable, made)
        _lights(scene, (low + high) / 2, camera, made, shot.side_light)
        if shot.clay:
            scene.view_layers[0].material_override = _clay(made)
        _settings(scene, size, samples, shot)
        scene.view_layers[0].update()  # the camera has no matrix until its scene was evaluated
        _only_around(scene, camera, low, high)
        bpy.ops.render.render(write_still=True, scene=scene.name)
        bones = _bones(scene, camera, collection, size)
    finally:
        bpy.data.scenes.remove(scene)
        # Blender adds one for the first render of a file.
        made += [image for image in bpy.data.images if image.type == "RENDER_RESULT" and image not in images]
        bpy.data.batch_remove(made)
    return View(Path(shot.path), bones)


def _camera(
    scene: bpy.types.Scene,
    collection: bpy.types.Collection,
    low: Vector,
    high: Vector,
    size: tuple[int, int],
    azimuth: float,
    turntable: bool,
    made: list[bpy.types.ID],
) -> bpy.types.Object:
    """A long lens that sees the whole box, turned about the vertical from where the photo was taken."""
    centre, radius = (low + high) / 2, (high - low).length / 2
    matched = next(iter(objects_of([collection], "camera")), None)
    front = (matched.matrix_world.translation - centre) if matched else Vector(WORLD_FRONT.tolist())
    angle = math.atan2(front.y, front.x) + (azimuth if turntable else math.copysign(azimuth, _turned(scene, front)))
    data = bpy.data.cameras.new("sapiens2 preview")
    data.lens, data.sensor_fit = 70, "VERTICAL"
    camera = bpy.data.objects.new("sapiens2 preview", data)
    scene.collection.objects.link(camera)
    across = (abs(math.sin(angle)) * (high.x - low.x) + abs(math.cos(angle)) * (high.y - low.y)) / 2
    if turntable:  # one scale for all views
        across = max(high.x - low.x, high.y - low.y) / 2
    extent = max((high.z - low.z) / 2, across * size[1] / size[0])
    distance = 1.08 * extent / math.tan(data.angle_y / 2) + radius * 0.3
    camera.location = centre + Vector((math.cos(angle), math.sin(angle), 0.12)).normalized() * distance
    camera.rotation_euler = (centre - camera.location).to_track_quat("-Z", "Y").to_euler()
    scene.camera = camera
    made += [camera, data]
    return camera


def _turned(scene: bpy.types.Scene, front: Vector) -> float:
    """Positive where the surfaces of the scene look more to the left-hand side of `front` (counter-clockwise seen from above)."""
    total = np.zeros(3)
    for ob in (ob for ob in scene.collection.objects if ob.type == "MESH"):
        normals = np.empty(3 * len(ob.data.vertices), np.float32)
        ob.data.vertex_normals.foreach_get("vector", normals)
        total += np.array(ob.matrix_world.to_3x3()) @ normals.reshape(-1, 3).sum(0)
    return float(front.x * total[1] - front.y * total[0])


def _clay(made: list[bpy.types.ID]) -> bpy.types.Material:
    """A matt grey, the same in every light."""
    material = bpy.data.materials.new("sapiens2 preview")
    if bpy.app.version < (5, 0):
        material.use_nodes = True
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value, shader.inputs["Roughness"].default_value = (0.5, 0.47, 0.44, 1), 0.8
    made.append(material)
    return material


def _lights(scene: bpy.types.Scene, centre: Vector, camera: bpy.types.Object, made: list[bpy.types.ID], side_light: bool) -> None:
    """A soft key from the camera's left, a rim from behind, and a dim even surround; or one hard light from the left."""
    world = bpy.data.worlds.new("sapiens2 preview")
    if bpy.app.version < (5, 0):
        world.use_nodes = True
    background = next(node for node in world.node_tree.nodes if node.type == "BACKGROUND")
    background.inputs["Color"].default_value = (1, 1, 1, 1)
    background.inputs["Strength"].default_value = 0.25 if side_light else 0.55
    scene.world = world
    made.append(world)
    for turn, height, energy, width in SIDE if side_light else SOFT:
        data = bpy.data.lights.new("sapiens2 preview", "SUN")
        data.energy, data.angle = energy, width
        ob = bpy.data.objects.new("sapiens2 preview", data)
        offset = camera.location - centre
        angle = math.atan2(offset.y, offset.x) + turn
        ob.rotation_euler = Vector((-math.cos(angle), -math.sin(angle), -height)).to_track_quat("-Z", "Y").to_euler()
        scene.collection.objects.link(ob)
        made += [ob, data]


def _settings(scene: bpy.types.Scene, size: tuple[int, int], samples: int, shot: Shot) -> None:
    scene.render.engine = shot.engine
    if shot.engine == "CYCLES":
        scene.cycles.device, scene.cycles.samples, scene.cycles.use_denoising = "CPU", samples, True
        scene.cycles.denoiser, scene.cycles.denoising_prefilter = "OPENIMAGEDENOISE", "FAST"
        if hasattr(scene.cycles, "denoising_quality"):
            scene.cycles.denoising_quality = "FAST"
        scene.cycles.use_light_tree = False  # three lights need none
        scene.cycles.max_bounces, scene.cycles.transparent_max_bounces = 2, 8
    else:
        shading = scene.display.shading
        shading.light, shading.color_type = "STUDIO", "TEXTURE"
        with suppress(TypeError):  # somebody has taken it away
            shading.studio_light = "paint.sl"  # of those that Blender comes with, the one that leaves textures bright
        scene.display.render_aa = "16"
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = *size, 100
    scene.render.film_transparent = True
    scene.view_settings.view_transform = "Standard"
    if hasattr(scene.render.image_settings, "media_type"):
        scene.render.image_settings.media_type = "IMAGE"
    scene.render.image_settings.file_format, scene.render.image_settings.color_mode = "PNG", "RGBA"
    scene.render.filepath, scene.render.use_file_extension = str(shot.path), False


def _only_around(scene: bpy.types.Scene, camera: bpy.types.Object, low: Vector, high: Vector) -> None:
    """Render nothing but the part of the picture that a box with these corners is in."""
    from bpy_extras.object_utils import world_to_camera_view

    corners = [Vector(corner) for corner in itertools.product((low.x, high.x), (low.y, high.y), (low.z, high.z))]
    seen = np.array([world_to_camera_view(scene, camera, corner) for corner in corners])[:, :2]
    (left, bottom), (right, top) = seen.min(0).clip(0, 1), seen.max(0).clip(0, 1)
    if right > left and top > bottom:
        render = scene.render
        render.use_border, render.use_crop_to_border = True, False
        render.border_min_x, render.border_max_x, render.border_min_y, render.border_max_y = left, right, bottom, top


def _bones(
    scene: bpy.types.Scene, camera: bpy.types.Object, collection: bpy.types.Collection, size: tuple[int, int]
) -> np.ndarray:
    """(B, 2, 2) of `View.bones`, as the camera of the scene sees them."""
    from bpy_extras.object_utils import world_to_camera_view

    ends = []
    for rig in objects_of([collection], "rig"):
        for bone in rig.pose.bones:
            if bone.get(UNSEEN) or not bone.bone.use_deform:
                continue
            seen = [world_to_camera_view(scene, camera, rig.matrix_world @ end) for end in (bone.head, bone.tail)]
            ends.append([(p.x * size[0], (1 - p.y) * size[1]) for p in seen])
    return np.array(ends, np.float64).reshape(-1, 2, 2)
