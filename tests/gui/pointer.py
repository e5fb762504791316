"""Mouse and keyboard of the X server, through its test extension: Blender sees what a person's hand would send it."""

from __future__ import annotations

import ctypes
import time


class Pointer:
    """Places are window pixels from the lower left corner, as Blender counts; the window fills the screen."""

    def __init__(self, height: int):
        self.height = height
        self._x11 = ctypes.CDLL("libX11.so.6")
        self._xtst = ctypes.CDLL("libXtst.so.6")
        self._x11.XOpenDisplay.restype = ctypes.c_void_p
        self._x11.XStringToKeysym.restype = ctypes.c_ulong
        self._display = ctypes.c_void_p(self._x11.XOpenDisplay(None))
        if not self._display:
            raise RuntimeError("no X display")

    def move(self, x: int, y: int) -> None:
        self._xtst.XTestFakeMotionEvent(self._display, -1, int(x), int(self.height - 1 - y), ctypes.c_ulong(0))
        self._x11.XFlush(self._display)

    def button(self, down: bool, number: int = 1) -> None:
        self._xtst.XTestFakeButtonEvent(self._display, number, int(down), ctypes.c_ulong(0))
        self._x11.XFlush(self._display)

    def key(self, name: str, *modifiers: str) -> None:
        """Press and release a key while modifiers are held; names are X's: "z", "Control_L", "Escape"."""
        codes = [self._x11.XKeysymToKeycode(self._display, self._x11.XStringToKeysym(n.encode())) for n in (*modifiers, name)]
        for code in codes:
            self._xtst.XTestFakeKeyEvent(self._display, code, 1, ctypes.c_ulong(0))
        self._x11.XFlush(self._display)
        time.sleep(0.03)
        for code in reversed(codes):
            self._xtst.XTestFakeKeyEvent(self._display, code, 0, ctypes.c_ulong(0))
        self._x11.XFlush(self._display)
