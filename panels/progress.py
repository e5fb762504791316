"""How far a job is: in the panel that started it, in Run, and in Blender's status bar."""

from __future__ import annotations

import bpy
from bpy.types import Context, Header, UILayout

from .. import jobs
from .parts import draw_error, paragraph, shown_error, translated


def step(layout: UILayout) -> UILayout:
    """Where a panel draws what must not be changed while a job runs."""
    column = layout.column()
    column.enabled = jobs.current() is None
    return column


def draw_outcome(layout: UILayout, *operators: str) -> None:
    """Below the buttons of a panel: the job that one of these operators has started, or why it failed."""
    draw_job(layout, *operators)
    draw_error(layout, *operators)


def draw_job(layout: UILayout, *operators: str) -> bool:
    """The face of a running job, and of results that wait for the artist. False when there is neither.

    operators  only of jobs that one of these has started; none: of all
    """
    drawn = False
    for held, waits_for in jobs.status.held.items():
        if operators and held.asked_by not in operators:
            continue
        row = layout.row(align=True)
        done = bpy.app.translations.pgettext_iface("{:s}: done, waiting for you").format(held.title)
        row.label(text=done, icon="PAUSE", translate=False)
        row.operator("sapiens2.write_now", text="", icon="PLAY")
        if jobs.current() is None:
            row.operator("sapiens2.cancel", text="", icon="X")
        paragraph(layout, waits_for)
        drawn = True
    job = jobs.current()
    if job is None or (operators and job.asked_by not in operators):
        return drawn
    layout.label(text=job.title, translate=False)
    row = layout.row(align=True)
    row.progress(factor=job.fraction, type="BAR", text=words(job))
    row.operator("sapiens2.cancel", text="", icon="X")
    for waiting in jobs.waiting():
        row = layout.row(align=True)
        row.label(text=bpy.app.translations.pgettext_iface("Next: {}").format(waiting.title), translate=False)
        row.operator("sapiens2.cancel", text="", icon="X").job = waiting.number
    return True


def words(job: jobs.Job) -> str:
    """What a job is doing, how far it is and how long it will take, as far as that is known."""
    if job.cancel_at is not None:
        return translated("Stopping")
    if job.state is jobs.State.WAITING:
        return translated("Waiting")
    stage = translated(job.stage[:1].upper() + job.stage[1:] or "Working")
    if not job.fraction:  # nothing is known yet
        return stage
    seconds = job.seconds_left()
    return f"{stage} {job.fraction:.0%}" if seconds is None else f"{stage} {job.fraction:.0%}, {duration(seconds)}"


def duration(seconds: float) -> str:
    """A time that is left, in steps that do not flicker."""
    if seconds < 90:
        return f"{max(5, 5 * round(seconds / 5)):d} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def draw_status(header: Header, _context: Context) -> None:
    """Into Blender's status bar, which is in sight whatever the sidebar shows."""
    job, layout = jobs.current(), header.layout
    if job is not None:
        row = layout.row(align=True)
        row.label(text=job.title, icon="OUTLINER_OB_ARMATURE", translate=False)
        bar = row.row()
        bar.ui_units_x = 10
        bar.progress(factor=job.fraction, type="BAR", text=words(job))
        row.operator("sapiens2.cancel", text="", icon="X")
    elif jobs.status.held:
        done = bpy.app.translations.pgettext_iface("{:s}: done, waiting for you").format(next(iter(jobs.status.held)).title)
        layout.label(text=done, icon="PAUSE", translate=False)
    elif (error := shown_error()) is not None:
        layout.label(text=error.message, icon="ERROR", translate=False)
