"""Measure fitted bodies against clothed synthetic people with ground truth: skin under the clothes, joints, hands, speed.

usage: python benchmarks/body.py [--data FOLDER] [--together] [SAMPLE...]

FOLDER holds X.safetensors[.gz], X.degraded.safetensors[.gz] and X.gt.npz (joints, and body_vertices where the naked body is
known); default: `wardrobe` in the folder of the environment variable SAPIENS2_SHARED, or in `shared` beside the repository.
Millimetres in the camera's frame, nothing is aligned. `--together` fits all samples as photos of one
person. Stages are in seconds of one run.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from measures.studio import STUDIO, read_predictions
from sapiens2_avatar.core.body.evaluate import Posture, Shape, pose_points, rest_points
from sapiens2_avatar.core.body.fit import Sighting, fit_sightings
from sapiens2_avatar.core.body.fitted import BodyFit
from sapiens2_avatar.core.body.template import template
from sapiens2_avatar.core.capture.camera import estimate_camera
from sapiens2_avatar.core.common.landmarks import JOINT_NAMES
from sapiens2_avatar.core.common.rotations import rotation_from_vector
from sapiens2_avatar.core.pose.lift import lift_pose

SAMPLES = ("d1", "d2_v0", "d3", "d4")
TARGETS = {"body_mm": (10, 14), "joints_mm": (8, 14), "hands_mm": (5, 14), "lift_s": (0.05, 0.05), "fit_s": (2, 2)}
JOINTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "neck", "pelvis")
POINTS = 20_000  # of the true skin that are looked up


def surface_points(vertices: np.ndarray) -> np.ndarray:
    """(n, 3) points on the skin, dense enough that the nearest is less than a millimetre off."""
    quads = vertices[template().skin_faces()]
    shares = (np.arange(4) + 0.5) / 4
    u, v = (grid.ravel() for grid in np.meshgrid(shares, shares))
    weights = np.stack([(1 - u) * (1 - v), u * (1 - v), u * v, (1 - u) * v], axis=1)
    return np.einsum("wk,qki->qwi", weights, quads).reshape(-1, 3)


def measured(fit: BodyFit, truth: dict[str, np.ndarray]) -> dict[str, float]:
    """Millimetres of one body."""
    vertices = pose_points(rest_points(fit.shape, fit.face), fit.posture)
    joints = template().joints.of(vertices)
    true = dict(zip(truth["joint_names"].tolist(), truth["joints"].astype(float), strict=True))
    off = {name: 1e3 * float(np.linalg.norm(joints[k] - true[name])) for k, name in enumerate(JOINT_NAMES) if name in true}
    out = {
        "joints_mm": float(np.mean([mm for name, mm in off.items() if name.split("_")[-1] in JOINTS and "finger" not in name])),
        "hands_mm": float(np.mean([mm for name, mm in off.items() if "finger" in name or "thumb" in name])),
    }
    if "body_vertices" in truth:
        skin = truth["body_vertices"].astype(float)
        picked = skin[np.random.default_rng(0).choice(len(skin), min(POINTS, len(skin)), replace=False)]
        out["body_mm"] = 1e3 * float(cKDTree(surface_points(vertices)).query(picked)[0].mean())
    return out


def moved_on(posture: Posture) -> Posture:
    """Every joint turned by about 2 degrees, the body moved by 2 cm: as of somebody who walks, in a twenty-fifth of a second."""
    rng = np.random.default_rng(0)
    turns = rotation_from_vector(rng.normal(0, np.radians(2), (len(posture.turns), 3)))
    return Posture(turns @ posture.turns, posture.translation + rng.normal(0, 0.02, 3))


def print_speed(sighting: Sighting, fit: BodyFit) -> None:
    """Milliseconds, the best of several: all vertices of somebody new and of somebody known; a photo and a further frame of
    somebody known."""
    numbers = fit.shape.numbers()

    def best(times: int, run: Callable[[int], object]) -> float:
        spent = []
        for k in range(times):
            start = time.perf_counter()
            run(k)
            spent.append(time.perf_counter() - start)
        return 1e3 * min(spent)

    def of_another(k: int) -> np.ndarray:
        return pose_points(rest_points(Shape.of(numbers + 1e-4 * k)), fit.posture)

    new = best(9, of_another)
    known = best(9, lambda _: pose_points(rest_points(fit.shape), fit.posture))
    photo = best(3, lambda _: fit_sightings([sighting], fit.shape))
    moving = replace(sighting, start=moved_on(fit.posture))
    frame = best(5, lambda _: fit_sightings([moving], fit.shape))
    print(f"milliseconds: all vertices, another shape {new:.1f} (limit 5), the same shape {known:.1f};")
    print(f"    a known person in another photo {photo:.0f}, in the frame after a known posture {frame:.0f} (limit 60)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=STUDIO.parent / "wardrobe", metavar="FOLDER")
    parser.add_argument("--together", action="store_true", help="the samples show one person: one shape for all")
    parser.add_argument("samples", nargs="*", default=SAMPLES, metavar="SAMPLE")
    options = parser.parse_args()
    template()  # read once, not in the first sample's time
    print(f"{'':22}" + "".join(f"{name:>11}" for name in TARGETS))
    for degraded, suffix in enumerate(("", ".degraded")):
        sightings, lifted = [], []
        for name in options.samples:
            predictions = read_predictions(options.data, name + suffix)
            camera = estimate_camera(predictions).camera
            start = time.perf_counter()
            pose = lift_pose(predictions, camera=camera)
            lifted.append(time.perf_counter() - start)
            sightings.append(Sighting(predictions, camera, pose))
        groups = [sightings] if options.together else [[sighting] for sighting in sightings]
        fits, seconds = [], []
        for group in groups:
            start = time.perf_counter()
            fits += fit_sightings(group)
            seconds += [(time.perf_counter() - start) / len(group)] * len(group)
        rows = []
        for name, fit, lift, fitted in zip(options.samples, fits, lifted, seconds, strict=True):
            row = measured(fit, dict(np.load(options.data / f"{name}.gt.npz"))) | {"lift_s": lift, "fit_s": fitted}
            rows.append(row)
            print(f"{name + suffix:22}" + "".join(f"{row.get(key, float('nan')):11.2f}" for key in TARGETS), flush=True)
        mean = {key: float(np.mean([row.get(key, np.nan) for row in rows])) for key in TARGETS}
        print(f"{'mean' + suffix:22}" + "".join(f"{mean[key]:11.2f}" for key in TARGETS))
        print(f"{'limit':22}" + "".join(f"{limits[degraded]:11.2f}" for limits in TARGETS.values()), flush=True)
        if not degraded:
            print_speed(sightings[0], fits[0])


if __name__ == "__main__":
    main()
