"""A closed volume from what photos show and what is likely behind: a signed field on a grid, and its surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .envelope import COVER, Envelope
from .head_space import Head, View
from .surface_nets import neighbours, smoothed, surface_of

STEP = 0.005  # metres between samples
ROOT = 0.008  # metres that the inner wall lies under the skin
SEEN_DEPTH = 0.014  # metres behind a seen point that surely belong to the piece
CLEAR = 0.003  # metres over the skin that no vertex of the outside goes below
FAR = 0.02  # metres beyond which the field says no more
SMALLEST = 1.2e-5  # cubic metres of a loose bit that is kept
GAP = 0.010  # metres across of gaps that are closed
SNAP = 0.010  # metres along the ray that a seen vertex may move
PLANES = 4  # points of the skin whose planes are averaged
REACH = 0.05  # metres from the skin beyond which nobody asks how far it is: more than FAR over the deepest cover
SPARSE = 16  # of so many points of the skin one tells the side of what is far
SPACING = 0.015  # metres between points of the skin, at most
WIDE = 0.012  # metres, standard deviation of the average over noisy depth
SMOOTH = 0.0004  # metres of roughness that are no noise
EDGE = 0.012  # metres between strands
ROUNDS = 6  # of smoothing


@dataclass(frozen=True, eq=False)
class SeenPiece:
    """What one photo says about a piece.

    view    the photo
    own     (H, W) bool pixels of the piece
    depth   (H, W) float32 metres along z, smoothed within the piece, elsewhere as seen; NaN = unknown
    """

    view: View
    own: np.ndarray
    depth: np.ndarray

    def points(self) -> np.ndarray:
        """(n, 3) the seen surface in head space, without its rim, where depth is least sure."""
        import cv2

        inner = cv2.erode(self.own.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1) > 0
        sure = inner if inner.sum() > 0.5 * self.own.sum() else self.own
        row, column = np.nonzero(sure)
        rays = self.view.camera.rays(np.stack([column, row], axis=-1))
        return self.view.to_head(rays * self.depth[sure][:, None])


def see_piece(view: View, own: np.ndarray) -> SeenPiece:
    """The piece's pixels with a depth that is even over the size of a sample."""
    depth = view.points[..., 2]
    if own.any():
        depth = np.where(own, _without_gaps(depth, own, view.camera.fx), depth)
        depth = np.where(own, _even(depth, own, view.camera.fx), depth)
    return SeenPiece(view, own, depth.astype(np.float32))


def _without_gaps(depth: np.ndarray, own: np.ndarray, focal: float) -> np.ndarray:
    """(H, W) depth where narrow gaps, through which one looks deep into the piece or past its edge, are closed."""
    import cv2

    size = 2 * round(GAP * focal / float(np.median(depth[own])) / 2) + 1
    if size < 3:
        return depth
    box = _box(own, size)
    inner = depth[box]
    known = np.isfinite(inner)
    kernel = np.ones((size, size), np.uint8)
    # Opening takes away what is narrow and far; the unknown is as far as can be on the way in, and near on the way out.
    near = cv2.erode(np.where(known, inner, 1e3).astype(np.float32), kernel)
    opened = cv2.dilate(np.where(near < 1e3, near, -1e3).astype(np.float32), kernel)
    out = depth.copy()
    out[box] = np.where(known, np.minimum(inner, opened), inner)
    return out


def _box(own: np.ndarray, margin: int) -> tuple[slice, slice]:
    """The rows and columns of a mask, with a margin."""
    rows, columns = np.flatnonzero(own.any(axis=1)), np.flatnonzero(own.any(axis=0))
    return slice(max(rows[0] - margin, 0), rows[-1] + margin + 1), slice(max(columns[0] - margin, 0), columns[-1] + margin + 1)


def _even(depth: np.ndarray, own: np.ndarray, focal: float) -> np.ndarray:
    """(H, W) depth averaged over about the size of a sample, and over more where it is noisy; edges between strands stay."""
    import cv2

    box = _box(own, 0)
    mask, middle = own[box].astype(np.float32), float(np.median(depth[own]))
    off = np.where(own, depth - middle, 0)[box].astype(np.float32)
    # Close-ups have more pixels than the surface can carry.
    pixel = middle / focal
    few = max(1, round(0.4 * STEP / pixel))
    small = (max(1, mask.shape[1] // few), max(1, mask.shape[0] // few))
    weight = cv2.resize(mask, small, interpolation=cv2.INTER_AREA)
    mean = cv2.resize(off * mask, small, interpolation=cv2.INTER_AREA) / np.maximum(weight, 1e-6)
    inner = weight > 0.3
    step = few * pixel
    smooth = _bilateral(mean, inner, STEP / 2 / step, EDGE)
    # The second pass gives back the curvature that the first takes.
    wide = _bilateral(mean, inner, WIDE / step, 2 * EDGE)
    wide = wide + _bilateral(np.where(inner, mean - wide, 0), inner, WIDE / step, 2 * EDGE)
    rough = float(np.median(np.abs(mean - smooth)[inner])) if inner.any() else 0.0
    share = np.clip((rough - SMOOTH) / SMOOTH, 0, 1)
    smooth = smooth + share * (wide - smooth)
    whole = (mask.shape[1], mask.shape[0])
    weight = cv2.resize(inner.astype(np.float32), whole, interpolation=cv2.INTER_LINEAR)
    back = cv2.resize(np.where(inner, smooth, 0).astype(np.float32), whole, interpolation=cv2.INTER_LINEAR)
    out = np.asarray(depth, np.float32).copy()
    out[box] = np.where(weight > 0.2, back / np.maximum(weight, 1e-6) + middle, depth[box])
    return out


def _bilateral(values: np.ndarray, inner: np.ndarray, sigma: float, edge: float) -> np.ndarray:
    """Averages over some pixels; what is not inner stands so far off that it is not mixed in."""
    import cv2

    size = int(np.clip(2 * round(2 * sigma) + 1, 3, 25))
    return cv2.bilateralFilter(np.where(inner, values, 9.0).astype(np.float32), size, edge, sigma)


def _outline(mask: np.ndarray) -> np.ndarray:
    """(H, W) float32 pixels to the outline of a mask, negative inside."""
    import cv2

    out = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    return out - cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)


def _field(points: np.ndarray, pieces: list[SeenPiece], likely: Envelope, body: np.ndarray) -> np.ndarray:
    """(n,) signed metres at (n, 3) points of head space; body: (n,) signed distance to the skin."""
    free = np.full(len(points), -FAR)
    shell = np.full(len(points), FAR)
    for piece in pieces:
        view = piece.view
        row, column, shown, z = view.look(points)
        metres = z / view.camera.fx
        person = _outline(view.person)[row, column] * metres
        own = _outline(piece.own)[row, column] * metres if piece.own.any() else np.full(len(points), FAR)
        depth = piece.depth[row, column]
        front = np.where(np.isfinite(depth), depth - z, -FAR)
        # The skin under it does not come through, where the fitted head is a little too large.
        front = np.where(piece.own[row, column], np.minimum(front, body - COVER), front)
        # The skin shows before the background in any case, where the fitted head is a little too large.
        carved = np.where(person > 0, np.minimum(person, body - COVER), np.maximum(person, front))
        free = np.maximum(free, np.where(shown, np.clip(carved, -FAR, FAR), -FAR))
        layer = np.maximum(np.maximum(front, -front - SEEN_DEPTH), own)
        shell = np.minimum(shell, np.where(shown & np.isfinite(depth), np.clip(layer, -FAR, FAR), FAR))
    guess = np.maximum(likely.field(points, body), free)
    return np.clip(np.maximum(np.minimum(guess, shell), -(body + ROOT)), -FAR, FAR)


def skin_distance(head: Head, points: np.ndarray) -> np.ndarray:
    """(n,) metres from the skin, negative under it, at (n, 3) points of head space; of those that are farther than REACH from it
    nothing but the side is exact."""
    from scipy.spatial import cKDTree

    out = np.empty(len(points))
    distance, nearest = cKDTree(head.skin).query(points, k=PLANES, distance_upper_bound=REACH, workers=1)
    near = np.isfinite(distance[:, -1])
    out[near] = _along_planes(head, points[near], distance[near], nearest[near])
    # A search far from all points looks at very many of them.
    far, few = points[~near], np.arange(0, len(head.skin), SPARSE)
    distance, nearest = cKDTree(head.skin[few]).query(far, k=PLANES, workers=1)
    out[~near] = _along_planes(head, far, distance, few[nearest])
    return out


def _along_planes(head: Head, points: np.ndarray, distance: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """(n,) metres from the skin at (n, 3) points, whose `nearest` (n, PLANES) points of it are at distances (n, PLANES)."""
    along = ((points[:, None] - head.skin[nearest]) * head.normals[nearest]).sum(axis=-1)
    share = 1 / (distance**2 + 1e-6)
    along = (share * along).sum(axis=1) / share.sum(axis=1)
    # Near the skin the planes of its points are the better measure, far from it the points.
    return np.where(along < 0, -1, 1) * np.maximum(np.abs(along), distance[:, 0] - SPACING)


def piece_surface(head: Head, pieces: list[SeenPiece], likely: Envelope, extra: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) in head space and quads (F, 4) of a piece; extra: (n, 3) seen points of it, which the grid holds."""
    from scipy.ndimage import gaussian_filter, zoom

    low, high = _bounds(head, likely, extra)
    shape = 2 * (np.ceil((high - low) / STEP / 2).astype(int) + 1) + 1
    axes = [low[k] + STEP * np.arange(shape[k]) for k in range(3)]
    coarse = np.stack(np.meshgrid(*(a[::2] for a in axes), indexing="ij"), axis=-1)
    body = skin_distance(head, coarse.reshape(-1, 3)).reshape(coarse.shape[:3])
    body = zoom(body, np.array(shape) / body.shape, order=1, grid_mode=False)
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    field = np.full(len(grid), FAR)
    outside = np.flatnonzero(body.ravel() > -ROOT - 2 * STEP)
    field[outside] = _field(grid[outside], pieces, likely, body.ravel()[outside])
    field = gaussian_filter(field.reshape(shape), 0.7)
    field = _without_bits(field)
    vertices, quads = surface_of(field, low, STEP)
    if not len(quads):
        return vertices, quads
    vertices = smoothed(vertices, quads, ROUNDS)
    return _snapped(head, vertices, quads, pieces), quads


def _bounds(head: Head, likely: Envelope, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners of the box that holds what is likely and what was seen."""
    capsule = likely.capsule
    rows, columns = np.nonzero(likely.there > 0.1)
    angle, radius = capsule.azimuths[columns], likely.radius[rows, columns]
    z = capsule.heights[rows]
    flat = np.stack([capsule.middle[0] + radius * np.sin(angle), capsule.middle[1] + radius * np.cos(angle), z], axis=1)
    crown = capsule.middle + np.array([0, 0, likely.radius[0].mean()])
    behind = head.skin[(np.abs(head.skin[:, 0]) < 0.1) & (head.skin[:, 2] > z.min(initial=crown[2]))] + [0, 0.03, 0]
    every = np.concatenate([flat, crown[None], seen, behind])
    return every.min(axis=0) - 3 * STEP, every.max(axis=0) + 3 * STEP


def _without_bits(field: np.ndarray) -> np.ndarray:
    """The field with small loose bits outside; the largest always stays."""
    from scipy.ndimage import label

    number, count = label(field < 0)
    if count < 2:
        return field
    size = np.bincount(number.ravel())
    size[0] = 0
    kept = size >= max(SMALLEST / STEP**3, 0.02 * size.max())
    kept[size.argmax()] = True
    return np.where((number > 0) & ~kept[number], STEP, field)


def _between(depth: np.ndarray, view: View, points: np.ndarray) -> np.ndarray:
    """(n,) depth where the photo shows (n, 3) points of head space, linear between pixels; NaN beside what is unknown."""
    from scipy.ndimage import map_coordinates

    at = view.to_camera(points)
    pixel = view.camera.project(np.maximum(at, [-np.inf, -np.inf, 0.05]))
    return map_coordinates(depth, pixel[:, ::-1].T, order=1, mode="constant", cval=np.nan)


def _snapped(head: Head, vertices: np.ndarray, quads: np.ndarray, pieces: list[SeenPiece]) -> np.ndarray:
    """Seen vertices on the seen surface; their neighbours follow by less and less."""
    from scipy.spatial import cKDTree

    mean = neighbours(quads, len(vertices))
    corners = vertices[quads]
    normal = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    normals = np.zeros_like(vertices)
    for k in range(4):
        np.add.at(normals, quads[:, k], normal)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    shift, weight = np.zeros_like(vertices), np.zeros(len(vertices))
    for piece in pieces:
        view = piece.view
        at, facing = view.to_camera(vertices), normals @ view.turn.T
        ray = at / np.maximum(at[:, 2:], 0.05)
        slope = -(facing * ray).sum(axis=1) / np.linalg.norm(ray, axis=1)
        row, column, shown, z = view.look(vertices)
        gap = _between(np.where(piece.own, piece.depth, np.nan), view, vertices) - z
        good = shown & piece.own[row, column] & (slope > 0.2) & (np.abs(gap) < SNAP)
        w = np.where(good, slope**2, 0)
        shift += w[:, None] * ((np.where(good, gap, 0)[:, None] * ray) @ view.turn)
        weight += w
    seen = weight > 0
    shift[seen] /= weight[seen, None]
    move = shift.copy()
    for _ in range(4):
        move = np.where(seen[:, None], 0.5 * shift + 0.5 * (mean @ move), 0.8 * (mean @ move))
    moved = vertices + move
    moved = smoothed(moved, quads, 1)
    # Its outside covers the skin, also between the vertices of both.
    low = CLEAR - skin_distance(head, moved)
    _, nearest = cKDTree(head.skin).query(moved, workers=1)
    outer = (normals * head.normals[nearest]).sum(axis=1) > 0.4
    lift = np.where(outer & (low < CLEAR + ROOT / 2), np.maximum(low, 0), 0)
    lift = np.maximum(lift, 0.7 * (mean @ lift))
    return moved + lift[:, None] * head.normals[nearest]
