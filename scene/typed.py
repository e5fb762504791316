"""What Blender gives, under the types that it has: where the stubs of bpy are wrong, it is put right here alone."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, cast

import bpy


class LibraryContents(Protocol):
    """One side of an open .blend library: names on the side of the file, data-blocks on the side of the open one."""

    collections: list[Any]


def scene_of(context: bpy.types.Context) -> bpy.types.Scene:
    """The scene of the context. The stubs take it for a method: `Context.property` hides the decorator in their class body."""
    return cast("bpy.types.Scene", context.scene)


def layer_of(context: bpy.types.Context) -> bpy.types.ViewLayer:
    """The view layer of the context; see `scene_of`."""
    return cast("bpy.types.ViewLayer", context.view_layer)


def region_of(context: bpy.types.Context) -> bpy.types.Region | None:
    """The region of the context; see `scene_of`."""
    return cast("bpy.types.Region | None", context.region)


def view_of(context: bpy.types.Context) -> bpy.types.RegionView3D | None:
    """The 3D view in the region of the context; None in other editors. See `scene_of`."""
    return cast("bpy.types.RegionView3D | None", context.region_data)


def area_of(context: bpy.types.Context) -> bpy.types.Area | None:
    """The area of the context; see `scene_of`."""
    return cast("bpy.types.Area | None", context.area)


def space_of(area: bpy.types.Area) -> bpy.types.SpaceView3D:
    """The space of an area that is a 3D view."""
    return cast("bpy.types.SpaceView3D", area.spaces.active)


def camera_of(obj: bpy.types.Object) -> bpy.types.Camera:
    """The data of an object that is a camera."""
    return cast("bpy.types.Camera", obj.data)


def mesh_of(obj: bpy.types.Object) -> bpy.types.Mesh:
    """The data of an object that is a mesh."""
    return cast("bpy.types.Mesh", obj.data)


def data_of(obj: bpy.types.Object) -> bpy.types.ID:
    """The data of an object that is no empty."""
    return cast("bpy.types.ID", obj.data)


def choose_file(operator: bpy.types.Operator, context: bpy.types.Context, event: bpy.types.Event | None) -> set[str]:
    """Let the artist choose a file, for an operator with ImportHelper or ExportHelper; the stubs say that nothing is returned.

    Returns what `invoke` has to return: `execute` is called when a file was chosen.
    """
    from bpy_extras.io_utils import ExportHelper, ImportHelper

    helper: Any = ExportHelper if isinstance(operator, ExportHelper) else ImportHelper
    return helper.invoke(operator, context, event)


def open_library(path: Path, link: bool = False) -> AbstractContextManager[tuple[LibraryContents, LibraryContents]]:
    """The contents of a .blend file (offered, wanted), to be used with `with`; the stubs say that nothing is returned.

    Entering raises OSError for a file that Blender cannot read.
    """
    return cast("AbstractContextManager[tuple[LibraryContents, LibraryContents]]", bpy.data.libraries.load(str(path), link=link))
