"""A scan taken apart by what it shows: hair, clothing, shoes and skin as objects of their own, with everything the scan had."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import bpy
import numpy as np

from ..core.common.errors import SapiensError
from ..core.surface.materials import MATERIALS, material_named
from .alone import alone
from .hand_edits import DIGEST, is_edited, stamp
from .marks import PERSON, PIECE, ROLE, made_in, sign
from .material import KIND, SLOTS
from .mesh import write_normals

VERTEX = "sapiens_vertex"
"""Point attribute of a piece: the vertex of the whole scan."""
PIECES = tuple(dict.fromkeys(material.piece for material in MATERIALS))
_FACE_PIECE = "sapiens_piece"


def separate(scan: bpy.types.Object) -> list[bpy.types.Object]:
    """Take a scan apart by the materials of its faces, and return its pieces, the largest first.

    `scan` itself stays as the skin (or the largest piece, where no skin is seen). The others are new objects beside it, with the
    same modifiers, parent and properties; uv maps, vertex groups, attributes and normals stay those of the whole. Faces with
    a material of the artist's own go with the skin. A scan of one piece only stays as it is. Raises SapiensError for a scan with
    shape keys.
    """
    mesh = scan.data
    assert isinstance(mesh, bpy.types.Mesh)
    if mesh.shape_keys is not None:
        raise SapiensError(f"{scan.name} has shape keys, which would be lost.", "Apply or remove them first.")
    piece = _piece_of_faces(mesh)
    faces = np.bincount(piece, minlength=len(PIECES))
    found = np.flatnonzero(faces).tolist()
    if len(found) < 2:
        if found:
            _name(scan, PIECES[found[0]])
        return [scan]
    normals, edited = _vertex_normals(mesh), is_edited(mesh)
    if VERTEX not in mesh.attributes:
        mesh.attributes.new(VERTEX, "INT", "POINT").data.foreach_set("value", np.arange(len(mesh.vertices), dtype=np.int32))
    own = np.empty(len(mesh.vertices), np.int32)
    mesh.attributes[VERTEX].data.foreach_get("value", own)
    of_vertex = np.zeros(int(own.max()) + 1, np.int64)
    of_vertex[own] = np.arange(len(own))
    mesh.attributes.new(_FACE_PIECE, "INT", "FACE").data.foreach_set("value", piece.astype(np.int32))
    kept = PIECES.index("Skin") if faces[PIECES.index("Skin")] else int(faces.argmax())
    made = {}
    with _cutter(mesh) as cut:
        for index in found:
            made[index] = _finish(
                cut(index),
                of_vertex,
                normals,
                mesh.get(SLOTS, "").split("\n"),
                deforms=any(m.type == "ARMATURE" for m in scan.modifiers),
            )
    objects = {kept: scan}
    for index in found:
        if index != kept:
            objects[index] = scan.copy()
            for collection in scan.users_collection:
                collection.objects.link(objects[index])
    for index, obj in objects.items():
        obj.data = made[index]
        if edited:
            made[index][DIGEST] = ""
        else:
            stamp(made[index])
        _name(obj, PIECES[index])
    if mesh.users == 0:
        bpy.data.meshes.remove(mesh)
    return [objects[index] for index in sorted(found, key=lambda index: -faces[index])]


def _piece_of_faces(mesh: bpy.types.Mesh) -> np.ndarray:
    """(F,) index into PIECES of every face, by its material."""
    kinds = [material_named(material.get(KIND, "")) if material else None for material in mesh.materials]
    of_slot = np.array([PIECES.index(kind.piece if kind else "Skin") for kind in kinds] or [PIECES.index("Skin")])
    slot = np.zeros(len(mesh.polygons), np.int32)
    if "material_index" in mesh.attributes:
        mesh.attributes["material_index"].data.foreach_get("value", slot)
    return of_slot[np.clip(slot, 0, len(of_slot) - 1)]


def _vertex_normals(mesh: bpy.types.Mesh) -> np.ndarray:
    """(V, 3) float32: how the mesh shades at its vertices, custom normals included."""
    corner = np.empty(len(mesh.loops), np.int32)
    mesh.attributes[".corner_vert"].data.foreach_get("value", corner)
    shown = np.empty(3 * len(corner), np.float32)
    mesh.corner_normals.foreach_get("vector", shown)
    out = np.zeros((len(mesh.vertices), 3), np.float32)
    out[corner] = shown.reshape(-1, 3)
    return out


@contextmanager
def _cutter(mesh: bpy.types.Mesh) -> Iterator[Callable[[int], bpy.types.Mesh]]:
    """A function: index of a piece -> a new mesh of its faces alone. Geometry nodes do it in one go with all layers of data."""
    tree = bpy.data.node_groups.new("sapiens2 separate", "GeometryNodeTree")
    obj = bpy.data.objects.new(".sapiens2", mesh)
    try:
        for direction in ("INPUT", "OUTPUT"):
            tree.interface.new_socket("Geometry", in_out=direction, socket_type="NodeSocketGeometry")
        source, target = tree.nodes.new("NodeGroupInput"), tree.nodes.new("NodeGroupOutput")
        attribute, compare = tree.nodes.new("GeometryNodeInputNamedAttribute"), tree.nodes.new("FunctionNodeCompare")
        split = tree.nodes.new("GeometryNodeSeparateGeometry")
        attribute.data_type, compare.data_type, compare.operation, split.domain = "INT", "INT", "EQUAL", "FACE"
        attribute.inputs["Name"].default_value = _FACE_PIECE
        integers = [socket for socket in compare.inputs if socket.type == "INT"]
        tree.links.new(next(s for s in attribute.outputs if s.type == "INT" and s.enabled), integers[0])
        tree.links.new(compare.outputs["Result"], split.inputs["Selection"])
        tree.links.new(source.outputs[0], split.inputs["Geometry"])
        tree.links.new(split.outputs["Selection"], target.inputs[0])
        obj.modifiers.new("Separate", "NODES").node_group = tree
        with alone(obj) as layer:

            def cut(index: int) -> bpy.types.Mesh:
                integers[1].default_value = index
                layer.update()
                graph = layer.depsgraph
                assert graph is not None  # updated just now
                evaluated = obj.evaluated_get(graph)
                return bpy.data.meshes.new_from_object(evaluated, preserve_all_data_layers=True, depsgraph=graph)

            yield cut
    finally:
        bpy.data.objects.remove(obj)
        bpy.data.node_groups.remove(tree)


def _finish(
    mesh: bpy.types.Mesh, of_vertex: np.ndarray, normals: np.ndarray, kinds: list[str], *, deforms: bool
) -> bpy.types.Mesh:
    """The piece with the normals of the whole, and slots for its own materials only. kinds: those of the slots of the whole."""
    mesh.attributes.remove(mesh.attributes[_FACE_PIECE])
    own = np.empty(len(mesh.vertices), np.int32)
    mesh.attributes[VERTEX].data.foreach_get("value", own)
    write_normals(mesh, normals[of_vertex[own]], deforms=deforms)
    slot = np.zeros(len(mesh.polygons), np.int32)
    if "material_index" in mesh.attributes and len(mesh.materials):
        mesh.attributes["material_index"].data.foreach_get("value", slot)
        materials = list(mesh.materials)
        used = [index for index in np.argsort(-np.bincount(slot), kind="stable").tolist() if (slot == index).any()]
        mesh.materials.clear()
        for index in used:
            mesh.materials.append(materials[index])
        mesh[SLOTS] = "\n".join(kinds[index] if index < len(kinds) else "" for index in used)
        number = np.zeros(len(materials), np.int32)
        number[used] = np.arange(len(used))
        slots = mesh.attributes.get("material_index") or mesh.attributes.new("material_index", "INT", "FACE")
        slots.data.foreach_set("value", number[slot])
    return mesh


def _name(obj: bpy.types.Object, piece: str) -> None:
    obj[PIECE] = piece
    obj.name = obj.data.name = f"{obj.get(PERSON, obj.name)} {piece}"
    sign(obj)


def scans(collection: bpy.types.Collection) -> dict[str, list[bpy.types.Object]]:
    """Name of the person -> their scan, or the pieces that it was taken apart into."""
    found: dict[str, list[bpy.types.Object]] = {}
    for obj in made_in(collection).values():
        if obj.get(ROLE) == "scan" and PERSON in obj:
            found.setdefault(obj[PERSON], []).append(obj)
    return found


def vertices_of(obj: bpy.types.Object) -> np.ndarray:
    """(V,) int32: the vertices of the whole scan that those of a piece are; of a whole scan, all of them in order."""
    out = np.arange(len(obj.data.vertices), dtype=np.int32)
    if VERTEX in obj.data.attributes:
        obj.data.attributes[VERTEX].data.foreach_get("value", out)
    return out
