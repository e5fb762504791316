"""Measure the scan on synthetic people with known surfaces: geometry against the truth, and the time of every stage.

usage: python benchmarks/scan.py [--samples body_apose,face_a] [--kinds exact,degraded] [--points 60000] [--set detail=0.8 ...]
[--times | --sizes]
Needs the reference data beside the checkout or in SAPIENS2_SHARED, and embreex. Distances in mm, angles in degrees, shares in
percent; times are CPU seconds of one thread, from maps in memory to arrays of the mesh; --sizes shows how time and memory of a
whole scan with its textures grow.
"""

from __future__ import annotations

import argparse
import ast
import os
import subprocess
import sys
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from measures.studio import SHARED, STUDIO, read_predictions
from sapiens2_avatar.core import avatar
from sapiens2_avatar.core.capture.camera import estimate_camera
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.surface import depth_edges, scan

SAMPLES = ("body_apose", "body_crossed", "body_walk", "body_sit", "face_a", "face_b")
FIGURES = {  # name: (naive grid and target on exact maps, the same on degraded maps)
    "acc_aligned_mean_mm": ((0.08, 0.1), (6.67, 4.0)),
    "acc_p95_mm": ((0.21, 0.5), (23.0, 13)),
    "normal_smooth_deg": ((3.7, 3.7), (20, 6.5)),
    "rubber_pct": ((0.00, 0.0), (3.88, 0.15)),
    "complete_5mm_pct": ((99.6, 99.9), (52.2, 60)),
    "holes": ((68, 2), (5, 2)),
    "uncovered_pct": ((0.82, 0.10), (2.25, 1.0)),
}
PEERS = """measured on a figure of 177 000 pixels in 1024 x 768, one thread, seconds:
  cut and mesh      MoGe's rule with utils3d 0.16 (kept 99.6 %, 700 stretched faces); plain pair test 0.17
  snap              0.13 (prototype of the method)
  refine            BiNI 31 (no prior), with prior 7.2; SciPy CG 0.75; pyamg 0.56-0.62; SuperLU 0.8-0.9; NumPy multigrid 0.43
  surface from points  Open3D Poisson depth 9: 4.8; PyMeshLab: 9.6
  decimate          fast-simplification 348 k -> 50 k 0.25; Blender's modifier 3.5"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--samples", default=",".join(SAMPLES))
    parser.add_argument("--kinds", default="exact,degraded")
    parser.add_argument("--points", type=int, default=60_000, help="samples of each surface")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="fields of ScanSettings")
    parser.add_argument("--times", action="store_true", help="only the times of the stages")
    parser.add_argument("--sizes", action="store_true", help="only time and memory of one person in photos of four sizes")
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    chosen = {k: _value(v) for k, v in (item.split("=", 1) for item in options.set)}
    settings = scan.ScanSettings(**chosen)
    names = options.samples.split(",")
    if options.size:
        measure_size(names[0], settings, options.size)
        return
    if options.sizes:
        measure_sizes(names[0], options.set)
        return
    if options.times:
        measure_times(names, settings)
        return
    sys.path.insert(0, str(SHARED / "checks"))
    import score

    for kind in options.kinds.split(","):
        measure(score, names, kind == "degraded", settings, options.points)


def _value(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def measure(score, names: list[str], degraded: bool, settings: scan.ScanSettings, points: int) -> None:
    """Print the figures of each sample, their mean, what a naive grid gets and the target."""
    suffix = ".degraded" if degraded else ""
    print(
        f"{'degraded maps' if degraded else 'exact maps':24}",
        *(f"{k.removesuffix('_pct')[:12]:>13}" for k in FIGURES),
        f"{'faces':>9}",
    )
    rows = []
    for name in names:
        predictions = read_predictions(STUDIO, name + suffix)
        mesh = scan.make_mesh(predictions, estimate_camera(predictions).camera, settings=settings).mesh
        _, truth = score.load(STUDIO / (name + suffix))
        result = score.mesh_score(mesh.vertices, mesh.faces, truth, n=points)
        rows.append([float(result[k]) for k in FIGURES])
        print(f"{name:24}", *(f"{v:13.3f}" for v in rows[-1]), f"{len(mesh.faces):9}", flush=True)
    for title, values in (
        ("mean", np.mean(rows, axis=0)),
        ("naive grid", [v[degraded][0] for v in FIGURES.values()]),
        ("target", [v[degraded][1] for v in FIGURES.values()]),
    ):
        print(f"{title:24}", *(f"{v:13.3f}" for v in values), flush=True)


def measure_times(names: list[str], settings: scan.ScanSettings) -> None:
    """Print the CPU time of each stage, best of three runs."""
    stages = {
        "domain": (scan, "person_domain"),
        "normals": (scan, "usable_normals"),
        "snap": (scan, "snap"),
        "cut": (depth_edges, "cut_pairs"),
        "refine": (scan, "_refined"),
        "mesh": (scan, "_mesh"),
    }
    spent: dict[str, float] = {}
    for stage, (owner, function) in stages.items():
        setattr(owner, function, _timed(getattr(owner, function), stage, spent))
    print(f"{'CPU seconds':24}", *(f"{stage:>8}" for stage in stages), f"{'all':>8} {'pixels':>8}")
    for name in names:
        predictions = read_predictions(STUDIO, f"{name}.degraded")
        camera = estimate_camera(predictions).camera
        best: dict[str, float] = {}
        for _ in range(3):
            spent.clear()
            start = time.process_time()
            surface = scan.make_mesh(predictions, camera, settings=settings)
            spent["all"] = time.process_time() - start
            best = {k: min(best.get(k, np.inf), v) for k, v in spent.items()}
        row = (f"{best.get(stage, 0):8.3f}" for stage in (*stages, "all"))
        print(f"{name:24}", *row, f"{int(surface.mask.sum()):8}", flush=True)
    print(PEERS)


def measure_sizes(name: str, chosen: list[str]) -> None:
    """Print time and memory of `make_scan` for photos of 0.2 to 12.6 million pixels, each in a process of its own."""
    print(f"{'photo':>12} {'person':>10} {'faces':>9} {'mesh s':>8} {'all s':>8} {'us/pixel':>9} {'peak GB':>8}")
    for height in (512, 1024, 2048, 4096):
        command = [sys.executable, __file__, "--samples", name, "--size", str(height), "--set", *chosen]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        print(done.stdout.strip() or f"{height}: {done.stderr.strip()}", flush=True)


def measure_size(name: str, settings: scan.ScanSettings, height: int) -> None:
    """One row of that table: the sample's maps resized to (height, height * 3 / 4), its person as large as in the original."""
    import resource

    import cv2

    maps = vars(read_predictions(STUDIO, name))
    size = (height * 3 // 4, height)

    def resized(values: np.ndarray) -> np.ndarray:
        if values.dtype == np.float16:
            return cv2.resize(values.astype(np.float32), size, interpolation=cv2.INTER_NEAREST).astype(np.float16)
        return cv2.resize(values, size, interpolation=cv2.INTER_NEAREST)

    old = maps["image"].shape[0]
    kept = {
        k: resized(v) for k, v in maps.items() if k in ("image", "pointmap", "normal", "albedo", "seg", "alpha") and v is not None
    }
    intrinsics = maps["intrinsics"].copy()
    intrinsics[:2] *= height / old
    intrinsics[:2, 2] += (height / old - 1) / 2
    predictions = Predictions(**kept, intrinsics=intrinsics)
    spent: dict[str, float] = {}
    scan.make_mesh = _timed(scan.make_mesh, "mesh", spent)
    start = time.process_time()
    made = avatar.make_scan(predictions, name, avatar.AvatarSettings(make="scan", scan=settings))
    total = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    person = int((predictions.seg > 0).sum()) if predictions.seg is not None else 0
    print(
        f"{size[0]:>5} x {size[1]:>4} {person:>10} {len(made.mesh.faces):>9} {spent['mesh']:>8.2f} {total:>8.2f} "
        f"{total / (size[0] * size[1]) * 1e6:>9.2f} {peak:>8.2f}"
    )


def _timed(function: Callable, stage: str, spent: dict[str, float]) -> Callable:
    def run(*args: object, **kwargs: object) -> object:
        start = time.process_time()
        try:
            return function(*args, **kwargs)
        finally:
            spent[stage] = spent.get(stage, 0) + time.process_time() - start

    return run


if __name__ == "__main__":
    main()
