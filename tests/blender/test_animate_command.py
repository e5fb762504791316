"""`animate` and `pose` from the command line: clips, keypoints and BVH on armatures; exports carry one motion; bad inputs.

Where Python has scipy and OpenCV the command computes by itself, in Blender's own Python the worker does.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import bpy
import numpy as np
import pytest

from support.characters import keypoint_file, walking

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def command(part, capsys, worker):
    """Function: run the command line; its exit status, the JSON that it prints, and what it says."""

    def run(*arguments: object) -> tuple[int, dict, str]:
        status = part("commands.cli").main([*map(str, arguments), "--json"])
        said = capsys.readouterr()
        return status, json.loads(said.out[said.out.index("{\n") :]), said.err  # Blender prints before it

    return run


def limb(armature: str, *names: str) -> np.ndarray:
    bpy.context.view_layer.update()
    bones = bpy.data.objects[armature].evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
    return np.array([bones[n].head for n in names])


def test_keypoints_become_an_action(factory, command, rig_file, tmp_path, part) -> None:
    source = keypoint_file(factory, tmp_path / "clip.json", 12)
    out, bones = tmp_path / "out.blend", tmp_path / "bones.json"
    status, said, _ = command("animate", source, "--armature", rig_file("mixamo"), "-o", out, "--save-bones", bones, "--fps", 24)
    assert status == 0 and said["frames"] == 12 and said["confidence"] == 1.0 and Path(said["results"][0]) == bones
    part("scene.files").open_blend(out)
    action = bpy.data.objects["mixamo"].animation_data.action
    assert tuple(action.frame_range) == (1, 12)
    bpy.context.scene.frame_set(5)
    swing = limb("mixamo", "mixamorig:LeftUpLeg", "mixamorig:LeftLeg", "mixamorig:RightUpLeg", "mixamorig:RightLeg")
    truth = walking(factory, 12)[4]
    from sapiens2_avatar.core.common.landmarks import joint_index

    for a, b, side in ((0, 1, "left"), (2, 3, "right")):
        wanted = truth[joint_index(f"{side}_knee")] - truth[joint_index(f"{side}_hip")]
        got = swing[b] - swing[a]
        assert got @ wanted / np.linalg.norm(got) / np.linalg.norm(wanted) > np.cos(np.radians(15))
    status, said, _ = command(
        "animate", source, "--armature", rig_file("mixamo"), "-o", out, "--bones", bones, "--smoothness", 0.8
    )
    assert status == 0 and said["keys"] > 0


def test_a_folder_of_frames_and_a_size(factory, command, rig_file, tmp_path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    whole = json.loads(keypoint_file(factory, tmp_path / "all.json", 4).read_text())
    for n, frame in enumerate(whole["instance_info"]):
        (folder / f"frame_{n}.json").write_text(json.dumps({"instance_info": frame["instances"]}))
    status, said, log = command("animate", folder, "--armature", rig_file("vrm1"), "-o", tmp_path / "o.blend")
    assert status == 0 and said["frames"] == 4 and "does not say how large the photos are" in log
    status, _, log = command("animate", folder, "--armature", rig_file("vrm1"), "-o", tmp_path / "o.blend", "--size", "1280x720")
    assert status == 0 and "does not say" not in log


@pytest.mark.parametrize("kind", ["meta", "sam"])
def test_keypoints_of_a_photo_pose_an_armature(kind, factory, command, rig_file, tmp_path) -> None:
    source = keypoint_file(factory, tmp_path / "k.json", 1, kind=kind)
    status, said, _ = command("pose", source, "--armature", rig_file("smplx"), "-o", tmp_path / "o.blend")
    assert status == 0 and said["family"].startswith("SMPL-X") and len(said["bones"]) > 40


def test_a_bone_table_of_the_bvh_file(command, rig_file, tmp_path) -> None:
    from support.bvh_person import BvhPerson

    named, nameless, table = tmp_path / "named.bvh", tmp_path / "nameless.bvh", tmp_path / "source.json"
    named.write_text(BvhPerson().text())
    rig, out = rig_file("mixamo"), tmp_path / "out.blend"
    status, said, notes = command("animate", named, "--armature", rig, "-o", out, "--save-source-bones", table)
    assert status == 0 and str(table) in said["results"]
    assert (
        "named.bvh: Mixamo and HumanIK names without prefix, 100 % sure; y is up." in notes
        and "mixamo: Mixamo, 100 % sure." in notes
    )
    nameless.write_text(BvhPerson().text(lambda name: f"q{name[::-1]}"))
    table.write_text(re.sub(r'"(\w+)"(?=,?\n +[\]"])', lambda name: f'"q{name[1][::-1]}"', table.read_text()))
    status, _, notes = command("animate", nameless, "--armature", rig, "-o", out, "--source-bones", table)
    assert status == 0 and "by structure" not in notes
    status, _, notes = command("animate", tmp_path, "--armature", rig, "-o", out, "--source-bones", table)
    assert status == 2 and "has no bones of its own" in notes


def test_bvh_is_put_on_an_armature_and_out_again(factory, command, rig_file, tmp_path, part) -> None:
    """Onto another family, out as BVH, FBX and glTF: the limbs point the same way, and only one motion is in the files."""
    from measures.round_trip import forward_kinematics
    from sapiens2_avatar.core.formats.bvh import BvhClip, read_bvh, write_bvh
    from sapiens2_avatar.core.formats.other_programs import read_bvh_motion
    from sapiens2_avatar.core.retarget.body_motion import motion_from_joints
    from sapiens2_avatar.core.retarget.recognise import recognise
    from sapiens2_avatar.core.retarget.solve import retarget_motion

    rest = factory.make_rig("cmu_bvh_cgspeed", "T")
    solved = retarget_motion(motion_from_joints(walking(factory, 10)), rest, recognise(rest))
    rotations, heads = forward_kinematics(rest, solved)
    clip = write_bvh(BvhClip(rest, rotations, heads[:, 0], 24.0), tmp_path / "walk.bvh")
    assert len(read_bvh_motion(clip, 0.1, 0.2)) == 2
    files = [tmp_path / "o.fbx", tmp_path / "o.glb"]
    status, said, log = command("animate", clip, "--armature", rig_file("ue4_mannequin"), "-o", tmp_path / "o.blend",
                                "--bvh", tmp_path / "o.bvh", "--export", files[0], "--export", files[1])  # fmt: skip
    assert status == 0, log
    assert said["frames"] == 10
    back = read_bvh(tmp_path / "o.bvh")
    source = read_bvh(clip)
    own, other = recognise(source.rest), recognise(back.rest)
    for a, b in (("leftUpperArm", "leftLowerArm"), ("rightUpperLeg", "rightLowerLeg"), ("leftLowerLeg", "leftFoot")):
        ways = [
            (c.positions()[:, c.rest.index(m.first(b))] - c.positions()[:, c.rest.index(m.first(a))])[:10]
            for c, m in ((source, own), (back, other))
        ]
        cosine = (ways[0] * ways[1]).sum(1) / np.linalg.norm(ways[0], axis=1) / np.linalg.norm(ways[1], axis=1)
        assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 0.1
    for file in files:
        part("scene.files").new_file()
        if file.suffix == ".glb":
            bpy.ops.import_scene.gltf(filepath=str(file))
        elif hasattr(bpy.ops.wm, "fbx_import") and bpy.app.version >= (4, 5):
            bpy.ops.wm.fbx_import(filepath=str(file))
        else:
            bpy.ops.import_scene.fbx(filepath=str(file))
        assert len(bpy.data.actions) == 1, file.name
        start, end = bpy.data.actions[0].frame_range
        assert round(end - start) == 9, file.name


def test_predictions_become_a_take_with_its_raw_track(studio, command, rig_file, tmp_path, part) -> None:
    folder = tmp_path / "walk"
    folder.mkdir()
    for n in range(4):
        (folder / f"frame_{n}.safetensors").write_bytes(studio(f"walk/frame_0{n}").read_bytes())
    status, said, _ = command("animate", folder, "--fps", 8, "--armature", rig_file("mixamo"), "-o", tmp_path / "o.blend")
    assert status == 0 and said["frames"] == 4
    part("scene.files").open_blend(tmp_path / "o.blend")
    track = bpy.data.objects["mixamo"].animation_data.nla_tracks[0]
    assert track.name == "Raw take" and track.mute
    status, _, _ = command("animate", folder, "--armature", rig_file("mixamo"), "-o", tmp_path / "o.blend", "--no-raw")
    part("scene.files").open_blend(tmp_path / "o.blend")
    assert status == 0 and not bpy.data.objects["mixamo"].animation_data.nla_tracks


@pytest.fixture
def two_people(studio, tmp_path) -> Path:
    """A folder of four stored frames: the person on the right is in all of them, the one on the left in the last two,
    and fuller."""
    from sapiens2_avatar.core.common.predictions import Predictions

    folder = tmp_path / "clip"
    folder.mkdir()
    for n in range(4):
        one = Predictions.load(studio(f"walk/frame_0{n}"))
        width, focal = one.image.shape[1], one.intrinsics[0, 0]

        def pair(name: str, there: bool = n > 1, one: Predictions = one) -> np.ndarray:
            right = getattr(one, name)
            return np.concatenate([right if there else np.zeros_like(right), right], axis=1)

        points = pair("pointmap")
        points[..., 0] += points[..., 2] * np.where(np.arange(2 * width) < width, -width / 2, width / 2) / focal
        left, right = one.keypoints.copy(), one.keypoints + np.float32([width, 0, 0])
        right[:, [*range(21, 41), *range(42, 62)], 2] = 0  # nothing is seen of the fingers
        intrinsics = one.intrinsics + np.float32([[0, 0, width / 2], [0, 0, 0], [0, 0, 0]])
        maps = {name: pair(name) for name in ("image", "normal", "seg", "alpha")}
        keypoints = np.concatenate([left, right]) if n > 1 else right
        Predictions(**maps, pointmap=points, keypoints=keypoints, intrinsics=intrinsics).save(folder / f"{n}.safetensors")
    return folder


def moving_rigs(path: Path, part) -> dict[str, float]:
    """Names of the rigs of a file that have an action, and how far to the camera's right their hips are at rest."""
    part("scene.files").open_blend(path)
    rigs = [ob for ob in bpy.data.objects if ob.type == "ARMATURE"]
    camera = bpy.context.scene.camera.matrix_world.inverted()
    return {
        ob.name: (camera @ ob.matrix_world @ ob.data.bones["spine"].head_local).x
        for ob in rigs
        if ob.animation_data is not None and ob.animation_data.action is not None
    }


@pytest.mark.one_blender
def test_who_is_seen_longest_moves_and_not_who_stands_on_the_left(two_people, command, part, tmp_path) -> None:
    for person, name in ((0, "clip 2 Rig"), (1, "clip 1 Rig")):
        bvh = tmp_path / "o.bvh"
        status, _, log = command(
            "animate",
            two_people,
            "--who",
            person,
            "-o",
            tmp_path / "o.blend",
            "--make",
            "scan",
            "--resolution",
            2000,
            "--bvh",
            bvh,
            "--fps",
            25,
        )
        assert status == 0, log
        frames = sum(1 for _ in two_people.iterdir())
        assert f"Frames: {frames}\nFrame Time: 0.04" in bvh.read_text()
        moving = moving_rigs(tmp_path / "o.blend", part)
        assert list(moving) == [name] and (moving[name] > 0) == (person == 0), (person, moving)


@pytest.mark.one_blender
def test_a_known_person_moves_in_a_clip(studio, command, part, tmp_path) -> None:
    """The shape of the file, and the motion of the clip."""
    person, out = tmp_path / "a.person", tmp_path / "o.blend"
    shape = part("core.body.evaluate").Shape.of(part("core.body.evaluate").Shape().numbers())
    shape.phenotype[[3, 4]] = 0.8, 0.3
    part("core.body.person").Person(shape).save(person)
    folder = tmp_path / "clip"
    folder.mkdir()
    for n in range(3):
        (folder / f"{n}.safetensors").write_bytes(Path(studio(f"walk/frame_0{n}")).read_bytes())
    plain = ["--no-garments", "--texture-size", 0]
    words = ["animate", folder, "-o", out, "--person", person, "--fps", 25, *plain]
    status, _, log = command(*words)
    assert status == 0, log
    part("scene.files").open_blend(out)
    (body,) = [ob for ob in bpy.data.objects if ob.get("sapiens2_role") == "body"]
    np.testing.assert_allclose(body["sapiens2_shape"], shape.numbers(), atol=1e-6)
    (rig,) = [ob for ob in bpy.data.objects if ob.get("sapiens2_role") == "rig"]
    assert rig.animation_data.action is not None and body.parent == rig
    ankles = []
    for frame in (1, 3):
        bpy.context.scene.frame_set(frame)
        ankles.append(limb(rig.name, "foot.L", "foot.R"))
    assert np.linalg.norm(ankles[1] - ankles[0], axis=1).max() > 0.02


@pytest.mark.parametrize(
    ("words", "said"),
    [(("--make", "scan"), "a scan has none"), (("--make", "avatar", "--armature", "rig.blend"), "--armature names the rig")],
)
def test_a_known_person_who_would_not_be_built_is_refused(words, said, part, capsys, tmp_path) -> None:
    person = part("core.body.person").Person(part("core.body.evaluate").Shape()).save(tmp_path / "a.person")
    status = part("commands.cli").main(["animate", "clip", "-o", str(tmp_path / "o.blend"), "--person", str(person), *words])
    assert status == 2 and said in capsys.readouterr().err


def test_a_batch_moves_who_is_seen_longest(two_people, part, tmp_path) -> None:
    pytest.importorskip("scipy", reason="in Blender's own Python a batch runs in the worker")
    pytest.importorskip("cv2")
    from sapiens2_avatar.batch.items import Item
    from sapiens2_avatar.batch.plan import Plan
    from sapiens2_avatar.batch.stages import POSES, InputJob, finish
    from sapiens2_avatar.core.formats.clip_files import save_clip_poses
    from sapiens2_avatar.infer.clip import clip_poses

    item = Item(two_people, "clip", "ab" * 32, clip=True)
    plan = Plan(make=("predictions", "blend"), people=1)
    job = InputJob(item, tmp_path, plan.stages(item))
    save_clip_poses(clip_poses(two_people, fps=8, best=job.file(".safetensors")), job.file(POSES))
    assert finish(job, plan) is None
    moving = moving_rigs(job.file(".blend"), part)
    assert list(moving) == ["clip 2 Rig"] and moving["clip 2 Rig"] > 0


def broken(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(("name", "content", "says"), [
    ("clip.mp4", b"\x00\x00\x00\x18ftypmp42 not really", "could not be opened as a video"),
    ("clip.mp4", b"", "could not be opened as a video"),
    ("clip.bvh", b"HIERARCHY nothing", "is not a BVH file"),
    ("clip.json", b"{", "is not valid JSON"),
    ("clip.json", b'{"instance_info": []}', "No person was found"),
    ("clip.npz", b"PK\x03\x04", "is not a readable .npz file"),
])  # fmt: skip
def test_clips_that_are_none_end_in_one_sentence(name, content, says, command, rig_file, tmp_path) -> None:
    status, said, log = command(
        "animate", broken(tmp_path, name, content), "--armature", rig_file("mixamo"), "-o", tmp_path / "o.blend"
    )
    assert status == 1 and says in said["failures"][0]["error"] and "Traceback" not in log
    assert not (tmp_path / "o.blend").exists()


def test_what_else_cannot_be_is_said(factory, command, rig_file, tmp_path) -> None:
    keypoints = keypoint_file(factory, tmp_path / "k.json", 2)
    rigs = rig_file("mixamo", "smplx")
    out = tmp_path / "o.blend"
    cases = [
        (("animate", tmp_path / "none.mp4", "-o", out), "There is no clip"),
        (("animate", keypoints, "-o", out), "it holds no pictures"),
        (("animate", keypoints, "-o", out, "--armature", tmp_path / "none.blend"), "There is no file"),
        (("animate", keypoints, "-o", out, "--armature", rigs), "several armatures: mixamo, smplx"),
        (("animate", keypoints, "-o", out, "--armature", f"{rigs}:nobody"), "no armature named 'nobody'"),
        (("animate", keypoints, "-o", out, "--armature", f"{rigs}:mixamo", "--who", 3), "number 4 was asked for"),
        (("animate", keypoints, "-o", out, "--armature", f"{rigs}:mixamo", "--export", tmp_path / "x.obj"), "cannot hold motion"),
        (("animate", keypoints, "-o", out, "--armature", f"{rigs}:mixamo", "--start", 9), "No person was found"),
        (("pose", keypoints, "-o", out, "--armature", f"{rigs}:mixamo", "--person", 2), "person 2 is not one of them"),
        (("pose", keypoints, "-o", out, "--armature", f"{rigs}:mixamo", "--bones", tmp_path / "no.json"), "could not be read"),
        (("pose", keypoints, "-o", out, "--armature", broken(tmp_path, "torn.blend", b"BLENDER-v300 torn")), "torn.blend"),
    ]
    for arguments, says in cases:
        status, said, log = command(*arguments)
        assert status == (2 if says == "cannot hold motion" else 1) and says in said["failures"][0]["error"], (arguments, said)
        assert "Traceback" not in log
    assert not out.exists()


@pytest.fixture
def held_rig(character, part, tmp_path) -> Path:
    """A .blend with a rig, one bone of which a constraint holds."""
    part("scene.files").new_file()
    character("mixamo").pose.bones["mixamorig:LeftForeArm"].constraints.new("LIMIT_ROTATION")
    return part("scene.files").save_blend(tmp_path / "held.blend")


@pytest.mark.parametrize("name", ["pose", "animate"])
def test_constraints_are_muted_and_hips_stay_when_asked(name, factory, command, held_rig, tmp_path, part) -> None:
    source = keypoint_file(factory, tmp_path / "k.json", 3)
    out, hips = tmp_path / "o.blend", {}
    for way in ("move", "height", "none"):
        arguments = (name, source, "--armature", held_rig, "-o", out, "--hips", way)
        status, said, _ = command(*arguments)
        assert status == 1 and "Constraints hold 'mixamorig:LeftForeArm'" in said["failures"][0]["error"]
        status, _, log = command(*arguments, "--mute-constraints")
        assert status == 0 and "were muted" in log
        part("scene.files").open_blend(out)
        rig = bpy.data.objects["mixamo"]
        assert all(c.mute for c in rig.pose.bones["mixamorig:LeftForeArm"].constraints)
        bone = rig.pose.bones["mixamorig:Hips"]
        world = rig.matrix_world @ bone.bone.matrix_local
        places = []
        for frame in range(1, 4 if name == "animate" else 2):
            bpy.context.scene.frame_set(frame)
            places.append(world.to_3x3() @ bone.location)
        hips[way] = np.array(places)
    assert not hips["none"].any()
    assert np.abs(hips["height"][:, :2]).max() < 1e-5 and np.abs(hips["height"][:, 2]).max() > 1e-3
    assert np.allclose(hips["move"][:, 2], hips["height"][:, 2], atol=1e-4)


def test_an_armature_linked_into_the_file_is_refused(factory, command, rig_file, tmp_path, part) -> None:
    library = rig_file("mixamo", name="library.blend")
    part("scene.files").new_file()
    with bpy.data.libraries.load(str(library), link=True) as (_, into):
        into.objects = ["mixamo"]
    bpy.context.scene.collection.objects.link(into.objects[0])
    shot = part("scene.files").save_blend(tmp_path / "shot.blend")
    status, said, _ = command(
        "pose", keypoint_file(factory, tmp_path / "k.json", 1), "--armature", shot, "-o", tmp_path / "o.blend"
    )
    assert status == 1 and "is linked from" in said["failures"][0]["error"]
