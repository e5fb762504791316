"""Options of the command line that follow from settings (`core.common.settings`), and the settings that were asked for.

What several commands share is here too: the network, the build, a clip, a rig.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from ..core.capture.settings import ClipSettings
from ..core.common.errors import SapiensError, UsageError
from ..core.common.settings import Setting, settings_of, shown_settings
from ..core.retarget.settings import RetargetSettings
from ..core.rig.settings import RigSettings
from ..core.settings import AvatarSettings
from ..core.surface.settings import ScanSettings
from ..core.texture.settings import TextureSettings
from ..infer.settings import NetworkSettings
from . import arguments

T = TypeVar("T")
METAVARS = {"m": "METRES", "mm": "MM", "s": "SECONDS", "texels": "TEXELS"}
"""What stands for a value of a unit in the help."""
TYPES: dict[str, Callable[[str], Any]] = {"model": arguments.model, "tasks": arguments.tasks}
"""Settings that take more than their choices, with what reads and checks them."""


def value_type(setting: Setting) -> Callable[[str], Any]:
    """A type for argparse: the value that a text stands for. A wrong one is named, with what it should have been."""

    def read(text: str) -> Any:
        value: Any = text
        if setting.ranged and text not in map(str, setting.values if setting.kind is str else ()):
            try:
                value = float(text) if setting.kind is float else int(text)
            except ValueError:
                value = math.nan
        if not setting.accepts(value):
            raise argparse.ArgumentTypeError(f"{text!r} is not {setting.expected()}")
        return value

    return read


def add_settings(parser: argparse._ActionsContainer, settings: type, only: Iterable[str] = (), but: Iterable[str] = ()) -> None:
    """An option for each setting that people choose. only, but: names of those that are meant, or are not."""
    for name, known in shown_settings(settings).items():
        if name in but or (only and name not in only):
            continue
        words = known.description[0].lower() + known.description[1:].replace("%", "%%")
        if known.kind is bool:
            action = "store_false" if known.default else "store_true"
            words = f"without: {words}" if known.default else words
            parser.add_argument(known.flag(name), dest=name, action=action, help=words)
            continue
        if known.default is not None and known.default != known.unset:
            words += f" (default: {known.default})"
        if known.choices and not known.ranged and not known.open:
            parser.add_argument(known.flag(name), dest=name, choices=known.values, default=known.default, help=words)
            continue
        parser.add_argument(
            known.flag(name),
            dest=name,
            type=TYPES.get(name) or value_type(known),
            default=known.default,
            metavar=_metavar(name, known),
            help=words,
        )


def _metavar(name: str, setting: Setting) -> str:
    if setting.choices and setting.kind is str and setting.ranged:
        return "|".join((*map(str, setting.values), "FACES"))
    if (setting.low, setting.high) == (0, 1):
        return "0..1"
    return METAVARS.get(setting.unit) or {"model": "ID", "tasks": "LIST", "device": "DEVICE", "known_person": "FILE"}.get(
        name, "N"
    )


def settings_from(settings: type[T], options: argparse.Namespace, **more: Any) -> T:
    """The settings that the options of `add_settings` ask for; more: fields that no option has."""
    return settings(**{name: getattr(options, name) for name in shown_settings(settings)} | more)


def add_network(parser: argparse.ArgumentParser, box: bool = True) -> None:
    """box: whether it can be said where the people are, which is of one photo alone and not of clips and batches."""
    group = parser.add_argument_group("network")
    add_settings(group, NetworkSettings)
    if box:
        group.add_argument(
            "--box",
            type=arguments.box,
            action="append",
            metavar="X1,Y1,X2,Y2",
            help="a person's box in pixels instead of finding people; repeatable",
        )


def add_build(parser: argparse.ArgumentParser) -> None:
    """What `avatar_settings` reads."""
    scan = parser.add_argument_group("scan")
    add_settings(scan, ScanSettings)
    scan.add_argument("--quads", action="store_true", help=argparse.SUPPRESS)  # what older scripts ask for is the default now
    scale = ("stature", "distance")
    add_settings(scan.add_mutually_exclusive_group(), AvatarSettings, only=scale)
    add_settings(scan, AvatarSettings, but=(*scale, "with_rig"))
    add_settings(scan, TextureSettings)
    rig = parser.add_argument_group("rig")
    add_settings(rig, AvatarSettings, only=("with_rig",))
    add_settings(rig, RigSettings)


def avatar_settings(options: argparse.Namespace, exports: Iterable[object] = ()) -> AvatarSettings:
    """The settings that the build options of the command line ask for. exports: an .exr among them needs its map."""
    texture = settings_from(TextureSettings, options)
    if any(str(path).lower().endswith("exr") for path in exports):
        texture = replace(texture, displacement=True)
    return settings_from(
        AvatarSettings,
        options,
        scan=settings_from(ScanSettings, options),
        texture=texture,
        rig=settings_from(RigSettings, options),
    )


def check_one_person(options: argparse.Namespace) -> None:
    """Raises UsageError where several photos of one person and something else are asked for that do not go together."""
    if options.one_person and options.known_person:
        raise UsageError(
            "Who the person is comes from a file or from all photos, not from both.", "Leave --person or --one-person out."
        )
    if options.one_person and options.make == "scan":
        raise UsageError("A scan is what one photo shows of a person.", "Leave --one-person or --make scan out.")


def check_known_person(options: argparse.Namespace) -> None:
    """Raises SapiensError where there is no such person, and UsageError where nothing would be made of them."""
    if not options.known_person:
        return
    if not Path(options.known_person).is_file():
        raise SapiensError(f"There is no person at {options.known_person}.", "Check the name, or save one with --save-person.")
    if options.make == "scan":
        raise UsageError("A known person is the shape of a body, and a scan has none.", "Add --make avatar or --make both.")


def check_avatar_is_made(options: argparse.Namespace) -> None:
    """Raises UsageError where something is asked for that only an avatar has, and none is made."""
    if options.make != "scan":
        return
    asked = ["--extent bust"] * (options.extent == "bust") + ["--one-mesh"] * options.one_mesh
    if not options.close:  # whose textures have that size
        asked += ["--texture-size"] * (options.texture_size != settings_of(AvatarSettings)["texture_size"].default)
    if asked:
        raise UsageError(f"{asked[0]} is for an avatar, and only a scan is made.", "Add --make avatar or --make both.")


def check_scan_is_made(options: argparse.Namespace, exports: Iterable[object] = ()) -> None:
    """Raises UsageError where something is asked for that only a scan has, and none is made."""
    asked = ["--separate"] * options.separate + ["--close"] * options.close
    asked += [Path(str(path)).name for path in exports if str(path).lower().endswith("exr")]
    if asked and options.make == "avatar":
        raise UsageError(f"{asked[0]} is for a scan, and only an avatar is made.", "Add --make scan or --make both.")


def add_clip(parser: argparse.ArgumentParser) -> None:
    add_settings(parser, ClipSettings)


def add_separate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--separate", action="store_true", help="hair, clothing, shoes and skin as objects of their own")


def add_bones(parser: argparse.ArgumentParser) -> None:
    """The bone table of a rig, and the photos that keypoints of other programs belong to."""
    parser.add_argument(
        "--size", type=arguments.size, metavar="WxH", help="pixels of the photos that keypoints belong to (default: as they say)"
    )
    parser.add_argument("--bones", metavar="FILE.json", help="the bone table of the rig (default: recognised)")
    parser.add_argument("--save-bones", metavar="FILE.json", help="write the bone table that was used, to be corrected")


def add_retarget(parser: argparse.ArgumentParser) -> None:
    add_settings(parser, RetargetSettings)
    parser.add_argument(
        "--mute-constraints", action="store_true", help="mute constraints that hold the mapped bones instead of refusing the rig"
    )
