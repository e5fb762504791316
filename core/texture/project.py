"""Projection of photos onto surfaces: to which pixel a point of a surface belongs, whether it is seen there, and how well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..common.arrays import check_arrays
from ..common.landmarks import CLOTH_PARTS, part_labels
from ..common.rotations import unit
from ..surface.materials import parts_of
from .foreground import BORDER
from .hem_bands import Hems
from .inpaint import push_pull
from .openings import shadowed_inside
from .rasterise import NEAREST, draw_mesh, halves
from .views import View, continued

FACING = (0.05, 0.25)
"""Cosines to the camera below which a point is not seen, and above which it is."""
FACING_OF_HAIR = (0.25, 0.7)
"""The same of hair whose outline has another colour than its middle: there the background shines through the strands, and light
from behind. Over so broad a border the colours of the photo run out into strands that are guessed."""
STRANGE = (2.5, 8.0)
"""Distance in CIELAB between the outline of hair and its middle, up to which the outline is believed, beyond which it is not."""
LOOSE, STRANGELY, LEAST_SPREAD = 0.015, 2.5, 3.0
"""Metres from the outline of hair within which the background may shine through it; from how many deviations on a colour there
is none of the hair's; and the least deviation, CIELAB."""
HIDDEN = (0.006, 0.016)
"""Metres behind what is drawn in front of it, up to which a point is seen, and beyond which it is not."""
APART = (0.02, 0.045)
"""Metres between surface and the photo's depth, up to which it is what the photo shows, and beyond which it is not."""
APART_OF_DRAWN = (0.08, 0.16)
"""The same where the photo's depth is that of a fitted body: another photo of the person may know better."""
RIM = (-5.0, 1.0)
"""Pixels inside of the parts that show a surface, below which a point is not seen, and above which it is. The colours of the
parts are continued outwards, because a fit is off by some pixels."""
ITSELF = 4.0
"""Trust in the photo in which clothes stand, where their surface is drawn and not seen: on others they lie a stripe aside."""
FEWEST = 20
"""Vertices of hair that tell the colour of its outline, or of its middle."""
BROAD = 0.012
"""Metres: standard deviation of the blur that parts the low from the high frequencies."""


@dataclass(frozen=True, eq=False)
class PaintedSurface:
    """A surface that is to be painted.

    quads    (F, 4) int32   counter-clockwise from outside
    uvs      (F, 4, 2) float32
    posed    of each view (V, 3) float32 in its camera's space; None where it cannot be said
    labels   (n,) uint8     body parts that show it: only their pixels colour it
    tone     (3,) uint8     sRGB where nothing is known
    mirror   (V,) int32     the vertex on the other side; None = the sides differ
    rest     (V, 3) float32 metres, the surface at rest, on which distances are measured
    along    (V, G) float32 metres along each axis of the body, by which a pattern continues to the unseen side, and
    share    (V, G) float32 how far each axis counts; None = one tone all over, as skin
    hiding   (f, 4) int32   quads of its vertices that hide what is behind them and are not painted
    reach    metres over which the seen colours run out into the tone, or the pattern, of what is not seen
    limbs    (V, G) float32 how far each vertex belongs to limbs of which one is bare only if a photo shows it so; the others are
             plain. None = there are none
    whorl    (3,) float     metres, where hair grows from, in the space of `rest` with z up; None = it is no hair
    hems     where it ends, along which bands of colour go on; None = nowhere
    """

    quads: np.ndarray
    uvs: np.ndarray
    posed: tuple[np.ndarray | None, ...]
    labels: np.ndarray
    tone: np.ndarray
    rest: np.ndarray
    mirror: np.ndarray | None = None
    along: np.ndarray | None = None
    share: np.ndarray | None = None
    hiding: np.ndarray | None = None
    reach: float = 0.06
    limbs: np.ndarray | None = None
    whorl: np.ndarray | None = None
    hems: Hems | None = None

    def __post_init__(self):
        check_arrays(
            "PaintedSurface",
            quads=(self.quads, ("F", 4), "i"),
            uvs=(self.uvs, ("F", 4, 2), "f"),
            labels=(self.labels, (None,), "u"),
            tone=(self.tone, (3,), "u"),
            rest=(self.rest, ("V", 3), "f"),
            mirror=(self.mirror, ("V",), "i"),
            along=(self.along, ("V", "G"), "f"),
            share=(self.share, ("V", "G"), "f"),
            hiding=(self.hiding, (None, 4), "i"),
            limbs=(self.limbs, ("V", None), "f"),
            whorl=(self.whorl, (3,), "f"),
        )


@dataclass(frozen=True, eq=False)
class Drawn:
    """All surfaces as one view sees them.

    depth    (H, W) float32 metres, infinite where nothing is
    surface  (H, W) int32 which surface is in front, -1 = none
    face     (H, W) int32 triangle of that surface: half 0 or 1 of its quad face // 2, the quads of `hiding` last
    shares   (H, W, 3) float32 barycentric coordinates
    """

    depth: np.ndarray
    surface: np.ndarray
    face: np.ndarray
    shares: np.ndarray


@dataclass(frozen=True, eq=False)
class PaintJob:
    """One surface, the views (`calmed`), its projections, all surfaces drawn in the views, and its number among those."""

    surface: PaintedSurface
    views: Sequence[View]
    projections: Sequence[Projection | None]
    drawn: Sequence[Drawn]
    number: int


def draw_surfaces(surfaces: Sequence[PaintedSurface], view: View, number: int) -> Drawn:
    """All surfaces drawn together in view `number`."""
    points, faces, owners, first, start = [np.zeros((0, 3))], [np.zeros((0, 3), np.int64)], [np.zeros(0, np.int32)], [], 0
    count = 0
    for k, surface in enumerate(surfaces):
        posed = surface.posed[number]
        first.append(count)
        if posed is None:
            continue
        quads = surface.quads if surface.hiding is None else np.concatenate([surface.quads, surface.hiding])
        own = halves(quads)
        points.append(posed.astype(np.float64))
        faces.append(own + start)
        owners.append(np.full(len(own), k, np.int32))
        start, count = start + len(posed), count + len(own)
    point, face, owner = np.concatenate(points), np.concatenate(faces), np.concatenate(owners)
    drawn, shares = draw_mesh(point, face, view.camera)
    inside = drawn >= 0
    depth = np.full(drawn.shape, np.inf, np.float32)
    depth[inside] = np.einsum("nk,nk->n", shares[inside], point[face[drawn[inside]]][..., 2])
    which = np.where(inside, owner[np.maximum(drawn, 0)] if len(owner) else -1, -1).astype(np.int32)
    return Drawn(depth, which, np.where(inside, drawn - np.array([*first, 0])[which], -1).astype(np.int32), shares)


@dataclass(frozen=True, eq=False)
class Projection:
    """One surface in one view.

    values  (V, 4) float32: pixel x and y, depth in metres, cosine to the camera
    sharp   (H, W, 3) float32 sRGB 0..255: the photo's colours in the surface's parts, continued beyond them
    broad   (H, W, 3) float32: their low frequencies
    inner   (H, W) float32: pixels inside of the surface's parts, negative outside
    depth   (H, W) float32 metres that the photo shows there, continued; NaN = unknown
    front   (H, W) float32 metres of what is drawn in front of everything
    scale   pixels of the photo per metre at the median depth
    facing  cosines to the camera below which a point is not seen, and above which it is
    trust   how much more it counts than others that see a point as well
    apart   metres between surface and `depth`, up to which it is what the photo shows, and beyond which it is not
    """

    values: np.ndarray
    sharp: np.ndarray
    broad: np.ndarray
    inner: np.ndarray
    depth: np.ndarray
    front: np.ndarray
    scale: float
    facing: tuple[float, float] = FACING
    trust: float = 1.0
    apart: tuple[float, float] = APART

    def brightened(self, gain: np.ndarray) -> Projection:
        """The same with all colours times (3,) gains."""
        if (gain == 1).all():
            return self
        return replace(self, sharp=np.clip(self.sharp * gain, 0, 255), broad=np.clip(self.broad * gain, 0, 255))

    def fine(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """(n, 3) float32 colours at (n,) pixels beyond their low frequencies."""
        return sample(self.sharp, x, y) - sample(self.broad, x, y)

    def seen(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of points given by their (N, 4) values: how far each is seen (N,) float32 0..1, and how well, pixels per metre."""
        height, width = self.inner.shape
        x, y, z, cosine = values.T
        with np.errstate(invalid="ignore"):
            near = (x > -0.5) & (y > -0.5) & (x < width - 0.5) & (y < height - 0.5) & (z > NEAREST)
        near &= cosine > self.facing[0]
        at = np.flatnonzero(near)
        belief, quality = np.zeros(len(values), np.float32), np.zeros(len(values), np.float32)
        pixel = np.rint(y[at]).astype(np.int32) * width + np.rint(x[at]).astype(np.int32)
        z, cosine = z[at], cosine[at]
        found = smoothstep(cosine, self.facing) * smoothstep(self.inner.ravel()[pixel], RIM)
        found *= 1 - smoothstep(z - self.front.ravel()[pixel], HIDDEN)
        away = np.abs(z - self.depth.ravel()[pixel])
        # Where the photo has no depth, the mesh alone says what is in front.
        found *= np.where(np.isfinite(away), 1 - smoothstep(away, self.apart), 1)
        belief[at] = found
        quality[at] = self.trust * cosine * self.scale * float(np.median(z) if len(z) else 1) / z
        return belief, quality


def project(surface: PaintedSurface, view: View, number: int, drawn: Drawn) -> Projection | None:
    """The surface in view `number`; None where the view shows nothing of it."""
    import cv2

    posed = surface.posed[number]
    own = np.isin(view.labels, surface.labels)
    if posed is None or not own.any() or not len(surface.quads):
        return None
    posed = posed.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        pixels = view.camera.project(posed)
        cosine = -(vertex_normals(posed, surface.quads) * unit(posed)).sum(axis=1)
    values = np.concatenate([pixels, posed[:, 2:], cosine[:, None]], axis=1)
    values = np.nan_to_num(values, nan=-1e4, posinf=-1e4, neginf=-1e4).astype(np.float32)
    depth = float(np.median(posed[:, 2]))
    scale = np.sqrt(view.camera.fx * view.camera.fy) / max(depth, NEAREST)
    inside = cv2.distanceTransform(own.astype(np.uint8), cv2.DIST_L2, 5)
    outside = cv2.distanceTransform((~own).astype(np.uint8), cv2.DIST_L2, 5)
    # The pixels of the rim are mixed with what is beside them.
    pure = inside > min(0.5 * BORDER, 0.6 * float(inside.max()))
    is_cloth = bool(np.isin(surface.labels, part_labels(*CLOTH_PARTS)).any())
    if is_cloth:
        skin = np.isin(view.labels, part_labels(*parts_of("Skin")))
        pure &= ~shadowed_inside(view.colour, own, skin, scale)
    if surface.whorl is not None:
        pure &= ~_shone_through(view.colour, inside, scale)
    sharp = _continued_colours(view.colour, pure, own)
    front = np.where(np.isfinite(drawn.depth), drawn.depth, np.float32(1e4))
    made = Projection(
        values,
        sharp,
        blurred(sharp, inside > 0, BROAD * scale),
        np.where(own, inside, -outside).astype(np.float32),
        continued(view.depth, own & np.isfinite(view.depth)),
        cv2.dilate(front, np.ones((3, 3), np.uint8)),
        scale,
        trust=ITSELF if number == 0 and view.drawn and is_cloth else 1.0,
        apart=APART_OF_DRAWN if view.drawn else APART,
    )
    return made if surface.whorl is None else replace(made, facing=_facing_of_hair(made))


def _shone_through(colour: np.ndarray, inside: np.ndarray, scale: float) -> np.ndarray:
    """(H, W) bool: pixels along the outline of hair whose colour no hair farther in has: the background between loose strands.

    colour  (H, W, 3) uint8 sRGB;  inside  (H, W) pixels from the outline, 0 beyond it;  scale  pixels a metre
    """
    import cv2

    out = np.zeros(inside.shape, bool)
    box = box_around(inside > 0, 1)
    depth = inside[box] / scale
    deep = depth > LOOSE
    if np.count_nonzero(deep) < FEWEST:
        return out
    lab = cv2.cvtColor(colour[box].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    middle = np.median(lab[deep], axis=0)
    spread = np.maximum(1.48 * np.median(np.abs(lab[deep] - middle), axis=0), LEAST_SPREAD)
    strange = (np.abs(lab - middle) > STRANGELY * spread).any(axis=-1)
    out[box] = strange & (depth > 0) & ~deep
    return out


def _facing_of_hair(p: Projection) -> tuple[float, float]:
    """The cosines between which hair begins to be seen, by how much its outline differs from its middle, on either side of it."""
    import cv2

    cosine, seen = p.values[:, 3], p.seen(p.values)[0] > 0.3
    outline, middle = seen & (cosine < 0.4), seen & (cosine > 0.6)
    if np.count_nonzero(middle) < FEWEST:
        return FACING
    left = p.values[:, 0] < np.median(p.values[middle, 0])
    parts = [middle, *(side for side in (outline & left, outline & ~left) if np.count_nonzero(side) >= FEWEST)]
    tones = np.stack([np.median(sample(p.broad, *p.values[part, :2].T), axis=0) for part in parts])
    own, *sides = cv2.cvtColor(tones[None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0]
    share = smoothstep(np.array(max((np.linalg.norm(side - own) for side in sides), default=0.0)), STRANGE)
    low, high = np.array(FACING) + share * (np.array(FACING_OF_HAIR) - np.array(FACING))
    return float(low), float(high)


def _continued_colours(colour: np.ndarray, pure: np.ndarray, own: np.ndarray) -> np.ndarray:
    """(H, W, 3) float32: `colour` where it is pure, and the continuation of that round about, as far as it is looked at."""
    out = colour.astype(np.float32)
    box = box_around(own, int(-RIM[0]) + 4)
    within = pure[box]
    if within.any():
        out[box] = np.where(within[..., None], out[box], push_pull(out[box], within.astype(np.float32)))
    return out


def blurred(image: np.ndarray, own: np.ndarray, sigma: float) -> np.ndarray:
    """(H, W, 3) float32 Gaussian blur that sees the pixels of `own` only, and the image itself far from them."""
    import cv2

    sigma = max(sigma, 0.5)
    out = image.copy()
    box = box_around(own, int(3 * sigma) + 1)
    mask = own[box].astype(np.float32)
    mass = cv2.GaussianBlur(mask, (0, 0), sigma)
    total = cv2.GaussianBlur(cv2.copyTo(np.ascontiguousarray(image[box]), own[box].astype(np.uint8)), (0, 0), sigma)
    some = mass > 0.02
    cv2.divide(total, cv2.merge([np.maximum(mass, 0.02)] * 3), dst=total)
    out[box][some] = total[some]
    return out


def box_around(own: np.ndarray, margin: int) -> tuple[slice, slice]:
    """The rows and columns of a (H, W) bool map where it is true, and a margin; nothing where it is true nowhere."""
    rows, columns = np.flatnonzero(own.any(axis=1)), np.flatnonzero(own.any(axis=0))
    if not len(rows):
        return slice(0, 0), slice(0, 0)
    return (
        slice(max(int(rows[0]) - margin, 0), int(rows[-1]) + margin + 1),
        slice(max(int(columns[0]) - margin, 0), int(columns[-1]) + margin + 1),
    )


def vertex_normals(points: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """(V, 3) float64 unit normals of a mesh of quads, weighted by area; 0 without a face."""
    p = points[quads]
    face = np.cross(p[:, 2] - p[:, 0], p[:, 3] - p[:, 1])
    corner = quads.ravel()
    spread = np.repeat(face, 4, axis=0)
    total = np.stack([np.bincount(corner, spread[:, axis], minlength=len(points)) for axis in range(3)], axis=1)
    return unit(total)


def smoothstep(values: np.ndarray, ends: tuple[float, float]) -> np.ndarray:
    """0 below the first end, 1 above the second, smooth between them."""
    t = np.clip((values - ends[0]) / (ends[1] - ends[0]), 0, 1)
    return t * t * (3 - 2 * t)


def sample(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Bilinear values of (H, W, C) or (H, W) float32 at (...,) pixel coordinates; beyond the border as on it."""
    import cv2

    shape = x.shape
    if x.ndim == 1:  # OpenCV's images are at most 32767 wide and high
        width = 4096
        rows = -(-len(x) // width)
        padded = np.zeros((2, rows * width), np.float32)
        padded[0, : len(x)], padded[1, : len(x)] = x, y
        grid = padded.reshape(2, rows, width)
        out = cv2.remap(image, grid[0], grid[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return out.reshape(rows * width, *image.shape[2:])[: len(x)]
    out = cv2.remap(image, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return out.reshape(*shape, *image.shape[2:])
