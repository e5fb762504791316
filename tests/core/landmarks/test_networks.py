"""Networks and detectors: what they read, and what they say about themselves."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.core.landmarks import networks
from sapiens2_avatar.core.landmarks.anchors import FACES, PALMS, PEOPLE, Detections, overlaps, suppressed
from sapiens2_avatar.core.landmarks.networks import Network, run, sigmoid

ALL = [value for value in vars(networks).values() if isinstance(value, Network)]


def test_the_folder_holds_the_networks_and_no_more_than_22_mb():
    files = {path.name for path in networks.FOLDER.iterdir()}
    assert {network.file for network in ALL} == {name for name in files if ".tflite" in name}
    assert sum((networks.FOLDER / name).stat().st_size for name in files) < 22e6
    assert {"APACHE-2.0.txt", "NOTICE.txt"} <= files


@pytest.mark.parametrize("network", ALL, ids=lambda network: network.file)
def test_every_network_answers_the_same_twice(network):
    picture = np.random.default_rng(0).integers(0, 256, (network.size, network.size, 3), dtype=np.uint8)
    first, second = run(network, picture), run(network, picture)
    assert first and all(np.isfinite(values).all() for values in first.values())
    assert {name: values.tobytes() for name, values in first.items()} == {n: v.tobytes() for n, v in second.items()}


@pytest.mark.parametrize(("detector", "points"), [(PEOPLE, 4), (FACES, 6), (PALMS, 7)], ids=["people", "faces", "palms"])
def test_anchors_fit_the_network(detector, points):
    picture = np.zeros((detector.network.size, detector.network.size, 3), np.uint8)
    outputs = run(detector.network, picture)
    assert outputs[detector.scores].size == len(detector.anchors)
    assert outputs[detector.places].size == len(detector.anchors) * (4 + 2 * points)
    assert detector.anchors.min() > 0 and detector.anchors.max() < 1


@pytest.mark.parametrize(
    "content", [None, b"", b"no network at all", b"\x1f\x8b broken"], ids=["missing", "empty", "text", "gzip"]
)
@pytest.mark.parametrize("suffix", [".tflite", ".tflite.gz"])
def test_a_damaged_file_says_so(tmp_path, monkeypatch, content, suffix):
    monkeypatch.setattr(networks, "FOLDER", tmp_path)
    if content is not None:
        (tmp_path / f"net{suffix}").write_bytes(content)
    with pytest.raises(SapiensError, match=f"network net{suffix} cannot be read") as caught:
        run(Network(f"net{suffix}", 8), np.zeros((8, 8, 3), np.uint8))
    assert "Install the extension again" in caught.value.hint


def test_two_networks_look_side_by_side():
    picture = np.zeros((FACES.network.size, FACES.network.size, 3), np.uint8)
    with PEOPLE.network.running, ThreadPoolExecutor(1) as beside:
        assert beside.submit(run, FACES.network, picture).result(timeout=60)


def test_a_network_is_read_before_it_is_needed(monkeypatch):
    networks._load.cache_clear()
    networks.load(PEOPLE.network, FACES.network)
    monkeypatch.setattr(networks, "FOLDER", None)  # nothing is read again
    for detector in (PEOPLE, FACES):
        run(detector.network, np.zeros((detector.network.size, detector.network.size, 3), np.uint8))


def test_sigmoid_of_extremes():
    np.testing.assert_allclose(sigmoid(np.array([-1e4, 0, 1e4], np.float32)), [0, 0.5, 1])


def test_overlap_of_boxes():
    boxes = np.array([[0.0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6]])
    np.testing.assert_allclose(overlaps(boxes, boxes), [[1, 1 / 3, 0], [1 / 3, 1, 0], [0, 0, 1]])


def test_overlapping_detections_become_their_mean():
    found = Detections(
        np.array([0.9, 0.3, 0.8], np.float32),
        np.array([[0.0, 0, 10, 10], [2, 0, 12, 10], [50, 50, 60, 60]]),
        np.array([[[0.0, 0]], [[4, 0]], [[7, 7]]]),
    )
    merged = suppressed(found, 0.3)
    np.testing.assert_allclose(merged.scores, [0.9, 0.8])
    np.testing.assert_allclose(merged.points[:, 0], [[1, 0], [7, 7]], atol=1e-6)
    np.testing.assert_allclose(merged.boxes[0], [0.5, 0, 10.5, 10], atol=1e-6)
