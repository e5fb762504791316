"""safetensors file <-> Sapiens2.

The file's shapes say which network it is; every name and shape is checked before a weight is read.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from ...core.common.errors import SapiensError
from ...weights.header import CheckpointHeader, read_header
from .config import DECONV_TASKS, TASK_OUTPUTS, BackboneConfig, HeadConfig, Sapiens2Config
from .layers import in_low_precision
from .reading import HINT, STORED, TensorReader
from .sapiens import Sapiens2
from .streaming import BLOCKS, stream_blocks

PERIODS = "rope_embed.periods"
"""Stored by the original code, in bfloat16. They follow from the rotary base: checked, then computed anew in float32."""

Shapes = Mapping[str, tuple[int, ...]]


def load_model(
    path: str | Path,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    stream: bool = False,
    cancel: Callable[[], bool] | None = None,
) -> Sapiens2:
    """Sapiens2 network of a safetensors file with the original names, in eval mode and without gradients.

    path    one task (``backbone.*``, ``decode_head.*``), several (``decode_heads.<task>.*``), or a bare backbone without prefix
    device  where the weights go
    dtype   of its matrix products: float32, bfloat16 or float16; the rest of it is float32, see `layers.in_low_precision`
    stream  keep the weights of the backbone's blocks in the file: each block's are read when it is its turn and dropped after it,
            so that a network that is larger than the memory runs, with the same results
    cancel  asked between parameters; True ends the loading with Cancelled

    All sizes come from the shapes; the input size is 1024 x 768 (4K variant: 4096 x 3072) unless the metadata has input_height
    and input_width. On the CPU, weights whose dtype is the file's stay mapped from the file; others are converted as they are
    read: there is no second copy. Mapped weights count as memory while their part of the network runs. The file must stay in
    place while the network is used. SapiensError if the file is damaged or any name or shape is not Sapiens2's.
    """
    header, device = read_header(path), torch.device(device)
    names = parameter_names(header.shapes)
    config = config_from_shapes(
        {name: header.shapes[stored] for name, stored in names.items()}, header.metadata, header.path.name
    )
    with torch.device("meta"):
        model = Sapiens2(config)
    periods = f"backbone.{PERIODS}"
    parameters = {name: stored for name, stored in names.items() if name != periods}
    check_shapes(model, {name: header.shapes[stored] for name, stored in parameters.items()}, header.path.name)

    def wanted(name: str) -> torch.dtype:
        return dtype if in_low_precision(name) else torch.float32

    if periods in names:
        check_periods(model, TensorReader(header, names, torch.device("cpu"), wanted).read([periods])[periods], header)
    # Where the bulk of them is converted, the few that stay are copied: a touched page of the file brings its neighbours along.
    as_stored = all(STORED.get(header.dtypes[stored]) == dtype for name, stored in parameters.items() if in_low_precision(name))
    reader = TensorReader(header, parameters, device, wanted, mapped=as_stored and not stream, cancel=cancel)
    here = [name for name in parameters if not (stream and name.startswith(BLOCKS))]
    model.load_state_dict(reader.read(here), strict=not stream, assign=True)
    if stream:
        stream_blocks(model.backbone, reader)
    model.backbone.rope_embed.to(device)
    for part in (model.backbone, *map(model.head, model.tasks)):
        part.register_forward_hook(lambda module, *_: reader.forget_pages(module))
    return model.requires_grad_(False).eval()


def save_model(
    model: Sapiens2, path: str | Path, dtype: torch.dtype = torch.float32, metadata: Mapping[str, str] | None = None
) -> Path:
    """Write a network in the names of the original files, with its input size in the metadata. The file is whole or not there.

    Several heads are written as ``decode_heads.<task>.*``, none as a bare backbone without prefix. Returns the path.
    """
    path = Path(path)
    state = {name: value.detach().to("cpu", dtype).contiguous() for name, value in model.state_dict().items()}
    state[f"backbone.{PERIODS}"] = model.backbone.periods.detach().to("cpu", torch.bfloat16)
    if not model.tasks:
        state = {name.removeprefix("backbone."): value for name, value in state.items()}
    height, width = model.input_size
    notes = {**(metadata or {}), "format": "pt", "input_height": str(height), "input_width": str(width)}
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            save_file(state, unfinished, metadata=notes)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except (SafetensorError, OSError) as error:
        raise SapiensError(
            f"The weights could not be written to {path} ({error}).", "Check the free space and the permissions."
        ) from error
    return path


def parameter_names(shapes: Shapes) -> dict[str, str]:
    """Name in the network -> name in the file. They differ only in a bare backbone, whose file has no prefix."""
    if any(name.startswith("backbone.") for name in shapes):
        return {name: name for name in shapes}
    return {f"backbone.{name}": name for name in shapes}


def config_from_shapes(shapes: Shapes, metadata: Mapping[str, str], source: str) -> Sapiens2Config:
    """The configuration of the network that has parameters of these names and shapes.

    SapiensError if the essential ones are missing.
    """
    try:
        backbone = backbone_from_shapes(_part(shapes, "backbone."))
        heads = [head_from_shapes(_part(shapes, prefix), task) for task, prefix in head_prefixes(shapes).items()]
        size = (4096, 3072) if backbone.tokenizer_depth else (1024, 768)
        if "input_height" in metadata or "input_width" in metadata:
            size = int(metadata["input_height"]), int(metadata["input_width"])
        return Sapiens2Config(backbone, tuple(heads), size)
    except (KeyError, IndexError, ValueError, ZeroDivisionError) as error:
        first = ", ".join(list(shapes)[:3]) or "nothing"
        raise SapiensError(f"{source} is not a Sapiens2 network: {error} not found. It begins with {first}.", HINT) from error
    except SapiensError as error:
        raise SapiensError(f"{source} is not a Sapiens2 network. {error.message}", HINT) from error


def backbone_from_shapes(shapes: Shapes) -> BackboneConfig:
    """`shapes` without the prefix ``backbone.``"""
    width = shapes["cls_token"][-1]
    head_width = shapes["blocks.0.attn.q_norm.weight"][0]
    depth = _count(shapes, "blocks")
    return BackboneConfig(
        width=width,
        depth=depth,
        heads=width // head_width,
        kv_heads=tuple(shapes[f"blocks.{block}.attn.wk.weight"][0] // head_width for block in range(depth)),
        ffn_width=shapes["blocks.0.ffn.w3.weight"][1],
        patch=shapes["patch_embed.projection.weight"][-1],
        registers=shapes["storage_tokens"][1],
        tokenizer_depth=_count(_part(shapes, "tokenizer."), "blocks"),
        window=math.isqrt(shapes["tokenizer.local_pos_embed"][1] - 1) if "tokenizer.local_pos_embed" in shapes else 4,
    )


def head_prefixes(shapes: Shapes) -> dict[str, str]:
    """Task -> prefix of its head's parameters. The task of a single head is told by the name of its last layer."""
    multi = {name.split(".")[1] for name in shapes if name.startswith("decode_heads.")}
    if multi:
        if unknown := multi - set(TASK_OUTPUTS):
            raise SapiensError(f"It has heads of unknown tasks: {', '.join(sorted(unknown))}.")
        return {task: f"decode_heads.{task}." for task in TASK_OUTPUTS if task in multi}
    if not any(name.startswith("decode_head.") for name in shapes):
        return {}
    for task in TASK_OUTPUTS:
        if f"decode_head.conv_{task}.weight" in shapes:
            return {task: "decode_head."}
    raise SapiensError("Its head has no last layer of a known task (conv_pose, conv_seg, ...).")


def head_from_shapes(shapes: Shapes, task: str) -> HeadConfig:
    """`shapes` without the prefix of the head."""
    if task in DECONV_TASKS:
        upsample = tuple(shapes[f"deconv_layers.{3 * i}.weight"][1] for i in range(_count(shapes, "deconv_layers")))
    else:
        # A stage's convolution has four times the channels that are left after the shuffle.
        upsample = tuple(shapes[f"upsample_blocks.{i}.0.weight"][0] // 4 for i in range(_count(shapes, "upsample_blocks")))
    # Children of a stage are convolution, norm, activation: indices 0, 3, 6; only albedo's norms have parameters of their own.
    refine = _channels(shapes, "conv_layers")
    return HeadConfig(
        task,
        upsample,
        refine,
        outputs=shapes[f"conv_{task}.weight"][0],
        refine_kernel=shapes["conv_layers.0.weight"][-1] if refine else 0,
        scale_convs=_channels(shapes, "scale_conv_layers"),
        scale_hidden=_channels(shapes, "scale_final_layer", start=1, step=2)[:-1],
        scale_inputs=shapes["scale_final_layer.1.weight"][1] if "scale_final_layer.1.weight" in shapes else 0,
    )


def check_shapes(model: Sapiens2, shapes: Shapes, source: str) -> None:
    """SapiensError, naming the first names of each kind, if the file lacks, adds or misshapes a parameter of the network."""
    wanted = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    missing = [name for name in wanted if name not in shapes]
    extra = [name for name in shapes if name not in wanted]
    misshaped = [f"{n} {shapes[n]} instead of {wanted[n]}" for n in wanted if n in shapes and tuple(shapes[n]) != wanted[n]]
    problems = [
        f"{len(names)} {kind}: {', '.join(names[:3])}{', …' if len(names) > 3 else ''}"
        for kind, names in (("missing", missing), ("unexpected", extra), ("misshaped", misshaped))
        if names
    ]
    if problems:
        raise SapiensError(
            f"{source} does not fit the Sapiens2 network that its shapes describe. Parameters {'; '.join(problems)}.", HINT
        )


def check_periods(model: Sapiens2, stored: Tensor, header: CheckpointHeader) -> None:
    """SapiensError if the stored rotary periods are not, to the precision of bfloat16, those that the network computes."""
    periods = model.backbone.periods
    stored = stored.to(periods)
    if stored.shape != periods.shape or not torch.allclose(stored, periods, rtol=2**-7, atol=0):
        raise SapiensError(
            f"{header.path.name} was trained with another rotary embedding than Sapiens2's (periods differ).", HINT
        )


def _part(shapes: Shapes, prefix: str) -> dict[str, tuple[int, ...]]:
    return {name.removeprefix(prefix): shape for name, shape in shapes.items() if name.startswith(prefix)}


def _count(shapes: Shapes, prefix: str) -> int:
    """Number of different children of a module that have parameters."""
    return len({name.split(".")[1] for name in shapes if name.startswith(f"{prefix}.")})


def _channels(shapes: Shapes, prefix: str, start: int = 0, step: int = 3) -> tuple[int, ...]:
    """Output channels of the layers with the indices start, start + step, ... of a sequence, as far as there are any."""
    channels = []
    while shape := shapes.get(f"{prefix}.{start}.weight"):
        channels.append(shape[0])
        start += step
    return tuple(channels)
