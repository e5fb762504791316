"""Predictions to a written .blend: each stage's share.

usage: python benchmarks/scene.py PREDICTIONS.safetensors…       (1024 x 768 is what the limits are for)
"""

import sys
import tempfile
import time
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from sapiens2_avatar.core.avatar import make_avatars
from sapiens2_avatar.core.data import Predictions

LIMITS = {"mesh into Blender": 0.5, "total": 3.0}


def main(paths: list[str]) -> int:
    import sapiens2_avatar.scene.build as scene_build
    from sapiens2_avatar.scene.files import new_file, save_blend

    worst = 0
    for path in paths:
        shares: dict[str, float] = {}
        started = time.perf_counter()

        @contextmanager
        def timed(name: str, shares=shares):
            start = time.perf_counter()
            yield
            shares[name] = shares.get(name, 0.0) + time.perf_counter() - start

        new_file()
        with timed("read"):
            predictions = Predictions.load(path)
        marks: list[tuple[str, float]] = []
        avatars = make_avatars(
            predictions, Path(path).stem, progress=lambda stage, _, marks=marks: marks.append((stage, time.perf_counter()))
        )
        for (stage, begin), (_, end) in pairwise(marks):
            shares[stage] = shares.get(stage, 0.0) + end - begin
        original = scene_build.write_mesh

        def write_mesh(*arguments, original=original, timed=timed):
            with timed("mesh into Blender"):
                return original(*arguments)

        scene_build.write_mesh = write_mesh
        try:
            with timed("scene (with the mesh)"):
                scene_build.write_avatars(avatars, Path(path).stem)
        finally:
            scene_build.write_mesh = original
        with tempfile.TemporaryDirectory() as folder, timed("save"):
            save_blend(Path(folder) / "out.blend")
        shares["total"] = time.perf_counter() - started
        print(f"\n{Path(path).name}: {predictions.width} x {predictions.height}, {len(avatars[0].mesh.vertices)} vertices")
        for name, taken in shares.items():
            limit = LIMITS.get(name)
            worst |= bool(limit and taken > limit)
            print(f"  {name:24}{taken:8.2f} s{f'   limit {limit}' if limit else ''}")
    return int(worst)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
