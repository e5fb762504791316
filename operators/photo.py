"""The reference: where the photo comes from, and who in it is meant."""

from __future__ import annotations

import hashlib
import os
import sys
from contextlib import suppress
from pathlib import Path

import bpy
import numpy as np
from bpy.props import EnumProperty, StringProperty
from bpy.types import Context, Event, Image, Operator
from bpy_extras.io_utils import ImportHelper

from .. import folders, jobs, preference_values
from ..core.capture.photo import SUFFIXES
from ..core.common.atomic_files import atomic_write
from ..core.common.errors import SapiensError
from ..core.common.wording import counted
from ..infer.settings import NetworkSettings
from ..worker.client import WorkerJob
from ..worker.requests import FindRequest
from .job import Idle, JobOperator, at_once

BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"BM")
"""First bytes of the formats of photos; those of HEIC and AVIF come behind a length."""


def file_of_image(image: Image) -> Path:
    """The file of a Blender image: its own where that is a photo, unchanged on disk, else a new PNG in the extension's folder.

    The new file is named after its content too: a picture pasted later never takes the place of one that another scene refers to.
    Raises SapiensError for an image without pixels.
    """
    from ..core.common.colour import srgb_bytes_from_linear
    from ..core.formats.png import png_bytes

    path = Path(bpy.path.abspath(image.filepath, library=image.library))
    own = image.source == "FILE" and image.filepath and not image.is_dirty and image.packed_file is None
    if own and path.suffix.lower() in SUFFIXES and path.is_file():
        return path
    width, height = image.size
    if width == 0 or height == 0:
        raise SapiensError(f"The image {image.name} has no pixels.", "Choose another image.")
    pixels = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(pixels)
    shown = pixels.reshape(height, width, image.channels)[::-1]
    shown = np.repeat(shown[..., :1], 3, axis=-1) if image.channels < 3 else shown[..., :3]
    # Blender keeps 8-bit pixels as they are and others as linear light.
    coded = srgb_bytes_from_linear(shown) if image.is_float else np.rint(np.clip(shown, 0, 1) * 255).astype(np.uint8)
    content = png_bytes(coded)
    name = f"{bpy.path.clean_name(image.name)}-{hashlib.sha256(content).hexdigest()[:8]}.png"
    path = folders.user_folder("photos") / name
    with atomic_write(path) as file:
        file.write(content)
    return path


def chosen_photo(settings: bpy.types.PropertyGroup, given: str = "") -> Path:
    """The photo that is named, else that of the sidebar. SapiensError, with the next step, where there is none."""
    name = given or settings.photo
    if not name:
        raise SapiensError("No photo is chosen.", "Choose the photo of a person.")
    if name.startswith("//") and not bpy.data.filepath:
        raise SapiensError(
            f"Where {name[2:]} is counts from the folder of this file, which is not saved yet.",
            "Save the file beside the photo, or choose the photo again.",
        )
    path = Path(bpy.path.abspath(name))
    if not path.is_file():
        raise SapiensError(f"{path.name} is not in {path.parent} any more.", "Choose the photo where it is now, or another one.")
    return path


def check_photo(path: Path) -> Path:
    """A photo that was chosen in a file dialog or dropped. Raises SapiensError where it cannot be one: what was chosen before
    stays."""
    if path.is_dir() or not path.name:
        raise SapiensError("No photo was chosen.", "Choose the photo of a person.")
    if not path.is_file():
        raise SapiensError(f"{path.name} is not in {path.parent}.", "Choose the photo where it is, or another one.")
    try:
        with path.open("rb") as file:
            begin = file.read(12)
    except OSError as error:
        raise SapiensError(f"{path.name} could not be read: {error.strerror}.", "Choose another photo.") from error
    if path.suffix.lower() not in SUFFIXES or not (begin.startswith(BEGINNINGS) or begin[4:8] == b"ftyp"):
        raise SapiensError(f"{path.name} is not a photo.", "Choose a JPEG, PNG, WebP, TIFF, BMP, HEIC or AVIF picture.")
    return path


def nothing_to_paste() -> SapiensError:
    """The error of a clipboard that has no picture, or none that Blender can see."""
    if sys.platform == "linux" and not os.environ.get("WAYLAND_DISPLAY"):
        return SapiensError(
            "Blender sees no picture in the clipboard: under X11 it cannot.", "Copy the path of the picture instead."
        )
    return SapiensError("There is no picture in the clipboard.", "Copy one, or the path of one.")


class SAPIENS2_OT_photo_from_image(Operator):
    """Use the image of this file as the photo"""

    bl_idname = "sapiens2.photo_from_image"
    bl_label = "Use Image"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        if context.scene.sapiens2.image is None:
            cls.poll_message_set("Choose an image of this file first")
            return False
        return True

    @at_once
    def execute(self, context: Context) -> set[str]:
        settings = context.scene.sapiens2
        settings.photo = str(file_of_image(settings.image))
        return {"FINISHED"}


class SAPIENS2_OT_photo_from_clipboard(Operator):
    """Use the picture, or the path of a picture, in the clipboard"""

    bl_idname = "sapiens2.photo_from_clipboard"
    bl_label = "Paste Photo"
    bl_options = {"UNDO"}

    @at_once
    def execute(self, context: Context) -> set[str]:
        text = context.window_manager.clipboard.strip().strip('"').removeprefix("file://")
        path = Path(text) if text and "\n" not in text and len(text) < 4000 else None
        if path is None or path.suffix.lower() not in SUFFIXES or not path.is_file():
            path = self._paste(context)
        context.scene.sapiens2.photo = str(path)
        return {"FINISHED"}

    @staticmethod
    def _paste(context: Context) -> Path:
        """Let Blender paste a picture; it does so in an image editor only, which an area is for a moment.
        Its file is all that stays.

        Raises SapiensError with the reason: no window, no picture, a picture without pixels, a file that cannot be written.
        """
        area = context.area
        if area is None:
            raise SapiensError("A picture can be pasted in a window only.", "Press the button in the sidebar, or copy its path.")
        before, kind = set(bpy.data.images), area.ui_type
        area.ui_type = "IMAGE_EDITOR"
        try:
            bpy.ops.image.clipboard_paste()
        except RuntimeError as error:  # what the operator reports is an exception here: nothing in the clipboard is a picture
            raise nothing_to_paste() from error
        finally:
            area.ui_type = kind
        made = set(bpy.data.images) - before
        if not made:
            raise nothing_to_paste()
        try:
            return file_of_image(next(iter(made)))
        finally:
            bpy.data.batch_remove([*made])


class PhotoDialog:
    """Mix in before `ImportHelper`: a file dialog that shows photos alone, as pictures."""

    filter_glob: StringProperty(default=";".join(f"*{suffix}" for suffix in SUFFIXES), options={"HIDDEN"})
    # Read by Blender, by its number, when the dialog opens.
    display_type: EnumProperty(items=(("THUMBNAIL", "Thumbnails", "As pictures", 3),), options={"HIDDEN", "SKIP_SAVE"})


def stored_path(path: str) -> str:
    """A path as Blender's own fields keep it: relative to a saved file, where the preferences say so and the disk is the same."""
    if bpy.data.filepath and bpy.context.preferences.filepaths.use_relative_paths:
        with suppress(ValueError):  # another drive
            return bpy.path.relpath(path)
    return path


class SAPIENS2_OT_photo_open(PhotoDialog, ImportHelper, Operator):
    """Choose the photo of a person"""

    bl_idname = "sapiens2.photo_open"
    bl_label = "Choose Photo"
    bl_options = {"UNDO"}

    def invoke(self, context: Context, event: Event) -> set[str]:
        from ..scene.typed import choose_file

        return self.execute(context) if self.filepath else choose_file(self, context, event)

    @at_once
    def execute(self, context: Context) -> set[str]:
        path = bpy.path.abspath(self.filepath)
        check_photo(Path(path))
        context.scene.sapiens2.photo = stored_path(path)
        return {"FINISHED"}


class SAPIENS2_OT_people_find(Idle, JobOperator, Operator):
    """Look for the people in the photo, so that you can choose"""

    bl_idname = "sapiens2.people_find"
    bl_label = "Find People"
    bl_options = {"UNDO"}

    def make_job(self, context: Context, scratch: Path) -> WorkerJob:
        settings = context.scene.sapiens2
        photo = chosen_photo(settings)
        network = NetworkSettings(model=settings.network.model, device=preference_values.device_for(settings))
        return WorkerJob(photo.stem, FindRequest(photo=photo, network=network))

    def finish(self, context: Context, job: WorkerJob) -> None:
        boxes = context.scene.sapiens2.boxes
        boxes.clear()
        context.scene.sapiens2.photo_size = job.result["size"]
        for x1, y1, x2, y2 in job.result["boxes"]:
            box = boxes.add()
            box.x1, box.y1, box.x2, box.y2 = x1, y1, x2, y2
        jobs.status.notes = () if len(boxes) else ("Nobody was found in the photo. Draw a box around the person.",)
        self.report({"INFO"}, f"{counted(len(boxes), 'person', 'people')} found")


CLASSES = (
    SAPIENS2_OT_photo_from_image,
    SAPIENS2_OT_photo_from_clipboard,
    SAPIENS2_OT_photo_open,
    SAPIENS2_OT_people_find,
)
