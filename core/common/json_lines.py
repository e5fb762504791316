"""What two processes say to each other: one JSON object per line, in ASCII, arrays by file."""

from __future__ import annotations

import json
from collections.abc import Mapping


def encode_line(message: Mapping[str, object]) -> bytes:
    """The message as one line. Raises ValueError for numbers that are not finite, which JSON cannot say."""
    return json.dumps(message, ensure_ascii=True, allow_nan=False).encode("ascii") + b"\n"


def decode_line(line: bytes) -> dict:
    """The message of one line. Raises ValueError for anything else: a line that is cut off or empty, since who wrote it is gone,
    or that a library has printed."""
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError(f"{message!r} is no message.")
    return message
