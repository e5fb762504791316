"""Boxes of people over the photo: what a handle changes, and which pixel is where however a photo is stored."""

from __future__ import annotations

from types import SimpleNamespace

import bpy
import pytest

SIZE = 100, 80
BOX = 20.0, 10.0, 60.0, 50.0


@pytest.mark.parametrize(
    ("which", "moved", "wanted"),
    [
        ("x1 y1", (-5, 3), (15, 13, 60, 50)),
        ("x2 y2", (100, 100), (20, 10, 100, 80)),
        ("x1 y2", (90, -90), (52, 10, 60, 18)),
        ("x2 y1", (-90, 90), (20, 42, 28, 50)),
        ("all", (10, -5), (30, 5, 70, 45)),
        ("all", (-90, 90), (0, 40, 40, 80)),
    ],
)
def test_a_handle_changes_its_edges_inside_the_photo(part, which, moved, wanted):
    assert part("operators.boxes").changed(BOX, which, moved, SIZE) == wanted


def test_a_box_is_taken_away():
    boxes = bpy.context.scene.sapiens2.boxes
    assert not bpy.ops.sapiens2.box_remove.poll()
    for left in (1.0, 2.0, 3.0):
        boxes.add().x1 = left
    assert bpy.ops.sapiens2.box_remove(box=1) == {"FINISHED"}
    assert [box.x1 for box in boxes] == [1.0, 3.0]
    assert bpy.ops.sapiens2.box_remove(box=5) == {"CANCELLED"}


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_places_and_pixels_map_both_ways(part, monkeypatch, tmp_path, turns, mirrored):
    """A view that shows the stored picture from (100, 50) on, three places to a pixel."""
    editor = part("scene.photo_editor")
    monkeypatch.setattr(editor, "_orientation", lambda *_photo: (turns, mirrored))
    stored = 40, 30
    view = SimpleNamespace(
        region_to_view=lambda x, y: ((x - 100) / 3 / stored[0], (y - 50) / 3 / stored[1]),
        view_to_region=lambda u, v, clip: (u * stored[0] * 3 + 100, v * stored[1] * 3 + 50),
    )
    frame = editor.frame_of(SimpleNamespace(view2d=view), tmp_path, stored)
    assert frame.size == (stored if turns % 2 == 0 else stored[::-1])
    upper_left = part("core.capture.exif_orientation").upright_point(0, 0, *stored, turns, mirrored)
    assert frame.pixel(100, 50 + 90) == pytest.approx(upper_left)
    for pixel in ((3.0, 5.0), (20.5, 11.25)):
        assert frame.pixel(*frame.place(*pixel)) == pytest.approx(pixel)
