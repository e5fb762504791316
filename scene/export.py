"""Exports: by `core.formats.export_formats` through Blender's own exporters; PLY, BVH, the camera and the displacement by ours.

Nothing is re-centred, and what a reader opens is what the scene shows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import bpy
import numpy as np

from ..core.common.arrays import Camera
from ..core.common.atomic_files import atomic_write
from ..core.common.colour import srgb_bytes_from_linear
from ..core.common.errors import SapiensError
from ..core.common.spaces import transform_points, world_from_blender_camera
from ..core.formats.export_formats import BVH, FORMATS, SUFFIXES, ExportFormat
from ..core.formats.ply_and_camera import image_at, write_camera_json, write_ply_arrays
from ..core.retarget.bone_map import BoneMap
from . import usd
from .action import whole_frames
from .bone_table import resolve
from .bvh_export import export_bvh
from .context_scene import renew_context_scene
from .export_state import selected
from .files import write_whole
from .marks import CAMERA, objects_of, surfaces_of
from .mesh import UV_PHOTO
from .plain_meshes import plain_meshes
from .rig_state import read_rest
from .textures import complete_obj, own_textures
from .units import let_be_metres, metres_per_unit

SHIFTED = 0.004
"""Of the photo's longer side that a lens is off its middle, from which a camera that cannot say so looks beside the photo."""


def export(
    path: str | Path,
    collections: Sequence[bpy.types.Collection],
    *,
    motion: bool = False,
    rig: bpy.types.Object | None = None,
    bones: BoneMap | None = None,
) -> Path:
    """Write the objects of the collections in the format of the suffix; whole or not at all. ".json" is the matched camera,
    ".exr" the displacement, ".bvh" the motion of one rig.

    motion  write the present action of each armature as its only one, under its name; else what is shown now, without animation
    rig     of BVH: whose motion; None = of the active object, else of the first armature that has an action
    bones   of BVH: which of its bones play which roles; None = recognised

    Files are in metres, whatever the unit scale of the scene is. Hidden meshes stay out; armatures are written all the same. The
    artist's selection and scene are the same afterwards. Raises SapiensError for an unknown format, one that this Blender was
    built without, a file that cannot be written, or where everything is hidden.
    """
    path = Path(path).absolute()
    suffix = path.suffix.lower()
    own = {".ply": export_ply, ".json": export_camera, ".exr": export_displacement}.get(suffix)
    if own is not None:
        return own(path, collections)
    if suffix == BVH:
        moving = rig or moving_rig(collections)
        assert moving.animation_data is not None
        assert moving.animation_data.action is not None
        return export_bvh(path, moving, bones or resolve(None, read_rest(moving)), *whole_frames(moving.animation_data.action))
    if suffix not in FORMATS:
        raise SapiensError(f"{path.name} has no known format.", f"Choose one of {', '.join(SUFFIXES)}.")
    known = FORMATS[suffix]
    objects = [ob for collection in collections for ob in collection.all_objects]
    options = {**known.options, **(known.motion or {} if motion else known.still)}
    as_it_stands = suffix == ".obj"
    if not motion and suffix in usd.SUFFIXES and bpy.app.version < (4, 3) and any(map(is_posed, objects)):
        # Blender 4.2 writes a skeleton without motion at rest: what stands in a pose is written as it stands, without bones.
        options.update(export_armatures=False, export_shapekeys=False, export_subdivision="TESSELLATE")
        as_it_stands = True
    scale = metres_per_unit()
    still_keys = not (motion or as_it_stands) and suffix in usd.SUFFIXES and usd.shows_keys(objects)
    if still_keys:
        options.update(known.motion or {})
    if suffix == ".obj":
        options["global_scale"] = scale
    take = _take(objects) if motion else None
    if take is not None and suffix in (".glb", ".gltf"):
        options["export_nla_strips_merged_animation_name"] = take.name
    function = _exporter(known)

    def write(temporary: Path) -> None:
        renew_context_scene()
        with own_textures(objects, path) as images:
            function(filepath=str(temporary), **options)
            if suffix == ".obj":
                complete_obj(temporary, images)
            let_be_metres(temporary, scale)
            if still_keys:
                usd.complete_usd(temporary)

    with ExitStack() as stack:
        stack.enter_context(selected(objects, motion))
        stack.enter_context(_named_after(take))
        if not as_it_stands:
            stack.enter_context(plain_meshes(objects, motion=motion, most=known.influences))
        if still_keys:
            stack.enter_context(usd.one_frame(objects))
        if suffix in usd.SUFFIXES:
            stack.enter_context(usd.in_metres())
        return write_whole(path, write)


def left_out(path: str | Path, collections: Sequence[bpy.types.Collection]) -> str | None:
    """A sentence about what the format of a file has no place for, where the collections have such a thing; else None."""
    if Path(path).suffix.lower() not in (".glb", ".gltf"):
        return None
    for obj in (obj for collection in collections for obj in collection.all_objects):
        camera = obj.data
        if isinstance(camera, bpy.types.Camera) and max(abs(camera.shift_x), abs(camera.shift_y)) > SHIFTED:
            return f"glTF has no place for a shifted lens: its '{obj.name}' looks beside the photo. FBX, USD and .json hold it."
    return None


def is_posed(obj: bpy.types.Object) -> bool:
    """Whether the object is an armature that does not stand at rest now."""
    if obj.type != "ARMATURE":
        return False
    graph = bpy.context.evaluated_depsgraph_get()
    return any(
        not np.allclose(np.array(bone.matrix), np.array(bone.bone.matrix_local), atol=1e-6)
        for bone in obj.evaluated_get(graph).pose.bones
    )


def has_action(obj: bpy.types.Object) -> bool:
    """Whether the object moves by an action of its own."""
    return obj.animation_data is not None and obj.animation_data.action is not None


def moving_rig(collections: Sequence[bpy.types.Collection]) -> bpy.types.Object:
    """The active object, else the first, among the armatures that have an action. Raises SapiensError where none has."""
    rigs = [ob for c in collections for ob in c.all_objects if ob.type == "ARMATURE" and has_action(ob)]
    if not rigs:
        raise SapiensError("The avatar has no action to export.", "Animate it in the Motion panel first.")
    active = bpy.context.view_layer.objects.active
    return active if active in rigs else rigs[0]


def _take(objects: Sequence[bpy.types.Object]) -> bpy.types.Action | None:
    """The action of the first armature that has one."""
    return next((ob.animation_data.action for ob in objects if ob.type == "ARMATURE" and has_action(ob)), None)


def _exporter(known: ExportFormat) -> Callable[..., object]:
    """Blender's operator for a format. Raises SapiensError where this Blender was built without it."""
    group, operator = known.operator.split(".")
    function = getattr(getattr(bpy.ops, group), operator)
    try:
        function.get_rna_type()
    except KeyError as error:
        raise SapiensError(
            f"This Blender was built without the exporter for {known.suffix}.", "Choose another format."
        ) from error
    return function


@contextmanager
def _named_after(take: bpy.types.Action | None) -> Iterator[None]:
    """For exporters that write the scene's range under the scene's name, as FBX does: those of the take, for the moment."""
    if take is None:
        yield
        return
    scene = bpy.context.scene
    name, first, last = scene.name, scene.frame_start, scene.frame_end
    try:
        scene.name = take.name
        scene.frame_start, scene.frame_end = whole_frames(take)
        yield
    finally:
        scene.name = name
        scene.frame_start, scene.frame_end = first, last


def export_ply(path: str | Path, collections: Sequence[bpy.types.Collection], *, cloud: bool = False) -> Path:
    """Write the people as they stand, posed by their rigs, in world space with normals and base colours, as one PLY file.

    cloud  points only
    The scans, where there are some, else the bodies. Raises SapiensError where there is nobody, or the file cannot be written.
    """
    graph = bpy.context.evaluated_depsgraph_get()
    people = objects_of(collections, "scan") or surfaces_of(collections)
    if not people:
        raise SapiensError("There is no scan to export.", "Make an avatar first.")
    made = [_surface(obj, graph) for obj in people]
    first = np.cumsum([0, *(len(points) for points, *_ in made)])
    triangles = np.concatenate([faces + offset for (*_, faces), offset in zip(made, first[:-1], strict=True)])
    points, normals, colours = (np.concatenate(part) for part in list(zip(*made, strict=True))[:3])
    return write_ply_arrays(path, points * metres_per_unit(), normals, colours, None if cloud else triangles)


def _read(owner: bpy.types.bpy_prop_collection, name: str, width: int, dtype: type = np.float32) -> np.ndarray:
    """(n, width) values of one attribute of all n members."""
    values = np.empty(len(owner) * width, dtype)
    owner.foreach_get(name, values)
    return values.reshape(-1, width)


def _surface(obj: bpy.types.Object, graph: bpy.types.Depsgraph) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Points, normals (V, 3) float32 in world space, colours (V, 3) uint8, triangles (F, 3) of an object with its modifiers."""
    evaluated = obj.evaluated_get(graph)
    mesh = evaluated.to_mesh()
    try:
        mesh.calc_loop_triangles()
        points, faces = _read(mesh.vertices, "co", 3), _read(mesh.loop_triangles, "vertices", 3, np.int32)
        corner = _read(mesh.loops, "vertex_index", 1, np.int32)[:, 0]
        normals = np.zeros_like(points)
        normals[corner] = _read(mesh.corner_normals, "vector", 3)
        image, uv_map = _base_colour(obj)
        uvs = np.zeros((len(points), 2), np.float32)
        if uv_map in mesh.uv_layers:
            uvs[corner] = _read(mesh.uv_layers[uv_map].data, "uv", 2)
        matrix = np.array(obj.matrix_world)
    finally:
        evaluated.to_mesh_clear()
    turned = normals @ np.linalg.inv(matrix[:3, :3])  # by the inverse transpose
    turned /= np.maximum(np.linalg.norm(turned, axis=1, keepdims=True), 1e-20)
    return transform_points(matrix, points), turned.astype(np.float32), image_at(uvs, image), faces


def _base_colour(obj: bpy.types.Object) -> tuple[np.ndarray, str]:
    """The image (H, W, 3) uint8 sRGB that the first material with one has as base colour, and its uv map; else its one colour, or
    grey."""
    plain = None
    for slot in obj.material_slots:
        nodes = slot.material.node_tree.nodes if slot.material and slot.material.node_tree else []
        for shader in (node for node in nodes if node.type == "BSDF_PRINCIPLED"):
            node = next((link.from_node for link in shader.inputs["Base Color"].links or ()), None)
            if plain is None and node is None:
                plain = srgb_bytes_from_linear(np.array(shader.inputs["Base Color"].default_value[:3], np.float32))
            if node is None or node.type != "TEX_IMAGE" or node.image is None or not node.image.size[0]:
                continue
            width, height = node.image.size
            pixels = np.empty(width * height * node.image.channels, np.float32)
            node.image.pixels.foreach_get(pixels)
            source = next((link.from_node for link in node.inputs["Vector"].links or ()), None)
            shown = np.rint(pixels.reshape(height, width, -1)[::-1, :, :3] * 255).astype(np.uint8)
            return shown, source.uv_map if source is not None and source.type == "UVMAP" else UV_PHOTO
    return np.full((1, 1, 3), 204 if plain is None else plain, np.uint8), UV_PHOTO


def export_camera(path: str | Path, collections: Sequence[bpy.types.Collection]) -> Path:
    """Write the matched camera of the first collection, where it stands now, as JSON (`ply_and_camera.camera_document`).

    Raises SapiensError where there is none, or the file cannot be written.
    """
    cameras = [obj for obj in objects_of(collections, "camera") if CAMERA in obj]
    if not cameras:
        raise SapiensError("There is no matched camera to export.", "Make an avatar first, or rebuild it.")
    values = json.loads(cameras[0][CAMERA])
    focal_lengths = values.pop("focal_lengths")
    world_from_camera = world_from_blender_camera(np.array(cameras[0].matrix_world))  # the flip is its own inverse
    return write_camera_json(path, Camera(**values), world_from_camera, focal_lengths)


def export_displacement(path: str | Path, collections: Sequence[bpy.types.Collection]) -> Path:
    """Write the displacement of a scan as it is packed: OpenEXR, 32 bits, metres.

    Raises SapiensError where there is not just one.
    """
    nodes = [
        node
        for obj in objects_of(collections, "scan")
        for slot in obj.material_slots
        if slot.material
        for node in slot.material.node_tree.nodes
    ]
    heights = {link.from_node for node in nodes if node.type == "DISPLACEMENT" for link in node.inputs["Height"].links or ()}
    images = {node.image for node in heights if node.type == "TEX_IMAGE" and node.image and node.image.packed_file}
    if len(images) != 1:
        problem = "There is no displacement to export." if not images else "Several people have a displacement each."
        raise SapiensError(problem, "Build one person with a displacement map.")
    path = Path(path)
    with atomic_write(path) as file:
        file.write(images.pop().packed_file.data)
    return path
