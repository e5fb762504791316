"""The formats that results are written in: one table for the command line, the dialogs, the batch and `scene.export`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

BVH, CLOUD = ".bvh", "cloud"


@dataclass(frozen=True)
class ExportFormat:
    """One format.

    suffix, label, description  of its files, and in dialogs
    operator    Blender's exporter, "group.name"; "" = `scene.export` writes it itself
    options     what the exporter is always told: the selected objects alone, nothing moved or scaled
    still       more, where nothing moves: no animation at all, and every armature as it stands now
    motion      more, for the present action of each armature as the only one; None = the format holds no motion
    influences  so many bones of each vertex are in the file; None = all
    textures    images are files beside it
    batch       how the batch panel calls it; "" = it does not offer it
    """

    suffix: str
    label: str = ""
    description: str = ""
    operator: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    still: Mapping[str, Any] = field(default_factory=dict)
    motion: Mapping[str, Any] | None = None
    influences: int | None = None
    textures: bool = False
    batch: str = ""


_GLTF = {
    "operator": "export_scene.gltf",
    # The frame that is shown: without being told, the exporter goes to frame 0 for a file without motion.
    "still": {"export_animations": False, "export_rest_position_armature": False, "export_current_frame": True},
    "motion": {"export_animation_mode": "ACTIVE_ACTIONS"},
    "influences": 4,  # what engines read of one vertex
}
_GLTF_OPTIONS = {"use_selection": True, "export_influence_nb": 4, "export_cameras": True, "export_yup": True}
_USD = {
    "operator": "wm.usd_export",
    "options": {"selected_objects_only": True, "export_armatures": True, "evaluation_mode": "VIEWPORT"},
    "motion": {"export_animation": True},
    "textures": True,
}

# key in dialogs (the suffix, as a rule) -> format; those with a label are offered there, in this order
FORMATS: dict[str, ExportFormat] = {
    ".glb": ExportFormat(
        ".glb",
        "glTF Binary (.glb)",
        "Scan, rig, camera and textures in one file, for engines and the web",
        options={"export_format": "GLB", **_GLTF_OPTIONS},
        batch="glTF",
        **_GLTF,
    ),
    ".fbx": ExportFormat(
        ".fbx",
        "FBX (.fbx)",
        "Scan, rig and camera for other animation programs, textures embedded",
        operator="export_scene.fbx",
        options={
            "use_selection": True,
            "add_leaf_bones": False,
            "path_mode": "COPY",
            "embed_textures": True,
            "object_types": {"ARMATURE", "CAMERA", "MESH"},
            "use_mesh_modifiers_render": False,
            # Metres in the file, and no object with a scale of 100, which engines would show and multiply with.
            "apply_scale_options": "FBX_SCALE_ALL",
        },
        still={"bake_anim": False},
        motion={"bake_anim_use_all_actions": False, "bake_anim_use_nla_strips": False},
        batch="FBX",
    ),
    ".usdc": ExportFormat(".usdc", "USD (.usdc)", "Scan, rig and camera for film pipelines", batch="USD", **_USD),
    ".obj": ExportFormat(
        ".obj",
        "Wavefront (.obj)",
        "The scan with its textures beside it",
        operator="wm.obj_export",
        options={"export_selected_objects": True, "path_mode": "RELATIVE"},
        textures=True,
    ),
    BVH: ExportFormat(
        BVH,
        "Motion (.bvh)",
        "What the rig does in the frames of its action, for other animation programs; one person",
        motion={},
    ),
    ".ply": ExportFormat(".ply", "Stanford PLY (.ply)", "The scan with colors at its vertices"),
    CLOUD: ExportFormat(".ply", "Point Cloud (.ply)", "The vertices of the scan with normals and colors"),
    ".exr": ExportFormat(
        ".exr",
        "Displacement (.exr)",
        "Distance from the mesh to the surface that the model saw, in meters, 32 bits",
    ),
    ".json": ExportFormat(
        ".json",
        "Camera (.json)",
        "The matched camera as numbers: pinhole, pose, and every focal length that was considered",
    ),
    ".gltf": ExportFormat(".gltf", options={"export_format": "GLTF_SEPARATE", **_GLTF_OPTIONS}, textures=True, **_GLTF),
    ".usd": ExportFormat(".usd", **_USD),
    ".usda": ExportFormat(".usda", **_USD),
}

SUFFIXES = tuple(dict.fromkeys(known.suffix for known in FORMATS.values()))
MOVING = tuple(suffix for suffix in SUFFIXES if FORMATS[suffix].motion is not None)
"""Suffixes of what holds motion."""
STILL = tuple(suffix for suffix in SUFFIXES if suffix != BVH)
"""Suffixes of what can be written without motion."""


def dialog_items() -> tuple[tuple[str, str, str], ...]:
    """Key, label and description of what an export dialog offers."""
    return tuple((key, known.label, known.description) for key, known in FORMATS.items() if known.label)


def batch_items() -> tuple[tuple[str, str, str], ...]:
    """Suffix without its dot, label and description of what the batch panel offers."""
    offered = [known for known in FORMATS.values() if known.batch]
    return tuple((known.suffix[1:], known.batch, f"Each result as a file {known.suffix}") for known in offered)
