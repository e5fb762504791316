"""The released checkpoints, and where their files are on this machine.

A model is a size ("0.4b") or the built-in "preview"; a checkpoint is one model for one task. Files are found in

- the models folder ($SAPIENS2_MODELS, else ``models`` in the user's data folder) and its subfolders: the layout of Meta's
  repository works as it is (``sapiens2_0.4b_pose.safetensors``)
- the Hugging Face cache (``models--facebook--sapiens2-pose-0.4b/snapshots/<commit>/model.safetensors``)
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..core.common.errors import SapiensError
from .header import CheckpointHeader
from .licence import PREVIEW_LICENCE, SAPIENS2_LICENCE, Licence, user_folder

PREVIEW = "preview"
PREVIEW_TASKS = ("seg", "normal", "pointmap", "albedo", "pose")
PREVIEW_FOLDER = Path(__file__).parent.parent / "data" / "landmarks"
PRETRAIN = "pretrain"
TASKS = ("pose", "seg", "normal", "pointmap", "albedo", "matting")
POSE_TASKS = ("pose", "seg", "normal", "pointmap")
"""What poses are made of: where nobody is built, the network need not see more."""
SIZES = {"0.1b": 768, "0.4b": 1024, "0.8b": 1280, "1b": 1536, "1b-4k": 1536, "5b": 2432}
"""Model id -> embedding width."""

# Parameters of each released file, counted from the published shapes; the stored rotary periods are not among them.
_PARAMETERS = {
    "pretrain": {"0.1b": 113_993_472, "0.4b": 395_450_368, "0.8b": 814_283_520, "1b": 1_455_474_176, "1b-4k": 1_606_588_928,
                 "5b": 5_066_902_976},
    "pose": {"0.4b": 425_677_364, "0.8b": 848_704_820, "1b": 1_519_780_148, "5b": 5_120_198_644},
    "seg": {"0.4b": 406_601_693, "0.8b": 827_531_997, "1b": 1_470_819_805, "5b": 5_089_588_637},
    "normal": {"0.4b": 453_357_731, "0.8b": 884_577_443, "1b": 1_539_334_307, "5b": 5_316_358_275},
    "pointmap": {"0.4b": 528_675_364, "0.8b": 967_366_180, "1b": 1_629_594_148, "5b": 5_348_345_860},
    "albedo": {"0.4b": 453_360_531, "0.8b": 884_580_499, "1b": 1_539_337_619, "5b": 5_316_147_155},
    "matting": {"1b": 1_539_334_324},
}  # fmt: skip
_UNPUBLISHED = ("albedo",)
_PERIODS = "rope_embed.periods"


@dataclass(frozen=True)
class ReleasedCheckpoint:
    """One row of the table.

    repository  on the Hugging Face Hub; None: the code was published, weights were not
    files       names that the file has there, the first one preferred
    parameters  numbers in the file, all float32
    """

    model: str
    task: str
    repository: str | None
    files: tuple[str, ...]
    parameters: int
    licence: Licence = SAPIENS2_LICENCE

    @property
    def size(self) -> int:
        """Bytes of the file, without its header of some 50 kB."""
        return 4 * self.parameters

    def describes(self, header: CheckpointHeader) -> bool:
        """Whether the file is this network: task by its last layer, size by its width and its number of parameters."""
        prefix = "" if self.task == PRETRAIN else "backbone."
        last_layer = "ln1.weight" if self.task == PRETRAIN else f"decode_head.conv_{self.task}.weight"
        width = header.shapes.get(f"{prefix}cls_token", (0,))[-1:]
        periods = sum(len_of[0] for name, len_of in header.shapes.items() if name.endswith(_PERIODS) and len(len_of) == 1)
        return last_layer in header.shapes and width == (SIZES[self.model],) and header.parameters - periods == self.parameters


CHECKPOINTS = {
    (model, task): ReleasedCheckpoint(
        model,
        task,
        None if task in _UNPUBLISHED else f"facebook/sapiens2-{task}-{model}",
        (f"sapiens2_{model}_{task}.safetensors", "model.safetensors"),
        parameters,
    )
    for task, sizes in _PARAMETERS.items()
    for model, parameters in sizes.items()
}


@dataclass(frozen=True)
class ModelRow:
    """One line of `models list`. path is None where it is not installed; size in bytes, of the file where there is one."""

    model: str
    task: str
    path: Path | None
    size: int
    parameters: int
    repository: str | None
    licence: str


def models_folder() -> Path:
    """Where downloaded and imported weights go."""
    chosen = os.environ.get("SAPIENS2_MODELS")
    return Path(chosen).expanduser() if chosen else user_folder() / "models"


def hub_cache() -> Path:
    """The cache of huggingface_hub, by the rules of its documentation, without importing it."""
    for name, inside in (("HF_HUB_CACHE", ""), ("HUGGINGFACE_HUB_CACHE", ""), ("HF_HOME", "hub")):
        if value := os.environ.get(name):
            return Path(value).expanduser() / inside
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "huggingface" / "hub"


def find_checkpoint(model: str, task: str) -> Path | None:
    """The installed file of a model for a task, None if there is none: the built-in model has networks, but no checkpoint.
    SapiensError for a model that does not exist."""
    if model == PREVIEW:
        return None
    if model not in SIZES:
        raise SapiensError(f"There is no model named {model!r}.", f"Choose from {', '.join([PREVIEW, *SIZES])}.")
    checkpoint = CHECKPOINTS.get((model, task))
    return None if checkpoint is None else next(_places(checkpoint), None)


def list_models(pretrained: bool = False) -> list[ModelRow]:
    """Every checkpoint, installed or not; unpublished ones only where installed, bare backbones only if asked for."""
    size = sum(path.stat().st_size for path in _preview_files())
    licence = PREVIEW_LICENCE.name
    # Two bytes a number.
    rows = [ModelRow(PREVIEW, task, PREVIEW_FOLDER, size, size // 2, None, licence) for task in TASKS if task in PREVIEW_TASKS]
    for model in SIZES:
        for task in (*TASKS, *((PRETRAIN,) if pretrained else ())):
            checkpoint = CHECKPOINTS.get((model, task))
            path = find_checkpoint(model, task)
            if checkpoint is not None and (path is not None or checkpoint.repository is not None):
                rows.append(row_of(checkpoint, path))
    return rows


def row_of(checkpoint: ReleasedCheckpoint, path: Path | None) -> ModelRow:
    """A line for a checkpoint whose file is at `path`."""
    size = path.stat().st_size if path is not None else checkpoint.size
    return ModelRow(
        checkpoint.model, checkpoint.task, path, size, checkpoint.parameters, checkpoint.repository, checkpoint.licence.name
    )


def identify(header: CheckpointHeader) -> ReleasedCheckpoint | None:
    """The row of the table that the file is, whatever its name; None for a network that was not released."""
    return next((checkpoint for checkpoint in CHECKPOINTS.values() if checkpoint.describes(header)), None)


def choose(model: str, tasks: tuple[str, ...] | None = None) -> list[ReleasedCheckpoint]:
    """The published checkpoints of a model for the tasks, None = all but the bare backbone. SapiensError where there is none."""
    if model == PREVIEW:
        raise SapiensError("The preview model is built in.", "There is nothing to fetch for it.")
    if model not in SIZES:
        raise SapiensError(f"There is no model named {model!r}.", f"Choose from {', '.join(SIZES)}.")
    published = {task: c for (size, task), c in CHECKPOINTS.items() if size == model and c.repository is not None}
    if tasks is None:
        tasks = tuple(task for task in published if task != PRETRAIN)
    if missing := [task for task in tasks if task not in published]:
        raise SapiensError(
            f"No {model} weights for {', '.join(missing)} were published.", f"Published for {model}: {', '.join(published)}."
        )
    if not tasks:
        raise SapiensError(f"Only the bare backbone of {model} was published.", f"Ask for it with --tasks {PRETRAIN}.")
    return [published[task] for task in tasks]


def fingerprint(model: str | Path) -> str:
    """What tells these weights from others: SHA-256 over the headers, sizes and samples of the files of a model or of one file.

    Reads at most 4 MB of each file. Empty where nothing is installed.
    """
    if Path(model).suffix == ".safetensors":
        paths = [Path(model)] if Path(model).is_file() else []
    elif model == PREVIEW:
        paths = [*_preview_files(), PREVIEW_FOLDER.parent / "body.npz"]
    else:
        paths = [path for task in TASKS if (path := find_checkpoint(str(model), task)) is not None]
    if not paths:
        return ""
    digest = hashlib.sha256()
    for path in dict.fromkeys(paths):
        digest.update(_sample(path))
    return digest.hexdigest()


def _preview_files() -> list[Path]:
    """The networks of the built-in model."""
    return sorted(PREVIEW_FOLDER.glob("*.tflite*"))


def _sample(path: Path, parts: int = 64, length: int = 65536) -> bytes:
    """Digest of the size and of evenly spaced parts of a file; the first part holds the beginning of the header."""
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        for i in range(parts):
            file.seek(i * max(size - length, 0) // (parts - 1))
            digest.update(file.read(length))
    return digest.digest()


def _places(checkpoint: ReleasedCheckpoint) -> Iterator[Path]:
    """Files of a checkpoint, the preferred place first."""
    folder = models_folder()
    own = folder / checkpoint.files[0]
    if own.is_file():
        yield own
    if folder.is_dir():
        yield from sorted(path for path in folder.rglob(checkpoint.files[0]) if path != own and path.is_file())
    if checkpoint.repository is None:
        return
    cached = hub_cache() / f"models--{checkpoint.repository.replace('/', '--')}"
    for snapshot in _snapshots(cached):
        yield from (snapshot / name for name in checkpoint.files if (snapshot / name).is_file())


def _snapshots(cached: Path) -> list[Path]:
    """Snapshots of a repository in the Hugging Face cache: the one that ``main`` points to first, then the newest."""
    try:
        snapshots = sorted((cached / "snapshots").iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    except OSError:
        return []
    try:
        main = (cached / "refs" / "main").read_text("ascii").strip()
    except (OSError, ValueError):
        main = ""
    return sorted(snapshots, key=lambda path: path.name != main)
