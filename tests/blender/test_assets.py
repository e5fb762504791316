"""An avatar in the Asset Browser: with a picture of itself, in words that can be changed, out of it by Blender's own means."""

from __future__ import annotations

import bpy
import numpy as np
import pytest


@pytest.fixture
def avatar(part, make_avatar):
    made = part("scene.build").write_avatars([make_avatar()], "P")
    bpy.context.scene.sapiens2.avatar = made
    return made


def picture(collection: bpy.types.Collection) -> np.ndarray:
    """(rows, columns, 4) of its preview, from below."""
    preview = collection.preview
    pixels = np.empty(len(preview.image_pixels_float), np.float32)
    preview.image_pixels_float.foreach_get(pixels)
    return pixels.reshape(preview.image_size[1], preview.image_size[0], 4)


def test_an_asset_shows_the_avatar_with_its_textures(part, avatar):
    bpy.ops.sapiens2.asset_mark()
    data, seen = avatar.asset_data, picture(avatar)
    assert data.license and data.description.endswith("scan, rig") and {"human", "rigged"} <= {tag.name for tag in data.tags}
    assert seen.shape == (part("scene.assets").SIZE,) * 2 + (4,)
    covered = seen[..., 3] > 0.9
    assert covered.any(axis=1).mean() > 0.6 and not covered[:, [0, -1]].any(), "the whole of it, on nothing"
    colours = seen[covered][:, :3]
    assert colours.std(axis=0).min() > 0.05 and np.ptp(colours, axis=1).mean() > 0.1, "the colours of its texture, no grey icon"


def test_the_picture_is_of_how_the_avatar_stands_now(avatar):
    bpy.ops.sapiens2.asset_mark()
    before = picture(avatar)
    next(obj for obj in avatar.objects if obj.get("sapiens2_role") == "scan").scale.z = 0.3
    bpy.ops.sapiens2.asset_mark(about="Short", tags="small, , one", author="Anna")
    after, data = picture(avatar), avatar.asset_data
    assert (after[..., 3] > 0.5).any(axis=1).sum() < 0.6 * (before[..., 3] > 0.5).any(axis=1).sum()
    assert [data.description, data.author, *sorted(tag.name for tag in data.tags)] == ["Short", "Anna", "one", "small"]
    bpy.ops.sapiens2.asset_mark()
    assert [data.description, data.author] == ["Short", "Anna"], "what is said of it stays"


def test_nothing_else_of_the_file_changes(avatar):
    def contents():
        kinds = ("images", "scenes", "worlds", "objects", "materials", "cameras", "lights", "collections")
        return {kind: sorted(block.name for block in getattr(bpy.data, kind)) for kind in kinds}

    before, engine = contents(), bpy.context.scene.render.engine
    bpy.ops.sapiens2.asset_mark()
    assert contents() == before and bpy.context.scene.render.engine == engine
    with bpy.context.temp_override(id=avatar):
        bpy.ops.asset.clear_single()  # Clear Asset, in the context menu
    assert avatar.asset_data is None


def test_another_file_gets_the_whole_avatar_with_its_picture(part, avatar, tmp_path):
    bpy.ops.sapiens2.asset_mark()
    seen, path = picture(avatar), tmp_path / "library.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    with bpy.data.libraries.load(str(path), link=False, assets_only=True) as (there, here):
        assert there.collections == ["P"] and not there.objects
        here.collections = there.collections
    (taken,) = here.collections
    assert {obj.get("sapiens2_role") for obj in taken.all_objects} == {"scan", "rig", "camera"}
    assert np.abs(picture(taken) - seen).max() < 0.01


def test_without_an_engine_it_is_an_asset_and_a_sentence_says_the_rest(part, avatar, monkeypatch):
    assets, error = part("scene.assets"), part("core.common.errors").SapiensError
    with pytest.raises(error, match="No picture") as found:
        assets.render_preview(avatar, ("NO_SUCH_ENGINE",))
    assert found.value.hint
    render = assets.render_preview
    monkeypatch.setattr(assets, "render_preview", lambda avatar: render(avatar, ()))
    assert bpy.ops.sapiens2.asset_mark() == {"FINISHED"}
    assert avatar.asset_data is not None and "No picture" in part("jobs").status.error.message
    assert [scene.name for scene in bpy.data.scenes] == [bpy.context.scene.name], "what was tried has gone"


def test_a_linked_avatar_is_left_to_its_file(part, avatar, tmp_path):
    path = tmp_path / "theirs.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    with bpy.data.libraries.load(str(path), link=True) as (_there, here):
        here.collections = ["P"]
    bpy.context.scene.collection.children.link(here.collections[0])
    assert not bpy.ops.sapiens2.asset_mark.poll()
