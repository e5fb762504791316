"""Over all inputs: report.jsonl while it happens, report.csv and contact.png at the end."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.common.atomic_files import atomic_write
from .record import Record

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

COLUMNS = ("input", "name", "status", "error", "hint", "notes", "files", "sha256")
TILE, CAPTION, SHEET = 320, 22, 8192


def line_of(name: str, record: Record) -> dict:
    """The line of one input: the same for the same result, without times, so that runs can be compared."""
    status = "failed" if record.error else "copy" if record.copy_of else "done"
    return {
        "input": record.input,
        "name": record.copy_of or name,
        "status": status,
        "error": record.error,
        "hint": record.hint,
        "notes": record.notes,
        "files": sorted(file for stage in record.stages.values() for file in stage["files"]),
        "sha256": record.sha256,
    }


class Journal:
    """report.jsonl as it happens: one line per input, on the disk before the next one starts."""

    def __init__(self, path: Path):
        self._file = path.open("w", encoding="utf-8", errors="surrogateescape")

    def write(self, line: dict) -> None:
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def write_reports(output: Path, suffix: str, lines: list[dict]) -> list[Path]:
    """report.jsonl (in the order of the inputs) and report.csv, each whole or not at all."""
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, COLUMNS)
    table.writeheader()
    table.writerows({**line, "notes": " ".join(line["notes"]), "files": " ".join(line["files"])} for line in lines)
    contents = {
        f"report{suffix}.jsonl": "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines),
        f"report{suffix}.csv": text.getvalue(),
    }
    for name, content in contents.items():
        with atomic_write(output / name) as file:
            file.write(content.encode("utf-8", "surrogateescape"))
    return [output / name for name in contents]


def write_contact_sheet(path: Path, lines: Iterable[dict], output: Path) -> Path:
    """A picture of all results, in the order of the inputs: a failed one is a tile with its reason.

    At most 8192 pixels a side.
    """
    from PIL import Image

    lines = list(lines)
    columns = max(1, math.ceil(math.sqrt(len(lines) * 0.6)))
    rows = math.ceil(len(lines) / columns)
    tile = max(48, min(TILE, SHEET // columns, SHEET * 2 // rows))
    height = tile // 2 + CAPTION
    sheet = Image.new("RGB", (columns * tile, max(1, rows) * height), (30, 31, 34))
    for i, line in enumerate(lines):
        sheet.paste(_tile(line, output, tile, height), (i % columns * tile, i // columns * height))
    with atomic_write(path) as file:
        sheet.save(file, format="PNG")
    return path


def _tile(line: dict, output: Path, width: int, height: int) -> Image.Image:
    """One input of the sheet: its picture or its reason, and its name."""
    from PIL import Image, ImageDraw

    failed = bool(line["error"])
    tile = Image.new("RGB", (width, height), (72, 34, 34) if failed else (46, 48, 52))
    picture = output / line["name"] / f"{line['name']}.png"
    if not failed and picture.exists():
        with Image.open(picture) as image:
            image.thumbnail((width - 4, height - CAPTION - 4))
            tile.paste(image.convert("RGB"), ((width - image.width) // 2, 2))
    draw = ImageDraw.Draw(tile)
    font = _font()
    draw.text((6, height - CAPTION + 3), _fit(draw, Path(line["input"]).name, font, width - 12), fill=(225, 225, 225), font=font)
    if failed:
        words = np.array_split(np.array(line["error"].split()), max(1, len(line["error"]) // max(8, width // 8) + 1))
        draw.multiline_text((6, 6), "\n".join(" ".join(part) for part in words), fill=(255, 190, 180), font=font)
    return tile


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(size=13)


def _fit(draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """The text, cut where it would be wider than `width` pixels."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    while len(text) > 4 and draw.textlength(text, font=font) > width:
        text = text[: len(text) * 3 // 4] + "…"
    return text
