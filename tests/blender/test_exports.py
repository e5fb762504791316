"""What a reader of each format opens is what the scene shows: its pose, its textures, its take by name, and nothing else."""

from __future__ import annotations

import json
import struct
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest

from support.readers import READERS

RIGGED = [suffix for suffix in READERS if suffix != ".obj"]


@pytest.fixture
def export(part):
    """Function: the collections into a file; skips where this Blender has no such exporter."""

    def run(path: Path, *collections, **options) -> Path:
        try:
            return part("scene.export").export(path, collections, **options)
        except part("core.common.errors").SapiensError as error:
            if "built without" in error.message:
                pytest.skip(error.message)
            raise

    return run


@pytest.fixture
def resting(part, make_avatar):
    """A person whose rest is another pose than that of the photo, which lies on a muted track; its collection and its rig."""
    avatar = make_avatar()
    photo_from_rest = np.tile(np.eye(4), (3, 1, 1))
    angle = 0.7
    photo_from_rest[2, :2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    avatar = replace(avatar, rig=replace(avatar.rig, photo_from_rest=photo_from_rest))
    collection = part("scene.build").write_avatars([avatar], "P")
    (rig,) = [ob for ob in collection.all_objects if ob.type == "ARMATURE"]
    assert rig.animation_data.nla_tracks[0].mute
    return collection, rig


def cloud() -> np.ndarray:
    """(V, 3) world: the vertices of all meshes with their modifiers, each place once, in order."""
    bpy.context.view_layer.update()
    graph = bpy.context.evaluated_depsgraph_get()
    found = []
    for obj in [ob for ob in bpy.context.scene.objects if ob.type == "MESH" and not ob.name.startswith("Icosphere")]:
        evaluated = obj.evaluated_get(graph)
        mesh = evaluated.to_mesh()
        points = np.empty(len(mesh.vertices) * 3, np.float32)
        mesh.vertices.foreach_get("co", points)
        found.append(points.reshape(-1, 3) @ np.array(obj.matrix_world)[:3, :3].T + np.array(obj.matrix_world)[:3, 3])
        evaluated.to_mesh_clear()
    return np.concatenate(found)


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """The farthest that a point of one lies from the nearest of the other, every seventh of them."""
    return max(float(np.abs(a[::7, None] - b[None]).max(-1).min(1).max()) for a, b in ((one, other), (other, one)))


def moving_things() -> list[str]:
    return [
        ob.name for ob in bpy.data.objects if ob.animation_data and (ob.animation_data.action or ob.animation_data.nla_tracks)
    ]


@pytest.mark.parametrize("suffix", READERS)
@pytest.mark.parametrize("pose", ["rest", "photo", "by hand"])
def test_without_motion_a_reader_sees_what_the_scene_shows(part, resting, export, tmp_path, suffix, pose) -> None:
    collection, rig = resting
    if pose == "photo":
        part("scene.photo_pose").show_photo_pose(rig, True)
    if pose == "by hand":
        rig.pose.bones["upper_arm.L"].rotation_quaternion = (0.9, 0.1, 0.4, 0.0)
    shown = cloud()
    path = export(tmp_path / f"p{suffix}", collection)
    part("scene.files").new_file()
    READERS[suffix](path)
    assert distance(shown, cloud()) < 1e-4
    assert not bpy.data.actions and not moving_things(), "no animation: neither of the rig, nor of the camera"


def test_a_photo_pose_moves_the_mesh(part, resting) -> None:
    """The test above could not fail otherwise."""
    _, rig = resting
    rest = cloud()
    part("scene.photo_pose").show_photo_pose(rig, True)
    assert distance(rest, cloud()) > 0.05


@pytest.mark.parametrize("suffix", [".obj", ".gltf", ".usd", ".usda", ".usdc"])
def test_people_of_one_name_have_textures_of_their_own(part, make_avatar, export, tmp_path, suffix) -> None:
    """Two photos called the same, built one after the other, exported into one folder: each file reads its own colours."""
    colours = {"one": (200, 30, 40), "two": (20, 90, 210)}
    for name, colour in colours.items():
        part("scene.files").new_file()
        avatar = make_avatar(name="IMG_0001")
        painted = np.broadcast_to(np.array(colour, np.uint8), avatar.textures.base_colour_srgb.shape).copy()
        made = replace(avatar, textures=replace(avatar.textures, base_colour_srgb=painted))
        export(tmp_path / f"{name}{suffix}", part("scene.build").write_avatars([made], "IMG_0001"))
    for name, colour in colours.items():
        part("scene.files").new_file()
        READERS[suffix](tmp_path / f"{name}{suffix}")
        assert np.abs(np.array(shown_colour()) - colour).max() <= 1, name


def shown_colour() -> tuple[int, ...]:
    """The first texel of a base colour of the file that is open."""
    for material in bpy.data.materials:
        for node in material.node_tree.nodes if material.node_tree else ():
            if node.type == "BSDF_PRINCIPLED" and node.inputs["Base Color"].links:
                source = node.inputs["Base Color"].links[0].from_node
                while source.type != "TEX_IMAGE":
                    source = next(i.links[0].from_node for i in source.inputs if i.links)
                assert source.image.has_data or source.image.pixels[0] >= 0
                return tuple(round(value * 255) for value in source.image.pixels[:3])
    raise AssertionError("no material has a texture")


def test_two_of_one_name_in_one_scene_keep_their_textures(part, make_avatar, export, tmp_path) -> None:
    for place in range(2):
        avatar = make_avatar(name="IMG_0001")
        part("scene.build").write_avatars([avatar], f"IMG_0001 {place}")
    paths = [image.filepath_raw for image in bpy.data.images if image.packed_file]
    assert len(paths) == len(set(paths)), "unpacked, one would replace the other"


def test_obj_is_whole_by_itself(part, make_avatar, export, tmp_path) -> None:
    avatar = make_avatar()
    collection = part("scene.build").write_avatars([avatar], "P")
    before = [(image.name, image.filepath_raw, image.packed_file.data) for image in bpy.data.images if image.packed_file]
    folder = tmp_path / "with spaces ü"
    export(folder / "p.obj", collection)
    lines = [
        line.split() for line in (folder / "p.mtl").read_text("utf-8").splitlines() if line.startswith(("map_", "norm", "bump"))
    ]
    named = {line[-1] for line in lines}
    assert len(named) >= 3
    packed = {data for _, _, data in before}
    assert all((folder / name).read_bytes() in packed for name in named)
    after = [(image.name, image.filepath_raw, image.packed_file.data) for image in bpy.data.images if image.packed_file]
    assert after == before, "the images of the scene are called as they were"


def test_fbx_has_no_scale_in_it(part, resting, export, tmp_path) -> None:
    """Engines show the scale of each node and multiply with it; metres are said once, for the whole file."""
    from io_scene_fbx import parse_fbx

    collection, _ = resting
    tree, _ = parse_fbx.parse(str(export(tmp_path / "p.fbx", collection)))

    def walk(element, name):
        for inner in element.elems if element is not None else ():
            if inner is not None:
                if inner.id == name:
                    yield inner
                yield from walk(inner, name)

    settings = {p.props[0]: p.props[4:] for s in walk(tree, b"GlobalSettings") for p in walk(s, b"P")}
    assert settings[b"UnitScaleFactor"] == [100.0]
    models = list(walk(tree, b"Model"))
    scales = [p.props[4:] for model in models for p in walk(model, b"P") if p.props[0] == b"Lcl Scaling"]  # 1 if left out
    assert len(models) >= 5 and all(np.allclose(scale, 1.0, atol=1e-5) for scale in scales)


@pytest.mark.parametrize("suffix", RIGGED)
def test_a_take_is_whole_and_keeps_its_name(part, character, factory, export, tmp_path, suffix) -> None:
    """24 frames a second in a scene of 30: the last key lies between two frames, and is in the file."""
    from support.characters import walking

    rig = character("mixamo")
    bpy.context.scene.render.fps = 30
    motion = part("core.retarget.body_motion").motion_from_joints(walking(factory, 8), fps=24.0)
    written = part("scene.action").write_take(motion, rig, name="Morning walk")
    collection = bpy.data.collections.new("C")
    bpy.context.scene.collection.children.link(collection)
    collection.objects.link(rig)
    scene = bpy.context.scene
    before = scene.name, scene.frame_start, scene.frame_end
    path = export(tmp_path / f"t{suffix}", collection, motion=True)
    assert (scene.name, scene.frame_start, scene.frame_end) == before
    content = path.read_bytes()
    if suffix in (".glb", ".gltf"):
        size = struct.unpack_from("<I", content, 12)[0]
        said = json.loads(content[20 : 20 + size] if suffix == ".glb" else content)
        (animation,) = said["animations"]
        assert animation["name"] == "Morning walk"
        times = [said["accessors"][sampler["input"]] for sampler in animation["samplers"]]
        assert {round(time["max"][0] * 30, 4) for time in times} == {10} and max(time["count"] for time in times) == 10
        return
    if suffix == ".fbx":
        assert b"Morning walk" in content
    if suffix == ".usda" and bpy.app.version >= (4, 5):
        assert 'SkelAnimation "Morning_walk"' in content.decode()
    part("scene.files").new_file()
    READERS[suffix](path)
    (action,) = bpy.data.actions
    assert round(np.ptp(action.frame_range)) == 9
    assert written.keys > 0


def test_a_shifted_lens_that_gltf_cannot_hold_is_said(part, make_avatar, tmp_path) -> None:
    collection = part("scene.build").write_avatars([make_avatar()], "P")
    (camera,) = [ob for ob in collection.all_objects if ob.type == "CAMERA"]
    left_out = part("scene.export").left_out
    camera.data.shift_x = camera.data.shift_y = 0.0005  # half a pixel, as of every photo
    assert left_out(tmp_path / "p.glb", [collection]) is None
    camera.data.shift_x = 0.05
    said = left_out(tmp_path / "p.glb", [collection])
    assert said is not None and camera.name in said and "shifted" in said
    assert left_out(tmp_path / "p.usdc", [collection]) is None


def test_every_format_of_the_table_can_be_written(part, make_avatar, tmp_path) -> None:
    """What dialogs, the command line and the batch offer is what `export` knows."""
    formats = part("core.formats.export_formats")
    offered = {formats.FORMATS[key].suffix for key, *_ in formats.dialog_items()}
    offered |= {f".{key}" for key, *_ in formats.batch_items()} | set(formats.MOVING) | set(formats.STILL)
    assert offered == set(formats.SUFFIXES)
    assert {item.identifier for item in bpy.ops.sapiens2.export.get_rna_type().properties["format"].enum_items} == {
        key for key, *_ in formats.dialog_items()
    }
    collection = part("scene.build").write_avatars([make_avatar()], "P")
    errors = part("core.common.errors")
    for suffix in formats.SUFFIXES:
        with suppress(errors.SapiensError):  # no action, no displacement, no exporter in this build: each has its sentence
            assert part("scene.export").export(tmp_path / f"p{suffix}", [collection]).stat().st_size > 0
    with pytest.raises(errors.SapiensError, match="no known format"):
        part("scene.export").export(tmp_path / "p.stl", [collection])


@pytest.mark.parametrize("suffix", READERS)
def test_what_clothes_cover_is_not_in_a_file_and_shape_keys_are(part, resting, export, tmp_path, suffix) -> None:
    """A Mask modifier on a mesh with shape keys, as a body has them: hidden skin would shine through the clothes."""
    collection, _ = resting
    (scan,) = [ob for ob in collection.all_objects if ob.type == "MESH"]
    mesh, count = scan.data, len(scan.data.vertices)
    scan.shape_key_add(name="Basis", from_mix=False)
    key = scan.shape_key_add(name="jawOpen", from_mix=False)
    key.data[0].co.z += 0.3
    key.value = 0.0  # Blender 5 makes keys with the value 1
    group = scan.vertex_groups.new(name="covered")
    group.add(list(range(count // 2, count)), 1.0, "REPLACE")
    mask = scan.modifiers.new("covered", "MASK")
    mask.vertex_group, mask.invert_vertex_group = "covered", True
    shown = cloud()
    assert len(shown) < 0.6 * count
    path = export(tmp_path / f"p{suffix}", collection)
    assert scan.data == mesh and len(mesh.vertices) == count and mask.show_viewport and len(bpy.data.meshes) == 1
    part("scene.files").new_file()
    READERS[suffix](path)
    assert distance(shown, cloud()) < 1e-4
    if suffix != ".obj":
        keys = {key.name for mesh in bpy.data.meshes if mesh.shape_keys for key in mesh.shape_keys.key_blocks}
        assert "jawOpen" in keys
