"""The next network is read in a thread while another one runs."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .model.sapiens import Sapiens2

Stopped = Callable[[], bool]
"""Asked between tensors; True = nobody wants the network any more."""


class ReadAhead:
    """Holds at most one network that is being read, or was read and not taken yet."""

    def __init__(self) -> None:
        self._reader: ThreadPoolExecutor | None = None
        self._path: Path | None = None
        self._coming: Future[Sapiens2] | None = None
        self._stop = Event()

    def begin(self, path: Path, read: Callable[[Stopped], Sapiens2]) -> None:
        """Start to read the network of a file; `read` is called in the thread. Another one that is on its way is forgotten."""
        self.forget()
        if self._reader is None:
            self._reader = ThreadPoolExecutor(1, "read-ahead")
        self._stop = stop = Event()
        self._path, self._coming = path, self._reader.submit(read, stop.is_set)

    def take(self, path: Path) -> Sapiens2 | None:
        """The network of a file, waited for if need be. None if it is not on its way, or could not be read: who asks frees the
        other networks and reads it again, and hears why not."""
        if path != self._path or self._coming is None:
            return None
        coming, self._path, self._coming = self._coming, None, None
        return None if coming.exception() is not None else coming.result()

    def forget(self) -> bool:
        """Stop reading and free what was read; whether there was anything."""
        coming, self._path, self._coming = self._coming, None, None
        if coming is None:
            return False
        self._stop.set()
        if not coming.cancel():
            coming.exception()  # waits until the reading has ended; how it ended is of no interest any more
        return True
