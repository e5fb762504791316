"""Where people are: the whole photo and overlapping parts of it are looked through for figures and for faces, and whoever is
found must be seen again from close by. A single look takes cats, coffee cups and shadows for people; a second one does not."""

from __future__ import annotations

import numpy as np

from .anchors import FACES, PEOPLE, Detections, detect, suppressed
from .body import INDEX, MARGIN, Body, body_region, look_at_body
from .face import MARGIN as FACE_MARGIN
from .face import surest_face
from .regions import Picture, Region

PERSON_SEEN = 0.35
"""Detections of a lower score are not followed."""
SURE = 0.8
"""Detections of this score need no second look, if the body's network is as sure."""
SEEN_AGAIN = 0.5
"""What the detector must say when it looks straight at somebody."""
FACE_SEEN, FACE_SURE = 0.5, 0.5
"""What the detector and the face's own network must say of a face whose body was not seen by itself."""
MOST_TRIED = 12
"""When so many were looked at, the rest must be sure: pictures full of what looks a little like people take no end else."""
BODY_SURE, BODY_SEEN, MOST_LOOKS = 0.8, 0.55, 3
"""What the body's network must say twice running, or of somebody upright three times running, and how often it looks."""
BODY_WITH_FACE = 0.5
"""What it must say twice running where a face was seen."""
INSIDE, INSIDE_UNSURE = 0.25, 0.5
"""Share of the body's points that must be inside the photo, when a sure detection or a face speaks for it and when not."""

# shares of the photo's longer side that are looked through, and how far the outer squares reach over its border, in sides
FIGURE_SQUARES = (0.5, 0.4)
SMALL_FIGURE_SQUARES = (0.35, 0.25)
FACE_SQUARES = ((1.0, 0.0), (0.6, 0.25), (0.35, 0.25))
STEP = 0.75  # from a square to the next one, in sides
KNOWN = 0.4  # a square whose middle is covered like this by people who are known already is not looked through

# The body that belongs to a face, metres: eyes to mouth, eye to eye, eyes to the middle of the hips, and from there to the top
MOUTH, EYES, HIPS, REACH = 0.068, 0.063, 0.72, 0.9
HEAD = np.array([INDEX[name] for name in ("nose", "left_eye", "right_eye", "left_ear", "right_ear")])
UPPER = np.array([*HEAD, INDEX["left_shoulder"], INDEX["right_shoulder"]])
SHOULDERS = 2  # of the points of the person detector
SAME = 0.17
"""Two bodies whose heads and shoulders are this near each other, in radii of the body, are one."""


def find_large_bodies(picture: Picture) -> list[Body]:
    """Whoever is large in the photo or shows a face."""
    bodies: list[Body] = []
    _add(bodies, [_figures(picture, square) for square in squares(picture, 1.0, 0.0)], picture)
    _add_faces(bodies, picture, [square for share, over in FACE_SQUARES for square in squares(picture, share, over)])
    return bodies


def find_more_bodies(picture: Picture, known: list[Body]) -> list[Body]:
    """Everybody else: who is smaller, and where nobody is known, who does not stand upright."""
    bodies = list(known)
    halves = _unknown(picture, squares(picture, *FIGURE_SQUARES), bodies)
    _add(bodies, [_figures(picture, square) for square in halves], picture)
    small = SMALL_FIGURE_SQUARES[0] * max(picture.height, picture.width)
    if not bodies or min(body.size for body in bodies) < small / 2:
        around = _unknown(picture, squares(picture, *SMALL_FIGURE_SQUARES), bodies)
        _add(bodies, [_figures(picture, square) for square in around], picture)
    turn = 1
    while not bodies and turn < 4:
        whole = [Region(square.centre, square.side, turn * np.pi / 2) for square in squares(picture, 1.0, 0.0)]
        _add(bodies, [_figures(picture, square) for square in whole], picture)
        _add_faces(bodies, picture, whole)
        turn += 1
    return bodies[len(known) :]


def squares(picture: Picture, share: float, over: float) -> list[Region]:
    """Squares that cover the photo and overlap, `share` of its longer side large, and reach over its border by `over` sides."""
    side = share * max(picture.height, picture.width)

    def places(length: int) -> np.ndarray:
        first, last = (0.5 - over) * side, length - 1 - (0.5 - over) * side
        if last <= first:
            return np.array([(length - 1) / 2])
        return np.linspace(first, last, int(np.ceil((last - first) / (STEP * side))) + 1)

    return [Region(np.array([x, y]), side) for y in places(picture.height) for x in places(picture.width)]


def _figures(picture: Picture, square: Region) -> Detections:
    """People of the detector in a square; boxes and points in pixels of the photo."""
    found = suppressed(detect(PEOPLE, picture.cut(square, PEOPLE.network.size), PERSON_SEEN), 0.3)
    return _in_photo(found, square)


def _in_photo(found: Detections, square: Region) -> Detections:
    low, high = found.boxes[:, :2], found.boxes[:, 2:]
    centre, half = square.to_photo((low + high) / 2), (high - low) / 2 * square.side
    return Detections(found.scores, np.concatenate([centre - half, centre + half], axis=1), square.to_photo(found.points))


def _unknown(picture: Picture, places: list[Region], bodies: list[Body]) -> list[Region]:
    """The squares whose middle is not yet covered by people."""
    boxes = np.array([extent(body) for body in bodies]).reshape(-1, 4)
    limit = np.array([picture.width - 1, picture.height - 1])
    left = []
    for square in places:
        low, high = (np.clip(square.centre + sign * square.side / 4, 0, limit) for sign in (-1, 1))
        common = np.maximum(np.minimum(high, boxes[:, 2:]) - np.maximum(low, boxes[:, :2]), 0).prod(-1).sum()
        if common < KNOWN * (high - low).prod() or not bodies:
            left.append(square)
    return left


def extent(body: Body) -> np.ndarray:
    """(4,) float64: x1, y1, x2, y2 of what the network takes for the person, else of all points."""
    y, x = np.nonzero(body.opacity > 0.5)
    if len(x):
        seen = body.region.to_photo((np.column_stack([x, y]) + 0.5) / body.opacity.shape[0])
    else:
        seen = body.points[:, :2]
    return np.concatenate([seen.min(0), seen.max(0)])


def _add(bodies: list[Body], parts: list[Detections], picture: Picture) -> None:
    """Look at whom a detector saw, the surest first, and keep who is really there and not yet known."""
    found = Detections.joined(parts) if parts else None
    tried: list[Region] = []
    for i in range(len(found) if found else 0):
        assert found is not None
        region = body_region(*found.points[i, :2])
        if _shoulders_known(found.points[i, SHOULDERS], bodies) or any(_alike(region, other) for other in tried):
            continue
        sure = found.scores[i] >= SURE
        if not sure and len(tried) >= MOST_TRIED:
            break
        tried.append(region)
        if not sure and not is_seen_again(picture, region):
            continue
        body = _sure_body(picture, region)
        if body is None or body.inside.mean() < (INSIDE if sure else INSIDE_UNSURE) or _known(body, bodies):
            continue
        if sure or is_seen_again(picture, body.next):
            bodies.append(body)


def _sure_body(picture: Picture, region: Region, wanted: float = BODY_SURE) -> Body | None:
    """The body in a region, if its network is sure of it. A region that is a little off may cost the first look."""
    looks = [look_at_body(picture, region)]
    while len(looks) < MOST_LOOKS:
        looks.append(look_at_body(picture, looks[-1].next))
        scores = [body.score for body in looks]
        stands = abs(looks[-1].region.angle) < np.pi / 4
        if min(scores[-2:]) >= wanted or (stands and len(looks) > 2 and min(scores[-3:]) >= BODY_SEEN):
            return looks[-1]
        if max(scores[-2:]) < BODY_SEEN:
            return None
    return None


def _add_faces(bodies: list[Body], picture: Picture, places: list[Region]) -> None:
    """The same for people of whom a face was seen: it tells where the body must be."""
    parts = []
    for square in places:
        found = detect(FACES, picture.cut(square, FACES.network.size), FACE_SEEN)
        parts.append(_in_photo(suppressed(found, 0.3), square))
    found = suppressed(Detections.joined(parts), 0.3)
    for box, (right, left, nose, mouth, *_) in zip(found.boxes, found.points, strict=True):
        if any(np.linalg.norm(body.points[HEAD, :2].mean(0) - nose) < SAME * body.size for body in bodies):
            continue
        side = FACE_MARGIN * float((box[2:] - box[:2]).max())
        region = Region.upright(mouth, (right + left) / 2, (box[:2] + box[2:]) / 2, side)
        face = surest_face(picture, region)
        if face.score < FACE_SURE:
            continue
        body = _sure_body(picture, look_at_body(picture, region_from_face(right, left, mouth)).next, BODY_WITH_FACE)
        if body is None or body.inside.mean() < INSIDE or _known(body, bodies):
            continue
        if _has_face(body, face.points[:, :2]):
            bodies.append(body)


def region_from_face(right_eye: np.ndarray, left_eye: np.ndarray, mouth: np.ndarray) -> Region:
    """Where a standing body of average build would be below a face."""
    eyes = (right_eye + left_eye) / 2
    length = max(float(np.linalg.norm(eyes - mouth)), 1e-6)
    metre = max(length / MOUTH, float(np.linalg.norm(left_eye - right_eye)) / EYES)
    up = (eyes - mouth) / length
    middle = eyes - up * HIPS * metre
    return body_region(middle, middle + up * REACH * metre)


def is_seen_again(picture: Picture, region: Region) -> bool:
    """Whether the detector, looking straight at a body's region, sees this very body."""
    size = region.side / (2 * MARGIN)
    for scale in (1.0, 1.25, 0.8):
        found = _figures(picture, region.scaled(scale))
        middle, top = found.points[:, 0], found.points[:, 1]
        near = np.linalg.norm(middle - region.centre, axis=1) < 0.5 * size
        alike = np.abs(np.log(np.maximum(np.linalg.norm(top - middle, axis=1), 1e-6) / size)) < 0.5
        if (near & alike & (found.scores >= SEEN_AGAIN)).any():
            return True
    return False


def _shoulders_known(shoulders: np.ndarray, bodies: list[Body]) -> bool:
    """Whether the middle (2,) of somebody's shoulders is that of a known body."""
    middles = ((body.points[UPPER[-2:], :2].mean(0), body.size) for body in bodies)
    return any(np.linalg.norm(shoulders - middle) < 0.25 * size for middle, size in middles)


def _alike(region: Region, other: Region) -> bool:
    apart = np.linalg.norm(region.centre - other.centre) / max(region.side, other.side)
    return bool(apart < 0.08 and abs(np.log(region.side / other.side)) < 0.25)


def _known(body: Body, bodies: list[Body]) -> bool:
    for other in bodies:
        apart = np.linalg.norm(body.points[UPPER, :2] - other.points[UPPER, :2], axis=1).mean()
        if apart < SAME * max(body.size, other.size):
            return True
    return False


def _has_face(body: Body, face: np.ndarray) -> bool:
    """Whether the body's head is where the face (n, 2) is."""
    low, high = face.min(0), face.max(0)
    head = body.points[HEAD, :2].mean(0)
    return bool((np.abs(head - (low + high) / 2) < (high - low).max() * 0.75).all())
