"""Files dropped on a window by the X drag and drop protocol (XDND 5), as a file manager drops them.

The source is a window of this process with a connection of its own; `drop` runs in a thread, since the window that is dropped on
answers from Blender's main thread.
"""

from __future__ import annotations

import ctypes
import time
from pathlib import Path
from urllib.parse import quote

Atom = Window = Time = ctypes.c_ulong
CLIENT_MESSAGE, SELECTION_REQUEST, SELECTION_NOTIFY = 33, 30, 31
VERSION = 5
SECONDS = 60
STEP_SECONDS = 0.05
FIRST_POSITIONS = 5
"""Movements over the window before the button is let go."""


class ClientMessage(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int), ("serial", ctypes.c_ulong), ("send_event", ctypes.c_int), ("display", ctypes.c_void_p),
        ("window", Window), ("message_type", Atom), ("format", ctypes.c_int), ("data", ctypes.c_long * 5),
    )  # fmt: skip


class SelectionRequest(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int), ("serial", ctypes.c_ulong), ("send_event", ctypes.c_int), ("display", ctypes.c_void_p),
        ("owner", Window), ("requester", Window), ("selection", Atom), ("target", Atom), ("property", Atom), ("time", Time),
    )  # fmt: skip


class SelectionNotify(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int), ("serial", ctypes.c_ulong), ("send_event", ctypes.c_int), ("display", ctypes.c_void_p),
        ("requester", Window), ("selection", Atom), ("target", Atom), ("property", Atom), ("time", Time),
    )  # fmt: skip


class Event(ctypes.Union):
    _fields_ = (
        ("type", ctypes.c_int), ("client", ClientMessage), ("request", SelectionRequest), ("notify", SelectionNotify),
        ("pad", ctypes.c_long * 24),
    )  # fmt: skip


class Source:
    """What drags files."""

    def __init__(self) -> None:
        x11 = self._x11 = ctypes.CDLL("libX11.so.6")
        x11.XOpenDisplay.restype = ctypes.c_void_p
        x11.XInternAtom.restype = x11.XDefaultRootWindow.restype = x11.XCreateSimpleWindow.restype = ctypes.c_ulong
        display = x11.XOpenDisplay(None)
        if not display:
            raise RuntimeError("no X display")
        self._display = ctypes.c_void_p(display)
        self._root = Window(x11.XDefaultRootWindow(self._display))
        self._own = Window(x11.XCreateSimpleWindow(self._display, self._root, 0, 0, 1, 1, 0, Atom(0), Atom(0)))
        self._atoms: dict[str, int] = {}

    def atom(self, name: str) -> int:
        if name not in self._atoms:
            self._atoms[name] = self._x11.XInternAtom(self._display, name.encode(), 0)
        return self._atoms[name]

    def drop(self, paths: list[Path], x: int, y: int) -> None:
        """Drag files over a place of the screen, pixels from the upper left, and let them go there.

        Raises RuntimeError where no window there takes drops, and TimeoutError.
        """
        content = "".join(f"file://{quote(str(path))}\r\n" for path in paths).encode()
        target = self._aware(self._root)
        if target is None:
            raise RuntimeError("no window takes drops")
        self._x11.XSetSelectionOwner(self._display, Atom(self.atom("XdndSelection")), self._own, Time(0))
        kind, copy = self.atom("text/uri-list"), self.atom("XdndActionCopy")
        self._send(target, "XdndEnter", VERSION << 24, kind, 0, 0)
        for step in range(FIRST_POSITIONS):
            self._send(target, "XdndPosition", 0, (x + step) << 16 | y, 0, copy)
            self._serve(content, "XdndStatus")
        self._send(target, "XdndDrop", 0, 0, 0, 0)
        self._serve(content, "XdndFinished")

    def _send(self, target: int, message: str, *data: int) -> None:
        event = Event()
        event.client = ClientMessage(
            CLIENT_MESSAGE, 0, 1, self._display, target, self.atom(message), 32, (ctypes.c_long * 5)(self._own.value, *data)
        )
        self._x11.XSendEvent(self._display, Window(target), 0, ctypes.c_long(0), ctypes.byref(event))
        self._x11.XFlush(self._display)

    def _serve(self, content: bytes, awaited: str) -> ClientMessage:
        """Hand out the content whenever it is asked for, until a message comes."""
        end, event = time.monotonic() + SECONDS, Event()
        while time.monotonic() < end:
            if not self._x11.XPending(self._display):
                time.sleep(STEP_SECONDS)
                continue
            self._x11.XNextEvent(self._display, ctypes.byref(event))
            if event.type == SELECTION_REQUEST:
                self._hand_out(event.request, content)
            elif event.type == CLIENT_MESSAGE and event.client.message_type == self.atom(awaited):
                return event.client
        raise TimeoutError(f"no {awaited}")

    def _hand_out(self, request: SelectionRequest, content: bytes) -> None:
        self._x11.XChangeProperty(
            self._display, Window(request.requester), Atom(request.property), Atom(request.target), 8, 0, content, len(content)
        )
        event = Event()
        event.notify = SelectionNotify(
            SELECTION_NOTIFY, 0, 1, self._display, request.requester, request.selection, request.target, request.property,
            request.time,
        )  # fmt: skip
        self._x11.XSendEvent(self._display, Window(request.requester), 0, ctypes.c_long(0), ctypes.byref(event))
        self._x11.XFlush(self._display)

    def _aware(self, window: Window) -> int | None:
        """The first window in or under this one that says that it takes drops."""
        kind, size, count, left = Atom(), ctypes.c_int(), ctypes.c_ulong(), ctypes.c_ulong()
        data = ctypes.c_void_p()
        self._x11.XGetWindowProperty(
            self._display, window, Atom(self.atom("XdndAware")), ctypes.c_long(0), ctypes.c_long(1), 0, Atom(0),
            ctypes.byref(kind), ctypes.byref(size), ctypes.byref(count), ctypes.byref(left), ctypes.byref(data),
        )  # fmt: skip
        if data.value:
            self._x11.XFree(data)
        if kind.value:
            return window.value
        root, parent, children, number = Window(), Window(), ctypes.POINTER(Window)(), ctypes.c_uint()
        self._x11.XQueryTree(
            self._display, window, ctypes.byref(root), ctypes.byref(parent), ctypes.byref(children), ctypes.byref(number)
        )
        inside = [children[place] for place in range(number.value)]
        if number.value:
            self._x11.XFree(children)
        return next((found for child in inside if (found := self._aware(Window(child))) is not None), None)
