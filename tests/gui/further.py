"""What is made while a view shows nothing but an avatar. Runs inside Blender, see driver.py."""

from __future__ import annotations

import shutil

import bpy
from driver import NET, OUT, area, module, picture, press, rest, until, window
from steps import at_rest, jobs, project, settings


def seen(avatar):
    """Roles of the objects of an avatar that the view shows, and how many of its objects it does not."""
    space, objects = area().spaces.active, [obj for obj in avatar.all_objects if obj.type != "CAMERA"]
    shown = [obj for obj in objects if obj.visible_get(viewport=space)]
    return {"roles": sorted({obj["sapiens2_role"] for obj in shown}), "hidden": len(objects) - len(shown)}


def made():
    """Make Avatar, and wait until it is there."""
    yield from press("sapiens2.run", start=0.35, then=lambda: jobs().current() is not None)
    yield from until(at_rest, NET)
    yield from rest()
    return settings().avatar


def alone():
    """A scan shown alone becomes an avatar, and the avatar of a second photo comes beside it."""
    yield from project()
    settings().scan.resolution, settings().scan.faces = "FACES", 1000
    scan = yield from made()
    space = area().spaces.active
    found = {"scan": seen(scan), "alone": [space.local_view is not None]}
    settings().make = "avatar"
    first = yield from made()
    picture("further_update")
    found |= {"update": seen(first), "same": first == scan, "error": str(jobs().status.error or "") + jobs().status.detail}
    found["alone"].append(space.local_view is not None)
    shutil.copyfile(OUT / "anna.jpg", OUT / "other.jpg")
    mirrored = bpy.data.images.load(str(OUT / "other.jpg"))
    mirrored.scale(*(side // 2 for side in mirrored.size))  # another picture, of which there are no predictions
    mirrored.filepath_raw, mirrored.file_format = str(OUT / "other.jpg"), "JPEG"
    mirrored.save()
    settings().photo = "//other.jpg"
    yield 1.0
    other = yield from made()
    yield 2.0
    picture("further_second")
    found |= {"second": seen(other), "first": seen(first), "several": other != first, "notes": jobs().status.notes}
    found["alone"].append(space.local_view is not None)
    found["meant"] = module("avatar_queries").active_avatar(bpy.context) == other
    found["selected"] = {obj.users_collection[0].name for obj in window().view_layer.objects.selected} == {other.name}
    found["outline"] = space.overlay.show_outline_selected
    places = [obj.location.x for avatar in (first, other) for obj in avatar.all_objects if obj["sapiens2_role"] == "rig"]
    found["places"] = [*places, bpy.data.objects["Cube"].location.x]
    yield from press("sapiens2.result_show", start=0.35, then=lambda: space.local_view is None)
    yield from rest()
    picture("further_everything")
    return found
