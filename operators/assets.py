"""An avatar into the Asset Browser."""

from __future__ import annotations

import bpy
from bpy.props import StringProperty
from bpy.types import Context, Event, Operator

from ..avatar_queries import meant_avatar
from ..core.common.errors import SapiensError
from .job import ForAvatar, fail, succeed


class SAPIENS2_OT_asset_mark(ForAvatar, Operator):
    """Put the avatar into the Asset Browser with a picture of it as it stands; once more renews both. Clear Asset, there or in the Outliner, takes it out again"""  # noqa: E501 - Blender shows it as one line of a tooltip

    bl_idname = "sapiens2.asset_mark"
    bl_label = "Mark as Asset"
    bl_options = {"UNDO"}
    modes = ("OBJECT", "POSE")

    about: StringProperty(name="Description", description="What it is", options={"SKIP_SAVE"})
    license: StringProperty(
        name="License", description="Under which it may be used; the avatar shows what its photo shows", options={"SKIP_SAVE"}
    )
    author: StringProperty(name="Author", description="Who made it", options={"SKIP_SAVE"})
    tags: StringProperty(name="Tags", description="Words to find it by, between commas", options={"SKIP_SAVE"})

    def invoke(self, context: Context, _event: Event) -> set[str]:
        self._fill(context)
        return context.window_manager.invoke_props_dialog(self, width=380, confirm_text="Mark as Asset")

    def draw(self, _context: Context) -> None:
        column = self.layout.column()
        column.use_property_split, column.use_property_decorate = True, False
        for name in ("about", "license", "author", "tags"):
            column.prop(self, name)

    def execute(self, context: Context) -> set[str]:
        from ..scene.assets import AssetDetails, mark_asset, render_preview

        self._fill(context)
        avatar = meant_avatar(context)
        tags = tuple(tag for word in self.tags.split(",") if (tag := word.strip()))
        mark_asset(avatar, AssetDetails(self.about, self.license, tags, self.author))
        try:
            render_preview(avatar)
        except SapiensError as error:
            fail(self, error, "WARNING")
            return {"FINISHED"}  # it is an asset nevertheless
        place = bpy.app.translations.pgettext_rpt("{:s} is in the Asset Browser, under Current File").format(avatar.name)
        self.report({"INFO"}, place)
        succeed(self)
        return {"FINISHED"}

    def _fill(self, context: Context) -> None:
        """What is not given is as it is said of the avatar already, else as it can be seen of it."""
        from ..scene.assets import asset_details

        details = asset_details(meant_avatar(context))
        given = {"about": details.description, "license": details.license, "author": details.author}
        for name, value in (given | {"tags": ", ".join(details.tags)}).items():
            if not self.properties.is_property_set(name):
                setattr(self, name, value)


CLASSES = (SAPIENS2_OT_asset_mark,)
