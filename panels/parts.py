"""What several panels draw: text that wraps, the running job, the last error, the way to the runtime."""

from __future__ import annotations

import bpy
from bpy.types import UILayout

from .. import jobs

TEXT_WIDTH = 34
"""Letters that fit into the sidebar at its default width."""


def paragraph(layout: UILayout, text: str, icon: str = "NONE") -> None:
    """Text in as many lines as the sidebar needs."""
    words, lines = bpy.app.translations.pgettext_iface(text).split(), [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + 1 + len(word) > TEXT_WIDTH:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    column = layout.column(align=True)
    column.scale_y = 0.8
    for index, line in enumerate(lines):
        column.label(text=line, icon=icon if index == 0 else ("BLANK1" if icon != "NONE" else "NONE"), translate=False)


def draw_error(layout: UILayout) -> None:
    """The last error in a red box, with the next step and the way to the log."""
    error = jobs.status.error
    if error is None:
        return
    box = layout.box()
    column = box.column()
    column.alert = True
    paragraph(column, error.message, "ERROR")
    if error.hint:
        paragraph(box, error.hint)
    row = box.row(align=True)
    row.operator("sapiens2.report_copy", icon="COPYDOWN")
    row.operator("sapiens2.log_open", icon="TEXT")


def draw_job(layout: UILayout) -> bool:
    """The face of a running job. False when nothing runs."""
    job = jobs.current()
    if job is None:
        return False
    layout.label(text=job.title, translate=False)
    seconds = job.seconds_left()
    stage = bpy.app.translations.pgettext_iface(job.stage.capitalize() or "Waiting")
    text = f"{stage} {job.fraction:.0%}" if seconds is None else f"{stage} {job.fraction:.0%}, {_duration(seconds)}"
    if job.cancel_at is not None:
        text = bpy.app.translations.pgettext_iface("Stopping")
    row = layout.row(align=True)
    row.progress(factor=job.fraction, type="BAR", text=text)
    row.operator("sapiens2.cancel", text="", icon="X")
    if jobs.waiting():
        layout.label(text=bpy.app.translations.pgettext_iface("{:d} more waiting").format(jobs.waiting()), translate=False)
    return True


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(5, 5 * round(seconds / 5)):d} s"
    return f"{seconds / 60:.0f} min"


def draw_setup(layout: UILayout) -> None:
    """The face before there is a Python with torch."""
    if jobs.status.outdated:
        paragraph(layout, "The runtime belongs to an older version of the extension.")
        layout.operator("sapiens2.runtime_install", text="Update Runtime", icon="FILE_REFRESH")
        return
    paragraph(layout, "The network runs in a Python environment of its own. It has to be installed once.")
    row = layout.row()
    row.scale_y = 1.5
    row.operator("sapiens2.runtime_install", icon="IMPORT")
