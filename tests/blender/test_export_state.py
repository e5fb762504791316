"""Exports of scenes as artists leave them: hidden rigs, rest positions, units of a centimetre, names with spaces."""

from __future__ import annotations

import re
from pathlib import Path

import bpy
import numpy as np
import pytest

from support.readers import READERS


@pytest.fixture
def person(character, factory, part):
    """A rig that walks, a mesh that follows it, and the collection of both."""
    from support.characters import walking

    rig = character("mixamo")
    mesh = bpy.data.meshes.new("Skin")
    mesh.from_pydata([(0, 0, 0.9), (0.2, 0, 0.9), (0, 0.1, 1.7)], [], [(0, 1, 2)])
    skin = bpy.data.objects.new("Skin", mesh)
    skin.vertex_groups.new(name="mixamorig:Hips").add([0, 1, 2], 1.0, "REPLACE")
    skin.modifiers.new("Armature", "ARMATURE").object = rig
    skin.parent = rig
    collection = bpy.data.collections.new("C")
    bpy.context.scene.collection.children.link(collection)
    for obj in (rig, skin):
        for other in list(obj.users_collection):
            other.objects.unlink(obj)
        collection.objects.link(obj)
    motion = part("core.retarget.body_motion").motion_from_joints(walking(factory, 8), fps=24.0)
    part("scene.action").write_take(motion, rig, name="Walk")
    bpy.context.view_layer.update()
    return collection, rig, skin


def layer_collection() -> bpy.types.LayerCollection:
    return bpy.context.view_layer.layer_collection.children["C"]


HIDDEN = {
    "eye": lambda rig: rig.hide_set(True),
    "screen": lambda rig: setattr(rig, "hide_viewport", True),
    "arrow": lambda rig: setattr(rig, "hide_select", True),
    "all of it": lambda rig: (rig.hide_set(True), setattr(rig, "hide_viewport", True), setattr(rig, "hide_select", True)),
}


def state() -> list[tuple]:
    objects = [(o.name, o.hide_get(), o.hide_viewport, o.hide_select, o.select_get(), len(o.users_collection))
               for o in bpy.context.view_layer.objects]  # fmt: skip
    active = bpy.context.view_layer.objects.active
    return [*sorted(objects), (active.name if active else "",)]


@pytest.mark.parametrize("suffix", [".glb", ".fbx", ".usdc"])
@pytest.mark.parametrize("way", HIDDEN)
def test_a_hidden_rig_is_exported_and_stays_hidden(part, person, tmp_path, suffix, way) -> None:
    """Artists hide the bones while they look at the mesh: an export without them would be a statue."""
    collection, rig, _ = person
    HIDDEN[way](rig)
    before = state()
    path = part("scene.export").export(tmp_path / f"p{suffix}", [collection], motion=True)
    assert state() == before
    part("scene.files").new_file()
    READERS[suffix](path)
    (found,) = [ob for ob in bpy.data.objects if ob.type == "ARMATURE"]
    (skin,) = [ob for ob in bpy.data.objects if ob.type == "MESH" and ob.name.startswith("Skin")]
    assert found.animation_data.action is not None and any(m.type == "ARMATURE" for m in skin.modifiers)


def test_rigs_in_a_hidden_collection_are_found(part, person, tmp_path) -> None:
    collection, rig, skin = person
    bpy.context.scene.collection.objects.link(skin)
    for name in ("hide_viewport", "exclude"):
        setattr(layer_collection(), name, True)
        before = state()
        path = part("scene.export").export(tmp_path / "p.fbx", [collection], motion=True)
        assert state() == before and list(rig.users_collection) == [collection]
        assert b"mixamorig:Hips" in path.read_bytes(), name
        setattr(layer_collection(), name, False)


def test_hidden_meshes_stay_out_and_nothing_at_all_is_refused(part, person, tmp_path) -> None:
    collection, _, skin = person
    spare = bpy.data.objects.new("Spare", skin.data.copy())
    collection.objects.link(spare)
    spare.hide_set(True)
    path = part("scene.export").export(tmp_path / "p.fbx", [collection])
    assert b"Spare\x00\x01Model" not in path.read_bytes() and b"Skin\x00\x01Model" in path.read_bytes()
    skin.hide_set(True)
    with pytest.raises(part("core.common.errors").SapiensError, match=r"All that would be exported is hidden.*Alt H"):
        part("scene.export").export(tmp_path / "q.fbx", [collection])
    assert not (tmp_path / "q.fbx").exists()


@pytest.mark.parametrize("suffix", [".glb", ".fbx"])
def test_a_rig_in_rest_position_is_exported_moving(part, person, tmp_path, suffix) -> None:
    collection, rig, _ = person
    rig.data.pose_position = "REST"
    path = part("scene.export").export(tmp_path / f"p{suffix}", [collection], motion=True)
    assert rig.data.pose_position == "REST"
    part("scene.files").new_file()
    READERS[suffix](path)
    (found,) = [ob for ob in bpy.data.objects if ob.type == "ARMATURE"]
    first, last = map(round, found.animation_data.action.frame_range)
    places = []
    for frame in range(first, last + 1):
        bpy.context.scene.frame_set(frame)
        places.append(found.pose.bones["mixamorig:LeftForeArm"].head.copy())
    assert max((a - places[0]).length for a in places) > 0.02


def test_a_take_and_a_pose_show_where_the_rig_was_at_rest(part, character, factory) -> None:
    from support.characters import walking

    rig = character("mixamo")
    motion = part("core.retarget.body_motion").motion_from_joints(walking(factory, 3), fps=24.0)
    for write in (part("scene.action").write_take, lambda m, obj: part("scene.retarget").pose_armature(obj, m)):
        rig.data.pose_position = "REST"
        done = write(motion, rig)
        assert rig.data.pose_position == "POSE"
        assert "'mixamo' showed its rest position: it shows its pose now." in done.notes


def height(path: Path) -> float:
    """How high the mesh or the armature of a file reaches, metres as a reader understands them."""
    if path.suffix == ".ply":
        content = path.read_bytes()
        head = content[: content.index(b"end_header\n") + 11]
        count, fields = int(re.search(rb"vertex (\d+)", head)[1]), re.findall(rb"property (float|uchar) (\w+)", head)
        kinds = np.dtype([(name.decode(), "<f4" if kind == b"float" else "u1") for kind, name in fields])
        return float(np.frombuffer(content, kinds, count, len(head))["z"].max())
    if path.suffix == ".bvh":
        from sapiens2_avatar.core.formats.bvh import read_bvh

        return float(read_bvh(path, scale=0.01).positions()[0, :, 2].max())
    READERS[path.suffix](path)
    bpy.context.view_layer.update()
    graph = bpy.context.evaluated_depsgraph_get()
    (skin,) = [ob.evaluated_get(graph) for ob in bpy.data.objects if ob.name.startswith("Skin") and ob.type == "MESH"]
    return max((skin.matrix_world @ v.co).z for v in skin.data.vertices)


@pytest.mark.parametrize("suffix", [".glb", ".gltf", ".fbx", ".obj", ".ply", ".bvh", ".usdc"])
def test_files_are_in_metres_whatever_a_unit_of_the_scene_is(part, person, tmp_path, suffix) -> None:
    """A unit of a centimetre, as people set who work for Unreal Engine, and a character of 170 of them."""
    collection, rig, skin = person
    wanted = {".bvh": None}.get(suffix, 1.7)
    skin["sapiens2_role"] = "scan"
    if suffix != ".bvh":
        rig.animation_data_clear()
        for bone in rig.pose.bones:
            bone.matrix_basis.identity()
    else:
        wanted = height(part("scene.export").export(tmp_path / "m.bvh", [collection], motion=True))
    rig.scale = (100, 100, 100)
    bpy.context.scene.unit_settings.scale_length = 0.01
    bpy.context.view_layer.update()
    try:
        path = part("scene.export").export(tmp_path / f"p{suffix}", [collection], motion=suffix == ".bvh")
    except part("core.common.errors").SapiensError as error:
        assert "built without" in error.message
        pytest.skip(error.message)
    part("scene.files").new_file()
    if suffix == ".usdc" and bpy.app.version < (4, 3):  # whose importer leaves it to the artist how long a unit of the file is
        wanted *= 100
    assert height(path) == pytest.approx(wanted, rel=1e-4)


def test_usd_in_another_unit_with_an_object_of_another_file_is_refused(part, person, tmp_path) -> None:
    """Nobody can hang it below what scales the others."""
    collection, *_ = person
    bpy.data.libraries.write(str(tmp_path / "chair.blend"), {bpy.data.objects.new("Chair", None)})
    with bpy.data.libraries.load(str(tmp_path / "chair.blend"), link=True) as (_, wanted):
        wanted.objects = ["Chair"]
    bpy.context.scene.collection.objects.link(wanted.objects[0])
    bpy.context.scene.unit_settings.scale_length = 0.01
    if bpy.app.version < (4, 3):
        pytest.skip("this Blender writes how long a unit is by itself")
    with pytest.raises(part("core.common.errors").SapiensError, match=r"0\.01 m, and 'Chair' belongs to another file"):
        part("scene.export").export(tmp_path / "p.usdc", [collection])


def test_readers_that_stop_at_spaces_find_the_materials_of_an_obj(part, make_avatar, tmp_path) -> None:
    collection = part("scene.build").write_avatars([make_avatar(name="My person")], "My photo")
    path = part("scene.export").export(tmp_path / "my file #1 ü.obj", [collection])
    (library,) = re.findall(r"^mtllib (.+)$", path.read_text("utf-8"), re.MULTILINE)
    assert not re.search(r"[\s#]", library) and (tmp_path / library).is_file()
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([path.name, library, "textures"])
    names = re.findall(r"^(?:map_|bump|norm).* (\S+)$", (tmp_path / library).read_text("utf-8"), re.MULTILINE)
    assert names and all((tmp_path / name).is_file() for name in names)
    used = set(re.findall(r"^usemtl (\S+)$", path.read_text("utf-8"), re.MULTILINE))
    assert used <= set(re.findall(r"^newmtl (\S+)$", (tmp_path / library).read_text("utf-8"), re.MULTILINE))


def test_no_scene_that_is_gone_stays_in_the_context(part, person, tmp_path) -> None:
    """Blender 4.2 keeps the scene in which somebody asked for the layer collection, and what writes to the context, as the glTF
    exporter does, marks it: in memory that is no longer a scene's, where it is gone."""
    collection, *_ = person
    first, other = bpy.context.scene, bpy.data.scenes.new("Other")

    def kept() -> bpy.types.ID | None:
        return bpy.context.id_data

    bpy.context.window.scene = other
    assert bpy.context.layer_collection is not None and kept() in (None, other)
    bpy.context.window.scene = first
    assert kept() in (None, other)
    part("scene.export").export(tmp_path / "p.glb", [collection])
    assert kept() in (None, first)
    part("scene.files").new_file()
    assert kept() in (None, bpy.context.scene)
