"""From a new Blender to the first avatar, by the clicks that the documentation counts."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "sidebar.md"


def test_eight_clicks_make_the_first_avatar(play):
    value = play("first.clicks", NOT_INSTALLED="1")[0]["value"]
    print(value)
    assert len(value["clicks"]) <= 8, value["clicks"]
    assert len(re.findall(r"^\d\. ", PAGE.read_text("utf-8"), re.MULTILINE)) == len(value["clicks"])
    assert {"body", "rig", "camera"} <= set(value["roles"]) and value["error"] == ""
    assert not value["outline"], "until something is selected"
    assert 0.8 < value["share"] < 1 and value["type"] == "SOLID" and value["color"] == "TEXTURE" and not value["bones"]
