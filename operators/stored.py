"""Stored predictions and the open file: what it refers to is never deleted."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import bpy

from .. import folders, jobs, preference_values, thumbnails
from ..core.formats.prediction_cache import mark_used, prune, stored_predictions


def predictions_in_use() -> set[Path]:
    """The predictions files that the open file refers to, in any scene and collection."""
    from ..scene.marks import SOURCE

    named = {scene.sapiens2.predictions for scene in bpy.data.scenes}
    named |= {collection[SOURCE] for collection in bpy.data.collections if isinstance(collection.get(SOURCE), str)}
    return {Path(bpy.path.abspath(name)) for name in named if name}


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
