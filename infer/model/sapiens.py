"""Sapiens2: one backbone pass, any number of heads."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ...core.common.errors import SapiensError
from .backbone import Backbone
from .config import Sapiens2Config
from .heads import make_head, named_outputs
from .heap import trim_heap


class Sapiens2(nn.Module):
    """The network of a configuration, with random weights; `load_model` fills it from a file.

    The state dict has the names of the checkpoint files: ``backbone.*`` and ``decode_head.*``, or ``decode_heads.<task>.*`` where
    one backbone feeds several heads.

    config      Sapiens2Config
    tasks       the tasks that have a head
    input_size  (height, width) of the images that it was trained on
    """

    def __init__(self, config: Sapiens2Config):
        super().__init__()
        self.config = config
        self.backbone = Backbone(config.backbone)
        heads = {head.task: make_head(config.backbone.width, head, config.token_grid) for head in config.heads}
        if len(heads) == 1:
            (self.decode_head,) = heads.values()
        else:
            self.decode_heads = nn.ModuleDict(heads)

    @property
    def tasks(self) -> tuple[str, ...]:
        return self.config.tasks

    @property
    def input_size(self) -> tuple[int, int]:
        return self.config.input_size

    def head(self, task: str) -> nn.Module:
        """The head of a task; SapiensError if there is none."""
        if task not in self.tasks:
            raise SapiensError(f"This network has no {task} head.", f"It predicts {', '.join(self.tasks) or 'features only'}.")
        return self.decode_head if len(self.tasks) == 1 else self.decode_heads[task]

    def forward(self, image: Tensor, tasks: Iterable[str] | None = None) -> dict[str, Tensor]:
        """Raw outputs of the heads (all, or those of the named tasks) by name; see `heads.named_outputs` for names and shapes.

        image  (B, 3, height, width) RGB minus mean, divided by deviation; sides multiples of 16
        A network without heads gives its last "features" (B, D, h, w).
        """
        _, features = self.backbone(image)
        if image.device.type == "cpu" and not torch.is_grad_enabled():
            trim_heap()
        if not self.tasks:
            return {"features": features}
        outputs: dict[str, Tensor] = {}
        for task in self.tasks if tasks is None else tasks:
            outputs |= named_outputs(task, self.head(task), features)
        return outputs
