"""What a batch asks of Blender, as calls with plain arguments: made in this process, or read from a pipe by a Blender of its own.

The open file holds one result: its collections are those that hold people.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import bpy

from ..core.common.avatars import Avatar
from ..core.common.errors import SapiensError
from ..core.common.json_lines import decode_line, encode_line
from ..core.common.processes import silence_stdout
from .build import write_avatars
from .export import export, has_action
from .files import new_file, open_blend, save_reproducible
from .library import gather
from .marks import has_person, objects_of
from .photo_pose import show_photo_pose
from .render import render_view
from .separate import scans, separate


def build(avatars: str | list[Avatar], name: str, pieces: bool = False) -> None:
    """Start a new file with the avatars, or with those in a file of `core.formats.avatar_file`.

    pieces  an object per kind of surface
    """
    if isinstance(avatars, str):
        from ..core.formats.avatar_file import load_avatars

        avatars = load_avatars(avatars)
    new_file()
    collection = write_avatars(avatars, name, match_render=True)
    if pieces:
        for scan in [scan for found in scans(collection).values() for scan in found]:
            separate(scan)


def animate(take: str, name: str) -> dict:
    """The motion in a file of `core.formats.clip_files` on the rig that was built, at its own rate. Returns notes."""
    from ..core.formats.clip_files import load_take
    from .action import set_frame_rate, whole_frames, write_take

    found = load_take(take)
    scene = bpy.context.scene
    set_frame_rate(found.fps)
    rig = _rig()
    show_photo_pose(rig, False)  # it would go over the new motion
    written = write_take(found, rig, name=name, own_face=True)
    scene.frame_start, scene.frame_end = whole_frames(written.action)
    return {"notes": list(dict.fromkeys([*found.notes, *written.notes]))}


def load(path: str) -> None:
    """Open a .blend file that `save` has written."""
    open_blend(path)


def save(path: str) -> dict:
    """Write the open file; the same scene gives the same bytes, or the notes say why not."""
    return {"notes": list(save_reproducible(path))}


def write(path: str) -> None:
    """Export the result in the format of the suffix, with its motion if it has some."""
    export(path, _collections(), motion=any(has_action(ob) for c in _collections() for ob in c.all_objects))


def view(path: str, width: int, height: int) -> dict:
    """Render the result; the bones in the picture, see `scene.render.View`, as nested lists."""
    made = render_view(_collections()[0], path, (width, height))
    return {"bones": made.bones.tolist()}


def library(files: list[str], path: str) -> dict:
    """One file with the collections of many, on a grid and marked as assets; notes as of `save`."""
    new_file()
    gather(files)
    return {"notes": list(save_reproducible(path))}


STEPS: dict[str, Callable[..., dict | None]] = {
    step.__name__: step for step in (build, animate, load, save, write, view, library)
}


def call(step: str, **arguments: object) -> dict:
    """One step by name. Raises SapiensError as the step does."""
    return STEPS[step](**arguments) or {}


def serve() -> None:
    """Do the steps that come on stdin (`core.common.json_lines`), {step, arguments}, and answer each with {result} or
    {error, hint}, until the pipe ends.

    Blender itself prints on stdout, so what it prints from here on goes nowhere.
    """
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    silence_stdout()
    _answer(answers, ready=bpy.app.version_string)
    for line in requests:
        request = decode_line(line)
        try:
            _answer(answers, result=call(request["step"], **request["arguments"]))
        except SapiensError as error:
            _answer(answers, error=error.message, hint=error.hint)
        except Exception as problem:  # noqa: BLE001 (nobody above could tell it; the next scene starts from nothing)
            sys.stderr.write(traceback.format_exc())
            text = f"An unexpected error in Blender: {type(problem).__name__}: {problem}."
            _answer(answers, error=text, hint="Please report it with the version of Blender.")


def _answer(answers: BinaryIO, **values: object) -> None:
    answers.write(encode_line(values))
    answers.flush()


def _rig() -> bpy.types.Object:
    """The rig that motion goes to: of a clip only the person who moves is built."""
    rigs = objects_of(_collections(), "rig")
    if not rigs:
        raise SapiensError(
            "No rig could be made of the person in the clip.", "Keep the rig (without --no-rig), or use another clip."
        )
    return rigs[0]


def _collections() -> list[bpy.types.Collection]:
    found = [c for c in bpy.context.scene.collection.children if has_person(c)]
    if not found:
        raise SapiensError(
            f"{Path(bpy.data.filepath).name or 'The file'} holds nobody.", "Start the batch again after deleting it."
        )
    return found
