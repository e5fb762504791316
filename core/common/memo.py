"""Memoised results of stages that a slider does not touch, while the same photo is built again and again.
Bounded by their bytes."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import is_dataclass
from typing import Protocol, TypeVar

import numpy as np

T = TypeVar("T")

BUDGET = 1 << 30
"""Bytes of results by default. One setting of an avatar with textures of 2K leaves 115 to 140 MB and its image files 30, what all
settings of it share 130: five fit, so that an artist who goes back finds what was made. One build of the scan of a 24 megapixel
photo leaves at most 384 MB: base colour 72, highlights 96, matte and person 24 each, image files up to 168. A network needs
several times as much."""

ENTRY = 1 << 10
"""Bytes that every result counts for beside its arrays, so that small ones cannot grow without end either."""


class Once(Protocol):
    """Computes a part of a stage, or takes it from a memo. `name` is the part's own among those of the stage."""

    def __call__(self, name: str, compute: Callable[[], T]) -> T: ...


def anew(name: str, compute: Callable[[], T]) -> T:
    """`Once` without a memo."""
    return compute()


class Memo:
    """Results by their keys, least recently used ones dropped. Whoever builds repeatedly owns one and hands it to
    `core.avatar.make_avatars`.

    budget  bytes that all results together may have, as `size_of` counts them

    A key must hold all that the result depends on (`digest` for arrays); so a result is the same whether it was kept or not.
    Threads may share one.
    """

    def __init__(self, budget: int = BUDGET):
        self._budget = budget
        self._found: OrderedDict[Hashable, tuple[object, int]] = OrderedDict()
        self.size = 0
        """Bytes of the results that are held."""
        self._lock = threading.Lock()

    def get(self, key: Hashable, compute: Callable[[], T]) -> T:
        """The result that is held under `key`, else `compute()`,
        which is held from now on unless it raises or exceeds the budget."""
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                return self._found[key][0]  # type: ignore[return-value] (the key says what it is)
        result = compute()
        size = size_of(result)
        with self._lock:
            if size <= self._budget and key not in self._found:
                self._found[key] = result, size
                self.size += size
                while self.size > self._budget:
                    self.size -= self._found.popitem(last=False)[1][1]
        return result


def size_of(result: object) -> int:
    """Bytes of the memory that a result holds: every NumPy array in it once, whole even where only a view of it is used,
    and ENTRY."""
    owners = {id(owner): owner.nbytes for owner in map(_owner, _arrays(result))}
    return ENTRY + sum(owners.values())


def _owner(array: np.ndarray) -> np.ndarray:
    """The array whose memory a view shows."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _arrays(value: object) -> Iterator[np.ndarray]:
    """The arrays in a value: itself, and those in fields, cached properties, items and values of what it is made of."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _arrays(item)
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _arrays(item)
    elif is_dataclass(value):
        yield from _arrays(vars(value))


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
