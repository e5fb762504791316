"""How the network looks at a photo: see `core.common.settings`. Nothing here loads torch."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.common.settings import Choice, check_settings, setting

MODELS = (
    Choice("preview", "Preview", "Built in, runs anywhere in seconds, with any photo: a fitted body, for a first look"),
    Choice("0.4b", "Sapiens2 0.4B", "The smallest and fastest of the four"),
    Choice("0.8b", "Sapiens2 0.8B", "Better faces and hands, twice the time"),
    Choice("1b", "Sapiens2 1B", "Also has soft outlines (matting)"),
    Choice("5b", "Sapiens2 5B", "The best and the slowest: needs a graphics card with much memory"),
)
DEVICES = (
    Choice("auto", "Automatic", "The fastest device that this computer has"),
    Choice("cpu", "CPU", "Slow but always there, and uses main memory"),
    Choice("cuda", "CUDA or ROCm", "A graphics card by NVIDIA or AMD"),
    Choice("mps", "Metal", "The graphics processor of an Apple computer"),
    Choice("xpu", "XPU", "A graphics card by Intel"),
)
PRECISIONS = (
    Choice("auto", "Automatic", "The fastest that is exact enough on the device; depth and sums are in 32 bits"),
    Choice("float32", "Full", "32 bits: exact and slow"),
    Choice("bfloat16", "Half (bfloat16)", "Products in 16 bits: half the memory, and depth some millimeters off"),
    Choice("float16", "Half (float16)", "Products in 16 bits: half the memory, finer than bfloat16, but large values overflow"),
)


UNSAID = ("draft", False)
"""A setting that names and records of results leave out: those from before there were drafts are still found."""


@dataclass(frozen=True)
class NetworkSettings:
    """The arguments of `infer.predict.predict` that say how to look, whatever the photo.

    model   one of the choices, or the path of a safetensors file
    tasks   of `weights.catalogue.TASKS`; None = all that the model has
    device  one of the choices, or one of several cards: "cuda:1"
    """

    model: str = setting("preview", "Model", "What looks at the photo", choices=MODELS, open=True)
    tasks: tuple[str, ...] | None = setting(
        None, "Tasks", "Comma-separated list of what the model does; unless it is said, all that it can", kind=tuple
    )
    device: str = setting("auto", "Device", "What the model runs on", choices=DEVICES, open=True)
    precision: str = setting("auto", "Precision", "How exactly the model counts", choices=PRECISIONS)
    flip_test: bool = setting(
        True,
        "Look Twice",
        "Also look at the mirrored photo and average what is found: slower, steadier",
        option="no-flip",
    )
    draft: bool = setting(
        False, "Draft", "Look at half of the model's resolution: less than half of the time and rough, for slow machines"
    )

    def __post_init__(self) -> None:
        check_settings(self)
