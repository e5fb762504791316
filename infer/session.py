"""Passes through the networks of checkpoints on one device."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import torch

from ..core.common.errors import SapiensError
from ..core.common.progress import Progress
from .checkpoints import Checkpoint
from .draft import draft_size, in_input_pixels
from .model_cache import ModelCache
from .placement import choose_device, choose_dtype
from .progress_meter import ProgressMeter
from .tasks import pass_cost

if TYPE_CHECKING:
    from .model.config import Sapiens2Config
    from .model.sapiens import Sapiens2

TOGETHER = 1 / 8
"""Share of the device's memory that the maps of inputs that go through a network together may take."""
CELL_BYTES = 12
"""Of a channel of a cell where a head is widest: what comes in and what goes out, and one of them in two precisions."""


def working_bytes(config: Sapiens2Config, size: tuple[int, int]) -> int:
    """Memory that the maps of one input of this size take in a network at its widest, roughly."""
    side = config.backbone.token_side
    tokens = size[0] // side * (size[1] // side)
    widest = [max(channels * 4 ** (stage + 1) for stage, channels in enumerate(head.upsample)) for head in config.heads]
    return CELL_BYTES * tokens * max([2 * config.backbone.ffn_width, *widest])


class Session:
    """Runs checkpoints, for one photo or many; notices a cancelled job within a pass.

    device, precision  see `infer.placement`
    progress           called with (stage, share of all the work that is done)
    cancel             asked between layers; True ends the job with Cancelled
    keep               hold as many checkpoints as half of the free memory has room for: for many photos, one after another
    draft              look at half of each network's resolution, see `infer.draft`

    `meter` takes the reports of progress, `models` holds the networks.
    """

    def __init__(
        self,
        device: str = "auto",
        precision: str = "auto",
        progress: Progress | None = None,
        cancel: Callable[[], bool] | None = None,
        keep: bool = False,
        draft: bool = False,
    ):
        self.device = choose_device(device)
        choose_dtype(precision, self.device, ())  # an unknown precision is refused before anything is loaded
        self.models = ModelCache(self.device, precision, keep)
        self.meter = ProgressMeter(progress, cancel)
        self.draft = draft

    def expect(self, passes: Iterable[tuple[str, ...]]) -> None:
        """Tell which passes are still to come, each as the tasks of its heads, so that progress is a share of the work."""
        self.meter.expect(sum(map(pass_cost, passes)))

    def input_size(self, checkpoint: Checkpoint) -> tuple[int, int]:
        """(height, width) at which the checkpoint's input is made; loads it."""
        model = self.models.get(checkpoint)
        return draft_size(model.input_size, model.config.backbone.token_side) if self.draft else model.input_size

    def images_at_once(self, checkpoint: Checkpoint) -> int:
        """How many inputs of a checkpoint with one head go through it together: as many as `TOGETHER` of the memory has room for.

        Of all memory, not of what is free: rounding depends on it, and the same photo gives the same bytes whatever else runs.
        """
        model = self.models.get(checkpoint)
        return max(1, int(TOGETHER * self.models.total_memory() / working_bytes(model.config, self.input_size(checkpoint))))

    def run(self, checkpoint: Checkpoint, image: torch.Tensor, tasks: tuple[str, ...]) -> dict[str, torch.Tensor]:
        """Raw outputs (float32, on the CPU) of the heads of `tasks` for network inputs (B, 3, H, W)."""
        stage = "+".join(tasks) if len(tasks) < 3 else "maps"
        self.meter.report(stage)
        model, cost = self.models.get(checkpoint), len(image) * pass_cost(tasks)
        handles = self._watch(model, stage, cost)
        try:
            # Without TF32 and with deterministic kernels: the same photo gives the same bytes on the same device.
            with torch.inference_mode(), torch.backends.cudnn.flags(benchmark=False, deterministic=True, allow_tf32=False):
                outputs = model(image.to(self.device), tasks)
                result = {name: value.to("cpu", torch.float32) for name, value in outputs.items()}
                result = in_input_pixels(result, image.shape[-1] / model.input_size[1])
        except torch.OutOfMemoryError as error:
            if len(image) > 1 or self.models.make_room():
                return self._again(checkpoint, image, tasks)
            raise SapiensError(
                f"Not enough GPU memory for {', '.join(tasks)} with {checkpoint.model}.", "Choose a smaller model or the CPU."
            ) from error
        except (MemoryError, RuntimeError) as error:
            if "memory" not in str(error).lower():
                raise
            if len(image) > 1 or self.models.make_room():
                return self._again(checkpoint, image, tasks)
            raise SapiensError(
                f"Not enough memory for {', '.join(tasks)} with {checkpoint.model}.",
                "Choose a smaller model or close other programs.",
            ) from error
        finally:
            for handle in handles:
                handle.remove()
        self.meter.add(cost)
        return result

    def _again(self, checkpoint: Checkpoint, image: torch.Tensor, tasks: tuple[str, ...]) -> dict[str, torch.Tensor]:
        """`run` after memory ran out: one input at a time."""
        parts = [self.run(checkpoint, part, tasks) for part in image.split(1)]
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def close(self) -> None:
        """Free the loaded checkpoints."""
        self.models.clear()

    def _watch(self, model: Sapiens2, stage: str, cost: float) -> list:
        """Report before every layer; a pass of a large network on the CPU takes minutes."""
        if not self.meter.is_watched:
            return []
        layers = [module for module in model.modules() if next(module.children(), None) is None]
        seen = 0

        def before(module: torch.nn.Module, inputs: tuple) -> None:
            nonlocal seen
            seen += 1
            if seen % 8 == 0:
                self.meter.report(stage, cost * min(seen / len(layers), 1.0))

        return [layer.register_forward_pre_hook(before) for layer in layers]
