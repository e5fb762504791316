"""The worker dies in the middle of its work. Runs inside Blender, see driver.py."""

from __future__ import annotations

import os
import resource
import signal
import time

from driver import datablocks, picture, press, rest, until
from steps import each_stage, finish_run, jobs, left_behind, project

HOW = os.environ.get("HOW", "")


def end_worker():
    """Kill it, or take away its memory."""
    pid = jobs().worker().pid
    if HOW == "memory":
        resource.prlimit(pid, resource.RLIMIT_AS, (1 << 20, 1 << 20))
    else:
        os.kill(pid, getattr(signal, HOW))


def killed():
    """In each stage: one sentence with the next step, the scene untouched, and at the end the next run works."""
    if HOW == "memory":
        # Freed arrays go back to the system at once, so that a limit meets the next array, not what an earlier one left.
        os.environ["MALLOC_MMAP_THRESHOLD_"] = str(1 << 16)
    yield from project()
    before, deaths = datablocks(), []

    def die():
        stage, start = jobs().current().stage, time.monotonic()
        end_worker()
        yield from until(lambda: jobs().current() is None, 15)
        seconds = time.monotonic() - start
        yield 0.5
        error = jobs().status.error
        assert error is not None, f"the job was done before it was hit: {stage}"
        deaths.append({"stage": stage, "seconds": seconds, "message": error.message, "hint": error.hint, "left": left_behind()})
        if len(deaths) == 1:
            yield from rest()
            picture(f"killed_{HOW.lower()}", crop_panel=True)
        if HOW == "memory":
            jobs().restart()  # a limit once set stays with the process

    yield from each_stage(die, network=(0.04,), build=(0.2, 0.8))
    after = datablocks()
    yield from press("sapiens2.run", start=0.35)
    made = yield from finish_run(before)
    return {"before": before, "after": after, "made": made, "deaths": deaths}
