"""Every class, property, menu entry and command of the extension: the only file that knows them all."""

from __future__ import annotations

import atexit
import sys
from typing import Any

import bpy
from bpy.app.handlers import depsgraph_update_post, load_post, persistent, redo_post, undo_post
from bpy.props import PointerProperty
from bpy.types import (
    Context,
    FileHandler,
    Menu,
    Scene,
    STATUSBAR_HT_header,
    TOPBAR_MT_file_export,
    TOPBAR_MT_file_import,
    VIEW3D_MT_add,
    VIEW3D_MT_object,
    VIEW3D_MT_object_context_menu,
)
from bpy.utils import register_class, register_cli_command, unregister_class, unregister_cli_command

from . import gizmos, jobs, manual, panels, preferences, properties, thumbnails
from .core.common.errors import SapiensError
from .core.formats.import_groups import DEMO, OURS
from .operators import (
    assets,
    avatar,
    batch,
    bones,
    boxes,
    build,
    imports,
    look,
    maps,
    models,
    motion,
    photo,
    photos,
    pins,
    presets,
    rebuild,
    retarget,
    setup,
    show,
    stored,
    tab,
    texture,
)
from .panels import menus, progress


class SAPIENS2_FH_predictions(FileHandler):
    bl_idname = "SAPIENS2_FH_predictions"
    bl_label = "Sapiens2 Predictions"
    bl_import_operator = "sapiens2.import_predictions"
    bl_file_extensions = ";".join((OURS, *DEMO))

    @classmethod
    def poll_drop(cls, context: Context) -> bool:
        return context.area is not None and context.area.type in {"VIEW_3D", "OUTLINER"}


class SAPIENS2_FH_photo(FileHandler):
    bl_idname = "SAPIENS2_FH_photo"
    bl_label = "Sapiens2 Photo"
    bl_import_operator = "sapiens2.photos_drop"
    bl_file_extensions = ";".join(photo.SUFFIXES)

    @classmethod
    def poll_drop(cls, context: Context) -> bool:
        return context.area is not None and context.area.type == "VIEW_3D"


CLASSES: tuple[Any, ...] = (  # the stubs do not know that gizmos are registered, too
    *preferences.CLASSES,
    *properties.CLASSES,
    *photo.CLASSES,
    *photos.CLASSES,
    *build.CLASSES,
    *presets.CLASSES,
    *rebuild.CLASSES,
    *avatar.CLASSES,
    *assets.CLASSES,
    *imports.CLASSES,
    *maps.CLASSES,
    *boxes.CLASSES,
    *models.CLASSES,
    *bones.CLASSES,
    *retarget.CLASSES,
    *motion.CLASSES,
    *batch.CLASSES,
    *setup.CLASSES,
    *tab.CLASSES,
    *show.CLASSES,
    *look.CLASSES,
    *pins.CLASSES,
    *stored.CLASSES,
    *texture.CLASSES,
    *panels.CLASSES,
    *gizmos.CLASSES,
    SAPIENS2_FH_predictions,
    SAPIENS2_FH_photo,
)
_commands: list[object] = []
_OBJECT_MENUS = (VIEW3D_MT_object, VIEW3D_MT_object_context_menu)


def _draw_import(menu: Menu, _context: Context) -> None:
    menu.layout.operator("sapiens2.import_predictions", text="Sapiens2 Predictions (.safetensors, .npy, .ply, .json)")


def _draw_import_motion(menu: Menu, _context: Context) -> None:
    menu.layout.operator("sapiens2.import_motion", text="Keypoints / Motion for Sapiens2 Avatar (.json, .npz, .bvh)")


def _draw_export(menu: Menu, _context: Context) -> None:
    menu.layout.operator("sapiens2.export", text="Sapiens2 Avatar (.glb, .fbx, .usd, .obj, .ply, .bvh, .json)")


@persistent
def _forget(*_file: object) -> None:
    jobs.forget()


@persistent
def _changed(*_scene: object) -> None:
    show.show_what_is_worked_on()


def _command(arguments: list[str]) -> int:
    from .commands import through_worker
    from .commands.cli import main

    if arguments[:1] and arguments[0] in through_worker.WITHOUT_BLENDER and through_worker.needed():
        try:
            return through_worker.whole(arguments)
        except SapiensError as error:
            # What is there and what is missing can be told without a runtime.
            if arguments[0] != "doctor" and arguments[:2] != ["models", "list"]:
                sys.stderr.write(f"Error: {error}\n")
                return 1
    return main(arguments)


def register() -> None:
    for cls in CLASSES:
        register_class(cls)
    Scene.sapiens2 = PointerProperty(type=properties.SapiensSettings)
    TOPBAR_MT_file_import.append(_draw_import)
    TOPBAR_MT_file_import.append(_draw_import_motion)
    TOPBAR_MT_file_export.append(_draw_export)
    VIEW3D_MT_add.append(menus.draw_add)
    STATUSBAR_HT_header.append(progress.draw_status)
    for menu in _OBJECT_MENUS:
        menu.append(menus.draw_object)
    bpy.utils.register_manual_map(manual.manual_map)
    _commands.append(register_cli_command("sapiens2", _command))
    for handlers in (load_post, undo_post, redo_post):
        handlers.append(_forget)
    depsgraph_update_post.append(_changed)
    thumbnails.start()
    gizmos.start()
    jobs.refresh()
    # Blender as a Python module crashes or hangs at exit when panels of ours are still registered (4.2, 4.5).
    if not bpy.app.binary_path:
        atexit.register(unregister)


def unregister() -> None:
    atexit.unregister(unregister)
    jobs.stop()
    gizmos.stop()
    thumbnails.stop()
    depsgraph_update_post.remove(_changed)
    for handlers in (load_post, undo_post, redo_post):
        handlers.remove(_forget)
    bpy.utils.unregister_manual_map(manual.manual_map)
    unregister_cli_command(_commands.pop())
    for menu in _OBJECT_MENUS:
        menu.remove(menus.draw_object)
    STATUSBAR_HT_header.remove(progress.draw_status)
    VIEW3D_MT_add.remove(menus.draw_add)
    TOPBAR_MT_file_export.remove(_draw_export)
    TOPBAR_MT_file_import.remove(_draw_import_motion)
    TOPBAR_MT_file_import.remove(_draw_import)
    del Scene.sapiens2
    for cls in reversed(CLASSES):
        unregister_class(cls)
