"""Videos as frames, through either decoder: rate, range, order and colour; what is no video is said."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from sapiens2_avatar.core.capture import video
from sapiens2_avatar.core.capture.video import open_clip, read_frames
from sapiens2_avatar.core.common.errors import SapiensError
from support.colours import FROM_REC709, signal

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
    """Each decoder in turn; OpenCV's is for a Python without PyAV."""
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


def write(path: Path, images, times=None, codec="mpeg4", rate=10, shape=None, **options) -> Path:
    """A video of these images; `times` in milliseconds, where they are not evenly spaced; `shape` of a pixel: width by height."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options)
        height, width = images[0].shape[:2]
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = width, height, "yuv420p", 2_000_000
        stream.codec_context.time_base = Fraction(1, 1000)
        if shape is not None:
            stream.codec_context.sample_aspect_ratio = shape
        for n, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = (round(1000 * n / rate) if times is None else times[n]), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def with_matrix(path: Path, matrix) -> Path:
    """Another display matrix into the track header (ISO 14496-12)."""
    data = bytearray(path.read_bytes())
    header = data.index(b"tkhd")
    start = header + 4 + (52 if data[header + 4] == 1 else 40)
    a, b, c, d = (value << 16 for value in matrix)
    data[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def plain(shade, height=48, width=64):
    return np.broadcast_to(np.array(shade, np.uint8), (height, width, 3))


@pytest.mark.parametrize(("suffix", "codec"), [(".mov", "mpeg4"), (".webm", "libvpx-vp9"), (".mkv", "mpeg4"), (".avi", "mpeg4")])
def test_every_container_that_is_promised(tmp_path, decoder, suffix: str, codec: str) -> None:
    path = write(tmp_path / f"clip{suffix}", [plain(shade) for shade in SHADES], codec=codec)
    frames = list(read_frames(open_clip(path, 10.0)))
    shown = [frame for frame in frames if frame.image is not None]
    assert len(shown) == 20
    for frame, shade in zip(shown, SHADES, strict=True):
        assert np.abs(frame.image.mean(axis=(0, 1)) - shade).max() < 12


def test_time_runs_as_in_a_clip_whose_rate_varies(tmp_path, decoder) -> None:
    """Ten frames a second, then a pause of half a second, then a hurry: a frame for each tenth, empty where there is none."""
    times = [0, 100, 200, 700, 800, 850, 900, 1000]
    path = write(tmp_path / "varies.mkv", [plain(shade) for shade in SHADES[:8]], times)
    frames = list(read_frames(open_clip(path, 10.0)))
    assert len(frames) == 11
    assert [n for n, frame in enumerate(frames) if frame.image is None] == [3, 4, 5, 6]
    assert not any(frame.error for frame in frames)
    expected = {0: 0, 1: 1, 2: 2, 7: 3, 8: 4, 9: 6, 10: 7}
    for n, shade in expected.items():
        assert np.abs(frames[n].image.mean(axis=(0, 1)) - SHADES[shade]).max() < 12
        assert frames[n].time == pytest.approx(n / 10, abs=0.06)


def test_a_higher_rate_than_the_clip_has_keeps_its_time(clip, decoder) -> None:
    frames = list(read_frames(open_clip(clip, 20.0)))
    assert len(frames) == 39 and [n for n, frame in enumerate(frames) if frame.image is not None] == list(range(0, 39, 2))


@pytest.mark.parametrize(("matrix", "turned"), [((0, 1, -1, 0), -1), ((-1, 0, 0, -1), 2), ((0, -1, 1, 0), 1)])
def test_a_phone_that_was_held_otherwise_gives_upright_frames(tmp_path, decoder, matrix, turned: int) -> None:
    """The display matrix of the track header (ISO 14496-12): where the picture's x and y axes point on the screen."""
    image = np.zeros((48, 64, 3), np.uint8)
    image[:, :32, 0], image[:24, 32:, 1], image[24:, 32:, 2] = 200, 200, 200
    path = with_matrix(write(tmp_path / "phone.mp4", [image] * 5), matrix)
    frames = list(read_frames(open_clip(path)))
    expected = np.rot90(image, turned)
    assert len(frames) == 5 and frames[0].image.shape == expected.shape
    assert np.abs(frames[2].image.astype(int) - expected).mean() < 12


def test_broken_frames_are_said_and_the_rest_is_read_on(tmp_path) -> None:
    path = write(tmp_path / "torn.mkv", [plain(shade) for shade in SHADES], g="1")  # every frame stands for itself
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    for n in (5, 6, 12):
        begin = data.index(b"\x00\x00\x01\xb6", packets[n][0])
        data[begin : begin + 8] = b"\x00\x00\x01\xb6\xff\xff\xff\xff"
    path.write_bytes(data)
    frames = list(read_frames(open_clip(path)))
    shown = [n for n, frame in enumerate(frames) if frame.image is not None]
    assert len(frames) == 20 and 16 <= len(shown) <= 17 and {0, 4, 11, 13, 19} <= set(shown)
    assert all("could not be decoded" in frame.error for frame in frames if frame.image is None)
    for n in shown:
        assert np.abs(frames[n].image.mean(axis=(0, 1)) - SHADES[n]).max() < 12


def test_a_folder_of_frames_is_in_the_order_of_its_numbers(tmp_path, image_file) -> None:
    for n, name in enumerate(("f_1.png", "f_2.png", "f_10.png", "f_9.png")):
        image_file(plain(SHADES[n]), tmp_path / name)
    (tmp_path / "f_3.png").write_bytes(b"torn")
    (tmp_path / "notes.txt").write_text("no frame")
    frames = list(read_frames(open_clip(tmp_path, 24.0)))
    assert [frame.image is not None for frame in frames] == [True, True, False, True, True] and "f_3.png" in frames[2].error
    order = [0, 1, None, 3, 2]
    assert all(n is None or (frames[i].image == SHADES[n]).all() for i, n in enumerate(order))
    assert [frame.time for frame in frames] == pytest.approx([n / 24 for n in range(5)])
    assert len(list(read_frames(open_clip(tmp_path, 24.0, 1 / 24, 3 / 24)))) == 2


@pytest.fixture
def image_file():
    """Function: write an image to a file."""
    image = pytest.importorskip("PIL.Image", reason="needs Pillow")
    return lambda array, path: image.fromarray(np.ascontiguousarray(array)).save(path)


@pytest.mark.parametrize("matrix", [(-1, 0, 0, 1), (1, 0, 0, -1), (0, 1, 1, 0), (0, -1, -1, 0)])
def test_a_mirrored_selfie_is_shown_as_players_show_it(tmp_path, matrix) -> None:
    """A display matrix that mirrors: a pixel goes where the axes of ISO 14496-12 send it."""
    image = np.zeros((48, 64, 3), np.uint8)
    image[:, :32, 0], image[:24, 32:, 1], image[24:, 32:, 2] = 200, 200, 200
    path = with_matrix(write(tmp_path / "phone.mp4", [image] * 3), matrix)
    a, b, c, d = matrix
    rows, columns = np.mgrid[:48, :64]
    x, y = a * columns + c * rows, b * columns + d * rows
    expected = np.zeros((*(48, 64)[:: 1 if a else -1], 3), np.uint8)
    expected[y - y.min(), x - x.min()] = image
    frame = next(iter(read_frames(open_clip(path))))
    assert frame.image.shape == expected.shape
    assert np.abs(frame.image.astype(int) - expected).mean() < 12


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
@pytest.mark.parametrize(("ratio", "shape"), [(Fraction(4, 3), (48, 85)), (Fraction(1, 2), (96, 64)), (Fraction(1, 1), (48, 64))])
def test_pixels_that_are_not_square_become_square(tmp_path, decoder, suffix, ratio, shape) -> None:
    path = write(tmp_path / f"wide{suffix}", [plain(SHADES[0])] * 3, shape=ratio)
    assert next(iter(read_frames(open_clip(path)))).image.shape == (*shape, 3)


def test_a_squeezed_clip_of_a_phone_that_was_held_upright(tmp_path, decoder) -> None:
    path = with_matrix(write(tmp_path / "phone.mp4", [plain(SHADES[0])] * 3, shape=Fraction(2, 1)), (0, 1, -1, 0))
    assert next(iter(read_frames(open_clip(path)))).image.shape == (128, 48, 3)


SHOWN = np.array([200, 90, 60])


def colour_video(path: Path, primaries: int, transfer: int, matrix: int, bits: int, full: bool = False) -> Path:
    """Three frames of `SHOWN` in H.265 with these tags; the Y'CbCr is computed here."""
    red, blue = {9: (0.2627, 0.0593), 1: (0.2126, 0.0722), 2: (0.2126, 0.0722)}[matrix]
    r, g, b = signal(SHOWN, primaries, transfer)
    luma = red * r + (1 - red - blue) * g + blue * b
    chroma = np.array([(b - luma) / (2 - 2 * blue), (r - luma) / (2 - 2 * red)])
    scale = 2 ** (bits - 8)
    code = [luma * (2**bits - 1), *(chroma * (2**bits - 1) + 128 * scale)] if full else [
        (16 + 219 * luma) * scale, *((128 + 224 * chroma) * scale)]  # fmt: skip
    height, width = (720, 1280) if matrix == 2 else (96, 128)
    kind = np.uint8 if bits == 8 else np.uint16
    planes = [np.full((height, width), round(code[0]), kind)]
    planes += [np.full((height // 2, width // 2), round(value), kind) for value in code[1:]]
    tags = f"colorprim={primaries}:transfer={transfer}:colormatrix={matrix}:range={'full' if full else 'limited'}:log-level=none"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx265", rate=10, options={"x265-params": f"{tags}:qp=4"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p10le" if bits == 10 else "yuv420p"
        for _ in range(3):
            frame = av.VideoFrame(width, height, stream.pix_fmt)
            frame.color_range = 2 if full else 1
            for plane, values in zip(frame.planes, planes, strict=True):
                rows = np.zeros((plane.height, plane.line_size), np.uint8)
                rows[:, : plane.width * values.itemsize] = values.view(np.uint8)
                plane.update(rows.tobytes())
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("primaries", "transfer", "matrix", "bits", "full"),
    [
        (9, 18, 9, 10, False),
        (9, 18, 9, 10, True),
        (9, 16, 9, 10, False),
        (12, 16, 9, 10, False),
        (9, 14, 9, 10, False),
        (12, 13, 1, 8, False),
        (1, 1, 1, 8, False),
        (1, 1, 1, 8, True),
        (2, 2, 2, 8, False),
    ],
)
def test_colours_are_srgb_whatever_the_file_holds(tmp_path, primaries, transfer, matrix, bits, full) -> None:
    """HLG and PQ, wide colours, either range; a large picture without tags is BT.709, as every player takes it."""
    if "libx265" not in av.codecs_available:
        pytest.skip("this PyAV was built without x265")
    coding = primaries if primaries in FROM_REC709 else 1
    path = colour_video(tmp_path / "clip.mp4", coding, transfer, matrix, bits, full)
    frame = next(iter(read_frames(open_clip(path))))
    assert np.abs(frame.image[40:50, 40:50].astype(int) - SHOWN).max() <= 6, frame.image[45, 45]


@pytest.mark.parametrize("transfer", [16, 18])
def test_opencv_says_that_it_cannot_read_hdr(tmp_path, monkeypatch, transfer) -> None:
    monkeypatch.setattr(video, "find_spec", lambda name: None if name == "av" else object())
    path = write(tmp_path / "clip.mov", [plain(SHADES[0])] * 3)
    data = path.read_bytes()
    path.write_bytes(data + struct.pack(">I4s4s4sHHHB", 27, b"free", b"colr", b"nclx", 9, transfer, 9, 0))
    with pytest.raises(SapiensError, match="HDR"):
        open_clip(path)


@pytest.mark.parametrize(("profile", "other"), [(5, 0), (10, 0), (8, 1), (8, 4), (10, 1)])
@pytest.mark.parametrize("reader", ["av", "opencv"])
@pytest.mark.parametrize("matroska", [False, True])
def test_dolby_vision_without_another_picture_is_refused(tmp_path, monkeypatch, profile, other, reader, matroska) -> None:
    """Read as BT.2020 its pictures are green and violet, without a word."""
    if reader == "opencv":
        monkeypatch.setattr(video, "find_spec", lambda name: None if name == "av" else object())
    path = write(tmp_path / "clip.mov", [plain(SHADES[0])] * 3)
    record = struct.pack(">BBHB19x", 1, 0, profile << 9 | 6 << 3 | 0b101, other << 4)
    kind = b"dvcC\x41\xed\x98" if matroska else b"dvcC"
    path.write_bytes(path.read_bytes() + struct.pack(">I4s", 12 + len(kind) + len(record), b"free") + b"\0\0\0\0" + kind + record)
    if other:
        assert open_clip(path).fps > 0
        return
    with pytest.raises(SapiensError, match="Dolby Vision alone") as told:
        open_clip(path)
    assert "SDR, HLG or HDR10" in told.value.hint


def test_a_folder_of_pictures_keeps_its_gaps(tmp_path, image_file) -> None:
    for n in (0, 1, 2, 6, 7):
        image_file(plain(SHADES[n]), tmp_path / f"frame_{n:03d}.png")
    clip = open_clip(tmp_path, 10.0)
    assert clip.seconds == pytest.approx(0.8) and "3 frames are missing" in clip.notes[0]
    frames = list(read_frames(clip))
    assert [f.image is not None for f in frames] == [True, True, True, False, False, False, True, True]
    assert [round(10 * f.time) for f in frames] == list(range(8)) and not any(f.error for f in frames)
    assert [round(10 * f.time) for f in read_frames(open_clip(tmp_path, 10.0, 0.4, 0.7))] == [4, 5, 6]
