"""What a command says: progress on stderr, results on stdout, failures with their reasons, and the exit status."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from ..core.common.errors import SapiensError
from ..core.common.processes import silence_stdout


class Console:
    """Collects results and failures of one command.

    as_json  stdout gets one JSON object at the end: results, failures, and whatever `record` was given
    quiet    no progress
    """

    def __init__(self, as_json: bool = False, quiet: bool = False):
        self.as_json, self.quiet = as_json, quiet
        self.results: list[str] = []
        self.failures: list[dict[str, str]] = []
        self.records: dict = {}
        self._out = sys.stdout
        self._bar = None
        self._last = ("", "")

    def claim_stdout(self) -> None:
        """From here on only results reach stdout. Blender prints there from C, and scripts want nothing but paths."""
        try:
            real = sys.stdout.fileno() == 1
        except (AttributeError, OSError):  # a stream of Python's own, as in tests
            real = False
        if real and self._out is sys.stdout:
            sys.stdout.flush()
            self._out = os.fdopen(os.dup(1), "w", encoding=sys.stdout.encoding, errors="surrogateescape")
            silence_stdout()

    def progress(self, label: str, stage: str, fraction: float) -> None:
        """The share of the work on `label` that is done: a bar on a terminal, a line per stage in a log."""
        if self.quiet:
            return
        if sys.stderr.isatty():
            from tqdm import tqdm

            if self._bar is None:
                self._bar = tqdm(total=100, file=sys.stderr, leave=False, bar_format="{desc} {bar} {percentage:3.0f}% {elapsed}")
            self._bar.set_description_str(f"{label}: {stage}", refresh=False)
            self._bar.n = round(100 * fraction)
            self._bar.refresh()
        elif (label, stage) != self._last:
            sys.stderr.write(f"{label}: {stage} ({fraction:.0%})\n")
            self._last = (label, stage)

    def note(self, text: str) -> None:
        """A sentence for the person who watches."""
        self._clear()
        sys.stderr.write(f"{text}\n")

    def result(self, value: str | Path) -> None:
        """Something that was made: printed at once, so that a script can pick it up."""
        self._clear()
        self.results.append(str(value))
        if not self.as_json:
            self._out.write(f"{value}\n")
            self._out.flush()

    def record(self, **values: object) -> None:
        """More to say with --json."""
        self.records.update(values)

    def failed(self, item: str | Path | None, error: SapiensError) -> None:
        """An input that failed, with its reason and the next step."""
        self._clear()
        self.failures.append({"input": str(item) if item is not None else "", "error": error.message, "hint": error.hint})
        sys.stderr.write(f"Error: {f'{item}: ' if item is not None else ''}{error}\n")

    def close(self) -> int:
        """Write the JSON if asked, and return the exit status."""
        self._clear()
        if self.as_json:
            self._out.write(
                json.dumps({"results": self.results, "failures": self.failures, **self.records}, indent=1, ensure_ascii=False)
                + "\n"
            )
        self._out.flush()
        return 1 if self.failures else 0

    def _clear(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
