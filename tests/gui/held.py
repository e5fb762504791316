"""Results that arrive while the artist is in the middle of something. Runs inside Blender, see driver.py."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import bpy
from driver import NET, OUT, area, key, module, mouse, picture, region, say, until, window
from steps import at_rest, contents, hold_workers, jobs, project, settings, store_predictions

FRAMES = 3
"""Of an animation that is rendered; the second one is held."""


def scan():
    return next(obj for obj in bpy.data.objects if obj.get("sapiens2_role") == "scan")


def in_view():
    return bpy.context.temp_override(window=window(), area=area(), region=region("WINDOW"))


def windows():
    return list(bpy.context.window_manager.windows)


def running(name):
    return lambda: any(operator.bl_idname == name for win in windows() for operator in win.modal_operators)


def choose(obj):
    """Select this object alone and make it active."""
    layer = window().view_layer
    for other in layer.objects:
        other.select_set(other == obj)
    layer.objects.active = obj


def enter(mode, obj):
    choose(obj)
    with in_view():
        bpy.ops.object.mode_set(mode=mode)


def leave():
    with in_view():
        bpy.ops.object.mode_set(mode="OBJECT")
    yield 0.1


@dataclass
class Occupation:
    """What an artist is in the middle of when a result arrives.

    begin, end  generators, as scenarios are
    chosen      gives the object that is selected before
    kept        whether what the artist began has come to its end, asked after the result was written
    """

    begin: Callable[[], Iterator[float]]
    end: Callable[[], Iterator[float]]
    chosen: Callable[[], bpy.types.Object]
    kept: Callable[[], bool] = lambda: True


def cube():
    return bpy.data.objects["Cube"]


def transform(letter, name, end, chosen=scan):
    """A key of the view begins it, another one ends it."""
    return Occupation(lambda: key(letter, then=running(name)), lambda: key(end, then=lambda: not running(name)()), chosen)


def loop_cut():
    def begin():
        enter("EDIT", cube())
        yield from key("r", "Control_L", then=running("MESH_OT_loopcut_slide"))

    def end():
        yield from key("Escape", then=lambda: not running("MESH_OT_loopcut_slide")())
        yield from leave()

    return Occupation(begin, end, scan)


def stroke():
    """The button is pressed over the middle of the view and draws a little, without being let go."""

    def begin():
        enter("SCULPT", cube())
        yield 0.5
        view = region("WINDOW")
        x, y = view.x + view.width // 2, view.y + view.height // 2
        mouse.move(x, y)
        yield 0.3
        mouse.button(True)
        for step in range(6):
            mouse.move(x + 6 * step, y + 3 * step)
            yield 0.1
        yield from until(running("SCULPT_OT_brush_stroke"), NET)

    def end():
        mouse.button(False)
        yield from until(lambda: not running("SCULPT_OT_brush_stroke")(), NET)
        yield from leave()

    return Occupation(begin, end, scan)


def edit():
    def begin():
        enter("EDIT", scan())
        yield 0.3

    return Occupation(begin, leave, scan)


def play():
    def toggle():
        with in_view():
            bpy.ops.screen.animation_play()
        yield 0.3

    return Occupation(toggle, toggle, scan)


def dialogs():
    """The windows and areas in which Blender asks for a file."""
    areas = [(win, part) for win in windows() for part in win.screen.areas if part.type == "FILE_BROWSER"]
    return [(win, part) for win, part in areas if part.spaces.active.active_operator is not None]


def file_dialog(display):
    """Save As: the file is written while the result waits.

    display  how Blender shows the dialog: "WINDOW" of its own, or "SCREEN" in place of everything else
    """
    path = OUT / f"saved {display.lower()}.blend"
    preferences = bpy.context.preferences.view

    def begin():
        preferences.filebrowser_display_type = display
        yield from key("s", "Control_L", "Shift_L", then=dialogs)
        yield 0.5

    def end():
        win, part = dialogs()[0]
        part.spaces.active.params.filename = path.name
        canvas = next(part for part in part.regions if part.type == "WINDOW")
        mouse.move(canvas.x + canvas.width // 2, mouse.height - (win.height - canvas.y - canvas.height // 2))
        yield 0.5
        mouse.key("Return")
        yield from until(lambda: not dialogs() and path.exists(), NET)

    return Occupation(begin, end, scan, lambda: bpy.data.filepath == str(path) and path.stat().st_size > 0)


def render():
    """An animation is rendered, and stands still in its second frame until it is let go."""
    in_second, let_go = threading.Event(), threading.Event()
    folder = OUT / "frames"

    def hold(scene, _depsgraph=None):
        if scene.frame_current == 2:  # Blender calls this from the thread that renders
            in_second.set()
            let_go.wait(NET)

    def begin():
        scene = bpy.context.scene
        scene.render.engine, scene.cycles.samples = "CYCLES", 1
        scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 64, 48, 100
        scene.render.filepath, scene.frame_start, scene.frame_end = f"{folder}/", 1, FRAMES
        bpy.app.handlers.render_post.append(hold)
        yield from key("F12", "Control_L", then=in_second.is_set)
        assert bpy.app.is_job_running("RENDER")

    def end():
        let_go.set()
        yield from until(lambda: not bpy.app.is_job_running("RENDER"), NET)
        bpy.app.handlers.render_post.remove(hold)

    return Occupation(begin, end, scan, lambda: len(list(folder.glob("*.png"))) == FRAMES)


class Arrivals:
    """Results that arrive, and what was seen of each by its name."""

    def __init__(self):
        self.points, self.seen = hold_workers(), {}

    def arrive(self, name, operator, occupation):
        """Start a job by an operator, and let its result come when the artist has begun something else; then end that."""
        choose(occupation.chosen())
        yield from self.start(name, operator)
        say(f"begin {name}")
        yield from occupation.begin()
        before = contents()
        self.points.release()
        yield from until(lambda: jobs().status.held or at_rest(), NET)
        assert jobs().status.held, (name, jobs().status.error, jobs().status.detail)
        yield 0.5
        words = list(jobs().status.held.values())
        kept = contents()["objects"] == before["objects"] and contents()["mesh sizes"] == before["mesh sizes"]
        picture(f"held {name}")
        yield from occupation.end()
        yield from until(at_rest, NET)
        say(f"written after {name}")
        self.seen[name] = {
            "words": words, "kept": kept and occupation.kept(), "error": jobs().status.error, "held": len(jobs().status.held),
            "made": [len(scan().data.polygons), len(scan().parent.data.bones)],
        }  # fmt: skip

    def start(self, name, operator, win=None):
        """Start a job in a window, and wait until its worker is in the middle of it and stands still."""
        self.points.hold("build/scan")
        with bpy.context.temp_override(window=win or window()):
            getattr(bpy.ops.sapiens2, operator)("INVOKE_DEFAULT", True)
        yield from until(lambda: self.points.reached or jobs().current() is None, NET)
        assert self.points.reached, (name, jobs().status.error, jobs().status.detail)


def prepare():
    """A project whose results take a moment to build, and a cube beside them to work on."""
    yield from project()
    store_predictions()
    settings().scan.resolution, settings().scan.faces = "FACES", 2000
    cube().location = (0, 3, 0)
    return Arrivals()


def show_everything():
    """The first avatar is shown alone, and the cube is worked on."""
    with in_view():
        module("operators.show").show_everything(bpy.context)


def held():
    """The result of a run, and of rebuilds, arrives while the artist moves, turns, scales, cuts, sculpts, edits, plays,
    chooses a file or renders."""
    arrivals = yield from prepare()
    yield from arrivals.arrive("move", "run", transform("g", "TRANSFORM_OT_translate", "Escape", cube))
    show_everything()
    first, faces = scan().name, 1000
    for name, occupation in (
        ("move of the scan", transform("g", "TRANSFORM_OT_translate", "Escape")),
        ("turn", transform("r", "TRANSFORM_OT_rotate", "Escape")),
        ("scale", transform("s", "TRANSFORM_OT_resize", "Return")),
        ("loop cut", loop_cut()),
        ("stroke", stroke()),
        ("edit", edit()),
        ("play", play()),
        ("file dialog", file_dialog("WINDOW")),
        ("file dialog over all", file_dialog("SCREEN")),
        ("render", render()),
    ):
        faces += 90
        settings().scan.faces = faces
        yield from arrivals.arrive(name, "build_scan", occupation)
    return {"seen": arrivals.seen, "same": scan().name == first, "objects": sorted(obj.name for obj in bpy.data.objects)}


def second_window():
    """A window more, over the first one, with a scene of its own that has another cube."""
    other = bpy.data.scenes.new("Other")
    block = bpy.data.objects.new("Block", cube().data.copy())
    other.collection.objects.link(block)
    before = set(windows())
    with in_view():
        bpy.ops.wm.window_new_main()
    made = next(win for win in windows() if win not in before)
    made.scene = other
    yield from until(lambda: made.width > 200, NET)
    yield 1.0
    return made, block


def view_of(win):
    return next(part for part in win.screen.areas if part.type == "VIEW_3D")


def close(win):
    with bpy.context.temp_override(window=win):
        bpy.ops.wm.window_close()


def over(win):
    """The pointer over the 3D view of a window that covers the screen."""
    view = view_of(win)
    canvas = next(part for part in view.regions if part.type == "WINDOW")
    x, y = canvas.x + canvas.width // 2, canvas.y + canvas.height // 2
    mouse.move(win.x + x, win.y + y)
    yield 0.5


def two_windows():
    """Two windows with a scene each: a result of the first arrives while an object of the second is moved; a run of the second is
    shown there, and another one comes although its window is closed."""
    arrivals = yield from prepare()
    bpy.ops.sapiens2.run("INVOKE_DEFAULT", True)
    yield from until(at_rest, NET)
    show_everything()
    made, block = yield from second_window()
    picture("second window")
    say(f"{[(win.x, win.y, win.width, win.height) for win in windows()]}")
    name = "TRANSFORM_OT_translate"

    def begin():
        made.view_layer.objects.active = block
        block.select_set(True, view_layer=made.view_layer)
        yield from over(made)
        mouse.key("g")
        yield from until(running(name), NET)
        mouse.key("x")
        mouse.key("2")

    def end():
        mouse.key("Return")
        yield from until(lambda: not running(name)(), NET)

    settings().scan.faces = 1500
    moved = Occupation(begin, end, scan, lambda: abs(block.location.x - 2) < 1e-6)
    yield from arrivals.arrive("move in the second window", "build_scan", moved)
    shown = []
    first, other = (sorted(obj.name for obj in bpy.data.scenes[name].objects) for name in ("Scene", "Other"))
    other_settings = bpy.data.scenes["Other"].sapiens2
    other_settings.photo, other_settings.make = settings().photo, "scan"
    other_settings.scan.resolution = "FACES"
    faces = []
    for ends, number in ((lambda: None, 1200), (lambda: close(made), 1800)):
        other_settings.scan.faces = number
        yield from arrivals.start("run in the second window", "run", made)
        ends()
        yield 0.5
        arrivals.points.release()
        yield from until(at_rest, NET)
        yield 1.0
        scans = [obj for obj in bpy.data.scenes["Other"].objects if obj.get("sapiens2_role") == "scan"]
        faces.append([len(obj.data.polygons) for obj in scans])
        picture(f"second window {number}")
        alone = [view_of(win).spaces.active.local_view is not None for win in windows()]
        say(f"{number}: {alone}, {faces}")
        shown = [*shown, alone]
    error = jobs().status.error
    stopped = yield from first_window_closed(arrivals)
    return {"seen": arrivals.seen, "first": first, "other": other, "faces": faces, "shown": shown, "error": str(error or ""),
            "stopped": stopped}  # fmt: skip


def first_window_closed(arrivals):
    """What is said when the first of two windows is closed while its job runs; and that nothing is when a file is opened."""
    said = []
    with in_view():
        bpy.ops.wm.window_new_main()
    yield from arrivals.start("first window", "build_scan")
    close(windows()[0])
    yield from until(lambda: at_rest() and jobs().status.error, NET)
    said.append(jobs().status.error.message)
    arrivals.points.release()
    yield from arrivals.start("another file", "build_scan")
    said.append(jobs().status.error)
    bpy.ops.wm.open_mainfile(filepath=bpy.data.filepath)
    arrivals.points.release()
    yield from until(at_rest, NET)
    yield 0.5
    return [*said, jobs().status.error]
