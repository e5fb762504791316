"""Dialogs that are cancelled, or confirmed with what cannot be used. Runs inside Blender, see driver.py."""

from __future__ import annotations

import os
from pathlib import Path

import bpy
from driver import OUT, area, module, mouse, picture, region, rest, until, window
from drops import SOON
from faces import unfold
from steps import at_rest, jobs, project, settings, store_predictions

DRAWINGS = 6


def words_drawn():
    """What the panels say after they have been drawn anew."""
    parts, drawn = module("panels.parts"), []
    lines = parts._lines

    def noted(text, *rest):
        drawn.append(text)
        return lines(text, *rest)

    parts._lines = noted
    yield from rest()
    for _ in range(DRAWINGS):
        region("UI").tag_redraw()
        yield 0.15
    parts._lines = lines
    return " | ".join(dict.fromkeys(drawn))


def browser():
    """The window and the area of the open file browser; None where there is none."""
    areas = [(w, a) for w in bpy.context.window_manager.windows for a in w.screen.areas if a.type == "FILE_BROWSER"]
    return areas[0] if areas else None


def begin(operator, **given):
    """What a click on the button of an operator does."""
    view = region("WINDOW")
    mouse.move(view.x + 200, view.y + 200)
    yield 0.3
    with bpy.context.temp_override(window=window(), area=area(), region=view):
        getattr(bpy.ops.sapiens2, operator)("INVOKE_DEFAULT", True, **given)
    yield 1.0


def answer(name=None, folder=OUT):
    """Confirm the file browser with a name, or cancel it where that is None."""
    yield from until(browser, SOON)
    yield 1.0
    opened, place = browser()
    if name is not None:
        parameters = place.spaces.active.params
        parameters.directory, parameters.filename = os.fsencode(folder), name
        yield 0.5
    with bpy.context.temp_override(window=opened, area=place):
        try:
            bpy.ops.file.cancel() if name is None else bpy.ops.file.execute()
        except RuntimeError as error:  # the report of an operator raises where nobody reads it
            assert name is not None and "Error" in str(error), error
    yield from until(lambda: browser() is None, SOON)
    yield 1.0


def files():
    """Each file dialog: cancelled, refused, mended; what the panels say after each. Nobody can write into /proc."""
    yield from project("scan")
    store_predictions()
    bpy.ops.sapiens2.run("INVOKE_DEFAULT", True)
    yield from until(at_rest, SOON)
    settings().retarget.armature = next(obj for obj in bpy.data.objects if obj.get("sapiens2_role") == "rig")
    yield from unfold(70, "Export", "Retarget", "Bone Table", "Reference", "Run", "Avatars", "Motion")
    for name in ("words.txt", "words.jpg", "words.safetensors", "words.json", "words.bvh"):
        (OUT / name).write_text("no picture")
    good = Path(os.environ["PREDICTIONS"]).name
    said = {}
    for operator, wrong, right, folder in (
        ("photo_open", "words.txt", "anna.jpg", OUT),
        ("photos_add", "words.jpg", "anna.jpg", OUT),
        ("find_predictions", "words.safetensors", good, OUT),
        ("bones_load", "words.json", "", OUT),
        ("bones_save", "table.json", "table.json", Path("/proc")),
        ("export", "made.glb", "made.glb", Path("/proc")),
        ("import_motion", "words.bvh", "", OUT),
        ("import_predictions", "words.safetensors", good, OUT),
    ):
        jobs().forget()
        before = state()
        yield from begin(operator)
        yield from answer()
        cancelled = yield from words_drawn()
        same = [state() == before]
        yield from begin(operator)
        yield from answer(wrong, folder)
        yield from until(at_rest, SOON)
        refused = yield from words_drawn()
        same.append(state() == before)
        error = jobs().status.error
        if operator == "photo_open":
            picture("refused", crop_panel=True)
        said[operator] = {"cancelled": cancelled, "refused": refused, "same": same, "error": error.message if error else ""}
        if right:
            yield from begin(operator)
            yield from answer(right)
            yield from until(at_rest, SOON)
            said[operator]["mended"] = yield from words_drawn()
    return said


def state():
    """What a dialog that was refused must not have changed."""
    table = settings().retarget
    return [settings().photo, [photo.path for photo in settings().more_photos], [row.bone for row in table.bones],
            settings().predictions, sorted(obj.name for obj in bpy.data.objects)]  # fmt: skip
