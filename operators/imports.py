"""File > Import, and files dropped on the window: predictions of ours, and the outputs of Meta's demo scripts."""

from __future__ import annotations

import shutil
from pathlib import Path

import bpy
from bpy.props import BoolProperty, CollectionProperty, StringProperty
from bpy.types import Context, Event, Operator, OperatorFileListElement
from bpy_extras.io_utils import ImportHelper

from .. import folders, jobs, thumbnails
from ..core.capture.photo import SUFFIXES as PHOTOS
from ..core.common.errors import SapiensError
from ..core.formats.import_groups import DEMO, OURS, files_in
from ..properties import avatar_settings
from ..worker.client import WorkerJob
from ..worker.requests import ImportRequest
from .build import write_result
from .job import JobOperator, Queues


class SAPIENS2_OT_import_predictions(Queues, JobOperator, ImportHelper, Operator):
    """Build avatars from predictions that were made elsewhere, or from the files of the Sapiens2 demo scripts"""

    bl_idname = "sapiens2.import_predictions"
    bl_label = "Import Sapiens2 Predictions"
    bl_options = {"UNDO"}

    _asked = False
    filename_ext = OURS
    filter_glob: StringProperty(default=";".join(f"*{suffix}" for suffix in (OURS, *DEMO, *PHOTOS)), options={"HIDDEN"})
    filepath: StringProperty(
        name="File Path", description="The predictions, or a folder with them", subtype="FILE_PATH", options={"SKIP_SAVE"}
    )  # what was chosen last must not be taken unasked
    directory: StringProperty(subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"})
    files: CollectionProperty(type=OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"})
    photo: StringProperty(
        name="Photo",
        description="The photo that the files of the demo scripts belong to; empty: the one of the same name beside them",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )
    beside: BoolProperty(
        name="Folders Beside",
        description="Also take what the demo scripts wrote for the same photo into this folder and the ones next to it",
        default=True,
    )

    def invoke(self, context: Context, event: Event) -> set[str]:
        """With paths (files that were dropped) build at once, else ask for them."""
        from ..scene.typed import choose_file

        if any(file.name for file in self.files) or Path(bpy.path.abspath(self.filepath)).is_file():
            return JobOperator.invoke(self, context, event)
        self._asked = True
        return choose_file(self, context, event)

    def draw(self, _context: Context) -> None:
        column = self.layout.column(align=True)
        column.label(text="Predictions (.safetensors), or")
        column.label(text="files of the demo scripts and their photo,")
        column.label(text="or a folder of either")
        box = self.layout.box()
        box.label(text="Demo Scripts")
        box.prop(self, "photo")
        box.prop(self, "beside")

    def execute(self, context: Context) -> set[str]:
        """Blocking, except after the file browser, where there is a window to wait in."""
        if self._asked:
            return JobOperator.invoke(self, context, None)
        return JobOperator.execute(self, context)

    def _paths(self) -> list[Path]:
        folder = Path(bpy.path.abspath(self.directory))
        chosen = [folder / file.name for file in self.files if file.name] if self.directory else []
        if not chosen and self.filepath:
            chosen = [Path(bpy.path.abspath(self.filepath))]
        return [path for one in chosen for path in (files_in(one) if one.is_dir() else [one])]

    def make_job(self, context: Context, scratch: Path) -> WorkerJob:
        paths = self._paths()
        for path in paths or [Path()]:
            if not path.is_file():
                raise SapiensError(f"{path.name or 'The file'} does not exist.", "Choose a predictions file.")
        request = ImportRequest(
            files=tuple(paths),
            store=folders.make_cache_folder(),
            output=scratch,
            settings=avatar_settings(context.scene.sapiens2),
            photo=Path(bpy.path.abspath(self.photo)) if self.photo else None,
            beside=self.beside,
        )
        title = paths[0].stem if len(paths) == 1 else bpy.app.translations.pgettext_iface("{:d} files").format(len(paths))
        return WorkerJob(title, request)

    def finish(self, context: Context, job: WorkerJob) -> None:
        written: list[bpy.types.Collection] = []
        for made in job.result["made"]:
            shown = thumbnails.folder(made["predictions"])
            shutil.rmtree(shown, ignore_errors=True)
            shutil.move(made["previews"], shown)
            written.append(write_result(context, made, made["name"], but=written))
        for sentence in job.result["failed"]:
            self.report({"WARNING"}, sentence)
        jobs.status.notes = (*jobs.status.notes, *job.result["failed"])


CLASSES = (SAPIENS2_OT_import_predictions,)
