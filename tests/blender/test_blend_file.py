"""A .blend file that says nothing but its content: the same bytes from two processes, and the same scene when it is opened."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

SCRIPT = """
import importlib.util, os, sys
package, avatars, here, noise, *opened = sys.argv[1:]
spec = importlib.util.spec_from_file_location("sapiens2_avatar", package + "/__init__.py", submodule_search_locations=[package])
module = importlib.util.module_from_spec(spec)
sys.modules["sapiens2_avatar"] = module
spec.loader.exec_module(module)
from sapiens2_avatar.core.formats.avatar_file import load_avatars
from sapiens2_avatar.scene.build import write_avatars
from sapiens2_avatar.scene.files import new_file, open_blend, save_reproducible
held = [bytearray(1000 + i) for i in range(int(noise))]  # another process has other memory, and made other scenes before
import bpy
for i in range(int(noise) // 100):
    bpy.data.meshes.new("before")
for path in opened:
    open_blend(path)
new_file()
write_avatars(load_avatars(avatars), "two", match_render=True)
assert save_reproducible(here) == ()
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.skipif(
    bpy.app.version[:2] in ((4, 2), (5, 0)), reason="Blender 4.2 and 5.0 write memory from behind the end of some arrays"
)
def test_two_processes_write_the_same_bytes_whatever_they_had_open(part, make_avatar, tmp_path):
    package = Path(part("scene.reproducible").__file__).parents[1]
    avatars = tmp_path / "avatars"
    part("core.formats.avatar_file").save_avatars([make_avatar(name="A"), make_avatar(name="B")], avatars)
    made, opened = [], []
    for i in (1, 2):
        path = tmp_path / f"{i}" / "scene.blend"
        command = [sys.executable, "-c", SCRIPT, str(package), str(avatars), str(path), str(i * 1000), *opened]
        opened.append(str(path))
        subprocess.run(command, check=True, capture_output=True, timeout=120, env={**os.environ, "MALLOC_PERTURB_": str(17 * i)})
        made.append(path.read_bytes())
    assert made[0] == made[1]


def test_the_scene_is_the_same_when_it_is_opened(part, make_avatar, tmp_path):
    files, build = part("scene.files"), part("scene.build")
    build.write_avatars([make_avatar(name="A"), make_avatar(name="B")], "two", match_render=True)
    plain, same = files.save_blend(tmp_path / "plain.blend"), tmp_path / "same.blend"
    assert files.save_reproducible(same) == ()
    assert same.stat().st_size < 1.1 * plain.stat().st_size
    files.open_blend(plain)
    expected = contents()
    files.open_blend(same)
    found = contents()
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, name)
    again = tmp_path / "again.blend"
    assert files.save_reproducible(again) == ()
    files.open_blend(again)
    assert contents().keys() == expected.keys()


def contents() -> dict:
    """What an artist would miss: names, links between things, geometry, weights, pixels, and node graphs."""
    collection = bpy.data.collections["two"]
    kinds = ("objects", "meshes", "materials", "images", "cameras", "armatures", "collections", "worlds", "scenes")
    out = {kind: np.array(sorted(block.name for block in getattr(bpy.data, kind))) for kind in kinds}
    for ob in collection.objects:
        key = ob.name
        out[f"{key} place"] = np.array(ob.matrix_world)
        out[f"{key} parent"] = np.array(
            [ob.parent.name if ob.parent else "", *[f"{m.type} {m.object.name}" for m in ob.modifiers]]
        )
        out[f"{key} slots"] = np.array([slot.material.name for slot in ob.material_slots])
        if ob.type == "MESH":
            out[f"{key} vertices"] = np.array([v.co for v in ob.data.vertices])
            out[f"{key} faces"] = np.array([p.vertices for p in ob.data.polygons])
            out[f"{key} uvs"] = np.array([uv.vector for uv in ob.data.uv_layers.active.uv])
            out[f"{key} weights"] = np.array([(v.index, g.group, g.weight) for v in ob.data.vertices for g in v.groups])
            out[f"{key} groups"] = np.array([group.name for group in ob.vertex_groups])
        if ob.type == "ARMATURE":
            out[f"{key} bones"] = np.array([(*b.head_local, *b.tail_local) for b in ob.data.bones])
            out[f"{key} parents"] = np.array([b.parent.name if b.parent else "" for b in ob.data.bones])
    for material in bpy.data.materials:
        links = [(l.from_node.name, l.from_socket.name, l.to_node.name, l.to_socket.name) for l in material.node_tree.links]
        out[f"{material.name} links"] = np.array(sorted(links))
        out[f"{material.name} images"] = np.array([n.image.name for n in material.node_tree.nodes if n.type == "TEX_IMAGE"])
    for image in bpy.data.images:
        out[f"{image.name} pixels"] = np.array(image.pixels[:]) if image.has_data else np.empty(0)
    assert {"scan", "rig", "camera"} <= {ob["sapiens2_role"] for ob in collection.objects}
    return out


def test_what_is_no_blend_file_is_refused(part):
    with pytest.raises(part("core.common.errors").SapiensError, match="unknown form"):
        part("scene.reproducible").normalised(b"BLENDER-v405REND" + bytes(40))


def test_the_check_leaves_the_open_file_as_it_is(part, make_avatar, tmp_path):
    files = part("scene.files")
    part("scene.build").write_avatars([make_avatar()], "one", match_render=True)
    plain = files.save_blend(tmp_path / "plain.blend")
    before = counts()
    found = part("scene.blend_contents").read_contents(plain)
    assert counts() == before
    assert {f"objects/{ob.name}" for ob in bpy.data.objects} <= set(found)
    mesh = next(ob.data for ob in bpy.data.objects if ob["sapiens2_role"] == "scan")
    assert found[f"meshes/{mesh.name}"][:3] == (len(mesh.vertices), len(mesh.edges), len(mesh.polygons))


def counts() -> dict[str, int]:
    """How many data-blocks of each kind the open file has."""
    kinds = {name: getattr(bpy.data, name) for name in dir(bpy.data)}
    return {name: len(found) for name, found in kinds.items() if isinstance(found, bpy.types.bpy_prop_collection)}


# What a normaliser may do wrong: module, its result -> other bytes or an error; and a word of the note.
WRONG = {
    "an unknown form of structs": (lambda r, data: r.normalised(data.replace(b"STRC", b"STRX")), "unknown form"),
    "an error nobody thought of": (lambda r, data: {}["ListBase"], "KeyError"),
    "half of the file": (lambda r, data: r.normalised(data)[: len(data) // 2], "Blender"),
    "no .blend file": (lambda r, data: b"nothing", "Blender"),
    "another name": (lambda r, data: r.normalised(data).replace(b"OBPhoto Rig", b"OBPhoto Rog"), "the same"),
    "parents lost": (lambda r, data: with_zeros(r, r.normalised(data), "Object", "*parent"), "the same"),
    "vertices lost": (lambda r, data: with_zeros(r, r.normalised(data), "Mesh", "totvert", "verts_num"), "the same"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_normaliser_that_fails_never_costs_the_scene(part, make_avatar, tmp_path, monkeypatch, wrong):
    files, reproducible = part("scene.files"), part("scene.reproducible")
    part("scene.build").write_avatars([make_avatar(name="Photo")], "two", match_render=True)
    plain, path = files.save_blend(tmp_path / "plain" / "scene.blend"), tmp_path / "made" / "scene.blend"
    broken, word = WRONG[wrong]
    monkeypatch.setattr(files, "normalised", lambda data: broken(reproducible, data))
    (note,) = files.save_reproducible(path)
    assert word in note and note.startswith("scene.blend is as Blender wrote it")
    assert [found.name for found in path.parent.iterdir()] == ["scene.blend"]
    files.open_blend(plain)
    expected = contents()
    files.open_blend(path)
    found = contents()
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, name)


def with_zeros(reproducible, data: bytes, struct: str, *names: str) -> bytes:
    """A .blend in which a field (by any of its names) of the structs of a kind is 0."""
    file = reproducible.BlendFile(data)
    out, blocks, done = bytearray(data), file.blocks, 0
    for block in range(len(blocks.code)):
        kind = int(blocks.struct[block])
        if file.dna.name(kind) != struct or blocks.length[block] != blocks.count[block] * file.dna.size(kind):
            continue
        for field in file.dna.fields(kind):
            if field.owner == struct and field.name in names:
                begin = int(blocks.start[block]) + field.offset
                out[begin : begin + field.size] = bytes(field.size)
                done += 1
    assert done
    return bytes(out)
