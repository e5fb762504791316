"""Sapiens2 here against Sapiens2 in transformers: time, memory and difference, on the same weights, in turns on one machine.

usage: python benchmarks/peers.py [--tasks seg pose] [--size 0.4b] [--runs peer-float32 ours-auto] [--json]

The first run makes an environment with transformers in .cache/peers (from PyPI, with uv). Each task gets a file of random weights
of the released shapes, which both read; every pass is one 1024 x 768 image on the CPU (of pose two, a person and their mirror
image), in its own process, without a warm-up. Loading is from a warm file: seconds for each gigabyte of it, and the memory that
it takes as a share of the weights in the precision of the run. ours-draft is the default precision at half the resolution.
Seconds are processor seconds of all threads, which other programs disturb less than the clock. Differences are from the peer's
float32, as a share of the spread of its output: random weights enlarge rounding, see docs/speed.md. 0.4b takes ten minutes.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from sapiens2_avatar.infer import Sapiens2, Sapiens2Config, released_config, save_model
from sapiens2_avatar.infer.draft import draft_size
from sapiens2_avatar.infer.model.config import DECONV_TASKS

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / ".cache" / "peers"
PACKAGES = ("transformers==5.24.0", f"torch=={torch.__version__.partition('+')[0]}", "safetensors", "numpy")
RUNS = ("peer-float32", "peer-bfloat16", "ours-auto", "ours-float32", "ours-draft")
PEER_CLASSES = {
    "pose": "Sapiens2ForPoseEstimation",
    "seg": "Sapiens2ForSemanticSegmentation",
    "normal": "Sapiens2ForNormalEstimation",
    "pointmap": "Sapiens2ForPointmapEstimation",
}
LOOKS = {"pose": 2}
"""Inputs of a task for one photo, where it is not one: pose also sees the mirrored person. Both sides get them in one batch."""

MEASURED = """
import json, resource, sys, time
import numpy as np, torch
folder, precision, looks, channels, height, width, target = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:7]), sys.argv[7]
image = torch.randn(looks, 3, height, width, generator=torch.Generator().manual_seed(1))
def most():
    try:  # what the parent had in memory counts for ru_maxrss, and not here
        return 1024 * int(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
{imports}
before, started = most(), time.process_time()
{load}
loaded, loaded_wall, taken = time.process_time(), time.perf_counter(), most() - before
weights = sum(p.numel() * p.element_size() for p in model.parameters())
with torch.inference_mode():
    outputs = {run}
done, done_wall = time.process_time(), time.perf_counter()
peak = most()
(found,) = [v for v in outputs if torch.is_tensor(v) and v.ndim == 4 and v.shape[1] == channels]
np.save(target, found.float().numpy())
print(json.dumps(dict(
    load=loaded - started, taken=taken, weights=weights, seconds=done - loaded, wall=done_wall - loaded_wall, peak=peak)))
"""
PEER = MEASURED.format(
    imports="""
import transformers
settings = json.load(open(folder + "/config.json"))
kind = getattr(transformers, settings["architectures"][0])""",
    load="""
model = kind.from_pretrained(
    folder, dtype=getattr(torch, precision), attn_implementation="sdpa").eval()""",
    run="model(pixel_values=image.to(model.dtype)).values()",
)
OURS = MEASURED.format(
    imports="""
from sapiens2_avatar.infer.checkpoints import Checkpoint
from sapiens2_avatar.infer.model_cache import ModelCache
from pathlib import Path
path = Path(folder) / "model.safetensors"
""",
    load="""
model = ModelCache(torch.device("cpu"), precision).get(Checkpoint.read(path, "random"))""",
    run="model(image).values()",
)


def peer_python() -> Path:
    """The interpreter of the environment that has transformers, made if need be."""
    sys.path.insert(0, str(ROOT / "tools"))
    from dev import uv  # pyright: ignore[reportMissingImports]

    python = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        subprocess.run([uv(), "venv", "--quiet", "--python", sys.executable, ENVIRONMENT], check=True)
    subprocess.run([uv(), "pip", "install", "--quiet", "--python", python, *PACKAGES], check=True)
    return python


def make_weights(config: Sapiens2Config, path: Path) -> None:
    """A file with random weights that keep the spread of what comes in: uniform, by the number of inputs; norms near 1."""
    torch.manual_seed(0)
    with torch.device("meta"):
        model = Sapiens2(config)
    state = {}
    for name, parameter in model.state_dict().items():
        spread = math.sqrt(3 / parameter[0].numel()) if parameter.ndim > 1 else 0.1
        centre = 1.0 if parameter.ndim == 1 and name.endswith("weight") else 0.0
        state[name] = torch.empty(parameter.shape).uniform_(centre - spread, centre + spread)
    model.load_state_dict(state, assign=True)
    save_model(model, path)


def peer_settings(config: Sapiens2Config) -> dict:
    """The same network in the peer's words."""
    backbone, (head,) = config.backbone, config.heads
    refined = len(head.refine)
    words = {
        "use_pixel_shuffle": head.task not in DECONV_TASKS,
        "upsample_out_channels": head.upsample,
        "upsample_kernel_size": 4 if head.task in DECONV_TASKS else 3,
        "upsample_kernel_sizes": [4 if head.task in DECONV_TASKS else 3] * len(head.upsample),
        "conv_out_channels": head.refine,
        "conv_kernel_size": head.refine_kernel,
        "conv_kernel_sizes": [head.refine_kernel] * refined,
    }
    if head.scale_convs:
        cells = math.prod(-(-side // 2 ** len(head.scale_convs)) for side in config.token_grid)
        words |= {
            "scale_conv_out_channels": head.scale_convs,
            "scale_conv_kernel_sizes": [1] * len(head.scale_convs),
            "scale_final_input_size": head.scale_convs[-1] * cells,
            "scale_final_hidden_sizes": head.scale_hidden,
        }
    return {
        "model_type": "sapiens2",
        "architectures": [PEER_CLASSES[head.task]],
        "hidden_size": backbone.width,
        "intermediate_size": backbone.ffn_width,
        "num_hidden_layers": backbone.depth,
        "num_attention_heads": backbone.heads,
        "num_key_value_heads_per_layer": backbone.kv_heads,
        "image_size": config.input_size,
        "id2label": {str(i): str(i) for i in range(head.outputs)},
        "head_config": words,
    }


def measure(task: str, size: str, runs: list[str], peer: Path) -> dict[str, dict]:
    """A row for each run of a task."""
    config = released_config(size, task)
    (head,) = config.heads
    rows, results = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        make_weights(config, Path(folder) / "model.safetensors")
        (Path(folder) / "config.json").write_text(json.dumps(peer_settings(config)), "utf-8")
        for run in runs:
            side, precision = run.split("-")
            size_seen = config.input_size
            if precision == "draft":
                precision, size_seen = "auto", draft_size(config.input_size, config.backbone.token_side)
            python, script = (peer, PEER) if side == "peer" else (sys.executable, OURS)
            target = Path(folder) / f"{run}.npy"
            arguments = [folder, precision, LOOKS.get(task, 1), head.outputs, *size_seen, target]
            done = subprocess.run([python, "-c", script, *map(str, arguments)], stdout=subprocess.PIPE, text=True, check=True)
            rows[run] = json.loads(done.stdout.splitlines()[-1]) | {"file": (Path(folder) / "model.safetensors").stat().st_size}
            if size_seen == config.input_size:
                results[run] = np.load(target)
            print(f"{task} {run}: {rows[run]['seconds']:.1f} s", file=sys.stderr, flush=True)
    reference = results.get("peer-float32")
    for run, result in results.items() if reference is not None else ():
        difference = np.abs(result - reference) / reference.std()
        rows[run] |= {"largest": float(difference.max()), "typical": float(np.sqrt(np.mean(difference**2)))}
    return rows


def machine() -> str:
    """The processor and its cores, without the name of the computer."""
    name = platform.processor() or platform.machine()
    if sys.platform == "linux":
        lines = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        name = lines[0].partition(":")[2].strip() if lines else name
    units = [unit for unit, there in torch.cpu.get_capabilities().items() if there is True and "bf16" in unit]
    return f"{name}, {os.cpu_count()} cores, {', '.join(units) or 'no bfloat16 units'}; torch {torch.__version__}"


def table(found: dict[str, dict[str, dict]]) -> str:
    """Markdown."""
    lines = [
        "| task | run | CPU s | of the peer's float32 | s on the clock | load, CPU s a GB | load, memory | peak GB "
        "| largest difference | typical |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for task, rows in found.items():
        for run, row in rows.items():
            base = rows.get("peer-float32")
            share = f"{row['seconds'] / base['seconds']:.2f}" if base else ""
            differences = [f"{row[name]:.1e}" if name in row else "" for name in ("largest", "typical")]
            loading = [f"{row['load'] / row['file'] * 1e9:.2f}", f"{row['taken'] / row['weights']:.2f}"]
            figures = [f"{row['seconds']:.1f}", share, f"{row['wall']:.1f}", *loading, f"{row['peak'] / 1e9:.2f}"]
            lines.append(f"| {' | '.join([task, run, *figures, *differences])} |")
    sums = {run: sum(rows[run]["seconds"] for rows in found.values()) for run in next(iter(found.values())) if len(found) > 1}
    for run, seconds in sums.items():
        share = f"{seconds / sums['peer-float32']:.2f}" if "peer-float32" in sums else ""
        lines.append(f"| all | {run} | {seconds:.1f} | {share} | | | | | | |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", choices=tuple(PEER_CLASSES), default=list(PEER_CLASSES))
    parser.add_argument("--size", choices=("0.4b", "0.8b", "1b", "5b"), default="0.4b")
    parser.add_argument("--runs", nargs="+", choices=RUNS, default=list(RUNS[:3]))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    peer = peer_python()
    found = {task: measure(task, options.size, options.runs, peer) for task in options.tasks}
    if options.json:
        print(json.dumps({"machine": machine(), "size": options.size, "tasks": found}))
    else:
        print(f"{options.size}, 1024 x 768, {machine()}\n\n{table(found)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
