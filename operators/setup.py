"""The runtime, the cache, the log and the report: what keeps the extension working."""

from __future__ import annotations

import shutil
from pathlib import Path

import bpy
from bpy.props import StringProperty
from bpy.types import Context, Event, Operator

from .. import jobs, preferences
from ..core import report, runtime
from ..core.errors import SapiensError
from ..core.worker_client import Task


def network_problem() -> str:
    """Why nothing may be downloaded now, empty where it may."""
    if not bpy.app.online_access:
        return "Allow Online Access in Blender's system preferences first"
    if not preferences.current().allow_network:
        return "Downloads are switched off in the extension's preferences"
    return ""


class SAPIENS2_OT_runtime_install(Operator):
    """Make the Python environment that runs the network, in a folder of the extension. Nothing is added to Blender's own Python"""

    bl_idname = "sapiens2.runtime_install"
    bl_label = "Install Runtime"

    wheels: StringProperty(
        name="Folder of Wheels",
        description="Install from these files instead of the internet; empty: download",
        subtype="DIR_PATH",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, _context: Context) -> bool:
        if jobs.current() is not None:
            cls.poll_message_set("Another job is running")
            return False
        return True

    def invoke(self, context: Context, _event: Event) -> set[str]:
        return context.window_manager.invoke_props_dialog(self, width=420, confirm_text="Install")

    def draw(self, _context: Context) -> None:
        column = self.layout.column(align=True)
        least, most = runtime.DOWNLOAD_GIGABYTES
        disk_least, disk_most = runtime.DISK_GIGABYTES
        column.label(text=f"Downloads {least} GB (for the CPU) to {most} GB (for NVIDIA cards)")
        column.label(text=f"Takes {disk_least} to {disk_most} GB in this folder:")
        column.label(text=str(jobs.runtime_folder()), icon="FILE_FOLDER", translate=False)
        column.label(text="You can cancel at any time, and go on later")
        self.layout.prop(self, "wheels")

    def execute(self, _context: Context) -> set[str]:
        wheels = Path(bpy.path.abspath(self.wheels)) if self.wheels else None
        problem = network_problem() if wheels is None else ""
        if problem:
            self.report({"ERROR"}, problem)
            return {"CANCELLED"}
        jobs.restart()
        folder, log = jobs.runtime_folder(), jobs.install_log()
        task = Task(
            "runtime", "Runtime", {}, run=lambda progress, stopped: runtime.install(folder, log, progress, stopped, wheels)
        )
        jobs.submit_task(task)
        if bpy.app.background:
            jobs.wait_task(task)
            if task.error is not None:
                self.report({"ERROR"}, str(task.error))
                return {"CANCELLED"}
        return {"FINISHED"}


class SAPIENS2_OT_runtime_remove(Operator):
    """Delete the Python environment that the extension has made, and what was downloaded for it"""

    bl_idname = "sapiens2.runtime_remove"
    bl_label = "Remove Runtime"

    @classmethod
    def poll(cls, _context: Context) -> bool:
        if jobs.current() is not None:
            cls.poll_message_set("Another job is running")
            return False
        return True

    def invoke(self, context: Context, event: Event) -> set[str]:
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, _context: Context) -> set[str]:
        jobs.restart()
        try:
            runtime.remove(jobs.runtime_folder())
        except SapiensError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        finally:
            jobs.refresh()
        return {"FINISHED"}


class SAPIENS2_OT_cache_clear(Operator):
    """Delete the stored predictions. Avatars in your files stay, but they cannot be rebuilt without running the network again"""

    bl_idname = "sapiens2.cache_clear"
    bl_label = "Delete Stored Predictions"

    def invoke(self, context: Context, event: Event) -> set[str]:
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, _context: Context) -> set[str]:
        count = 0
        for path in preferences.cache_folder().glob("*.safetensors"):
            path.unlink(missing_ok=True)
            count += 1
        shutil.rmtree(preferences.user_folder("previews"), ignore_errors=True)
        self.report({"INFO"}, f"{count} predictions deleted")
        return {"FINISHED"}


class SAPIENS2_OT_report_copy(Operator):
    """Copy what a bug report needs: versions, the last error and the log, with your name and folders masked"""

    bl_idname = "sapiens2.report_copy"
    bl_label = "Copy Report"

    def execute(self, context: Context) -> set[str]:
        text = report.compose(
            {
                "Sapiens2 Avatar": report.extension_version(),
                "Blender": f"{bpy.app.version_string} ({bpy.app.build_platform.decode(errors='replace')})",
                "Runtime": "installed" if jobs.interpreter() else "not installed",
                "Last error": str(jobs.status.error or "none"),
            },
            jobs.status.detail,
            (jobs.log_file(), jobs.install_log()),
        )
        context.window_manager.clipboard = text
        self.report({"INFO"}, "Report copied, paste it into an issue")
        return {"FINISHED"}


class SAPIENS2_OT_log_open(Operator):
    """Open what the worker and its libraries have written in a text editor"""

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
