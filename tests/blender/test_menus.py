"""The menus in which artists look, and what F3 finds through them."""

from __future__ import annotations

from types import SimpleNamespace

import bpy
import pytest


class Layout:
    """Notes what is drawn into it."""

    def __init__(self) -> None:
        self.drawn: list[str] = []

    def operator(self, name: str, **_options: str) -> None:
        self.drawn.append(name)

    def menu(self, name: str) -> None:
        self.drawn.append(name)

    def separator(self) -> None:
        pass


def drawn(function, *arguments: object) -> list[str]:
    layout = Layout()
    function(SimpleNamespace(layout=layout), *arguments)
    return layout.drawn


def test_objects_of_an_avatar_have_a_menu_and_others_do_not(part, make_avatar) -> None:
    menus = part("panels.menus")
    collection = part("scene.build").write_avatars([make_avatar()], "P")
    for obj in collection.all_objects:
        bpy.context.view_layer.objects.active = obj
        assert drawn(menus.draw_object, bpy.context) == ["SAPIENS2_MT_avatar"]
    other = bpy.data.objects.new("Other", None)
    bpy.context.scene.collection.objects.link(other)
    bpy.context.view_layer.objects.active = other
    assert drawn(menus.draw_object, bpy.context) == []


def test_what_the_menu_offers_exists(part) -> None:
    menus = part("panels.menus")
    offered = drawn(menus.SAPIENS2_MT_avatar.draw, bpy.context)
    assert len(offered) >= 7
    for name in offered:
        getattr(bpy.ops.sapiens2, name.removeprefix("sapiens2.")).get_rna_type()


def test_add_makes_an_avatar_of_a_photo(part, worker, tmp_path, monkeypatch) -> None:
    menus = part("panels.menus")
    assert drawn(menus.draw_add, bpy.context) == ["sapiens2.add_avatar"] and bpy.ops.sapiens2.add_avatar.poll()
    with pytest.raises(RuntimeError, match=r"none\.png is not in"):
        bpy.ops.sapiens2.add_avatar(filepath=str(tmp_path / "none.png"))
    assert bpy.context.scene.sapiens2.photo == "", "what cannot be a photo is not taken"
    monkeypatch.setattr(worker.status, "python", None)
    assert not bpy.ops.sapiens2.add_avatar.poll()
    assert drawn(menus.draw_add, bpy.context) == ["sapiens2.tab_open"], "the way to what has to be done first"
