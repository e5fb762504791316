"""Many results in one scene: their collections, linked or appended, standing on a grid."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import bpy

from ..core.common.errors import SapiensError
from .marks import has_person
from .typed import open_library, scene_of


def gather(
    files: Iterable[str | Path], *, link: bool = False, spacing: float = 1.5, scene: bpy.types.Scene | None = None
) -> list[bpy.types.Object]:
    """Bring the collections of .blend files into `scene` (None: the open one), each as an instance on a grid along x and y.

    link     leave the data in the files, so that a rebuilt file shows at once; False = copy it into this one
    spacing  metres between neighbours
    Returns the instances, left to right and front to back, in the order of the files. Appended collections are marked as assets.
    Raises SapiensError for a file that cannot be read or holds nobody; nothing is brought in then.
    """
    scene = scene or scene_of(bpy.context)
    paths = [Path(file).absolute() for file in files]
    for path in paths:
        _names(path)
    collections = [collection for path in paths for collection in _load(path, link)]
    columns = max(1, math.ceil(math.sqrt(len(collections))))
    made = []
    for index, collection in enumerate(collections):
        instance = bpy.data.objects.new(collection.name, None)
        instance.instance_type, instance.instance_collection = "COLLECTION", collection
        instance.location = (index % columns * spacing, index // columns * spacing, 0)
        scene.collection.objects.link(instance)
        if not link:
            collection.asset_mark()
        made.append(instance)
    return made


def _names(path: Path) -> list[str]:
    """Names of the collections of a file, without loading them."""
    try:
        with open_library(path) as (there, _):
            names = list(there.collections)
    except OSError as error:
        raise SapiensError(f"{path} could not be read as a Blender file.", "Check the path, or make it again.") from error
    if not names:
        raise SapiensError(f"{path} holds no collection.", "Give files that build or batch has written.")
    return names


def _load(path: Path, link: bool) -> list[bpy.types.Collection]:
    """The collections of a file that hold people. A file may name several people's collections."""
    with open_library(path, link) as (there, here):
        here.collections = list(there.collections)
    wanted = [collection for collection in here.collections if has_person(collection)]
    if not link:
        bpy.data.batch_remove([c for c in here.collections if c not in wanted])
    return wanted
