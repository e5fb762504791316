"""Clothes and hair in the scene: objects on the rig of the body, and what happens to them when an avatar is built again."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest

from support.reading import read, roles


def evaluated(obj) -> np.ndarray:
    """(V, 3) world positions of the vertices, as modifiers leave them."""
    bpy.context.view_layer.update()
    return read(obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh().vertices, "co", 3)


def images(obj) -> dict[str, bpy.types.Image]:
    """Map -> image of an object's first material."""
    nodes = obj.material_slots[0].material.node_tree.nodes
    return {node.image["sapiens2_map"]: node.image for node in nodes if node.type == "TEX_IMAGE"}


def test_a_garment_is_an_object_of_its_own_on_the_rig_of_the_body(part, dressed):
    found = roles(part("scene.build").write_avatars([dressed], "Photo"))
    top, garment = found["garment"], dressed.garments[0]
    assert top["sapiens2_garment"] == "upper" and top["sapiens2_person"] == dressed.name and top.parent == found["rig"]
    turn = dressed.rig.photo_from_rest[0, :3, :3]
    assert np.abs(evaluated(top) - garment.vertices @ turn.T).max() < 2e-3
    assert np.allclose(read(top.data.uv_layers["UVMap"].uv, "vector", 2), garment.uvs.reshape(-1, 2), atol=1e-6)
    weights = np.zeros(len(top.data.vertices))
    for vertex in top.data.vertices:
        weights[vertex.index] = sum(group.weight for group in vertex.groups)
    assert np.abs(weights - 1).max() < 1e-3


def test_what_clothes_cover_is_hidden_until_the_mask_is_switched_off(part, dressed):
    body = roles(part("scene.build").write_avatars([dressed], "Photo"))["body"]
    whole = len(body.data.vertices)
    hidden = whole - len(evaluated(body))
    assert 0 < hidden <= dressed.body.covered.sum()
    body.modifiers["covered"].show_viewport = False
    assert len(evaluated(body)) == whole


def test_skin_and_clothes_show_their_own_images(part, dressed):
    """Into Principled and nothing else; the colour of the eyes is that of the photo."""
    found = roles(part("scene.build").write_avatars([dressed], "Photo"))
    for obj, textures in ((found["body"], dressed.body.textures), (found["garment"], dressed.garments[0].textures)):
        shown = images(obj)
        assert set(shown) == {"base_colour_srgb", "normal_tangent"}
        pixels = np.empty(64 * 64 * 4, np.float32)
        shown["base_colour_srgb"].pixels.foreach_get(pixels)
        assert np.array_equal(np.round(pixels.reshape(64, 64, 4)[::-1, :, :3] * 255), textures.base_colour_srgb)
        assert shown["normal_tangent"].colorspace_settings.name == "Non-Color" and shown["base_colour_srgb"].packed_file
        kinds = {node.type for node in obj.material_slots[0].material.node_tree.nodes}
        assert kinds == {"BSDF_PRINCIPLED", "OUTPUT_MATERIAL", "TEX_IMAGE", "NORMAL_MAP"}
    materials = {slot.material["sapiens2_material"]: slot.material for slot in found["body"].material_slots}
    for kind in ("eyes", "irises", "pupils"):
        shader = next(node for node in materials[kind].node_tree.nodes if node.type == "BSDF_PRINCIPLED")
        (link,) = shader.inputs["Base Color"].links
        assert link.from_node.image == images(found["body"])["base_colour_srgb"], "eyes are painted in the skin's image"
        assert not shader.inputs["Roughness"].links and shader.inputs["Roughness"].default_value < 0.2


def test_without_textures_the_irises_have_the_colour_of_the_photo(part, dressed):
    plain = replace(dressed, body=replace(dressed.body, textures=None), encoded={})
    body = roles(part("scene.build").write_avatars([plain], "Photo"))["body"]
    irises = next(slot.material for slot in body.material_slots if slot.material["sapiens2_material"] == "irises")
    linear = part("core.common.colour").linear_from_srgb(plain.body.tones["irises"])
    shader = next(node for node in irises.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    assert np.allclose(shader.inputs["Base Color"].default_value[:3], linear, atol=1e-5)


def test_building_again_keeps_the_artists_work_on_a_garment_and_takes_away_what_is_not_worn_any_more(part, dressed):
    build = part("scene.build")
    collection = build.write_avatars([dressed], "Photo")
    top = roles(collection)["garment"]
    top.name = "My Top"
    top.modifiers.new("Thick", "SOLIDIFY")
    material = top.material_slots[0].material
    material.node_tree.nodes["Principled BSDF"].inputs["Sheen Weight"].default_value = 0.7
    garment = dressed.garments[0]
    painted = replace(garment.textures, base_colour_srgb=255 - garment.textures.base_colour_srgb)
    moved = replace(garment, vertices=garment.vertices + np.float32([0, 0, 0.05]), textures=painted)
    build.write_avatars([replace(dressed, garments=(moved,))], "Photo", replace=collection)
    assert roles(collection)["garment"] == top and top.name == "My Top" and "Thick" in top.modifiers
    assert top.material_slots[0].material == material
    assert material.node_tree.nodes["Principled BSDF"].inputs["Sheen Weight"].default_value == pytest.approx(0.7)
    pixels = np.empty(64 * 64 * 4, np.float32)
    images(top)["base_colour_srgb"].pixels.foreach_get(pixels)
    assert np.array_equal(np.round(pixels.reshape(64, 64, 4)[::-1, :, :3] * 255), painted.base_colour_srgb)
    build.write_avatars([replace(dressed, garments=())], "Photo", replace=collection)
    assert "garment" not in roles(collection)


def test_a_dressed_avatar_survives_the_way_from_the_worker(part, dressed, tmp_path):
    """Through a file, with the images that were encoded for Blender."""
    files = part("core.formats.avatar_file")
    (read_back,) = files.load_avatars(files.save_avatars([dressed], tmp_path / "avatars"))
    before, after = dressed.garments[0], read_back.garments[0]
    assert after.kind == "upper" and np.array_equal(after.vertices, before.vertices) and np.array_equal(after.tone, before.tone)
    assert np.array_equal(after.weights.bones, before.weights.bones)
    assert np.array_equal(after.textures.base_colour_srgb, before.textures.base_colour_srgb)
    assert np.array_equal(read_back.body.tones["irises"], dressed.body.tones["irises"])
    assert np.array_equal(read_back.body.covered, dressed.body.covered)
    wanted = {"image", "body.base_colour_srgb", "body.normal_tangent", "garment 0.base_colour_srgb", "garment 0.normal_tangent"}
    assert wanted == set(read_back.encoded)
    found = roles(part("scene.build").write_avatars([read_back], "Photo"))
    assert images(found["garment"])["base_colour_srgb"].size[:] == (64, 64)


def test_other_photos_are_remembered_as_long_as_the_avatar_is_made_of_them(part, dressed):
    build, others = part("scene.build"), part("scene.marks").OTHERS
    collection = build.write_avatars([dressed], "Photo", others=["side.safetensors", "back.safetensors"])
    assert collection[others].split("\n") == ["side.safetensors", "back.safetensors"]
    build.write_avatars([dressed], "Photo", replace=collection)
    assert others not in collection


def test_pictures_in_another_pose_move_nothing_of_the_artist(dressed, part, tmp_path):
    """The body and what it wears follow a copy of the rig whose bones point where they should."""
    build, aim, render = part("scene.build"), part("scene.aim"), part("scene.render")
    collection = build.write_avatars([dressed], "Anna")
    (rig,) = [ob for ob in collection.objects if ob.type == "ARMATURE"]
    worn = [ob for ob in collection.objects if ob.get("sapiens2_role") in ("body", "garment")]
    before, kept = [evaluated(ob) for ob in worn], [set(data) for data in (bpy.data.objects, bpy.data.armatures, bpy.data.meshes)]

    copies, made = aim.aimed_copies(worn, rig, {"upper_arm.L": (1, 0, 1)})
    for copy in copies:
        bpy.context.scene.collection.objects.link(copy)
    body = evaluated(copies[0])
    arm = copies[-1].pose.bones["upper_arm.L"]
    assert np.degrees((arm.tail - arm.head).angle((1, 0, 1))) < 0.1
    assert body[:, 2].max() == pytest.approx(arm.tail.z, abs=0.8) and body[:, 0].max() > arm.tail.x
    bpy.data.batch_remove(made)

    pictures = [render.Shot(tmp_path / "front.png"), render.Shot(tmp_path / "pose.png", aims=aim.STROLL)]
    views = render.render_views(collection, pictures, (48, 64), samples=1)
    front, pose = (bpy.data.images.load(str(view.path)) for view in views)
    alpha = [np.array(image.pixels).reshape(64, 48, 4)[..., 3] > 0.5 for image in (front, pose)]
    assert alpha[0].any() and (alpha[0] != alpha[1]).mean() > 0.02
    rows, columns = (np.flatnonzero(alpha[0].any(axis=axis)) for axis in (1, 0))
    low, high = views[0].bones.reshape(-1, 2).min(0), views[0].bones.reshape(-1, 2).max(0)
    assert columns[0] <= low[0] + 2 and columns[-1] >= high[0] - 2, "the sides are cut off"
    assert 63 - rows[-1] <= low[1] + 2 and 63 - rows[0] >= high[1] - 2, "head or feet are cut off"
    for image in (front, pose):
        bpy.data.images.remove(image)
    assert [set(data) for data in (bpy.data.objects, bpy.data.armatures, bpy.data.meshes)] == kept
    for ob, points in zip(worn, before, strict=True):
        np.testing.assert_allclose(evaluated(ob), points, atol=1e-6)
