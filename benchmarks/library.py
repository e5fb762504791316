"""A hundred results of a batch brought into one scene, linked and appended.

usage: python benchmarks/library.py RESULT.blend [--count N]

Seconds of the clock and of processor time; where they differ, other programs were in the way. Exit status 1 above the limit,
which a way that compares each result with all others would be far beyond.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from importlib import import_module
from pathlib import Path

LIMIT = 0.1
"""Seconds of processor time for each result."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path)
    parser.add_argument("--count", type=int, default=100)
    options = parser.parse_args()
    gather = import_module("sapiens2_avatar.scene.library").gather
    files = import_module("sapiens2_avatar.scene.files")
    slow = False
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{i:04d}.blend" for i in range(options.count)]
        for path in paths:
            shutil.copyfile(options.result, path)
        for link in (True, False):
            files.new_file()
            start, used = time.perf_counter(), time.process_time()
            gather(paths, link=link, spacing=1.5)
            wall, cpu = time.perf_counter() - start, time.process_time() - used
            print(f"{'linked' if link else 'appended':<10} {wall:6.2f} s   {cpu:6.2f} s of processor time")
            slow |= cpu > LIMIT * options.count
    return int(slow)


if __name__ == "__main__":
    status = main()
    import_module("sapiens2_avatar.core.common.processes").leave(status)
