"""Predictions to a written .blend: each stage's share.

usage: python benchmarks/scene.py PREDICTIONS.safetensors… [--repeat N]       (1024 x 768 is what the limits are for)

Best of N (3), in one process, so that libraries are loaded once, as in the worker. Beside the seconds stand those of processor
time; where that is less than the clock says, other programs were in the way, and the smaller one counts. Exit status 1
above a limit.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import pairwise
from pathlib import Path

from sapiens2_avatar.core.avatar import make_avatars
from sapiens2_avatar.core.common.predictions import Predictions

MESH, TOTAL = "mesh and attributes into Blender", "total"
LIMITS = {MESH: 0.5, TOTAL: 3.0}
Shares = dict[str, tuple[float, float]]  # stage -> seconds of the clock, seconds of processor time


@contextmanager
def timed(shares: Shares, name: str) -> Iterator[None]:
    start, used = time.perf_counter(), time.process_time()
    yield
    wall, cpu = shares.get(name, (0.0, 0.0))
    shares[name] = wall + time.perf_counter() - start, cpu + time.process_time() - used


def measure(path: Path) -> tuple[Shares, Predictions, int]:
    """Shares of one run, the predictions, and the number of vertices."""
    build = import_module("sapiens2_avatar.scene.build")  # the package has a function of this name
    files = import_module("sapiens2_avatar.scene.files")
    shares: Shares = {}
    files.new_file()
    with timed(shares, TOTAL):
        with timed(shares, "read"):
            predictions = Predictions.load(path)
        marks: list[tuple[str, float, float]] = []
        avatars = make_avatars(
            predictions, path.stem, progress=lambda stage, _: marks.append((stage, time.perf_counter(), time.process_time()))
        )
        for (stage, wall, cpu), (_, wall_end, cpu_end) in pairwise(marks):
            before = shares.get(stage, (0.0, 0.0))
            shares[stage] = before[0] + wall_end - wall, before[1] + cpu_end - cpu
        original = build.write_mesh

        def write_mesh(*arguments, **options):
            with timed(shares, MESH):
                return original(*arguments, **options)

        build.write_mesh = write_mesh
        try:
            with timed(shares, "scene (with the mesh)"):
                build.write_avatars(avatars, path.stem)
        finally:
            build.write_mesh = original
        with tempfile.TemporaryDirectory() as folder, timed(shares, "save"):
            files.save_blend(Path(folder) / "out.blend")
    return shares, predictions, sum(len(avatar.mesh.vertices) for avatar in avatars)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("predictions", nargs="+", type=Path)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    exceeded = False
    for path in options.predictions:
        runs = [measure(path) for _ in range(options.repeat)]
        shares, predictions, vertices = min(runs, key=lambda run: min(run[0][TOTAL]))
        print(f"\n{path.name}: {predictions.width} x {predictions.height}, {vertices} vertices")
        print(f"  {'stage':34}{'seconds':>9}{'used':>8}{'share':>8}{'limit':>8}")
        whole = shares[TOTAL][0]
        for name in [*(stage for stage in shares if stage != TOTAL), TOTAL]:
            wall, cpu = shares[name]
            limit = LIMITS.get(name)
            exceeded |= limit is not None and min(wall, cpu) > limit
            print(f"  {name:34}{wall:9.2f}{cpu:8.2f}{wall / whole:8.0%}{limit or '-':>8}")
    return int(exceeded)


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # Blender's module can hang in an orderly exit
