"""That every package of an environment can be imported: ``python -I import_check.py DEVICES MODULE...``; torch is one of them.

DEVICES is the path of a Python file with a function ``available_devices()`` -> rows of (name, hardware, bytes of its own memory),
which may import torch: `infer/devices.py`. Prints a line of JSON, which is what is remembered of an environment that works:
{"torch": version, "devices": rows}. What cannot be imported ends it with Python's own error.
"""

import json
import runpy
import sys
from importlib import import_module


def check(devices: str, names: list[str]) -> dict:
    """Import all, let torch compute something, and say what is remembered."""
    modules = {name: import_module(name) for name in names}
    torch = modules["torch"]
    torch.zeros(2).sum().item()
    return {"torch": torch.__version__, "devices": runpy.run_path(devices)["available_devices"]()}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(check(sys.argv[1], sys.argv[2:])) + "\n")
