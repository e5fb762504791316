"""Presets: each gives settings that can be built, and leaves what the artist has chosen besides."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import pytest

NAMES = ("PORTRAIT", "FULL_BODY", "GAME", "FILM")


def asked(part):
    return part("properties").avatar_settings(bpy.context.scene.sapiens2)


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_sets_how_and_never_of_whom(part, name):
    settings = bpy.context.scene.sapiens2
    settings.photo, settings.place, settings.scan.focal, settings.network.model = "//anna.jpg", "NEW", 35, "1b"
    settings.scan.detail, settings.texture.bake, settings.rig.rest = 0.9, "2048", "T"
    settings.scan.extent, settings.scan.one_mesh = "bust", True
    assert bpy.ops.sapiens2.preset_apply(preset=name) == {"FINISHED"}
    assert (settings.photo, settings.place, settings.scan.focal, settings.network.model) == ("//anna.jpg", "NEW", 35, "1b")
    made = asked(part)
    if name == "FULL_BODY":
        assert made == replace(part("core.settings").AvatarSettings(), focal=35.0)
    elif name == "GAME":
        assert (made.texture_size, made.rig.rest, made.make, made.scan.detail) == (1024, "T", "avatar", 0.5)
        assert made.one_mesh and made.extent == "whole"
    else:
        assert (made.texture_size, made.make) == (4096, "both") and made.texture.displacement == (name == "FILM")
        assert made.extent == ("bust" if name == "PORTRAIT" else "whole") and not made.one_mesh


@pytest.mark.parametrize("first", NAMES)
def test_what_one_preset_sets_another_takes_back(part, first):
    bpy.ops.sapiens2.preset_apply(preset=first)
    bpy.ops.sapiens2.preset_apply(preset="FULL_BODY")
    assert asked(part) == part("core.settings").AvatarSettings()


def test_an_artists_own_is_kept_and_used_again(part):
    settings = bpy.context.scene.sapiens2
    settings.scan.detail, settings.rig.rest = 0.25, "T"
    wanted = asked(part)
    assert bpy.ops.sapiens2.preset_add(name="Mine ü") == {"FINISHED"}
    bpy.ops.sapiens2.preset_apply(preset="FILM")
    (path,) = bpy.utils.preset_paths("sapiens2_avatar")
    (kept,) = Path(path).glob("*.py")
    bpy.ops.script.execute_preset(filepath=str(kept), menu_idname="SAPIENS2_MT_presets")
    assert asked(part) == wanted
    bpy.ops.sapiens2.preset_add(name="Mine ü", remove_name=True)
    assert not list(Path(path).glob("*.py"))
