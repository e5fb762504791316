"""The text of a BVH file: its joints, the values of its channels and its frame rate, in the axes and units of the file.

Programs write the format in dialects. What they all mean is read: any case of the keywords, names with spaces, line breaks
anywhere, decimal commas. A fault is named with its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..common.errors import SapiensError
from ..common.wording import counted

MAX_JOINTS, MAX_VALUES = 10_000, 200_000_000
SLOWEST = 5.0
"""Seconds of a frame from which on something else is meant."""
AGAIN = "Export the motion as BVH again."
CHANNELS = {
    f"{axis}{kind}".casefold(): (axis, kind) for axis in "XYZ" for kind in ("position", "rotation", "scale")
}  # some programs write a scale for each joint: it is read and has no effect
USUAL_RATES = (12, 15, 20, 24, 25, 30, 48, 50, 60, 72, 90, 100, 120, 144, 180, 200, 240, 250, 300, 360)
NTSC_RATES = tuple(rate / 1.001 for rate in (24.0, 30.0, 48.0, 60.0, 120.0, 240.0))
_END = -2  # in the stack of open braces: an end site, all others are joints
_WORDS, _LINE, _NEXT_LINE = (re.compile(p) for p in (r"[{}]|[^\s{}]+", r"([^\n\r{}]*)", r"\s*([^\n\r{}]*)"))
_GLUED = re.compile(r"(?<=[\d.])-")  # between numbers that ran into each other: the sign of an exponent follows its letter
_NONE = re.compile(r"[-+]?(?:\d+\.#\w+|nan\(\w*\))", re.IGNORECASE)  # how C libraries of Windows write what is no number
_HEAD = re.compile(r"\s*frames\s*:?\s*(?P<frames>\S+)\s+frame\s*time\s*:?\s*(?P<step>\S+)", re.IGNORECASE)


@dataclass
class Joint:
    """A joint of the hierarchy: offset (3,) from its parent (index, -1 = none), end (3,) of its end site from the joint."""

    name: str
    parent: int
    offset: np.ndarray
    channels: tuple[str, ...] = ()
    end: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class BvhText:
    """What a file says.

    joints  parents before children
    values  (F, C) float64 one column for each channel of each joint, in order
    fps     frames per second
    notes   sentences for the artist: what was not as the format asks
    """

    joints: list[Joint]
    values: np.ndarray
    fps: float
    notes: tuple[str, ...] = ()


def read_text(path: Path) -> BvhText:
    """Read and check the text of a BVH file. SapiensError names what is wrong, and where."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SapiensError(f"{path.name} could not be read: {error.strerror}.", "Choose a file that exists.") from error
    hierarchy = _Hierarchy(_decoded(content).rstrip("\0\x1a \t\r\n"), path.name)
    joints, motion = hierarchy.read()
    values, fps, notes = _read_motion(motion, joints, path.name)
    return BvhText(joints, values, fps, (*notes, *_idle_scales(joints, values)))


def _decoded(content: bytes) -> str:
    """The text of a file: Unicode; else Japanese, where it speaks of left and right; else Western European."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        japanese = content.decode("cp932", errors="replace")
        return japanese if "左" in japanese and "右" in japanese else content.decode("cp1252", errors="replace")


@dataclass
class _Hierarchy:
    """The part before MOTION, word by word; each line's rest is a name after ROOT, JOINT and END."""

    text: str
    name: str
    joints: list[Joint] = field(default_factory=list)
    stack: list[int] = field(default_factory=list)
    words: Iterator[re.Match[str]] = field(default_factory=lambda: iter(()))

    def read(self) -> tuple[list[Joint], str]:
        """The joints, and the text after MOTION."""
        begin = re.search(r"^\s*hierarchy\b", self.text, re.IGNORECASE | re.MULTILINE)
        self.words = _WORDS.finditer(self.text, begin.end() if begin else len(self.text))
        opening: int | None = None  # what the next brace opens: a joint, or _END
        while (found := next(self.words, None)) is not None:
            word = found[0].upper()
            if word == "MOTION" and not self.stack and self.joints:
                self._check()
                return self.joints, self.text[found.end() :]
            if word in ("ROOT", "JOINT") and _END not in self.stack:
                self._open(Joint(self._rest_of_line(found), self.stack[-1] if self.stack else -1, np.zeros(3)))
                opening = len(self.joints) - 1
            elif word.startswith("END") and self.stack and self.stack[-1] != _END:
                self._rest_of_line(found)
                opening = _END
            elif word == "{" and opening is not None:
                self.stack.append(opening)
                opening = None
            elif word == "}" and self.stack:
                self.stack.pop()
            elif word == "OFFSET" and self.stack:
                self._offset(np.array([self._number(found) for _ in range(3)]))
            elif word == "CHANNELS" and self.stack and self.stack[-1] != _END:
                self._channels(found)
            elif word == "MOTION":
                break
            elif self.stack:
                raise self._broken(found)
            else:
                raise SapiensError(f"{self.name} is not a BVH file: HIERARCHY or MOTION is missing.", AGAIN)
        if self.joints and self.stack:
            raise SapiensError(f"The hierarchy of {self.name} is not complete.", "The file was cut off: copy or export it again.")
        raise SapiensError(f"{self.name} is not a BVH file: HIERARCHY or MOTION is missing.", AGAIN)

    def _check(self) -> None:
        finite = all(np.isfinite(j.offset).all() and (j.end is None or np.isfinite(j.end).all()) for j in self.joints)
        if not finite or max(float(np.abs(j.offset).max()) for j in self.joints) > 1e12:
            raise SapiensError(f"The hierarchy of {self.name} has offsets that no skeleton has.", AGAIN)

    def _open(self, joint: Joint) -> None:
        self.joints.append(joint)
        if len(self.joints) > MAX_JOINTS:
            raise SapiensError(f"{self.name} has more than {MAX_JOINTS} joints.", "This is not the skeleton of a person.")

    def _offset(self, offset: np.ndarray) -> None:
        if self.stack[-1] == _END:
            self.joints[self.stack[-2]].end = offset
        else:
            self.joints[self.stack[-1]].offset = offset

    def _channels(self, found: re.Match[str]) -> None:
        count = self._number(found)
        if not count.is_integer() or not 0 <= count <= 64:
            raise self._broken(found)
        channels = tuple(self._word(found).casefold() for _ in range(int(count)))
        unknown = [c for c in channels if c not in CHANNELS]
        if unknown:
            raise SapiensError(f"{self.name} has channels that no BVH file has: {', '.join(unknown[:6])}.", "Export it again.")
        joint = self.joints[self.stack[-1]]
        if joint.channels or len(set(channels)) != len(channels):
            raise SapiensError(f"The channels of '{joint.name}' in {self.name} are given twice.", AGAIN)
        joint.channels = channels

    def _rest_of_line(self, found: re.Match[str]) -> str:
        """What follows on the line, a name with all of its spaces; with nothing there, what is on the next line with words."""
        rest = _LINE.match(self.text, found.end())
        if rest is None or not rest[1].strip():
            rest = _NEXT_LINE.match(self.text, found.end())
        assert rest is not None  # it may be empty
        self.words = _WORDS.finditer(self.text, rest.end())
        return rest[1].strip() or f"joint {len(self.joints)}"

    def _word(self, found: re.Match[str]) -> str:
        word = next(self.words, None)
        if word is None:
            raise self._broken(found)
        return word[0]

    def _number(self, found: re.Match[str]) -> float:
        word = self._word(found)
        try:
            return float(word.rstrip(",").replace(",", "."))
        except ValueError:
            raise self._broken(found) from None

    def _broken(self, found: re.Match[str]) -> SapiensError:
        line = self.text.count("\n", 0, found.start()) + 1
        where = f" near '{self.joints[-1].name}'" if self.joints else ""
        return SapiensError(f"The hierarchy of {self.name} is broken{where} (line {line}).", AGAIN)


def _read_motion(text: str, joints: list[Joint], name: str) -> tuple[np.ndarray, float, tuple[str, ...]]:
    """Values (F, C), frame rate and notes."""
    channels = sum(len(joint.channels) for joint in joints)
    head = _HEAD.match(text)
    try:
        if head is None:
            raise ValueError
        frames = int(float(head["frames"].replace(",", ".")))
        step = float(head["step"].replace(",", "."))
    except (ValueError, OverflowError) as error:
        raise SapiensError(
            f"The motion of {name} does not say how many frames it has, and how long they are.", "Export it again."
        ) from error
    if channels == 0:
        raise SapiensError(f"No joint of {name} has channels: nothing moves.", AGAIN)
    meant = _meant(step, name)
    if frames < 1 or frames * channels > MAX_VALUES or not (meant or 1e-4 < step < SLOWEST):
        raise SapiensError(f"{name} has {counted(frames, 'frame')} of {step} s, which cannot be.", AGAIN)
    body = text[head.end() :]
    values, notes = _numbers(body, name)
    if values.size != frames * channels:
        widths = {len(line.split()) for line in body.splitlines() if line.strip()}
        if widths != {channels} and values.size > frames * channels and (not notes or values.size % channels):
            raise SapiensError(
                f"The lines of the motion of {name} hold {', '.join(map(str, sorted(widths)[:4]))} numbers, "
                f"its joints have {channels} channels.",
                AGAIN,
            )
        if values.size < frames * channels:
            raise SapiensError(
                f"The motion of {name} ends early: {values.size} of {frames * channels} numbers.", "Copy the file again."
            )
        said = f"{name} says that it has {counted(frames, 'frame')}, and has {values.size // channels}: all were read."
        notes = (*notes, said)
    values, bridged = _bridged(values.reshape(-1, channels), joints, name)
    if np.abs(values).max() > 1e12:
        raise SapiensError(f"The motion of {name} holds numbers that are no angles or places.", AGAIN)
    rate, said = meant or (frame_rate(step, head["step"]), "")
    return values, rate, (*notes, *bridged, *([said] if said else []))


def _meant(step: float, name: str) -> tuple[float, str] | None:
    """Frame rate and a note where a file gives its rate, or milliseconds, for the seconds of a frame; None where it does not.

    Whole numbers, and the rates of television beside them, are rates: 25 of them too, which could be 40 frames of 25 ms.
    """
    if not SLOWEST <= step <= 1000:
        return None

    def whole(value: float) -> bool:
        return any(abs(value * part - round(value * part)) < 1e-3 * value for part in (1.0, 1.001))

    rate, unit = (step, "frames a second") if whole(step) else (1000 / step, "milliseconds")
    if not whole(rate):
        return None
    rate = float(round(rate)) if abs(rate - round(rate)) < 5e-4 * rate else rate
    return rate, f"{name} says that a frame takes {step:g} s: taken as {unit}, {rate:g} frames a second."


def _numbers(body: str, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """All numbers of the motion as float64, and notes. SapiensError names the first word that is none."""
    commas = "," in body
    if commas:  # without any point they are the decimals, else they part the numbers
        body = body.replace(",", " " if "." in body else ".")
    try:
        return np.array(body.split(), np.float64), ()
    except ValueError:
        words = _NONE.sub("nan", _GLUED.sub(" -", body)).split()
    try:
        values = np.array(words, np.float64)
    except ValueError as error:
        if commas:
            wrong = "commas that are neither decimals nor separators"
        else:
            word = next(w for w in words if not _is_number(w))
            wrong = f"'{word[:20]}', which is no number"
        raise SapiensError(f"The motion of {name} holds {wrong}.", AGAIN) from error
    glued = len(words) > len(body.split())
    return values, (f"Numbers of {name} that ran into each other were parted at their signs.",) if glued else ()


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _bridged(values: np.ndarray, joints: list[Joint], name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """The values (F, C) with those that are not finite between what is before and after them, and a note.

    SapiensError where no more than half of the frames are whole: then nobody knows the motion.
    """
    known = np.isfinite(values)
    broken = int((~known.all(axis=1)).sum())
    if not broken:
        return values, ()
    if broken * 2 >= len(values):
        raise SapiensError(f"The motion of {name} holds numbers that are not finite, in most of its frames.", AGAIN)
    values = values.copy()
    frames = np.arange(len(values))
    turns = np.array([CHANNELS[c][1] == "rotation" for joint in joints for c in joint.channels])
    for column in np.flatnonzero(~known.all(axis=0)).tolist():
        good = known[:, column]
        there = values[good, column]
        there = np.unwrap(there, period=360.0) if turns[column] else there  # from 179 to -179 degrees it is not far
        values[~good, column] = np.interp(frames[~good], frames[good], there)
    return values, (f"{counted(broken, 'frame')} of {name} held numbers that are not finite: what is around them was used.",)


def _idle_scales(joints: list[Joint], values: np.ndarray) -> tuple[str, ...]:
    """What to say where a joint's scale changes, which no armature here takes over."""
    scaled = np.array([CHANNELS[c][1] == "scale" for joint in joints for c in joint.channels])
    return ("Scales of joints change and were left out.",) if np.ptp(values[:, scaled], axis=0).max(initial=0.0) > 1e-3 else ()


def frame_rate(step: float, written: str) -> float:
    """Frames per second of a frame time that was rounded when it was written: 0.033333 is 30, not 30.0003.

    step     seconds
    written  the same as the file has it, whose digits say how far it may be off
    """
    digits = re.split(r"[eE]", written.replace(",", "."))[0].partition(".")[2]
    if "e" in written.casefold() or not digits:
        return 1.0 / step
    short = digits.rstrip("0")  # digits that a program filled up with zeros count only if others are left
    places = min(len(digits), len(short) if len(short.lstrip("0")) >= 3 else len(digits))
    for slack in (0.501, 1.001):  # rounded, or cut off
        for rates, share in ((USUAL_RATES, 0.021), (NTSC_RATES, 0.021), (range(1, 1001), 0.0015)):
            fits = [r for r in rates if abs(1.0 / r - step) <= min(slack * 10.0**-places, share * step)]
            if fits:
                return float(min(fits, key=lambda r: abs(1.0 / r - step)))
    return 1.0 / step
