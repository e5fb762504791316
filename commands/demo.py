"""`demo`: the built-in photo through the built-in preview model, and a picture to look at."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from .build import build
from .console import Console
from .inputs import check_writable
from .options import add_build, add_network

PHOTO = Path(__file__).parents[1] / "data" / "sample_photo.jpg"
TEXTURE_SIZE = 1024
"""Texels; the photo has fewer on the person. A demo is a first look, and textures of twice the side take a third of its time."""

HELP = "The built-in photo through the built-in preview model: demo.blend, demo.glb and demo.png."


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("-o", "--output", default=".", metavar="DIR", help="where to write (default: here)")
    add_network(parser)
    add_build(parser)
    parser.set_defaults(texture_size=TEXTURE_SIZE)
    parser.epilog = f"The textures are {TEXTURE_SIZE} texels wide unless --texture-size says otherwise."


def run(options: Namespace, console: Console) -> None:
    folder = Path(options.output)
    targets = [folder / f"demo.{suffix}" for suffix in ("blend", "glb", "png")]
    for path in targets:
        check_writable(path)
    blend, glb, png = targets
    build([PHOTO], blend, [glb], png, options, console)
