"""A folder of photos through the network, in a process of its own."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import bpy
from bpy.types import Context, Operator

from .. import jobs
from ..core.errors import Cancelled, SapiensError
from ..core.worker_client import Task, clean_environment
from .job import Idle, fail, submit

_PROGRESS = re.compile(r"^batch: (.+) \((\d+)%\)$")


def run_command(command: list[str], progress: Callable[[str, float], None], stopped: Callable[[], bool]) -> None:
    """Run our command line in the worker's Python, its progress lines as ours. Raises Cancelled, or SapiensError at the end."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, encoding="utf-8",
        errors="replace", env=clean_environment(), creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )  # fmt: skip
    failures = []
    try:
        for line in process.stderr:
            if stopped():
                raise Cancelled
            if found := _PROGRESS.match(line.strip()):
                progress(found[1], int(found[2]) / 100)
            elif line.startswith("Error: "):
                failures.append(line.removeprefix("Error: ").strip())
        status = process.wait()
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait()
        process.stderr.close()
    if status:
        first = failures[0] if failures else f"It ended with exit status {status}."
        raise SapiensError(
            f"{len(failures)} inputs failed. The first: {first}", "report.csv in the output folder names them all."
        )


class SAPIENS2_OT_batch(Idle, Operator):
    """Run the network on every photo of the folder. Start it again to go on where it stopped"""

    bl_idname = "sapiens2.batch"
    bl_label = "Run Batch"

    @classmethod
    def poll(cls, context: Context) -> bool:
        if not super().poll(context):
            return False
        settings = context.scene.sapiens2
        if not settings.batch_folder or not settings.batch_output:
            cls.poll_message_set("Choose the folder of the photos and the folder of the results first")
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        settings = context.scene.sapiens2
        source, output = (Path(bpy.path.abspath(path)) for path in (settings.batch_folder, settings.batch_output))
        python = jobs.interpreter()
        if python is None:
            return fail(self, jobs.no_python())
        command = [str(python), "-I", "-u", str(jobs.WORKER), "command", "batch", str(source), "-o", str(output),
                   "--model", settings.model, "--no-blend", "--no-picture"]  # fmt: skip
        run = partial(run_command, command)
        return submit(self, Task("batch", source.name, {}, run=run))


CLASSES = (SAPIENS2_OT_batch,)
