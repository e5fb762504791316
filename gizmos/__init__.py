"""What is drawn over a view and can be dragged there. Handles run operators; nothing here changes data.

handle   one handle: a dot that is found under the pointer
overlay  the photo over the avatar, while the artist looks through its camera
pins     a handle for each landmark of the avatar, and for each pin
boxes    the boxes of the people over the photo, in the image editor
"""

from __future__ import annotations

from . import boxes, handle, overlay, pins

CLASSES = (*handle.CLASSES, *overlay.CLASSES, *pins.CLASSES, *boxes.CLASSES)


def start() -> None:
    """Draw, and follow changes of the scene, from now on."""
    overlay.start()
    pins.start()


def stop() -> None:
    pins.stop()
    overlay.stop()
