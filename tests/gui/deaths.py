"""The worker dies in the middle of its work. Runs inside Blender, see driver.py."""

from __future__ import annotations

import os
import resource
import signal

from driver import NET, datablocks, picture, press, rest, until
from steps import at_rest, finish_run, hold_workers, jobs, left_behind, project, run_to, stored

HOW = os.environ.get("HOW", "")


def end_worker():
    """Kill it, or take away its memory."""
    pid = jobs().worker().pid
    if HOW == "memory":
        resource.prlimit(pid, resource.RLIMIT_AS, (1 << 20, 1 << 20))
    else:
        os.kill(pid, getattr(signal, HOW))


def killed():
    """At each point: one sentence with the next step, the scene untouched, and at the end the next run works."""
    if HOW == "memory":
        # Freed arrays go back to the system at once, so that a limit meets the next array, not what an earlier one left.
        os.environ["MALLOC_MMAP_THRESHOLD_"] = str(1 << 16)
    yield from project()
    points, before, deaths = hold_workers(), datablocks(), []
    for point in ("predict/maps", "predict/writing", "build/scan", "build/rig"):
        yield from run_to(point, points)
        kind = jobs().current().request.job
        end_worker()
        points.release()
        yield from until(at_rest, NET)
        error = jobs().status.error
        assert error is not None, point
        deaths.append({"point": point, "kind": kind, "message": error.message, "hint": error.hint, "left": left_behind(),
                       "same": datablocks() == before, "stored": len(stored())})  # fmt: skip
        if len(deaths) == 1:
            yield from rest()
            picture(f"killed_{HOW.lower()}", crop_panel=True)
        if HOW == "memory":
            jobs().restart()  # a limit once set stays with the process
    yield from press("sapiens2.run", start=0.35)
    made = yield from finish_run(before)
    return {"before": before, "made": made, "deaths": deaths, "error": jobs().status.error}
