"""Running checkpoints: which files a model id stands for, on which device and in which precision, one in memory at a time."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ..core.common.errors import Cancelled, SapiensError
from ..weights.catalogue import PREVIEW, find_checkpoint, fingerprint
from ..weights.header import read_header
from .devices import available_devices
from .model.config import TASK_OUTPUTS
from .model.loading import head_prefixes, load_model

if TYPE_CHECKING:
    from .model.sapiens import Sapiens2

TASKS = ("seg", "normal", "pointmap", "albedo", "matting", "pose")
"""In the order in which they run: seg finds the people, whom the others look at more closely."""
STRETCHED = ("seg", "matting")
COST = {"seg": 0.11, "normal": 0.83, "pointmap": 2.5, "albedo": 0.83, "matting": 0.9, "pose": 0.25}
"""Of the heads of the 0.4b networks, in 1e12 multiply-accumulates; only the progress depends on it."""
BACKBONE_COST = 1.7
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Checkpoint:
    """One weights file as predict uses it.

    path       safetensors file
    model      id of the model, "0.4b", or the name of the file
    revision   what tells versions of the file apart
    tasks      those that it has a head for
    letterbox  all its heads see the letterboxed image (metadata ``geometry`` = ``letterbox``: files trained so)
    guided     parts and colours follow the photo's edges (metadata ``upsampling`` = ``guided``: networks of low resolution)
    """

    path: Path
    model: str
    revision: str
    tasks: tuple[str, ...]
    letterbox: bool
    guided: bool = False

    @classmethod
    def read(cls, path: Path, model: str) -> Checkpoint:
        """From the header of the file. Raises SapiensError if it is no Sapiens2 network with a head."""
        header = read_header(path)
        tasks = tuple(head_prefixes(header.shapes))
        if not tasks:
            raise SapiensError(
                f"{path.name} has no head: it predicts nothing.", "Choose the checkpoint of a task, not of pretraining."
            )
        return cls(
            path,
            model,
            _revision(path, header.metadata),
            tasks,
            letterbox=header.metadata.get("geometry") == "letterbox",
            guided=header.metadata.get("upsampling") == "guided",
        )

    def geometry(self, task: str) -> str:
        """How the photo comes into the network for this task: "letterbox", "stretch" or "crop" (pose)."""
        if task == "pose":
            return "crop"
        return "stretch" if task in STRETCHED and not self.letterbox else "letterbox"


def _revision(path: Path, metadata: dict[str, str]) -> str:
    """The commit in a Hugging Face cache (``snapshots/<commit>/file``), the version in the metadata, or a digest."""
    if path.parent.parent.name == "snapshots":
        return path.parent.name
    return metadata.get("revision") or metadata.get("version") or fingerprint(path)[:16]


def find_checkpoints(model: str | Path, tasks: Iterable[str] | None) -> dict[str, Checkpoint]:
    """Task -> checkpoint, in the order of TASKS: the tasks asked for, or all that the model has.

    model  an id of `weights.catalogue`, or the path of a safetensors file
    Raises SapiensError for an unknown task or model, and for tasks whose weights are not on this machine.
    """
    wanted = _task_names(tasks)
    if Path(model).suffix == ".safetensors":
        checkpoint = Checkpoint.read(Path(model), Path(model).stem)
        found = {task: checkpoint for task in TASKS if task in checkpoint.tasks}
    else:
        paths = {task: path for task in TASKS if (path := find_checkpoint(str(model), task)) is not None}
        read = {path: Checkpoint.read(path, str(model)) for path in dict.fromkeys(paths.values())}
        found = {task: read[path] for task, path in paths.items() if task in read[path].tasks}
    fetch = "Reinstall Sapiens2 Avatar." if model == PREVIEW else f"Download them with: models download {Path(model).name}."
    if missing := [task for task in wanted or () if task not in found]:
        raise SapiensError(
            f"The model {Path(model).name} has no weights for {', '.join(missing)} on this machine.",
            "Leave these tasks out, or choose another model." if model == PREVIEW else f"{fetch} Or leave these tasks out.",
        )
    if not found:
        raise SapiensError(f"The weights of {model} are not on this machine.", fetch)
    return found if wanted is None else {task: found[task] for task in wanted}


def _task_names(tasks: Iterable[str] | None) -> tuple[str, ...] | None:
    """The tasks asked for, in the order in which they run; None = all that there are."""
    if tasks is None:
        return None
    names = [name.strip() for name in (tasks.split(",") if isinstance(tasks, str) else tasks)]
    if unknown := [name for name in names if name not in TASK_OUTPUTS]:
        raise SapiensError(f"There is no task {', '.join(map(repr, unknown))}.", f"Choose from {', '.join(TASKS)}.")
    if not names:
        raise SapiensError("No task was asked for.", f"Choose from {', '.join(TASKS)}.")
    return tuple(task for task in TASKS if task in names)


def choose_device(device: str) -> torch.device:
    """ "auto" takes the first of `available_devices`. Raises SapiensError for a device that is not there."""
    if device == "auto":
        device = available_devices()[0].name.split(":")[0]
    try:
        torch.empty(1, device=device)
        return torch.device(device)
    except (RuntimeError, AssertionError) as error:  # torch built without CUDA raises AssertionError
        raise SapiensError(f"This machine has no device {device!r} that can be used.", 'Choose "auto" or "cpu".') from error


def choose_dtype(precision: str, device: torch.device, tasks: Iterable[str]) -> torch.dtype:
    """ "auto" is bfloat16 on CUDA, but float32 for the pointmap (bfloat16 steps are 4 mm at 0.7 m) and elsewhere."""
    if precision == "auto":
        fast = device.type == "cuda" and torch.cuda.is_bf16_supported() and "pointmap" not in tasks
        return torch.bfloat16 if fast else torch.float32
    if precision not in PRECISIONS:
        raise SapiensError(f"There is no precision {precision!r}.", f"Choose auto, {', '.join(PRECISIONS)}.")
    return PRECISIONS[precision]


class Network:
    """Holds one checkpoint and runs it; reports progress and notices a cancelled job within a pass.

    progress  called with (stage, share of all the work that is done)
    cancel    asked between layers; True ends the job with Cancelled
    keep      hold as many checkpoints as half of the free memory has room for: for many photos, one after another
    """

    def __init__(
        self,
        device: str = "auto",
        precision: str = "auto",
        progress: Callable[[str, float], None] | None = None,
        cancel: Callable[[], bool] | None = None,
        keep: bool = False,
    ):
        self.device = choose_device(device)
        self.precision = precision
        self.keep = keep
        choose_dtype(precision, self.device, ())
        self._progress, self._cancel = progress, cancel
        self._loaded: dict[Path, Sapiens2] = {}
        self._done, self._total, self._share = 0.0, 1.0, 0.0

    def expect(self, passes: Iterable[tuple[str, ...]]) -> None:
        """Tell which passes are still to come, each as the tasks of its heads, so that progress is a share of the work."""
        self._total = self._done + sum(map(_cost, passes))

    def report(self, stage: str, ahead: float = 0.0) -> None:
        """Progress of `stage`, with `ahead` more work done than whole passes. Raises Cancelled when asked to stop."""
        if self._cancel is not None and self._cancel():
            raise Cancelled
        if self._progress is not None:
            # Finding more people makes more work: the share stands still then, it does not fall.
            self._share = max(self._share, min((self._done + ahead) / max(self._total, 1e-9), 1.0))
            self._progress(stage, self._share)

    def finish(self) -> None:
        """Report that all is done."""
        self._done = self._total
        self.report("done")

    def input_size(self, checkpoint: Checkpoint) -> tuple[int, int]:
        """(height, width) of the checkpoint's input; loads it."""
        return self._model(checkpoint).input_size

    def run(self, checkpoint: Checkpoint, image: torch.Tensor, tasks: tuple[str, ...]) -> dict[str, torch.Tensor]:
        """Raw outputs (float32, on the CPU) of the heads of `tasks` for a network input (1, 3, H, W)."""
        stage = "+".join(tasks) if len(tasks) < 3 else "maps"
        self.report(stage)
        model = self._model(checkpoint)
        dtype = next(model.parameters()).dtype
        handles = self._watch(model, stage, _cost(tasks))
        try:
            # Without TF32 and with deterministic kernels: the same photo gives the same bytes on the same device.
            with torch.inference_mode(), torch.backends.cudnn.flags(benchmark=False, deterministic=True, allow_tf32=False):
                outputs = model(image.to(self.device, dtype), tasks)
                result = {name: value.to("cpu", torch.float32) for name, value in outputs.items()}
        except torch.OutOfMemoryError as error:
            if self._make_room():
                return self.run(checkpoint, image, tasks)
            raise SapiensError(
                f"Not enough GPU memory for {', '.join(tasks)} with {checkpoint.model}.", "Choose a smaller model or the CPU."
            ) from error
        except (MemoryError, RuntimeError) as error:
            if "memory" not in str(error).lower():
                raise
            if self._make_room():
                return self.run(checkpoint, image, tasks)
            raise SapiensError(
                f"Not enough memory for {', '.join(tasks)} with {checkpoint.model}.",
                "Choose a smaller model or close other programs.",
            ) from error
        finally:
            for handle in handles:
                handle.remove()
        self._done += _cost(tasks)
        return result

    def close(self) -> None:
        """Free the loaded checkpoints."""
        self._loaded = {}
        gc.collect()
        if self.device.type != "cpu":
            getattr(torch, self.device.type).empty_cache()

    def _model(self, checkpoint: Checkpoint) -> Sapiens2:
        if checkpoint.path not in self._loaded:
            if not (self.keep and 2 * checkpoint.path.stat().st_size < self._free_memory()):
                self.close()
            dtype = choose_dtype(self.precision, self.device, checkpoint.tasks)
            self._loaded[checkpoint.path] = load_model(checkpoint.path, self.device, dtype)
        return self._loaded[checkpoint.path]

    def _free_memory(self) -> int:
        """Bytes on the device that nobody uses."""
        if self.device.type in ("cuda", "xpu"):
            library = getattr(torch, self.device.type)
            unused = library.memory_reserved(self.device) - library.memory_allocated(self.device)
            return library.mem_get_info(self.device)[0] + unused
        import psutil

        return psutil.virtual_memory().available

    def _make_room(self) -> bool:
        """Free everything; whether other checkpoints were among it, so that a second try with one alone makes sense."""
        crowded = len(self._loaded) > 1
        self.close()
        return crowded

    def _watch(self, model: Sapiens2, stage: str, cost: float) -> list:
        """Report before every layer; a pass of a large network on the CPU takes minutes."""
        if self._progress is None and self._cancel is None:
            return []
        layers = [module for module in model.modules() if next(module.children(), None) is None]
        seen = 0

        def before(module: torch.nn.Module, inputs: tuple) -> None:
            nonlocal seen
            seen += 1
            if seen % 8 == 0:
                self.report(stage, cost * min(seen / len(layers), 1.0))

        return [layer.register_forward_pre_hook(before) for layer in layers]


def _cost(tasks: tuple[str, ...]) -> float:
    return BACKBONE_COST + sum(COST[task] for task in tasks)
