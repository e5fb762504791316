"""The sliders of a body's shape in a real window."""

from __future__ import annotations


def test_a_body_follows_its_sliders(play):
    result, _ = play("shape.dragged")
    value = result["value"]
    print({key: result[key] for key in ("clock", "work", "count")}, value)
    assert value["heavier"] > 0.005 and value["taller"] > 0.03
    assert value["undone"] == 0 and value["photo"] < 1e-5
