"""The face before there is a Python for the network."""

from __future__ import annotations

from bpy.types import Context, Panel

from .. import jobs
from .parts import draw_error, draw_setup
from .progress import draw_job
from .tab import Sidebar


class SAPIENS2_PT_setup(Sidebar, Panel):
    bl_idname = "SAPIENS2_PT_setup"
    bl_label = "Set Up"

    @classmethod
    def poll(cls, _context: Context) -> bool:
        return jobs.status.python is None

    def draw(self, _context: Context) -> None:
        if not jobs.status.found:
            jobs.status.found = True
            jobs.settle()  # the status bar need not show the way any more
        if not draw_job(self.layout):
            draw_setup(self.layout)
            draw_error(self.layout)


CLASSES = (SAPIENS2_PT_setup,)
