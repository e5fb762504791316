"""Photo to scene, and stored predictions to scene."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import bpy
from bpy.props import IntProperty, StringProperty
from bpy.types import Context, Event, Operator
from bpy_extras.io_utils import ImportHelper

from .. import folders, jobs, preference_values, thumbnails
from ..avatar_queries import active_avatar, avatars, meant_avatar
from ..core.common.errors import SapiensError
from ..core.common.pins import Pin
from ..infer.settings import UNSAID, NetworkSettings
from ..properties import SapiensSettings, avatar_settings, more_photos
from ..setting_properties import said
from ..weights.catalogue import fingerprint
from ..worker.client import WorkerJob
from ..worker.requests import Box, BuildRequest, PredictRequest, RunRequest, to_json
from .job import ForAvatar, Idle, JobOperator, at_once
from .photo import PhotoDialog, check_photo, chosen_photo
from .photos import note_what_they_gave
from .show import first_look, keep_in_sight
from .stored import keep_limit


def predictions_path(photo: Path, network: NetworkSettings, boxes: tuple[Box, ...] | None = None) -> Path:
    """Where the predictions of this photo, by content, and these options of the network are kept. Raises SapiensError."""
    options = json.dumps({**stated(network), "boxes": boxes}, sort_keys=True)
    try:
        digest = hashlib.sha256(photo.read_bytes() + options.encode()).hexdigest()
    except OSError as error:
        raise SapiensError(f"{photo.name} could not be read: {error.strerror}.", "Choose another photo.") from error
    return folders.make_cache_folder() / f"{photo.stem[:80]}-{digest[:16]}.safetensors"


def stated(network: NetworkSettings) -> dict:
    """The weights, and the options that are not left to the network, as JSON that names what is made with them."""
    given = {name: value for name, value in to_json(network).items() if value is not None and (name, value) != UNSAID}
    return given | {"weights": fingerprint(network.model)}


def network_options(context: Context) -> NetworkSettings:
    """How the sidebar asks the network to look."""
    return network_settings(context.scene.sapiens2)


def network_settings(settings: SapiensSettings) -> NetworkSettings:
    """The same of the settings of a scene, on the device that these or the preferences name."""
    asked = said(NetworkSettings, settings.network)
    asked["device"] = preference_values.device_for(settings)
    return NetworkSettings(**asked)


def chosen_boxes(context: Context) -> tuple[Box, ...] | None:
    """The boxes of the people to make, None for everybody. Raises SapiensError when nobody is chosen."""
    settings = context.scene.sapiens2
    chosen = tuple((box.x1, box.y1, box.x2, box.y2) for box in settings.boxes if box.use)
    if len(settings.boxes) and not chosen:
        raise SapiensError("No person is chosen.", "Tick a person in the sidebar, or forget the boxes to make everybody.")
    return chosen or None


def other_predictions(collection: bpy.types.Collection | None) -> tuple[Path, ...]:
    """The predictions of the other photos that an avatar was made of, as far as they are still there."""
    from ..scene.marks import OTHERS

    stored = "" if collection is None else collection.get(OTHERS, "")
    paths = (Path(bpy.path.abspath(name)) for name in stored.split("\n") if name)
    return tuple(path for path in paths if path.is_file())


def write_result(
    context: Context,
    result: dict,
    name: str,
    part: Callable | None = None,
    target: bpy.types.Collection | None = None,
    but: Sequence[bpy.types.Collection] = (),
    pins: Sequence[Pin] = (),
    in_place: bool = False,
) -> bpy.types.Collection:
    """Read what the worker's job "build" has made and write it into the scene, in the place that the settings say.

    part    update only this part (`scene.update`) of the avatar that is there, if its mesh is the same
    target  the avatar to update; None: the one of the same photo, whatever options it was made with
    but     avatars that are not to be updated: they belong to the same result
    pins    that it was made with
    in_place  update what is there, whatever the settings say
    Returns the collection of the avatar.
    """
    from ..core.formats.avatar_file import load_avatars
    from ..scene.build import write_avatars
    from ..scene.control_rig import check_plain
    from ..scene.people import find_photo, match_people, photo_hash
    from ..scene.pins import keep_pins, pins_of
    from ..scene.standing import stand_free
    from ..scene.typed import scene_of
    from ..scene.update import fits

    settings = context.scene.sapiens2
    source = result["predictions"]
    avatars = load_avatars(result["avatars"])
    old, notes = None, []
    if in_place or settings.place == "REPLACE":
        old = target or find_photo(scene_of(context), photo_hash(avatars[0]), source, active_avatar(context))
        old = None if old in but else old
    if old is not None and part is None:
        check_plain(old)
    if part is not None and old is not None and fits(old, people := match_people(avatars, old)):
        jobs.status.notes = tuple(part(old, people))
        return old
    settings.avatar = made = write_avatars(
        avatars,
        name,
        scene=scene_of(context),
        source=source,
        match_render=settings.match_render,
        replace=old,
        notes=notes,
        others=result.get("others", ()),
    )
    if old is None:
        keep_pins(made, pins)
        if not settings.scan.keep_camera_frame and (said := stand_free(context, made)):
            notes.append(said)
    elif pins_of(made) != tuple(pins):
        notes.append("The avatar does not follow its pins: press Rebuild.")
    if not bpy.app.background:
        keep_in_sight(context, made, is_new=old is None)
    settings.predictions = source
    jobs.status.notes = (*result["notes"], *notes)
    thumbnails.forget(source)
    keep_limit(Path(source))
    return made


class SAPIENS2_OT_run(Idle, JobOperator, Operator):
    """Turn the photo into an avatar, a scan or both, as is chosen below, with a rig and with the camera of the photo"""

    bl_idname = "sapiens2.run"
    bl_label = "Make Avatar"
    bl_options = {"UNDO"}

    photo: StringProperty(
        name="Photo", description="The photograph; empty: the one in the sidebar", subtype="FILE_PATH", options={"SKIP_SAVE"}
    )

    def make_job(self, context: Context, scratch: Path) -> WorkerJob:
        from ..scene.build import find_collection
        from ..scene.pins import pins_of
        from ..scene.typed import scene_of

        settings = context.scene.sapiens2
        photo = chosen_photo(settings, self.photo)
        self._name = photo.stem
        network, boxes = network_options(context), chosen_boxes(context)
        predictions = predictions_path(photo, network, boxes)
        build = BuildRequest(
            predictions=predictions,
            name=photo.stem,
            output=scratch / "avatars.safetensors",
            settings=avatar_settings(settings),
            previews=thumbnails.folder(str(predictions)),
            photo=photo,
        )
        self._pins = pins_of(find_collection(scene_of(context), str(predictions)))
        build = replace(build, pins=self._pins)
        others = () if self.photo else tuple(self._look(path, network) for path in more_photos(settings))
        if predictions.is_file() and all(other.output.is_file() for other in others):
            return WorkerJob(photo.stem, replace(build, others=tuple(other.output for other in others)))
        look = PredictRequest(photo=photo, output=predictions, network=network, boxes=boxes)
        return WorkerJob(photo.stem, RunRequest(predict=look, build=build, others=others))

    @staticmethod
    def _look(photo: Path, network: NetworkSettings) -> PredictRequest:
        """At another photo of the person. Raises SapiensError where there is none."""
        if not photo.is_file():
            raise SapiensError(f"{photo.name} does not exist.", "Take it out of the list of photos, or choose it anew.")
        return PredictRequest(photo=photo, output=predictions_path(photo, network), network=network)

    def finish(self, context: Context, job: WorkerJob) -> None:
        is_first = not avatars(context)
        made = write_result(context, job.result, self._name, pins=self._pins)
        note_what_they_gave(context.scene.sapiens2, jobs.status.notes)
        if is_first and not bpy.app.background:
            first_look(context, made)


class SAPIENS2_OT_add_avatar(Idle, PhotoDialog, ImportHelper, Operator):
    """Choose the photo of a person and make an avatar of it, as the Sapiens2 tab says"""

    bl_idname = "sapiens2.add_avatar"
    bl_label = "Make Avatar from Photo"
    bl_options = {"UNDO"}

    filename_ext = ""
    filepath: StringProperty(
        name="Photo", description="The photograph of a person", subtype="FILE_PATH", options={"SKIP_SAVE"}
    )  # what was chosen last must not be taken unasked

    @classmethod
    def poll(cls, context: Context) -> bool:
        if jobs.status.python is None:
            cls.poll_message_set("Install the runtime first, in the Sapiens2 tab of the sidebar")
            return False
        return super().poll(context)

    def invoke(self, context: Context, event: Event) -> set[str]:
        """With a path at once, else ask for it."""
        from ..scene.typed import choose_file

        return self.execute(context) if self.filepath else choose_file(self, context, event)

    @at_once
    def execute(self, context: Context) -> set[str]:
        check_photo(Path(bpy.path.abspath(self.filepath)))
        context.scene.sapiens2.photo = self.filepath
        try:
            bpy.ops.sapiens2.run("EXEC_DEFAULT" if bpy.app.background else "INVOKE_DEFAULT")
        except RuntimeError:
            if jobs.status.error is None:
                raise
            raise jobs.status.error from None
        return {"FINISHED"}


class SAPIENS2_OT_clear(ForAvatar, Operator):
    """Delete the avatar; your own objects in its collection stay, and copies of its objects too"""

    bl_idname = "sapiens2.clear"
    bl_label = "Delete Avatar"
    bl_options = {"REGISTER", "UNDO"}
    modes = ("OBJECT",)

    @at_once
    def execute(self, context: Context) -> set[str]:
        from ..scene.build import clear

        collection = meant_avatar(context)
        clear(collection)
        if not collection.all_objects and not collection.children:
            bpy.data.collections.remove(collection)
        return {"FINISHED"}


class SAPIENS2_OT_cancel(Operator):
    """Stop the job, or take it out of the queue; the scene stays as it is"""

    bl_idname = "sapiens2.cancel"
    bl_label = "Cancel"

    job: IntProperty(
        name="Job", description="Number of the waiting job; 0: the one that runs", min=0, options={"HIDDEN", "SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, _context: Context) -> bool:
        if jobs.current() is None and not jobs.status.held:
            cls.poll_message_set("Nothing is running")
            return False
        return True

    def execute(self, _context: Context) -> set[str]:
        if jobs.current() is None:
            jobs.dismiss_held()
            return {"FINISHED"}
        job = next((job for job in jobs.waiting() if job.number == self.job), None) if self.job else jobs.current()
        if job is not None:  # else its turn has come and gone since the panel was drawn
            job.cancel()
        return {"FINISHED"}


class SAPIENS2_OT_write_now(Operator):
    """Write the result now, although an operator is running: for add-ons whose operators run all the time"""

    bl_idname = "sapiens2.write_now"
    bl_label = "Write Now"

    @classmethod
    def poll(cls, _context: Context) -> bool:
        if not jobs.status.held:
            cls.poll_message_set("No result is waiting")
            return False
        return True

    def execute(self, _context: Context) -> set[str]:
        jobs.status.write_now = True
        return {"FINISHED"}


CLASSES = (
    SAPIENS2_OT_run,
    SAPIENS2_OT_add_avatar,
    SAPIENS2_OT_clear,
    SAPIENS2_OT_cancel,
    SAPIENS2_OT_write_now,
)
