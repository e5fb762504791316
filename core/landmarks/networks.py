"""The built-in networks, run by OpenCV's dnn: it is there with everything else that reads photos, and needs no torch.

They are MediaPipe's, in `data/landmarks/` (`tools/landmark_models.py`). Each reads one square picture, and is loaded when it is
first used.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from ..common.errors import SapiensError

if TYPE_CHECKING:
    import cv2

FOLDER = Path(__file__).parents[2] / "data" / "landmarks"


@dataclass(frozen=True)
class Network:
    """A file of data/landmarks and what it reads.

    size     pixels of the square picture
    low      the value that black has in it; white has 1
    running  held while it looks: a loaded network holds its picture
    """

    file: str
    size: int
    low: float = 0.0
    running: Lock = field(default_factory=Lock, compare=False, repr=False)


PERSON_DETECTOR = Network("pose_detection.tflite.gz", 224, -1.0)
FACE_DETECTOR = Network("face_detection_short_range.tflite", 128, -1.0)
PALM_DETECTOR = Network("palm_detection_full.tflite", 192)
BODY = Network("pose_landmark_full.tflite", 256)
HAND = Network("hand_landmark_full.tflite", 224)
FACE = Network("face_landmark.tflite", 192)
IRIS = Network("iris_landmark.tflite", 64)
PERSON_MASK = Network("selfie_segmentation.tflite", 256)


def run(network: Network, picture: np.ndarray) -> dict[str, np.ndarray]:
    """Output name -> float32 array, for a picture (size, size, 3) uint8 or float32 of 0..255, sRGB.

    Raises SapiensError: the file is missing or damaged.
    """
    assert picture.shape == (network.size, network.size, 3)
    values = picture.astype(np.float32) * np.float32((1 - network.low) / 255) + np.float32(network.low)
    with network.running:
        loaded, names = _load(network)
        loaded.setInput(np.ascontiguousarray(values.transpose(2, 0, 1)[None]))
        outputs = loaded.forward(names)
    return {name: output.copy() for name, output in zip(names, outputs, strict=True)}


def load(*networks: Network) -> None:
    """Read networks before they are needed. OpenCV leaves the other threads alone meanwhile, and while a network runs.

    Raises SapiensError as `run` does.
    """
    for network in networks:
        with network.running:
            _load(network)


@cache
def _load(network: Network) -> tuple[cv2.dnn.Net, list[str]]:
    import cv2

    path = FOLDER / network.file
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
        loaded = cv2.dnn.readNetFromTFLite(np.frombuffer(data, np.uint8))
    except (OSError, EOFError, cv2.error) as error:
        raise SapiensError(
            f"The built-in network {network.file} cannot be read.", "Install the extension again: a file of it is damaged."
        ) from error
    loaded.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    loaded.setPreferableTarget(cv2.dnn.DNN_TARGET_CPU)
    return loaded, list(loaded.getUnconnectedOutLayersNames())


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Logits -> 0..1 float32."""
    return (0.5 + 0.5 * np.tanh(0.5 * logits.astype(np.float64))).astype(np.float32)
