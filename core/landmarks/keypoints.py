"""What the built-in networks know of a person, as the 308 keypoints.

Joints, feet, fingers and irises are seen directly, the face through a table (`data/landmarks/face_points.json`). Points that no
network knows are set from their neighbours by the proportions of a body, and their score says so.
"""

from __future__ import annotations

import json
from functools import cache

import numpy as np

from ..common.landmarks import FINGERS, SIDES, finger_joints, keypoint_index, keypoint_names
from ..common.rotations import fit_rigid, unit
from .body import INDEX, Body
from .face import LEFT_EYE, RIGHT_EYE
from .hands import Hand
from .networks import FOLDER
from .people import PersonLandmarks

DIRECT = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow",
    "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "left_heel",
    "right_heel",
)  # fmt: skip
"""Points of the body's network that are keypoints of the same name."""
DERIVED = 0.5
"""What is left of the neighbours' score for a point that is set from them."""
GUESSED = 0.15
"""The same for small toes: of a foot that points to the camera nothing tells where they are. The fitted body does."""
FROM_BODY = 0.3
"""The same for a face that is set from the few points that the body's network knows of a head."""
PUPIL = 0.35
"""Radius of a pupil in indoor light, in radii of the iris."""
CLOCK = {"3": 0, "midpoint_1": 45, "12": 90, "midpoint_4": 135, "9": 180, "midpoint_3": 225, "6": 270, "midpoint_2": 315}
"""Degrees of the points around an iris, as on a clock face that the viewer reads."""
HEAD = {
    "nose": (1,), "left_eye": LEFT_EYE, "right_eye": RIGHT_EYE, "left_eye_inner": LEFT_EYE[:1], "left_eye_outer": LEFT_EYE[1:],
    "right_eye_outer": RIGHT_EYE[:1], "right_eye_inner": RIGHT_EYE[1:], "mouth_left": (291,), "mouth_right": (61,),
    "left_ear": (454,), "right_ear": (234,),
}  # fmt: skip
"""Points of the body's network and the points of the face's network in whose middle they lie."""

# What the body's network calls a shoulder, an ankle and an ear lies above the joints, and above the middle of the ear: shares of
# the way to the hip, from the knee and from the eyes to the mouth (means over synthetic people, each of them with the same sign).
SHOULDER_BELOW, ANKLE_BELOW, EAR_BELOW = 0.045, 0.05, 0.33
# Proportions of adults (mean of synthetic people): the small toe from heel to big toe, and outwards, in lengths of the foot
SMALL_TOE = (0.84, 0.24)
ELBOW = 0.18  # tip and crook of the elbow, from the joint away from and towards the middle of its neighbours, of the way to them
ACROMION = {"elbow": -0.1, "other_shoulder": -0.06, "ear": 0.08}  # from the shoulder's joint, of the way to these
NECK = 0.32  # from the middle of the shoulders, of the way to the middle of the ears


def keypoints_of(person: PersonLandmarks) -> np.ndarray:
    """(308, 3) float32: x, y in pixels, score 0..1. Score 0 = nothing is known of the point; its place is then near by."""
    places, scores = np.zeros((len(keypoint_names()), 2)), np.zeros(len(keypoint_names()))
    for name, (place, score) in {**_body(person.body), **_derived(person.body)}.items():
        places[keypoint_index(name)], scores[keypoint_index(name)] = place, score
    for side, hand in zip(SIDES, person.hands, strict=True):
        _set_hand(places, scores, side, hand, person.body)
    _set_face(places, scores, person)
    # A person of whom the network is unsure has unsure points.
    return np.column_stack([places, np.clip(scores * person.body.score, 0, 1)]).astype(np.float32)


def _body(body: Body) -> dict[str, tuple[np.ndarray, float]]:
    rows = {name: body.points[INDEX[name]].copy() for name in DIRECT}
    point = {name: body.points[row, :2] for name, row in INDEX.items()}
    down_the_face = (point["mouth_left"] + point["mouth_right"] - point["left_eye"] - point["right_eye"]) / 2
    for side in SIDES:
        shoulder, hip, knee, ankle = (point[f"{side}_{name}"] for name in ("shoulder", "hip", "knee", "ankle"))
        rows[f"{side}_shoulder"][:2] += SHOULDER_BELOW * (hip - shoulder)
        rows[f"{side}_ankle"][:2] += ANKLE_BELOW * (ankle - knee)
        rows[f"{side}_ear"][:2] += EAR_BELOW * down_the_face
    rows |= {f"{side}_big_toe": body.points[INDEX[f"{side}_foot_index"]] for side in SIDES}
    return {name: (row[:2], float(row[3])) for name, row in rows.items()}


def _derived(body: Body) -> dict[str, tuple[np.ndarray, float]]:
    """Small toes, tips and crooks of the elbows, tops of the shoulders, neck."""
    found = {}
    for side, other, outwards in (("left", "right", -1), ("right", "left", 1)):
        point = {name.removeprefix(f"{side}_"): body.points[INDEX[name]] for name in INDEX if name.startswith(side)}
        point["other_shoulder"] = body.points[INDEX[f"{other}_shoulder"]]
        heel, toe, ankle = (point[name][:3] for name in ("heel", "foot_index", "ankle"))
        length = float(np.linalg.norm(toe - heel))
        across = outwards * unit(np.cross(toe - heel, ankle - heel)) * length
        small_toe = heel + SMALL_TOE[0] * (toe - heel) + SMALL_TOE[1] * across
        shoulder, elbow, wrist = (point[name][:2] for name in ("shoulder", "elbow", "wrist"))
        inwards = ELBOW * (shoulder + wrist - 2 * elbow)
        acromion = shoulder + sum(share * (point[name][:2] - shoulder) for name, share in ACROMION.items())
        arm = min(point[name][3] for name in ("shoulder", "elbow", "wrist"))
        found[f"{side}_small_toe"] = small_toe[:2], GUESSED * min(point["foot_index"][3], point["heel"][3])
        found[f"{side}_olecranon"] = elbow - inwards, DERIVED * arm
        found[f"{side}_cubital_fossa"] = elbow + inwards, DERIVED * arm
        found[f"{side}_acromion"] = acromion, DERIVED * point["shoulder"][3]
    shoulders, ears = (np.mean([body.points[INDEX[f"{side}_{name}"]] for side in SIDES], axis=0) for name in ("shoulder", "ear"))
    found["neck"] = shoulders[:2] + NECK * (ears - shoulders)[:2], DERIVED * shoulders[3]
    return found


def _set_hand(places: np.ndarray, scores: np.ndarray, side: str, hand: Hand | None, body: Body) -> None:
    """The wrist of a hand that is seen is surer than the body's. Fingers that are not seen lie stretched beyond the forearm."""
    names = [name for finger in FINGERS for name in finger_joints(side, finger)]
    index = np.array([keypoint_index(name) for name in names])
    if hand is not None:
        places[index], scores[index] = hand.points[1:, :2], hand.score
        wrist = keypoint_index(f"{side}_wrist")
        places[wrist], scores[wrist] = (places[wrist] + hand.points[0, :2]) / 2, max(scores[wrist], hand.score)
        return
    wrist, *ends = (body.points[INDEX[f"{side}_{name}"]] for name in ("wrist", "thumb", "index", "pinky"))
    thumb, first, last = (end[:2] for end in ends)
    base = [wrist[:2] + share * (thumb - wrist[:2]) for share in (0.5, 1.0, 1.3, 1.6)]
    share = np.linspace(0, 1, 4)[:, None]
    knuckles = first + share * (last - first)
    reach = np.array([0.0, 0.45, 0.75, 1.0])[None, :, None]
    fingers = knuckles[:, None] + reach * (knuckles - wrist[:2])[:, None]
    places[index] = np.concatenate([base, fingers.reshape(-1, 2)])
    scores[index] = 0.5 * DERIVED * min(wrist[3], *(end[3] for end in ends))


@cache
def _table() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(K,) keypoints, (K, 468) weights of the face's points, (468, 3) mean face."""
    table = json.loads((FOLDER / "face_points.json").read_text("utf-8"))
    weights = np.zeros((len(table["points"]), len(table["mean_face"])))
    for row, point in zip(weights, table["points"].values(), strict=True):
        row[[int(i) for i in point]] = list(point.values())
    return np.array([keypoint_index(name) for name in table["points"]]), weights, np.array(table["mean_face"])


def _set_face(places: np.ndarray, scores: np.ndarray, person: PersonLandmarks) -> None:
    keypoints, weights, _ = _table()
    mesh, score = _mesh_from_body(person.body) if person.face is None else (person.face.points, person.face.score)
    places[keypoints], scores[keypoints] = (weights @ mesh)[:, :2], score
    if person.face is not None:
        for name in ("nose", "left_eye", "right_eye"):
            at = keypoint_index(name)
            places[at], scores[at] = mesh[list(HEAD[name]), :2].mean(0), max(scores[at], score)
    eyes = person.irises if person.irises is not None else _irises_on(mesh)
    for letter, (middle, nose, above, temple, below) in zip("lr", eyes, strict=True):
        right = (temple - nose) / 2 if letter == "l" else (nose - temple) / 2  # the viewer's
        up = (above - below) / 2
        for part, radius in (("iris", 1.0), ("pupil", PUPIL)):
            places[keypoint_index(f"{letter}_center_of_{part}")] = middle
            scores[keypoint_index(f"{letter}_center_of_{part}")] = score
            for hour, angle in CLOCK.items():
                at = keypoint_index(f"{letter}_border_of_{part}_{hour}")
                places[at] = middle + radius * (np.cos(np.radians(angle)) * right + np.sin(np.radians(angle)) * up)
                scores[at] = score
    for at in np.flatnonzero(scores[70:] == 0) + 70 if score > 0 else ():  # parts of the ears that no picture showed
        places[at] = places[keypoint_index("left_ear" if keypoint_names()[at].startswith("l_") else "right_ear")]


def _mesh_from_body(body: Body) -> tuple[np.ndarray, float]:
    """(468, 3) of the mean face where the body's network sees the head, and a score.

    The head is turned as the metric points are, because in pixels the network exaggerates depth several times.
    """
    _, _, mean = _table()
    source = np.array([mean[list(points)].mean(0) for points in HEAD.values()])
    rows = [INDEX[name] for name in HEAD]
    rotation, _, _ = fit_rigid(source, body.world[rows], np.ones(len(rows)))
    turned, seen = source @ rotation.T, body.points[rows, :2]
    middle, spread = turned.mean(0), turned[:, :2] - turned[:, :2].mean(0)
    scale = max(float((spread * (seen - seen.mean(0))).sum() / (spread**2).sum()), 1e-6)
    mesh = (mean @ rotation.T - middle) * scale
    return mesh + np.append(seen.mean(0), 0), FROM_BODY * float(body.points[rows, 3].mean())


def _irises_on(mesh: np.ndarray) -> np.ndarray:
    """(2, 5, 2): irises in the middle of the eyes of a face, of the usual size."""
    eyes = []
    for inner, outer in (LEFT_EYE, RIGHT_EYE[::-1]):
        across = (mesh[inner, :2] - mesh[outer, :2]) * 0.2
        middle = (mesh[inner, :2] + mesh[outer, :2]) / 2
        down = unit(mesh[152, :2] - mesh[10, :2]) * np.linalg.norm(mesh[152, :2] - mesh[10, :2]) * 0.035
        eyes.append([middle, middle + across, middle - down, middle - across, middle + down])
    return np.array(eyes)
