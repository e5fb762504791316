"""The grammar of the command line and its exit statuses: 0 all done, 1 some inputs failed, 2 wrong usage."""

import json
import re
from pathlib import Path

import pytest

from sapiens2_avatar.commands import demo
from sapiens2_avatar.commands.cli import main, parser
from sapiens2_avatar.commands.console import Console
from sapiens2_avatar.core.common.errors import SapiensError

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["build", "photo.jpg"],
        ["predict", "photo.jpg", "--tasks", "pose,dance"],
        ["predict", "photo.jpg", "--box", "5,5,1,9"],
        ["build", "photo.jpg", "-o", "x.blend", "--resolution", "tiny"],
        ["build", "photo.jpg", "-o", "x.blend", "--detail", "2"],
        ["batch", "in", "-o", "out", "--chunk", "4/3"],
        ["batch", "in", "-o", "out", "--box", "1,1,9,9"],  # one box says nothing about many photos, or about a clip
        ["animate", "clip.mp4", "-o", "out.blend", "--box", "1,1,9,9"],
        ["pose", "photo.jpg", "--armature", "rig.blend", "-o", "out.blend", "--hips", "fly"],
        ["build", "photo.jpg", "-o", "x.blend", "--stature", "nan"],
        ["build", "photo.jpg", "-o", "x.blend", "--distance", "0"],
        ["build", "photo.jpg", "-o", "x.blend", "--distance", "2", "--stature", "1.7"],
        ["build", "photo.jpg", "-o", "x.blend", "--focal", "-35"],
        ["build", "photo.jpg", "-o", "x.blend", "--bake", "7"],
        ["build", "photo.jpg", "-o", "x.blend", "--model", "nope"],
        ["animate", "clip.mp4", "-o", "x.blend", "--fps", "0"],
        ["batch", "in", "-o", "out", "--jobs", "0"],
        ["batch", "in", "-o", "out", "--people", "1.5"],
        ["models", "verify", "nope"],
        ["models"],
    ],
)
def test_wrong_usage_leaves_with_2(arguments, capsys):
    assert main(arguments) == 2
    assert "usage" in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    "arguments",
    [
        "build photo.jpg -o x.txt",
        "build photo.jpg -o x.blend --export x.zip",
        "build photo.jpg -o x.blend --cloud x.obj",
        "pose photo.jpg --armature rig.blend -o x.txt",
        "animate clip -o x.blend --export x.obj",
        "animate clip -o x.blend --bvh x.txt",
        "batch in -o out --export zip",
        "batch in -o out --library all.blend --no-blend",
    ],
)
def test_formats_that_cannot_be_meant_leave_with_2(arguments, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments.split()) == 2
    assert capsys.readouterr().err.startswith("Error: ")


@pytest.mark.parametrize(
    ("asked", "made"),
    [
        ("--extent bust --make scan", "avatar"),
        ("--one-mesh --make scan", "avatar"),
        ("--texture-size 512 --make scan", "avatar"),
        ("--extent bust --make scan --close", "avatar"),
        ("--close", "scan"),
        ("--close --make avatar", "scan"),
    ],
)
@pytest.mark.parametrize("command", ["build photo.jpg -o x.blend", "batch in -o out"])
def test_what_nothing_that_is_made_has_leaves_with_2(command, asked, made, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    assert main([*command.split(), *asked.split()]) == 2
    said = capsys.readouterr().err
    assert f"for a{'n' * (made == 'avatar')} {made}" in said and f"--make {made}" in said


@pytest.mark.parametrize("command", ["pose photo.jpg", "animate clip"])
def test_a_rig_that_is_not_there_is_told_before_the_network_runs(command, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([*command.split(), "--armature", "rig.blend", "-o", "x.blend"]) == 1
    assert capsys.readouterr().err == "Error: There is no file rig.blend. Give FILE.blend or FILE.blend:NAME.\n"


@pytest.mark.parametrize(
    "command", ["predict a.jpg", "build a.jpg -o a.blend", "demo", "pose a.jpg --armature r.blend -o a.blend"]
)
def test_where_a_photo_is_one_its_people_can_be_boxed(command):
    assert parser().parse_args([*command.split(), "--box", "1,2,3,4", "--box", "5,6,7,8"]).box == [(1, 2, 3, 4), (5, 6, 7, 8)]


@pytest.mark.parametrize("more", [["--make", "scan"], ["--box", "1,1,9,9"], ["--person", "anna.person"]])
def test_what_is_of_one_photo_does_not_go_with_a_demo_of_four(more, tmp_path, capsys):
    assert main(["demo", "--photos", "-o", str(tmp_path), *more]) == 2
    assert "--photos" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_the_demo_of_four_photos_looks_at_each_once(tmp_path, monkeypatch):
    """The first avatar is of the first photo alone, the second one of all."""
    looked, built = [], []

    def look(paths, folder, options, console):
        looked.extend(paths)
        return tuple(folder / f"{path.stem}.safetensors" for path in paths)

    def build(inputs, output, exports, preview, options, console, others=()):
        stems = [path.stem for path in (*inputs, *others)]
        built.append((stems, [path.name for path in (output, *exports, preview)]))

    monkeypatch.setattr(demo, "predictions_files", look)
    monkeypatch.setattr(demo, "build", build)
    monkeypatch.setattr(demo, "require_blender", lambda: None)
    assert main(["demo", "--photos", "-o", str(tmp_path), "--quiet"]) == 0
    four = ["sample_photo", "sample_side", "sample_back", "sample_close"]
    assert [path.stem for path in looked] == four and all(path.is_file() for path in looked)
    assert sum(path.stat().st_size for path in looked[1:]) < 1_000_000
    assert built == [
        (four[:1], ["demo.blend", "demo.glb", "demo.png"]),
        (four, ["demo_photos.blend", "demo_photos.glb", "demo_photos.png"]),
    ]


def test_version_is_the_manifest_s(capsys):
    assert main(["--version"]) == 0
    manifest = (ROOT / "blender_manifest.toml").read_text("utf-8")
    assert capsys.readouterr().out.strip() == re.search(r'^version = "(.+)"', manifest, re.MULTILINE)[1]


def test_every_command_of_the_readme_exists():
    readme = (ROOT / "README.md").read_text("utf-8")
    table = readme[readme.index("## The command line") : readme.index("## Python")]
    documented = set(re.findall(r"^\| `(\w+)", table, re.MULTILINE))
    known = set(next(a for a in parser()._actions if a.dest == "command").choices)
    assert documented == known


def test_results_and_failures_go_where_scripts_look(capsys):
    console = Console(quiet=True)
    console.result("a.blend")
    console.failed("b.jpg", SapiensError("b.jpg is empty.", "Choose a photo."))
    assert console.close() == 1
    out, err = capsys.readouterr()
    assert out == "a.blend\n"
    assert err == "Error: b.jpg: b.jpg is empty. Choose a photo.\n"


def test_json_says_all_of_it_at_once(capsys):
    console = Console(as_json=True, quiet=True)
    console.result("a.blend")
    console.failed(None, SapiensError("Stopped."))
    assert console.close() == 1
    assert json.loads(capsys.readouterr().out) == {
        "results": ["a.blend"],
        "failures": [{"input": "", "error": "Stopped.", "hint": ""}],
    }


def test_a_log_gets_a_line_per_stage_not_per_step(capsys):
    console = Console()
    for step in range(10):
        console.progress("photo.jpg", "maps", step / 20)
    console.progress("photo.jpg", "scan", 0.6)
    assert capsys.readouterr().err == "photo.jpg: maps (0%)\nphoto.jpg: scan (60%)\n"
