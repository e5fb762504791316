"""Pins: what the network got wrong is dragged onto its place in the photo, and the avatar follows."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

import bpy
from bpy.props import FloatVectorProperty, IntProperty, StringProperty
from bpy.types import Context, Event, Operator

from .. import jobs
from ..avatar_queries import look_in, meant_avatar
from ..core.common.landmarks import keypoint_names
from ..core.common.pins import Pin
from ..gizmos import pins as handles
from ..gizmos.handle import pressed_at, scale
from ..gizmos.overlay import redraw
from .job import ForAvatar
from .rebuild import FOR_PINS

STILL = 3.0
"""Pixels at a display scale of 1 that a press may move without being a drag."""
AGAIN_SECONDS = 0.2
BUILDS = ("sapiens2.build_scan", FOR_PINS)
"""What builds an avatar again, with its pins, as jobs name it."""


def follow(context: Context) -> None:
    """Let the avatar be built again with its pins: at once without a window, else as soon as the worker is free. A build with the
    pins from before is stopped."""
    handles.forget()
    if bpy.app.background:
        bpy.ops.sapiens2.build_scan(in_place=True)
    else:
        step = partial(_follow_when_free, context.window.as_pointer())
        bpy.app.timers.register(step, first_interval=0.0)
    redraw(context)


def _follow_when_free(window_address: int) -> float | None:
    window = next((w for w in bpy.context.window_manager.windows if w.as_pointer() == window_address), None)
    if window is None:
        return None
    job = jobs.current()
    if job is not None and job.asked_by in BUILDS and job.cancel_at is None:
        job.cancel()
    if job is not None or jobs.status.held or _is_building():
        return AGAIN_SECONDS
    with bpy.context.temp_override(window=window):
        if bpy.ops.sapiens2.build_scan.poll():
            with suppress(RuntimeError):  # what it could not begin with is said in the panel
                bpy.ops.sapiens2.build_scan("INVOKE_DEFAULT", True, in_place=True)
    return None


def _is_building() -> bool:
    running = (operator.bl_idname for window in bpy.context.window_manager.windows for operator in window.modal_operators)
    return any(name == "SAPIENS2_OT_build_scan" for name in running)


def _keep(context: Context, pin: Pin) -> None:
    from ..scene.pins import set_pin

    look = look_in(context)
    set_pin(look.avatar if look is not None else meant_avatar(context), pin)


class Pins(ForAvatar):
    """What the operators share that change the pins of an avatar, and let it follow them."""

    modes = ("OBJECT", "POSE")


class SAPIENS2_OT_pin_set(Pins, Operator):
    """Say where a joint or a point of the face is in the photo; the avatar follows"""

    bl_idname = "sapiens2.pin_set"
    bl_label = "Pin"
    bl_options = {"UNDO"}

    person: IntProperty(name="Person", description="Which one, from left to right, from 0", min=0)
    keypoint: StringProperty(name="Keypoint", description="Its name, such as left_wrist")
    pixel: FloatVectorProperty(name="Pixel", description="Where it is in the photo, from the upper left", size=2)

    def execute(self, context: Context) -> set[str]:
        if self.keypoint not in keypoint_names():
            self.report({"ERROR"}, f"There is no point {self.keypoint}")
            return {"CANCELLED"}
        _keep(context, Pin(person=self.person, keypoint=self.keypoint, x=self.pixel[0], y=self.pixel[1]))
        follow(context)
        return {"FINISHED"}


class SAPIENS2_OT_pin_drag(Pins, Operator):
    """Drag it onto its place in the photo; the avatar follows. Esc: leave it where it is"""

    bl_idname = "sapiens2.pin_drag"
    bl_label = "Drag Pin"
    bl_options = {"UNDO", "INTERNAL"}

    person: IntProperty(options={"HIDDEN", "SKIP_SAVE"})
    keypoint: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: Context, event: Event) -> set[str]:
        look = look_in(context)
        known = {} if look is None else {(mark.person, mark.keypoint): mark for mark in handles.landmarks(look)}
        self._mark = known.get((self.person, self.keypoint))
        if look is None or look.frame is None or self._mark is None:
            return {"CANCELLED"}
        self._start = pressed_at(context, event)
        begin = look.frame.place(*(self._mark.pin or self._mark.pixel))
        self._offset = begin[0] - self._start[0], begin[1] - self._start[1]
        context.area.header_text_set(
            bpy.app.translations.pgettext_iface("Drag it onto its place in the photo. Esc: leave it where it is")
        )
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: Context, event: Event) -> set[str]:
        look = look_in(context)
        if event.type in {"ESC", "RIGHTMOUSE"} or look is None or look.frame is None:
            return self._end(context, {"CANCELLED"})
        if event.type == "MOUSEMOVE" or event.type == "LEFTMOUSE":
            x, y = event.mouse_region_x, event.mouse_region_y
            pixel = look.frame.pixel(x + self._offset[0], y + self._offset[1])
            width, height = look.frame.size
            pin = min(max(pixel[0], 0.0), width - 1.0), min(max(pixel[1], 0.0), height - 1.0)
            handles.dragged = handles.Landmark(self.person, self.keypoint, self._mark.pixel, pin)
            context.area.tag_redraw()
            if event.type == "LEFTMOUSE" and event.value == "RELEASE":
                if max(abs(x - self._start[0]), abs(y - self._start[1])) < STILL * scale():
                    return self._end(context, {"CANCELLED"})
                _keep(context, Pin(person=self.person, keypoint=self.keypoint, x=pin[0], y=pin[1]))
                follow(context)
                return self._end(context, {"FINISHED"})
        return {"RUNNING_MODAL"}

    def cancel(self, context: Context) -> None:
        self._end(context, {"CANCELLED"})

    def _end(self, context: Context, result: set[str]) -> set[str]:
        handles.dragged = None
        if context.area is not None:
            context.area.header_text_set(None)
            context.area.tag_redraw()
        return result


class SAPIENS2_OT_pin_remove(Pins, Operator):
    """Take this pin away, or all; the avatar follows what is left"""

    bl_idname = "sapiens2.pin_remove"
    bl_label = "Remove Pin"
    bl_options = {"UNDO"}

    pin: IntProperty(name="Pin", description="Which one of the list; -1: all", default=-1, options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: Context) -> bool:
        from ..scene.pins import pins_of

        if not super().poll(context):
            return False
        if not pins_of(meant_avatar(context)):
            cls.poll_message_set("The avatar has no pins")
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        from ..scene.pins import keep_pins, pins_of

        avatar = meant_avatar(context)
        left = [pin for number, pin in enumerate(pins_of(avatar)) if self.pin not in (-1, number)]
        keep_pins(avatar, left)
        follow(context)
        return {"FINISHED"}


CLASSES = (SAPIENS2_OT_pin_set, SAPIENS2_OT_pin_drag, SAPIENS2_OT_pin_remove)
