"""How far a job is, and what went wrong: in the panel that started it, else in Run, and in short in Blender's status bar."""

from __future__ import annotations

from collections.abc import Container, Mapping

import bpy
from bpy.types import Context, Header, UILayout

from .. import jobs
from .parts import draw_error, paragraph, shown_error, translated
from .tab import is_tab_in_sight

IN_THEIR_PANELS = frozenset(
    {
        *("sapiens2.people_find", "sapiens2.model_download", "sapiens2.model_import"),
        *("sapiens2.build_scan", "sapiens2.pin_set", "sapiens2.build_texture", "sapiens2.texture_mesh", "sapiens2.build_rig"),
        *("sapiens2.retarget", "sapiens2.animate", "sapiens2.import_motion", "sapiens2.batch", "sapiens2.batch_gather"),
    }
)
"""The operators whose jobs a panel of theirs shows. Run shows all others: so each job is in the tab once."""

ERRORS_IN_THEIR_PANELS: Mapping[str, str] = {
    "sapiens2.people_find": "Reference",
    **dict.fromkeys(("sapiens2.model_download", "sapiens2.model_import"), "Model"),
    "sapiens2.build_scan": "Avatar",
    "sapiens2.pin_set": "Adjust",
    "sapiens2.build_texture": "Texture",
    **dict.fromkeys(("sapiens2.build_rig", "sapiens2.control_rig"), "Rig"),
    "sapiens2.retarget": "Retarget",
    **dict.fromkeys(("sapiens2.animate", "sapiens2.import_motion"), "Motion"),
    **dict.fromkeys(("sapiens2.batch", "sapiens2.batch_gather"), "Batch"),
}
"""The operators of whose errors Run only says where they are: in which panel. They are in the tab once, too."""
TITLE_LETTERS = 24
"""Letters of a job's title in the status bar, where Blender's own hints need room."""


def step(layout: UILayout) -> UILayout:
    """Where a panel draws what must not be changed while a job runs."""
    column = layout.column()
    column.enabled = jobs.current() is None
    return column


def draw_outcome(layout: UILayout, *operators: str) -> None:
    """Below the buttons of a panel: the job that one of these operators has started, or why it failed."""
    draw_job(layout, *operators)
    draw_error(layout, *operators)


def draw_job(layout: UILayout, *operators: str, but: Container[str] = ()) -> bool:
    """The face of a running job, and of results that wait for the artist. False when there is neither.

    operators  only of jobs that one of these has started; none: of all
    but        not of jobs that one of these has started
    """

    def is_shown(job: jobs.Job) -> bool:
        return (not operators or job.asked_by in operators) and job.asked_by not in but

    drawn = False
    for held, waits_for in jobs.status.held.items():
        if not is_shown(held):
            continue
        row = layout.row(align=True)
        row.label(text=done(held.title), icon="PAUSE", translate=False)
        _draw_held_buttons(row)
        paragraph(layout, waits_for)
        drawn = True
    job = jobs.current()
    if job is None or not is_shown(job):
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


def done(title: str) -> str:
    """What is said of a result that is held."""
    return bpy.app.translations.pgettext_iface("{:s}: done, waiting for you").format(title)


def _draw_held_buttons(row: UILayout) -> None:
    """To write what is held at once, and to let it go."""
    row.operator("sapiens2.write_now", text="", icon="PLAY")
    if jobs.current() is None:
        row.operator("sapiens2.cancel", text="", icon="X")


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


def draw_run_error(layout: UILayout) -> None:
    """The last error as Run shows it, with the next step; of one that stands in another panel, in which."""
    place = ERRORS_IN_THEIR_PANELS.get(jobs.status.failed)
    if place is None:
        draw_error(layout)
    elif shown_error() is not None:
        paragraph(layout, translated("What went wrong is said in {:s}").format(translated(place)), "ERROR")


def short(title: str) -> str:
    """A title, which is often the name of a photo, as long as the status bar has room for it."""
    return title if len(title) <= TITLE_LETTERS else f"{title[: TITLE_LETTERS - 1].rstrip()}…"


def draw_status(header: Header, context: Context) -> None:
    """Into Blender's status bar, which is in sight whatever the sidebar shows, and which Blender needs for its own hints."""
    job, layout = jobs.current(), header.layout
    if job is not None:
        row = layout.row(align=True)
        row.label(text=short(job.title), icon="OUTLINER_OB_ARMATURE", translate=False)
        bar = row.row()
        bar.ui_units_x = 10
        bar.progress(factor=job.fraction, type="BAR", text=words(job))
        row.operator("sapiens2.cancel", text="", icon="X")
    elif jobs.status.held:
        row = layout.row(align=True)
        row.label(text=done(short(next(iter(jobs.status.held)).title)), icon="PAUSE", translate=False)
        _draw_held_buttons(row)
    elif shown_error() is not None:
        if not is_tab_in_sight(context):
            layout.operator("sapiens2.tab_open", text="Sapiens2: See What Went Wrong", icon="ERROR")
    elif jobs.status.python is None and not jobs.status.found:  # nothing else shows where the tab is
        layout.operator("sapiens2.tab_open", text="Set Up Sapiens2 Avatar", icon="OUTLINER_OB_ARMATURE")
