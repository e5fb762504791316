"""What is made is seen, whatever the view shows alone meanwhile."""

from __future__ import annotations

from itertools import pairwise


def test_what_is_made_is_seen_where_an_avatar_is_shown_alone(play):
    value = play("further.alone")[0]["value"]
    assert value["error"] == "" and value["same"] and value["several"] and value["alone"] == [True, True, True]
    assert value["scan"]["roles"] == ["rig", "scan"] and value["scan"]["hidden"] == 0
    assert {"body", "garment", "rig"} <= set(value["update"]["roles"]) and value["update"]["hidden"] == 0
    assert {"body", "rig"} <= set(value["second"]["roles"]) and value["second"]["hidden"] == 0
    assert value["first"]["hidden"] == 0
    assert value["meant"] and value["selected"], "every button acts on what was made last"
    places = sorted(value["places"])
    assert min(b - a for a, b in pairwise(places)) > 1, "nobody stands inside another, or in the cube"
    assert not value["outline"], "until the artist selects something"
