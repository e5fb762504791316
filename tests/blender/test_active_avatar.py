"""Several avatars in a scene: every button acts on the one that is selected, else on the one chosen in the list."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest


def datablocks():
    return {kind: sorted(block.name for block in getattr(bpy.data, kind)) for kind in ("objects", "meshes", "collections")}


@pytest.fixture
def three(part, make_avatar):
    """Three avatars of three photos, each with its own lens and doubt, none selected."""
    made = []
    for number, name in enumerate(("One", "Two", "Three")):
        avatar = make_avatar(name=name)
        avatar = replace(
            avatar,
            image=np.roll(avatar.image, number, axis=1),
            camera=replace(avatar.camera, fx=100.0 + number, fy=100.0 + number),
            rig=replace(avatar.rig, doubt=f"{name} is doubtful."),
        )
        made.append(part("scene.build").write_avatars([avatar], name, source=f"/{name}.safetensors"))
    return made


def choose(*objects):
    layer = bpy.context.view_layer
    layer.update()  # without a window nothing else tells Blender 5.0's layer of objects that were linked just now
    for obj in layer.objects:
        obj.select_set(obj in objects)
    layer.objects.active = objects[0] if objects else None


def of(collection, role):
    return next(obj for obj in collection.objects if obj.get("sapiens2_role") == role)


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("how", ["scan", "rig", "camera", "row", "selected beside an active one"])
def test_everything_follows_the_selection(part, three, number, how):
    settings, wanted = bpy.context.scene.sapiens2, three[number]
    settings.predictions = "/Three.safetensors"
    if how == "row":
        settings.avatar_row = bpy.data.collections[:].index(wanted)
        assert bpy.context.view_layer.objects.active == of(wanted, "rig")
        assert {obj.name for obj in bpy.context.view_layer.objects.selected} == {of(wanted, r).name for r in ("rig", "scan")}
    elif how == "selected beside an active one":
        choose(of(wanted, "scan"))
        bpy.context.view_layer.objects.active = of(three[(number + 1) % 3], "scan")
    else:
        choose(of(wanted, how))
    queries = part("avatar_queries")
    assert queries.active_avatar(bpy.context) == wanted
    assert queries.active_predictions(bpy.context) == f"/{wanted.name}.safetensors"
    assert queries.avatar_rigs(bpy.context) == [of(wanted, "rig")]
    assert queries.matched_camera(bpy.context)["fx"] == 100 + number
    assert queries.rig_doubts(bpy.context) == [f"{wanted.name} is doubtful."]
    assert part("avatar_queries").active_avatar(bpy.context) == wanted
    assert bpy.data.collections[settings.avatar_row] == wanted
    # Rebuild reads the predictions of this one, as the sentence about them says.
    with pytest.raises(RuntimeError, match=f"{wanted.name}.safetensors. is not in"):
        bpy.ops.sapiens2.build_scan()
    assert bpy.ops.sapiens2.separate_parts() == {"FINISHED"}
    assert [sum(obj.get("sapiens2_role") == "scan" for obj in c.objects) for c in three] == [
        3 if c == wanted else 1 for c in three
    ]
    assert bpy.ops.sapiens2.clear() == {"FINISHED"}
    assert sorted(c.name for c in bpy.data.collections) == sorted({"One", "Two", "Three"} - {("One", "Two", "Three")[number]})


def test_without_a_selection_it_is_the_one_that_was_chosen(part, three):
    settings, active = bpy.context.scene.sapiens2, part("avatar_queries").active_avatar
    choose()
    assert active(bpy.context) is None and not bpy.ops.sapiens2.clear.poll(), "none of three is meant"
    settings.predictions = "/Two.safetensors"
    assert active(bpy.context) == three[1]
    settings.avatar = three[0]
    assert active(bpy.context) == three[0]
    light = bpy.data.objects.new("Light", None)
    bpy.context.scene.collection.objects.link(light)
    choose(light)
    assert active(bpy.context) == three[0]


def test_a_row_selects_nothing_while_another_object_is_edited(part, three):
    settings, mine = bpy.context.scene.sapiens2, of(three[2], "scan")
    choose(mine)
    bpy.ops.object.mode_set(mode="EDIT")
    settings.avatar_row = bpy.data.collections[:].index(three[0])
    assert bpy.context.view_layer.objects.active == mine and bpy.context.mode == "EDIT_MESH"
    bpy.ops.object.mode_set(mode="OBJECT")


def test_avatars_of_another_scene_are_not_meant(part, three):
    other = bpy.data.scenes.new("Other")
    bpy.context.scene.collection.children.unlink(three[0])
    other.collection.children.link(three[0])
    assert part("scene.people").avatars_of(bpy.context.scene) == three[1:]
    assert part("scene.people").avatars_of(other) == three[:1]


def test_an_update_goes_by_the_photo_and_not_by_the_options(part, three, make_avatar, tmp_path, monkeypatch):
    """The result of another model or box, whose predictions have another name, takes the place of the first one."""
    build = part("operators.build")
    avatar = replace(make_avatar(40, 30, name="One"), image=make_avatar().image)
    monkeypatch.setattr(part("core.formats.avatar_file"), "load_avatars", lambda _path: [avatar])
    result = {"predictions": str(tmp_path / "one with a box.safetensors"), "avatars": "", "notes": ()}
    before, scan = datablocks(), of(three[0], "scan")
    choose(of(three[1], "scan"))
    assert build.write_result(bpy.context, result, "One") == three[0]
    assert datablocks() == before and len(scan.data.vertices) == 40 * 30
    assert three[0]["sapiens2_predictions"] == result["predictions"]
    assert build.write_result(bpy.context, result, "One", but=[three[0]]) not in three, "a second file of the same import"
    twins = [c for c in part("scene.people").avatars_of(bpy.context.scene) if c.name.startswith("One")]
    assert len(twins) == 2
    for twin in twins:  # of two that were made from this photo, the selected one is updated
        choose(of(twin, "scan"))
        assert build.write_result(bpy.context, result, "One") == twin
    bpy.context.scene.sapiens2.place = "NEW"
    assert build.write_result(bpy.context, result, "One") not in (*three, *twins)
