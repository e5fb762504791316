"""Inside Blender, whose own Python has neither scipy nor torch: the worker process computes, and Blender writes what it made."""

from __future__ import annotations

import subprocess
import tempfile
from argparse import Namespace
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.common.errors import SapiensError
from ..core.formats.stored_inputs import demo_group, is_demo
from .console import Console

if TYPE_CHECKING:
    from ..core.avatar import AvatarSettings
    from ..core.common.arrays import Avatar, Pose
    from ..core.motion.take import Take
    from ..worker.client import Job

WITHOUT_BLENDER = ("predict", "models", "doctor", "batch")
"""Commands that the worker's Python runs whole: they write no Blender file, or (batch) start this Blender again to do so."""
POSE_TASKS = ("pose", "seg", "normal", "pointmap")
"""What poses are made of: where no scan is built, the network need not do more."""


def needed() -> bool:
    """Whether this Python lacks what computes scans and poses."""
    return any(find_spec(name) is None for name in ("scipy", "cv2", "PIL"))


def whole(arguments: list[str]) -> int:
    """Run a command in the worker's Python, with this process's input and output; its exit status."""
    from .. import jobs
    from ..core.common.processes import clean_environment

    command = [str(_python()), "-I", "-u", str(jobs.COMMAND_LINE), *arguments]
    if arguments[0] == "batch":
        command += jobs.this_blender()
    return subprocess.run(command, env=clean_environment()).returncode


def avatars_of(path: Path, options: Namespace, settings: AvatarSettings, console: Console) -> list[Avatar]:
    """The avatars of a photo, of a predictions file or of a demo output. Raises SapiensError as the stages do."""
    from ..core.formats.avatar_file import load_avatars

    with tempfile.TemporaryDirectory(prefix="sapiens2-") as folder:
        common = {"name": path.stem, "output": str(Path(folder) / "avatars"), "settings": asdict(settings)}
        if is_demo(path):
            result = _imported(path, folder, asdict(settings), console)
        elif path.suffix.lower() == ".safetensors":
            result = _run("build", path, {**common, "predictions": str(path.absolute())}, console)
        else:
            photo = {"photo": str(path.absolute()), "predictions": str(Path(folder) / "predictions.safetensors")}
            result = _run("run", path, {**common, **photo, **_network(options)}, console)
        return load_avatars(result["avatars"])


def take_of(source: Path, chosen: dict, settings: dict, keep: str | None, best: Path | None, console: Console) -> Take:
    """The motion of one person of a clip. Raises SapiensError as the stages do."""
    from ..core.formats.clip_files import load_take

    with tempfile.TemporaryDirectory(prefix="sapiens2-") as folder:
        finite = {name: value for name, value in chosen.items() if value is not None and value != float("inf")}
        arguments = {"clip": str(source.absolute()), "output": str(Path(folder) / "take"), "settings": settings, **finite}
        if keep:
            arguments["keep"] = str(Path(keep).absolute())
        if best is not None:
            arguments["best"] = str(best)
        result = _run("animate", source, arguments, console)
        for note in result["notes"]:
            console.note(note)
        return load_take(result["take"])


def pose_of(path: Path, person: int, options: Namespace, console: Console) -> Pose:
    """The pose of one person of a photo or of a predictions file. Raises SapiensError as the stages do."""
    from ..core.formats.other_programs import is_foreign
    from ..core.formats.pose_file import load_pose

    with tempfile.TemporaryDirectory(prefix="sapiens2-") as folder:
        predictions = path.absolute()
        if is_foreign(path):
            arguments = {"file": str(predictions), "person": person, "output": str(Path(folder) / "pose"), "size": options.size}
            result = _run("keypoints", path, arguments, console)
            for note in result["notes"]:
                console.note(note)
            return load_pose(result["pose"])
        if is_demo(path):
            predictions = _imported(path, folder, None, console)["predictions"]
        elif path.suffix.lower() != ".safetensors":
            predictions = Path(folder) / "predictions.safetensors"
            _run("predict", path, {"photo": str(path.absolute()), "output": str(predictions), **_network(options)}, console)
        arguments = {"predictions": str(predictions), "person": person, "output": str(Path(folder) / "pose")}
        return load_pose(_run("pose", path, arguments, console)["pose"])


def _imported(path: Path, folder: str, settings: dict | None, console: Console) -> dict:
    """What the worker makes of a demo output: its "avatars" and "predictions", in `folder`."""
    group = demo_group(path)
    arguments = {"files": [str(file.absolute()) for file in group.files], "photo": str(Path(str(group.photo)).absolute())}
    result = _run("import_files", path, {**arguments, "store": folder, "output": folder, "settings": settings}, console)
    return result["made"][0]


def _network(options: Namespace) -> dict:
    """The model options of the command line as arguments of `infer.predict.predict`."""
    names = {
        "model": "model",
        "tasks": "tasks",
        "device": "device",
        "precision": "precision",
        "box": "boxes",
        "flip": "flip_test",
    }
    return {argument: getattr(options, name) for name, argument in names.items() if getattr(options, name, None) is not None}


def _python() -> Path:
    from .. import jobs

    python = jobs.interpreter()
    if python is None:
        raise SapiensError(
            "Blender's own Python cannot compute this, and there is no runtime yet.",
            "Install the runtime in the sidebar, or set SAPIENS2_PYTHON to a Python that has sapiens2-avatar[predict].",
        )
    return python


def _run(kind: str, path: Path, arguments: dict, console: Console) -> dict:
    """Run one job in the worker and wait."""
    from .. import jobs
    from ..worker.client import Job, State

    _python()

    def report(job: Job) -> None:
        console.progress(path.name, job.stage, job.fraction)

    job = jobs.wait(jobs.submit(Job(kind, path.name, arguments)), on_progress=report)
    if job.state is State.FAILED:
        assert job.error is not None
        raise job.error
    return job.result
