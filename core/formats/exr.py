"""Float images as OpenEXR files: one part, scan lines, 32 bits, ZIP compression. Metres need more than 16 bits and no curve.

After "The OpenEXR File Layout" (openexr.com/en/latest/OpenEXRFileLayout.html). An own writer, since Blender's
Python has NumPy and zlib only and every machine must write the same bytes for the same pixels,
which image libraries do not promise.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

MAGIC, VERSION = 20000630, 2
FLOAT, ZIP, LINES = 2, 3, 16
"""Pixel type of 32 bit floats; ZIP compression and the scan lines in one of its blocks."""
NAMES = {1: ("Y",), 3: ("R", "G", "B"), 4: ("R", "G", "B", "A")}


def exr_bytes(pixels: np.ndarray) -> bytes:
    """(H, W), (H, W, 3) or (H, W, 4) float32, top row first -> an OpenEXR file. Same pixels, same bytes."""
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    height, width, count = pixels.shape
    # Channels are stored by name, each scan line one channel after the other.
    order = sorted(range(count), key=lambda channel: NAMES[count][channel])
    planar = np.ascontiguousarray(pixels[..., order].transpose(0, 2, 1), "<f4")
    box = struct.pack("<4i", 0, 0, width - 1, height - 1)
    channels = b"".join(NAMES[count][c].encode() + b"\0" + struct.pack("<iBxxxii", FLOAT, 0, 1, 1) for c in order)
    header = struct.pack("<ii", MAGIC, VERSION) + b"".join(
        _attribute(*row)
        for row in (
            ("channels", "chlist", channels + b"\0"),
            ("compression", "compression", bytes([ZIP])),
            ("dataWindow", "box2i", box),
            ("displayWindow", "box2i", box),
            ("lineOrder", "lineOrder", b"\0"),
            ("pixelAspectRatio", "float", struct.pack("<f", 1)),
            ("screenWindowCenter", "v2f", struct.pack("<2f", 0, 0)),
            ("screenWindowWidth", "float", struct.pack("<f", 1)),
        )
    ) + b"\0"  # fmt: skip
    blocks = []
    for top in range(0, height, LINES):
        data = _packed(planar[top : top + LINES].tobytes())
        blocks.append(struct.pack("<ii", top, len(data)) + data)
    first = len(header) + 8 * len(blocks)
    offsets = first + np.concatenate([[0], np.cumsum([len(block) for block in blocks])])[:-1]
    return header + offsets.astype("<u8").tobytes() + b"".join(blocks)


def _attribute(name: str, kind: str, value: bytes) -> bytes:
    return name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<i", len(value)) + value


def _packed(raw: bytes) -> bytes:
    """A block compressed: bytes of even and odd places apart, differences, deflate; as it is where that is no shorter."""
    values = np.frombuffer(raw, np.uint8)
    apart = np.concatenate([values[::2], values[1::2]])
    apart[1:] = apart[1:] - apart[:-1] + np.uint8(128)
    packed = zlib.compress(apart.tobytes(), 4)
    return packed if len(packed) < len(raw) else raw
