"""What the dense heads say about regions of a photo, put together in the photo's pixels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from ..core.capture.camera import CANONICAL_FOCAL
from ..core.capture.people import Person
from . import postprocess
from .focal import Focal, choose_focal, region_focal
from .guided_upsampling import guided_colour, guided_depth, guided_seg
from .preprocess import Letterbox
from .windows import Region

FEW = 0.3
"""A window whose parts cover less of a person than this share of their mask has failed; the parts of the whole photo stay."""


@dataclass(frozen=True, eq=False)
class HeadOutput:
    """What one head said about a region.

    raw        its raw outputs by name, (1, C, h, w) or one number
    region     of the photo
    photo      (H, W, 3) uint8: the photo in the region
    letterbox  where the region lay in the network's input; None = stretched over it
    guided     the network asks for maps that follow the photo's edges
    """

    raw: dict[str, torch.Tensor]
    region: Region
    photo: np.ndarray
    letterbox: Letterbox | None
    guided: bool

    def between_bars(self, name: str) -> torch.Tensor:
        """An output without the bars of the letterbox."""
        return self.raw[name] if self.letterbox is None else self.letterbox.crop(self.raw[name])

    @property
    def frame(self) -> Letterbox:
        """Where the region lay, for tasks that see it letterboxed."""
        assert self.letterbox is not None
        return self.letterbox

    def follows_edges(self, cells: torch.Tensor) -> bool:
        """Whether a map (1, C, h, w) of the region is to follow the photo's edges: it is coarser, and its network asks for it."""
        return self.guided and self.region.size[0] > cells.shape[-2] and self.region.size[1] > cells.shape[-1]


@dataclass(frozen=True, eq=False)
class Merged:
    """What a task adds to predictions: maps by their names there, and the focal length of the photo if it tells one."""

    maps: dict[str, np.ndarray]
    focal: Focal | None = None


@dataclass(frozen=True, eq=False)
class Layout:
    """Who is where: what is needed to put the maps of regions together.

    people   P persons
    regions  P regions: the one through which each person is seen
    owner    (H, W) int16: the person to whom each pixel may belong, -1 = nobody
    seg      (H, W) uint8, 0 where nobody is; None = not known
    alpha    (H, W) uint8; None = not known
    focal_35mm  of the photo's lens in mm, for a frame 36 mm wide, from EXIF; None = not known
    """

    people: list[Person]
    regions: list[Region]
    owner: np.ndarray
    seg: np.ndarray | None
    alpha: np.ndarray | None
    focal_35mm: float | None = None

    @property
    def shape(self) -> tuple[int, int]:
        height, width = self.owner.shape
        return height, width

    @property
    def distinct(self) -> list[Region]:
        """The regions, each once, in the order of the people."""
        return list(dict.fromkeys(self.regions))

    def seen_through(self, region: Region) -> np.ndarray:
        """(h, w) bool: the pixels of the region that belong to people seen through it and are not quite transparent."""
        mine = np.array([theirs == region for theirs in self.regions] + [False])  # the last is for owner -1
        mask = mine[region.of(self.owner)]
        return mask if self.alpha is None else mask & (region.of(self.alpha) > 0)

    def inside(self, region: Region, frame: Letterbox, like: torch.Tensor) -> torch.Tensor | None:
        """(1, 1, h', w') bool: the cells of a head's map between the bars in which its people are; None = not known."""
        if self.seg is None:
            return None
        mask = self.seen_through(region) & (region.of(self.seg) > 0)
        size = frame.crop(like).shape[-2:]
        tensor = torch.from_numpy(mask.astype(np.float32))[None, None]
        cover = functional.interpolate(tensor, size=size, mode="bilinear", antialias=True)
        inside = cover >= 0.5
        # What is thinner than a cell keeps the cells that it touches; elsewhere a cell is mostly person or it does not count.
        near = functional.max_pool2d(inside.float(), 3, stride=1, padding=1) > 0
        return inside | ((cover > 0.05) & ~near)


def decode_parts(output: HeadOutput) -> tuple[np.ndarray, np.ndarray]:
    """Labels and foreground probability of a region, both (h, w) uint8."""
    logits = output.between_bars("logits")
    if output.follows_edges(logits):
        return guided_seg(logits[0].numpy(), output.photo)
    return postprocess.decode_seg(logits, *output.region.size, together=True)


def replace_parts(outputs: Iterable[HeadOutput], layout: Layout) -> None:
    """Replace seg and alpha of the people who have a window of their own by what the head sees through it, in place.

    outputs  of seg for these windows
    """
    for output in outputs:
        region = output.region
        labels, foreground = decode_parts(output)
        assert layout.seg is not None and layout.alpha is not None  # there is a head for parts
        for i, person in enumerate(layout.people):
            mine = region.of(layout.owner) == i
            if layout.regions[i] != region or np.count_nonzero(labels[mine]) < FEW * np.count_nonzero(person.mask):
                continue
            region.of(layout.seg)[mine] = labels[mine]
            region.of(layout.alpha)[mine] = foreground[mine]


def merge_normal(outputs: Iterable[HeadOutput], layout: Layout) -> Merged:
    """normal: (H, W, 3) float16, unit where there is a value, 0 elsewhere."""
    canvas = np.zeros((*layout.shape, 3), np.float16)
    for output in outputs:
        normals = output.raw["normals"]
        normal = postprocess.decode_normal(normals, output.frame, layout.inside(output.region, output.frame, normals))
        # Written out: norm() over three planes is ten times slower.
        length = (normal[0] * normal[0]).addcmul_(normal[1], normal[1]).addcmul_(normal[2], normal[2]).sqrt_()
        normal = normal.div_(length.clamp_min_(1e-6))
        _paste(canvas, normal.permute(1, 2, 0), output.region, layout)
    return Merged({"normal": canvas})


def merge_albedo(outputs: Iterable[HeadOutput], layout: Layout) -> Merged:
    """albedo: (H, W, 3) uint8 sRGB, 0 where there is nobody."""
    canvas = np.zeros((*layout.shape, 3), np.uint8)
    for output in outputs:
        inside = layout.inside(output.region, output.frame, output.raw["albedo"])
        cells = output.between_bars("albedo")
        if inside is not None and output.follows_edges(cells):
            albedo = torch.from_numpy(guided_colour(cells[0].numpy(), inside[0, 0].numpy(), output.photo))
        else:
            albedo = postprocess.decode_albedo(output.raw["albedo"], output.frame, inside)
        _paste(canvas, albedo.mul_(255).add_(0.5).clamp_(0, 255).to(torch.uint8).permute(1, 2, 0), output.region, layout)
    return Merged({"albedo": canvas})


def merge_matting(outputs: Iterable[HeadOutput], layout: Layout) -> Merged:
    """alpha: (H, W) uint8 opacity, 0 away from people."""
    canvas = np.zeros((*layout.shape, 1), np.uint8)
    for output in outputs:
        foreground, opacity = output.between_bars("foreground"), output.between_bars("alpha")
        _, alpha = postprocess.decode_matting(foreground, opacity, *output.region.size)
        _paste(canvas, alpha.mul_(255).add_(0.5).to(torch.uint8)[..., None], output.region, layout)
    return Merged({"alpha": canvas[..., 0]})


def merge_pointmap(outputs: Iterable[HeadOutput], layout: Layout) -> Merged:
    """pointmap: (H, W, 3) float32 metres in camera space, 0 = no value; and the focal length of the photo.

    Seen as a whole, a person's points stay as predicted: raw / focal_scale. Through a window the head cannot know where the
    principal point is, and judges the focal length by the window alone. So depth is converted to the photo's focal length f,
    z = raw z * (f in network pixels) / 768, which keeps the size of the person, and x and y follow from the photo's rays:
    all people stand in one camera.
    """
    height, width = layout.shape
    whole = Region.whole(height, width)
    found = {output.region: output for output in outputs}
    insides = {region: layout.inside(region, output.frame, output.raw["pointmap"]) for region, output in found.items()}
    estimates = {region: region_focal(output.raw, output.frame, insides[region]) for region, output in found.items()}
    focal = choose_focal(estimates, [layout.regions.count(region) for region in estimates], height, width, layout.focal_35mm)
    canvas = np.zeros((height, width, 3), np.float32)
    for region, output in found.items():
        pixels = estimates[region].pixels if region == whole else focal.pixels
        focal_scale = CANONICAL_FOCAL / (pixels * output.frame.scale)
        points = postprocess.decode_pointmap(output.raw["pointmap"], focal_scale, output.frame, insides[region])
        inside, cells = insides[region], output.between_bars("pointmap")
        if inside is not None and output.follows_edges(cells):
            depth = guided_depth(cells[0, 2].numpy(), inside[0, 0].numpy(), output.photo)
            # Along its ray, so that a point stays on its pixel.
            points *= torch.from_numpy(depth).div_(focal_scale).clamp_min_(0).div_(points[2].clamp_min(1e-6))
        if region != whole:
            x = torch.arange(region.x1, region.x2, dtype=torch.float32) - (width - 1) / 2
            y = torch.arange(region.y1, region.y2, dtype=torch.float32) - (height - 1) / 2
            torch.mul(points[2], x[None, :] / focal.pixels, out=points[0])
            torch.mul(points[2], y[:, None] / focal.pixels, out=points[1])
        points.mul_(points[2:] > 0)
        _paste(canvas, points.permute(1, 2, 0), region, layout)
    return Merged({"pointmap": canvas}, focal)


def _paste(canvas: np.ndarray, values: torch.Tensor, region: Region, layout: Layout) -> None:
    """Write the values (h, w, C) of a region where its people are; NaN and infinity become 0."""
    if values.is_floating_point():
        values = values.nan_to_num(nan=0, posinf=0, neginf=0)
    np.copyto(region.of(canvas), values.numpy(), where=layout.seen_through(region)[..., None], casting="same_kind")
