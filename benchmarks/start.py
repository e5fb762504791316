"""How long it takes until something happens: the help, the import, enabling the extension.

usage: python benchmarks/start.py        prints a table against the limits; best of five, each in a process of its own
"""

import os
import subprocess
import sys
import tempfile
import time

EMPTY = "pass"
ENABLE = """
import time, bpy, sapiens2_avatar
start = time.perf_counter(); sapiens2_avatar.register(); print(time.perf_counter() - start)
"""
ROWS = (
    ("--help", ["-m", "sapiens2_avatar", "--help"], 0.3),
    ("import sapiens2_avatar", ["-c", "import sapiens2_avatar"], 0.2),
    ("import and Predictions", ["-c", "import sapiens2_avatar; sapiens2_avatar.Predictions"], 0.2),
)


def seconds(arguments: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> int:
    empty = min(seconds(["-c", EMPTY]) for _ in range(5))
    print(f"{'what':28}{'seconds':>9}{'limit':>8}\n{'python, empty':28}{empty:9.3f}{'-':>8}")
    worst = 0
    for name, arguments, limit in ROWS:
        taken = min(seconds(arguments) for _ in range(5))
        worst |= taken > limit
        print(f"{name:28}{taken:9.3f}{limit:8.1f}")
    environment = {**os.environ, "BLENDER_USER_RESOURCES": tempfile.mkdtemp()}
    runs = [
        subprocess.run([sys.executable, "-c", ENABLE], capture_output=True, text=True, check=True, env=environment)
        for _ in range(5)
    ]
    taken = min(float(run.stdout.split()[-1]) for run in runs)
    worst |= taken > 0.1
    print(f"{'enable the extension':28}{taken:9.3f}{0.1:8.1f}")
    return int(worst)


if __name__ == "__main__":
    sys.exit(main())
