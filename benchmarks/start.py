"""How long it takes until something happens: the help, the import, enabling the extension.

usage: python benchmarks/start.py        prints a table against the limits; best of seven, each in a process of its own

Beside the seconds stand those that the process itself used: on a machine that does other things too they are what counts. Python
may keep its compiled files, as it does for everybody, in a folder that is removed at the end.
"""

import os
import subprocess
import sys
import tempfile
import time

REPEATS = 7
EMPTY = "pass"
ENABLE = """
import os, sys, time, bpy, sapiens2_avatar
start, used = time.perf_counter(), time.process_time()
sapiens2_avatar.register()
print(time.perf_counter() - start, time.process_time() - used)
sys.stdout.flush()
os._exit(0)
"""
ROWS = (
    ("--help", ["-m", "sapiens2_avatar", "--help"], 0.3),
    ("import sapiens2_avatar", ["-c", "import sapiens2_avatar"], 0.2),
    ("the same with numpy", ["-c", "import sapiens2_avatar; sapiens2_avatar.Predictions"], None),
)


Times = tuple[float, float]  # of the clock, and used by the process


def seconds(arguments: list[str], environment: dict[str, str]) -> Times:
    before, start = os.times(), time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True, env=environment)
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - start, used


def enabling(environment: dict[str, str]) -> Times:
    done = subprocess.run([sys.executable, "-c", ENABLE], capture_output=True, text=True, check=True, env=environment)
    wall, used = map(float, done.stdout.split()[-2:])
    return wall, used


def best(runs: list[Times]) -> Times:
    return min(wall for wall, _ in runs), min(used for _, used in runs)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": f"{folder}/compiled", "BLENDER_USER_RESOURCES": f"{folder}/user"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        empty = best([seconds(["-c", EMPTY], environment) for _ in range(REPEATS)])
        rows = [(name, best([seconds(arguments, environment) for _ in range(REPEATS)]), limit) for name, arguments, limit in ROWS]
        rows.append(("enable the extension", best([enabling(environment) for _ in range(REPEATS)]), 0.1))
    print(f"{'what':28}{'seconds':>9}{'used':>8}{'limit':>8}\n{'python, empty':28}{empty[0]:9.3f}{empty[1]:8.3f}{'-':>8}")
    for name, (wall, used), limit in rows:
        print(f"{name:28}{wall:9.3f}{used:8.3f}{limit if limit else '-':>8}")
    return int(any(limit and min(times) > limit for _, times, limit in rows))


if __name__ == "__main__":
    sys.exit(main())
