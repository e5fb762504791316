"""The properties of the sidebar agree with the settings that they show."""

import math

import bpy
import pytest

GROUPS = {
    "network": ("infer.settings", "NetworkSettings"),
    "scan": ("core.surface.settings", "ScanSettings"),
    "texture": ("core.texture.settings", "TextureSettings"),
    "mesh_texture": ("core.texture.settings", "MeshTextureSettings"),
    "rig": ("core.rig.settings", "RigSettings"),
    "retarget": ("core.retarget.settings", "RetargetSettings"),
    "motion": ("core.motion.settings", "MotionSettings"),
}
GROUPS_TOO = {
    "scan": ("core.settings", "AvatarSettings"),
    "rig": ("core.settings", "AvatarSettings"),
    "motion": ("core.capture.settings", "ClipSettings"),
}

LARGEST = {int: 2**31 - 1, float: 3.4e38}
"""Where the numbers of Blender's properties end when nothing else ends them."""


@pytest.mark.parametrize(("group", "where"), [*GROUPS.items(), *GROUPS_TOO.items()])
def test_every_property_says_what_its_setting_says(part, group, where):
    module, name = where
    settings, shown = getattr(part(module), name), getattr(bpy.context.scene.sapiens2, group)
    known = part("core.common.settings").shown_settings(settings)
    here = [name for name in known if hasattr(shown, name)]
    assert here
    for name in here:
        prop, setting = shown.bl_rna.properties[name], known[name]
        assert (prop.name, prop.description) == (setting.label, setting.description)
        if setting.choices:
            items = [item.identifier.lower() for item in prop.enum_items]
            assert {str(value).lower() for value in setting.values} <= set(items)
        elif setting.kind in (int, float):
            for value in (prop.hard_min + 1e-6 * abs(prop.hard_min), prop.hard_max):
                shows = value - setting.first
                assert shows == 0 or shows > 1e9 or setting.accepts(setting.kind(float(f"{shows:.6g}"))), (name, value)
            high = min(setting.high, LARGEST[setting.kind])
            assert prop.hard_max >= high or math.isclose(prop.hard_max, high, rel_tol=1e-6)
    said = part("setting_properties").said(settings, shown)
    assert all(known[name].accepts(value) for name, value in said.items())


def test_every_setting_that_people_choose_is_in_the_sidebar(part):
    sidebar = bpy.context.scene.sapiens2
    for group, (module, name) in [*GROUPS.items(), *GROUPS_TOO.items()]:
        groups = [
            sidebar,
            getattr(sidebar, group),
            *(getattr(sidebar, other) for other, (_, cls) in GROUPS_TOO.items() if cls == name),
        ]
        known = part("core.common.settings").shown_settings(getattr(part(module), name))
        missing = [
            key for key, setting in known.items() if setting.kind is not tuple and not any(hasattr(g, key) for g in groups)
        ]
        assert not missing


@pytest.mark.parametrize("make", ["avatar", "scan", "both"])
def test_the_sidebar_says_what_to_make(part, make):
    settings, properties = bpy.context.scene.sapiens2, part("properties")
    assert properties.avatar_settings(settings).make == "avatar"
    settings.make = make
    assert properties.avatar_settings(settings).make == make
    made = part("panels.run").what_it_makes(settings)
    assert ("Makes body" in made, "scan" in made) == (make != "scan", make != "avatar")


def test_a_file_with_the_former_flat_settings_opens(part, tmp_path):
    scene = bpy.context.scene
    if bpy.app.version < (5, 0, 0):  # later versions keep such values where scripts cannot write them
        scene["sapiens2"] = {"motion_fps": 12.0, "resolution": 1, "refine": 0.25, "batch_folder": "//in", "flip": False}
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "old.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "old.blend"))
    assert part("properties").avatar_settings(bpy.context.scene.sapiens2) == part("core.settings").AvatarSettings()


def test_predictions_of_a_draft_are_stored_apart(part, tmp_path):
    """And those of no draft where they were before there were any."""
    build, photo = part("operators.build"), tmp_path / "anna.jpg"
    photo.write_bytes(b"photo")
    full = build.network_options(bpy.context)
    bpy.context.scene.sapiens2.network.draft = True
    draft = build.network_options(bpy.context)
    assert draft.draft and not full.draft
    assert build.predictions_path(photo, draft) != build.predictions_path(photo, full)
    assert "draft" in build.stated(draft) and "draft" not in build.stated(full)
