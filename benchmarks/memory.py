"""Peak memory of loading and of running a 0.4b pointmap checkpoint, the hungriest head, on the CPU.

usage: python benchmarks/memory.py [--json]

Makes a file with random weights of the released shapes (2.1 GB, in the temporary folder, removed at the end), then measures in
fresh processes: resident memory that loading adds, per byte of file (limit 1.15), and the peak of a process that loads it and
runs one 1024 x 768 image (limit 5 GB). Exit status 1 if a limit is exceeded. About two minutes on two idle cores.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LOAD_LIMIT = 1.15
FORWARD_LIMIT_GB = 5.0

MAKE = """
import math, sys, torch
from sapiens2_avatar.infer import Sapiens2, released_config, save_model
torch.manual_seed(0)
with torch.device("meta"):
    model = Sapiens2(released_config("0.4b", "pointmap"))
for name, parameter in model.state_dict().items():
    spread = 1 / math.sqrt(parameter[0].numel()) if parameter.ndim > 1 else 0.1
    model.get_submodule(name.rpartition(".")[0])._parameters[name.rpartition(".")[2]] = torch.nn.Parameter(
        torch.empty(parameter.shape).uniform_(-spread, spread).add_(1.0 if parameter.ndim == 1 else 0.0))
save_model(model, sys.argv[1])
"""

LOAD = """
import json, sys
import psutil, torch
import sapiens2_avatar.infer.model.loading
from sapiens2_avatar.infer import load_model
process = psutil.Process()
before = process.memory_info().rss
model = load_model(sys.argv[1])
resident = process.memory_info().rss
# Read every weight once: what is only mapped counts when it is used.
total = sum(float(p.sum()) for p in model.parameters())
touched = process.memory_info().rss
print(json.dumps({"libraries": before, "loaded": resident - before, "touched": touched - before}))
"""

FORWARD = """
import json, sys, time
import psutil, torch
from sapiens2_avatar.infer import load_model
model = load_model(sys.argv[1])
height, width = model.input_size
with torch.inference_mode():
    start = time.perf_counter()
    out = model(torch.randn(1, 3, height, width))
    seconds = time.perf_counter() - start
info = psutil.Process().memory_info()
if hasattr(info, "peak_wset"):
    peak = info.peak_wset
else:
    import resource
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
assert all(bool(v.isfinite().all()) for v in out.values())
print(json.dumps({"peak": peak, "seconds": seconds, "threads": torch.get_num_threads()}))
"""


def run(script: str, path: Path) -> dict:
    """Run a script on the weights file in a process of its own; what it prints as JSON."""
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout) if done.stdout.strip() else {}


def measure() -> dict:
    """All figures; bytes, seconds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sapiens2_0.4b_pointmap.safetensors"
        start = time.perf_counter()
        run(MAKE, path)
        made = time.perf_counter() - start
        size = path.stat().st_size
        load = run(LOAD, path)
        forward = run(FORWARD, path)
    return {
        "file": size,
        "make_seconds": made,
        **{f"load_{name}": value for name, value in load.items()},
        "load_ratio": load["touched"] / size,
        "forward_peak_gb": forward["peak"] / 1e9,
        "forward_seconds": forward["seconds"],
        "threads": forward["threads"],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    figures = measure()
    if options.json:
        print(json.dumps(figures))
    else:
        print(f"file                        {figures['file'] / 1e9:6.3f} GB")
        print(
            f"resident after loading      {figures['load_loaded'] / 1e9:6.3f} GB"
            f" over the libraries' {figures['load_libraries'] / 1e9:.3f}"
        )
        print(
            f"resident when all is read   {figures['load_touched'] / 1e9:6.3f} GB"
            f" = {figures['load_ratio']:.3f} x file (limit {LOAD_LIMIT})"
        )
        print(f"peak of load and forward    {figures['forward_peak_gb']:6.3f} GB (limit {FORWARD_LIMIT_GB})")
        print(f"forward, 1024 x 768         {figures['forward_seconds']:6.1f} s on {figures['threads']} threads")
    return 0 if figures["load_ratio"] < LOAD_LIMIT and figures["forward_peak_gb"] < FORWARD_LIMIT_GB else 1


if __name__ == "__main__":
    sys.exit(main())
