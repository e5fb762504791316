"""Clips as frames: video files through PyAV (without it through OpenCV), folders of images in the order of their names. A broken frame is said, not fatal."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from .errors import SapiensError

VIDEOS = {".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi"}
IMAGES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}
DEFAULT_FPS = 25.0


@dataclass(frozen=True)
class Clip:
    """A video file or a folder of images (or of stored predictions).

    files  the frames of a folder, empty for a video
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


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame: its time in seconds and its image (H, W, 3) uint8 sRGB, upright; or None and the reason."""

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
        files = sorted((p for p in path.iterdir() if p.suffix.lower() in wanted and not p.name.startswith(".")), key=_natural)
        if not files:
            raise SapiensError(f"There are no frames in {path}.", f"Give a folder of {', '.join(sorted(wanted))} files.")
        rate = fps or DEFAULT_FPS
        return Clip(path, rate, tuple(files), start, end, len(files) / rate)
    if not path.exists():
        raise SapiensError(f"There is no clip at {path}.", "Check the name.")
    if find_spec("av") is None and find_spec("cv2") is not None:
        return _open_with_opencv(path, fps, start, end)
    with _opened(path) as container:
        rate = container.streams.video[0].average_rate or container.streams.video[0].guessed_rate
        seconds = container.duration / 1e6 if container.duration else math.inf
    return Clip(path, fps or float(rate or DEFAULT_FPS), (), start, end, seconds)


def read_frames(clip: Clip) -> Iterator[Frame]:
    """The frames of a clip, in order. What cannot be decoded is a frame without an image; the next ones are read on."""
    if clip.files:
        yield from _read_files(clip)
    elif find_spec("av") is None and find_spec("cv2") is not None:
        yield from _read_with_opencv(clip)
    else:
        yield from _read_video(clip)


def _read_files(clip: Clip) -> Iterator[Frame]:
    from .photo import read_photo

    for index, path in enumerate(clip.files):
        time = index / clip.fps
        if clip.start <= time < clip.end:
            try:
                yield Frame(time, read_photo(path).image)
            except SapiensError as error:
                yield Frame(time, None, error.message)


def _read_video(clip: Clip) -> Iterator[Frame]:
    from av.error import FFmpegError

    period = 1 / clip.fps
    due = clip.start  # a frame is due every 1/fps seconds; a faster video gives every n-th, a slower one repeats nothing
    with _opened(clip.path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        begin = float((stream.start_time or 0) * stream.time_base) if stream.time_base else 0.0
        if clip.start > 0 and stream.time_base:
            container.seek(int((clip.start + begin) / stream.time_base), stream=stream)
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
                decoded = packet.decode()
            except StopIteration:
                return
            except FFmpegError as error:
                yield Frame(due, None, f"A frame of {clip.path.name} near {due:.2f} s could not be decoded: {error.strerror}.")
                due += period
                continue
            for frame in decoded:
                time = (frame.time or 0.0) - begin
                if time >= clip.end:
                    return
                if time < due - 0.45 * period:
                    continue
                due = max(due, time - period) + period
                yield Frame(time, _upright(frame.to_ndarray(format="rgb24"), frame.rotation))


def _open_with_opencv(path: Path, fps: float | None, start: float, end: float) -> Clip:
    import cv2

    capture = cv2.VideoCapture(str(path))
    try:
        if not capture.isOpened():
            raise SapiensError(f"{path.name} could not be opened as a video.", "Check that it plays elsewhere.")
        rate, count = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
    finally:
        capture.release()
    rate = rate if 0.1 < rate < 1000 else DEFAULT_FPS
    return Clip(path, fps or float(rate), (), start, end, count / rate if count > 0 else math.inf)


def _read_with_opencv(clip: Clip) -> Iterator[Frame]:
    """As `_read_video`; OpenCV turns frames upright by itself, and does not say which it could not decode."""
    import cv2

    period, due = 1 / clip.fps, clip.start
    capture = cv2.VideoCapture(str(clip.path))
    try:
        while True:
            if not capture.grab():
                return
            time = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            if time >= clip.end:
                return
            if time < due - 0.45 * period:
                continue
            found, image = capture.retrieve()
            due = max(due, time - period) + period
            if found:
                yield Frame(time, np.ascontiguousarray(image[..., ::-1]))
            else:
                yield Frame(time, None, f"A frame of {clip.path.name} near {time:.2f} s could not be decoded.")
    finally:
        capture.release()


def _upright(image: np.ndarray, degrees: float) -> np.ndarray:
    """Turned as the display matrix says: `degrees` counter-clockwise, in quarters."""
    quarters = round(degrees / 90) % 4
    return np.ascontiguousarray(np.rot90(image, quarters)) if quarters else image


def _opened(path: Path):
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


def _natural(path: Path) -> list:
    """frame_2 before frame_10."""
    return [int(part) if part.isdigit() else part.casefold() for part in re.split(r"(\d+)", path.name)]
