"""`demo`: the built-in photo through the built-in preview model, and a picture to look at."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from ..core.skeleton import DATA
from .build import build
from .console import Console
from .inputs import check_writable

PHOTO = DATA / "sample_photo.jpg"


def run(options: Namespace, console: Console) -> None:
    from ..cli import parser

    folder = Path(options.output)
    targets = [folder / f"demo.{suffix}" for suffix in ("blend", "glb", "png")]
    for path in targets:
        check_writable(path)
    blend, glb, png = targets
    # The demo is what a person would type for their own photo, with every default.
    defaults = parser().parse_args(["build", str(PHOTO), "-o", str(blend)])
    build([PHOTO], blend, [glb], png, defaults, console)
