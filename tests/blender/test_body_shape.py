"""Another shape for a body in the scene: it becomes the body that a build of that shape makes, and what is the artist's stays."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest
from mathutils import Matrix

from support.reading import read, roles

SOLES = 1e-4  # metres


@pytest.fixture
def fit(part):
    """A body with bent joints in a camera that is not level."""
    evaluate = part("core.body.evaluate")
    turn = part("core.common.rotations").rotation_from_vector
    rng = np.random.default_rng(11)
    turns = turn(rng.normal(0, 0.25, (len(evaluate.BONES), 3)))
    turns[[name.startswith("palm") for name in evaluate.BONES]] = np.eye(3)
    turns[0] = part("core.common.spaces").LEVEL_WORLD_FROM_CAMERA.T @ turn(np.array([0.1, 0.2, 0.7]))
    face = np.zeros(52)
    face[3] = 0.4
    return part("core.body.fitted").BodyFit(evaluate.Shape(), evaluate.Posture(turns, np.array([0.1, 0.2, 3.0])), face)


@pytest.fixture
def make(part, make_avatar):
    """Function: the avatar of a fit, at rest in the A-pose, the T-pose or the pose of the photo."""
    world_from_camera = np.eye(4)
    world_from_camera[:3, :3] = part("core.common.spaces").LEVEL_WORLD_FROM_CAMERA
    world_from_camera[:3, 3] = 0.3, -0.1, 1.2

    def make(fit, rest: str = "A"):
        character, rests = part("core.body.character"), part("core.body.rest")
        place = character.resting_place(fit, world_from_camera)
        body, rig = character.make_body(fit, place)
        if rest == "T":
            body, rig = rests.in_t_pose(body, rig, place[:3, :3] @ part("core.common.spaces").WORLD_FRONT)
        if rest == "photo":
            body, rig = rests.in_photo(body, rig)
        nothing = {"mesh": None, "textures": None, "parts": None, "weights": None, "encoded": {}}
        return replace(make_avatar(), world_from_camera=world_from_camera, body=body, rig=rig, **nothing)

    return make


@pytest.fixture
def other(part):
    """Somebody else: heavier, older, another face."""
    rng = np.random.default_rng(3)
    shape = part("core.body.evaluate").Shape()
    numbers = shape.numbers()
    numbers[:6] = 0.3, 0.9, 0.4, 0.8, 0.35, 0.3
    numbers[11:] = rng.normal(0, 0.7, len(numbers) - 11)
    return numbers


def evaluated(obj) -> np.ndarray:
    """(V, 3) world positions of the vertices, as keys and modifiers leave them."""
    bpy.context.view_layer.update()
    return read(obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh().vertices, "co", 3)


def basis(obj) -> np.ndarray:
    keys = obj.data.shape_keys
    return read(keys.reference_key.data if keys is not None else obj.data.vertices, "co", 3)


def bones(rig) -> np.ndarray:
    """(B, 4, 4) rest matrices."""
    return np.array([np.array(bone.matrix_local) for bone in rig.data.bones])


@pytest.mark.parametrize(("rest", "most"), [("A", 2e-5), ("photo", 2e-5), ("T", 3e-2)])
def test_a_changed_shape_is_what_a_build_of_it_makes(part, fit, make, other, rest, most):
    """Mesh, keys, bones and posed body; it may stand elsewhere. In a T-pose the arms of each
    shape turn by a few degrees more or less."""
    build, evaluate = part("scene.build"), part("core.body.evaluate")
    changed = build.write_avatars([make(fit, rest)], "Changed")
    found = roles(changed)
    part("scene.reshape").change_shape(changed, found["body"], other)
    wanted = roles(build.write_avatars([make(replace(fit, shape=evaluate.Shape.of(other)), rest)], "Wanted"))
    for measure in (basis, evaluated):
        off = measure(found["body"]) - measure(wanted["body"])
        off -= np.median(off, axis=0)
        # the weights of the armature modifier are written in steps of 1/1023
        assert np.abs(off).max() < most + (0 if measure is basis else 3e-4), measure
    for name in ("jawOpen", "viseme_aa"):
        own, theirs = (obj.data.shape_keys.key_blocks[name] for obj in (found["body"], wanted["body"]))
        np.testing.assert_allclose(
            read(own.data, "co", 3) - basis(found["body"]), read(theirs.data, "co", 3) - basis(wanted["body"]), atol=1e-5
        )
    turned = bones(found["rig"])[:, :3, :3] - bones(wanted["rig"])[:, :3, :3]
    assert np.abs(turned).max() < (2e-3 if rest != "T" else 0.2)
    apart = bones(found["rig"])[:, :3, 3] - bones(wanted["rig"])[:, :3, 3]
    assert np.abs(apart - np.median(apart, axis=0)).max() < most


def test_feet_stay_on_the_ground_at_rest_and_in_the_photo(part, fit, make, other):
    collection = part("scene.build").write_avatars([make(fit)], "Photo")
    found = roles(collection)
    before = [evaluated(found["body"])[:, 2].min(), basis(found["body"])[:, 2].min()]
    hips = bones(found["rig"])[0, :2, 3]
    part("scene.reshape").change_shape(collection, found["body"], other)
    after = [evaluated(found["body"])[:, 2].min(), basis(found["body"])[:, 2].min()]
    assert abs(after[0] - before[0]) < 1e-3 and abs(after[1] - before[1]) < SOLES
    np.testing.assert_allclose(bones(found["rig"])[0, :2, 3], hips, atol=1e-5)
    assert part("scene.photo_pose").photo_pose_shown(found["rig"])


def test_as_in_the_photo_brings_everything_back(part, extension, fit, make, other):
    collection = part("scene.build").write_avatars([make(fit)], "Photo")
    found = roles(collection)
    before = evaluated(found["body"]), basis(found["body"]), bones(found["rig"])
    part("scene.reshape").change_shape(collection, found["body"], other)
    assert np.abs(basis(found["body"]) - before[1]).max() > 0.01
    assert bpy.ops.sapiens2.shape_photo() == {"FINISHED"}
    np.testing.assert_allclose(basis(found["body"]), before[1], atol=1e-5)
    np.testing.assert_allclose(evaluated(found["body"]), before[0], atol=1e-4)
    np.testing.assert_allclose(bones(found["rig"]), before[2], atol=1e-4)
    assert not bpy.ops.sapiens2.shape_photo.poll()


def test_what_is_the_artists_stays(part, fit, make, other):
    """Also what was sculpted, which moves along, and bones that were moved by hand."""
    collection = part("scene.build").write_avatars([make(fit)], "Photo")
    found = roles(collection)
    body, rig = found["body"], found["rig"]
    keys = body.data.shape_keys
    keys.key_blocks[5].value = 0.7
    keys.key_blocks[5].keyframe_insert("value", frame=1)
    own = body.shape_key_add(name="Mine", from_mix=False)
    raised = read(own.data, "co", 3)
    raised[3] += (0, 0, 0.2)
    own.data.foreach_set("co", raised.ravel())
    body.modifiers.new("Smooth", "SUBSURF").levels = 0
    body.data.materials[0] = mine = bpy.data.materials.new("Mine")
    part("scene.photo_pose").show_photo_pose(rig, False)
    rig.location.x, rig.data.use_mirror_x = 2.0, True
    rig.pose.bones["hand.L"].rotation_quaternion = (0.9, 0.1, 0, 0)
    with part("scene.armature").edit_bones(rig) as edit:
        edit["heel.02.L"].tail.z += 0.03
    moved = rig.data.bones["heel.02.L"].tail_local.copy()
    bpy.ops.ed.undo_push(message="mine")
    names = [key.name for key in keys.key_blocks]
    part("scene.reshape").change_shape(collection, body, other)
    assert (body.data.shape_keys, [key.name for key in keys.key_blocks]) == (keys, names)
    assert keys.key_blocks[5].value == pytest.approx(0.7) and keys.animation_data.action is not None
    lifted = read(own.data, "co", 3) - basis(body)
    np.testing.assert_allclose(lifted[3], (0, 0, 0.2), atol=1e-5)
    np.testing.assert_allclose(np.delete(lifted, 3, 0), 0, atol=1e-5)
    assert [m.type for m in body.modifiers] == ["ARMATURE", "SUBSURF"] and body.data.materials[0] == mine
    assert rig.location.x == 2 and rig.data.use_mirror_x and rig.pose.bones["hand.L"].rotation_quaternion[1] == pytest.approx(0.1)
    part("scene.reshape").change_shape(collection, body, part("scene.reshape").numbers_of(body, of_photo=True))
    np.testing.assert_allclose(rig.data.bones["heel.02.L"].tail_local, moved, atol=1e-4)
    assert part("scene.hand_edits").is_edited(rig.data) and not part("scene.hand_edits").is_edited(body.data)


def test_clothes_go_along(part, fit, make, other):
    """A garment a centimetre off the skin stays about so, wherever its object is."""
    collection = part("scene.build").write_avatars([make(fit)], "Photo")
    found = roles(collection)
    body, rig, avatar = found["body"], found["rig"], make(fit)
    normals = part("core.body.evaluate").vertex_normals(basis(body), avatar.body.quads)
    rows = part("core.body.reshape").skin_rows()
    trunk = rows[(basis(body)[rows, 2] > 0.7) & (basis(body)[rows, 2] < 1.3)]
    cloth = basis(body)[trunk] + 0.01 * normals[trunk]
    mesh = bpy.data.meshes.new("Shirt")
    mesh.vertices.add(len(cloth))
    mesh.vertices.foreach_set("co", ((cloth - (0, 0, 1)) / 2).astype(np.float32).ravel())
    shirt = bpy.data.objects.new("Shirt", mesh)
    collection.objects.link(shirt)
    shirt["sapiens2_garment"] = "upper"
    part("scene.marks").mark(shirt, "garment", avatar.name)
    part("scene.armature").bind(shirt, rig)
    shirt.matrix_basis = Matrix.Translation((0, 0, 1)) @ Matrix.Scale(2, 4)
    away = bpy.data.objects.new("Away", mesh.copy())
    collection.objects.link(away)
    for step in (0.4, 1.0):  # the second one finds the neighbours of the first
        mixed = (1 - step) * part("scene.reshape").numbers_of(body, of_photo=True) + step * other
        part("scene.reshape").change_shape(collection, body, mixed)
    now = basis(shirt) * 2 + (0, 0, 1)
    skin = basis(body)[trunk]
    distance = np.linalg.norm(now - skin, axis=1)
    assert np.percentile(distance, 2) > 0.006 and np.percentile(distance, 98) < 0.016
    np.testing.assert_allclose(basis(away) * 2 + (0, 0, 1), cloth, atol=1e-5)


def test_a_second_build_keeps_the_artists_numbers(part, fit, make, other):
    """Of the others, the new photo's count."""
    build, shapes = part("scene.build"), part("scene.reshape")
    collection = build.write_avatars([make(fit)], "Photo")
    body = roles(collection)["body"]
    numbers = shapes.numbers_of(body)
    numbers[3] = 0.9
    shapes.change_shape(collection, body, numbers)
    fresh = part("core.body.evaluate").Shape().numbers()
    fresh[4] = 0.8
    again = make(replace(fit, shape=part("core.body.evaluate").Shape.of(fresh)))
    build.write_avatars([again], "Photo", replace=collection)
    assert shapes.numbers_of(body)[[3, 4]] == pytest.approx([0.9, 0.8])
    assert shapes.numbers_of(body, of_photo=True)[[3, 4]] == pytest.approx([0.5, 0.8])


def test_sliders_are_those_of_the_active_avatar(part, extension, fit, make):
    """And one that is moved changes the scene at once, in one step that can be undone."""
    build = part("scene.build")
    first, second = (build.write_avatars([make(fit)], name) for name in ("First", "Second"))
    objects = bpy.context.view_layer.objects
    objects.active = roles(second)["rig"]
    sliders = bpy.context.scene.sapiens2.shape
    bpy.ops.ed.undo_push(message="before")
    before = basis(roles(second)["body"])
    sliders.weight = 1.0
    bpy.ops.ed.undo_push(message="heavier")
    assert np.abs(basis(roles(second)["body"]) - before).max() > 0.02
    np.testing.assert_array_equal(basis(roles(first)["body"]), before)
    objects.active = roles(first)["body"]
    assert sliders.weight == pytest.approx(0.5)
    objects.active = roles(second)["body"]
    assert sliders.weight == pytest.approx(1.0)
    bpy.ops.ed.undo()
    np.testing.assert_array_equal(basis(roles(bpy.data.collections["Second"])["body"]), before)
    bpy.ops.ed.redo()
    assert np.abs(basis(roles(bpy.data.collections["Second"])["body"]) - before).max() > 0.02


@pytest.mark.parametrize("why", ["rig", "vertices", "shape", "mode", "follows"])
def test_what_cannot_be_changed_says_why(part, extension, fit, make, other, why):
    shapes = part("scene.reshape")
    avatar = make(fit)
    avatar = replace(avatar, rig=None) if why == "rig" else avatar
    collection = part("scene.build").write_avatars([avatar], "Photo")
    body = roles(collection)["body"]
    if why == "vertices":
        body.shape_key_clear()
        body.data.vertices.add(1)
    if why == "shape":
        del body["sapiens2_shape"]
    if why == "follows":
        body.modifiers.clear()
    if why == "mode":
        bpy.context.view_layer.objects.active = body
        bpy.ops.object.mode_set(mode="EDIT")
    with pytest.raises(part("core.common.errors").SapiensError) as caught:
        shapes.change_shape(collection, body, other)
    words = {"rig": "no rig", "vertices": "other vertices", "shape": "not known", "mode": "Edit Mode", "follows": "not follow"}
    assert words[why] in caught.value.message and caught.value.hint
    sliders = bpy.context.scene.sapiens2.shape
    sliders.weight = 0.9  # is refused, in the panel's words
    assert sliders.weight == pytest.approx(0.0 if why == "shape" else 0.5)
    if why == "mode":
        bpy.ops.object.mode_set(mode="OBJECT")


def test_landmarks_are_where_keys_and_bones_leave_the_body(part, fit, make):
    """Those that can be pinned: in the pose of the photo, of a rig that the artist has moved."""
    collection = part("scene.build").write_avatars([make(fit)], "Photo")
    found = roles(collection)
    found["body"].data.shape_keys.key_blocks["jawOpen"].value = 0.8
    found["rig"].location = (1.0, 2.0, 0.5)
    skin = evaluated(found["body"])
    world = np.array(found["body"].matrix_world)
    places = {name: place for (_, name), place in part("scene.pin_places").places_of(collection).items()}
    template, rows = part("core.body.template").template(), part("core.body.reshape").body_vertices()
    spread = np.full((len(template.base), 3), np.nan)
    spread[rows] = skin @ world[:3, :3].T + world[:3, 3]
    names = part("core.common.landmarks").keypoint_names()
    wanted = template.keypoints.of(spread)
    on_skin = [name for name in part("scene.pin_places").SKIN if name in places]
    assert len(on_skin) > 20 and "tip_of_chin" in on_skin
    for name in on_skin:
        np.testing.assert_allclose(places[name], wanted[names.index(name)], atol=1e-3, err_msg=name)
    wrist = found["rig"].matrix_world @ found["rig"].pose.bones["hand.L"].head
    np.testing.assert_allclose(places["left_wrist"], wrist, atol=1e-6)
