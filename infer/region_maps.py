"""Looking at regions of a photo with the dense heads: passes shared between heads, maps put together in the photo's pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from ..core.capture.camera import CANONICAL_FOCAL
from ..core.capture.people import Person
from . import postprocess
from .focal import Focal, choose_focal, region_focal
from .guided_upsampling import guided_colour, guided_depth, guided_seg
from .preprocess import Letterbox, letterbox, stretch
from .session import Checkpoint, Network
from .windows import Region

FEW = 0.3
"""A close look that finds less of a person than this share of the first look's mask has failed; the first one stays."""


@dataclass(frozen=True, eq=False)
class Raw:
    """What one head said about a region: its raw outputs by name, and where the region lay in the input (None = stretched)."""

    outputs: dict[str, torch.Tensor]
    letterbox: Letterbox | None

    def between_bars(self, name: str) -> torch.Tensor:
        """An output without the bars of the letterbox."""
        return self.outputs[name] if self.letterbox is None else self.letterbox.crop(self.outputs[name])

    @property
    def frame(self) -> Letterbox:
        """Where the region lay, for tasks that see it letterboxed."""
        assert self.letterbox is not None
        return self.letterbox


class Looks:
    """Raw outputs of dense heads for regions of one photo. Heads of one file that see the same input share one pass.

    image        (H, W, 3) uint8
    checkpoints  task -> checkpoint of every dense task that will be asked for
    """

    def __init__(self, image: np.ndarray, checkpoints: dict[str, Checkpoint], network: Network):
        self.image, self.checkpoints, self.network = image, checkpoints, network
        self._kept: dict[tuple[str, Region], Raw] = {}

    def sharing(self, task: str) -> tuple[str, ...]:
        """The tasks that come out of the pass of `task`."""
        checkpoint = self.checkpoints[task]
        return tuple(
            other
            for other, theirs in self.checkpoints.items()
            if theirs.path == checkpoint.path and checkpoint.geometry(other) == checkpoint.geometry(task)
        )

    def passes(self, regions: list[Region]) -> list[tuple[str, ...]]:
        """The passes that all tasks need on these regions, but for those whose outputs are waiting."""
        groups = dict.fromkeys(self.sharing(task) for task in self.checkpoints)
        return [group for group in groups for region in regions if not any((task, region) in self._kept for task in group)]

    def guided(self, task: str, region: Region, cells: torch.Tensor) -> bool:
        """Whether a map (1, C, h, w) of a region is to follow the photo's edges: it is coarser, and its network asks for it."""
        return self.checkpoints[task].guided and region.size[0] > cells.shape[-2] and region.size[1] > cells.shape[-1]

    def raw(self, task: str, region: Region) -> Raw:
        """Outputs of the head of `task` for a region. Each is given out once, and forgotten."""
        if (task, region) not in self._kept:
            checkpoint, tasks = self.checkpoints[task], self.sharing(task)
            image, size = region.of(self.image), self.network.input_size(checkpoint)
            if checkpoint.geometry(task) == "letterbox":
                tensor, frame = letterbox(image, *size)
            else:
                tensor, frame = stretch(image, *size), None
            outputs = self.network.run(checkpoint, tensor, tasks)
            for other in tasks:
                named = {name: outputs[name] for name in OUTPUTS[other] if name in outputs}
                self._kept[other, region] = Raw(named, frame)
        return self._kept.pop((task, region))


OUTPUTS = {
    "seg": ("logits",),
    "normal": ("normals",),
    "pointmap": ("pointmap", "scale"),
    "albedo": ("albedo",),
    "matting": ("foreground", "alpha"),
}


@dataclass(frozen=True, eq=False)
class Layout:
    """Who is where: what is needed to put the maps of regions together.

    people   P persons
    regions  P regions: the one through which each person is seen
    owner    (H, W) int16: the person to whom each pixel may belong, -1 = nobody
    seg      (H, W) uint8, 0 where nobody is; None = not known
    alpha    (H, W) uint8; None = not known
    """

    people: list[Person]
    regions: list[Region]
    owner: np.ndarray
    seg: np.ndarray | None
    alpha: np.ndarray | None

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


def look_for_parts(looks: Looks, region: Region) -> tuple[np.ndarray, np.ndarray]:
    """Labels and foreground probability of a region, both (h, w) uint8."""
    logits = looks.raw("seg", region).between_bars("logits")
    if looks.guided("seg", region, logits):
        return guided_seg(logits[0].numpy(), region.of(looks.image))
    return postprocess.decode_seg(logits, *region.size, together=True)


def look_closer(looks: Looks, layout: Layout) -> None:
    """Replace seg and alpha of the people who have a window of their own by what the head sees through it, in place."""
    whole = Region.whole(*layout.shape)
    for region in layout.distinct:
        if region == whole:
            continue
        labels, foreground = look_for_parts(looks, region)
        assert layout.seg is not None and layout.alpha is not None  # there is a head for parts
        for i, person in enumerate(layout.people):
            mine = region.of(layout.owner) == i
            if layout.regions[i] != region or np.count_nonzero(labels[mine]) < FEW * np.count_nonzero(person.mask):
                continue
            region.of(layout.seg)[mine] = labels[mine]
            region.of(layout.alpha)[mine] = foreground[mine]


def merged_normal(looks: Looks, layout: Layout) -> np.ndarray:
    """(H, W, 3) float16, unit where there is a value, 0 elsewhere."""
    canvas = np.zeros((*layout.shape, 3), np.float16)
    for region in layout.distinct:
        raw = looks.raw("normal", region)
        normals = raw.outputs["normals"]
        normal = postprocess.decode_normal(normals, raw.frame, layout.inside(region, raw.frame, normals))
        # Written out: norm() over three planes is ten times slower.
        length = (normal[0] * normal[0]).addcmul_(normal[1], normal[1]).addcmul_(normal[2], normal[2]).sqrt_()
        normal = normal.div_(length.clamp_min_(1e-6))
        _paste(canvas, normal.permute(1, 2, 0), region, layout)
    return canvas


def merged_albedo(looks: Looks, layout: Layout) -> np.ndarray:
    """(H, W, 3) uint8 sRGB, 0 where there is nobody."""
    canvas = np.zeros((*layout.shape, 3), np.uint8)
    for region in layout.distinct:
        raw = looks.raw("albedo", region)
        inside = layout.inside(region, raw.frame, raw.outputs["albedo"])
        cells = raw.between_bars("albedo")
        if inside is not None and looks.guided("albedo", region, cells):
            albedo = torch.from_numpy(guided_colour(cells[0].numpy(), inside[0, 0].numpy(), region.of(looks.image)))
        else:
            albedo = postprocess.decode_albedo(raw.outputs["albedo"], raw.frame, inside)
        _paste(canvas, albedo.mul_(255).add_(0.5).clamp_(0, 255).to(torch.uint8).permute(1, 2, 0), region, layout)
    return canvas


def merged_matting(looks: Looks, layout: Layout) -> np.ndarray:
    """(H, W) uint8 opacity, 0 away from people."""
    canvas = np.zeros((*layout.shape, 1), np.uint8)
    for region in layout.distinct:
        raw = looks.raw("matting", region)
        _, alpha = postprocess.decode_matting(raw.between_bars("foreground"), raw.between_bars("alpha"), *region.size)
        _paste(canvas, alpha.mul_(255).add_(0.5).to(torch.uint8)[..., None], region, layout)
    return canvas[..., 0]


def merged_pointmap(looks: Looks, layout: Layout, focal_35mm: float | None) -> tuple[np.ndarray, Focal]:
    """(H, W, 3) float32 metres in camera space, 0 = no value; and the focal length of the photo.

    Seen as a whole, a person's points stay as predicted: raw / focal_scale. Through a window the head cannot know where the
    principal point is, and judges the focal length by the window alone. So depth is converted to the photo's focal length f,
    z = raw z * (f in network pixels) / 768, which keeps the size of the person, and x and y follow from the photo's rays:
    all people stand in one camera.
    """
    height, width = layout.shape
    whole = Region.whole(height, width)
    raws = {region: looks.raw("pointmap", region) for region in layout.distinct}
    insides = {region: layout.inside(region, raw.frame, raw.outputs["pointmap"]) for region, raw in raws.items()}
    estimates = {region: region_focal(raw.outputs, raw.frame, insides[region]) for region, raw in raws.items()}
    focal = choose_focal(estimates, [layout.regions.count(region) for region in estimates], height, width, focal_35mm)
    canvas = np.zeros((height, width, 3), np.float32)
    for region, raw in raws.items():
        pixels = estimates[region].pixels if region == whole else focal.pixels
        focal_scale = CANONICAL_FOCAL / (pixels * raw.frame.scale)
        points = postprocess.decode_pointmap(raw.outputs["pointmap"], focal_scale, raw.frame, insides[region])
        inside, cells = insides[region], raw.between_bars("pointmap")
        if inside is not None and looks.guided("pointmap", region, cells):
            depth = guided_depth(cells[0, 2].numpy(), inside[0, 0].numpy(), region.of(looks.image))
            # Along its ray, so that a point stays on its pixel.
            points *= torch.from_numpy(depth).div_(focal_scale).clamp_min_(0).div_(points[2].clamp_min(1e-6))
        if region != whole:
            x = torch.arange(region.x1, region.x2, dtype=torch.float32) - (width - 1) / 2
            y = torch.arange(region.y1, region.y2, dtype=torch.float32) - (height - 1) / 2
            torch.mul(points[2], x[None, :] / focal.pixels, out=points[0])
            torch.mul(points[2], y[:, None] / focal.pixels, out=points[1])
        points.mul_(points[2:] > 0)
        _paste(canvas, points.permute(1, 2, 0), region, layout)
    return canvas, focal


def _paste(canvas: np.ndarray, values: torch.Tensor, region: Region, layout: Layout) -> None:
    """Write the values (h, w, C) of a region where its people are; NaN and infinity become 0."""
    if values.is_floating_point():
        values = values.nan_to_num(nan=0, posinf=0, neginf=0)
    np.copyto(region.of(canvas), values.numpy(), where=layout.seen_through(region)[..., None], casting="same_kind")
