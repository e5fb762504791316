"""Armatures as people have them: other prefixes and suffixes, hair and wings beside the arms, a pelvis beside the spine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from measures.rig_factory import make_rig
from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.core.retarget.armature import RestRig
from sapiens2_avatar.core.retarget.bone_map import REQUIRED
from sapiens2_avatar.core.retarget.recognise import recognise
from sapiens2_avatar.core.retarget.structure import recognise_structure


def with_chain(rest: RestRig, parent: str, points: np.ndarray, name: str) -> RestRig:
    """The rig with a chain of bones through (n + 1, 3) points on a bone, and its mirror image in x = 0."""
    names, parents, heads, tails = list(rest.names), rest.parents.tolist(), [*rest.heads], [*rest.tails]
    for side, flip in (("L", 1.0), ("R", -1.0)):
        mirrored = points * [flip, 1.0, 1.0]
        for n in range(len(points) - 1):
            parents.append(len(names) - 1 if n else rest.index(parent))
            names.append(f"{name}_{n}_{side}")
            heads.append(mirrored[n])
            tails.append(mirrored[n + 1])
    return RestRig.from_joints(rest.name, tuple(names), np.array(parents), np.array(heads), np.array(tails))


def nameless(rest: RestRig) -> RestRig:
    return replace(rest, names=tuple(f"bone {n}" for n in range(len(rest.names))))


def assert_same_bones(rest: RestRig, found_in: RestRig) -> None:
    """Structure finds the bones that the names say."""
    by_name, by_structure = recognise(rest), recognise_structure(found_in)
    for role in REQUIRED:
        assert found_in.index(by_structure.bones[role][0]) == rest.index(by_name.bones[role][0]), role


PIGTAILS = np.array([[0.08, 0.05, 1.6], [0.2, 0.1, 1.5], [0.22, 0.1, 1.3], [0.24, 0.1, 1.1], [0.26, 0.1, 0.9], [0.28, 0.1, 0.6]])
WINGS = np.array([[0.05, 0.1, 1.35], [0.3, 0.3, 1.6], [0.7, 0.4, 1.7], [1.1, 0.45, 1.5], [1.4, 0.5, 1.2]])
SKIRT = np.array([[0.12, 0.0, 0.85], [0.2, 0.0, 0.6], [0.25, 0.0, 0.35], [0.3, 0.0, 0.12]])


@pytest.mark.parametrize(("parent", "points"), [("mixamorig:Head", PIGTAILS), ("mixamorig:Spine2", WINGS),
                                                ("mixamorig:Hips", SKIRT)])  # fmt: skip
def test_hair_wings_and_skirts_are_no_limbs(parent: str, points: np.ndarray) -> None:
    for rest_pose in ("A", "T"):
        rest = with_chain(make_rig("mixamo", rest_pose), parent, points, "extra")
        assert_same_bones(rest, nameless(rest))


@pytest.mark.parametrize("change", [
    lambda n: n.replace("mixamorig:", "Character1_"), lambda n: n.replace("mixamorig:", "hero_rig_v2_"), lambda n: f"{n}.001",
    lambda n: n.replace("mixamorig:", "") + "_jnt", lambda n: n.replace("mixamorig:", "Robot_"),
    lambda n: f"X_{n.split(':')[-1]}_01",
])  # fmt: skip
def test_any_prefix_and_suffix_is_read_over(change: Callable[[str], str]) -> None:
    plain = with_chain(make_rig("mixamo"), "mixamorig:Head", PIGTAILS, "hair")
    found = recognise(replace(plain, names=tuple(change(n) for n in plain.names)))
    assert found.family != "structure" and not found.missing
    assert found.bones["leftUpperArm"] == (change("mixamorig:LeftArm"),)
    assert found.bones["rightIndexDistal"] == (change("mixamorig:RightHandIndex3"),)


@pytest.mark.parametrize("before", ["Bip001 ", "ValveBiped.Bip01_", "Bip02 ", "hero Bip003 "])
def test_bipeds_of_any_number_are_bipeds(before: str) -> None:
    rest = make_rig("biped")
    found = recognise(replace(rest, names=tuple(n.replace("Bip01 ", before) for n in rest.names)))
    assert found.family == "biped" and not found.missing
    assert found.bones["leftUpperArm"] == (f"{before}L UpperArm",)


def test_some_bones_with_numbers_of_blender_are_recognised() -> None:
    rest = make_rig("ue4_mannequin")
    found = recognise(replace(rest, names=tuple(f"{n}.001" if n.endswith("_l") else n for n in rest.names)))
    assert found.family == "ue4_mannequin" and not found.missing
    assert found.bones["leftHand"] == ("hand_l.001",)


def test_hips_of_another_name_are_what_legs_and_spine_hang_on() -> None:
    rest = make_rig("mixamo")
    found = recognise(replace(rest, names=tuple("Bip01 Root" if n == "mixamorig:Hips" else n for n in rest.names)))
    assert found.family == "mixamo" and found.bones["hips"] == ("Bip01 Root",)


def beside(rest: RestRig, hip: str) -> RestRig:
    """The rig with a bone `pelvis` under its hips on which the legs hang, beside the spine."""
    at = rest.index(hip)
    names = (*rest.names[: at + 1], "pelvis", *rest.names[at + 1 :])
    parents = np.insert(np.where(rest.parents > at, rest.parents + 1, rest.parents), at + 1, at)
    for n, name in enumerate(names):
        if "thigh" in name.casefold() or "upleg" in name.casefold():
            parents[n] = at + 1
    heads = np.insert(rest.heads, at + 1, rest.heads[at] - [0, 0, 0.01], axis=0)
    tails = np.insert(rest.tails, at + 1, rest.heads[at] - [0, 0, 0.1], axis=0)
    return RestRig.from_joints(rest.name, names, parents, heads, tails)


def test_a_pelvis_beside_the_spine_is_a_body() -> None:
    rest = beside(make_rig("daz_genesis9"), "hip")
    found = recognise(rest)
    assert found.family == "daz_genesis9" and not found.missing and found.bones["hips"] == ("hip", "pelvis")
    assert_same_bones(rest, nameless(rest))
    other = beside(make_rig("mixamo"), "mixamorig:Hips")
    assert recognise(other).bones["hips"] == ("mixamorig:Hips", "pelvis")


def test_both_arms_are_parted_at_the_same_joints() -> None:
    """One arm a little longer than the other: the two stretches of a limb must not be other bones on one side."""
    rest = make_rig("mixamo", "A")
    heads, tails = rest.heads.copy(), rest.tails.copy()
    arm = rest.index("mixamorig:LeftArm")
    shift = (heads[rest.index("mixamorig:LeftForeArm")] - heads[arm]) * 0.06
    for n in range(len(rest.names)):
        if arm in rest.ancestors(n):
            heads[n], tails[n] = heads[n] + shift, tails[n] + shift
    rest = RestRig.from_joints(rest.name, rest.names, rest.parents, heads, tails)
    assert_same_bones(rest, nameless(rest))


def test_a_model_of_mikumikudance_is_recognised_with_both_sets_of_leg_bones() -> None:
    rest = make_rig("mmd")
    heads, tails, names, parents = list(rest.heads), list(rest.tails), list(rest.names), rest.parents.tolist()
    for side in "左右":
        for bone, parent in (("足", "センター"), ("ひざ", f"{side}足D"), ("足首", f"{side}ひざD")):
            n = rest.index(side + bone)
            parents.append(names.index(parent))
            names.append(f"{side}{bone}D")
            heads.append(rest.heads[n])
            tails.append(rest.tails[n])
        n = rest.index(f"{side}足首")
        names.append(f"{side}足ＩＫ")
        parents.append(0)
        heads.append(rest.heads[n])
        tails.append(rest.heads[n] + [0, 0.1, 0])
    full = RestRig.from_joints("miku", tuple(names), np.array(parents), np.array(heads), np.array(tails))
    found = recognise(full)
    assert found.family == "mmd" and not found.missing
    assert found.bones["leftLowerLeg"] == ("左ひざ", "左ひざD") and found.bones["rightThumbDistal"] == ("右親指２",)


def test_what_was_recognised_and_how_well_is_said_in_a_few_words() -> None:
    assert recognise(make_rig("mixamo")).summary == "Mixamo, 100 % sure"
    assert recognise(nameless(make_rig("mixamo"))).summary == "recognised by structure, 60 % sure"


def test_a_rope_of_thousands_of_bones_is_refused_and_not_a_crash() -> None:
    heads = np.column_stack([np.zeros((4000, 2)), np.arange(4000.0)])
    tails = heads + np.array([0, 0, 1])
    rope = RestRig.from_joints("rope", tuple(f"r{n}" for n in range(4000)), np.arange(-1, 3999), heads, tails)
    with pytest.raises(SapiensError, match="'rope' could not be recognised"):
        recognise(rope)
