"""Results of stages that a slider does not touch, kept while the same photo is built again and again."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Kept:
    """The latest `limit` results by their keys. Whoever builds repeatedly owns one and hands it to `core.avatar.make_avatars`.

    A key must hold all that the result depends on (`digest` for arrays); so a result is the same whether it was kept or not.
    """

    def __init__(self, limit: int = 24):
        self._limit = limit
        self._found: OrderedDict[tuple, object] = OrderedDict()

    def get(self, key: tuple, compute: Callable[[], T]) -> T:
        """The result that was kept under `key`, else `compute()`, which is kept unless it raises."""
        if key not in self._found:
            self._found[key] = compute()
        self._found.move_to_end(key)
        while len(self._found) > self._limit:
            self._found.popitem(last=False)
        return self._found[key]  # type: ignore[return-value] (the key says what it is)


def digest(*parts: np.ndarray | str | None) -> str:
    """A short name for the contents of arrays, with their types and shapes, and strings: the same for the same, and no other."""
    found = hashlib.sha256()  # processors have instructions for it: twice as fast as others
    for part in parts:
        if isinstance(part, np.ndarray):
            found.update(f"{part.dtype.str}{part.shape}".encode())
            found.update(np.ascontiguousarray(part).view(np.uint8).data if part.size else b"")
        else:
            found.update(repr(part).encode())
    return found.hexdigest()[:32]
