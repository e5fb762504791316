"""Everybody in a photo, with all that the built-in networks know about them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ..capture.people import check_boxes
from ..common.errors import SapiensError
from .anchors import FACES, PEOPLE, detect, overlaps, suppressed
from .body import INDEX, Body, body_region, look_at_body
from .face import MARGIN as FACE_MARGIN
from .face import Face, surest_face
from .hands import Hand, find_hands
from .iris import look_at_irises
from .mask import Mask, person_mask
from .regions import Picture, Region
from .search import FACE_SEEN, HEAD, PERSON_SEEN, extent, find_large_bodies, find_more_bodies, region_from_face
from .steady import steadied

FACE_THERE = 0.5
"""A face whose network says less is turned away or hidden."""
SAME_PIXELS = 0.85
"""Share of somebody's pixels that are somebody else's too, from which on they are nobody else. Raised hands 0.94 and 0.98, people
who were found twice 0.93 and 0.99."""
BOX_MARGIN = 0.05
"""How far a person may reach beyond the box that was drawn around them, in its longer side."""


@dataclass(frozen=True, eq=False)
class PersonLandmarks:
    """One person. Positions are pixels of the photo, integer = pixel centre; left and right are the person's own.

    box     (4,) float64: x1, y1, x2, y2
    mask    which pixels show the person
    body    33 points, their metric positions, and whether there is a person at all
    hands   the left and the right one, None = not seen
    face    468 points; None = turned away or hidden
    irises  (2, 5, 2) float64 of the left and the right eye: middle and four points of the rim; None without a face
    """

    box: np.ndarray
    mask: Mask
    body: Body
    hands: tuple[Hand | None, Hand | None]
    face: Face | None
    irises: np.ndarray | None


def find_people(image: np.ndarray, boxes: np.ndarray | None = None) -> list[PersonLandmarks]:
    """Everybody in a photo, from left to right; with boxes the person of each box, in their order, however unsure.

    image  (H, W, 3) uint8 sRGB, upright or not
    boxes  (P, 4) x1, y1, x2, y2 in pixels

    Deterministic. An empty list when there is nobody. Raises SapiensError: no such image, boxes without area inside the photo,
    damaged installation.
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        found = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise SapiensError(f"People are looked for in colour images of 8 bits, not in {found}.", "Give (H, W, 3) uint8 sRGB.")
    picture = Picture(image)
    if boxes is not None:
        checked = check_boxes(boxes, picture.height, picture.width)
        return [_person(picture, _body_in_box(picture, box), box) for box in checked]
    large = find_large_bodies(picture)
    with ThreadPoolExecutor(1) as beside:  # other networks than those that look closely at who is known
        more = beside.submit(find_more_bodies, picture, large)
        people = [_person(picture, body) for body in large]
        people += [_person(picture, body) for body in more.result()]
    return sorted(_distinct(people), key=lambda person: float(person.box[0] + person.box[2]))


def _distinct(people: list[PersonLandmarks]) -> list[PersonLandmarks]:
    """The people without those who are a part of somebody else, or somebody else found twice: a raised hand by itself looks like
    somebody who is far away. Who stands in front of somebody else, as a child does, is not in their mask, or has a face."""

    def rank(person: PersonLandmarks) -> tuple[bool, float]:
        return person.face is not None, person.body.size

    def is_known(person: PersonLandmarks) -> bool:
        others = (other for other in people if rank(other) > rank(person))
        return person.face is None and any(person.mask.share_in(other.mask) > SAME_PIXELS for other in others)

    return [person for person in people if not is_known(person)]


def _person(picture: Picture, body: Body, box: np.ndarray | None = None) -> PersonLandmarks:
    body = steadied(picture, body)
    within = None
    if box is not None:
        reach = BOX_MARGIN * float((box[2:] - box[:2]).max())
        within = box + np.array([-reach, -reach, reach, reach])
    mask = person_mask(picture, body, within)
    if box is None:
        seen = mask.box()
        limits = np.array([picture.width - 1, picture.height - 1] * 2, np.float64)
        box = seen if seen is not None else np.clip(extent(body), 0, limits)
    face = _face(picture, body)
    irises = None if face is None else look_at_irises(picture, face)
    return PersonLandmarks(np.asarray(box, np.float64), mask, body, find_hands(picture, body), face, irises)


def _face(picture: Picture, body: Body) -> Face | None:
    """The face of a body: where its head is, and if none is there, where the detector sees one near the head."""
    points = body.points[:11, :2]
    eyes = (points[INDEX["left_eye"]] + points[INDEX["right_eye"]]) / 2
    mouth = (points[INDEX["mouth_left"]] + points[INDEX["mouth_right"]]) / 2
    face = surest_face(picture, Region.upright(mouth, eyes, eyes, 1).around(points, 2.0))
    if face.score < FACE_THERE:
        square = Region(points[HEAD].mean(0), 0.45 * body.size, body.next.angle)
        found = suppressed(detect(FACES, picture.cut(square, FACES.network.size), FACE_SEEN), 0.3)
        for box, marks in zip(found.boxes[:1], square.to_photo(found.points[:1]), strict=True):
            side = FACE_MARGIN * float((box[2:] - box[:2]).max()) * square.side
            region = Region.upright(marks[3], (marks[0] + marks[1]) / 2, square.to_photo((box[:2] + box[2:]) / 2), side)
            face = max(face, surest_face(picture, region), key=lambda face: face.score)
    near = np.linalg.norm(face.points[:, :2].mean(0) - points.mean(0)) < 0.2 * body.size
    return face if face.score >= FACE_THERE and near else None


def _body_in_box(picture: Picture, box: np.ndarray) -> Body:
    """The body that fits a box best: looked for from where the detectors see somebody, and from the box itself."""
    box = box.astype(np.float64)
    centre, side = (box[:2] + box[2:]) / 2, float((box[2:] - box[:2]).max())
    starts = []
    for scale in (1.15, 1.6):
        square = Region(centre, scale * side)
        figures = detect(PEOPLE, picture.cut(square, PEOPLE.network.size), PERSON_SEEN)
        points = square.to_photo(suppressed(figures, 0.3).points)
        starts += [body_region(middle, top) for middle, top in points[:2, :2]]
        faces = detect(FACES, picture.cut(square, FACES.network.size), FACE_SEEN)
        marks = square.to_photo(suppressed(faces, 0.3).points)
        starts += [region_from_face(right, left, mouth) for right, left, _, mouth in marks[:2, :4]]
    looks = [_settled(picture, start) for start in starts]
    if max((_agreement(body, box) for body in looks), default=0.0) < 0.5:
        turns = (Region(centre, 1.25 * side, turn * np.pi / 2) for turn in range(4))
        looks += [_settled(picture, region) for region in turns]
    return max(looks, key=lambda body: _agreement(body, box))


def _settled(picture: Picture, region: Region) -> Body:
    first = look_at_body(picture, region)
    second = look_at_body(picture, first.next)
    return second if second.score >= first.score - 0.05 else first


def _agreement(body: Body, box: np.ndarray) -> float:
    """0..1: whether there is a person, and whether it is the one in the box."""
    shared = overlaps(extent(body)[None], box[None])[0, 0]
    return float(body.score * shared + 1e-3 * shared)
