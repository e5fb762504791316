"""Detectors of the single-shot kind (Liu et al., "SSD", 2016): at every anchor of a grid they say whether something is there, and
where its box and its points are from there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .networks import FACE_DETECTOR, PALM_DETECTOR, PERSON_DETECTOR, Network, run, sigmoid


@dataclass(frozen=True)
class Detector:
    """A network that detects, and the grids of its anchors.

    cells    (cells of a grid's side, anchors at each cell), in the order of the network's output
    scores, places  names of its outputs
    """

    network: Network
    cells: tuple[tuple[int, int], ...]
    scores: str
    places: str

    @property
    def anchors(self) -> np.ndarray:
        """(A, 2) float32: the centre of each anchor, 0..1 of the picture."""
        grids = []
        for side, repeats in self.cells:
            y, x = np.divmod(np.arange(side * side), side)
            grids.append(((np.stack([x, y], axis=1) + 0.5) / side).repeat(repeats, axis=0))
        return np.concatenate(grids).astype(np.float32)


PEOPLE = Detector(PERSON_DETECTOR, ((28, 2), (14, 2), (7, 6)), "Identity_1", "Identity")
FACES = Detector(FACE_DETECTOR, ((16, 2), (8, 6)), "classificators", "regressors")
PALMS = Detector(PALM_DETECTOR, ((24, 2), (12, 6)), "Identity_1", "Identity")


@dataclass(frozen=True, eq=False)
class Detections:
    """What a detector saw, the surest first.

    scores  (N,) float32, 0..1
    boxes   (N, 4) float64: x1, y1, x2, y2
    points  (N, P, 2) float64: the points that the detector knows
    """

    scores: np.ndarray
    boxes: np.ndarray
    points: np.ndarray

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, chosen: np.ndarray) -> Detections:
        return Detections(self.scores[chosen], self.boxes[chosen], self.points[chosen])

    @classmethod
    def joined(cls, parts: list[Detections]) -> Detections:
        found = cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("scores", "boxes", "points")))
        return found[np.argsort(-found.scores, kind="stable")]


def detect(detector: Detector, picture: np.ndarray, least: float) -> Detections:
    """Detections with at least this score in a picture of the network's size; places are 0..1 of the picture."""
    outputs = run(detector.network, picture)
    scores = sigmoid(np.clip(outputs[detector.scores].ravel(), -100, 100))
    kept = np.flatnonzero(scores >= least)
    kept = kept[np.argsort(-scores[kept], kind="stable")]
    values = outputs[detector.places].reshape(len(scores), -1)[kept].astype(np.float64) / detector.network.size
    anchors = detector.anchors[kept].astype(np.float64)
    centre, half = values[:, :2] + anchors, values[:, 2:4] / 2
    points = values[:, 4:].reshape(len(kept), (values.shape[1] - 4) // 2, 2) + anchors[:, None]
    return Detections(scores[kept], np.concatenate([centre - half, centre + half], axis=1), points)


def overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(N, M) intersection over union of boxes (N, 4) and (M, 4)."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    common = np.prod(np.maximum(high - low, 0), axis=-1)
    area = [np.prod(np.maximum(b[:, 2:] - b[:, :2], 0), axis=-1) for b in (boxes, others)]
    return common / np.maximum(area[0][:, None] + area[1][None, :] - common, 1e-12)


def suppressed(found: Detections, overlap: float) -> Detections:
    """Weighted non-maximum suppression: detections that overlap become one, their mean by score, with the best one's score."""
    shared = overlaps(found.boxes, found.boxes)
    left = np.ones(len(found), bool)
    merged = []
    for i in range(len(found)):
        if left[i]:
            same = left & (shared[i] > overlap)
            same[i] = True
            left &= ~same
            weight = found.scores[same].astype(np.float64) / found.scores[same].sum(dtype=np.float64)
            boxes, points = (np.tensordot(weight, values[same], 1) for values in (found.boxes, found.points))
            merged.append(Detections(found.scores[i : i + 1], boxes[None], points[None]))
    return Detections.joined(merged) if merged else found
