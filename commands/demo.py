"""`demo`: the built-in photo through the built-in preview model, and a picture to look at."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from ..core.common.landmarks import DATA
from .build import build
from .console import Console
from .inputs import check_writable

PHOTO = DATA / "sample_photo.jpg"


def run(options: Namespace, console: Console) -> None:
    folder = Path(options.output)
    targets = [folder / f"demo.{suffix}" for suffix in ("blend", "glb", "png")]
    for path in targets:
        check_writable(path)
    blend, glb, png = targets
    build([PHOTO], blend, [glb], png, options, console)
