"""Blender's importers, by the suffix of what they read."""

from __future__ import annotations

import bpy

READERS = {
    ".glb": lambda path: bpy.ops.import_scene.gltf(filepath=str(path)),
    ".gltf": lambda path: bpy.ops.import_scene.gltf(filepath=str(path)),
    ".fbx": lambda path: bpy.ops.import_scene.fbx(filepath=str(path)),
    ".usd": lambda path: bpy.ops.wm.usd_import(filepath=str(path)),
    ".usda": lambda path: bpy.ops.wm.usd_import(filepath=str(path)),
    ".usdc": lambda path: bpy.ops.wm.usd_import(filepath=str(path)),
    ".obj": lambda path: bpy.ops.wm.obj_import(filepath=str(path)),
}
