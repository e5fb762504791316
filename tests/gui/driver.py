"""Runs inside a Blender with a window and works like an artist: the X server's own mouse and keys on Blender's buttons.

Started by conftest.py. A scenario is a generator in one of the scenario files: what it yields are seconds to wait, during which
Blender's own loop runs. $OUT gets pictures, and result.json at the end.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
import traceback
from pathlib import Path

import bpy
from pointer import Pointer

OUT = Path(os.environ["OUT"])
TAB = "Sapiens2"
TICK = 0.02
NET = 1200.0
"""Seconds after which a wait for a state gives up: the end of a scenario that hangs, not what is expected of any computer."""
WHEEL_DOWN = 5  # of the X server's mouse buttons
STARTED = time.monotonic()


class Redraws:
    """Longest time between two drawings of the sidebar, by label: on the clock, and of processor time of Blender's main thread.

    The second is what Blender and the extension do; the first is also what everything else on the computer does.
    """

    def __init__(self):
        self.label, self.count, self.clock, self.work = "", {}, {}, {}
        self.last = None

    def begin(self, label):
        self.label, self.last = label, (time.monotonic(), time.thread_time())

    def drawn(self):
        if not self.label:
            return
        now = (time.monotonic(), time.thread_time())
        for kept, new, old in zip((self.clock, self.work), now, self.last, strict=True):
            kept[self.label] = max(kept.get(self.label, 0.0), new - old)
        self.count[self.label] = self.count.get(self.label, 0) + 1
        self.last = now

    def ask(self):
        if self.label:
            region("UI").tag_redraw()
        return TICK


redraws = Redraws()


def window():
    return bpy.context.window_manager.windows[0]


def area(kind="VIEW_3D"):
    return next(a for a in window().screen.areas if a.type == kind)


def region(kind):
    return next(r for r in area().regions if r.type == kind)


def say(text):
    """A line in the log with the time, to see where it went."""
    sys.stderr.write(f"{time.monotonic() - STARTED:7.1f}  {text}\n")
    sys.stderr.flush()


def picture(name, crop_panel=False):
    """Grab from the X server: Blender's own screenshot is black with software OpenGL."""
    path = OUT / "pictures" / f"{name}.png"
    say(f"picture {name}")
    subprocess.run(["import", "-window", "root", str(path)], check=True)
    if crop_panel:
        panel = region("UI")
        top = window().height - panel.y - panel.height
        geometry = f"{panel.width}x{panel.height}+{panel.x}+{top}"
        subprocess.run(["mogrify", "-crop", geometry, "+repage", "-strip", str(path)], check=True)


def command_under_pointer(kind="UI"):
    manager = bpy.context.window_manager
    manager.clipboard = ""
    with bpy.context.temp_override(window=window(), area=area(), region=region(kind)):
        for operator in (bpy.ops.ui.copy_python_command_button, bpy.ops.ui.copy_data_path_button):
            try:
                if operator.poll():
                    operator()
                    break
            except RuntimeError:
                continue
    return manager.clipboard


def find_button(text, offset=-10, start=0.0):
    """Move down the sidebar until the button under the pointer runs `text`; value: its place.
    `start`: share of the height to skip.

    Blender does not say when it has noticed where the pointer is: on a busy computer a button is missed, so a search that finds
    nothing is made again, more slowly.
    """
    for pause in (0.04, 0.1, 0.4, 1.0):
        panel = region("UI")
        x = panel.x + panel.width // 2 + offset
        for y in range(int(panel.y + panel.height * (1 - start)) - 10, panel.y, -12):
            mouse.move(x, y)
            yield pause
            if text in command_under_pointer():
                say(f"found {text}")
                return x, y
    picture(f"not found {text}")
    say(f"no {text}")
    raise LookupError(f"no button that runs {text}")


def click(x, y, then=None):
    """Click, and wait until Blender has done what it does `then`; without that, for a moment."""
    mouse.move(x, y)
    yield 0.15
    mouse.button(True)
    yield 0.08
    mouse.button(False)
    yield 0.3
    if then is not None:
        yield from until(then, NET)


def press(text, then=None, **options):
    """Find the button that runs `text` and click it."""
    place = yield from find_button(text, **options)
    yield from click(*place, then=then)


def scroll_down():
    """Turn the wheel over the sidebar until its last panel is in sight."""
    panel = region("UI")
    mouse.move(panel.x + 3, panel.y + panel.height // 2)  # beside the panels: over a list it would turn the list
    for _ in range(40):
        mouse.button(True, WHEEL_DOWN)
        mouse.button(False, WHEEL_DOWN)
        yield 0.02
    yield 0.5


def drag(start, end):
    mouse.move(*start)
    yield 0.2
    mouse.button(True)
    for step in range(1, 6):
        mouse.move(*(int(a + (b - a) * step / 5) for a, b in zip(start, end, strict=True)))
        yield 0.08
    mouse.button(False)
    yield 0.4


def rest():
    """The pointer out of the way, so that nothing is highlighted and no tooltip opens."""
    view = region("WINDOW")
    mouse.move(view.x + view.width // 3, view.y + 40)
    for _ in range(6):  # a panel that has changed its height is in its place after the second drawing
        yield 0.12


def key(name, *modifiers, then):
    """Press a key over the view, and wait until Blender has done what it does `then`."""
    view = region("WINDOW")
    mouse.move(view.x + view.width // 3, view.y + view.height // 2)
    yield 0.2
    mouse.key(name, *modifiers)
    yield from until(then, NET)
    yield 0.2


def until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds} s")
        yield 0.1


def datablocks():
    """Name of every kind of data -> names of its blocks, without what belongs to the interface."""
    interface = {"window_managers", "screens", "workspaces", "brushes", "palettes", "libraries", "linestyles"}
    kinds = [p.identifier for p in bpy.data.bl_rna.properties if p.type == "COLLECTION" and p.identifier not in interface]
    return {kind: sorted(block.name for block in getattr(bpy.data, kind)) for kind in kinds}


def extension():
    return sys.modules["bl_ext.user_default.sapiens2_avatar"]


def module(name):
    return sys.modules[f"{extension().__name__}.{name}"]


def open_tab():
    for space_area in window().screen.areas:
        if space_area.type == "VIEW_3D":
            space_area.spaces[0].show_region_ui = True
    yield 1.0
    region("UI").active_panel_category = TAB
    yield 1.0


def install():
    """Preferences > Get Extensions > Install from Disk: its file browser, the zip chosen in it, and its button."""
    if os.environ.get("INSTALLED"):  # by another Blender with the same folders
        bpy.ops.preferences.addon_enable(module="bl_ext.user_default.sapiens2_avatar")
        return
    path = Path(os.environ["EXT_ZIP"])
    bpy.ops.extensions.package_install_files("INVOKE_DEFAULT", repo="user_default", enable_on_install=True)
    yield 1.5
    browser = next((w, a) for w in bpy.context.window_manager.windows for a in w.screen.areas if a.type == "FILE_BROWSER")
    parameters = browser[1].spaces.active.params
    parameters.directory, parameters.filename = os.fsencode(path.parent), path.name
    yield 0.5
    with bpy.context.temp_override(window=browser[0], area=browser[1]):
        bpy.ops.file.execute()
    yield from until(lambda: "bl_ext.user_default.sapiens2_avatar" in sys.modules, NET)
    yield 0.5


def scenario():
    name, function = os.environ["SCENARIO"].split(".")
    return getattr(importlib.import_module(name), function)()


def work():
    if not os.environ.get("NOT_INSTALLED"):  # by the scenario itself
        yield from install()
    return (yield from scenario())


def run():
    steps, result = work(), {"error": ""}

    def step():
        try:
            pause = next(steps)
            if not redraws.label and any(a.type == "VIEW_3D" for a in window().screen.areas):  # none under a full-screen dialog
                region("UI").tag_redraw()
            return pause
        except StopIteration as end:
            result["value"] = end.value
        except BaseException:  # noqa: BLE001 (whatever it is goes to the test)
            result["error"] = traceback.format_exc()
            picture("failed")
        result.update(clock=redraws.clock, work=redraws.work, count=redraws.count)
        (OUT / "result.json").write_text(json.dumps(result, default=str))
        bpy.ops.wm.quit_blender()
        return None

    for any_area in window().screen.areas:
        any_area.tag_redraw()
    bpy.app.timers.register(step, first_interval=4.0, persistent=True)
    bpy.app.timers.register(redraws.ask, persistent=True)
    bpy.types.SpaceView3D.draw_handler_add(redraws.drawn, (), "UI", "POST_PIXEL")


mouse = Pointer(int(os.environ.get("SCREEN_HEIGHT", "900")))
