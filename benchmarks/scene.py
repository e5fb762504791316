"""Predictions to a written .blend, and what a slider then costs: each stage's share, against the limits.

usage: python benchmarks/scene.py PREDICTIONS.safetensors… [--make scan|avatar] [--others PREDICTIONS.safetensors…] [--repeat N]

--make    one of both; without it both
--others  other photos of the person in each of PREDICTIONS

The limits are for photos of 1024 x 768, whose light is taken out (no weights are public that predict albedo). All steps run in
one process, in the order of the artist: the first build, then sliders that repeat what depends on them, through the worker's
job and its file, as in Blender. Best of N (3). Beside the seconds stand those of processor time; where that is less than the
clock says, other programs were in the way, and the smaller one counts.
Exit status 1 above a limit.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import pairwise
from pathlib import Path

from sapiens2_avatar.core.avatar import AvatarSettings
from sapiens2_avatar.core.common.memo import Memo
from sapiens2_avatar.core.common.processes import leave
from sapiens2_avatar.core.surface.settings import ScanSettings
from sapiens2_avatar.core.texture.settings import DelightSettings, TextureSettings
from sapiens2_avatar.worker import jobs
from sapiens2_avatar.worker.requests import BuildRequest

DELIGHT, MESH, WRITE, SAVE = "light out of the photo", "mesh and attributes into Blender", "into Blender", ".blend"
FIT, AFTER, TOTAL = "up to the fitted body", "after the fit", "all"
INSIDE = (DELIGHT, MESH)
"""Stages that are parts of others."""
BEFORE_FIT = ("read", "camera", "pose", "body")
Shares = dict[str, tuple[float, float]]  # stage -> seconds of the clock, seconds of processor time


@dataclass(frozen=True)
class Step:
    """One thing that the artist does. limits: seconds of stages; save: the .blend is written too."""

    name: str
    settings: AvatarSettings
    limits: dict[str, float]
    save: bool = False


def steps(make: str, photos: int) -> tuple[Step, ...]:
    """What is measured, in turn: what comes first is kept for what follows."""
    first = AvatarSettings(make=make, texture=TextureSettings(colour="delighted"))
    if make == "scan":
        half = replace(first, scan=ScanSettings(resolution="half"))
        return (
            Step("scan to .blend", first, {DELIGHT: 0.4, MESH: 0.5, TOTAL: 3.0}, save=True),
            Step("half resolution", half, {}),
            Step("detail at half resolution", replace(half, scan=replace(half.scan, detail=0.8)), {TOTAL: 0.7}),
        )
    duller = replace(first.texture, delight=DelightSettings(strength=0.5))
    return (
        Step("avatar to .blend", first, {AFTER: 4.0 if photos == 1 else 8.0, WRITE: 0.7}, save=True),
        Step("less light taken out", replace(first, texture=duller), {TOTAL: 1.5}),
        Step("photo as base colour", replace(first, texture=TextureSettings(colour="photo")), {TOTAL: 1.5}),
        Step("texture of 1K", replace(first, texture_size=1024), {TOTAL: 1.5}),
        Step("no clothes", replace(first, garments=False), {TOTAL: 1.5}),
        Step("clothes again", first, {TOTAL: 1.5}),
    )


@contextmanager
def timed(shares: Shares, name: str) -> Iterator[None]:
    start, used = time.perf_counter(), time.process_time()
    yield
    wall, cpu = shares.get(name, (0.0, 0.0))
    shares[name] = wall + time.perf_counter() - start, cpu + time.process_time() - used


@contextmanager
def watched(shares: Shares, module: str, function: str, name: str) -> Iterator[None]:
    """The time of a function of the extension, as its module calls it."""
    owner = import_module(f"sapiens2_avatar.{module}")
    original = getattr(owner, function)

    def run(*arguments: object, **options: object) -> object:
        with timed(shares, name):
            return original(*arguments, **options)

    setattr(owner, function, run)
    try:
        yield
    finally:
        setattr(owner, function, original)


def measure(path: Path, others: tuple[Path, ...], todo: tuple[Step, ...]) -> list[Shares]:
    """Shares of each step of one session."""
    build = import_module("sapiens2_avatar.scene.build")  # the package has a function of this name
    files = import_module("sapiens2_avatar.scene.files")
    avatar_file = import_module("sapiens2_avatar.core.formats.avatar_file")
    files.new_file()
    jobs.KEPT, collection, found = Memo(), None, []
    with tempfile.TemporaryDirectory() as folder:
        for step in todo:
            shares: Shares = {}
            request = BuildRequest(
                predictions=path, name=path.stem, output=Path(folder) / "made", settings=step.settings, others=others
            )
            watch = watched(shares, "core.texture.base_colour", "delight", DELIGHT)
            with timed(shares, TOTAL), watch, watched(shares, "scene.build", "write_mesh", MESH):
                marks = [("read", time.perf_counter(), time.process_time())]
                made = jobs.build(request, lambda stage, _, m=marks: m.append((stage, time.perf_counter(), time.process_time())))
                marks.append(("", time.perf_counter(), time.process_time()))
                for (stage, wall, cpu), (_, wall_end, cpu_end) in pairwise(marks):
                    stage = "images and file to Blender" if stage == "done" else stage
                    before = shares.get(stage, (0.0, 0.0))
                    shares[stage] = before[0] + wall_end - wall, before[1] + cpu_end - cpu
                with timed(shares, WRITE):
                    avatars = avatar_file.load_avatars(made["avatars"])
                    collection = build.write_avatars(avatars, path.stem, source=str(path), replace=collection)
                if step.save:
                    with timed(shares, SAVE):
                        files.save_blend(Path(folder) / "out.blend")
            if step.settings.make != "scan":
                shares[FIT] = _sum(shares, BEFORE_FIT)
                shares[AFTER] = _sum(shares, [s for s in shares if s not in (*BEFORE_FIT, *INSIDE, FIT, TOTAL, WRITE, SAVE)])
            found.append(shares)
    return found


def _sum(shares: Shares, stages: list[str] | tuple[str, ...]) -> tuple[float, float]:
    there = [shares[stage] for stage in stages if stage in shares]
    return sum(wall for wall, _ in there), sum(cpu for _, cpu in there)


def show(step: Step, shares: Shares) -> bool:
    """Print the table of a step; whether a limit is exceeded."""
    print(f"\n  {step.name:44}{'seconds':>9}{'used':>8}{'limit':>8}")
    exceeded = False
    last = [name for name in (FIT, AFTER, TOTAL) if name in shares]
    for name in [*(stage for stage in shares if stage not in last), *last]:
        (wall, cpu), limit = shares[name], step.limits.get(name)
        above = limit is not None and min(wall, cpu) > limit
        exceeded |= above
        title = f"of that: {name}" if name in INSIDE else name
        print(f"    {title:42}{wall:9.2f}{cpu:8.2f}{limit or '-':>8}{'  ABOVE' if above else ''}")
    return exceeded


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("predictions", nargs="+", type=Path)
    parser.add_argument("--make", choices=("scan", "avatar"))
    parser.add_argument("--others", nargs="+", type=Path, default=[])
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    exceeded = False
    for path in options.predictions:
        for make in (options.make,) if options.make else ("scan", "avatar"):
            others = tuple(options.others) if make == "avatar" else ()
            todo = steps(make, 1 + len(others))
            runs = [measure(path, others, todo) for _ in range(options.repeat)]
            print(f"\n{path.stem}: {make}" + (f" of {1 + len(others)} photos" if others else ""))
            for number, step in enumerate(todo):
                exceeded |= show(step, min((run[number] for run in runs), key=lambda shares: min(shares[TOTAL])))
    return int(exceeded)


if __name__ == "__main__":
    status = main()
    leave(status)
