"""An avatar in one mesh: what Blender and readers of its exports have of it."""

from __future__ import annotations

import json
import struct
from dataclasses import replace

import bpy
import numpy as np
import pytest

pytest.importorskip("scipy", reason="the worker joins meshes with SciPy, which Blender's own Python does not have")

from support.readers import READERS
from support.reading import read, roles


@pytest.fixture
def joined(part, dressed):
    body = part("core.one_mesh").one_mesh(dressed.body, dressed.garments, 256)
    return replace(dressed, body=body, garments=())


def seen_points(objects) -> np.ndarray:
    """(n, 3) world positions of the vertices of faces after modifiers, rounded to 0.1 mm, each once, in order."""
    bpy.context.view_layer.update()
    found = []
    for obj in objects:
        mesh = obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
        points = read(mesh.vertices, "co", 3)[np.unique(read(mesh.loops, "vertex_index", 1, np.int32))]
        found.append(points @ np.array(obj.matrix_world)[:3, :3].T + np.array(obj.matrix_world)[:3, 3])
    return np.unique(np.round(np.concatenate(found), 4), axis=0)


def test_it_is_one_object_with_one_material_and_looks_as_the_parts_do(part, dressed, joined):
    several = part("scene.build").write_avatars([dressed], "Several")
    wanted = seen_points(obj for obj in several.objects if obj.get("sapiens2_role") in ("body", "garment"))
    one = part("scene.build").write_avatars([joined], "One")
    meshes = [obj for obj in one.objects if obj.type == "MESH"]
    assert [obj["sapiens2_role"] for obj in meshes] == ["body"] and len(meshes[0].material_slots) == 1
    points = seen_points(meshes)
    assert len(points) == len(wanted) and np.abs(points - wanted).max() < 2e-4
    mesh = meshes[0].data
    assert [m.type for m in meshes[0].modifiers] == ["ARMATURE"] and all(len(p.vertices) == 4 for p in mesh.polygons)
    keys = mesh.shape_keys.key_blocks
    own = [key.name for key in keys if not key.name.startswith("corrective_")]
    assert own[1:] == list(dressed.body.key_names) and "jawOpen" in keys
    weights = np.array([sum(group.weight for group in vertex.groups) for vertex in mesh.vertices])
    assert np.abs(weights - 1).max() < 1e-3 and max(len(vertex.groups) for vertex in mesh.vertices) <= 4
    shader = next(n for n in meshes[0].material_slots[0].material.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
    assert all(shader.inputs[name].is_linked for name in ("Base Color", "Roughness", "Normal"))


def test_building_again_switches_between_several_objects_and_one(part, dressed, joined):
    collection = part("scene.build").write_avatars([dressed], "P")
    part("scene.build").write_avatars([joined], "P", replace=collection)
    found = roles(collection)
    assert "garment" not in found
    assert [m.name.split(".")[0] for m in found["body"].data.materials] == [f"{dressed.name} Body Person"]
    assert len(found["body"].data.vertices) == len(joined.body.vertices)
    part("scene.build").write_avatars([dressed], "P", replace=collection)
    found = roles(collection)
    assert "garment" in found and len(found["body"].data.vertices) == len(dressed.body.vertices)
    assert "covered" in found["body"].modifiers


@pytest.mark.parametrize("suffix", [".glb", ".fbx", ".usdc"])
def test_readers_of_its_exports_have_one_mesh_with_its_keys(part, joined, tmp_path, suffix):
    collection = part("scene.build").write_avatars([joined], "P")
    (body,) = [obj for obj in collection.objects if obj.type == "MESH"]
    count = len(body.data.polygons)
    try:
        path = part("scene.export").export(tmp_path / f"p{suffix}", [collection])
    except part("core.common.errors").SapiensError as error:
        pytest.skip(error.message)
    if suffix == ".glb":
        content = path.read_bytes()
        said = json.loads(content[20 : 20 + struct.unpack_from("<I", content, 12)[0]])
        (mesh,), (material,) = said["meshes"], said["materials"]
        assert len(mesh["primitives"]) == 1 and len(mesh["primitives"][0]["targets"]) == len(body.data.shape_keys.key_blocks) - 1
        assert {"baseColorTexture", "metallicRoughnessTexture"} <= set(material["pbrMetallicRoughness"])
        assert "normalTexture" in material
    part("scene.files").new_file()
    READERS[suffix](path)
    read_back = [obj for obj in bpy.data.objects if obj.type == "MESH" and not obj.name.startswith("Icosphere")]
    assert len(read_back) == 1 and len(read_back[0].material_slots) == 1
    assert sum(len(p.vertices) - 2 for p in read_back[0].data.polygons) == 2 * count
    assert set(joined.body.key_names) <= {key.name for key in read_back[0].data.shape_keys.key_blocks}
