"""What is the artist's of an avatar, and which one is meant. Runs inside Blender, see driver.py."""

from __future__ import annotations

import bpy
from driver import NET, click, key, mouse, picture, press, region, rest, until, window
from held import choose, in_view, running, scan
from steps import at_rest, jobs, project, settings, store_predictions


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
    """Three avatars, of which the last made one is meant: a row of the list selects one, and the bin deletes that one."""
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
    rows, meant = [], settings().avatar.name
    for down in range(30, 150, 6):  # the header of the first panel, then the rows
        yield from click(panel.x + panel.width // 3, panel.y + panel.height - down)
        active = window().view_layer.objects.active
        name = active.users_collection[0].name if active is not None else ""
        rows += [name] if name.startswith("Avatar") and name not in (meant, *rows) else []
        if rows == ["Avatar 1", "Avatar 2"]:
            break
    picture("second avatar", crop_panel=True)
    yield from press("sapiens2.clear", offset=panel.width // 2 - 50, then=lambda: "Avatar 2" not in bpy.data.collections)
    return {"meant": meant, "rows": rows, "left": sorted(c.name for c in bpy.data.collections if c.name.startswith("Avatar"))}
