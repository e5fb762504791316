"""`predict IMAGE… -o DIR`: one predictions file per image."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from ..core.common.errors import SapiensError
from .console import Console
from .inputs import check_writable, predict_photo
from .options import add_network

HELP = "Run the network: one predictions file per image."


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("images", nargs="+", metavar="IMAGE")
    parser.add_argument("-o", "--output", default=".", metavar="DIR", help="where to write (default: here)")
    add_network(parser)


def run(options: Namespace, console: Console) -> None:
    taken: set[Path] = set()
    for path in map(Path, options.images):
        target = _unused(Path(options.output) / f"{path.stem}.safetensors", taken)
        try:
            check_writable(target)
            console.result(predict_photo(path, options, console).save(target))
        except SapiensError as error:
            console.failed(path, error)


def _unused(path: Path, taken: set[Path]) -> Path:
    """A name that no other input of this call has: a.jpg and a.png must not overwrite each other."""
    stem, n = path.stem, 2
    while path in taken:
        path, n = path.with_name(f"{stem}-{n}{path.suffix}"), n + 1
    taken.add(path)
    return path
