"""Pins of an avatar: kept on its collection, in the pixels of its photo, so that undo, rebuild and the saved file have them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict

import bpy

from ..core.common.pins import Pin

PINS = "sapiens2_pins"
"""Custom property of a collection: its pins (`core.common.pins.Pin`) as JSON."""


def pins_of(collection: bpy.types.Collection | None) -> tuple[Pin, ...]:
    """The pins of an avatar, in the order in which they were set."""
    stored = "" if collection is None else collection.get(PINS, "")
    return tuple(Pin(**values) for values in json.loads(stored)) if stored else ()


def keep_pins(collection: bpy.types.Collection, pins: Iterable[Pin]) -> None:
    """Let an avatar have these pins, and no others."""
    pins = tuple(pins)
    if pins:
        collection[PINS] = json.dumps([asdict(pin) for pin in pins])
    elif PINS in collection:
        del collection[PINS]


def set_pin(collection: bpy.types.Collection, pin: Pin) -> None:
    """Add a pin; it takes the place of one of the same keypoint of the same person."""
    others = [old for old in pins_of(collection) if (old.person, old.keypoint) != (pin.person, pin.keypoint)]
    keep_pins(collection, (*others, pin))


def pin_words(keypoint: str) -> str:
    """A keypoint in an artist's words: "left_wrist" -> "Left Wrist"."""
    sides = {"l": "left", "r": "right"}
    words = [sides.get(word, word) for word in keypoint.split("_")]
    return " ".join(words).title().replace(" Of ", " of ")
