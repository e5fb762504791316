"""The 2D keypoints of other programs' JSON as frames of people: what each dialect calls a frame, a person and its points.

Every person becomes the 308 keypoints of `core.common.landmarks`, with score 0 where a source has no such point. Orders of points
are the tables of data/keypoint_orders.json.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from ..capture.frame_numbers import timeline
from ..common.errors import SapiensError
from ..common.landmarks import DATA, SIDES, keypoint_index

AGAIN = "Write the keypoints again."
MEDIAPIPE = ("pose_landmarks", "poseLandmarks", "landmarks")
BODY_KEYS = ("pose_keypoints_2d", "pose_keypoints", "joints")  # of OpenPose, of its first versions, and of editors
FRAME_KEYS = ("frame_id", "frame_index", "frame", "image_id", "image_name")
FARTHEST = 1e9  # pixels; what is farther, or no number, was not seen
SHARE = 2.0  # greatest coordinate of points that are shares of the photo: nobody is two pixels large


@dataclass(frozen=True, eq=False)
class KeypointFrames:
    """2D keypoints of a file or folder, frame by frame.

    frames  (P, 308, 3) float32 x, y and score of P people, may be 0; what a numbering leaves out has nobody
    size    (width, height) of the photos in pixels, as far as the files say it
    notes   sentences for the artist
    shares  x and y are shares of the photo's width and height, not pixels
    """

    frames: list[np.ndarray]
    size: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()
    shares: bool = False

    def in_pixels(self, size: tuple[int, int] | None, name: str) -> list[np.ndarray]:
        """The frames in pixels of a photo of this size (None = as stated). SapiensError for shares of a photo of unknown size."""
        size = size or self.size
        if not self.shares:
            return self.frames
        if size is None:
            raise SapiensError(
                f"{name} gives points as shares of the photo, and does not say how large that is.",
                "Give the size of the photo: --size 1920x1080.",
            )
        low = min((float(f[f[..., 2] > 0][:, :2].min()) for f in self.frames if (f[..., 2] > 0).any()), default=0.0)
        out = []
        for frame in self.frames:
            points = frame.copy()
            points[..., :2] = (points[..., :2] + 1) / 2 if low < -0.3 else points[..., :2]  # OpenPose's scale of -1..1
            points[..., :2] *= size
            out.append(np.where(points[..., 2:] > 0, points, 0.0).astype(np.float32))
        return out


def frames_of(content: Any, name: str) -> KeypointFrames:
    """The frames in the content of a JSON file, by its form. SapiensError if none is known, or for what is damaged."""
    found = _frames(content, name)
    if found is None:
        raise SapiensError(
            f"{name} holds no keypoints in a form that is known.",
            "Give the JSON of Sapiens' demo script, MMPose, COCO-WholeBody, OpenPose, AlphaPose or MediaPipe.",
        )
    frames, notes = found
    return KeypointFrames(frames, stated_size(content), notes, are_shares(frames))


def are_shares(frames: Sequence[np.ndarray]) -> bool:
    """Whether all points that were seen lie within two pixels of the corner: then they are shares of the photo."""
    seen = [f[f[..., 2] > 0][:, :2] for f in frames if len(f)]
    points = np.concatenate(seen) if seen else np.zeros((0, 2))
    return bool(len(points)) and float(np.abs(points).max()) <= SHARE


def stated_size(content: Any) -> tuple[int, int] | None:
    """(width, height) where a file says it: in COCO's `images`, as the canvas of OpenPose editors, or otherwise."""
    first = content[0] if isinstance(content, list) and content else content
    places = [first, *(first.get(key) for key in ("images", "meta_info", "info"))] if isinstance(first, dict) else []
    for place in places:
        entry = place[0] if isinstance(place, list) and place else place
        for keys in (("width", "height"), ("canvas_width", "canvas_height"), ("image_width", "image_height")):
            if isinstance(entry, dict):
                values = entry.get("image_size") or [entry.get(key) for key in keys]
                sizes = (
                    [int(v) for v in values if isinstance(v, (int, float)) and 0 < v <= 65536] if isinstance(values, list) else []
                )
                if len(sizes) == 2 == len(values):
                    return sizes[0], sizes[1]
    return None


def _frames(content: Any, name: str) -> tuple[list[np.ndarray], tuple[str, ...]] | None:
    """Frames and notes; None if this is no form that is known."""
    if isinstance(content, dict):
        return _frames_of_table(content, name)
    if not isinstance(content, list) or not content:
        return None
    if all(isinstance(frame, list) for frame in content):  # a list of people for each frame
        return [_mmpose_frame(frame, name) for frame in content], ()
    if not isinstance(content[0], dict):
        return None
    first = content[0]
    if "people" in first:
        return _numbered([(entry, _openpose(_entry(entry, name).get("people"), name)) for entry in content], name)
    if "instances" in first:
        return _mmpose(content, name)
    if any(key in first for key in MEDIAPIPE):
        return _numbered([(entry, _mediapipe(_entry(entry, name), name)) for entry in content], name)
    if {"x", "y"} <= first.keys():
        return [_mediapipe({"landmarks": content}, name)], ()
    if "keypoints" in first:
        return _coco(content, None, name) if "image_id" in first else _mmpose(content, name)
    return None


def _frames_of_table(content: dict[str, Any], name: str) -> tuple[list[np.ndarray], tuple[str, ...]] | None:
    """Of a file that is one table; as `_frames`."""
    if "instance_info" in content:
        return _mmpose(content["instance_info"], name)
    if "annotations" in content:
        return _coco(content["annotations"], content.get("images"), name)
    if "people" in content:
        return [_openpose(content["people"], name)], ()
    if any(key in content for key in MEDIAPIPE):
        return [_mediapipe(content, name)], ()
    for key in ("frames", "predictions"):
        if isinstance(content.get(key), list):
            return _frames(content[key], name)
    if content and all(isinstance(v, dict) and ("people" in v or "bodies" in v) for v in content.values()):
        people = {key: v["people"] if "people" in v else v["bodies"] for key, v in content.items()}
        return _in_time({key: _openpose(value, name) for key, value in people.items()}, name)
    return None


def _entry(entry: Any, name: str) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise SapiensError(f"A frame of {name} is not a table.", AGAIN)
    return entry


def _numbered(entries: Sequence[tuple[dict[str, Any], np.ndarray]], name: str) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """Frames in the order of the numbers that their entries say, if all do; else in the order of the file."""
    keys = [next((e[k] for k in FRAME_KEYS if isinstance(e.get(k), (int, str))), None) for e, _ in entries]
    frames = [frame for _, frame in entries]
    if any(key is None for key in keys):
        return frames, ()
    together: dict[Any, list[np.ndarray]] = {}
    for key, frame in zip(keys, frames, strict=True):
        together.setdefault(key, []).append(frame)
    return _in_time({key: np.concatenate(found) for key, found in together.items()}, name)


def _in_time(frames: Mapping[Any, np.ndarray], name: str) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """Frames by their ids on one timeline, with nobody in those that are left out."""
    keys = list(frames)
    time = timeline(keys, name)
    out = [_nobody() for _ in range(time.length)]
    for n, slot in zip(time.order.tolist(), time.slots.tolist(), strict=True):
        out[slot] = frames[keys[n]]
    return out or [_nobody()], time.notes


def _nobody() -> np.ndarray:
    return np.zeros((0, 308, 3), np.float32)


@cache
def _orders() -> dict[str, dict[str, list[str | None]]]:
    return json.loads((DATA / "keypoint_orders.json").read_text("utf-8"))


def numbers(values: Any, name: str, what: str) -> np.ndarray:
    """A table of numbers as float64. SapiensError for anything else."""
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise SapiensError(f"The {what} of {name} are not a table of numbers.", "Write the file again.") from error


def _fill(out: np.ndarray, names: Sequence[str | None], values: np.ndarray) -> None:
    """Put (n, 3) rows where their names belong. A point that is there already with a better score stays (two wrists)."""
    for point, row in zip(names, values, strict=False):
        if point is not None and (np.abs(row) < FARTHEST).all():
            k = keypoint_index(point)
            if row[2] > out[k, 2]:
                out[k] = row


def _person(points: np.ndarray, name: str, orders: str = "coco") -> np.ndarray:
    """(308, 3) from rows of x, y, score in an order of the table. SapiensError for another number of them."""
    points = np.where((np.abs(points) < FARTHEST).all(axis=1, keepdims=True), points, 0.0)  # NaN is not less either
    if len(points) == 308:
        return points.astype(np.float32)
    known = _orders()[orders]
    if str(len(points)) not in known:
        raise SapiensError(
            f"{name} has {len(points)} keypoints per person; {', '.join(known)}{' and 308' * (orders == 'coco')} are known.",
            "Check which model wrote it: COCO, COCO-WholeBody, Halpe, OpenPose and Sapiens keypoints are read.",
        )
    out = np.zeros((308, 3), np.float32)
    _fill(out, known[str(len(points))], points)
    return out


def _people(people: Sequence[np.ndarray]) -> np.ndarray:
    """(P, 308, 3) those of whom something was seen."""
    seen = [person for person in people if (person[:, 2] > 0).any()]
    return np.array(seen, np.float32).reshape(-1, 308, 3)


def _mmpose(instances: Any, name: str) -> tuple[list[np.ndarray], tuple[str, ...]]:
    if not isinstance(instances, list) or not all(isinstance(i, dict) for i in instances):
        raise SapiensError(f'"instance_info" of {name} must be a list.', AGAIN)
    if instances and "instances" in instances[0]:  # a video: one entry per frame
        return _numbered([(frame, _mmpose_frame(frame.get("instances"), name)) for frame in instances], name)
    return [_mmpose_frame(instances, name)], ()


def _mmpose_frame(instances: Any, name: str) -> np.ndarray:
    if not isinstance(instances, list):
        raise SapiensError(f"The instances of {name} must be a list.", AGAIN)
    people = []
    for person in instances:
        if not isinstance(person, dict) or "keypoints" not in person:
            raise SapiensError(f"An instance of {name} has no keypoints.", AGAIN)
        given = person["keypoints"]
        if isinstance(given, dict) and {"x", "y"} <= given.keys():  # Ultralytics: a list for each coordinate
            columns = [numbers(given[key], name, "keypoints").reshape(-1) for key in ("x", "y")]
            columns.append(numbers(given.get("visible", np.ones(columns[0].shape)), name, "scores").reshape(-1))
            if len({len(column) for column in columns}) > 1:
                raise SapiensError(f"The keypoints of {name} are lists of different lengths.", AGAIN)
            given = np.column_stack(columns)
        points = numbers(given, name, "keypoints")
        if points.ndim == 3 and len(points) == 1:
            points = points[0]
        scores = numbers(person.get("keypoint_scores", np.ones(points.shape[:1])), name, "scores").reshape(-1)
        if points.ndim != 2 or points.shape[1] not in (2, 3) or len(scores) != len(points):
            raise SapiensError(f"The keypoints of {name} have shape {points.shape} with {len(scores)} scores.", AGAIN)
        rows = points if points.shape[1] == 3 and "keypoint_scores" not in person else np.column_stack([points[:, :2], scores])
        people.append(_person(rows, name))
    return _people(people)


def _coco(annotations: Any, images: Any, name: str) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """Annotations by their image: each of `images` is a frame, under the name of its file, whether it shows anybody or not."""
    if not isinstance(annotations, list):
        raise SapiensError(f'"annotations" of {name} must be a list.', AGAIN)
    listed = (
        [i for i in images if isinstance(i, dict) and isinstance(i.get("id"), (int, str))] if isinstance(images, list) else []
    )
    files = {i["id"]: i.get("file_name") for i in listed}
    if not all(isinstance(file, str) for file in files.values()) or len(set(files.values())) < len(files):
        files = {key: key for key in files}
    frames: dict[Any, list[np.ndarray]] = {file: [] for file in files.values()}
    for entry in annotations:
        if not isinstance(entry, dict) or not isinstance(entry.get("image_id", 0), (int, str)):
            raise SapiensError(f"An annotation of {name} is not a table.", AGAIN)
        out = _person(_coco_scores(_rows(entry.get("keypoints", []), name, _counts("coco"))), name)
        for key, part in (("foot_kpts", "feet"), ("lefthand_kpts", "left_hand"), ("righthand_kpts", "right_hand")):
            order = _orders()["parts"][part]
            _fill(out, order, _coco_scores(_rows(entry.get(key, []), name, {len(order)})))
        image = entry.get("image_id", 0)
        frames.setdefault(files.get(image, image), []).append(out)
    return _in_time({key: _people(found) for key, found in frames.items()}, name)


def _coco_scores(rows: np.ndarray) -> np.ndarray:
    """Annotations say 0 = none, 1 = hidden, 2 = visible; results say a score, which may be a little over 1."""
    if len(rows) and rows[:, 2].max() > 1.5 and np.isin(rows[:, 2], (0, 1, 2)).all():
        rows = rows.copy()
        rows[:, 2] /= 2.0
    return rows


def _rows(values: Any, name: str, counts: Collection[int]) -> np.ndarray:
    """(n, 3) x, y, score of a list of numbers or of points. Programs leave the scores out, and write (0, 0) for what they did
    not see: `counts`, how many points there may be, tells pairs from triples.
    """
    array = numbers(values if values is not None else [], name, "keypoints")
    pairs = array.shape[1] == 2 if array.ndim == 2 else array.size not in {3 * n for n in counts} and array.size / 2 in counts
    if pairs:
        points = array.reshape(-1, 2)
        return np.column_stack([points, (points != 0).any(axis=1)])
    if array.size % 3:
        raise SapiensError(
            f"The keypoints of {name} are {array.size} numbers, neither triples of x, y and score nor pairs of x and y.", AGAIN
        )
    return array.reshape(-1, 3)


def _counts(orders: str) -> set[int]:
    """How many points a person has in the orders of the table."""
    return {308, *map(int, _orders()[orders])}


def _openpose(people: Any, name: str) -> np.ndarray:
    """People with points of the body; those without (OpenPose writes them for hands and faces alone) are nobody."""
    people = [] if people is None else people
    if not isinstance(people, list) or not all(p is None or isinstance(p, dict) for p in people):
        raise SapiensError(f'"people" of {name} must be a list.', AGAIN)
    out = []
    for person in filter(None, people):
        if not any(str(key).startswith(("pose", "face", "hand", *BODY_KEYS)) for key in person):
            raise SapiensError(f"A person of {name} has no points under a name that is known.", f"Call them {BODY_KEYS[0]}.")
        body = _rows(next((person[k] for k in BODY_KEYS if person.get(k)), []), name, _counts("openpose") | _counts("coco"))
        if not len(body):
            continue
        # What has as many points as COCO, and OpenPose has not, is COCO written down in OpenPose's way.
        one = _person(body, name, "openpose" if str(len(body)) in _orders()["openpose"] else "coco")
        for side in SIDES:
            hand = person.get(f"hand_{side}_keypoints_2d") or person.get(f"hand_{side}_keypoints") or []
            order = _orders()["parts"][f"{side}_hand"]
            _fill(one, order, _rows(hand, name, {len(order)}))
        if (body[:, 2] > 0).any():
            out.append(one)
    return _people(out)


def _mediapipe(entry: dict[str, Any], name: str) -> np.ndarray:
    """MediaPipe's landmarks of one frame: a list of points, or one for each person; x and y are shares of the photo."""
    found = next(entry[key] for key in MEDIAPIPE if key in entry)
    people = found if isinstance(found, list) and found and isinstance(found[0], list) else [found] if found else []
    out = []
    for person in people:
        if not isinstance(person, list) or not all(isinstance(p, dict) for p in person):
            raise SapiensError(f"The landmarks of {name} are not a list of points.", AGAIN)
        rows = numbers([[p.get("x"), p.get("y"), p.get("visibility", 1.0)] for p in person], name, "landmarks")
        out.append(_person(rows.reshape(-1, 3), name))
    return _people(out)
