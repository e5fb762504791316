"""Which weights files a model id stands for, and what is in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..core.common.errors import SapiensError
from ..weights.catalogue import find_checkpoint, fingerprint
from ..weights.header import read_header
from .model.loading import head_prefixes
from .tasks import TASKS


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
        """How the photo comes into the network for this task: "letterbox", "stretch" or "crop"."""
        geometry = TASKS[task].geometry
        return "letterbox" if self.letterbox and geometry == "stretch" else geometry


def _revision(path: Path, metadata: dict[str, str]) -> str:
    """The commit in a Hugging Face cache (``snapshots/<commit>/file``), the version in the metadata, or a digest."""
    if path.parent.parent.name == "snapshots":
        return path.parent.name
    return metadata.get("revision") or metadata.get("version") or fingerprint(path)[:16]


def find_checkpoints(model: str | Path, tasks: Iterable[str] | None) -> dict[str, Checkpoint]:
    """Task -> checkpoint, in the order of TASKS: the tasks asked for, or all that the model has.

    model  an id of a size in `weights.catalogue`, or the path of a safetensors file
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
    fetch = f"Download them with: models download {Path(model).name}."
    if missing := [task for task in wanted or () if task not in found]:
        raise SapiensError(
            f"The model {Path(model).name} has no weights for {', '.join(missing)} on this machine.",
            f"{fetch} Or leave these tasks out.",
        )
    if not found:
        raise SapiensError(f"The weights of {model} are not on this machine.", fetch)
    return found if wanted is None else {task: found[task] for task in wanted}


def _task_names(tasks: Iterable[str] | None) -> tuple[str, ...] | None:
    """The tasks asked for, in the order in which they run; None = all that there are."""
    if tasks is None:
        return None
    names = [name.strip() for name in (tasks.split(",") if isinstance(tasks, str) else tasks)]
    if unknown := [name for name in names if name not in TASKS]:
        raise SapiensError(f"There is no task {', '.join(map(repr, unknown))}.", f"Choose from {', '.join(TASKS)}.")
    if not names:
        raise SapiensError("No task was asked for.", f"Choose from {', '.join(TASKS)}.")
    return tuple(task for task in TASKS if task in names)
