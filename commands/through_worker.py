"""Inside Blender, whose own Python has neither scipy nor torch: the worker process computes, and Blender writes what it made."""

from __future__ import annotations

import math
import subprocess
import tempfile
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.common.errors import SapiensError
from ..infer.settings import NetworkSettings
from ..worker.requests import (
    AnimateRequest,
    BuildRequest,
    ImportRequest,
    KeypointsRequest,
    PoseRequest,
    PredictRequest,
    Request,
    RunRequest,
    TextureRequest,
)
from .console import Console

if TYPE_CHECKING:
    from ..core.common.arrays import Pose
    from ..core.common.avatars import Avatar
    from ..core.motion.settings import MotionSettings
    from ..core.motion.take import Take
    from ..core.settings import AvatarSettings
    from ..core.texture.artist_mesh import ArtistMesh, MeshTexture
    from ..core.texture.settings import MeshTextureSettings, TextureSettings

WITHOUT_BLENDER = ("predict", "models", "doctor", "batch", "person")
"""Commands that the worker's Python runs whole: they write no Blender file, or (batch) start this Blender again to do so."""


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


def avatars_of(
    path: Path, options: Namespace, settings: AvatarSettings, console: Console, others: Sequence[Path] = ()
) -> list[Avatar]:
    """The avatars of a photo, of a predictions file or of a demo output. Raises SapiensError as the stages do.

    others  predictions files of other photos of the largest person
    """
    from ..core.formats.avatar_file import load_avatars
    from ..core.formats.stored_inputs import is_demo

    with tempfile.TemporaryDirectory(prefix="sapiens2-") as folder:
        if is_demo(path):
            return load_avatars(_imported(path, Path(folder), settings, console)["avatars"])
        build = BuildRequest(predictions=path.absolute(), name=path.stem, output=Path(folder) / "avatars", settings=settings)
        build = replace(build, others=tuple(other.absolute() for other in others))
        if path.suffix.lower() == ".safetensors":
            return load_avatars(_run(build, path, console)["avatars"])
        look = _look(path, Path(folder), options)
        build = replace(build, predictions=look.output, photo=look.photo)
        return load_avatars(_run(RunRequest(predict=look, build=build), path, console)["avatars"])


def predictions_of(path: Path, output: Path, options: Namespace, console: Console) -> Path:
    """A file with the predictions of a photo, which is `output` where they are made first, of a predictions file or of a demo
    output. Raises SapiensError."""
    from ..core.formats.stored_inputs import is_demo

    if is_demo(path):
        return Path(_imported(path, output.parent, None, console)["predictions"])
    if path.suffix.lower() == ".safetensors":
        return path.absolute()
    look = replace(_look(path, output.parent, options), output=output)
    _run(look, path, console)
    return output


def take_of(
    source: Path, options: Namespace, network: NetworkSettings, settings: MotionSettings, best: Path | None, console: Console
) -> Take:
    """The motion of one person of a clip. best: file for the predictions of its fullest frame.
    Raises SapiensError as the stages do."""
    from ..core.formats.clip_files import load_take

    with tempfile.TemporaryDirectory(prefix="sapiens2-") as folder:
        request = AnimateRequest(
            clip=source.absolute(),
            output=Path(folder) / "take",
            settings=settings,
            network=network,
            fps=options.fps,
            start=options.start,
            end=options.end if math.isfinite(options.end) else None,
            size=options.size,
            keep=Path(options.keep).absolute() if options.keep else None,
            best=best,
        )
        result = _run(request, source, console)
        for note in result["notes"]:
            console.note(note)
        return load_take(result["take"])


def pose_of(path: Path, person: int, options: Namespace, console: Console) -> Pose:
    """The pose of one person of a photo or of a predictions file. Raises SapiensError as the stages do."""
    from ..core.formats.other_programs import is_foreign
    from ..core.formats.pose_file import load_pose
    from ..core.formats.stored_inputs import is_demo

    with tempfile.TemporaryDirectory(prefix="sapiens2-") as folder:
        predictions = path.absolute()
        if is_foreign(path):
            request = KeypointsRequest(file=predictions, output=Path(folder) / "pose", person=person, size=options.size)
            result = _run(request, path, console)
            for note in result["notes"]:
                console.note(note)
            return load_pose(result["pose"])
        if is_demo(path):
            predictions = Path(_imported(path, Path(folder), None, console)["predictions"])
        elif path.suffix.lower() != ".safetensors":
            look = _look(path, Path(folder), options)
            predictions = look.output
            _run(look, path, console)
        request = PoseRequest(predictions=predictions, output=Path(folder) / "pose", person=person)
        return load_pose(_run(request, path, console)["pose"])


def texture_of(
    mesh: ArtistMesh,
    files: Sequence[Path],
    settings: MeshTextureSettings,
    look: TextureSettings,
    console: Console,
) -> MeshTexture:
    """The photos of predictions files on a mesh of the artist, which stands in the first. Raises SapiensError."""
    from ..core.texture.artist_mesh import MeshTexture

    with tempfile.TemporaryDirectory(prefix="sapiens2-") as folder:
        request = TextureRequest(
            predictions=files[0].absolute(),
            mesh=mesh.save(Path(folder) / "mesh"),
            output=Path(folder) / "texture",
            settings=settings,
            look=look,
            others=tuple(file.absolute() for file in files[1:]),
        )
        return MeshTexture.load(_run(request, files[0], console)["texture"])


def _imported(path: Path, folder: Path, settings: AvatarSettings | None, console: Console) -> dict:
    """What the worker makes of a demo output: its "avatars" and "predictions", in `folder`."""
    from ..core.formats.stored_inputs import demo_group

    group = demo_group(path)
    assert group.photo is not None  # of every group of demo outputs
    request = ImportRequest(
        files=tuple(file.absolute() for file in group.files), store=folder, output=folder, photo=group.photo.absolute()
    )
    return _run(request if settings is None else replace(request, settings=settings), path, console)["made"][0]


def network_options(options: Namespace, tasks: tuple[str, ...] | None = None) -> NetworkSettings:
    """The model options of the command line. tasks: those that the command needs, unless some were asked for."""
    file = options.model.endswith(".safetensors")  # the worker has a working folder of its own
    return NetworkSettings(
        model=str(Path(options.model).absolute()) if file else options.model,
        tasks=options.tasks or tasks,
        device=options.device,
        precision=options.precision,
        flip_test=options.flip_test,
        draft=options.draft,
    )


def _look(photo: Path, folder: Path, options: Namespace) -> PredictRequest:
    """The predictions of a photo, as the command line asks for them, into a file in the folder."""
    return PredictRequest(
        photo=photo.absolute(),
        output=folder / "predictions.safetensors",
        network=network_options(options),
        boxes=None if options.box is None else tuple(options.box),
    )


def _python() -> Path:
    from .. import jobs

    python = jobs.interpreter()
    if python is None:
        raise SapiensError(
            "Blender's own Python cannot compute this, and there is no runtime yet.",
            "Install the runtime in the sidebar, or set SAPIENS2_PYTHON to a Python that has sapiens2-avatar[predict].",
        )
    return python


def _run(request: Request, path: Path, console: Console) -> dict:
    """Let the worker do what is asked about an input, and wait; the result of the job."""
    from .. import jobs
    from ..worker.client import WorkerJob
    from ..worker.job import State

    _python()

    def report(job: WorkerJob) -> None:
        console.progress(path.name, job.stage, job.fraction)

    job = jobs.wait(jobs.submit(WorkerJob(path.name, request)), on_progress=report)
    if job.state is State.FAILED:
        assert job.error is not None
        raise job.error
    return job.result
