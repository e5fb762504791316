"""A video and a folder of frames are inputs of a batch like photos; their result moves."""

import json
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

if find_spec("bpy") is None:  # looked for, not imported: only the worker processes need it
    pytest.skip("writing .blend files needs Blender as a module", allow_module_level=True)
av = pytest.importorskip("av", reason="needs PyAV to make a video")

FRAMES = 6
LOOK = """
import json, os, sys, bpy
bpy.ops.wm.open_mainfile(filepath=sys.argv[1])
rig = next(ob for ob in bpy.data.objects if ob.type == "ARMATURE")
scene = bpy.context.scene
hips = []
for frame in range(scene.frame_start, scene.frame_end + 1):
    scene.frame_set(frame)
    hips.append(list(rig.matrix_world @ rig.pose.bones["spine"].head))
print(json.dumps({"action": rig.animation_data.action.name, "fps": scene.render.fps / scene.render.fps_base, "hips": hips}))
sys.stdout.flush()
os._exit(0)
"""


def frames(photo):
    """The person walks through the picture, from left to right."""
    wide = np.full((photo.height, 2 * photo.width, 3), np.asarray(photo)[0, 0], np.uint8)
    for i in range(FRAMES):
        image, left = wide.copy(), round(i * photo.width / FRAMES) // 2 * 2
        image[:, left : left + photo.width] = np.asarray(photo)
        yield image


def look(path):
    """What a person who opens the file would see."""
    done = subprocess.run([sys.executable, "-c", LOOK, str(path)], capture_output=True, text=True, timeout=120)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_clips_become_actions_and_bvh(photo, run, tmp_path):
    from PIL import Image

    source = tmp_path / "in"
    (source / "plate").mkdir(parents=True)
    with av.open(str(source / "walk.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=12)
        stream.width, stream.height = 2 * photo.width, photo.height
        stream.pix_fmt, stream.bit_rate = "yuv420p", 2_000_000
        for image in frames(photo):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    for i, image in enumerate(frames(photo)):
        Image.fromarray(image).save(source / "plate" / f"plate.{i + 1:04d}.png")
    (source / "plate" / "plate.0003.png").write_bytes(b"broken")
    photo.save(source / "still.png")
    (tmp_path / "list.txt").write_text("in/walk.mp4\nin/plate\nin/still.png\n", "utf-8")
    more = ("--export", "bvh", "--no-picture", "--no-flip")

    code, _, err = run(tmp_path / "list.txt", tmp_path / "out", *more)
    assert code == 0, err
    rows = {row["name"]: row for row in map(json.loads, (tmp_path / "out" / "report.jsonl").read_text("utf-8").splitlines())}
    assert rows["walk"]["files"] == [f"walk{suffix}" for suffix in (".blend", ".bvh", ".poses.safetensors", ".safetensors")]
    assert rows["still"]["files"] == ["still.blend", "still.safetensors"], "a photo has no motion"
    assert any("plate.0003.png" in note for note in rows["plate"]["notes"]), rows["plate"]
    seen = look(tmp_path / "out" / "walk" / "walk.blend")
    assert seen["action"].startswith("walk") and seen["fps"] == pytest.approx(12) and len(seen["hips"]) == FRAMES
    hips = np.array(seen["hips"])
    assert np.ptp(hips[:, 0]) > 3 * np.ptp(hips[:, 2]) and np.ptp(hips[:, 0]) > 0.1, "who walks across moves across"
    bvh = (tmp_path / "out" / "walk" / "walk.bvh").read_text()
    assert f"Frames: {FRAMES}" in bvh and f"Frame Time: {1 / 12:.6f}"[:18] in bvh

    stamps = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").glob("*/*.blend")}
    assert run(tmp_path / "list.txt", tmp_path / "out", *more)[0] == 0
    assert {p: p.stat().st_mtime_ns for p in stamps} == stamps, "finished clips were done again"
    assert run(tmp_path / "list.txt", tmp_path / "out", *more, "--end", "0.3")[0] == 0
    changed = {p.stem for p, stamp in stamps.items() if p.stat().st_mtime_ns != stamp}
    assert changed == {"walk", "plate"}, "a range is of clips alone"
