"""`batch` from end to end: every odd input gets its result or its reason, and a killed run ends like one that was never killed."""

import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

if find_spec("bpy") is None:  # looked for, not imported: only the worker processes need it
    pytest.skip("writing .blend files needs Blender as a module", allow_module_level=True)
pytest.importorskip("torch", reason="a batch of photos needs the network")
Image = pytest.importorskip("PIL.Image", reason="needs Pillow")

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "data" / "sample_photo.jpg"
LONG = "é" * 120


@pytest.fixture(scope="module")
def photo():
    if not SAMPLE.exists():
        pytest.skip("the built-in photo is not there")
    image = Image.open(SAMPLE).convert("RGB")
    return image.resize((288, round(288 * image.height / image.width)))


def command(source, output, *more):
    return [sys.executable, "-m", "sapiens2_avatar", "batch", str(source), "-o", str(output), "--quiet", "--no-picture", *more]


def run(source, output, *more):
    done = subprocess.run(command(source, output, *more), capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def lines(output):
    return {Path(row["input"]).name: row for row in map(json.loads, (output / "report.jsonl").read_text("utf-8").splitlines())}


def contents(output):
    """Everything that must be the same bytes for the same work; .blend files hold memory addresses and are left to `meshes`."""
    found = sorted(p for p in output.rglob("*") if p.is_file() and p.suffix != ".blend" and not p.name.startswith("."))
    return {
        p.relative_to(output).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in found if p.name != "report.json"
    }


def odd_inputs(folder, photo):
    """Twelve odd inputs; name -> whether a result is possible."""
    photo.save(folder / "plain.jpg", quality=92)
    (folder / "copy of plain.jpg").write_bytes((folder / "plain.jpg").read_bytes())
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "cut.jpg").write_bytes((folder / "plain.jpg").read_bytes()[:3000])
    photo.save(folder / "really a png.jpg", format="PNG")
    Image.new("RGB", (1, 1)).save(folder / "pixel.png")
    photo.convert("CMYK").save(folder / "cmyk.jpg")
    grey = np.asarray(photo.convert("L")).astype(np.uint16) * 257
    Image.fromarray(grey).save(folder / "sixteen.png")
    photo.save(folder / "animated.gif", save_all=True, append_images=[photo.rotate(5)])
    photo.save(folder / f"{LONG}.png")
    (folder / "folder.jpg").mkdir()
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    possible = {"plain.jpg", "copy of plain.jpg", "really a png.jpg", "cmyk.jpg", "sixteen.png", "animated.gif", f"{LONG}.png"}
    return possible, {"empty.jpg", "cut.jpg", "pixel.png", "folder.jpg", "loop.jpg"}


@pytest.mark.slow
def test_odd_inputs_get_their_result_or_their_reason(photo, tmp_path):
    source, output = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    possible, impossible = odd_inputs(source, photo)
    code, out, err = run(source, output, "--group", "4")
    assert code == 1, err
    rows = lines(output)
    assert set(rows) == possible | impossible
    assert {name for name, row in rows.items() if row["error"]} == impossible, {n: r["error"] for n, r in rows.items()}
    assert all(rows[name]["error"].endswith(".") for name in impossible)
    assert rows["plain.jpg"]["name"] == rows["copy of plain.jpg"]["name"] and "copy" in {row["status"] for row in rows.values()}
    for name in possible:
        folder = output / rows[name]["name"]
        assert all((folder / file).stat().st_size > 0 for file in rows[name]["files"]) and len(rows[name]["files"]) == 2
    assert len(out.split("\n")) >= len(possible) and "Traceback" not in err
    with (output / "report.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == len(rows)
    assert Image.open(output / "contact.png").size[0] > 100

    stamps = {p: p.stat().st_mtime_ns for p in output.rglob("*.blend")}
    assert run(source, output)[0] == 1
    assert {p: p.stat().st_mtime_ns for p in output.rglob("*.blend")} == stamps, "finished work was done again"


@pytest.mark.slow
def test_a_killed_batch_goes_on_to_the_same_bytes(photo, tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    for i in range(4):
        photo.crop((i, i, photo.width - i, photo.height - i)).save(source / f"{i}.png")
    assert run(source, tmp_path / "whole", "--export", "glb", "--group", "2")[0] == 0
    rng = np.random.default_rng(0)
    for _ in range(4):
        started = subprocess.Popen(
            command(source, tmp_path / "killed", "--export", "glb", "--group", "2"), start_new_session=True
        )
        time.sleep(rng.uniform(2, 14))
        os.killpg(started.pid, signal.SIGKILL) if rng.random() < 0.5 else started.kill()
        started.wait()
    deadline = time.monotonic() + 60
    while run(source, tmp_path / "killed", "--export", "glb", "--group", "2")[0] != 0:
        assert time.monotonic() < deadline
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
    assert not list((tmp_path / "killed").rglob("*.part")) and not list((tmp_path / "killed").rglob(".sapiens2-*"))
