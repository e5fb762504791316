"""What the C library keeps of freed memory."""

from __future__ import annotations

import ctypes
import sys
from functools import cache


@cache
def _trim():
    """The C library's function that gives freed memory back to the system; None where there is none (only glibc has it)."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None


def trim_heap() -> None:
    """Give the system what was freed. A backbone leaves holes of a hundred megabytes between what is still in use, into which the
    maps of a head do not fit."""
    if (trim := _trim()) is not None:
        trim(0)
