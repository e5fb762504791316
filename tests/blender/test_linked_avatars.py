"""An avatar that is linked from another file, and one whose rig was deleted by hand: one sentence each, never a traceback."""

from __future__ import annotations

import re

import bpy
import pytest

from support.reading import roles

CHANGES = {
    "build_scan": {}, "build_texture": {}, "build_rig": {}, "clear": {}, "photo_pose": {}, "control_rig": {}, "shape_photo": {},
    "separate_parts": {}, "keep_predictions": {}, "find_predictions": {"filepath": "x.safetensors"}, "look_through": {},
    "pin_set": {"keypoint": "nose"}, "pin_remove": {},
}  # fmt: skip


@pytest.fixture
def saved(part, make_avatar, tmp_path):
    """A file with an avatar, whose predictions are there."""
    predictions = tmp_path / "p.safetensors"
    predictions.write_bytes(b"x")
    part("scene.build").write_avatars([make_avatar()], "Photo", source=str(predictions))
    path = tmp_path / "library.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    return path


@pytest.fixture(params=["linked", "overridden"])
def linked(request, saved):
    """The avatar in another file, as it is or as a library override."""
    with bpy.data.libraries.load(str(saved), link=True) as (_, wanted):
        wanted.collections = ["Photo"]
    collection, scene = wanted.collections[0], bpy.context.scene
    if request.param == "overridden":
        collection = collection.override_hierarchy_create(scene, bpy.context.view_layer)
    if collection.name not in scene.collection.children:
        scene.collection.children.link(collection)
    bpy.context.view_layer.update()
    return collection


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("name", CHANGES)
def test_no_button_changes_a_linked_avatar(part, linked, name):
    assert part("avatar_queries").active_avatar(bpy.context) == linked
    before = sorted(obj.name for obj in linked.all_objects)
    with pytest.raises(RuntimeError) as raised:
        getattr(bpy.ops.sapiens2, name)(**CHANGES[name])
    assert "Traceback" not in str(raised.value) and re.search(r"linked from|already|no body", str(raised.value)), raised.value
    assert sorted(obj.name for obj in linked.all_objects) == before and part("jobs").current() is None


@pytest.mark.usefixtures("worker")
def test_a_linked_avatar_is_shown_and_exported(linked, tmp_path):
    assert bpy.ops.sapiens2.export(filepath=str(tmp_path / "x.glb"), format=".glb") == {"FINISHED"}
    assert (tmp_path / "x.glb").stat().st_size > 1000 and linked.all_objects


def test_a_rig_that_was_deleted_is_said_and_made_again(part, make_avatar):
    write, lost = part("scene.build").write_avatars, part("avatar_queries").has_lost_rig
    collection = write([make_avatar()], "Photo", source="/p")
    assert not lost(bpy.context)
    bpy.data.objects.remove(roles(collection)["rig"])
    assert lost(bpy.context)
    write([make_avatar()], "Photo", source="/p", replace=collection)
    found = roles(collection)
    assert not lost(bpy.context)
    (modifier,) = [modifier for modifier in found["scan"].modifiers if modifier.type == "ARMATURE"]
    assert modifier.object == found["rig"] and found["scan"].parent == found["rig"]
