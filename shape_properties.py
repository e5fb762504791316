"""Sliders of a body's shape: they show, and change at once, what is in the scene, and keep nothing of their own."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import FloatProperty
from bpy.types import PropertyGroup, UILayout

from .core.body.character import stature
from .core.body.phenotype import HIGHEST, LOWEST, PHENOTYPES
from .core.common.errors import SapiensError
from .scene.people import active_body
from .scene.reshape import change_shape, check_shape, numbers_of

WORDS = {
    "gender": ("Gender", "From male, 0, to female, 1"),
    "age": ("Age", "-0.33 is a newborn, 0 a baby, 0.33 a child, 0.67 a young adult, 1 old"),
    "height": ("Height", "From short to tall among people of this age and gender"),
    "weight": ("Weight", "From thin to heavy"),
    "muscle": ("Muscle", "From little to much"),
    "proportions": ("Proportions", "From those of a figure drawing to unusual ones"),
    "cupsize": ("Cup Size", "From small to large"),
    "firmness": ("Firmness", "From low to high"),
    "african": ("African", "Its share in the features"),
    "asian": ("Asian", "Its share in the features"),
    "caucasian": ("Caucasian", "Its share in the features"),
}
"""Phenotype -> what the sidebar calls it, and its tooltip; in the order of the panel."""

FIGURE, FACE = 6, 12
"""How many of the principal directions have a slider: those in which people differ most."""
DIRECTIONS = {
    "figure": ("Figure", "Trunk and limbs", FIGURE, 11),
    "face": ("Face", "Head and face", FACE, 11 + 24),
}
"""Group of sliders -> label, what they change, how many there are, the first one's row in `Shape.numbers`."""


def _slider(row: int, label: str, description: str, low: float, high: float, step: int) -> Any:
    """A slider for one of the numbers of the shape of the body that the artist means."""

    def get(_group: PropertyGroup) -> float:
        found = active_body(bpy.context)
        numbers = None if found is None else numbers_of(found[1])
        return 0.0 if numbers is None else float(numbers[row])

    def put(_group: PropertyGroup, value: float) -> None:
        found = active_body(bpy.context)
        numbers = None if found is None else numbers_of(found[1])
        if found is not None and numbers is not None:
            numbers[row] = value
            change_shape(*found, numbers)

    return FloatProperty(
        name=label, description=description, min=low, max=high, step=step, precision=2, get=get, set=put, options={"SKIP_SAVE"}
    )


def _with_sliders(cls: type) -> type:
    """Decorator: the class has a property for each slider."""
    own: dict[str, Any] = {}
    for name, (label, description) in WORDS.items():
        row = PHENOTYPES.index(name)
        own[name] = _slider(row, label, description, float(LOWEST[row]), float(HIGHEST[row]), 1)
    for group, (label, what, count, first) in DIRECTIONS.items():
        for number in range(count):
            words = f"{what}: principal direction {number + 1}, in standard deviations from the mean"
            own[f"{group}_{number + 1}"] = _slider(first + number, f"{label} {number + 1}", words, -3.0, 3.0, 5)
    cls.__annotations__ = own
    return cls


@_with_sliders
class SapiensShape(PropertyGroup):
    """The shape of the body that the artist means. Nothing of it is saved here: the numbers are the body's."""

    def draw_shape(self, layout: UILayout) -> None:
        """The numbers that say most, and closed panels with the others."""
        names = list(WORDS)
        column = layout.column(align=True)
        for name in names[:6]:
            column.prop(self, name, slider=True)
        self._draw_more(layout, "More", names[6:])
        for group, (label, _, count, _) in DIRECTIONS.items():
            self._draw_more(layout, label, [f"{group}_{number + 1}" for number in range(count)])

    def _draw_more(self, layout: UILayout, label: str, names: list[str]) -> None:
        header, content = layout.panel(f"SAPIENS2_shape_{label.lower()}", default_closed=True)
        header.label(text=label)
        if content is not None:
            column = content.column(align=True)
            for name in names:
                column.prop(self, name, slider=True)


def body_shape(context: bpy.types.Context) -> tuple[str, float, str] | None:
    """Of the body that the artist means: its name, its height in metres, and why its shape cannot be changed now, in a sentence.
    None where there is no body."""
    found = active_body(context)
    if found is None:
        return None
    try:
        check_shape(*found)
        problem = ""
    except SapiensError as error:
        problem = str(error)
    numbers = numbers_of(found[1])
    return found[1].name, 0.0 if numbers is None else stature(tuple(numbers.tolist())), problem


CLASSES = (SapiensShape,)
