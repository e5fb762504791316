"""What several panels draw: text that wraps, the last error with what mends it, the way to the runtime."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import bpy
from bpy.types import UILayout

from .. import jobs
from ..core.common.errors import SapiensError
from ..properties import inputs

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import IconItems

TEXT_WIDTH = 34
"""Letters that fit into the sidebar at its default width; used where there is no window to measure text in."""
MARGIN = 60
"""Pixels of the sidebar, at a display scale of 1, that its tabs and the borders of panel and text take."""
ICON = 22
BOX = 20

# Key of `core.common.errors.REMEDIES` -> operator, text, icon
REMEDY_BUTTONS: dict[str, tuple[str, str, IconItems]] = {
    "runtime": ("sapiens2.runtime_install", "Repair Runtime", "FILE_REFRESH"),
    "preferences": ("preferences.addon_show", "Open Preferences", "PREFERENCES"),
    "network": ("extensions.userpref_allow_online", "Allow Online Access", "INTERNET"),
    "model": ("sapiens2.model_download", "Download Model", "IMPORT"),
    "cache": ("sapiens2.cache_clear", "Delete Stored Predictions", "TRASH"),
}


@lru_cache(maxsize=256)
def _lines(text: str, letters: int, pixels: float, size: float) -> tuple[str, ...]:
    """The words of `text` in lines of at most `pixels` in the interface's font, or of `letters` where `pixels` is 0."""
    import blf

    def fits(line: str) -> bool:
        if not pixels:
            return len(line) <= letters
        blf.size(0, size)
        return blf.dimensions(0, line)[0] <= pixels

    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and not fits(longer):
            lines.append(word)
        else:
            lines[-1] = longer
    return tuple(lines)


def translated(text: str) -> str:
    """A text in the language of Blender's interface; the stubs say that there may be none."""
    return bpy.app.translations.pgettext_iface(text) or text


def paragraph(layout: UILayout, text: str, icon: IconItems = "NONE", *, box: bool = False) -> None:
    """Text in as many lines as the sidebar needs at its present width. `box`: it is drawn in a box, which is narrower."""
    context = bpy.context
    pixels = size = 0.0
    if context.region is not None and context.region.type == "UI":
        scale = context.preferences.system.ui_scale
        pixels = max(context.region.width - scale * (MARGIN + ICON * (icon != "NONE") + BOX * box), 80 * scale)
        size = context.preferences.ui_styles[0].widget.points * scale
    text = translated(text)
    column = layout.column(align=True)
    column.scale_y = 0.8
    for index, line in enumerate(_lines(text, TEXT_WIDTH, pixels, size)):
        column.label(text=line, icon=icon if index == 0 else ("BLANK1" if icon != "NONE" else "NONE"), translate=False)


def runtime_button() -> str:
    """What the button of the runtime would do now; it is for the extension's own, whatever Python was chosen."""
    status = jobs.status
    if status.python is not None and jobs.chosen_python() is None:
        return "Repair Runtime"
    return "Update Runtime" if status.outdated else "Go On Installing" if status.unfinished else "Install Runtime"


def draw_remedy(layout: UILayout, remedy: str) -> None:
    """The button that mends it, for a key of `core.common.errors.REMEDIES`; nothing for any other."""
    if remedy not in REMEDY_BUTTONS:
        return
    operator, text, icon = REMEDY_BUTTONS[remedy]
    if remedy == "runtime":
        text = runtime_button()
    button = layout.operator(operator, text=text, icon=icon)
    if remedy == "preferences":
        button.module = __package__.rpartition(".")[0]


def is_about_now() -> bool:
    """Whether what is said of the last job is about what the artist has chosen now."""
    noted = jobs.status.inputs
    return noted is None or noted == inputs(bpy.context.scene.sapiens2)


def shown_error() -> SapiensError | None:
    """The last error; None where there is none, where its cause is gone, and where it was about something else."""
    error = jobs.status.error
    if error is None or (error.remedy == "network" and bpy.app.online_access) or not is_about_now():
        return None
    return error


def draw_error(layout: UILayout, *operators: str) -> None:
    """The last error in a red box, with the next step, a button where one click does it, and the report of what nobody expects.

    operators  only where one of these has failed; none: whoever has
    """
    error = shown_error()
    if error is None or (operators and jobs.status.failed not in operators):
        return
    box = layout.box()
    column = box.column()
    column.alert = True
    paragraph(column, error.message, "ERROR", box=True)
    if error.hint:
        paragraph(box, error.hint, box=True)
    draw_remedy(box, error.remedy)
    unexpected = bool(jobs.status.detail)
    row = box.row(align=True)
    if unexpected:
        row.operator("sapiens2.report_copy", icon="COPYDOWN")
    if unexpected or error.remedy == "runtime":  # what an installation has written
        row.operator("sapiens2.log_open", icon="TEXT")


def draw_setup(layout: UILayout) -> None:
    """The face before there is a Python with torch."""
    status = jobs.status
    if status.python_problem is not None:
        paragraph(layout, status.python_problem.message, "ERROR")
        paragraph(layout, status.python_problem.hint)
        draw_remedy(layout, status.python_problem.remedy)
        return
    if status.outdated:
        paragraph(layout, "The runtime belongs to an older version of the extension.", "INFO")
    elif status.unfinished:
        paragraph(layout, "The installation of the runtime was not finished. It goes on where it stopped.", "INFO")
    else:
        paragraph(layout, "What looks at the photos has to be installed once. Nothing of Blender is changed.", "INFO")
    error = shown_error()
    offered = error.remedy if error is not None else ""  # by the box with the error, below
    if not bpy.app.online_access and offered != "network":
        paragraph(layout, "Blender may not go online yet. Allow it, or install from files that you have.", "ERROR")
        draw_remedy(layout, "network")
    if offered != "runtime":
        row = layout.row()
        row.scale_y = 1.5
        row.operator("sapiens2.runtime_install", text=runtime_button(), icon="IMPORT")
    if offered != "preferences":
        paragraph(layout, "An installation that your studio has already can be chosen in the preferences.")
        draw_remedy(layout, "preferences")
