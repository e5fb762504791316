"""What values on the command line may be: types for argparse, which name a wrong one and leave with status 2."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from ..weights.catalogue import PREVIEW, SIZES, TASKS


def tasks(text: str) -> tuple[str, ...]:
    chosen = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    unknown = [task for task in chosen if task not in TASKS]
    if unknown or not chosen:
        raise argparse.ArgumentTypeError(f"unknown task {', '.join(unknown) or text!r}, choose from {', '.join(TASKS)}")
    return chosen


def box(text: str) -> tuple[float, ...]:
    try:
        box = tuple(float(part) for part in text.split(","))
    except ValueError:
        box = ()
    if len(box) != 4 or not (box[0] < box[2] and box[1] < box[3]):
        raise argparse.ArgumentTypeError(f"{text!r} is not a box: x1,y1,x2,y2 with x1 < x2 and y1 < y2")
    return box


def size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit() and 0 < int(width) <= 65536 and 0 < int(height) <= 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size: write 1920x1080")
    return int(width), int(height)


def chunk(text: str) -> tuple[int, int]:
    part, _, parts = text.partition("/")
    if not (part.isdigit() and parts.isdigit() and 1 <= int(part) <= int(parts)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a share: write 3/8 for the third of eight")
    return int(part), int(parts)


def model(text: str) -> str:
    """An id, or the path of a safetensors file."""
    if text in (PREVIEW, *SIZES) or text.endswith(".safetensors"):
        return text
    raise argparse.ArgumentTypeError(f"there is no model {text!r}, choose from {', '.join((PREVIEW, *SIZES))}")


def number(low: float, high: float = float("inf"), kind: type = float) -> Callable[[str], float]:
    """A type of numbers from low to high."""

    def check(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            whole = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(
                f"{text!r} is not {whole} {f'from {low:g} to {high:g}' if high < float('inf') else f'of {low:g} or more'}"
            )
        return value

    return check


def common_options() -> argparse.ArgumentParser:
    """What every command takes, as a parent of its parser."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="one JSON object on stdout instead of paths")
    common.add_argument("--quiet", action="store_true", help="no progress")
    return common
