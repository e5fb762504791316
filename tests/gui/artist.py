"""An artist at work while results arrive, and what is theirs. Runs inside Blender, see driver.py."""

from __future__ import annotations

import bpy
from driver import NET, area, click, key, module, mouse, picture, press, region, rest, say, until, window
from steps import at_rest, contents, hold_workers, jobs, project, settings, store_predictions


def scan():
    return next(obj for obj in bpy.data.objects if obj.get("sapiens2_role") == "scan")


def in_view():
    return bpy.context.temp_override(window=window(), area=area(), region=region("WINDOW"))


def running(name):
    return lambda: any(operator.bl_idname == name for operator in window().modal_operators)


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


def stroke():
    """Press the button over the middle of the view and draw a little, without letting go."""
    view = region("WINDOW")
    x, y = view.x + view.width // 2, view.y + view.height // 2
    mouse.move(x, y)
    yield 0.3
    mouse.button(True)
    for step in range(6):
        mouse.move(x + 6 * step, y + 3 * step)
        yield 0.1
    yield from until(running("SCULPT_OT_brush_stroke"), NET)


def transform(letter, name, end):
    """Functions that begin and that end what a key of the view begins."""
    begin = lambda: key(letter, then=running(name))  # noqa: E731
    finish = lambda: key(end, then=lambda: not running(name)())  # noqa: E731
    return begin, finish


def play():
    with in_view():
        bpy.ops.screen.animation_play()
    yield 0.3


def edit():
    enter("EDIT", scan())
    yield 0.3


def loop_cut():
    enter("EDIT", bpy.data.objects["Cube"])
    yield from key("r", "Control_L", then=running("MESH_OT_loopcut_slide"))


def end_loop_cut():
    yield from key("Escape", then=lambda: not running("MESH_OT_loopcut_slide")())
    yield from leave()


def leave():
    with in_view():
        bpy.ops.object.mode_set(mode="OBJECT")
    yield 0.1


def sculpt():
    enter("SCULPT", bpy.data.objects["Cube"])
    yield 0.5
    yield from stroke()


def end_stroke():
    mouse.button(False)
    yield from until(lambda: not running("SCULPT_OT_brush_stroke")(), NET)
    yield from leave()


def held():
    """The result of a run, and of rebuilds, arrives while the artist moves, turns, scales, cuts, sculpts, edits or plays."""
    yield from project()
    store_predictions()
    settings().scan.resolution, settings().scan.faces = "FACES", 2000
    points, seen = hold_workers(), {}
    cube = bpy.data.objects["Cube"]
    cube.location = (0, 3, 0)

    def arrives(name, operator, chosen, begin, end):
        choose(chosen())
        points.hold("build/scan")
        getattr(bpy.ops.sapiens2, operator)("INVOKE_DEFAULT", True)
        yield from until(lambda: points.reached or jobs().current() is None, NET)
        assert points.reached, (name, jobs().status.error, jobs().status.detail)
        say(f"begin {name}")
        yield from begin()
        before = contents()
        points.release()
        yield from until(lambda: jobs().status.held or at_rest(), NET)
        assert jobs().status.held, (name, jobs().status.error, jobs().status.detail)
        yield 0.5
        words = list(jobs().status.held.values())
        kept = contents()["objects"] == before["objects"] and contents()["mesh sizes"] == before["mesh sizes"]
        if name == "move":
            picture("held", crop_panel=True)
        yield from end()
        yield from until(at_rest, NET)
        say(f"written after {name}")
        seen[name] = {"words": words, "kept": kept, "error": jobs().status.error, "held": len(jobs().status.held)}

    yield from arrives("move", "run", lambda: cube, *transform("g", "TRANSFORM_OT_translate", "Escape"))
    seen["move"]["made"] = [len(scan().data.polygons), len(scan().parent.data.bones)]
    with in_view():
        module("operators.show").show_everything(bpy.context)  # the first avatar is shown alone, and the cube is worked on
    first, faces = scan().name, 1000
    for name, begin, end in (
        ("move of the scan", *transform("g", "TRANSFORM_OT_translate", "Escape")),
        ("turn", *transform("r", "TRANSFORM_OT_rotate", "Escape")),
        ("scale", *transform("s", "TRANSFORM_OT_resize", "Return")),
        ("loop cut", loop_cut, end_loop_cut),
        ("stroke", sculpt, end_stroke),
        ("edit", edit, leave),
        ("play", play, play),
    ):
        faces += 100
        settings().scan.faces = faces
        yield from arrives(name, "build_scan", scan, begin, end)
        seen[name]["made"] = [len(scan().data.polygons), len(scan().parent.data.bones)]
    return {"seen": seen, "same": scan().name == first, "objects": sorted(obj.name for obj in bpy.data.objects)}


def theirs():
    """What an artist does to an avatar and to a copy of it stays when it is built again; what was edited by hand is asked for."""
    yield from project()
    store_predictions()
    settings().scan.resolution, settings().scan.faces = "FACES", 2000
    bpy.ops.sapiens2.run("INVOKE_DEFAULT", True)
    yield from until(at_rest, NET)
    mine, rig = scan(), scan().parent
    mine.name, rig.location.x = "Hero", 2.0
    mine.modifiers.new("Smooth", "SUBSURF").levels = 1
    mine.shape_key_add(name="Basis", from_mix=False)
    mine.shape_key_add(name="Smile", from_mix=False)
    rig.keyframe_insert("location", frame=1)
    choose(mine)
    yield from key("d", "Shift_L", then=running("OBJECT_OT_duplicate_move"))
    yield from key("Escape", then=lambda: not running("OBJECT_OT_duplicate_move")())
    copy = bpy.data.objects["Hero.001"]
    vertices = len(copy.data.vertices)
    settings().scan.faces = 1200
    bpy.ops.ed.undo_push(message="artist")
    choose(mine)
    bpy.ops.sapiens2.build_scan("INVOKE_DEFAULT", True)
    yield from until(at_rest, NET)
    built = {
        "faces": len(mine.data.polygons),
        "copy": len(copy.data.vertices) == vertices,
        "rig": [rig.location.x, mine.parent == rig],
        "animated": rig.animation_data.action is not None,
        "modifiers": [modifier.name for modifier in mine.modifiers],
        "keys": [block.name for block in mine.data.shape_keys.key_blocks],
        "collections": [collection.name for collection in mine.users_collection],
    }
    mine.data.shape_keys.reference_key.data[0].co.z += 0.1
    mine.data.vertices[0].co.z += 0.1
    with in_view():
        mouse.move(region("WINDOW").x + 300, region("WINDOW").y + 300)
        yield 0.3
        bpy.ops.sapiens2.build_scan("INVOKE_DEFAULT", True)
    yield 1.5
    asked = jobs().current() is None
    picture("edited by hand")
    mouse.key("Return")
    yield from until(lambda: jobs().current() is not None, NET)
    yield from until(at_rest, NET)
    objects = sorted(obj.name for obj in bpy.data.objects)
    return {"built": built, "asked": asked, "notes": jobs().status.notes, "objects": objects}


def three():
    """Three avatars: a row of the list selects one, a click on one in the view does too, and the bin deletes that one."""
    yield from project()
    store_predictions()
    settings().scan.resolution, settings().scan.faces, settings().place = "FACES", 1000, "NEW"
    for place in range(3):
        bpy.ops.sapiens2.run("INVOKE_DEFAULT", True)
        yield from until(at_rest, NET)
        made = settings().avatar
        rig = next(obj for obj in made.objects if obj.get("sapiens2_role") == "rig")
        rig.location.x, made.name = 1.5 * place, f"Avatar {place + 1}"
    yield from rest()
    panel = region("UI")
    picture("avatars", crop_panel=True)
    rows = []
    for down in range(30, 150, 6):  # the header of the first panel, then the rows
        yield from click(panel.x + panel.width // 3, panel.y + panel.height - down)
        active = window().view_layer.objects.active
        name = active.users_collection[0].name if active is not None else ""
        rows += [name] if name.startswith("Avatar") and name not in rows else []
        if rows == ["Avatar 1", "Avatar 2"]:
            break
    picture("second avatar", crop_panel=True)
    yield from press("sapiens2.clear", offset=panel.width // 2 - 50, then=lambda: "Avatar 2" not in bpy.data.collections)
    return {"rows": rows, "left": sorted(c.name for c in bpy.data.collections if c.name.startswith("Avatar"))}
