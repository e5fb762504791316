"""BVH as many programs write it: one person walks the same way, whatever axes, zero pose, channels and names a file has."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle, pairwise
from pathlib import Path

import numpy as np
import pytest

from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.core.common.rotations import rotation_from_vector
from sapiens2_avatar.core.formats.bvh import BvhClip, read_bvh
from sapiens2_avatar.core.formats.bvh_text import frame_rate
from sapiens2_avatar.core.formats.other_programs import read_bvh_motion
from sapiens2_avatar.core.retarget.body_motion import BodyMotion
from support.bvh_person import NAMES, BvhPerson, along_x

Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
X_UP = np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])
LIMBS = tuple(
    (f"{side.lower()}{role}", f"{side}{a}", f"{side}{b}")
    for side in ("Left", "Right")
    for role, a, b in (("UpperArm", "Arm", "ForeArm"), ("LowerArm", "ForeArm", "Hand"), ("UpperLeg", "UpLeg", "Leg"),
                       ("LowerLeg", "Leg", "Foot"))
)  # fmt: skip


def save(tmp_path: Path, text: str, name: str = "clip.bvh") -> Path:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return path


def assert_walks(motion: BodyMotion, person: BvhPerson, degrees: float = 0.01, heading: bool = True) -> None:
    """Limbs point where the person's do, the hips travel as they do, and stand over the ground as they do."""
    truth = person.truth()
    for role, a, b in LIMBS:
        want = truth[b] - truth[a]
        cosine = (motion.frames[role][..., 1] * want).sum(-1) / np.linalg.norm(want, axis=-1)
        assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < degrees if heading else np.ptp(cosine) < 2.0, role
    middle = (truth["LeftUpLeg"] + truth["RightUpLeg"]) / 2
    assert np.allclose(motion.position[:, 2], middle[:, 2], atol=0.02)
    assert np.linalg.norm(motion.position[-1] - motion.position[0]) == pytest.approx(
        np.linalg.norm(middle[-1] - middle[0]), abs=0.01
    )
    trunk = truth["Neck"] - middle
    up = (motion.frames["hips"][..., 1] * trunk).sum(-1) / np.linalg.norm(trunk, axis=-1)
    assert np.degrees(np.arccos(np.clip(up, -1, 1))).max() < 3.0


def test_the_plain_dialect(tmp_path: Path) -> None:
    person = BvhPerson()
    motion = read_bvh_motion(save(tmp_path, person.text()))
    assert_walks(motion, person)
    assert motion.notes == ("clip.bvh: Mixamo and HumanIK names without prefix, 100 % sure; y is up.",)


def test_z_up_as_blender_exports_it(tmp_path: Path) -> None:
    person = BvhPerson(axes=Z_UP)
    motion = read_bvh_motion(save(tmp_path, person.text()))
    assert_walks(motion, person)
    assert any("z is up" in note for note in motion.notes)


def test_x_up_stands_upright_too(tmp_path: Path) -> None:
    person = BvhPerson(axes=X_UP)
    motion = read_bvh_motion(save(tmp_path, person.text()))
    assert np.allclose(motion.position[:, 2], person.hips[:, 1] / 100 - 0.05, atol=0.02)


def test_a_person_who_lies_on_the_ground_keeps_lying(tmp_path: Path) -> None:
    person = BvhPerson()
    turn = person._about([1, 0, 0], np.full(person.frames, -np.pi / 2))
    person.turns = dict.fromkeys(person.turns, np.broadcast_to(np.eye(3), turn.shape))
    person.turns["Hips"], person.hips = turn, np.tile([0.0, 10.0, 0.0], (person.frames, 1))
    motion = read_bvh_motion(save(tmp_path, person.text()))
    assert np.abs(motion.frames["hips"][:, 2, 1]).max() < 0.1
    assert motion.position[:, 2].max() < 0.25


@pytest.mark.parametrize("axes", [np.eye(3), Z_UP])
def test_a_zero_pose_that_is_no_body(tmp_path: Path, axes: np.ndarray) -> None:
    person = BvhPerson(zero=along_x(), axes=axes)
    motion = read_bvh_motion(save(tmp_path, person.text()))
    assert_walks(motion, person)
    chest = np.swapaxes(motion.frames["hips"], -1, -2) @ motion.frames["chest"]
    assert np.degrees(np.arccos(np.clip((np.trace(chest, axis1=1, axis2=2) - 1) / 2, -1, 1))).max() < 8  # of 6 that are true
    assert motion.ankle == pytest.approx(0.06, abs=0.015)
    assert any("no standing body" in note for note in motion.notes)
    assert np.abs(motion.frames["leftFoot"][0, 2, 1]) < 0.1  # it stands flat


def test_a_bent_zero_pose_is_no_body_either(tmp_path: Path) -> None:
    """A trunk along its own axis and legs that do not hang: the pose of some libraries."""
    person = BvhPerson(zero={name: turn for name, turn in along_x().items() if "Leg" in name or "Foot" in name})
    assert_walks(read_bvh_motion(save(tmp_path, person.text())), person)


def test_a_spine_that_is_folded_at_rest_is_no_body(tmp_path: Path) -> None:
    """Hips, neck and legs where they belong, but the spine goes forth and back between them."""
    fold = {"Spine": rotation_from_vector([-1.4, 0.0, 0.0]), "Spine1": rotation_from_vector([1.3, 0.0, 0.0])}
    person = BvhPerson(zero=fold)
    motion = read_bvh_motion(save(tmp_path, person.text()))
    assert_walks(motion, person)
    assert any("no standing body" in note for note in motion.notes)


def under(text: str, root: str) -> str:
    """The file with a joint above its root, which stands still, and to which the root has an offset."""
    head, _, motion = text.partition("MOTION")
    body = head.removeprefix("HIERARCHY\n").replace("ROOT", "JOINT", 1)
    body = body.replace("OFFSET 0.000000 0.000000 0.000000", "OFFSET 0 95 0", 1)
    zeros = "0 0 0 0 0 0 "
    lines = motion.split("\n")
    lines[3:-1] = [zeros + line for line in lines[3:-1]]
    channels = "CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation"
    return f"HIERARCHY\nROOT {root}\n{{\nOFFSET 0 0 0\n{channels}\n{body}}}\nMOTION" + "\n".join(lines)


def test_hips_that_are_not_the_first_joint_travel(tmp_path: Path) -> None:
    person = BvhPerson()
    assert_walks(read_bvh_motion(save(tmp_path, under(person.text(), "reference"))), person)


@pytest.mark.parametrize(("positions", "zero_offsets"), [("all", False), ("all", True), ("added", False)])
def test_positions_of_every_joint(tmp_path: Path, positions: str, zero_offsets: bool) -> None:
    person = BvhPerson()
    assert_walks(read_bvh_motion(save(tmp_path, person.text(positions=positions, zero_offsets=zero_offsets))), person)


@pytest.mark.parametrize("zero_offsets", [False, True])
def test_joints_that_are_moved_by_place_alone(tmp_path: Path, zero_offsets: bool) -> None:
    """Rotations of zero: the limbs would stand still in the zero pose."""
    person = BvhPerson()
    motion = read_bvh_motion(save(tmp_path, person.text(positions="places", zero_offsets=zero_offsets)))
    assert_walks(motion, person)


def test_left_handed_axes_are_mirrored_and_said(tmp_path: Path) -> None:
    motion = read_bvh_motion(save(tmp_path, BvhPerson(axes=np.diag([-1.0, 1.0, 1.0])).text()))
    assert_walks(motion, BvhPerson())
    assert any("it was mirrored" in note for note in motion.notes)


def test_hips_far_over_a_floor_that_is_not_at_zero(tmp_path: Path) -> None:
    person = BvhPerson()
    person.hips = person.hips - [0.0, 95.0, 0.0]
    motion = read_bvh_motion(save(tmp_path, person.text()))
    lowest = min(at[:, 2].min() for name, at in person.truth().items() if "Foot" in name or "Toe" in name)
    assert motion.position[:, 2].mean() == pytest.approx(-0.05 - lowest, abs=0.05)
    assert any("below zero" in note for note in motion.notes)


def with_prop(text: str) -> str:
    prop = "ROOT Prop\n{\nOFFSET 0 0 0\nCHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation\n" \
           "End Site\n{\nOFFSET 0 500 0\n}\n}\n"  # fmt: skip
    head, _, motion = text.partition("MOTION")
    lines = motion.split("\n")
    lines[3:-1] = ["900 5 3 10 20 30 " + line for line in lines[3:-1]]
    return head.replace("HIERARCHY\n", "HIERARCHY\n" + prop, 1) + "MOTION" + "\n".join(lines)


def test_a_prop_before_the_body_is_left_out_and_said(tmp_path: Path) -> None:
    person = BvhPerson()
    motion = read_bvh_motion(save(tmp_path, with_prop(person.text())))
    assert_walks(motion, person)
    assert any("2 skeletons" in note and "Hips" in note for note in motion.notes)


@pytest.mark.parametrize("change", [
    lambda t: t.replace("HIERARCHY", "hierarchy").replace("JOINT", "joint").replace("OFFSET", "offset").replace("ROOT", "Root")
               .replace("CHANNELS", "channels").replace("MOTION", "motion").replace("End Site", "end site"),
    lambda t: t.replace("Frame Time", "\nFrame Time"), lambda t: t.replace("MOTION\n", "MOTION\n\n"),
    lambda t: t.replace("Frames: ", "Frames:\n"), lambda t: t.replace("Frame Time: ", "Frame Time:\t"),
    lambda t: t.replace(".", ","), lambda t: "\ufeff" + t, lambda t: t.replace("\n", "\r\n"), lambda t: t.replace("\n{", " {"),
    lambda t: t.replace("Spine1", "MOTION_Spine1"), lambda t: t.replace("Hips", "the MOTION Hips"), lambda t: t + "\n\n\x1a",
    lambda t: t.replace("JOINT Head", "JOINT Head End Site"), lambda t: t.replace("\t", "  "),
    lambda t: t.replace("Frames: 12", "Frames: 11"),
])  # fmt: skip
def test_what_programs_write_otherwise_is_read(tmp_path: Path, change: Callable[[str], str]) -> None:
    person = BvhPerson()
    assert_walks(read_bvh_motion(save(tmp_path, change(person.text()))), person)


@pytest.mark.parametrize("few", [False, True])
def test_every_joint_has_its_own_order_and_number_of_channels(tmp_path: Path, few: bool) -> None:
    person = BvhPerson()
    orders = dict(zip(NAMES, cycle(("XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")), strict=False))
    text = person.text(order=orders.__getitem__, few=few)
    assert ("CHANNELS 0" in text) == few
    assert_walks(read_bvh_motion(save(tmp_path, text)), person)


def frames_changed(text: str, change: Callable[[str], str], first: int = 0, last: int | None = None) -> str:
    """The file with some of its lines of numbers changed."""
    head, step, rest = text.partition("0.0333333\n")
    lines = rest.splitlines()
    lines[first:last] = map(change, lines[first:last])
    return head + step + "\n".join(lines) + "\n"


@pytest.mark.parametrize("change", [
    lambda line: line.replace(" -", "-"), lambda line: line.replace(" -", "-", 1).replace(".000000", ".0"),
    lambda line: line.replace(" -", "-").replace(" 0.000000", " 1e-07"),
])  # fmt: skip
def test_numbers_that_ran_into_each_other_are_parted(tmp_path: Path, change: Callable[[str], str]) -> None:
    person = BvhPerson()
    motion = read_bvh_motion(save(tmp_path, frames_changed(person.text(), change)))
    assert_walks(motion, person)
    assert any("ran into each other" in note for note in motion.notes)


@pytest.mark.parametrize("nothing", ["nan", "NaN", "-nan(ind)", "-1.#IND00", "1.#QNAN", "inf"])
def test_numbers_that_are_none_are_bridged_and_said(tmp_path: Path, nothing: str) -> None:
    person = BvhPerson(frames=48)
    person.turns["LeftArm"] = person._about([0, 0, 1], np.radians(np.linspace(170, 192, 48)))  # across half a turn
    text = frames_changed(person.text(), lambda line: " ".join([nothing] * len(line.split())), 21, 23)
    motion = read_bvh_motion(save(tmp_path, text))
    assert_walks(motion, person, degrees=1.0)
    assert motion.notes[0] == "2 frames of clip.bvh held numbers that are not finite: what is around them was used."
    with pytest.raises(SapiensError, match="in most of its frames"):
        read_bvh(save(tmp_path, frames_changed(text, lambda line: line.replace(line.split()[9], nothing), 0, 30)))


def test_names_in_the_encoding_of_a_country(tmp_path: Path) -> None:
    """Japanese programs write Shift JIS, European ones of old Windows-1252."""
    person = BvhPerson()
    for encoding, rename in (("cp932", mikumiku), ("cp1252", lambda name: name.replace("Hips", "Hüfte"))):
        (tmp_path / "clip.bvh").write_bytes(person.text(rename).encode(encoding))
        clip = read_bvh(tmp_path / "clip.bvh")
        assert set(clip.rest.names) == set(map(rename, NAMES)), encoding
    assert_walks(read_bvh_motion(save(tmp_path, person.text(mikumiku))), person)


def mikumiku(name: str) -> str:
    names = {"Hips": "下半身", "Spine": "上半身", "Spine1": "上半身2", "Neck": "首", "Head": "頭", "Shoulder": "肩", "Arm": "腕",
             "ForeArm": "ひじ", "Hand": "手首", "UpLeg": "足", "Leg": "ひざ", "Foot": "足首", "ToeBase": "つま先"}  # fmt: skip
    side = next((s for s in ("Left", "Right") if name.startswith(s)), "")
    return {"": "", "Left": "左", "Right": "右"}[side] + names[name.removeprefix(side)]


def test_wide_text_is_read(tmp_path: Path) -> None:
    (tmp_path / "wide.bvh").write_bytes(BvhPerson().text().encode("utf-16"))
    assert read_bvh(tmp_path / "wide.bvh").rest.names[0] == "Hips"


def biped(name: str) -> str:
    names = {"Hips": "Pelvis", "Spine": "Spine", "Spine1": "Spine1", "Neck": "Neck", "Head": "Head"}
    parts = {"Shoulder": "Clavicle", "Arm": "UpperArm", "ForeArm": "Forearm", "Hand": "Hand", "UpLeg": "Thigh", "Leg": "Calf",
             "Foot": "Foot", "ToeBase": "Toe0"}  # fmt: skip
    side = next((s for s in ("Left", "Right") if name.startswith(s)), "")
    return f"Bip01 {side[:1] + ' ' + parts[name.removeprefix(side)] if side else names[name]}"


@pytest.mark.parametrize("prefix", ["Model:", "mixamorig1:", "a:b:"])
def test_names_with_colons_stay_whole(tmp_path: Path, prefix: str) -> None:
    person = BvhPerson()
    path = save(tmp_path, person.text(lambda name: prefix + name))
    assert read_bvh(path).rest.names[0] == f"{prefix}Hips"
    motion = read_bvh_motion(path)
    assert_walks(motion, person)
    assert "Mixamo, 90 % sure" in motion.notes[0]


def test_names_with_spaces_stay_whole(tmp_path: Path) -> None:
    person = BvhPerson()
    path = save(tmp_path, person.text(biped))
    assert "Bip01 L UpperArm" in read_bvh(path).rest.names
    motion = read_bvh_motion(path)
    assert_walks(motion, person)
    assert "3ds Max Biped, 100 % sure" in motion.notes[0]


def test_nameless_joints_are_told_apart_by_structure_and_it_is_said(tmp_path: Path) -> None:
    person = BvhPerson()
    for kind in (BvhPerson(), BvhPerson(axes=Z_UP), BvhPerson(zero=along_x())):
        count = iter(range(100))
        path = save(tmp_path, kind.text(lambda _, count=count: f"joint{next(count)}"))
        motion = read_bvh_motion(path)
        assert_walks(motion, person)
        assert "recognised by structure, 60 % sure" in motion.notes[0]


def test_a_bone_table_for_the_source(tmp_path: Path) -> None:
    person = BvhPerson()
    path = save(tmp_path, person.text(lambda n: f"x{n[::-1]}"))
    given = read_bvh(save(tmp_path, person.text(), "plain.bvh")).bone_map
    assert given is not None
    table = type(given)("custom", "Bone table", {r: tuple(f"x{n[::-1]}" for n in names) for r, names in given.bones.items()})
    motion = read_bvh_motion(path, bones=table)
    assert_walks(motion, person)
    assert "Bone table" in motion.notes[0]


@pytest.mark.parametrize(("written", "fps"), [
    ("0.033333", 30), ("0.0333333", 30), ("0.033", 30), ("0.04", 25), ("0.041667", 24), ("0.0417", 24), ("0.016667", 60),
    ("0.0166", 60), ("0.008333", 120), ("0.00833333", 120), ("0.01", 100), ("0.050000", 20), ("0.0333667", 30 / 1.001),
    ("0.041708", 24 / 1.001), ("0.066667", 15), ("0.0345678", 1 / 0.0345678),
])  # fmt: skip
def test_frame_times_that_were_rounded_are_the_rates_they_were(written: str, fps: float) -> None:
    assert frame_rate(float(written), written) == pytest.approx(fps, rel=1e-9)


def cut_short(text: str) -> list[str]:
    """The file cut off after every word of its hierarchy but the last."""
    end = text.index("MOTION")
    spaces = [n for n, (a, b) in enumerate(pairwise(text[:end])) if not a.isspace() and b.isspace()]
    return [text[: n + 1] for n in spaces]


def test_a_file_that_is_cut_off_anywhere_ends_in_one_sentence(tmp_path: Path) -> None:
    for text in cut_short(BvhPerson(frames=2).text())[::3]:
        with pytest.raises(SapiensError, match=r"clip\.bvh"):
            read_bvh(save(tmp_path, text))


@pytest.mark.parametrize(("change", "says"), [
    (lambda t: t.replace("Frame Time: 0.0333333\n0.000000", "Frame Time: 0.0333333\n7 0.000000"), "hold 66, 67 numbers"),
    (lambda t: t.replace("OFFSET", "OFFSETS", 1), r"broken near 'Hips' \(line 4\)"),
    (lambda t: t.replace("CHANNELS 3", "CHANNELS 3e9", 1), "broken near 'Spine'"),
    (lambda t: t.replace(".", ",").replace("0,0333333\n0,000000 ", "0,0333333\n0,0,0 "), "commas that are neither"),
    (lambda t: t.replace("Frames: 12", "Frames: 13"), "ends early"),
    (lambda t: t.replace("Frames: 12", "Frames: 1e999"), "how many frames"),
    (lambda t: t.replace("OFFSET 4", "OFFSET nan4"), "broken near 'LeftShoulder'"),
    (lambda t: t.replace("OFFSET 4.000000", "OFFSET inf"), "offsets that no skeleton has"),
])  # fmt: skip
def test_faults_are_named_with_their_place(tmp_path: Path, change: Callable[[str], str], says: str) -> None:
    text = BvhPerson().text()
    assert change(text) != text
    with pytest.raises(SapiensError, match=says):
        read_bvh(save(tmp_path, change(text)))


def test_nobody_is_in_the_file(tmp_path: Path) -> None:
    text = "HIERARCHY\nROOT a\n{\nOFFSET 0 0 0\nCHANNELS 3 Xrotation Yrotation Zrotation\nEnd Site\n{\nOFFSET 0 1 0\n}\n}\n" \
           "MOTION\nFrames: 1\nFrame Time: 0.04\n0 0 0\n"  # fmt: skip
    assert isinstance(read_bvh(save(tmp_path, text)), BvhClip)
    with pytest.raises(SapiensError, match=r"No body could be found in clip\.bvh.*--source-bones"):
        read_bvh_motion(save(tmp_path, text))
