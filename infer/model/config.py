"""The sizes of a Sapiens2 network: what has to be known to build one, and the table of the released ones.

Symbols: D embedding width, L blocks, H query heads, dh head width, Hk key/value heads, R register tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...core.common.errors import SapiensError

TASK_OUTPUTS = {"pose": 308, "seg": 29, "normal": 3, "pointmap": 3, "albedo": 3, "matting": 4}
"""Channels that each task's last layer predicts; the order is the order in which heads run."""

DECONV_TASKS = ("pose", "seg")
"""Tasks whose head upsamples with transposed convolutions; the others shuffle pixels."""


@dataclass(frozen=True)
class BackboneConfig:
    """A Sapiens2 vision transformer.

    kv_heads         Hk of each block, L numbers; empty = H everywhere. Fewer than H: grouped-query attention
    tokenizer_depth  blocks of the 4K variant's tokenizer, which turns each window of 4 x 4 patches into one token; 0 = none
    layer_scale      initial value of the attention branch's layer scale (used only for a new network)
    """

    width: int
    depth: int
    heads: int
    ffn_width: int
    kv_heads: tuple[int, ...] = ()
    patch: int = 16
    registers: int = 8
    tokenizer_depth: int = 0
    window: int = 4
    layer_scale: float = 1e-4
    rope_base: float = 100.0

    def __post_init__(self):
        if not self.kv_heads:
            object.__setattr__(self, "kv_heads", (self.heads,) * self.depth)
        if min(self.width, self.depth, self.heads, self.ffn_width, self.patch, self.window, *self.kv_heads) < 1:
            raise SapiensError("A Sapiens2 backbone needs positive sizes.")
        if self.width % self.heads or self.head_width % 4:
            raise SapiensError(f"A width of {self.width} does not split into {self.heads} heads whose width is a multiple of 4.")
        if len(self.kv_heads) != self.depth or any(self.heads % kv for kv in self.kv_heads):
            raise SapiensError(f"Key/value heads {self.kv_heads} do not fit {self.depth} blocks of {self.heads} heads.")

    @property
    def head_width(self) -> int:
        """dh"""
        return self.width // self.heads

    @property
    def token_side(self) -> int:
        """Pixels of the input that one token of the feature map stands for."""
        return self.patch * (self.window if self.tokenizer_depth else 1)


@dataclass(frozen=True)
class HeadConfig:
    """The head of one task.

    upsample       output channels of the stages that each double the resolution
    refine         output channels of the convolutions after them
    outputs        channels of the last layer; 0 = those of the task
    refine_kernel  1 or 3; 0 = 1 for pose and seg, else 3
    scale_convs, scale_hidden, scale_inputs
                   pointmap only: channels of the scale branch's convolutions and linear layers, and the numbers that the
                   first linear layer reads (0 = follows from the input size)
    """

    task: str
    upsample: tuple[int, ...]
    refine: tuple[int, ...]
    outputs: int = 0
    refine_kernel: int = 0
    scale_convs: tuple[int, ...] = ()
    scale_hidden: tuple[int, ...] = ()
    scale_inputs: int = 0

    def __post_init__(self):
        if self.task not in TASK_OUTPUTS:
            raise SapiensError(f"There is no Sapiens2 task named {self.task!r}.", f"Choose from {', '.join(TASK_OUTPUTS)}.")
        if not self.upsample or min(*self.upsample, *self.refine, *self.scale_convs, *self.scale_hidden, 1) < 1:
            raise SapiensError(f"The {self.task} head needs at least one upsampling stage, and positive numbers of channels.")
        if not self.outputs:
            object.__setattr__(self, "outputs", TASK_OUTPUTS[self.task])
        if not self.refine_kernel:
            object.__setattr__(self, "refine_kernel", 1 if self.task in DECONV_TASKS else 3)


@dataclass(frozen=True)
class Sapiens2Config:
    """One backbone and any number of heads. input_size is (height, width) of the images it was trained on."""

    backbone: BackboneConfig
    heads: tuple[HeadConfig, ...] = ()
    input_size: tuple[int, int] = (1024, 768)

    def __post_init__(self):
        tasks = [head.task for head in self.heads]
        if len(set(tasks)) != len(tasks):
            raise SapiensError(f"A network has one head per task, not {', '.join(tasks)}.")
        if any(side < 1 or side % self.backbone.token_side for side in self.input_size):
            raise SapiensError(f"The input size {self.input_size} is not a multiple of {self.backbone.token_side}.")

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(head.task for head in self.heads)

    @property
    def token_grid(self) -> tuple[int, int]:
        """(h, w) of the feature map at the input size."""
        side = self.backbone.token_side
        return self.input_size[0] // side, self.input_size[1] // side


# size: (D, L, H). The FFN is 4 D wide; the key/value heads are halved except in the first and last 8 blocks.
_BACKBONES = {
    "0.1b": (768, 12, 12),
    "0.4b": (1024, 24, 16),
    "0.8b": (1280, 32, 16),
    "1b": (1536, 40, 24),
    "1b-4k": (1536, 40, 24),
    "5b": (2432, 56, 32),
}
_TOKENIZER_DEPTH = {"1b-4k": 4}
_UNGROUPED = 8

_SHUFFLE = HeadConfig("normal", (768, 512, 256, 128), (64, 32, 16))
_HEADS = {
    "pose": {"": HeadConfig("pose", (1024, 768), (512, 512, 256)), "1b": HeadConfig("pose", (1536, 1024), (768, 512, 256))},
    "seg": {"": HeadConfig("seg", (512, 256, 128, 64), (64, 64))},
    "normal": {"": _SHUFFLE, "5b": HeadConfig("normal", (1536, 768, 512, 256), (128, 64, 32))},
    "albedo": {
        "": HeadConfig("albedo", _SHUFFLE.upsample, _SHUFFLE.refine),
        "5b": HeadConfig("albedo", (1536, 768, 512, 256), (64, 32, 16)),
    },
    "matting": {"": HeadConfig("matting", _SHUFFLE.upsample, _SHUFFLE.refine)},
    "pointmap": {
        "": HeadConfig("pointmap", (1536, 768, 512, 256), (64, 32, 16), scale_convs=(1536, 512, 128), scale_hidden=(512, 128)),
        "5b": HeadConfig("pointmap", (1536, 768, 768, 768), (128, 64, 32), scale_convs=(1536, 512, 128), scale_hidden=(512, 128)),
    },
}  # fmt: skip


def released_config(size: str, task: str = "pretrain") -> Sapiens2Config:
    """The configuration of a released checkpoint (albedo: of the published code, no weights were released).

    size  0.1b, 0.4b, 0.8b, 1b, 1b-4k or 5b; task  pretrain (no head) or a key of TASK_OUTPUTS. SapiensError for others.
    """
    if size not in _BACKBONES or task not in ("pretrain", *_HEADS):
        raise SapiensError(f"There is no Sapiens2 network of size {size!r} for {task!r}.", f"Sizes: {', '.join(_BACKBONES)}.")
    width, depth, heads = _BACKBONES[size]
    grouped = range(_UNGROUPED, depth - _UNGROUPED)
    backbone = BackboneConfig(
        width=width,
        depth=depth,
        heads=heads,
        ffn_width=4 * width,
        kv_heads=tuple(heads // 2 if block in grouped else heads for block in range(depth)),
        tokenizer_depth=_TOKENIZER_DEPTH.get(size, 0),
    )
    head = () if task == "pretrain" else (_HEADS[task].get(size, _HEADS[task][""]),)
    return Sapiens2Config(backbone, head, (4096, 3072) if backbone.tokenizer_depth else (1024, 768))
