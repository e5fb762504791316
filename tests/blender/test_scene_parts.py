"""Body parts, texture coordinates, quads and materials of a scan in Blender: what `core` computed is what the artist gets."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest

from support.reading import read, roles


@pytest.fixture
def write(part):
    return lambda avatar, **options: roles(part("scene.build").write_avatars([avatar], avatar.name, **options))["scan"]


def group_weights(obj, name):
    """(V,) weights of a vertex group, 0 where a vertex is not in it."""
    index, out = obj.vertex_groups[name].index, np.zeros(len(obj.data.vertices))
    for vertex in obj.data.vertices:
        for element in vertex.groups:
            if element.group == index:
                out[vertex.index] = element.weight
    return out


def test_parts_are_soft_groups_that_add_up_to_one(write, make_avatar, part):
    avatar = make_avatar()
    scan = write(avatar)
    wanted = part("core.surface.body_parts").make_parts(avatar.mesh)
    names = part("core.common.landmarks").part_names()
    total = np.zeros(len(avatar.mesh.vertices))
    for label in np.unique(wanted.label).tolist():
        here = wanted.label == label
        expected = np.zeros(len(total))
        expected[wanted.vertex[here]] = wanted.weight[here]
        got = group_weights(scan, names[label])
        np.testing.assert_allclose(got, expected, atol=1e-6)
        total += got
    np.testing.assert_allclose(total, 1, atol=1e-5)
    hair = group_weights(scan, "Hair")
    assert ((hair > 0.1) & (hair < 0.9)).any(), "the border of two parts is soft"


def test_parts_that_came_with_the_avatar_are_written_as_they_are(write, make_avatar, part):
    avatar = make_avatar(quads=True, atlas=True)
    made = write(replace(avatar, parts=part("core.surface.body_parts").make_parts(avatar.mesh)))
    found = write(avatar)
    for attribute in (".sculpt_face_set", "material_index"):
        np.testing.assert_array_equal(
            *(read(scan.data.attributes[attribute].data, "value", 1, np.int32) for scan in (made, found))
        )
    np.testing.assert_array_equal(group_weights(made, "Face_Neck"), group_weights(found, "Face_Neck"))


def test_images_that_were_encoded_before_are_packed_as_they_are(write, make_avatar, part, tmp_path):
    avatar = make_avatar()
    (loaded,) = part("core.formats.avatar_file").load_avatars(
        part("core.formats.avatar_file").save_avatars([avatar], tmp_path / "avatars")
    )
    write(loaded)
    for title, name in (("Base Color", "base_colour_srgb"), ("Photo", "image"), ("Mask", "mask"), ("Normal", "normal_tangent")):
        image = bpy.data.images[f"Photo {title}"]
        assert image.packed_file.data == loaded.encoded[name].tobytes()
        pixels = np.empty(image.size[0] * image.size[1] * image.channels, np.float32)
        image.pixels.foreach_get(pixels)
        wanted = avatar.image if name == "image" else getattr(avatar.textures, name)
        got = pixels.reshape(64, 48, -1)[::-1, :, : wanted.shape[2] if wanted.ndim == 3 else 1].reshape(wanted.shape)
        np.testing.assert_allclose(got * np.iinfo(wanted.dtype).max, wanted, atol=0.6)


def test_every_part_is_a_face_set(write, make_avatar):
    avatar = make_avatar()
    mesh = write(avatar).data
    sets = mesh.attributes[".sculpt_face_set"]
    assert (sets.data_type, sets.domain) == ("INT", "FACE")
    values, corner = read(sets.data, "value", 1, np.int32), avatar.mesh.labels[avatar.mesh.faces]
    assert set(values.tolist()) == {3, 4, 23}
    uniform = (corner == corner[:, :1]).all(axis=1)
    np.testing.assert_array_equal(values[uniform], corner[uniform, 0])


def test_the_photos_projection_comes_first_and_renders(write, make_avatar):
    avatar = make_avatar(atlas=True)
    mesh = write(avatar).data
    assert [layer.name for layer in mesh.uv_layers] == ["UVMap", "Atlas"]
    assert mesh.uv_layers["UVMap"].active_render and mesh.uv_layers.active.name == "UVMap"
    np.testing.assert_array_equal(read(mesh.uv_layers["UVMap"].data, "uv", 2), avatar.mesh.uvs[avatar.mesh.faces.ravel()])
    np.testing.assert_array_equal(read(mesh.uv_layers["Atlas"].data, "uv", 2), avatar.mesh.atlas.reshape(-1, 2))


def test_quads_are_quads_with_the_diagonal_that_core_chose(write, make_avatar):
    avatar = make_avatar(quads=True, atlas=True)
    mesh = write(avatar).data
    faces = avatar.mesh.faces
    assert len(mesh.polygons) == len(faces) // 2 and len(mesh.loops) == 2 * len(faces)
    corner = read(mesh.loops, "vertex_index", 1, np.int32).reshape(-1, 4)
    np.testing.assert_array_equal(corner, np.column_stack([faces[::2], faces[1::2, 2]]))
    uvs = read(mesh.uv_layers["Atlas"].data, "uv", 2).reshape(-1, 4, 2)
    np.testing.assert_array_equal(uvs[:, :3], avatar.mesh.atlas[::2])
    np.testing.assert_array_equal(uvs[:, 3], avatar.mesh.atlas[1::2, 2])
    mesh.calc_loop_triangles()
    drawn = np.sort(read(mesh.loop_triangles, "vertices", 3, np.int32), axis=1)
    assert set(map(tuple, drawn.tolist())) == set(map(tuple, np.sort(faces, axis=1).tolist()))


@pytest.mark.parametrize("options", [{}, {"quads": True}, {"atlas": True}, {"quads": True, "atlas": True, "rig": False}])
def test_blender_has_nothing_to_repair(write, make_avatar, options):
    mesh = write(make_avatar(**options)).data
    assert mesh.validate(verbose=True, clean_customdata=True) is False


def test_materials_answer_light_as_the_table_says(write, make_avatar, part):
    scan = write(make_avatar())
    table = part("core.surface.materials")
    assert {material["sapiens2_material"] for material in scan.data.materials} == {"Upper Clothing", "Skin", "Hair"}
    for material in scan.data.materials:
        kind = table.material_named(material["sapiens2_material"])
        inputs = material.node_tree.nodes["Principled BSDF"].inputs
        for name, wanted in (
            ("Roughness", kind.roughness),
            ("IOR", kind.ior),
            ("Metallic", 0),
            ("Subsurface Weight", kind.subsurface),
            ("Subsurface Scale", kind.subsurface_scale),
            ("Sheen Weight", kind.sheen),
        ):
            assert inputs[name].default_value == pytest.approx(wanted), (material.name, name)
        assert tuple(inputs["Subsurface Radius"].default_value) == pytest.approx(kind.subsurface_radius)
        assert bool(inputs["Alpha"].links) is kind.soft_edge
        assert {node.uv_map for node in material.node_tree.nodes if node.type == "UVMAP"} == {"UVMap"}


def test_every_face_has_the_material_of_its_part(write, make_avatar):
    avatar = make_avatar()
    mesh = write(avatar).data
    kinds = np.array([material["sapiens2_material"] for material in mesh.materials])
    of_face = kinds[read(mesh.attributes["material_index"].data, "value", 1, np.int32)]
    corner = avatar.mesh.labels[avatar.mesh.faces]
    uniform = (corner == corner[:, :1]).all(axis=1)
    wanted = np.select([corner[:, 0] == 4, corner[:, 0] == 3], ["Hair", "Skin"], "Upper Clothing")
    np.testing.assert_array_equal(of_face[uniform], wanted[uniform])


def test_textures_that_were_baked_lie_on_the_atlas(write, make_avatar):
    avatar = make_avatar(atlas=True)
    scan = write(replace(avatar, textures=replace(avatar.textures, layout="atlas")))
    for material in scan.data.materials:
        nodes = material.node_tree.nodes
        assert {node.uv_map for node in nodes if node.type in ("UVMAP", "NORMAL_MAP")} == {"Atlas"}
        assert all(node.inputs["Vector"].links for node in nodes if node.type == "TEX_IMAGE")


def test_displacement_is_exact_metres_that_move_the_surface(write, make_avatar):
    avatar = make_avatar()
    metres = np.random.default_rng(3).normal(0, 0.004, (64, 48)).astype(np.float32)
    scan = write(replace(avatar, textures=replace(avatar.textures, displacement=metres)))
    image = bpy.data.images["Photo Displacement"]
    assert image.packed_file is not None and image.is_float and image.colorspace_settings.name == "Non-Color"
    pixels = np.empty(64 * 48 * image.channels, np.float32)
    image.pixels.foreach_get(pixels)
    np.testing.assert_array_equal(pixels.reshape(64, 48, -1)[::-1, :, 0], metres)
    for material in scan.data.materials:
        node = next(node for node in material.node_tree.nodes if node.type == "DISPLACEMENT")
        assert (node.inputs["Midlevel"].default_value, node.inputs["Scale"].default_value) == (0, 1)
        assert node.outputs[0].links[0].to_node.type == "OUTPUT_MATERIAL" and material.displacement_method == "DISPLACEMENT"
