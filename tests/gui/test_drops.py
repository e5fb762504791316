"""Files dropped on a real window, by the protocol of the X server, as from a file manager."""

from __future__ import annotations


def test_several_photos_are_dropped_at_once(play):
    value = play("drops.several")[0]["value"]
    assert value["asked"], "who is in them is asked before anything is set"
    assert [value["photo"], *value["more"]] == value["photos"]
    assert value["refused"].startswith("words.jpg is not a photo") and value["kept"] == value["photo"]
