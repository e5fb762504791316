"""The photo in an image editor: which pixel of the upright photo is where. Blender shows a photo as it is stored."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import bpy
import numpy as np

from ..core.capture.exif_orientation import upright_of, upright_point
from .typed import region_of


@dataclass(frozen=True, eq=False)
class EditorFrame:
    """A photo in the region of an image editor.

    size     width and height of the upright photo, pixels
    turn     (2, 3) from pixels of the picture as it is stored to those of the upright one
    region   of the editor
    stored   width and height of the picture as it is stored
    """

    region: bpy.types.Region
    stored: tuple[int, int]
    size: tuple[int, int]
    turn: np.ndarray

    def pixel(self, x: float, y: float) -> tuple[float, float]:
        """The pixel of the upright photo under a place of the region, (0, 0) in its upper left corner; kept inside the photo."""
        u, v = self.region.view2d.region_to_view(x, y)
        across, down = min(max(u, 0.0), 1.0) * self.stored[0], (1 - min(max(v, 0.0), 1.0)) * self.stored[1]
        a, b = self.turn @ (across, down, 1.0)
        return float(a), float(b)

    def place(self, x: float, y: float) -> tuple[float, float]:
        """The place of the region where a pixel of the upright photo is shown."""
        across, down = np.linalg.solve(self.turn[:, :2], np.array([x, y]) - self.turn[:, 2])
        a, b = self.region.view2d.view_to_region(across / self.stored[0], 1 - down / self.stored[1], clip=False)
        return float(a), float(b)


def editor_frame(context: bpy.types.Context, photo: Path | None) -> EditorFrame | None:
    """The photo in the region of the context; None where no image editor shows it."""
    space, region = context.space_data, region_of(context)
    if photo is None or not isinstance(space, bpy.types.SpaceImageEditor) or region is None or region.type != "WINDOW":
        return None
    image = space.image
    if image is None or not all(image.size) or Path(bpy.path.abspath(image.filepath, library=image.library)) != photo:
        return None
    return frame_of(region, photo, (image.size[0], image.size[1]))


def frame_of(region: bpy.types.Region, photo: Path, stored: tuple[int, int]) -> EditorFrame:
    """The frame of a photo that is shown in a region, `stored` pixels large as it lies in its file."""
    turns, mirrored = _orientation(str(photo), _written(photo))
    corner, right, down = (upright_point(*at, *stored, turns, mirrored) for at in ((0, 0), (1, 0), (0, 1)))
    turn = np.array([np.subtract(right, corner), np.subtract(down, corner), corner], np.float64).T
    return EditorFrame(region, stored, (stored[1], stored[0]) if turns % 2 else stored, turn)


def _written(photo: Path) -> int:
    return photo.stat().st_mtime_ns if photo.is_file() else 0


@lru_cache(maxsize=8)
def _orientation(photo: str, _written: int) -> tuple[int, bool]:
    return upright_of(Path(photo))
