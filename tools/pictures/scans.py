"""Pictures of scans for docs/scan.md: photo, plain grid, scan, and scan with its materials, all lit from the side.

usage: python tools/pictures/scans.py [STUDIO] [-o DIR] [--samples NAME…] [--exact]

STUDIO: folder of samples (default: $SAPIENS2_SHARED/studio, or ../shared/studio); the maps are those that were degraded the way a
network degrades them, or with --exact the exact ones. The plain grid is what the pointmap alone gives: a vertex for every pixel,
torn where neighbours are more than 20 mm apart in depth. Needs bpy; Cycles
on the CPU, a minute or two per sample.
"""

from __future__ import annotations

import argparse
import gzip
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sapiens2_avatar.core.avatar import AvatarSettings, make_avatars
from sapiens2_avatar.core.capture.camera import estimate_camera
from sapiens2_avatar.core.common.arrays import MeshData, Textures
from sapiens2_avatar.core.common.avatars import Avatar
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.common.processes import leave
from sapiens2_avatar.core.common.spaces import uv_from_pixel
from sapiens2_avatar.core.surface.pixel_mesh import vertex_normals

if TYPE_CHECKING:
    from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("SAPIENS2_SHARED", ROOT.parent / "shared"))
TEAR = 0.02
"""Metres between neighbours in depth at which the plain grid is torn."""
TALL, WIDE = (168, 336), (216, 288)
"""Pixels of each panel: of a standing person, of others."""
TURN = 16.0
"""Degrees between the camera of the photo and that of the renders."""
COLOURS = 160
"""Of the palette: pictures of the documentation are small files."""


def plain_grid(predictions: Predictions, world_from_camera: np.ndarray) -> Avatar:
    """What a few lines make of a pointmap: every pixel a vertex, the photo as texture."""
    camera = estimate_camera(predictions).camera
    points = predictions.pointmap.astype(np.float32)
    height, width = points.shape[:2]
    known = (predictions.seg > 0) & np.isfinite(points).all(axis=-1) & (points[..., 2] > 0)
    index = np.arange(height * width).reshape(height, width)
    quads = np.stack([index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]], axis=-1).reshape(-1, 4)
    z = points[..., 2].ravel()[quads]
    quads = quads[known.ravel()[quads].all(axis=1) & (np.ptp(z, axis=1) < TEAR)]
    used, faces = np.unique(np.concatenate([quads[:, :3], quads[:, [0, 2, 3]]]), return_inverse=True)
    faces = faces.reshape(-1, 3).astype(np.int32)
    vertices = points.reshape(-1, 3)[used]
    pixels = np.stack([used % width, used // width], axis=1).astype(np.float32)
    mesh = MeshData(
        vertices,
        faces,
        uv_from_pixel(pixels, width, height).astype(np.float32),
        vertex_normals(vertices, faces),
        np.full(len(vertices), 1, np.uint8),
    )
    textures = Textures(predictions.image, "photo", np.full((height, width), 255, np.uint8))
    return Avatar("grid", camera, world_from_camera, mesh, textures, predictions.image)


def picture(predictions: Predictions, path: Path, name: str) -> None:
    """Write the strip of one sample as a PNG with a palette."""
    from PIL import Image

    from sapiens2_avatar.batch.picture import BACKDROP
    from sapiens2_avatar.scene import write_avatars
    from sapiens2_avatar.scene.files import new_file
    from sapiens2_avatar.scene.render import render_view

    scan = make_avatars(predictions, name, replace(AvatarSettings(make="scan"), with_rig=False))[0]
    rows, columns = np.flatnonzero(predictions.seg.any(axis=1)), np.flatnonzero(predictions.seg.any(axis=0))
    size = TALL if np.ptp(rows) > 1.6 * np.ptp(columns) else WIDE
    panels = [_cropped(Image.fromarray(predictions.image), rows, columns, size)]
    renders = []
    for avatar, clay in ((plain_grid(predictions, scan.world_from_camera), True), (scan, True), (scan, False)):
        new_file()
        collection = write_avatars([avatar], avatar.name)
        with tempfile.TemporaryDirectory() as folder:
            large = (2 * size[0], 2 * size[1])
            view = render_view(collection, Path(folder) / "view.png", large, TURN, samples=12, side_light=True, clay=clay)
            renders.append(Image.open(view.path).convert("RGBA"))
    seen = np.max([np.asarray(render)[..., 3] > 8 for render in renders], axis=0)
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    under = Image.new("RGBA", large, (*BACKDROP.astype(int).tolist(), 255))
    panels += [_cropped(Image.alpha_composite(under, render).convert("RGB"), rows, columns, size) for render in renders]
    strip = Image.new("RGB", ((size[0] + 4) * len(panels) - 4, size[1]), "white")
    for place, panel in enumerate(panels):
        strip.paste(panel, (place * (size[0] + 4), 0))
    path.parent.mkdir(parents=True, exist_ok=True)
    strip.quantize(COLOURS, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)


def _cropped(photo: Image.Image, rows: np.ndarray, columns: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """The part of the photo around the person's rows and columns, as large as a panel."""
    height = min(1.12 * max(np.ptp(rows), np.ptp(columns) * size[1] / size[0]), photo.height, photo.width * size[1] / size[0])
    width = height * size[0] / size[1]
    left = float(np.clip(columns.mean() - width / 2, 0, photo.width - width))
    top = float(np.clip(rows.mean() - height / 2, 0, photo.height - height))
    return photo.resize(size, box=(left, top, left + width, top + height), reducing_gap=3.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studio", nargs="?", type=Path, default=SHARED / "studio")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "images" / "scan")
    parser.add_argument(
        "--samples", nargs="*", default=["body_apose", "body_crossed", "body_walk", "body_sit", "face_a", "face_b"]
    )
    parser.add_argument("--exact", action="store_true")
    options = parser.parse_args()
    for name in options.samples:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{name}.safetensors"
            packed = options.studio / f"{name}{'' if options.exact else '.degraded'}.safetensors.gz"
            path.write_bytes(gzip.decompress(packed.read_bytes()))
            # Without the albedo map: the base colour is the photo with its light taken out, as with the released networks.
            picture(replace(Predictions.load(path), albedo=None), options.output / f"{name}.png", name)
        print(options.output / f"{name}.png", flush=True)
    leave(0)


if __name__ == "__main__":
    main()
