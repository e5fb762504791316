"""How the sidebar looks: its faces are those of the stored pictures, which are also in the documentation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

STORED = Path(__file__).parents[2] / "docs" / "images" / "sidebar"
TOLERANCE = 6.0
"""Mean difference, of 255, between two pictures of the same face, averaged over 8 x 8 pixels: fonts may differ by a pixel."""


def difference(first: Path, second: Path) -> float:
    """Root mean square difference of two pictures, 0 to 255, of blocks of 8 x 8 pixels; infinite for other sizes."""
    from PIL import Image

    pictures = [np.asarray(Image.open(path).convert("L"), np.float32) for path in (first, second)]
    if pictures[0].shape != pictures[1].shape:
        return float("inf")
    rows, columns = (side // 8 for side in pictures[0].shape)
    blocks = [p[: rows * 8, : columns * 8].reshape(rows, 8, columns, 8).mean((1, 3)) for p in pictures]
    return float(np.sqrt(np.mean((blocks[0] - blocks[1]) ** 2)))


def test_the_stored_faces_differ_by_more_than_the_tolerance():
    faces = [STORED / f"{name}.png" for name in ("setup", "empty", "idle", "running")]
    apart = [difference(a, b) for i, a in enumerate(faces) for b in faces[:i]]
    assert min(apart) > TOLERANCE, apart


def test_three_faces(play):
    result, out = play("faces.three_faces")
    value = result["value"]
    assert max(value["widths"]) <= 300
    made = set(value["made"]["objects"])
    assert {"anna Scan", "anna Camera"} <= made
    assert value["shown alone"] and value["color type"] == "TEXTURE" and value["selected"]
    assert value["share"] > 0.33, value["share"]
    assert value["light"] == "paint.sl" and value["bones"] == [False, True, True], "bones are seen by who poses"
    assert value["way back"] == [False, "MATERIAL", "Default"]
    assert "anna Rig" in made or any("rig" in note.lower() for note in value["notes"])
    apart = {name: difference(out / f"{name}.png", STORED / f"{name}.png") for name in ("setup", "empty", "idle", "running")}
    assert max(apart.values()) < TOLERANCE, apart


def test_every_panel_can_be_unfolded(play):
    result, out = play("faces.every_panel")
    assert result["value"]["width"] <= 300 and result["value"]["photo pose"]
    for name in ("model_and_no_maps", "maps", "avatar", "texture", "retarget", "motion", "batch"):
        assert difference(out / f"{name}.png", STORED / f"{name}.png") < TOLERANCE, name


def test_people_are_found_and_drawn(play):
    value = play("faces.people")[0]["value"]
    width, height = value["size"]
    assert (width, height) == (768, 1024) and len(value["found"]) >= 1
    x1, y1, x2, y2 = value["drawn"]
    assert 0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height
    assert (x2 - x1) / (y2 - y1) == pytest.approx(120 / 200, rel=0.1)
    _, resized, moved = value["steps"]
    assert resized[:2] == [x1, y1] and resized[2] > x2 and resized[3] > y2, "its corner was dragged"
    assert resized[2] - x2 < 100, "by as much as the pointer"
    assert moved[0] > x1 and moved[1] > y1, "its middle was dragged"
    assert moved[2] - moved[0] == pytest.approx(resized[2] - resized[0], abs=0.01)
