"""A batch grows as it should: time per image and memory for 1, 10 and 100 images, and what a second worker brings.

usage: python benchmarks/batch.py [--images 1 10 100] [--width 384] [--json]

The preview model; a worker process for the network and one for what comes after it, as `batch` starts them, warmed up by two
images. Time is what the processes used (user and system), so that other programs on the machine do not show, with one thread
each, because threads that wait for each other use processor time too; images per minute are wall time.
Limits: time per image within 10 % of each other, memory after the last run within 5 % of that after the one before it, and two
workers at least 1.6 times one on the stages after the network, measured in turns. Exit status 1 if one is
exceeded. Ten minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from sapiens2_avatar.batch.engine import CallProcess, call, end_workers, finish_all, predict_all
from sapiens2_avatar.batch.items import make_items
from sapiens2_avatar.batch.plan import PREDICT, Plan
from sapiens2_avatar.batch.stages import InputJob

SAMPLE = Path(__file__).resolve().parents[1] / "data" / "sample_photo.jpg"
PLAN = Plan(make=("predictions", "blend"))
GROUP = 8
TIME_SPREAD, MEMORY_GROWTH, SPEED_UP = 0.10, 0.05, 1.6


def photos(folder: Path, count: int, width: int) -> list[Path]:
    """So many photos that differ in content but not in the work they make."""
    from PIL import Image, ImageEnhance

    image = Image.open(SAMPLE).convert("RGB")
    image = image.resize((width, round(width * image.height / image.width)))
    folder.mkdir(parents=True)
    for i in range(count):
        ImageEnhance.Brightness(image).enhance(0.9 + 0.2 * i / max(1, count - 1)).save(folder / f"{i:04d}.png")
    return sorted(folder.iterdir())


def jobs_for(paths: list[Path], output: Path, stages: set[str] | None = None) -> list[InputJob]:
    found = []
    for item in make_items(paths):
        todo = {stage: key for stage, key in PLAN.stages(item).items() if stages is None or stage in stages}
        found.append(InputJob(item, output / item.name, todo))
    return found


def checked(outcomes: list) -> None:
    for job, error in outcomes:
        if error is not None:
            raise SystemExit(f"{job.item.name}: {error}")


class Measured:
    """A worker, and what its process has used."""

    def __init__(self, threads: int | None = None):
        self.worker = CallProcess(threads)
        self.process: psutil.Process | None = None

    def do(self, function, jobs: list[InputJob]) -> None:
        before = set(psutil.Process().children())
        checked(call(self.worker, function, jobs, PLAN))
        if self.process is None:
            started = [p for p in psutil.Process().children() if p not in before and "spawn_main" in " ".join(p.cmdline())]
            self.process = started[-1]

    def seconds(self) -> float:
        times = self.process.cpu_times()
        return times.user + times.system

    def megabytes(self) -> float:
        return self.process.memory_info().rss / 2**20


def growth(folder: Path, counts: list[int], width: int) -> list[dict]:
    """One row per count: CPU seconds per image, images per minute, memory of both processes after it."""
    network, rest = Measured(threads=1), Measured(threads=1)

    def run(paths: list[Path], output: Path) -> None:
        jobs = jobs_for(paths, output)
        for i in range(0, len(jobs), GROUP):
            network.do(predict_all, jobs[i : i + GROUP])
            for job in jobs[i : i + GROUP]:
                rest.do(finish_all, [job])

    run(photos(folder / "warm", 2, width), folder / "warm out")
    rows = []
    for count in counts:
        paths = photos(folder / f"{count}", count, width)
        repeats = max(1, 5 // count)  # a single image alone would measure the clock
        began, used = time.perf_counter(), network.seconds() + rest.seconds()
        for repeat in range(repeats):
            run(paths, folder / f"{count} out {repeat}")
        images = count * repeats
        rows.append(
            {
                "images": count,
                "cpu_seconds_per_image": (network.seconds() + rest.seconds() - used) / images,
                "images_per_minute": 60 * images / (time.perf_counter() - began),
                "network_mb": network.megabytes(),
                "rest_mb": rest.megabytes(),
            }
        )
    return rows


def second_worker(folder: Path, width: int, count: int = 8, rounds: int = 4) -> tuple[float, float]:
    """How many times faster two workers are than one after the network, best of rounds that take turns: by the clock, and by the
    processor time of the one that works longest, which is what the clock would say on a machine that does nothing else.
    """
    paths = photos(folder / "two", count, width)
    predicting = CallProcess()
    checked(call(predicting, predict_all, jobs_for(paths, folder / "two out"), PLAN))
    predicting.replace()
    workers = [Measured(threads=1), Measured(threads=1)]
    rest = [
        InputJob(job.item, job.folder, {s: k for s, k in job.todo.items() if s != PREDICT})
        for job in jobs_for(paths, folder / "two out")
    ]
    for worker in workers:
        worker.do(finish_all, rest[:1])
    best, busiest = {1: float("inf"), 2: float("inf")}, {1: float("inf"), 2: float("inf")}
    for _ in range(rounds):
        for used in best:
            for job in rest:
                (job.folder / "report.json").unlink(missing_ok=True)  # so that nothing counts as done
            with ThreadPoolExecutor(used) as threads:
                free = list(workers[:used])

                def one(job: InputJob, free=free) -> None:
                    worker = free.pop()
                    worker.do(finish_all, [job])
                    free.append(worker)

                began, before = time.perf_counter(), [worker.seconds() for worker in workers]
                list(threads.map(one, rest))
                best[used] = min(best[used], time.perf_counter() - began)
                spent = max(worker.seconds() - start for worker, start in zip(workers, before, strict=True))
                busiest[used] = min(busiest[used], spent)
    return best[1] / best[2], busiest[1] / busiest[2]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[1, 10, 100])
    parser.add_argument("--width", type=int, default=384, help="of the photos, pixels")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        try:
            rows = growth(Path(folder), options.images, options.width)
            ratio, ratio_used = second_worker(Path(folder), options.width)
        finally:
            end_workers()
    times = [row["cpu_seconds_per_image"] for row in rows]
    memory = [row["network_mb"] + row["rest_mb"] for row in rows]
    spread = max(times) / min(times) - 1
    grown = memory[-1] / memory[-2] - 1 if len(memory) > 1 else 0.0
    if options.json:
        print(
            json.dumps(
                {"rows": rows, "spread": spread, "memory_growth": grown, "two_workers": ratio, "two_workers_used": ratio_used}
            )
        )
    else:
        print(f"{'images':>8}{'CPU s/image':>13}{'images/min':>12}{'network MB':>12}{'rest MB':>9}")
        for row in rows:
            print(
                f"{row['images']:8d}{row['cpu_seconds_per_image']:13.2f}{row['images_per_minute']:12.1f}"
                f"{row['network_mb']:12.0f}{row['rest_mb']:9.0f}"
            )
        print(f"time per image differs by       {spread:6.1%}   limit {TIME_SPREAD:.0%}")
        print(f"memory grew in the last run by  {grown:6.1%}   limit {MEMORY_GROWTH:.0%}")
        print(f"two workers are faster by       {ratio:6.2f}   at least {SPEED_UP} (by processor time {ratio_used:.2f})")
    return int(spread > TIME_SPREAD or grown > MEMORY_GROWTH or ratio < SPEED_UP)


if __name__ == "__main__":
    sys.exit(main())
