"""Small photos and odd files to make batches of."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from support.held_worker import Points

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample_photo.jpg"
# One thread per process: how a sum is split among threads shows in its last bits.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
LONG = "é" * 50 + "x" * 146 + ".jpg"  # 200 characters; a name of more than 255 bytes cannot exist on most disks
WITHOUT_RIGHTS = ["setpriv", *(f"--{caps}=-dac_override,-dac_read_search" for caps in ("inh-caps", "bounding-set"))]


@dataclass(frozen=True)
class Odd:
    """What is odd, and what is asked for: name of the file -> None for a result, or a word of the reason why there is none."""

    expected: dict[str, str | None]

    @property
    def possible(self) -> set[str]:
        return {name for name, reason in self.expected.items() if reason is None}


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """Variables for the processes of a batch."""
    return ENVIRONMENT


@pytest.fixture(scope="session")
def photo():
    """The built-in photo, 144 pixels wide."""
    if find_spec("torch") is None:
        pytest.skip("a batch of photos needs the network")
    image = pytest.importorskip("PIL.Image", reason="needs Pillow")
    if not SAMPLE.exists():
        pytest.skip("the built-in photo is not there")
    found = image.open(SAMPLE).convert("RGB")
    return found.resize((144, round(144 * found.height / found.width)))


@pytest.fixture(scope="session")
def plain_photos(photo) -> Callable[[Path, int], list[Path]]:
    """Function: write so many different photos of a person to a folder."""
    from PIL import ImageEnhance, ImageOps

    def write(folder: Path, count: int) -> list[Path]:
        paths = []
        for i in range(count):
            cut = i % 5
            image = photo.crop((cut, cut // 2, photo.width - cut, photo.height - cut // 2))
            image = ImageOps.mirror(image) if i % 2 else image
            image = ImageEnhance.Brightness(image).enhance(0.8 + 0.4 * (i % 7) / 6)
            paths.append(folder / f"photo {i:03d}.{'png' if i % 3 else 'jpg'}")
            ImageEnhance.Color(image).enhance(0.6 + i / max(count, 2)).save(paths[-1])
        return paths

    return write


@pytest.fixture(scope="session")
def odd_inputs(photo) -> Callable[[Path], Odd]:
    """Function: write fifteen odd inputs to a folder."""
    from PIL import Image

    def write(folder: Path) -> Odd:
        photo.save(folder / "original.jpg", quality=92)
        photo.save(folder / "really a png.jpg", format="PNG")
        photo.convert("CMYK").save(folder / "cmyk.jpg", quality=95)
        Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) * 257).save(folder / "sixteen.png")
        photo.save(folder / "animated.gif", save_all=True, append_images=[photo.rotate(5)])
        photo.rotate(2).save(folder / LONG)
        pair = Image.new("RGB", (2 * photo.width, photo.height))
        pair.paste(photo, (0, 0))
        pair.paste(photo, (photo.width, 0))
        pair.save(folder / "two.png")
        (folder / "plain copy.jpg").write_bytes((folder / "original.jpg").read_bytes())
        (folder / "empty.jpg").write_bytes(b"")
        (folder / "cut.jpg").write_bytes((folder / "original.jpg").read_bytes()[:2000])
        Image.new("1", (30000, 6000)).save(folder / "wide.png")
        Image.new("RGB", (1, 1)).save(folder / "pixel.png")
        cut_out = photo.convert("RGBA")  # the preview model sees a person in everything, but not where there is nothing
        cut_out.putalpha(0)
        cut_out.save(folder / "nobody.png")
        (folder / "folder.jpg").mkdir()
        (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
        if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("setpriv") is None:
            warnings.warn(
                "root may read everything, and there is no setpriv here: a pipe stands for the unreadable file", stacklevel=1
            )
            os.mkfifo(folder / "secret.jpg")
        else:
            photo.rotate(3).save(folder / "secret.jpg")
            (folder / "secret.jpg").chmod(0)
        results = dict.fromkeys(
            ("really a png.jpg", "cmyk.jpg", "sixteen.png", "animated.gif", LONG, "two.png", "plain copy.jpg")
        )
        reasons = {"empty.jpg": "image", "cut.jpg": "damaged", "wide.png": "megapixels", "pixel.png": "too small",
                   "nobody.png": "No person", "folder.jpg": "folder", "loop.jpg": "could not be read",
                   "secret.jpg": "read"}  # fmt: skip
        return Odd({**results, **reasons})

    return write


@pytest.fixture(scope="session")
def command() -> Callable[..., list[str]]:
    """Function: the command line of a batch, as somebody who may not read everything."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("setpriv") is not None
    rights = WITHOUT_RIGHTS if root else []

    def make(source: Path, output: Path, *more: str) -> list[str]:
        return [
            *rights,
            sys.executable,
            "-m",
            "sapiens2_avatar",
            "batch",
            str(source),
            "-o",
            str(output),
            "--make",
            "scan",
            "--quiet",
            *more,
        ]

    return make


@pytest.fixture
def points_folder(tmp_path) -> Path:
    """Where a test and the batches that it starts speak of points."""
    folder = tmp_path / "points"
    folder.mkdir()
    return folder


@pytest.fixture
def points(points_folder) -> Points:
    """Where the batches that a test starts with `held_command` stop: "writing NAME"."""
    return Points(points_folder)


@pytest.fixture(scope="session")
def held_command(command) -> Callable[..., list[str]]:
    """Function: the command line of a batch that stops at points, to be started with `Points.environment`."""
    held = str(Path(__file__).with_name("held_batch.py"))

    def make(*arguments: object) -> list[str]:
        made = command(*arguments)
        module = made.index("-m")
        return [*made[:module], held, *made[module + 2 :]]

    return make


@pytest.fixture(scope="session")
def run(command) -> Callable[..., tuple[int, str, str]]:
    """Function: run a batch to its end; exit status, stdout, stderr."""

    def call(source: Path, output: Path, *more: str, seconds: float = 900) -> tuple[int, str, str]:
        done = subprocess.run(command(source, output, *more), capture_output=True, text=True, timeout=seconds, env=ENVIRONMENT)
        return done.returncode, done.stdout, done.stderr

    return call


@pytest.fixture(scope="session")
def contents() -> Callable[[Path], dict[str, bytes]]:
    """Function: every file of a batch's output, by its path in it."""

    def read(output: Path) -> dict[str, bytes]:
        found = (p for p in output.rglob("*") if p.is_file() and not p.name.startswith(".batch"))
        return {p.relative_to(output).as_posix(): p.read_bytes() for p in found}

    return read
