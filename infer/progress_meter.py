"""How far a prediction is, and whether it was cancelled."""

from __future__ import annotations

from collections.abc import Callable

from ..core.common.errors import Cancelled
from ..core.common.progress import Progress


class ProgressMeter:
    """Turns work, in any unit, into shares of all that is to do.

    progress  called with (stage, share of all the work that is done)
    cancel    asked at every report; True ends the job with Cancelled
    """

    def __init__(self, progress: Progress | None = None, cancel: Callable[[], bool] | None = None):
        self._progress, self._cancel = progress, cancel
        self._done, self._total, self._share = 0.0, 1.0, 0.0

    @property
    def is_watched(self) -> bool:
        """Whether reports reach anybody."""
        return self._progress is not None or self._cancel is not None

    def expect(self, work: float) -> None:
        """Tell how much work is still to come."""
        self._total = self._done + work

    def add(self, work: float) -> None:
        """So much of the work is done."""
        self._done += work

    def report(self, stage: str, ahead: float = 0.0) -> None:
        """Progress of `stage`, with `ahead` more work done than was added. Raises Cancelled when asked to stop."""
        if self._cancel is not None and self._cancel():
            raise Cancelled
        if self._progress is not None:
            # Finding more people makes more work: the share stands still then, it does not fall.
            self._share = max(self._share, min((self._done + ahead) / max(self._total, 1e-9), 1.0))
            self._progress(stage, self._share)

    def finish(self) -> None:
        """Report that all is done."""
        self._done = self._total
        self.report("done")
