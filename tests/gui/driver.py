"""Runs inside a Blender with a window and works like an artist: real mouse and key events on real buttons.

Started by conftest.py with --enable-event-simulate. A scenario is a generator in scenarios.py: what it yields are seconds to wait,
during which Blender's own loop runs. $OUT gets log.txt, pictures, and result.json at the end.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
import traceback
from pathlib import Path

import bpy

OUT = Path(os.environ["OUT"])
TAB = "Sapiens2"


class Gaps:
    """Longest times between two calls from Blender's loop, by label: on the clock, and of processor time of Blender's main thread.

    The second is what Blender and the extension do; the first is also what everything else on the computer does.
    """

    def __init__(self):
        self.label, self.clock, self.work = "", {}, {}
        self.last = (time.monotonic(), time.thread_time())

    def begin(self, label):
        self.label, self.last = label, (time.monotonic(), time.thread_time())

    def tick(self):
        now = (time.monotonic(), time.thread_time())
        for kept, new, old in zip((self.clock, self.work), now, self.last, strict=True):
            kept[self.label] = max(kept.get(self.label, 0.0), new - old)
        self.last = now
        return 0.02


gaps = Gaps()


def window():
    return bpy.context.window_manager.windows[0]


def area(kind="VIEW_3D"):
    return next(a for a in window().screen.areas if a.type == kind)


def region(kind):
    return next(r for r in area().regions if r.type == kind)


def event(**options):
    window().event_simulate(**options)


def picture(name, crop_panel=False):
    """Grab from the X server: Blender's own screenshot is black with software OpenGL."""
    path = OUT / f"{name}.png"
    subprocess.run(["import", "-window", "root", str(path)], check=True)
    if crop_panel:
        panel = region("UI")
        top = window().height - panel.y - panel.height
        geometry = f"{panel.width}x{panel.height}+{panel.x}+{top}"
        subprocess.run(["mogrify", "-crop", geometry, "+repage", str(path)], check=True)


def command_under_pointer():
    manager = bpy.context.window_manager
    manager.clipboard = ""
    with bpy.context.temp_override(window=window(), area=area(), region=region("UI")):
        for operator in (bpy.ops.ui.copy_python_command_button, bpy.ops.ui.copy_data_path_button):
            try:
                if operator.poll():
                    operator()
                    break
            except RuntimeError:
                continue
    return manager.clipboard


def find_button(text, offset=-10):
    """Hover down the sidebar until the button under the pointer runs `text`; value: its place."""
    panel = region("UI")
    x = panel.x + panel.width // 2 + offset
    for y in range(panel.y + panel.height - 10, panel.y, -8):
        event(type="MOUSEMOVE", value="NOTHING", x=x, y=y)
        yield 0.08
        if text in command_under_pointer():
            return x, y
    picture(f"not found {text}")
    raise LookupError(f"no button that runs {text}")


def click(x, y):
    event(type="MOUSEMOVE", value="NOTHING", x=x, y=y)
    yield 0.15
    event(type="LEFTMOUSE", value="PRESS", x=x, y=y)
    yield 0.1
    event(type="LEFTMOUSE", value="RELEASE", x=x, y=y)
    yield 0.3


def key(kind, **modifiers):
    view = region("WINDOW")
    x, y = view.x + view.width // 2, view.y + view.height // 2
    event(type="MOUSEMOVE", value="NOTHING", x=x, y=y)
    yield 0.2
    event(type=kind, value="PRESS", x=x, y=y, **modifiers)
    event(type=kind, value="RELEASE", x=x, y=y, **modifiers)
    yield 0.8


def until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds} s")
        yield 0.05


def datablocks():
    kinds = ("objects", "meshes", "materials", "images", "cameras", "armatures", "collections")
    return {kind: sorted(block.name for block in getattr(bpy.data, kind)) for kind in kinds}


def extension():
    return sys.modules["bl_ext.user_default.sapiens2_avatar"]


def open_tab():
    for space_area in window().screen.areas:
        if space_area.type == "VIEW_3D":
            space_area.spaces[0].show_region_ui = True
    yield 2.0
    region("UI").active_panel_category = TAB
    yield 1.5


def run():
    spec = importlib.util.spec_from_file_location("scenarios", Path(__file__).with_name("scenarios.py"))
    scenarios = importlib.util.module_from_spec(spec)
    sys.modules["driver"] = sys.modules["__main__"] if __name__ == "__main__" else sys.modules[__name__]
    spec.loader.exec_module(scenarios)
    steps = getattr(scenarios, os.environ["SCENARIO"])()
    result = {"error": ""}

    def step():
        for any_area in window().screen.areas:
            any_area.tag_redraw()
        try:
            return next(steps)
        except StopIteration as end:
            result["value"] = end.value
        except BaseException:  # noqa: BLE001 (whatever it is goes to the test)
            result["error"] = traceback.format_exc()
            picture("failed")
        result["clock"], result["work"] = gaps.clock, gaps.work
        (OUT / "result.json").write_text(json.dumps(result, default=str))
        bpy.ops.wm.quit_blender()
        return None

    bpy.app.timers.register(step, first_interval=5.0, persistent=True)
    bpy.app.timers.register(gaps.tick, persistent=True)


preferences = bpy.context.preferences
preferences.view.show_splash = False
preferences.view.use_save_prompt = False
preferences.view.ui_scale = 1.0
bpy.ops.extensions.package_install_files(filepath=os.environ["EXT_ZIP"], repo="user_default", enable_on_install=True)
run()
