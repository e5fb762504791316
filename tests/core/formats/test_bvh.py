"""BVH: what is written is read again, kinematics agree with the offsets, damaged files end in one sentence."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from measures.rig_factory import make_rig
from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.core.common.rotations import rotation_from_vector
from sapiens2_avatar.core.formats.bvh import BvhClip, read_bvh, write_bvh

ARM = """HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Arm
  {
    OFFSET 10 150 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    End Site
    {
      OFFSET 30 0 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.04
0 0 0 0 0 0 0 0 0
1 2 3 90 0 0 0 0 90
"""


def save(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "clip.bvh"
    path.write_text(text)
    return path


def test_positions_follow_channels_and_offsets(tmp_path: Path) -> None:
    clip = read_bvh(save(tmp_path, ARM), scale=0.01)
    assert clip.fps == pytest.approx(25)
    # y up becomes z up: (x, y, z) -> (x, -z, y)
    assert np.allclose(clip.positions()[0], [[0, 0, 0], [0.10, 0, 1.5]])
    assert np.allclose(clip.positions()[1], [[0.01, -0.03, 0.02], [0.01 - 1.5, -0.03, 0.02 + 0.10]])
    turn = clip.rotations[1, 1] @ clip.rest.rotations[1].T
    # Z by 90 degrees, then Y by 90 about the turned axis: x goes to -z of the turned frame, which is -z of the file, +y of the
    # world
    assert np.allclose(turn @ [1, 0, 0], [0, 1, 0], atol=1e-12)


@pytest.mark.parametrize("family", ["mixamo", "mhr", "cmu_bvh_cgspeed"])
def test_a_written_clip_is_read_again(tmp_path: Path, family: str) -> None:
    rest = make_rig(family, "A")
    rng = np.random.default_rng(0)
    turns = rotation_from_vector(np.cumsum(rng.normal(size=(40, len(rest.names), 3)) * 0.2, axis=0))
    rotations = np.empty_like(turns)
    for b, parent in enumerate(rest.parents.tolist()):
        rotations[:, b] = (
            turns[:, b] @ rest.rotations[b]
            if parent < 0
            else rotations[:, parent] @ rest.rotations[parent].T @ turns[:, b] @ rest.rotations[b]
        )
    clip = BvhClip(rest, rotations, rng.normal(size=(40, 3)), 30.0)
    again = read_bvh(write_bvh(clip, tmp_path / "x.bvh"), scale=0.01)
    place = [again.rest.index("_".join(n.split())) for n in rest.names]
    assert again.fps == pytest.approx(30, rel=1e-5)
    assert (
        np.abs(again.positions()[:, place] - again.positions()[:, :1] - clip.positions() + clip.positions()[:, :1]).max() < 1e-5
    )
    assert np.abs(again.root - clip.root).max() < 1e-5
    assert [p.name for p in tmp_path.iterdir()] == ["x.bvh"]


@pytest.mark.parametrize(
    ("written", "rate", "said"),
    [
        ("30", 30, "frames a second"), ("29.97", 29.97, "frames a second"), ("120.0", 120, "frames a second"),
        ("33.333", 30, "milliseconds"), ("8.3333", 120, "milliseconds"), ("41.7083", 23.976, "milliseconds"),
        ("0.04", 25, ""), ("1", 1, ""),
    ],
)  # fmt: skip
def test_a_rate_or_milliseconds_in_the_place_of_seconds_is_understood(tmp_path: Path, written, rate, said) -> None:
    """Some programs write the frame rate, or milliseconds, as the time of a frame: eight frames would last four minutes."""
    rest = make_rig("mixamo")
    still = np.broadcast_to(rest.rotations, (8, *rest.rotations.shape)).copy()
    path = write_bvh(BvhClip(rest, still, np.zeros((8, 3)), 30.0), tmp_path / "x.bvh")
    path.write_text(re.sub(r"Frame Time: \S+", f"Frame Time: {written}", path.read_text("utf-8")), "utf-8")
    clip = read_bvh(path)
    assert clip.fps == pytest.approx(rate, rel=1e-4)
    assert any(f"taken as {said}" in note for note in clip.notes) == bool(said)


def test_the_unit_is_guessed_from_the_size_of_a_person(tmp_path: Path) -> None:
    rest = make_rig("mixamo")
    still = np.broadcast_to(rest.rotations, (2, *rest.rotations.shape)).copy()
    clip = BvhClip(rest, still, np.zeros((2, 3)), 30.0)
    for centimetres in (True, False):
        again = read_bvh(write_bvh(clip, tmp_path / "x.bvh", centimetres))
        assert np.ptp(again.rest.heads[:, 2]) == pytest.approx(np.ptp(rest.heads[:, 2]), rel=1e-4)


@pytest.mark.parametrize(("old", "new", "says"), [
    ("MOTION", "", "HIERARCHY or MOTION is missing"),
    ("OFFSET 10 150 0", "OFFSET 10 x 0", "hierarchy of clip.bvh is broken near 'Arm'"),
    ("3 Zrotation", "3 Wrotation", "channels that no BVH"), ("Frames: 2", "Frames: 3", "ends early"),
    ("Frames: 2", "Frames: -1", "cannot be"),
    ("Frames: 2", "Frames: two", "how many frames"), ("1 2 3 90", "1 2 3 nan", "not finite"),
    ("1 2 3 90", "1 2 3 up", "holds 'up', which is no number"),
    ("  }\n}\n", "  }\n", "not complete"), ("Frame Time: 0.04", "Frame Time: 0", "cannot be"),
])  # fmt: skip
def test_damaged_files_end_in_one_sentence(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in ARM
    with pytest.raises(SapiensError, match=says):
        read_bvh(save(tmp_path, ARM.replace(old, new, 1)))


def test_an_absent_file_and_a_binary_one(tmp_path: Path) -> None:
    with pytest.raises(SapiensError, match=r"none\.bvh could not be read"):
        read_bvh(tmp_path / "none.bvh")
    (tmp_path / "b.bvh").write_bytes(bytes(range(256)) * 50)
    with pytest.raises(SapiensError, match=r"b\.bvh is not a BVH file"):
        read_bvh(tmp_path / "b.bvh")


def test_writing_where_nothing_can_be_written(tmp_path: Path) -> None:
    rest = make_rig("mixamo")
    clip = BvhClip(rest, rest.rotations[None].copy(), np.zeros((1, 3)), 30.0)
    with pytest.raises(SapiensError, match="does not exist"):
        write_bvh(clip, tmp_path / "no" / "x.bvh")
