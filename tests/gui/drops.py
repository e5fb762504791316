"""Files that are really dropped on the window. Runs inside Blender, see driver.py."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor

from driver import OUT, mouse, open_tab, picture, region, say, until
from steps import PYTHON, jobs, preferences, settings
from xdnd import Source

SOON = 120.0
"""Seconds until which Blender has answered on any computer."""


def dropped(paths, place):
    """Drop files on a place of the window, in pixels from its lower left corner."""
    mouse.move(*place)
    yield 0.5
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(Source().drop, paths, place[0], mouse.height - 1 - place[1])
        yield from until(done.done, SOON)
    done.result()
    say(f"dropped {len(paths)}")
    yield 1.5


def middle():
    view = region("WINDOW")
    return view.x + view.width // 2, view.y + view.height // 2


def use(photos):
    """Drop photos on the viewport and answer Blender's question what to do with pictures."""
    yield from dropped(photos, middle())
    mouse.key("s")  # "Sapiens2 Photos" is the answer with the underlined S
    yield 1.5


def several():
    """Three photos dropped on the viewport at once: who is in them is asked, and the list has them."""
    preferences().python_path = PYTHON
    yield from open_tab()
    photos = [OUT / "anna.jpg", OUT / "anna from the side.jpg", OUT / "anna ü.jpg"]
    for photo in photos[1:]:
        shutil.copyfile(photos[0], photo)
    yield from use(photos)
    picture("drop_asks")
    asked = settings().photo == ""
    mouse.key("Return")
    yield from until(lambda: settings().photo, SOON)
    yield 1.0
    picture("dropped", crop_panel=True)
    found = {"asked": asked, "photo": settings().photo, "more": [more.path for more in settings().more_photos]}
    (OUT / "words.jpg").write_text("no picture")
    yield from use([OUT / "words.jpg", OUT / "anna.jpg"])
    mouse.key("Return")
    yield from until(lambda: jobs().status.error, SOON)
    yield 1.0
    picture("drop_refused", crop_panel=True)
    return {**found, "photos": [str(photo) for photo in photos], "refused": jobs().status.error.message,
            "kept": settings().photo}  # fmt: skip
