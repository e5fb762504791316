"""Presets of what *Make Avatar* makes: those that come with the extension, and the artist's own."""

from __future__ import annotations

from types import MappingProxyType

from bl_operators.presets import AddPresetBase
from bpy.props import EnumProperty
from bpy.types import Context, Operator

FOLDER = "sapiens2_avatar"
"""Where Blender keeps the artist's own, in its folder of presets."""
MENU = "SAPIENS2_MT_presets"
VALUES = (
    "make", "scan.extent", "scan.garments", "scan.one_mesh", "scan.texture_size",
    "scan.resolution", "scan.faces", "scan.quads", "scan.detail", "scan.close",
    "texture.colour", "texture.bake", "texture.displacement", "rig.with_rig", "rig.rest",
)  # fmt: skip
"""What a preset sets, as paths from `Scene.sapiens2`: how an avatar is made, never of whom."""
PRESETS = MappingProxyType(
    {
        "PORTRAIT": (
            "Portrait",
            "A face up close: a bust with the largest textures, and the scan of the photo beside it",
            {"make": "both", "scan.extent": "bust", "scan.texture_size": "4096", "scan.detail": 0.7, "rig.rest": "photo"},
        ),
        "FULL_BODY": ("Full Body", "A whole person with a rig, in an A-pose: the defaults", {}),
        "GAME": (
            "Game",
            "One mesh with small textures, in a T-pose for the skeletons of game engines",
            {"scan.one_mesh": True, "scan.texture_size": "1024", "rig.rest": "T"},
        ),
        "FILM": (
            "Film",
            "The largest textures, and the scan in an atlas with a displacement map beside the body",
            {
                "make": "both",
                "scan.texture_size": "4096",
                "scan.detail": 0.8,
                "texture.bake": "4096",
                "texture.displacement": True,
            },
        ),
    }
)
"""Identifier -> label, description, what differs from the defaults."""


class SAPIENS2_OT_preset_apply(Operator):
    """Set how avatars are made; the photo, the model and the result that is there stay as they are"""

    bl_idname = "sapiens2.preset_apply"
    bl_label = "Use Preset"
    bl_options = {"REGISTER", "UNDO"}

    preset: EnumProperty(
        name="Preset",
        description="What the avatar is for",
        items=[(name, label, description) for name, (label, description, _) in PRESETS.items()],
        default="FULL_BODY",
    )

    def execute(self, context: Context) -> set[str]:
        chosen = PRESETS[self.preset][2]
        for path in VALUES:
            group, name = self._place(context, path)
            if path in chosen:
                setattr(group, name, chosen[path])
            else:
                group.property_unset(name)
        return {"FINISHED"}

    @staticmethod
    def _place(context: Context, path: str) -> tuple[object, str]:
        group, _, name = path.rpartition(".")
        settings = context.scene.sapiens2
        return (getattr(settings, group) if group else settings), name


class SAPIENS2_OT_preset_add(AddPresetBase, Operator):
    """Keep how avatars are made under a name of your own, or take that name away"""

    bl_idname = "sapiens2.preset_add"
    bl_label = "Add Sapiens2 Preset"
    preset_menu = MENU
    preset_subdir = FOLDER
    preset_defines = ("settings = bpy.context.scene.sapiens2",)
    preset_values = tuple(f"settings.{path}" for path in VALUES)


CLASSES = (SAPIENS2_OT_preset_apply, SAPIENS2_OT_preset_add)
