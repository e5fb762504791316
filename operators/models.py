"""Weights: download, import, and the licence that comes before both."""

from __future__ import annotations

import textwrap
from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty
from bpy.types import Context, Event, Operator, UILayout
from bpy_extras.io_utils import ImportHelper

from .. import jobs
from ..core.common.errors import SapiensError
from ..weights import catalogue
from ..weights.licence import SAPIENS2_LICENCE, is_accepted
from ..worker.client import WorkerJob
from ..worker.requests import DownloadRequest, ImportWeightsRequest
from .job import Idle, fail, submit
from .setup import FAST, download_minutes, network_error


def draw_licence(layout: UILayout, operator: Operator, characters: int) -> None:
    """The licence in short, in lines of so many characters, its text, and the box to tick;
    nothing when it was accepted before."""
    if is_accepted():
        return
    box = layout.box()
    box.label(text=SAPIENS2_LICENCE.name, icon="INFO", translate=False)
    column = box.column(align=True)
    column.scale_y = 0.8
    for sentence in SAPIENS2_LICENCE.summary:
        for line in textwrap.wrap(sentence, characters, initial_indent="• ", subsequent_indent="   "):
            column.label(text=line, translate=False)
    box.operator("wm.url_open", text="Read the Whole License", icon="URL").url = SAPIENS2_LICENCE.url
    box.prop(operator, "accept")


SEEN = {
    "pose": ("Pose", "the keypoints"),
    "seg": ("Parts", "the body parts"),
    "normal": ("Normal", "the direction of every surface"),
    "pointmap": ("Depth", "the shape in meters"),
    "albedo": ("Albedo", "the colors without light"),
    "matting": ("Matting", "the opacity of hair and borders"),
}
"""Tasks of `weights.catalogue`: name in the sidebar, and what they see."""


class SAPIENS2_OT_model_download(Idle, Operator):
    """Download weights of the chosen model, a file for each task. It can be cancelled, and goes on later where it stopped"""

    bl_idname = "sapiens2.model_download"
    bl_label = "Download Model"

    accept: BoolProperty(
        name="I accept the license", description="You have read the license of the weights and accept it", options={"SKIP_SAVE"}
    )
    tasks: EnumProperty(
        name="Tasks",
        description="What the model is to see: each task has a file of its own, and can be downloaded later too",
        items=[(task, name, f"The weights that see {seen}") for task, (name, seen) in SEEN.items()],
        options={"ENUM_FLAG", "SKIP_SAVE"},
        default=set(SEEN),
    )

    _missing: tuple[catalogue.ModelRow, ...] = ()

    @classmethod
    def poll(cls, context: Context) -> bool:
        if context.scene.sapiens2.network.model == catalogue.PREVIEW:
            cls.poll_message_set("The preview model is built in")
            return False
        return super().poll(context)

    def invoke(self, context: Context, _event: Event) -> set[str]:
        if (problem := self._problem()) is not None:
            return fail(self, problem)
        model = context.scene.sapiens2.network.model
        self._missing = tuple(row for row in catalogue.list_models() if row.model == model and row.path is None)
        return context.window_manager.invoke_props_dialog(self, width=520, confirm_text="Download")

    def draw(self, _context: Context) -> None:
        translate = bpy.app.translations.pgettext_iface
        column = self.layout.column(align=True)
        for row in self._missing:
            text = f"{translate(SEEN[row.task][0])}: {row.size / 1e9:.1f} GB"
            column.prop_enum(
                self, "tasks", row.task, text=text, icon="CHECKBOX_HLT" if row.task in self.tasks else "CHECKBOX_DEHLT"
            )
        total = sum(row.size for row in self._missing if row.task in self.tasks) / 1e9
        minutes = download_minutes(total, FAST)
        words = (
            "{:.1f} GB, about {:d} minute at {:d} Mbit/s, into:"
            if minutes == 1
            else ("{:.1f} GB, about {:d} minutes at {:d} Mbit/s, into:")
        )
        column.label(text=translate(words).format(total, minutes, FAST), translate=False)
        column.label(text=str(catalogue.models_folder()), icon="FILE_FOLDER", translate=False)
        draw_licence(self.layout, self, 80)

    def execute(self, context: Context) -> set[str]:
        problem = self._problem() or unaccepted(self.accept)
        if problem is not None:
            return fail(self, problem)
        model = context.scene.sapiens2.network.model
        tasks = tuple(row.task for row in catalogue.list_models() if row.model == model and row.task in self.tasks)
        if not tasks:
            return fail(self, SapiensError("No task was chosen.", "Choose at least one to download."))
        request = DownloadRequest(model=model, online=True, accept_licence=self.accept, tasks=tasks)
        return submit(self, WorkerJob(f"Sapiens2 {model.upper()}", request))

    @staticmethod
    def _problem() -> SapiensError | None:
        return network_error() or (jobs.no_python() if jobs.status.python is None else None)


class SAPIENS2_OT_model_import(Idle, ImportHelper, Operator):
    """Take Sapiens2 weights from a folder or file on this computer; they are recognized by what is in them"""

    bl_idname = "sapiens2.model_import"
    bl_label = "Import Weights"

    filename_ext = ".safetensors"
    filter_glob: StringProperty(default="*.safetensors", options={"HIDDEN"})
    link: BoolProperty(name="Link", description="Link to the files instead of copying them: they must stay where they are")
    accept: BoolProperty(
        name="I accept the license", description="You have read the license of the weights and accept it", options={"SKIP_SAVE"}
    )

    def draw(self, _context: Context) -> None:
        column = self.layout.column(align=True)
        column.label(text="Choose a file, or a folder:")
        column.label(text="all weights inside are imported")
        self.layout.prop(self, "link")
        draw_licence(self.layout, self, 34)

    def execute(self, _context: Context) -> set[str]:
        if (problem := unaccepted(self.accept)) is not None:
            return fail(self, problem)
        path = Path(bpy.path.abspath(self.filepath))
        # After the file browser, the path of a folder ends with what its text field held.
        chosen = path if path.exists() or not path.parent.is_dir() else path.parent
        return submit(self, WorkerJob("Weights", ImportWeightsRequest(path=chosen, link=self.link, accept_licence=self.accept)))


def unaccepted(accepted_now: bool) -> SapiensError | None:
    """What to say unless the licence was accepted before, or the box is ticked."""
    if accepted_now or is_accepted():
        return None
    return SapiensError(
        "The license of the weights has not been accepted.", f"Read it at {SAPIENS2_LICENCE.url}, tick the box, and try again."
    )


CLASSES = (SAPIENS2_OT_model_download, SAPIENS2_OT_model_import)
