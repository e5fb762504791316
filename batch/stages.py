"""The work of a batch on one input or one group of photos, as functions that a worker process calls.

Every function writes whole files only and updates the report of its input; what it raises ends in that report, not in the batch.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.avatar import make_avatars
from ..core.common.atomic_files import atomic_write
from ..core.common.errors import SapiensError
from ..core.common.predictions import Predictions
from ..core.formats.avatar_file import save_avatars
from ..core.formats.clip_files import load_clip_poses, save_clip_poses, save_take
from ..core.formats.stored_inputs import focal_of, is_demo, is_stored, load_stored
from ..core.motion.take import make_take, who_moves
from ..weights.catalogue import PREVIEW as PREVIEW_MODEL
from .blender import Blender, BlenderDied, BlenderProcess
from .items import PREDICTIONS, Item
from .one_person import left_out, other_photos, predict_person
from .plan import PREDICT, PREVIEW, SCENE, Plan
from .record import Record, load, save

if TYPE_CHECKING:
    from ..infer.session import Session

PICTURE_HEIGHT = 384
POSES = ".poses.safetensors"


@dataclass(frozen=True)
class InputJob:
    """One input and what is still to do for it: stage -> key."""

    item: Item
    folder: Path
    todo: dict[str, str]

    def file(self, suffix: str) -> Path:
        return self.folder / f"{self.item.name}{suffix}"

    def record(self) -> Record:
        """The report of this input as it stands, without a former failure."""
        found = load(self.folder)
        if found is None or found.sha256 != self.item.sha256:
            return Record(str(self.item.path), self.item.sha256)
        return replace(found, input=str(self.item.path), error="", hint="", failed_key="", copy_of="")

    def left(self) -> InputJob:
        """The same without the stages that are done: a call that was cut off is made again, by this process or another one."""
        record = self.record()
        return replace(self, todo={s: key for s, key in self.todo.items() if not record.is_done(s, key, self.folder)})


def fail(job: InputJob, stage: str, error: SapiensError) -> None:
    """Write the reason why a stage failed into the input's report."""
    record = replace(job.record(), error=error.message, hint=error.hint, failed_key=job.todo.get(stage, ""))
    save(job.folder, record)


def predict_group(jobs: list[InputJob], plan: Plan) -> Iterator[tuple[InputJob, SapiensError | None]]:
    """Run the network on a group of photos; yields each job when its file is written or has failed.

    The network stays loaded for the next group. One result is written while the network works on the next photo.
    """
    ready = [job for job in jobs if PREDICT in job.todo]
    for job in (job for job in ready if is_stored(job.item.path)):
        yield job, _attempt(job, PREDICT, _copy_predictions)
    for job in (job for job in ready if job.item.clip):
        yield job, _attempt(job, PREDICT, partial(_predict_clip, plan=plan))
    for job in (job for job in ready if job.item.photos):
        yield job, _attempt(job, PREDICT, partial(_predict_person, plan=plan))
    photos = [job for job in ready if not job.item.clip and not job.item.photos and not is_stored(job.item.path)]
    if not photos:
        return
    with ThreadPoolExecutor(1) as writer:
        writing: Future | None = None
        for job, result in zip(photos, _looked_at([job.item.path for job in photos], plan), strict=True):
            if writing is not None:
                yield writing.result()
            writing = writer.submit(_write_predictions, job, result)
        if writing is not None:
            yield writing.result()


def _looked_at(photos: Sequence[Path], plan: Plan) -> Iterator[Predictions | SapiensError]:
    """What the network sees in each photo, in turn; it stays loaded."""
    from ..infer.predict import predict_many

    options = plan.network
    return predict_many(
        photos,
        None if options.model == PREVIEW_MODEL else _session(options.device, options.precision, options.draft),
        model=options.model,
        tasks=options.tasks,
        flip_test=options.flip_test,
    )


def _predict_person(job: InputJob, plan: Plan) -> list[Path]:
    return predict_person(job.item, job.folder, partial(_looked_at, plan=plan))


def _predict_clip(job: InputJob, plan: Plan) -> list[Path]:
    """Everybody's poses in each frame, and the predictions of the frame that shows most of somebody, to build them from."""
    from ..infer.clip import clip_poses

    options = plan.network
    clip = clip_poses(
        job.item.path,
        fps=plan.clip.fps,
        start=plan.clip.start,
        end=plan.clip.end,
        best=job.file(PREDICTIONS),
        model=options.model,
        tasks=options.tasks,
        device=options.device,
        precision=options.precision,
        flip_test=options.flip_test,
        draft=options.draft,
    )
    with tempfile.TemporaryDirectory(prefix=".sapiens2-", dir=job.folder) as folder:
        written = save_clip_poses(clip, Path(folder) / "poses")
        with written.open("rb") as source, atomic_write(job.file(POSES)) as file:
            shutil.copyfileobj(source, file)
    return [job.file(PREDICTIONS), job.file(POSES)]


@lru_cache(maxsize=1)
def _session(device: str, precision: str, draft: bool) -> Session:
    """The session of this process, which keeps the checkpoints that it has loaded."""
    from ..infer.session import Session

    return Session(device, precision, keep=True, draft=draft)


def _write_predictions(job: InputJob, result: Predictions | SapiensError) -> tuple[InputJob, SapiensError | None]:
    """What the network gave into the input's folder: the file, or the reason."""
    if isinstance(result, SapiensError):
        fail(job, PREDICT, result)
        return job, result
    return job, _attempt(job, PREDICT, lambda job: [result.save(job.file(PREDICTIONS))])


def finish(job: InputJob, plan: Plan) -> SapiensError | None:
    """Scene, exports and picture of one input whose predictions are written; None = all done."""
    later = {stage: partial(_output, stage=stage, plan=plan) for stage in job.todo if stage not in (PREDICT, SCENE)}
    if SCENE in job.todo:
        work = {SCENE: partial(_scene, plan=plan), **later}
    elif later:
        try:
            if "blend" in plan.make:
                blender(plan)("load", path=str(job.file(".blend").absolute()))
            else:
                _open_scene(job, plan)
        except SapiensError as error:
            fail(job, next(iter(later)), error)
            return error
        work = later
    else:
        return None
    for stage, make in work.items():
        if error := _attempt(job, stage, make):
            return error
    return None


def write_library(files: list[Path], path: Path, plan: Plan) -> Path:
    """One .blend with the collections of all results, on a grid and marked as assets. For a worker process. Raises SapiensError.

    What Blender has to say about it goes to stderr.
    """
    try:
        written = blender(plan)("library", files=[str(file.absolute()) for file in files], path=str(path.absolute()))
    except BlenderDied as error:
        raise SapiensError(
            "Blender ended while it gathered the results.", "It may need more memory than there is: gather fewer of them."
        ) from error
    for note in written["notes"]:
        sys.stderr.write(f"{note}\n")
    return path


def blender(plan: Plan) -> Blender:
    """What takes the steps of `scene.batch_steps`, in this process or in a Blender of its own.

    Raises SapiensError when there is none.
    """
    return _started(plan.blender)


@lru_cache(maxsize=1)
def _started(command: str) -> Blender:
    if command:
        return BlenderProcess(command)
    if find_spec("bpy") is None:
        raise SapiensError(
            "Writing a .blend file needs Blender.",
            "Give one with --blender, install sapiens2-avatar[blender], or leave it out with --no-blend --no-picture.",
        )
    from ..scene.batch_steps import call

    return call


def _attempt(job: InputJob, stage: str, work: Callable[[InputJob], list[Path]]) -> SapiensError | None:
    """Run work(job) -> files it made, and write into the report that the stage is done, or why not."""
    try:
        job.folder.mkdir(parents=True, exist_ok=True)
        files = work(job)
        record = job.record()
        record.done(stage, job.todo[stage], files)
        save(job.folder, record)
    except SapiensError as error:
        fail(job, stage, error)
        return error
    return None


def _copy_predictions(job: InputJob) -> list[Path]:
    """Stored predictions are an input like any other: checked, then kept beside what is made of them."""
    predictions = load_stored(job.item.path)
    target = job.file(PREDICTIONS)
    if is_demo(job.item.path):
        return [predictions.save(target)]
    with job.item.path.open("rb") as source, atomic_write(target) as file:
        shutil.copyfileobj(source, file)
    return [target]


def _scene(job: InputJob, plan: Plan) -> list[Path]:
    """The .blend file, and the notes about it in the report."""
    _open_scene(job, plan)
    path = job.file(".blend")
    saved = blender(plan)("save", path=str(path.absolute()))
    if saved["notes"]:
        record = job.record()
        save(job.folder, replace(record, notes=list(dict.fromkeys([*record.notes, *saved["notes"]]))))
    return [path]


def _open_scene(job: InputJob, plan: Plan) -> None:
    """Build the result in the open file, and write the notes about it into the report."""
    settings = plan.avatar
    predictions = Predictions.load(job.file(PREDICTIONS))
    others: dict[str, Predictions] = {}
    if job.item.photos:
        others = other_photos(job.item, job.folder, list(job.record().stages[PREDICT]["files"]))
    elif settings.focal_35mm is None and not job.item.clip:  # what photos of a person state is in their predictions
        settings = replace(settings, focal_35mm=focal_of(job.item.path))
    avatars = make_avatars(predictions, job.item.name, settings, others=others)
    take = None
    clip_notes: tuple[str, ...] = ()
    if job.item.clip:
        clip = load_clip_poses(job.file(POSES))
        take, clip_notes = make_take(clip.frames, clip.fps), clip.notes
        if (moving := who_moves(avatars, take, job.item.name)) is None:
            raise SapiensError(
                "No rig could be made of the person in the clip.", "Keep the rig (without --no-rig), or use another clip."
            )
        avatars = [moving]
    elif job.item.photos:
        avatars = [max(avatars, key=lambda avatar: avatar.pixels)]
    elif plan.people:
        largest = sorted(avatars, key=lambda avatar: -avatar.pixels)[: plan.people]
        avatars = [avatar for avatar in avatars if any(avatar is kept for kept in largest)]
    notes = list(dict.fromkeys([*left_out(predictions), *(note for avatar in avatars for note in avatar.notes)]))
    with tempfile.TemporaryDirectory(prefix=".sapiens2-", dir=job.folder) as folder:
        place = Path(folder).absolute()
        handed = str(save_avatars(avatars, place / "avatars")) if plan.blender else avatars
        blender(plan)("build", avatars=handed, name=job.item.name, pieces=plan.separate)
        if take is not None:
            moved = blender(plan)("animate", take=str(save_take(take, place / "take")), name=job.item.name)
            notes += [*clip_notes, *moved["notes"]]
    save(job.folder, replace(job.record(), notes=list(dict.fromkeys(notes))))


def _output(job: InputJob, stage: str, plan: Plan) -> list[Path]:
    """The picture, or an export, of the scene that is open."""
    if stage != PREVIEW:
        blender(plan)("write", path=str(job.file(stage).absolute()))
        return [job.file(stage)]
    from .picture import compose_picture, view_size

    width, height = view_size(PICTURE_HEIGHT)
    with tempfile.TemporaryDirectory(prefix=".sapiens2-", dir=job.folder) as folder:
        view = Path(folder).absolute() / "view.png"
        seen = blender(plan)("view", path=str(view), width=width, height=height)
        bones = np.array(seen["bones"], np.float64).reshape(-1, 2, 2)
        return [compose_picture(job.file(".png"), Predictions.load(job.file(PREDICTIONS)).image, view, bones)]
