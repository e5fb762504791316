"""The photo on a mesh of the artist: the operator in a scene with a matched camera, the command, and what stays as it is."""

from __future__ import annotations

import json
from dataclasses import asdict

import bpy
import numpy as np
import pytest

from support.balls import FOCAL, HEIGHT, RADIUS, WIDTH, WORLD_FROM_CAMERA, ball_maps, ball_mesh, colours_of


@pytest.fixture
def predictions(tmp_path):
    """A predictions file of the ball."""
    from safetensors.numpy import save_file

    path = tmp_path / "ball ü.safetensors"
    save_file(
        {key: np.ascontiguousarray(value) for key, value in ball_maps().items()},
        path,
        {"format": "sapiens2-predictions", "version": "1"},
    )
    return path


@pytest.fixture
def ball():
    """Function: an object with the ball's mesh, around the origin, with the artist's own material."""

    def make(name: str = "Retopo", uvs: bool = True):
        points, quads, coordinates = ball_mesh()
        corners = [list(dict.fromkeys(quad)) for quad in quads.tolist()]
        kept = [[row.index(v) for v in face] for row, face in zip(quads.tolist(), corners, strict=True)]
        mesh = bpy.data.meshes.new(name)
        mesh.from_pydata(points.tolist(), [], corners)
        if uvs:
            layer = mesh.uv_layers.new(name="Mine", do_init=False)
            flat = np.concatenate([row[at] for row, at in zip(coordinates, kept, strict=True)])
            layer.uv.foreach_set("vector", flat.ravel())
        mine = bpy.data.materials.get("Mine") or bpy.data.materials.new("Mine")
        if bpy.app.version < (5, 0, 0):
            mine.use_nodes = True
        mesh.materials.append(mine)
        obj = bpy.data.objects.new(name, mesh)
        bpy.context.scene.collection.objects.link(obj)
        bpy.context.view_layer.objects.active = obj
        obj.select_set(True)
        return obj

    return make


@pytest.fixture
def scene(part, predictions):
    """A scene with the matched camera of the photo, as a build leaves it."""
    marks, people = part("scene.marks"), part("scene.people")
    camera = part("core.common.arrays").Camera(WIDTH, HEIGHT, FOCAL, FOCAL, (WIDTH - 1) / 2, (HEIGHT - 1) / 2)
    collection = bpy.data.collections.new("Photo")
    bpy.context.scene.collection.children.link(collection)
    image = part("scene.image").write_image("Photo", ball_maps()["image"], colour=True)
    obj = part("scene.camera").write_camera(camera, WORLD_FROM_CAMERA, image, "Camera", collection)
    obj[marks.CAMERA] = json.dumps({**asdict(camera), "focal_lengths": {}})
    marks.mark(obj, "camera")
    collection[marks.SOURCE] = str(predictions)
    collection[marks.PHOTO] = people.image_hash(ball_maps()["image"])
    bpy.context.scene.sapiens2.mesh_texture.size = "1024"
    bpy.context.scene.sapiens2.texture.colour = "photo"
    return bpy.context.scene.sapiens2


def shown(obj) -> tuple[np.ndarray, np.ndarray]:
    """Middles of the faces, and the colour there that the base colour of their material has."""
    mesh = obj.data
    (slot,) = {polygon.material_index for polygon in mesh.polygons}
    tree = obj.material_slots[slot].material.node_tree
    shader = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
    node = shader.inputs["Base Color"].links[0].from_node
    assert node.type == "TEX_IMAGE" and node.image.packed_file is not None
    width, height = node.image.size
    pixels = np.empty(width * height * 4, np.float32)
    node.image.pixels.foreach_get(pixels)
    uvs = np.empty(2 * len(mesh.loops), np.float32)
    next(layer for layer in mesh.uv_layers if layer.active_render).uv.foreach_get("vector", uvs)
    middles = np.array([np.mean(uvs.reshape(-1, 2)[list(p.loop_indices)], axis=0) for p in mesh.polygons])
    x, y = (middles * [width, height]).astype(int).T
    return np.array([obj.matrix_world @ p.center for p in mesh.polygons]), 255 * pixels.reshape(height, width, 4)[y, x, :3]


def assert_shows_the_photo(obj, most=6):
    middles, found = shown(obj)
    front = (middles[:, 1] < -0.4 * RADIUS) & (np.abs(middles[:, 2]) < 0.9 * RADIUS)
    assert np.abs(found - colours_of(middles))[front].mean() < most


def test_the_photo_comes_onto_the_active_mesh_in_one_undo_step(scene, worker, ball):
    obj = ball()
    bpy.ops.ed.undo_push(message="before")
    assert bpy.ops.sapiens2.texture_mesh() == {"FINISHED"}
    assert obj.name == "Retopo" and [m.name for m in obj.data.materials] == ["Mine", "Retopo Photo"]
    assert [layer.name for layer in obj.data.uv_layers] == ["Mine"]
    assert not [n for n in bpy.data.materials["Mine"].node_tree.nodes if n.type == "TEX_IMAGE"]
    assert_shows_the_photo(obj)
    bpy.ops.ed.undo_push(message="texture")
    bpy.ops.ed.undo()
    obj = bpy.data.objects["Retopo"]
    assert [m.name for m in obj.data.materials] == ["Mine"] and "Retopo Photo" not in bpy.data.materials


def test_once_more_keeps_the_material_and_what_was_changed_there(scene, worker, ball):
    obj = ball()
    bpy.ops.sapiens2.texture_mesh()
    material, images = obj.data.materials[1], len(bpy.data.images)
    material.node_tree.nodes["Principled BSDF"].inputs["Roughness"].default_value = 0.123
    bpy.ops.sapiens2.texture_mesh(size="2048")
    assert list(obj.data.materials) == [bpy.data.materials["Mine"], material]
    assert material.node_tree.nodes["Principled BSDF"].inputs["Roughness"].default_value == pytest.approx(0.123)
    assert bpy.context.scene.sapiens2.mesh_texture.size == "2048" and len(bpy.data.images) == images
    assert_shows_the_photo(obj)


@pytest.mark.parametrize("kind", ["moved", "mirrored", "subdivided", "posed"])
def test_the_mesh_is_taken_as_it_stands(kind, scene, worker, ball):
    obj = ball()
    if kind == "moved":  # the vertices lie elsewhere, the object is turned and put back
        import mathutils

        matrix = mathutils.Matrix.Translation((3, 1, 2)) @ mathutils.Matrix.Rotation(0.7, 4, "X")
        obj.data.transform(matrix.inverted())
        obj.matrix_world = matrix
    elif kind == "mirrored":
        obj.data.transform(np.diag([-1, 1, 1, 1]).tolist())
        obj.data.flip_normals()
        obj.scale.x = -1
    elif kind == "subdivided":
        obj.modifiers.new("Subdivision", "SUBSURF").levels = 1
    else:
        for vertex in obj.data.vertices:
            vertex.co.x += 5
        obj.modifiers.new("Displace", "DISPLACE").strength = 0
        lattice = bpy.data.objects.new("Hook", None)
        lattice.location.x = -5
        bpy.context.scene.collection.objects.link(lattice)
        group = obj.vertex_groups.new(name="all")
        group.add(list(range(len(obj.data.vertices))), 1.0, "REPLACE")
        hook = obj.modifiers.new("Hook", "HOOK")
        hook.object, hook.vertex_group = lattice, "all"
    bpy.context.view_layer.update()
    assert bpy.ops.sapiens2.texture_mesh() == {"FINISHED"}
    middles, found = shown(obj)
    if kind == "posed":
        middles = middles - [5, 0, 0]
    front = (middles[:, 1] < -0.4 * RADIUS) & (np.abs(middles[:, 2]) < 0.9 * RADIUS)
    assert front.any() and np.abs(found - colours_of(middles))[front].mean() < 8


def test_a_new_uv_map_stands_beside_the_old_one(scene, worker, ball):
    obj = ball()
    before = [tuple(x.vector) for x in obj.data.uv_layers["Mine"].uv]
    assert bpy.ops.sapiens2.texture_mesh(new_uvs=True) == {"FINISHED"}
    assert [layer.name for layer in obj.data.uv_layers] == ["Mine", "Photo UV"] and obj.data.uv_layers["Photo UV"].active_render
    assert [tuple(x.vector) for x in obj.data.uv_layers["Mine"].uv] == before
    assert_shows_the_photo(obj, 10)


@pytest.mark.parametrize(
    ("change", "asked", "sentence"),
    [
        (lambda obj: obj.data.uv_layers.remove(obj.data.uv_layers[0]), {}, "has no UV map"),
        (
            lambda obj: obj.data.transform(np.diag([1, 1, 1, 1]).tolist()) or setattr(obj.location, "x", 9),
            {},
            "not stand on a person",
        ),
        (lambda obj: bpy.context.scene.collection.objects.link(obj.copy()), {}, "is that of 2 objects"),
        (lambda obj: setattr(obj.modifiers.new("S", "SUBSURF"), "levels", 1), {"new_uvs": True}, "Modifiers change the faces"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(change, asked, sentence, scene, worker, ball):
    obj = ball()
    change(obj)
    bpy.context.view_layer.update()
    before = [block.name for kind in (bpy.data.materials, bpy.data.images, bpy.data.meshes) for block in kind]
    with pytest.raises(RuntimeError, match=sentence):
        bpy.ops.sapiens2.texture_mesh(**asked)
    assert [block.name for kind in (bpy.data.materials, bpy.data.images, bpy.data.meshes) for block in kind] == before
    assert [m.name for m in obj.data.materials] == ["Mine"]


def test_the_operator_says_what_it_needs(scene, ball):
    poll = bpy.ops.sapiens2.texture_mesh.poll
    assert not poll()  # nothing is active
    obj = ball()
    assert poll()
    bpy.ops.object.mode_set(mode="EDIT")
    assert not poll()
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.context.view_layer.objects.active = next(ob for ob in bpy.data.objects if ob.type == "CAMERA")
    assert not poll() and obj.name == "Retopo"


def test_the_command_textures_a_mesh_of_a_file(part, scene, worker, ball, predictions, tmp_path, capsys):
    ball("Sculpt")
    ball("Other")
    source = part("scene.files").save_blend(tmp_path / "mine ü.blend")
    main, out = part("commands.cli").main, tmp_path / "out.blend"
    words = ["texture", str(predictions), "-o", str(out), "--size", "512", "--colour", "photo", "--mesh"]
    assert main([*words, str(source)]) == 1 and "several meshes: Other, Sculpt" in capsys.readouterr().err
    assert main([*words, f"{source}:Nobody"]) == 1 and "no object named 'Nobody'" in capsys.readouterr().err
    assert main([*words, f"{source}:Sculpt"]) == 0
    assert capsys.readouterr().out.strip().endswith(f"\n{out}")
    bpy.ops.wm.open_mainfile(filepath=str(out))
    assert_shows_the_photo(bpy.data.objects["Sculpt"])
    assert [m.name for m in bpy.data.objects["Other"].data.materials] == ["Mine"]
