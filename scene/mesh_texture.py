"""A mesh of the artist: read as it stands in the photo, and given the photo as its texture."""

from __future__ import annotations

import json
from dataclasses import fields
from functools import partial

import bpy
import numpy as np

from ..core.common.arrays import Camera
from ..core.common.errors import SapiensError
from ..core.common.looks import Look
from ..core.common.spaces import world_from_blender_camera
from ..core.common.wording import counted
from ..core.texture.artist_mesh import ArtistMesh, MeshTexture
from .image import MAP
from .look import plain_material, write_maps
from .marks import CAMERA, made_in
from .restore import Changes, whole_or_nothing
from .typed import mesh_of

OWN = "sapiens2_mesh_texture"
"""Custom property of a material that `write_texture` has made."""
UV_NEW = "Photo UV"
"""Name of a new uv map."""
LOOK = Look((204, 204, 204), 0.6)
MOST_CORNERS = 4
"""Corners of a face that can be unfolded."""


def read_mesh(obj: bpy.types.Object, camera: bpy.types.Object | None = None, new_uvs: bool = False) -> ArtistMesh:
    """The mesh of an object as it stands at the present frame, with its modifiers.

    camera   the matched camera of the photo (`camera_in`); None = not known
    new_uvs  it will be unfolded, so that its faces must be those of the object itself

    Raises SapiensError for an object that is no mesh, that may not be changed, or whose mesh other objects use.
    """
    check_object(obj)
    evaluated = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh, own = evaluated.to_mesh(), mesh_of(obj)
    try:
        if new_uvs:
            _check_faces(obj.name, mesh, own)
        matrix = np.array(evaluated.matrix_world, np.float64)
        loops = _corners(mesh, _is_mirrored(obj))
        vertex, points = np.empty(len(mesh.loops), np.int32), _positions(mesh)
        mesh.loops.foreach_get("vertex_index", vertex)
        uvs = None
        if mesh.uv_layers and not new_uvs:
            flat = np.empty(2 * len(mesh.loops), np.float32)
            layer = next((layer for layer in mesh.uv_layers if layer.active_render), mesh.uv_layers[0])
            layer.uv.foreach_get("vector", flat)
            uvs = flat.reshape(-1, 2)[loops]
        local = _positions(own) if len(own.vertices) == len(points) else points
    finally:
        evaluated.to_mesh_clear()
    world = (points.astype(np.float64) @ matrix[:3, :3].T + matrix[:3, 3]).astype(np.float32)
    lens, place = (None, None) if camera is None else (_lens(camera), _place(camera))
    return ArtistMesh(obj.name, world, local, vertex[loops], uvs, lens, place)


def check_object(obj: bpy.types.Object) -> None:
    """Raise SapiensError unless the object has a mesh of its own, which can be changed."""
    if obj.type != "MESH":
        raise SapiensError(f"{obj.name} is no mesh.", "Choose a mesh, or convert the object to one.")
    mesh = mesh_of(obj)
    if not obj.is_editable or not mesh.is_editable:
        raise SapiensError(f"{obj.name} is linked from another file.", "Make it local first.")
    if mesh.users - mesh.use_fake_user > 1:
        raise SapiensError(
            f"The mesh of {obj.name} is that of {counted(mesh.users - mesh.use_fake_user, 'object')}.",
            "Make it single-user first: Object > Relations > Make Single User.",
        )


def camera_in(collection: bpy.types.Collection | None) -> bpy.types.Object | None:
    """The matched camera of an avatar; None where there is none."""
    camera = None if collection is None else made_in(collection).get(("camera", "", ""))
    return camera if camera is not None and CAMERA in camera else None


def write_texture(obj: bpy.types.Object, made: MeshTexture) -> bpy.types.Material:
    """Show the texture on all faces of the object, by a material of its own, whole or not at all.

    Materials that are there stay in their slots as they are; one that was written here before gets the new images. Raises
    SapiensError where the mesh is another one than that which was read.
    """
    check_object(obj)
    mesh = mesh_of(obj)
    loops = _corners(mesh, _is_mirrored(obj))
    if made.uvs is not None and len(made.uvs) != len(loops):
        raise SapiensError(f"{obj.name} has been edited meanwhile.", "Start again.")
    if made.uvs is None and not mesh.uv_layers:
        raise SapiensError(f"{obj.name} has lost its UV map meanwhile.", "Start again.")
    slot = next((k for k, material in enumerate(mesh.materials) if material is not None and OWN in material), None)
    with whole_or_nothing() as changes:
        uv_map = UV_NEW if made.uvs is not None else next((x.name for x in mesh.uv_layers if x.active_render), "")
        material = plain_material(f"{obj.name} Photo", LOOK)
        maps = write_maps(material, made.textures, made.encoded, uv_map)
        material[OWN] = " ".join(maps)
        before = mesh.materials[slot] if slot is not None else None
        changes.at_the_end(lambda: _show(obj, slot, material, loops, made.uvs))
        if slot is not None and before is not None and before[OWN] == material[OWN] and before.users - before.use_fake_user == 1:
            replaced = _take_images(before, material, uv_map, changes)
            changes.at_the_end(partial(_keep, mesh, slot, before, material, replaced))
            return before
    return material


def _show(
    obj: bpy.types.Object, slot: int | None, material: bpy.types.Material, loops: np.ndarray, uvs: np.ndarray | None
) -> None:
    """The material on all faces, and the new uv map."""
    mesh = mesh_of(obj)
    if slot is not None:
        mesh.materials[slot] = material
    elif mesh.materials and not any(shown.material for shown in obj.material_slots):
        slot = 0
        obj.material_slots[0].link = "DATA"
        mesh.materials[0] = material
    else:
        slot = len(mesh.materials)
        mesh.materials.append(material)
    mesh.polygons.foreach_set("material_index", np.full(len(mesh.polygons), slot, np.int32))
    if uvs is not None:
        layer = mesh.uv_layers.get(UV_NEW) or mesh.uv_layers.new(name=UV_NEW, do_init=False)
        flat = np.zeros((len(mesh.loops), 2), np.float32)
        flat[loops] = uvs
        layer.uv.foreach_set("vector", flat.ravel())
        layer.active = layer.active_render = True
    mesh.update()


def _take_images(kept: bpy.types.Material, made: bpy.types.Material, uv_map: str, changes: Changes) -> list[bpy.types.Image]:
    """The images of a new material in the nodes of the one from before that show its maps; what else the artist did there stays.
    Returns the images that were replaced."""
    replaced = []
    images = {node.image[MAP]: node.image for node in made.node_tree.nodes if node.type == "TEX_IMAGE"}
    for node in kept.node_tree.nodes:
        if node.type == "TEX_IMAGE" and node.image is not None and node.image.get(MAP) in images:
            replaced.append(node.image)
            changes.set(node, "image", images[node.image[MAP]])
        elif node.type == "NORMAL_MAP":
            changes.set(node, "uv_map", uv_map)
    return replaced


def _keep(
    mesh: bpy.types.Mesh, slot: int, kept: bpy.types.Material, made: bpy.types.Material, replaced: list[bpy.types.Image]
) -> None:
    """The material from before in its slot; the new one, whose images it has taken, and the images that nothing shows, gone."""
    mesh.materials[slot] = kept
    bpy.data.materials.remove(made)
    bpy.data.batch_remove([image for image in dict.fromkeys(replaced) if not image.users])


def _positions(mesh: bpy.types.Mesh) -> np.ndarray:
    """(V, 3) float32 in the object's space."""
    flat = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", flat)
    return flat.reshape(-1, 3)


def _corners(mesh: bpy.types.Mesh, mirrored: bool) -> np.ndarray:
    """(F, 4) int32 loops of the faces, counter-clockwise from outside: quads, triangles whose last corner is there twice, and the
    triangles of faces with more corners. mirrored: the object's transform turns the mesh inside out."""
    start, total = np.empty(len(mesh.polygons), np.int32), np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("loop_start", start)
    mesh.polygons.foreach_get("loop_total", total)
    orders = {3: [0, 1, 2, 2], 4: [0, 1, 2, 3]}
    if mirrored:
        orders = {3: [2, 1, 0, 0], 4: [3, 2, 1, 0]}
    parts = [start[total == corners][:, None] + np.array(order, np.int32) for corners, order in orders.items()]
    if (total > MOST_CORNERS).any():
        mesh.calc_loop_triangles()
        loops, face = np.empty(3 * len(mesh.loop_triangles), np.int32), np.empty(len(mesh.loop_triangles), np.int32)
        mesh.loop_triangles.foreach_get("loops", loops)
        mesh.loop_triangles.foreach_get("polygon_index", face)
        parts.append(loops.reshape(-1, 3)[total[face] > MOST_CORNERS][:, orders[3]])
    return np.concatenate(parts).astype(np.int32)


def _check_faces(name: str, evaluated: bpy.types.Mesh, own: bpy.types.Mesh) -> None:
    """Raise SapiensError unless the faces can be unfolded one by one, and are those that will get the coordinates."""
    if len(evaluated.loops) != len(own.loops) or len(evaluated.polygons) != len(own.polygons):
        raise SapiensError(
            f"Modifiers change the faces of {name}, so that it cannot be unfolded here.",
            "Apply them, or unwrap the mesh by hand.",
        )
    total = np.empty(len(own.polygons), np.int32)
    own.polygons.foreach_get("loop_total", total)
    if (total > MOST_CORNERS).any():
        raise SapiensError(
            f"{name} has faces with more than four corners, which cannot be unfolded here.",
            "Triangulate them, or unwrap the mesh by hand.",
        )


def _is_mirrored(obj: bpy.types.Object) -> bool:
    return obj.matrix_world.determinant() < 0


def _lens(camera: bpy.types.Object) -> Camera:
    values = json.loads(camera[CAMERA])
    return Camera(**{field.name: values[field.name] for field in fields(Camera)})


def _place(camera: bpy.types.Object) -> np.ndarray:
    """(4, 4) float64 rigid: where the camera stands in the world; a scale of the object counts for nothing."""
    place, turn, _ = camera.matrix_world.decompose()
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = np.array(turn.to_matrix()), place
    return world_from_blender_camera(matrix)  # the flip is its own inverse
