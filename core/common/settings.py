"""A setting is declared once: default, range, unit and words stand with the field of the dataclass that holds it.

The property in Blender's sidebar (`properties`), the option of the command line (`commands.options`) and the check of a value all
follow from this. Modules that declare settings load no numpy, so that `--help` stays quick.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any

from .errors import SapiensError

METADATA = "setting"
ANY = object()
"""Stands for "there is no such value", where None is one."""


@dataclass(frozen=True)
class Choice:
    """One of the values that a setting may have, with its words."""

    value: str | int
    label: str
    description: str


@dataclass(frozen=True)
class Setting:
    """What is known of a field, beside its name.

    default      value of the field when nobody says anything
    label        what the sidebar and errors call it
    description  what it does, in a line without a full stop
    kind         bool, int, float or str; tuple for what only the command line and scripts can say
    low, high    range of a number, ends included; infinite = no end. A number is never NaN
    soft         where the slider of the sidebar ends, within the range; infinite = where the range ends
    unit         "m", "mm" (of a lens), "s", "texels", "triangles", "frames per second"; "" = none
    choices      the values that it may have; where there is a range too, it is one of these or a number in the range
    open         other texts than the choices are values too
    unset        value outside of the range that stands for "not said"; ANY = there is none. The sidebar shows it as 0
    typical      what the sidebar shows where nothing was said, if 0 would say something else
    first        what the sidebar calls the value 0: people count from 1
    option       spelling on the command line without dashes; "" = the name of the field,
                 with "no-" before it where the default is on
    shown        people choose it: it is in the sidebar and on the command line. False = for scripts
    """

    default: Any
    label: str
    description: str
    kind: type
    low: float = -math.inf
    high: float = math.inf
    soft: tuple[float, float] = (-math.inf, math.inf)
    unit: str = ""
    choices: tuple[Choice, ...] = ()
    open: bool = False
    unset: Any = ANY
    typical: Any = None
    first: int = 0
    option: str = ""
    shown: bool = True

    @property
    def ranged(self) -> bool:
        """Whether it may be a number, from low to high."""
        return self.kind in (int, float) or (bool(self.choices) and math.isfinite(self.low))

    @property
    def values(self) -> tuple[str | int, ...]:
        return tuple(choice.value for choice in self.choices)

    def flag(self, name: str) -> str:
        """How the command line spells the setting that is called `name`."""
        return "--" + (self.option or ("no-" if self.default is True else "") + name.replace("_", "-"))

    def accepts(self, value: object) -> bool:
        """Whether the field may have this value."""
        if (self.unset is not ANY and value == self.unset) or (self.choices and value in self.values):
            return True
        if self.kind is bool:
            return isinstance(value, bool)
        if self.kind is str and isinstance(value, str):
            return self.open or not self.choices
        if self.kind is tuple:
            return isinstance(value, (tuple, list))  # JSON knows lists only
        if not self.ranged or isinstance(value, bool) or not isinstance(value, numbers.Real):
            return False
        whole = isinstance(value, numbers.Integral)
        return (whole or self.kind is float) and self.low <= float(value) <= self.high

    def expected(self) -> str:
        """What a value must be, as words to go after "not":
        "a number from 0 to 1", "full, half or photo, or a whole number of 4 or more"."""
        words = []
        if self.choices and not (self.kind is int and self.ranged):  # numbers that the sidebar offers are within the range
            *most, last = map(str, self.values)
            words.append(f"{', '.join(most)} or {last}")
        if self.ranged:
            number = "a number" if self.kind is float else "a whole number"
            ends = f"from {self.low:g} to {self.high:g}" if math.isfinite(self.high) else f"of {self.low:g} or more"
            words.append(f"{number} {ends} {self.unit}".strip())
            if isinstance(self.unset, int):
                words.append(f"{self.unset}")
        return ", or ".join(words) or ("on or off" if self.kind is bool else "a text")

    def check(self, value: object) -> None:
        """Raise SapiensError unless the field may have this value."""
        if not self.accepts(value):
            raise SapiensError(f"{self.label} must be {self.expected()}, not {value!r}.", f"{self.description}.")


def setting(
    default: Any, label: str, description: str, *, kind: type | None = None, slider: float = math.inf, **more: Any
) -> Any:
    """A field of a frozen dataclass that is a setting: see `Setting`. kind: the default's type, unless it is None.

    slider  where the slider of the sidebar ends, if before `high`
    """
    if math.isfinite(slider):
        more["soft"] = (-math.inf, slider)
    if default is None:
        more.setdefault("unset", None)
    known = Setting(default, label, description, kind or type(default), **more)
    return field(default=default, metadata={METADATA: known})


@cache
def settings_of(cls: type) -> Mapping[str, Setting]:
    """Name of the field -> setting, in the order of the fields; groups of settings inside of it are left out."""
    return {f.name: f.metadata[METADATA] for f in fields(cls) if METADATA in f.metadata}


def shown_settings(cls: type) -> dict[str, Setting]:
    """Those of `settings_of` that people choose."""
    return {name: known for name, known in settings_of(cls).items() if known.shown}


def check_settings(settings: Any) -> None:
    """Raise SapiensError for the first field whose value is not allowed. For `__post_init__`."""
    for name, known in settings_of(type(settings)).items():
        known.check(getattr(settings, name))


def as_arguments(settings: Any) -> list[str]:
    """The options of the command line that say what differs from the defaults in a group of settings."""
    words = []
    for name, known in shown_settings(type(settings)).items():
        value = getattr(settings, name)
        if value != known.default:
            text = f"{value:g}" if isinstance(value, float) else ",".join(value) if isinstance(value, tuple) else str(value)
            words += [known.flag(name)] if known.kind is bool else [known.flag(name), text]
    return words
