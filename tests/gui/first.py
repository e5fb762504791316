"""From a new Blender to the first avatar with the clicks of docs/sidebar.md alone. Runs inside Blender, see driver.py."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import bpy
from driver import NET, TAB, area, click, find_button, key, module, mouse, picture, region, rest, say, until, window
from drops import SOON, dropped, middle
from faces import share_of_view
from steps import PYTHON, at_rest, jobs, preferences, settings

ID = "bl_ext.user_default.sapiens2_avatar"


class Clicks:
    """Counts what a hand does: clicks, drops and keys."""

    def __init__(self):
        self.made = []

    def click(self, what, place, then=None):
        self.made.append(what)
        say(f"click {len(self.made)}: {what}")
        yield from click(*place, then=then)

    def press(self, what, text, then=None, **options):
        place = yield from find_button(text, **options)
        yield from self.click(what, place, then)


def way_place():
    """Where the button to the tab is in the status bar, which Python does not reach: at its right end."""
    return window().width - 90, 11


def in_tab():
    """Whether the sidebar is open at our tab."""
    return region("UI").width > 1 and region("UI").active_panel_category == TAB


def clicks():
    """Splash, drop of the zip, sidebar, set-up, sample photo: the avatar stands there."""
    hand = Clicks()
    view = middle()
    bpy.ops.wm.splash("INVOKE_DEFAULT")
    yield 2.0
    picture("first_splash")
    yield from hand.click("beside the splash screen", (40, 60))
    hand.made.append("drop the zip")
    yield from dropped([Path(os.environ["EXT_ZIP"])], view)
    picture("first_drop")
    hand.made.append("Install")
    mouse.key("Return")
    yield from until(lambda: ID in sys.modules, NET)
    yield 2.0
    picture("first_installed")
    # What the set-up downloads takes too long here: a Python that is there counts as installed, once its button was clicked.
    environment = module("runtime.environment")
    environment.install = lambda *_arguments: os.environ.update(SAPIENS2_PYTHON=PYTHON)
    assert not in_tab(), "nothing opens by itself"
    yield from hand.click("Set Up Sapiens2 Avatar, in the status bar", way_place(), then=in_tab)
    yield 1.0
    yield from rest()
    picture("first_tab")
    yield from hand.press("Allow Online Access", "userpref_allow_online", then=lambda: bpy.app.online_access)
    yield from hand.press("Install Runtime", "sapiens2.runtime_install")
    yield 1.0
    picture("first_set_up")
    hand.made.append("Install")
    mouse.key("Return")
    yield from until(lambda: jobs().status.python is not None and at_rest(), SOON)
    yield from rest()
    picture("first_ready")
    yield from hand.press("Try the Sample Photo", "sapiens2.add_avatar", then=lambda: jobs().current() is not None)
    yield from rest()
    picture("first_running")
    yield from until(lambda: at_rest() and settings().avatar is not None, NET)
    yield from rest()
    yield 3.0
    picture("first_look")
    shading, overlay = area().spaces.active.shading, area().spaces.active.overlay
    made = settings().avatar
    found = {"share": share_of_view(made.name), "type": shading.type, "color": shading.color_type, "bones": overlay.show_bones,
             "outline": overlay.show_outline_selected}  # fmt: skip
    roles = sorted({obj.get("sapiens2_role") for obj in made.all_objects})
    yield from look_closely(made)
    yield from key("a", "Alt_L", then=lambda: overlay.show_outline_selected)  # nothing is selected: by the artist
    return {"clicks": hand.made, "roles": roles, "error": str(jobs().status.error or ""), "python": preferences().python_path,
            **found}  # fmt: skip


def look_closely(avatar):
    """Pictures from near, of face and hand. With software OpenGL, Material Preview takes minutes."""
    rig = next(obj for obj in avatar.all_objects if obj.get("sapiens2_role") == "rig")
    view = area().spaces.active.region_3d
    for name, bone, distance in (("face", "spine.006", 0.55), ("hand", "hand.L", 0.45)):
        view.view_location, view.view_distance = rig.matrix_world @ rig.pose.bones[bone].center, distance
        yield from rest()
        yield 3.0
        picture(f"close_{name}")
