"""Clips as frames: video files through PyAV (without it through OpenCV), folders of images in the order of their names.

Frames are upright, their pixels square, and their colours sRGB, whatever the file holds (HLG, PQ, anamorphic, turned). A frame
that is broken is told, and the next ones are read on.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..common.errors import SapiensError
from .colour_coding import HDR
from .frame_numbers import timeline
from .photo import SUFFIXES, read_photo
from .video_frame import square, srgb_image

if TYPE_CHECKING:
    from av.container import InputContainer

VIDEOS = {".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi"}
IMAGES = set(SUFFIXES)
DEFAULT_FPS = 25.0
DESCRIPTION = 1 << 20
"""Bytes at either end of a file in which its description is looked for."""
DOLBY_ALONE = (5, 10)
"""Profiles of Dolby Vision that may have no other picture in them: HEVC and AV1."""
LONGEST_GAP = 60.0
"""Seconds without a picture that are taken for a pause; more is a clock that jumps."""


@dataclass(frozen=True)
class Clip:
    """A video file or a folder of images (or of stored predictions).

    files  the frames of a folder, empty for a video
    slots  which frame of the timeline each file is: numbers that no file has are gaps
    notes  sentences for the artist: which frames are missing
    fps    frames per second
    start, end  seconds; only frames in between are read, end excluded
    seconds     how long the whole clip is, as far as it is known
    """

    path: Path
    fps: float
    files: tuple[Path, ...] = ()
    start: float = 0.0
    end: float = math.inf
    seconds: float = math.inf
    slots: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame: its time in seconds and its image (H, W, 3) uint8 sRGB, upright; or None and the reason.

    Without image and reason the clip simply has no picture for this moment: its rate varies, or is lower than the one asked for.
    """

    time: float
    image: np.ndarray | None
    error: str = ""


def open_clip(
    path: str | Path, fps: float | None = None, start: float = 0.0, end: float = math.inf, suffixes: set[str] | None = None
) -> Clip:
    """Look at a clip without decoding it.

    fps       of a folder of images (25 if None); for a video, None = its own
    suffixes  of the files of a folder that count as frames; None = images
    Raises SapiensError for what is no clip, has no frames, or an empty range.
    """
    path = Path(path)
    if not end > start >= 0:
        raise SapiensError(f"The range {start:g} to {end:g} s has no frames.", "Give a start before the end.")
    if fps is not None and not 0 < fps <= 1000:
        raise SapiensError(f"{fps:g} is no frame rate.", "Give frames per second, for example 25.")
    if path.is_dir():
        wanted = suffixes or IMAGES
        files = [p for p in path.iterdir() if p.suffix.lower() in wanted and not p.name.startswith(".")]
        if not files:
            raise SapiensError(f"There are no frames in {path}.", f"Give a folder of {', '.join(sorted(wanted))} files.")
        rate = fps or DEFAULT_FPS
        frames = timeline([p.name for p in files], path.name, files=True)
        ordered = tuple(files[n] for n in frames.order)
        return Clip(path, rate, ordered, start, end, frames.length / rate, tuple(frames.slots.tolist()), frames.notes)
    if not path.exists():
        raise SapiensError(f"There is no clip at {path}.", "Check the name.")
    if _is_dolby_alone(path):
        raise SapiensError(
            f"{path.name} is Dolby Vision alone (profile 5), whose colours nothing here can read.",
            "Convert it to SDR, HLG or HDR10 video first, then choose that.",
        )
    if find_spec("av") is None and find_spec("cv2") is not None:
        return _open_with_opencv(path, fps, start, end)
    with _opened(path) as container:
        rate = container.streams.video[0].average_rate or container.streams.video[0].guessed_rate
        seconds = container.duration / 1e6 if container.duration else math.inf
    return Clip(path, fps or float(rate or DEFAULT_FPS), (), start, end, seconds)


def read_frames(clip: Clip) -> Iterator[Frame]:
    """A frame for every 1/fps seconds, in order.

    What cannot be decoded is a frame without an image; the next ones are read on.
    """
    if clip.files:
        yield from _read_files(clip)
    elif find_spec("av") is None and find_spec("cv2") is not None:
        yield from _evenly(clip, _read_with_opencv(clip))
    else:
        yield from _evenly(clip, _read_video(clip))


def _evenly(clip: Clip, decoded: Iterator[tuple[float, Callable[[], np.ndarray] | str]]) -> Iterator[Frame]:
    """Frames resampled to the rate of the clip: one for each 1/fps seconds, so that time runs as in the clip.
    decoded: (seconds, what gives the image or the reason why there is none); negative seconds: not known.
    A faster video loses frames, and moments without a picture are frames without an image."""
    given = 0
    for time, content in decoded:
        slot = given if time < 0 else math.floor((time - clip.start) * clip.fps + 0.45)
        if time >= clip.end:
            return
        if slot < given:
            continue
        if slot - given > LONGEST_GAP * clip.fps:  # a clock that jumps, as in joined recordings
            clip = replace(clip, start=time - given / clip.fps)
            slot = given
        for missing in range(given, slot):
            yield Frame(clip.start + missing / clip.fps, None)
        given = slot + 1
        moment = clip.start + slot / clip.fps if time < 0 else time
        if isinstance(content, str):
            yield Frame(moment, None, f"A frame of {clip.path.name} near {moment:.2f} s could not be decoded: {content}.")
            continue
        try:
            yield Frame(moment, content())
        except SapiensError as error:
            yield Frame(moment, None, error.message)


def _read_files(clip: Clip) -> Iterator[Frame]:
    present = dict(zip(clip.slots, clip.files, strict=True))
    for index in range(clip.slots[-1] + 1):
        time, path = index / clip.fps, present.get(index)
        if clip.start <= time < clip.end:
            if path is None:
                yield Frame(time, None)
                continue
            try:
                yield Frame(time, read_photo(path).image)
            except SapiensError as error:
                yield Frame(time, None, error.message)


def _read_video(clip: Clip) -> Iterator[tuple[float, Callable[[], np.ndarray] | str]]:
    """Every frame of the file from the start of the range, as `_evenly` takes them."""
    from av.error import FFmpegError

    with _opened(clip.path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "SLICE"  # threads that each decode a frame of their own tell of a broken one too late
        begin = float((stream.start_time or 0) * stream.time_base) if stream.time_base else 0.0
        if clip.start > 0 and stream.time_base:
            container.seek(int((clip.start + begin) / stream.time_base), stream=stream)
        base = float(stream.time_base or 0)
        shape = stream.display_aspect_ratio  # of the picture; that of a pixel is not always there
        stretched = float(shape) * stream.height / stream.width if shape and stream.width and stream.height else 1.0
        # Time stamps of packets whose frame has not come yet: frames come in the order of their time stamps.
        waiting: list[int] = []
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except FFmpegError as error:  # the file ends in the middle of something: there is nothing after it
                yield -1.0, str(error.strerror)
                return
            if packet is None:
                return
            if packet.pts is not None and packet.size:
                waiting.append(packet.pts)
            try:
                decoded = packet.decode()
            except FFmpegError as error:
                stamp = packet.pts
                if stamp is not None and stamp in waiting:
                    waiting.remove(stamp)
                yield (-1.0 if stamp is None else max(stamp * base - begin, 0.0)), str(error.strerror)
                continue
            for frame in decoded:
                time = (frame.time or 0.0) - begin
                for lost in sorted(pts for pts in waiting if frame.pts is not None and pts < frame.pts and pts * base >= begin):
                    yield lost * base - begin, "the decoder left it out"
                waiting = [pts for pts in waiting if frame.pts is not None and pts > frame.pts]
                yield max(time, 0.0), "its data is damaged" if frame.is_corrupt else partial(srgb_image, frame, stretched)


def _open_with_opencv(path: Path, fps: float | None, start: float, end: float) -> Clip:
    import cv2

    capture = cv2.VideoCapture(str(path))
    try:
        if not capture.isOpened():
            raise SapiensError(f"{path.name} could not be opened as a video.", "Check that it plays elsewhere.")
        rate, count = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
    finally:
        capture.release()
    if _says_hdr(path):
        raise SapiensError(
            f"{path.name} is HDR video, whose colours only PyAV reads, which is not installed.",
            "Install sapiens2-avatar[video] (in Blender: update the runtime in the add-on's preferences).",
        )
    rate = rate if 0.1 < rate < 1000 else DEFAULT_FPS
    return Clip(path, fps or float(rate), (), start, end, count / rate if count > 0 else math.inf)


def _ends(path: Path) -> bytes:
    """The start and the end of a file, where the description of a video is."""
    try:
        with path.open("rb") as file:
            start = file.read(DESCRIPTION)
            file.seek(max(path.stat().st_size - DESCRIPTION, 0))
            return start + file.read(DESCRIPTION)
    except OSError as error:
        raise SapiensError(f"{path.name} cannot be read: {error.strerror}.", "Check its permissions.") from error


def _says_hdr(path: Path) -> bool:
    """An MP4 or MOV whose colr box says HLG or PQ."""
    found = re.search(rb"colrncl[cx]..\0([\x10\x12])", _ends(path), re.DOTALL)
    return found is not None and found[1][0] in HDR


def _is_dolby_alone(path: Path) -> bool:
    """An MP4, MOV or Matroska file in the colours of Dolby Vision (IPT) alone, which no decoder here turns into others.

    The configuration record is two bytes of version, seven bits of profile and nine of level and flags, and four of what the
    picture is without Dolby Vision (0: nothing else); Matroska has its size before it.
    """
    found = re.search(rb"dv[cvw]C(?:\x41\xed.)?[\1\2\3].(.)(.)(.)", _ends(path), re.DOTALL)
    return found is not None and found[1][0] >> 1 in DOLBY_ALONE and found[3][0] >> 4 == 0


def _read_with_opencv(clip: Clip) -> Iterator[tuple[float, Callable[[], np.ndarray] | str]]:
    """As `_read_video`; OpenCV does not say which frames it could not decode."""
    import cv2

    capture = cv2.VideoCapture(str(clip.path))
    # Not all of its builds turn frames upright, so we do: it says clockwise degrees.
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
    by_itself = capture.get(cv2.CAP_PROP_ORIENTATION_AUTO) > 0
    angle = round(capture.get(cv2.CAP_PROP_ORIENTATION_META) / 90)
    quarters = 0 if by_itself else -angle % 4
    wide, high = capture.get(cv2.CAP_PROP_SAR_NUM), capture.get(cv2.CAP_PROP_SAR_DEN)
    stretched = wide / high if wide > 0 and high > 0 else 1.0
    if by_itself and angle % 2:
        stretched = 1 / stretched

    def image() -> np.ndarray:
        found, picture = capture.retrieve()
        if not found:
            raise SapiensError(f"A frame of {clip.path.name} could not be decoded.", "Check that it plays elsewhere.")
        size = square(picture.shape[1], picture.shape[0], stretched)
        if size != picture.shape[1::-1]:
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)
        return np.ascontiguousarray(np.rot90(picture[..., ::-1], quarters))

    try:
        while capture.grab():
            yield max(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000, 0.0), image
    finally:
        capture.release()


def _opened(path: Path) -> InputContainer:
    """The open video. SapiensError without PyAV, and for a file that is no video."""
    try:
        import av
    except ImportError as error:
        raise SapiensError("Reading videos needs PyAV, which is not installed.", "Install sapiens2-avatar[video].") from error
    try:
        container = av.open(str(path))
    except (OSError, av.error.FFmpegError) as error:
        raise SapiensError(
            f"{path.name} could not be opened as a video: {error.strerror}.", "Check that it plays elsewhere."
        ) from error
    if not container.streams.video:
        container.close()
        raise SapiensError(f"{path.name} has no picture.", "Choose a video.")
    return container
