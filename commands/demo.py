"""`demo`: the built-in photo through the built-in preview model, and a picture to look at; with `--photos` the same of four."""

from __future__ import annotations

import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from ..core.common.errors import UsageError
from .build import build, require_blender
from .console import Console
from .inputs import check_writable, predictions_files
from .options import add_build, add_network

DATA = Path(__file__).parents[1] / "data"
PHOTO = DATA / "sample_photo.jpg"
OTHERS = tuple(DATA / f"sample_{view}.jpg" for view in ("side", "back", "close"))
"""More photos of the same person."""
TEXTURE_SIZE = 1024
"""Texels; the photo has fewer on the person. A demo is a first look, and textures of twice the side take a third of its time."""

HELP = "The built-in photo through the built-in preview model: demo.blend, demo.glb and demo.png."


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("-o", "--output", default=".", metavar="DIR", help="where to write (default: here)")
    parser.add_argument(
        "--photos",
        action="store_true",
        help="also the same person from four photos: demo_photos.blend, demo_photos.glb and demo_photos.png",
    )
    add_network(parser)
    add_build(parser)
    parser.set_defaults(texture_size=TEXTURE_SIZE)
    parser.epilog = f"The textures are {TEXTURE_SIZE} texels wide unless --texture-size says otherwise."


def run(options: Namespace, console: Console) -> None:
    _check(options)
    folder = Path(options.output)
    one = _targets(folder, "demo")
    if not options.photos:
        _make(PHOTO, (), one, options, console)
        return
    four = _targets(folder, "demo_photos")
    require_blender()
    with tempfile.TemporaryDirectory(prefix="sapiens2-") as place:
        seen = predictions_files([PHOTO, *OTHERS], Path(place), options, console)
        if seen and seen[0].stem == PHOTO.stem:  # each photo is looked at once, for both
            _make(seen[0], (), one, options, console)
            _make(seen[0], seen[1:], four, options, console)


def _check(options: Namespace) -> None:
    """Raises UsageError where several photos and something else are asked for that do not go together."""
    if not options.photos:
        return
    if options.known_person:
        raise UsageError(
            "Who the person is comes from a file or from all photos, not from both.", "Leave --person or --photos out."
        )
    if options.make == "scan":
        raise UsageError("A scan is what one photo shows of a person.", "Leave --photos or --make scan out.")
    if options.box:
        raise UsageError("A box is a place in one photo.", "Leave --box or --photos out.")


def _targets(folder: Path, name: str) -> tuple[Path, Path, Path]:
    """The .blend, the .glb and the .png of this name. Raises SapiensError where they cannot be written."""
    blend, glb, png = (folder / f"{name}.{suffix}" for suffix in ("blend", "glb", "png"))
    for path in (blend, glb, png):
        check_writable(path)
    return blend, glb, png


def _make(photo: Path, others: Sequence[Path], targets: tuple[Path, Path, Path], options: Namespace, console: Console) -> None:
    blend, glb, png = targets
    build([photo], blend, [glb], png, options, console, others=others)
