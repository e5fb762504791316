"""A folder of photos and videos, in a process of its own: what the command `batch` does, with the settings of the sidebar."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import bpy
from bpy.props import BoolProperty, FloatProperty
from bpy.types import Context, Operator

from .. import jobs
from ..core.common.errors import Cancelled, SapiensError
from ..core.common.processes import clean_environment
from ..core.common.settings import as_arguments
from ..core.common.wording import counted
from ..properties import SapiensSettings, avatar_settings
from ..worker.thread import ThreadJob
from .build import network_settings
from .job import Idle, at_once, fail, submit

POLL_SECONDS = 0.1
_PROGRESS = re.compile(r"^batch: (.+) \((\d+)%\)$")


def run_command(command: list[str], progress: Callable[[str, float], None], stopped: Callable[[], bool]) -> None:
    """Run our command line in the worker's Python, its progress lines as ours. Raises Cancelled, or SapiensError at the end."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, encoding="utf-8",
        errors="replace", env=clean_environment(), creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )  # fmt: skip

    def end_when_stopped() -> None:
        """One photo may take minutes, and there is no line to read meanwhile."""
        while process.poll() is None:
            if stopped():
                process.terminate()
            time.sleep(POLL_SECONDS)

    assert process.stderr is not None  # a pipe
    threading.Thread(target=end_when_stopped, daemon=True).start()
    failures = []
    progress("looking for photos", 0.0)
    for line in process.stderr:
        if found := _PROGRESS.match(line.strip()):
            progress(found[1], int(found[2]) / 100)
        elif line.startswith("Error: "):
            failures.append(line.removeprefix("Error: ").strip())
    status = process.wait()
    process.stderr.close()
    if stopped():
        raise Cancelled
    if status:
        first = failures[0] if failures else f"It ended with exit status {status}."
        raise SapiensError(
            f"{counted(len(failures), 'input')} failed. The first: {first}", "report.csv in the output folder names them all."
        )


def batch_arguments(settings: SapiensSettings) -> list[str]:
    """The settings of the sidebar as arguments of the command `batch`."""
    source, output = (bpy.path.abspath(path) for path in (settings.batch.folder, settings.batch.output))
    network = network_settings(settings)
    avatar = avatar_settings(settings)
    found = ["batch", source, "-o", output]
    for part in (network, avatar, avatar.scan, avatar.texture, avatar.rig):
        found += as_arguments(part)
    if settings.batch.export != "NONE":
        found += ["--export", settings.batch.export]
    switches = {
        "--no-blend": not settings.batch.blend,
        "--no-picture": not settings.batch.picture,
        "--retry-failed": settings.batch.retry,
    }
    return found + [switch for switch, wanted in switches.items() if wanted] + jobs.this_blender()


def summary(output: Path) -> tuple[str, ...]:
    """A sentence about the report in the folder of the results; none where there is none."""
    try:
        statuses = [json.loads(line)["status"] for line in (output / "report.jsonl").read_text("utf-8").splitlines()]
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    failed = statuses.count("failed")
    return (
        f"Batch: {len(statuses) - failed} of {counted(len(statuses), 'input')} done" + (f", {failed} failed" if failed else ""),
    )


class SAPIENS2_OT_batch(Idle, Operator):
    """Make scenes, pictures and exports of every photo and video of the folder. Start it again to go on where it stopped"""

    bl_idname = "sapiens2.batch"
    bl_label = "Run Batch"

    @classmethod
    def poll(cls, context: Context) -> bool:
        if not super().poll(context):
            return False
        settings = context.scene.sapiens2
        if not settings.batch.folder or not settings.batch.output:
            cls.poll_message_set("Choose the folder of the photos and the folder of the results first")
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        settings = context.scene.sapiens2
        python = jobs.interpreter()
        if python is None:
            return fail(self, jobs.no_python())
        output = Path(bpy.path.abspath(settings.batch.output))

        def ended(_job: ThreadJob) -> None:
            jobs.status.notes = summary(output)

        run = partial(run_command, [str(python), "-I", "-u", str(jobs.COMMAND_LINE), *batch_arguments(settings)])
        return submit(self, ThreadJob(Path(settings.batch.folder).name or "Batch", run=run, on_end=ended), jobs.start)


class SAPIENS2_OT_batch_gather(Operator):
    """Bring all results of the batch into this scene, as instances of their collections on a grid"""

    bl_idname = "sapiens2.batch_gather"
    bl_label = "Bring Results into Scene"
    bl_options = {"REGISTER", "UNDO"}

    link: BoolProperty(name="Link", description="Leave the data in the files of the results instead of copying it")
    spacing: FloatProperty(
        name="Spacing", description="Distance between neighboring results", default=1.5, min=0.0, unit="LENGTH"
    )

    @classmethod
    def poll(cls, context: Context) -> bool:
        if not context.scene.sapiens2.batch.output:
            cls.poll_message_set("Choose the folder of the results first")
            return False
        return True

    @at_once
    def execute(self, context: Context) -> set[str]:
        from ..scene.library import gather
        from ..scene.typed import scene_of

        output = Path(bpy.path.abspath(context.scene.sapiens2.batch.output))
        files = sorted(path for path in output.glob("*/*.blend") if path.stem == path.parent.name)
        if not files:
            raise SapiensError(f"There are no .blend files in {output}.", "Run the batch with Scene switched on first.")
        made = gather(files, link=self.link, spacing=self.spacing, scene=scene_of(context))
        self.report({"INFO"}, f"{counted(len(made), 'result')} brought into the scene")
        return {"FINISHED"}


CLASSES = (SAPIENS2_OT_batch, SAPIENS2_OT_batch_gather)
