"""Rig families: every family is recognised in every rest pose, wrong orders of parents are not, presets are checked."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from measures.rig_factory import BUILDABLE, REST_POSES, make_rig
from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.core.common.landmarks import DATA, SIDES
from sapiens2_avatar.core.retarget.armature import RestRig
from sapiens2_avatar.core.retarget.bone_map import REQUIRED
from sapiens2_avatar.core.retarget.bone_map_file import check_map, load_preset, save_preset
from sapiens2_avatar.core.retarget.families import families
from sapiens2_avatar.core.retarget.recognise import opposite_name, recognise
from sapiens2_avatar.core.retarget.structure import recognise_structure


def without(rest: RestRig, name: str) -> RestRig:
    """The rig with one bone deleted; its children hang on its parent, as Blender does it."""
    gone = rest.index(name)
    keep = [n for n in range(len(rest.names)) if n != gone]
    parents = rest.parents.copy()
    parents[parents == gone] = parents[gone]
    place = {old: new for new, old in enumerate(keep)} | {-1: -1}
    return RestRig(rest.name, tuple(rest.names[n] for n in keep), np.array([place[int(parents[n])] for n in keep], np.int32),
                   rest.matrices[keep], rest.lengths[keep], rest.inherit_rotation[keep], rest.local_location[keep],
                   rest.connected[keep], rest.world)  # fmt: skip


@pytest.mark.parametrize("family", BUILDABLE)
def test_every_family_is_recognised_with_the_right_bones(family: str) -> None:
    for rest_pose in REST_POSES:
        rest = make_rig(family, rest_pose)
        found = recognise(rest)
        assert not found.missing
        for role in REQUIRED:
            assert found.first(role) in families()[family].roles[role]
        trunk = [rest.index(b) for b in found.bones["spine"]]
        assert all(int(rest.parents[b]) == a for a, b in pairwise(trunk))


def test_every_table_with_roles_is_a_family() -> None:
    tables = json.loads((DATA / "bone_tables.json").read_text("utf-8"))["rigs"]
    assert set(families()) == {key for key, table in tables.items() if {"roles", "fk_controls"} & table.keys()}
    assert len(families()) >= 19
    assert {"rigify_generated", "auto_rig_pro"} <= {k for k, f in families().items() if f.controls}


@pytest.mark.parametrize("change", [lambda n: f"Armature|{n}", lambda n: n.replace("mixamorig:", "mixamorig7:"),
                                    lambda n: n.replace("mixamorig:", "mixamorig_"), lambda n: n.replace("mixamorig:", "hero:"),
                                    str.upper])  # fmt: skip
def test_names_may_carry_what_exporters_add(change) -> None:
    rest = make_rig("mixamo")
    assert not recognise(replace(rest, names=tuple(change(n) for n in rest.names))).missing


def test_bones_under_the_wrong_parent_are_left_out_and_named() -> None:
    rest = make_rig("mixamo")
    parents = rest.parents.copy()
    parents[rest.index("mixamorig:LeftForeArm")] = rest.index("mixamorig:Hips")
    found = recognise(replace(rest, parents=parents))
    assert "leftLowerArm" not in found.bones
    assert any("LeftForeArm" in note for note in found.notes)


def test_a_deleted_bone_leaves_the_rest_recognised() -> None:
    found = recognise(without(make_rig("ue4_mannequin"), "lowerarm_l"))
    assert found.family == "ue4_mannequin"
    assert found.missing == ("leftLowerArm",)
    assert any("leftLowerArm" in note for note in found.notes)


@pytest.mark.parametrize("rest_pose", REST_POSES)
@pytest.mark.parametrize("family", ["mixamo", "ue4_mannequin", "smplx", "daz_genesis8"])
def test_structure_finds_what_names_would(family: str, rest_pose: str) -> None:
    rest = make_rig(family, rest_pose)
    nameless = replace(rest, names=tuple(f"bone {n}" for n in range(len(rest.names))))
    by_name, by_structure = recognise(rest), recognise_structure(nameless)
    assert recognise(nameless).family == "structure"
    for role in REQUIRED:
        assert nameless.index(by_structure.first(role)) == rest.index(by_name.first(role)), role


def test_structure_tells_left_from_right_by_the_feet() -> None:
    rest = make_rig("mixamo")
    turned = replace(rest, names=tuple(f"b{n}" for n in range(len(rest.names))), world=np.diag([-1.0, -1.0, 1.0, 1.0]))
    found = recognise_structure(turned)
    assert turned.index(found.first("leftUpperArm")) == rest.index("mixamorig:LeftArm")


def test_no_body_is_refused() -> None:
    heads = np.array([[0, 0, z] for z in range(6)], float)
    rope = RestRig.from_joints("rope", tuple(f"r{n}" for n in range(6)), np.arange(-1, 5), heads, heads + np.array([0, 0, 1]))
    with pytest.raises(SapiensError, match=r"'rope' could not be recognised"):
        recognise(rope)


def test_presets_come_back_equal(tmp_path: Path) -> None:
    rest = make_rig("ue5_manny_quinn_metahuman_body")
    found = recognise(rest)
    again = load_preset(save_preset(found, tmp_path / "manny.json"), rest)
    assert again.bones == found.bones and again.switches == found.switches and again.controls == found.controls
    assert [p.name for p in tmp_path.iterdir()] == ["manny.json"]


def test_a_preset_for_another_rig_names_the_bones_that_are_absent(tmp_path: Path) -> None:
    path = save_preset(recognise(make_rig("mixamo")), tmp_path / "m.json")
    with pytest.raises(SapiensError, match=r"m\.json names bones that 'ue4_mannequin' does not have: 'mixamorig:"):
        load_preset(path, make_rig("ue4_mannequin"))


@pytest.mark.parametrize(("content", "says"), [
    ("{", "not valid JSON"), ("[]", "not a bone table"), ('{"format": "x"}', "not a bone table"),
    ({"version": 9}, "version 9"), ({"bones": {"tail": ["a"]}}, "do not exist: tail"),
    ({"bones": {"hips": "pelvis"}}, "lists of bone names"),
    ({"bones": {"hips": [""]}}, "lists of bone names"), ({"bones": {"head": ["head"]}}, "no bone for the hips"),
    ({"bones": {"hips": ["pelvis"], "head": ["pelvis"]}}, "two roles to 'pelvis'"), ({"switches": [["a", 1]]}, "switches"),
])  # fmt: skip
def test_damaged_presets_end_in_one_sentence(tmp_path: Path, content, says: str) -> None:
    path = tmp_path / "p.json"
    if isinstance(content, dict):
        content = json.dumps({"format": "sapiens2-bone-map", "version": 1, "bones": {"hips": ["pelvis"]}} | content)
    path.write_text(content)
    with pytest.raises(SapiensError, match=says):
        load_preset(path, make_rig("ue4_mannequin"))


def test_an_absent_preset_is_named(tmp_path: Path) -> None:
    with pytest.raises(SapiensError, match=r"none\.json could not be read"):
        load_preset(tmp_path / "none.json", make_rig("mixamo"))
    assert check_map(recognise(make_rig("mixamo")), make_rig("mixamo")).family == "mixamo"


@pytest.mark.parametrize("family", BUILDABLE)
def test_the_bone_of_the_other_side_is_found_by_its_name(family: str) -> None:
    """SMPL-X names like `left_index1` and Daz names like `lShldrBend` alike; middle bones have no other side."""
    rest = make_rig(family)
    found = recognise(rest)
    for role, bones in found.bones.items():
        if role.startswith(SIDES):
            twin = role.replace("left", "?").replace("right", "left").replace("?", "right")
            assert [opposite_name(b, set(rest.names)) for b in bones] == list(found.bones[twin]), role
    assert opposite_name(found.first("head"), set(rest.names)) is None


def test_confidence_says_how_sure_the_recognition_is() -> None:
    rest = make_rig("mixamo")
    assert recognise(rest).confidence == pytest.approx(1.0)
    renamed = recognise(replace(rest, names=tuple(n.replace("mixamorig:", "hero:") for n in rest.names)))
    assert renamed.confidence == pytest.approx(0.9)
    assert recognise(without(rest, "mixamorig:LeftForeArm")).confidence == pytest.approx(1 - 1 / len(REQUIRED))
    nameless = replace(rest, names=tuple(f"b{n}" for n in range(len(rest.names))))
    assert recognise(nameless).confidence == pytest.approx(0.6)
