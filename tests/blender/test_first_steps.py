"""What somebody meets who has just installed the extension: the way to the tab, and what the set-up says before it begins."""

from __future__ import annotations

from types import SimpleNamespace

import bpy
import pytest


@pytest.mark.parametrize(
    ("gigabytes", "megabits", "minutes"), [(0.4, 100, 1), (3.0, 100, 4), (0.4, 20, 3), (3.0, 20, 20), (0.001, 1000, 1)]
)
def test_a_download_takes_as_long_as_its_size_and_the_connection_say(part, gigabytes, megabits, minutes):
    assert part("operators.setup").download_minutes(gigabytes, megabits) == minutes


def dialog(part, **given):
    """What the dialog of the runtime says."""
    said = []

    class Layout:
        def __getattr__(self, name):
            return lambda *_arguments, **options: said.append(options.get("text", "")) or Layout()

    operator = type("Operator", (), {"layout": Layout(), "wheels": "", **given})()
    part("operators.setup").SAPIENS2_OT_runtime_install.draw(operator, bpy.context)
    return " | ".join(said)


def test_the_dialog_says_how_much_comes_and_how_long_that_takes(part, monkeypatch):
    monkeypatch.setattr(part("jobs").status, "python", None)
    assert "0.4 GB (for the CPU) to 3.0 GB" in dialog(part) and "1 to 4 minutes at 100 Mbit/s, 3 to 20 at 20" in dialog(part)
    assert "Nothing is downloaded" in dialog(part, wheels="/files") and "Mbit/s" not in dialog(part, wheels="/files")


def test_the_tab_is_not_offered_where_there_is_no_window(part):
    assert not bpy.ops.sapiens2.tab_open.poll()
    assert part("panels.tab").Sidebar.bl_category == part("operators.tab").TAB


def test_a_sidebar_that_was_closed_is_turned_to_the_tab_when_it_has_been_drawn(part, monkeypatch):
    """Blender refuses the name of a tab until then."""
    tab, drawn, timers = part("operators.tab"), [], []

    class Region:
        type = "UI"

        def __setattr__(self, name, value):
            if not timers:
                raise AttributeError("read-only")
            drawn.append((name, value))

        def tag_redraw(self):
            drawn.append("redraw")

    area = SimpleNamespace(as_pointer=lambda: 7, regions=[Region()])
    monkeypatch.setattr(tab, "_views", lambda _context: [area])
    register = SimpleNamespace(timers=SimpleNamespace(register=lambda call, first_interval: timers.append(call)))
    monkeypatch.setattr(tab, "bpy", SimpleNamespace(app=register, context=bpy.context))
    assert tab._turn_to_tab(7) is None and not drawn and len(timers) == 1
    assert timers[0]() is None and drawn == [("active_panel_category", "Sapiens2"), "redraw"] and len(timers) == 1
