"""The properties of the sidebar that follow from settings (`core.common.settings`): same names, ranges, units and words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from inspect import get_annotations
from typing import Any, TypeVar

from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty
from bpy.types import PropertyGroup, UILayout

from .core.common.settings import ANY, Choice, Setting, shown_settings

Cls = TypeVar("Cls", bound=type)
UNITS = {"m": "LENGTH", "mm": "CAMERA", "s": "TIME_ABSOLUTE"}
"""Units of settings that Blender knows too."""


def identifier(value: object, setting: Setting) -> str:
    """What an EnumProperty calls a value. Resolutions are in capitals, since a word of the sidebar stands among them."""
    return str(value).upper() if setting.ranged and setting.kind is str else str(value)


def items_of(setting: Setting) -> tuple[tuple[str, str, str], ...]:
    """The choices of a setting as items of an EnumProperty."""
    return tuple((identifier(choice.value, setting), choice.label, choice.description) for choice in setting.choices)


def property_of(setting: Setting) -> Any:
    """The property that shows a setting, to annotate a class with."""
    words: dict[str, Any] = {"name": setting.label, "description": setting.description}
    if setting.choices:
        extra = ((str(FACES.value), FACES.label, FACES.description),) if setting.unit == "triangles" else ()
        return EnumProperty(**words, items=(*items_of(setting), *extra), default=identifier(setting.default, setting))
    if setting.kind is bool:
        return BoolProperty(**words, default=setting.default)
    if setting.kind is str:
        return StringProperty(**words, default=setting.default)
    zero = setting.unset is not ANY and setting.typical is None  # 0 stands for "not said"
    default = 0 if zero else setting.typical if setting.typical is not None else setting.default + setting.first
    ends: dict[str, Any] = {
        "min": 0 if zero else setting.low + setting.first,
        "max": setting.high,
        "soft_min": setting.soft[0],
        "soft_max": setting.soft[1],
    }
    limits = {name: end for name, end in ends.items() if abs(end) != float("inf")}
    if setting.kind is int:
        return IntProperty(**words, default=default, **limits)
    factor: dict[str, Any] = {"subtype": "FACTOR"} if (setting.low, setting.high) == (0, 1) else {}
    unit: dict[str, Any] = {"unit": UNITS[setting.unit]} if setting.unit in UNITS else {}
    return FloatProperty(**words, default=default, **limits, **factor, **unit)


FACES = Choice("FACES", "Face Count", "Decimated to about this number of triangles")
"""What the sidebar offers where a resolution may be a number of triangles, too."""


def shows(settings: type, only: Iterable[str] = (), but: Iterable[str] = ()) -> Callable[[Cls], Cls]:
    """Decorator: the class has a property for each setting that people choose, unless it has one of its own.

    only, but  names of the settings that it has, or has not
    The annotations of the class must be objects, not strings, for Blender to read them beside these.
    """

    def decorate(cls: Cls) -> Cls:
        own = get_annotations(cls)
        wanted = {name: known for name, known in shown_settings(settings).items() if known.kind is not tuple and name not in but}
        if only:
            wanted = {name: wanted[name] for name in only}
        cls.__annotations__ = {**{name: property_of(known) for name, known in wanted.items()}, **own}
        return cls

    return decorate


def draw_or_automatic(layout: UILayout, group: Any, name: str, first: float) -> None:
    """A property whose 0 stands for "not said": then a button that says so. A press begins with `first`, a cross goes back. An
    operator, whose redo panel has no path to its properties, shows the number."""
    if not isinstance(group, PropertyGroup):
        layout.prop(group, name)
        return
    path = f"scene.{group.path_from_id(name)}"
    if getattr(group, name):
        row = layout.row(align=True)
        row.prop(group, name)
        back = row.operator("wm.context_set_float", text="", icon="X")
        back.data_path, back.value = path, 0.0
        return
    split = layout.split(factor=0.4)  # where the names of properties end
    label = split.row()
    label.alignment = "RIGHT"
    label.label(text=group.bl_rna.properties[name].name)
    begin = split.operator("wm.context_set_float", text="Automatic")
    begin.data_path, begin.value = path, first


def said(settings: type, group: Any) -> dict[str, Any]:
    """Name -> value of the settings that a property group (or an operator) shows, as the settings class takes them."""
    found = {name: known for name, known in shown_settings(settings).items() if hasattr(group, name)}
    return {name: _value(known, getattr(group, name)) for name, known in found.items()}


def _value(setting: Setting, shown: Any) -> Any:
    if setting.choices:
        return next((choice.value for choice in setting.choices if identifier(choice.value, setting) == shown), shown)
    if setting.unset is not ANY and setting.typical is None and shown == 0:
        return setting.unset
    if setting.kind is float:
        return float(f"{shown:.7g}")  # Blender keeps 32 bits: 0.4 comes back as 0.4000000059604645
    return shown - setting.first if setting.first else shown
