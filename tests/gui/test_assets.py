"""An avatar becomes an asset by its button, with the picture that Workbench renders in a window."""

from __future__ import annotations


def test_mark_as_asset(play):
    value = play("assets.mark")[0]["value"]
    assert value["error"] == "" and value["license"] == "As the photo" and "rigged" in value["tags"]
    assert value["tall"] > 0.7 and value["spread"] > 0.05, "the avatar with its textures, no icon"
    assert value["scenes"] == 0
