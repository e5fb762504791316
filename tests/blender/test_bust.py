"""A bust is head and shoulders: cut by a modifier that can be switched off, and cut in exported files too."""

from dataclasses import replace

import bpy
import numpy as np
import pytest

from support.reading import read, roles


@pytest.fixture
def bust(part, dressed):
    """The avatar in its clothes, with shares of a bust that is cut 1.2 m above the ground."""

    def shares(points: np.ndarray) -> np.ndarray:
        up = points @ dressed.world_from_camera[2, :3] + dressed.world_from_camera[2, 3]
        return np.clip(0.5 + (up - 1.2) / 0.1, 0, 1).astype(np.float32)

    garments = tuple(replace(g, bust=shares(g.vertices)) for g in dressed.garments)
    return replace(dressed, body=replace(dressed.body, bust=shares(dressed.body.vertices)), garments=garments)


def lowest(obj) -> float:
    """Of the evaluated mesh at rest, metres above the ground."""
    armature = obj.find_armature()
    armature.data.pose_position = "REST"
    bpy.context.view_layer.update()
    mesh = obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
    points = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", points)
    return float(points.reshape(-1, 3)[:, 2].min())


def test_a_bust_is_cut_straight_and_whole_again_without_its_modifier(part, bust):
    found = roles(part("scene.build").write_avatars([bust], "Photo"))
    assert lowest(found["body"]) == pytest.approx(1.2, abs=0.004)
    assert lowest(found["garment"]) >= 1.2 - 0.004
    found["body"].modifiers["bust"].show_viewport = False
    assert lowest(found["body"]) < 0.05


def test_building_the_whole_again_takes_the_cut_away(part, bust, dressed):
    build = part("scene.build")
    collection = build.write_avatars([bust], "Photo")
    build.write_avatars([dressed], "Photo", replace=collection)
    body = roles(collection)["body"]
    assert "bust" not in body.modifiers and "bust" not in body.vertex_groups and "covered" in body.modifiers
    assert lowest(body) < 0.05
    build.write_avatars([bust], "Photo", replace=collection)
    assert lowest(roles(collection)["body"]) == pytest.approx(1.2, abs=0.004)


def test_exporters_see_a_bust_with_its_keys_that_ends_where_the_scene_s_does(part, bust):
    body = roles(part("scene.build").write_avatars([bust], "Photo"))["body"]
    mesh, keys = body.data, body.data.shape_keys.key_blocks.keys()
    with part("scene.plain_meshes").plain_meshes([body]):
        assert read(body.data.vertices, "co", 3)[:, 2].min() == pytest.approx(1.2, abs=0.004)
        assert body.data.shape_keys.key_blocks.keys() == keys and len(body.data.vertices) < len(mesh.vertices)
        for key in (body.data.shape_keys.key_blocks[name] for name in ("jawOpen", "mouthSmileLeft")):
            low = read(key.data, "co", 3)[:, 2].min()
            assert low == pytest.approx(1.2, abs=0.004), "no key pulls the border"
    assert body.data == mesh and lowest(body) == pytest.approx(1.2, abs=0.004)
