"""Resolve again what the worker's environment is made of: writes runtime/requirements.lock.

    python tools/lock_runtime.py UV        UV: the path of uv

torch is pinned by hand in runtime/torch.txt, since its builds depend on the graphics card and come from an index that uv chooses
at installation.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

RUNTIME = Path(__file__).resolve().parent.parent / "runtime"
OPTIONS = ("--quiet", "--universal", "--no-header", "--no-annotate", "--no-emit-index-url", "--generate-hashes", "--no-config",
           "--python-version", "3.11")  # fmt: skip


def compile_lock(uv: str, *arguments: str) -> str:
    return subprocess.run([uv, "pip", "compile", *OPTIONS, *arguments], check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    locked = compile_lock(sys.argv[1], str(RUNTIME / "requirements.in"))
    locked += compile_lock(sys.argv[1], "--no-deps", str(RUNTIME / "timm.in"))
    (RUNTIME / "requirements.lock").write_text(locked, "utf-8")
