"""Stored predictions to scene: all of an avatar, its textures or its rig, built again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bpy
from bpy.props import BoolProperty, StringProperty
from bpy.types import Context, Event, Operator

from .. import thumbnails
from ..avatar_queries import active_avatar, active_predictions
from ..core.common.errors import SapiensError
from ..core.common.pins import Pin
from ..properties import avatar_settings
from ..step_properties import RigProperties, ScanProperties, TextureProperties
from ..worker.client import WorkerJob
from ..worker.requests import BuildRequest
from .build import other_predictions, write_result
from .job import Idle, JobOperator
from .stored import missing

FOR_PINS = "sapiens2.pin_set"
"""As jobs name what asked for a build that follows pins."""


class Rebuild(Idle, JobOperator):
    """What the operators share that build again from stored predictions. Mix in the properties that the redo panel shows as well.

    What the caller leaves out is as in the sidebar; when it is done, the sidebar has what it was done with.
    """

    bl_options = {"REGISTER", "UNDO"}
    part = ""  # "textures" or "rig"; "" = all
    shown: type
    """The properties that were mixed in."""
    group: str
    """Where the sidebar has the same properties: `Scene.sapiens2.GROUP`."""
    draw_shown: Callable[..., None]
    _asked = False
    _target = 0
    _pins: tuple[Pin, ...] = ()

    predictions: StringProperty(
        name="Predictions",
        description="The predictions; empty: those of the sidebar",
        subtype="FILE_PATH",
        options={"HIDDEN", "SKIP_SAVE"},
    )
    in_place: BoolProperty(
        name="In Place", description="Update the avatar, wherever the sidebar puts results", options={"HIDDEN", "SKIP_SAVE"}
    )

    def invoke(self, context: Context, event: Event | None) -> set[str]:
        """In a window: what was edited by hand is built again only when the artist says so."""
        from ..scene.hand_edits import is_edited
        from ..scene.marks import made_in

        avatar = self._avatar(context)
        edited = [obj.name for obj in made_in(avatar).values() if is_edited(obj.data)] if avatar is not None else []
        if not edited or self.part == "textures" or not self._replaces(context) or bpy.app.background:
            return JobOperator.invoke(self, context, event)
        self._asked = True
        message = "{:s} was edited by hand. It is built anew, and yours becomes a hidden copy."
        return context.window_manager.invoke_confirm(
            self,
            event,
            title=self.bl_label,
            message=bpy.app.translations.pgettext_iface(message).format(", ".join(edited)),
            confirm_text=self.bl_label,
            icon="WARNING",
        )

    def execute(self, context: Context) -> set[str]:
        """Blocking, except after the question, where there is a window to wait in."""
        if self._asked:
            self._asked = False
            return JobOperator.invoke(self, context, None)
        return JobOperator.execute(self, context)

    def draw(self, _context: Context) -> None:
        self.layout.use_property_split, self.layout.use_property_decorate = True, False
        self.draw_shown(self.layout)

    def make_job(self, context: Context, scratch: Path) -> WorkerJob:
        from ..scene.control_rig import check_plain
        from ..scene.marks import made_in
        from ..scene.pins import pins_of
        from ..scene.replace import check_free

        settings = context.scene.sapiens2
        collection = self._avatar(context)
        chosen = self.predictions or active_predictions(context)
        if collection is not None and self._replaces(context):
            check_free([*made_in(collection).values()])
            if self.part != "textures":
                check_plain(collection)
        if not chosen and collection is not None:
            raise SapiensError(
                f"{collection.name} does not say which predictions it was made from.", "Make it again from its photo."
            )
        if not chosen:
            raise SapiensError("There are no predictions yet.", "Make an avatar from a photo first, or import predictions.")
        path = Path(bpy.path.abspath(chosen))
        if not path.is_file():
            raise missing(path)
        # From here on the operator has values of its own, which the redo panel shows and changes.
        for name in self.shown.__annotations__:
            if not self.properties.is_property_set(name):
                setattr(self, name, getattr(getattr(settings, self.group), name))
        self._target = collection.session_uid if collection is not None else 0
        self._name = collection.name if collection is not None else path.stem
        request = BuildRequest(
            predictions=path,
            name=self._name,
            output=scratch / "avatars.safetensors",
            settings=avatar_settings(settings, self),
            previews=thumbnails.folder(str(path)),
            others=other_predictions(collection),
            pins=pins_of(collection),
        )
        self._pins = request.pins
        return WorkerJob(self._name, request)

    def finish(self, context: Context, job: WorkerJob) -> None:
        from ..scene.update import update_rig, update_textures

        for name in self.shown.__annotations__:
            setattr(getattr(context.scene.sapiens2, self.group), name, getattr(self, name))
        parts = {"textures": update_textures, "rig": update_rig}
        target = next((collection for collection in bpy.data.collections if collection.session_uid == self._target), None)
        write_result(context, job.result, self._name, parts.get(self.part), target, pins=self._pins, in_place=self.in_place)

    def _asked_by(self) -> str:
        """What follows its pins is shown where they are."""
        return FOR_PINS if self.in_place else type(self).bl_idname

    def _replaces(self, context: Context) -> bool:
        """Whether the avatar that is there gets the result."""
        return self.in_place or context.scene.sapiens2.place == "REPLACE"

    def _avatar(self, context: Context) -> bpy.types.Collection | None:
        """What is built again: the avatar that the artist means, or one of the predictions that a script has named."""
        from ..scene.build import find_collection
        from ..scene.marks import source_of
        from ..scene.typed import scene_of

        active = active_avatar(context)
        if not self.predictions or (active is not None and source_of(active) == bpy.path.abspath(self.predictions)):
            return active
        return find_collection(scene_of(context), bpy.path.abspath(self.predictions))


class SAPIENS2_OT_build_scan(ScanProperties, Rebuild, Operator):
    """Make the avatar again with the settings of these panels, from what was seen in the photo, without looking again"""

    bl_idname = "sapiens2.build_scan"
    bl_label = "Rebuild"
    group, shown, draw_shown = "scan", ScanProperties, ScanProperties.draw_all


class SAPIENS2_OT_build_texture(TextureProperties, Rebuild, Operator):
    """Make the textures and materials again; the mesh and the rig stay"""

    bl_idname = "sapiens2.build_texture"
    bl_label = "Rebuild Texture"
    part = "textures"
    group, shown, draw_shown = "texture", TextureProperties, TextureProperties.draw_texture


class SAPIENS2_OT_build_rig(RigProperties, Rebuild, Operator):
    """Make the skeleton and the skin weights again; the mesh and the textures stay"""

    bl_idname = "sapiens2.build_rig"
    bl_label = "Rebuild Rig"
    part = "rig"
    group, shown, draw_shown = "rig", RigProperties, RigProperties.draw_rig


CLASSES = (SAPIENS2_OT_build_scan, SAPIENS2_OT_build_texture, SAPIENS2_OT_build_rig)
