"""Where a new avatar stands: at the 3D cursor, in nothing that is there already, and there it is built again."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest
from mathutils import Vector

from support.reading import roles


@pytest.fixture
def make(part, make_avatar, monkeypatch):
    """Function: an avatar written as *Make Avatar* writes one, in the place of that of the same photo or beside it."""

    def run(*avatars, place="NEW"):
        monkeypatch.setattr(part("core.formats.avatar_file"), "load_avatars", lambda _path: list(avatars) or [make_avatar()])
        bpy.context.scene.sapiens2.place = place
        result = {"predictions": "/p", "avatars": "", "notes": []}
        return part("operators.build").write_result(bpy.context, result, "Photo")

    return run


def box(collection):
    """(2, 3) lowest and highest values of the meshes of an avatar."""
    bpy.context.view_layer.update()
    meshes = [obj for obj in collection.all_objects if obj.type == "MESH"]
    corners = np.array([obj.matrix_world @ Vector(corner) for obj in meshes for corner in obj.bound_box])
    return np.array([corners.min(0), corners.max(0)])


def apart(first, second):
    return bool(((first[1] <= second[0]) | (second[1] <= first[0])).any())


def cube(size, location=(0, 0, 0), name="Cube"):
    bpy.ops.mesh.primitive_cube_add(size=1, location=location)
    bpy.context.object.scale = (size, size, size) if np.isscalar(size) else size
    bpy.context.object.name = name
    return np.array(location) + np.outer((-0.5, 0.5), np.ones(3) * size)


@pytest.fixture
def home(make):
    """Where the photo puts an avatar."""
    made = make()
    found = box(made)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    return found


def test_an_avatar_stands_at_the_cursor(home, make):
    bpy.context.scene.cursor.location = (3, -2, 0.5)
    np.testing.assert_allclose(box(make()), home + np.array((3, -2, 0.5)), atol=1e-5)


def test_an_avatar_stands_beside_what_is_there_with_its_camera(part, home, make):
    taken = cube(2.0)
    made = make()
    found = roles(made)
    moved = box(made) - home
    np.testing.assert_allclose(moved, np.broadcast_to(moved[0], (2, 3)), atol=1e-5)
    assert apart(box(made), taken) and 0 < abs(moved[0, 0]) < 2.5 and not moved[0, 1:].any()
    assert "Photo stands beside Cube, which is at the 3D cursor." in part("jobs").status.notes
    np.testing.assert_allclose(np.array(found["camera"].location) - np.array((0.1, -2.0, 1.1)), moved[0], atol=1e-5)
    boxes = [box(made), *(box(make()) for _ in range(3))]
    assert all(apart(a, b) for n, a in enumerate(boxes) for b in [*boxes[:n], taken])


def test_twins_do_not_stand_in_each_other(make):
    assert apart(box(make()), box(make()))


def test_an_avatar_for_a_scene_that_is_not_shown_stands_beside_what_is_there(home, make):
    cube(2.0)
    other = bpy.data.scenes.new("Other")
    with bpy.context.temp_override(scene=other, view_layer=other.view_layers[0]):
        made = make()
        assert not roles(made)["rig"].location.x, "the cube is in another scene"
        again = make()
    assert roles(again)["rig"].location.x > 0.2 and set(other.objects) >= set(again.objects)


@pytest.mark.parametrize("setting", ["floor", "room", "landscape", "hidden", "elsewhere"])
def test_what_is_not_in_its_way_leaves_it_at_the_cursor(home, make, setting):
    middle = home.mean(0)
    if setting == "floor":
        cube((8, 8, 0.2), (middle[0], middle[1], home[0, 2] - 0.05))
    elif setting == "room":
        cube((6, 6, 4), (middle[0], middle[1], home[0, 2] + 2))
    elif setting == "landscape":
        cube((40, 30, 3), (middle[0], middle[1], home[0, 2]))
    elif setting == "hidden":
        cube(2.0, tuple(middle))
        bpy.context.object.hide_set(True)
    else:
        cube(2.0, (middle[0], middle[1] + 9, middle[2]))
    np.testing.assert_allclose(box(make()), home, atol=1e-5)


@pytest.mark.parametrize(("walls", "side"), [((1,), -1), ((1, -1), 0)])
def test_where_one_side_leaves_no_place_it_is_the_other(part, home, make, monkeypatch, walls, side):
    monkeypatch.setattr(part("scene.standing"), "FARTHEST", 4.0)
    middle, width = home.mean(0), 6.0
    for wall in walls:
        cube((width, 2, 2), (middle[0] + wall * (width / 2 - 0.5), middle[1], middle[2]))
    assert np.sign((box(make()) - home)[0, 0]) == side


def test_an_avatar_with_the_camera_at_the_origin_stays_there(home, make):
    cube(2.0)
    bpy.context.scene.sapiens2.scan.keep_camera_frame = True
    np.testing.assert_allclose(box(make()), home, atol=1e-5)


def test_a_build_again_leaves_it_there_and_moves_the_camera_with_the_photo(home, make, make_avatar):
    cube(2.0)
    made = make()
    before, camera = box(made), roles(made)["camera"]
    place = np.array(camera.location)
    assert make(place="REPLACE") == made
    np.testing.assert_allclose(box(made), before, atol=1e-5)
    np.testing.assert_allclose(camera.location, place, atol=1e-5)
    other = make_avatar().world_from_camera.copy()
    other[:3, 3] += (0, 0.3, 0)
    make(replace(make_avatar(), world_from_camera=other), place="REPLACE")
    np.testing.assert_allclose(np.array(camera.location) - place, (0, 0.3, 0), atol=1e-5)


def test_who_is_new_in_a_build_stands_with_the_others(home, make, make_avatar):
    cube(2.0)
    made = make(make_avatar())
    offset = (box(made) - home)[0]
    second = replace(make_avatar(name="Other"), world_from_camera=make_avatar().world_from_camera)
    make(make_avatar(), second, place="REPLACE")
    rigs = [obj for obj in made.all_objects if obj.type == "ARMATURE"]
    assert len(rigs) == 2
    for rig in rigs:
        np.testing.assert_allclose(rig.location, offset, atol=1e-5)


@pytest.mark.parametrize("whole", [False, True])
def test_a_rig_that_was_deleted_is_made_again_where_the_avatar_was(part, home, make, make_avatar, whole):
    cube(2.0)
    made = make()
    before = box(made)
    bpy.data.objects.remove(roles(made)["rig"])
    if whole:
        make(place="REPLACE")
    else:
        part("scene.update").update_rig(made, [make_avatar()])
    found = roles(made)
    np.testing.assert_allclose(box(made), before, atol=1e-5)
    assert found["scan"].matrix_world == found["rig"].matrix_world, "bones bend what lies on them"
    assert set(found["rig"].data.bones.keys()) <= set(found["scan"].vertex_groups.keys())


@pytest.mark.parametrize("kind", [".ply", ".obj"])
def test_who_stands_aside_is_exported_at_the_origin_unless_asked_otherwise(home, make, tmp_path, kind):
    cube(2.0)
    bpy.context.scene.cursor.location = (0, 0, 0.25)
    made = make()
    aside = box(made) - home
    before = {obj.name: tuple(obj.matrix_world.translation) for obj in made.all_objects}

    def written(name, **options):
        bpy.context.scene.sapiens2.avatar = made
        assert bpy.ops.sapiens2.export(filepath=str(tmp_path / name), format=kind, **options) == {"FINISHED"}
        known = set(bpy.data.objects)
        importer = {".ply": bpy.ops.wm.ply_import, ".obj": bpy.ops.wm.obj_import}[kind]
        axes = {} if kind == ".obj" else {"up_axis": "Z", "forward_axis": "Y"}
        assert importer(filepath=str(tmp_path / (name + kind)), **axes) == {"FINISHED"}
        (brought,) = (obj for obj in bpy.data.objects if obj not in known)
        bpy.context.view_layer.update()
        corners = np.array([brought.matrix_world @ Vector(corner) for corner in brought.bound_box])
        bpy.data.objects.remove(brought)
        return np.array([corners.min(0), corners.max(0)])

    np.testing.assert_allclose(written("alone"), home, atol=1e-3)
    np.testing.assert_allclose(written("aside", at_origin=False), home + aside, atol=1e-3)
    assert {obj.name: tuple(obj.matrix_world.translation) for obj in made.all_objects} == before
    # What the artist has moved it by themselves is theirs.
    for obj in made.all_objects:
        if obj.parent is None:
            obj.location.y += 1
    np.testing.assert_allclose(written("moved"), home + np.array((0, 1, 0)), atol=1e-3)
