"""Videos as frames, through either decoder: rate, range, order and colour; what is no video is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sapiens2_avatar.core import video
from sapiens2_avatar.core.errors import SapiensError
from sapiens2_avatar.core.video import open_clip, read_frames

av = pytest.importorskip("av", reason="the test's video is written with PyAV")
SHADES = [(20 + 8 * n, 200 - 6 * n, 90) for n in range(20)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """Twenty frames of one colour each, at 10 frames per second."""
    path = tmp_path_factory.mktemp("video") / "shades ü.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 64, 48, "yuv420p", 2_000_000
        for shade in SHADES:
            image = np.broadcast_to(np.array(shade, np.uint8), (48, 64, 3))
            for packet in stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


@pytest.fixture(params=["av", "cv2"])
def decoder(request, monkeypatch) -> str:
    """Each decoder in turn; OpenCV's is what the runtime of the extension has."""
    pytest.importorskip(request.param, reason="no such decoder here")
    if request.param == "cv2":
        monkeypatch.setattr(video, "find_spec", lambda name: None if name == "av" else object())
    return request.param


def test_every_frame_once_in_order_and_in_colour(clip, decoder) -> None:
    opened = open_clip(clip)
    assert opened.fps == pytest.approx(10) and opened.seconds == pytest.approx(2.0, abs=0.1)
    frames = list(read_frames(opened))
    assert len(frames) == 20 and [round(f.time * 10) for f in frames] == list(range(20))
    for frame, shade in zip(frames, SHADES, strict=True):
        assert frame.image.shape == (48, 64, 3) and frame.image.dtype == np.uint8 and frame.image.flags.c_contiguous
        assert np.abs(frame.image.mean(axis=(0, 1)) - shade).max() < 12


def test_a_range_and_a_slower_rate(clip, decoder) -> None:
    part = list(read_frames(open_clip(clip, None, 0.5, 1.0)))
    assert [round(f.time * 10) for f in part] == [5, 6, 7, 8, 9]
    half = list(read_frames(open_clip(clip, 5.0)))
    assert len(half) == 10 and np.allclose(np.diff([f.time for f in half]), 0.2, atol=0.01)


@pytest.mark.parametrize("content", [b"", b"not a video", b"\x00\x00\x00\x18ftypmp42 torn"])
def test_what_is_no_video_is_said(tmp_path, decoder, content: bytes) -> None:
    path = tmp_path / "torn.mp4"
    path.write_bytes(content)
    with pytest.raises(SapiensError, match=r"torn\.mp4 could not be opened as a video"):
        open_clip(path)


def test_a_video_that_ends_early_gives_its_first_frames(clip, tmp_path, decoder) -> None:
    path = tmp_path / "cut.avi"
    with av.open(str(clip)) as source, av.open(str(path), "w") as target:
        stream = (
            target.add_stream_from_template(source.streams.video[0])
            if hasattr(target, "add_stream_from_template")
            else target.add_stream(template=source.streams.video[0])
        )
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    whole = path.read_bytes()
    start, end = whole.index(b"movi"), whole.rindex(b"idx1")
    path.write_bytes(whole[: (start + end) // 2])
    seen = [f for f in read_frames(open_clip(path)) if f.image is not None]
    assert 3 <= len(seen) < 20
