"""Stored predictions and the open file: what it refers to is never deleted."""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Sequence
from pathlib import Path

import bpy
from bpy.props import StringProperty
from bpy.types import Context, Operator
from bpy_extras.io_utils import ImportHelper

from .. import folders, jobs, preference_values, thumbnails
from ..avatar_queries import active_predictions, is_beside, meant_avatar
from ..core.common.atomic_files import atomic_write
from ..core.common.errors import SapiensError
from ..core.formats.import_groups import OURS
from ..core.formats.prediction_cache import mark_used, prune, stored_predictions
from .job import ForAvatar, at_once


def predictions_in_use() -> set[Path]:
    """The predictions files that the open file refers to, in any scene and collection."""
    from ..scene.marks import source_of

    named = {bpy.path.abspath(scene.sapiens2.predictions) for scene in bpy.data.scenes}
    named |= {source_of(collection) for collection in bpy.data.collections}
    return {Path(name) for name in named if name}


def missing(path: Path) -> SapiensError:
    """The error of predictions that are not where an avatar has them from."""
    where = "this computer's store" if path.parent == folders.cache_folder() else str(path.parent)
    return SapiensError(
        f"What was seen in the photo ({path.name}) is not in {where} any more, and nothing can be built again without it.",
        "Press Find Predictions under Avatars if you have the file elsewhere, else make the avatar from its photo again.",
    )


def keep_limit(used: Path) -> None:
    """Note that predictions were used now, and delete what was used longest ago
    until the cache is as small as the preferences say."""
    folder = folders.cache_folder()
    if used.parent == folder:  # not a file of the artist's own
        mark_used(used)
    _forget(prune(folder, preference_values.current().cache_gigabytes * 10**9, predictions_in_use() | {used}))


def delete_unused() -> tuple[int, int]:
    """Delete every stored prediction that the open file does not need. Value: how many are gone, how many stay."""
    folder = folders.cache_folder()
    deleted = prune(folder, 0, predictions_in_use())
    _forget(deleted)
    return len(deleted), len(stored_predictions(folder))


def _forget(deleted: Sequence[Path]) -> None:
    """The previews go with the predictions."""
    for path in deleted:
        thumbnails.forget(str(path))
        shutil.rmtree(thumbnails.folder(str(path)), ignore_errors=True)
    if deleted:
        jobs.refresh()


class SAPIENS2_OT_keep_predictions(ForAvatar, Operator):
    """Copy what was seen in the photo into the folder of this file, so that both can be moved, or given to somebody, together"""

    bl_idname = "sapiens2.keep_predictions"
    bl_label = "Keep Predictions Beside File"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls: type[Operator], context: Context) -> bool:
        if not super().poll(context):
            return False
        if not bpy.data.filepath:
            cls.poll_message_set("Save the file first")
            return False
        if is_beside(active_predictions(context)):
            cls.poll_message_set("They are beside the file already")
            return False
        return True

    @at_once
    def execute(self, context: Context) -> set[str]:
        source = Path(active_predictions(context))
        target = Path(bpy.data.filepath).with_name(source.name)
        try:
            if not source.is_file():
                raise missing(source)
            if not (target.is_file() and filecmp.cmp(source, target, shallow=False)):
                if target.exists():
                    raise SapiensError(f"Another file in {target.parent} is called {target.name}.", "Rename or move that file.")
                with source.open("rb") as content, atomic_write(target) as file:
                    shutil.copyfileobj(content, file)
        except OSError as error:
            said = f"{target.name} could not be written: {error.strerror}."
            raise SapiensError(said, "Check the free space and the permissions of the folder.") from error
        _name(context, target)
        self.report({"INFO"}, f"{target.name} is beside the file now")
        return {"FINISHED"}


class SAPIENS2_OT_find_predictions(ForAvatar, ImportHelper, Operator):
    """Say where the predictions of this avatar are now"""

    bl_idname = "sapiens2.find_predictions"
    bl_label = "Find Predictions"
    bl_options = {"UNDO"}

    filename_ext = OURS
    filter_glob: StringProperty(default=f"*{OURS}", options={"HIDDEN"})

    @at_once
    def execute(self, context: Context) -> set[str]:
        from ..core.common.predictions import Predictions
        from ..scene.marks import PHOTO
        from ..scene.people import image_hash

        path, avatar = Path(bpy.path.abspath(self.filepath)), meant_avatar(context)
        if not path.is_file():
            raise SapiensError(f"{path.name or 'The file'} does not exist.", f"Choose a {OURS} file.")
        if avatar.get(PHOTO, "") not in ("", image_hash(Predictions.load(path).image)):
            raise SapiensError(f"{path.name} was made from another photo than '{avatar.name}'.", "Choose another file.")
        _name(context, path)
        jobs.mended()
        return {"FINISHED"}


def _name(context: Context, path: Path) -> None:
    """Let the avatar that the artist means have its predictions from this file."""
    from ..scene.marks import SOURCE, named_in_file

    avatar, settings = meant_avatar(context), context.scene.sapiens2
    if bpy.path.abspath(settings.predictions) == active_predictions(context):
        settings.predictions = str(path)
    avatar[SOURCE] = named_in_file(str(path))
    thumbnails.forget(str(path))


CLASSES = (SAPIENS2_OT_keep_predictions, SAPIENS2_OT_find_predictions)
