"""Several photos, of one person for one avatar, or of several people: dropped on the window or added to the list."""

from __future__ import annotations

from collections import deque
from functools import partial
from pathlib import Path

import bpy
from bpy.props import CollectionProperty, EnumProperty, StringProperty
from bpy.types import Context, Event, Operator, OperatorFileListElement
from bpy_extras.io_utils import ImportHelper

from .. import jobs
from ..core.capture.photo import SUFFIXES
from ..core.common.errors import SapiensError
from ..core.common.wording import counted
from ..properties import SapiensSettings, more_photos, photo_path
from .job import at_once
from .photo import PhotoDialog, check_photo

AGAIN_SECONDS = 0.2
USED = "Used"
RUN = "sapiens2.run"
"""The operator that makes an avatar, as jobs and errors name it."""


def named_files(operator: Operator) -> list[Path]:
    """The photos that a file dialog, or a drop, has given to an operator with `files`, and `directory` or `filepath`."""
    folder = Path(operator.directory) if getattr(operator, "directory", "") else Path(operator.filepath).parent
    names = [file.name for file in operator.files if file.name] or [Path(operator.filepath).name]
    return [folder / name for name in names if Path(name).suffix.lower() in SUFFIXES]


def checked_files(operator: Operator) -> list[Path]:
    """`named_files` that can be read. Raises SapiensError where one cannot, and where there is none."""
    paths = named_files(operator)
    if not paths and len(operator.files) > 1:
        raise SapiensError("None of the files is a photo.", "Choose JPEG, PNG, WebP, TIFF, BMP, HEIC or AVIF pictures.")
    return [check_photo(path) for path in paths or [Path(operator.filepath)]]


def add_photos(settings: SapiensSettings, paths: list[Path]) -> None:
    """Put other photos of the person into the list, each once."""
    known = {photo_path(settings), *more_photos(settings)}
    for path in paths:
        if path not in known:
            settings.more_photos.add().path = str(path)
            known.add(path)
    settings.more_row = max(len(settings.more_photos) - 1, 0)


def note_what_they_gave(settings: SapiensSettings, notes: tuple[str, ...]) -> None:
    """Keep with each photo of the list whether the avatar was made with it, or why not: the notes of the build say so."""
    for photo in settings.more_photos:
        path = Path(photo.path)
        said = [note for note in notes if note.startswith((f"{path.name} was left out: ", f"{path.stem} was left out: "))]
        photo.gave = said[0].partition(": ")[2] if said else USED


class SAPIENS2_OT_photos_add(PhotoDialog, ImportHelper, Operator):
    """Add other photos of the same person: from the side, from behind, a close-up of the face, in another pose"""

    bl_idname = "sapiens2.photos_add"
    bl_label = "Add Photos"
    bl_options = {"UNDO"}

    files: CollectionProperty(type=OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"})

    @at_once
    def execute(self, context: Context) -> set[str]:
        add_photos(context.scene.sapiens2, checked_files(self))
        return {"FINISHED"}


class SAPIENS2_OT_photos_remove(Operator):
    """Take the photo out of the list"""

    bl_idname = "sapiens2.photos_remove"
    bl_label = "Remove Photo"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        if not len(context.scene.sapiens2.more_photos):
            cls.poll_message_set("There is no other photo in the list")
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        settings = context.scene.sapiens2
        settings.more_photos.remove(min(settings.more_row, len(settings.more_photos) - 1))
        settings.more_row = max(min(settings.more_row, len(settings.more_photos) - 1), 0)
        return {"FINISHED"}


class SAPIENS2_OT_photos_drop(Operator):
    """Use the photos that were dropped on the window"""

    bl_idname = "sapiens2.photos_drop"
    bl_label = "Sapiens2 Photos"
    bl_options = {"UNDO", "INTERNAL"}

    filepath: StringProperty(subtype="FILE_PATH", options={"HIDDEN", "SKIP_SAVE"})
    directory: StringProperty(subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"})
    files: CollectionProperty(type=OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"})
    show: EnumProperty(
        name="The Photos Show",
        description="Whom",
        items=(
            ("ONE", "One Person", "All photos make one avatar: the first is the one it stands as in"),
            ("SEVERAL", "Several People", "Each photo makes an avatar, one after the other"),
        ),
    )

    def invoke(self, context: Context, _event: Event) -> set[str]:
        if len(named_files(self)) < 2:
            return self.execute(context)
        return context.window_manager.invoke_props_dialog(
            self, title=f"{counted(len(named_files(self)), 'Photo', 'Photos')}", confirm_text="Use Photos"
        )

    def draw(self, _context: Context) -> None:
        self.layout.prop(self, "show", expand=True)

    @at_once
    def execute(self, context: Context) -> set[str]:
        paths, settings = checked_files(self), context.scene.sapiens2
        settings.photo = str(paths[0])
        if self.show == "ONE" or len(paths) == 1:
            add_photos(settings, paths[1:])
        else:
            make_each(context, paths)
        return {"FINISHED"}


def make_each(context: Context, paths: list[Path]) -> None:
    """An avatar of each photo: one after the other in a window, where the first that fails or is cancelled is the last."""
    left = deque(paths)
    if bpy.app.background:
        for path in left:
            bpy.ops.sapiens2.run(photo=str(path))
        return
    bpy.app.timers.register(partial(_make_next, left, context.scene.session_uid), first_interval=0.0)


def _make_next(left: deque[Path], scene: int) -> float | None:
    busy = jobs.current() is not None or jobs.status.held or _is_running()
    if busy:
        return AGAIN_SECONDS
    window = next((w for w in bpy.context.window_manager.windows if w.scene.session_uid == scene), None)
    failed = jobs.status.error is not None and jobs.status.failed == RUN
    if not left or window is None or failed:
        return None
    with bpy.context.temp_override(window=window):
        if not bpy.ops.sapiens2.run.poll():
            return None
        window.scene.sapiens2.photo = str(left[0])
        try:
            bpy.ops.sapiens2.run("INVOKE_DEFAULT", True, photo=str(left.popleft()))
        except RuntimeError:  # what it could not begin with is said in the panel
            return None
    return AGAIN_SECONDS


def _is_running() -> bool:
    """Whether the operator waits that writes the last result."""
    running = (operator.bl_idname for window in bpy.context.window_manager.windows for operator in window.modal_operators)
    return any(name == "SAPIENS2_OT_run" for name in running)


CLASSES = (SAPIENS2_OT_photos_add, SAPIENS2_OT_photos_remove, SAPIENS2_OT_photos_drop)
