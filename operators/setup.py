"""The runtime, the cache, the log and the report: what keeps the extension working."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bpy
from bpy.props import EnumProperty, StringProperty
from bpy.types import Context, Event, Operator

from .. import jobs, preference_values
from ..core.common.errors import SapiensError
from ..core.common.version import VERSION
from ..core.common.wording import counted
from ..runtime import bug_report, environment
from ..worker.thread import ThreadJob
from .job import Idle, fail, submit
from .stored import delete_unused

FAST, SLOW = 100, 20
"""Connections to the internet that a time is said for, megabits a second."""


def network_error() -> SapiensError | None:
    """Why nothing may be downloaded now, None where it may."""
    if not bpy.app.online_access:
        return SapiensError("Blender is set to work offline.", "Allow Online Access in Blender's system preferences.", "network")
    if not preference_values.current().allow_network:
        return SapiensError(
            "Downloads are switched off in the extension's preferences.", "Switch on Allow Downloads there.", "preferences"
        )
    return None


def download_minutes(gigabytes: float, megabits: float) -> int:
    """How long a download takes over a connection of so many megabits a second, in whole minutes."""
    return max(1, round(gigabytes * 8000 / megabits / 60))


def _how_long(least: float, most: float) -> str:
    """How long the runtime takes to come, for the smallest and the largest download, in gigabytes."""
    minutes = [download_minutes(size, speed) for speed in (FAST, SLOW) for size in (least, most)]
    sentence = "That takes {:d} to {:d} minutes at {:d} Mbit/s, {:d} to {:d} at {:d}, and some more to unpack"
    return bpy.app.translations.pgettext_iface(sentence).format(*minutes[:2], FAST, *minutes[2:], SLOW)


class SAPIENS2_OT_runtime_install(Idle, Operator):
    """Install, repair or update what looks at the photos, in a folder of its own. Nothing is added to Blender"""

    bl_idname = "sapiens2.runtime_install"
    bl_label = "Install Runtime"

    backend: EnumProperty(
        name="Graphics",
        description="What it is downloaded for",
        items=(
            (
                "auto",
                "Automatic",
                "For the graphics card of this computer: NVIDIA, AMD, Intel or Apple; for the CPU where there is none",
            ),
            (
                "cpu",
                "CPU Only",
                "The smallest download; photos are looked at by the processor even where there is a graphics card",
            ),
            ("pypi", "Package Index", "From pypi.org alone, where nothing else can be reached"),
        ),
    )
    wheels: StringProperty(
        name="Files",
        description="A folder with the files of an installation, to use instead of the internet; empty: download",
        subtype="DIR_PATH",
        options={"SKIP_SAVE"},
    )

    def invoke(self, context: Context, _event: Event) -> set[str]:
        return context.window_manager.invoke_props_dialog(
            self, width=420, confirm_text="Repair" if jobs.status.python else "Install"
        )

    def draw(self, _context: Context) -> None:
        translate = bpy.app.translations.pgettext_iface
        column = self.layout.column(align=True)
        least, most = environment.DOWNLOAD_GIGABYTES
        disk_least, disk_most = environment.DISK_GIGABYTES
        if jobs.status.python is not None:
            column.label(text="Every file is compared with what was installed")
            column.label(text="What is damaged is put right, from what was kept or from the internet")
        else:
            if self.wheels:
                column.label(text="Nothing is downloaded")
            else:
                sizes = translate("Downloads {:.1f} GB (for the CPU) to {:.1f} GB (for graphics cards)").format(least, most)
                column.label(text=sizes, translate=False)
                column.label(text=_how_long(least, most), translate=False)
        column.label(text=translate("Takes {:.1f} to {:.1f} GB in this folder:").format(disk_least, disk_most), translate=False)
        column.label(text=str(jobs.runtime_folder()), icon="FILE_FOLDER", translate=False)
        column.label(text="You can cancel at any time, and go on later")
        column = self.layout.column()
        column.use_property_split, column.use_property_decorate = True, False
        row = column.row()
        row.enabled = not self.wheels
        row.prop(self, "backend")
        column.prop(self, "wheels")

    def execute(self, _context: Context) -> set[str]:
        wheels = Path(bpy.path.abspath(self.wheels)) if self.wheels else None
        if wheels is not None and not wheels.is_dir():
            return fail(
                self, SapiensError(f"There is no folder {wheels}.", "Choose the folder with the files of the installation.")
            )
        repair = jobs.status.python is not None
        problem = network_error() if wheels is None and not repair else None
        if problem is not None:
            return fail(self, problem)
        jobs.restart()
        folder, log = jobs.runtime_folder(), jobs.install_log()
        source = environment.Source(wheels, self.backend, offline=repair and network_error() is not None)
        return submit(
            self,
            ThreadJob("Runtime", run=lambda progress, stopped: environment.install(folder, log, progress, stopped, source)),
            jobs.start,
        )


class SAPIENS2_OT_runtime_remove(Idle, Operator):
    """Delete what looks at the photos, and what was downloaded for it"""

    bl_idname = "sapiens2.runtime_remove"
    bl_label = "Remove Runtime"

    def invoke(self, context: Context, event: Event) -> set[str]:
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, _context: Context) -> set[str]:
        jobs.restart()
        folder = jobs.runtime_folder()

        def work(progress: environment.Progress, _stopped: Callable[[], bool]) -> None:
            progress("deleting", 0.0)
            environment.remove(folder)

        return submit(self, ThreadJob("Runtime", run=work), jobs.start)


class SAPIENS2_OT_cache_clear(Operator):
    """Delete the stored predictions that this file does not need. Avatars in other files stay, but need their photos to be rebuilt"""  # noqa: E501 - Blender shows it as one line of a tooltip

    bl_idname = "sapiens2.cache_clear"
    bl_label = "Delete Stored Predictions"

    def invoke(self, context: Context, event: Event) -> set[str]:
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, _context: Context) -> set[str]:
        deleted, kept = delete_unused()
        self.report({"INFO"}, f"{counted(deleted, 'stored prediction')} deleted" + (f", {kept} kept" if kept else ""))
        return {"FINISHED"}


def describe_runtime() -> str:
    """For the report: whose Python runs the worker, and which torch it has where we installed it."""
    if jobs.chosen_python() is not None:
        return f"chosen Python {jobs.chosen_python()}"
    torch = environment.installed_torch(jobs.runtime_folder())
    return f"own, torch {torch}" if torch else "own, outdated" if jobs.status.outdated else "not installed"


class SAPIENS2_OT_report_copy(Operator):
    """Copy what a bug report needs: versions, the last error and the log, with your name and folders masked"""

    bl_idname = "sapiens2.report_copy"
    bl_label = "Copy Report"

    def execute(self, context: Context) -> set[str]:
        text = bug_report.compose(
            {
                "Sapiens2 Avatar": VERSION,
                "Blender": f"{bpy.app.version_string} ({bpy.app.build_platform.decode(errors='replace')})",
                "Runtime": describe_runtime(),
                "Weights": ", ".join(model for model, found in jobs.status.models.items() if found.tasks) or "none",
                "Device": preference_values.current().device,
                "Memory": f"{jobs.status.memory / 1e9:.0f} GB",
                "Last error": str(jobs.status.error or "none"),
            },
            jobs.status.detail,
            (jobs.log_file(), jobs.install_log()),
        )
        context.window_manager.clipboard = text
        self.report({"INFO"}, "Report copied, paste it into an issue")
        return {"FINISHED"}


class SAPIENS2_OT_log_open(Operator):
    """Open what the last jobs and the installation have written, in a text editor"""

    bl_idname = "sapiens2.log_open"
    bl_label = "Open Log"

    @classmethod
    def poll(cls, _context: Context) -> bool:
        if not jobs.log_file().exists() and not jobs.install_log().exists():
            cls.poll_message_set("There is no log yet: nothing has run")
            return False
        return True

    def execute(self, _context: Context) -> set[str]:
        logs = [path for path in (jobs.log_file(), jobs.install_log()) if path.exists()]
        bpy.ops.wm.path_open(filepath=str(max(logs, key=lambda path: path.stat().st_mtime)))
        return {"FINISHED"}


CLASSES = (
    SAPIENS2_OT_runtime_install,
    SAPIENS2_OT_runtime_remove,
    SAPIENS2_OT_cache_clear,
    SAPIENS2_OT_report_copy,
    SAPIENS2_OT_log_open,
)
