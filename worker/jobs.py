"""The jobs that the worker knows. Results are plain JSON; arrays go through the files named in requests and results."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..core.common.errors import SapiensError
from ..core.common.memo import Memo
from .requests import (
    AnimateRequest,
    BuildRequest,
    DownloadRequest,
    FindRequest,
    ImportRequest,
    ImportWeightsRequest,
    Jobs,
    KeypointsRequest,
    PoseRequest,
    PredictRequest,
    RunRequest,
    TextureRequest,
)

if TYPE_CHECKING:
    from ..core.common.progress import Progress
    from ..core.formats.clip_files import ClipPoses

KEPT = Memo()
"""Of the photo that the artist works on: this process lives as long as they move sliders."""
BUILD_SECONDS = 3.0
"""What a build takes after the network, roughly; only the progress bar of a whole run depends on it."""


def predict(request: PredictRequest, progress: Progress) -> dict:
    """Gives "predictions", the file, and "size", width and height of the upright photo."""
    from ..infer.predict import predict as run

    boxes = None if request.boxes is None else np.array(request.boxes, np.float32)
    predictions = run(request.photo, boxes=boxes, progress=progress, **asdict(request.network))
    try:
        saved = predictions.save(request.output)
    except SapiensError as error:  # in the window, the folder of stored predictions is chosen and emptied in the preferences
        raise SapiensError(error.message, error.hint, error.remedy or "preferences") from error
    return {"predictions": str(saved), "size": [predictions.width, predictions.height]}


def build(request: BuildRequest, progress: Progress) -> dict:
    """Gives "avatars", a file for Blender to read, the "predictions" that it is made of, those of
    "others", the number of "people", and "notes"."""
    from ..core.avatar import make_avatars
    from ..core.common.pins import pinned
    from ..core.common.predictions import Predictions
    from ..core.formats.avatar_file import save_avatars
    from ..core.formats.previews import write_previews
    from ..core.formats.stored_inputs import load_named

    loaded = Predictions.load(request.predictions)
    settings = request.settings
    if request.photo is not None and settings.focal_35mm is None:
        from ..core.capture.photo import read_photo

        settings = replace(settings, focal_35mm=read_photo(request.photo).focal_35mm)
    if request.previews is not None and not any(request.previews.glob("*.png")):
        write_previews(loaded, request.previews)
    loaded = pinned(loaded, request.pins)
    avatars = make_avatars(loaded, request.name, settings, progress, KEPT, others=load_named(request.others))
    notes = list(dict.fromkeys(note for avatar in avatars for note in avatar.notes))
    return {
        "avatars": str(save_avatars(avatars, request.output, KEPT)),
        "predictions": str(request.predictions),
        "others": [str(path) for path in request.others],
        "people": len(avatars),
        "notes": notes,
    }


def run(request: RunRequest, progress: Progress) -> dict:
    """The result of `build`, after `predict`.

    A network takes a second or many minutes, a build about the same time every time. While the
    network runs, progress is the time it has taken over the time that it (at its pace so far) and the build will take together.
    So the time left that follows from it is right for every model.
    """
    start, share = time.monotonic(), 0.0

    def network(stage: str, fraction: float) -> None:
        nonlocal share
        spent = time.monotonic() - start
        share = spent * fraction / max(spent + BUILD_SECONDS * fraction, 1e-6)
        progress(stage, share)

    looks = [look for look in (request.predict, *request.others) if look is request.predict or not look.output.is_file()]
    notes, files = [], [look.output for look in request.others]
    for number, look in enumerate(looks):
        try:
            predict(look, partial(_part, network, number / len(looks), 1 / len(looks)))
        except SapiensError as error:
            if look is request.predict:
                raise
            files.remove(look.output)
            notes.append(f"{look.photo.name} was left out: {error.message}")
    result = build(replace(request.build, others=(*request.build.others, *files)), partial(_part, progress, share, 1 - share))
    return result | {"notes": [*notes, *result["notes"]]}


def import_files(request: ImportRequest, progress: Progress) -> dict:
    """Gives "made", a list of results of `build` with "name" and the folder of "previews", and "failed", sentences.

    SapiensError if nothing could be made.
    """
    from ..core.formats.import_groups import group_files, stored_name
    from ..core.formats.meta_demo import predictions_from_demo

    groups, problems = group_files(list(request.files), request.photo, request.beside)
    made = []
    for index, group in enumerate(groups):
        part = partial(_part, progress, index / len(groups), 1 / len(groups))
        try:
            source = group.files[0]
            if group.photo is not None:
                part("reading", 0.0)
                predictions = predictions_from_demo(group.photo, group.files)
                source = predictions.save(request.store / stored_name(group))
            previews = request.output / f"{index} previews"
            previews.mkdir()
            asked = BuildRequest(
                predictions=source,
                name=group.name,
                output=request.output / f"{index}.safetensors",
                settings=request.settings,
                previews=previews,
                photo=group.photo,
            )
            result = build(asked, part)
        except SapiensError as error:
            problems.append(error)
        else:
            made.append({**result, "name": group.name, "previews": str(previews)})
    if not made:
        nothing = SapiensError("No file was chosen.", "Choose predictions, or outputs of the demo scripts.")
        raise problems[0] if problems else nothing
    return {"made": made, "failed": [str(problem) for problem in problems]}


def _part(progress: Progress, start: float, share: float, stage: str, fraction: float) -> None:
    progress(stage, start + share * fraction)


def find(request: FindRequest, progress: Progress) -> dict:
    """Gives "boxes" of the people, pixels of the upright photo, left to right, and its "size", width and height."""
    from ..core.capture.people import find_people
    from ..infer.predict import predict as run

    seg = run(request.photo, progress=progress, **asdict(replace(request.network, tasks=("seg",)))).seg
    assert seg is not None  # it was asked for
    return {"boxes": [[float(x) for x in person.box] for person in find_people(seg)], "size": [seg.shape[1], seg.shape[0]]}


def pose(request: PoseRequest, progress: Progress) -> dict:
    """Gives "pose", a file for Blender to read."""
    from ..core.common.predictions import Predictions
    from ..core.formats.pose_file import save_pose
    from ..core.pose.lift import lift_pose

    progress("pose", 0.1)
    return {"pose": str(save_pose(lift_pose(Predictions.load(request.predictions), person=request.person), request.output))}


def texture(request: TextureRequest, progress: Progress) -> dict:
    """Gives "texture", a file for Blender to read, and "notes"."""
    from ..core.common.predictions import Predictions
    from ..core.formats.png import png_bytes
    from ..core.formats.stored_inputs import load_named
    from ..core.mesh_texture import texture_mesh
    from ..core.texture.artist_mesh import ArtistMesh

    predictions, mesh = Predictions.load(request.predictions), ArtistMesh.load(request.mesh)
    made = texture_mesh(mesh, predictions, request.settings, request.look, load_named(request.others), progress)
    images = {name: getattr(made.textures, name) for name in ("base_colour_srgb", "normal_tangent", "roughness")}
    files = {name: np.frombuffer(png_bytes(pixels), np.uint8) for name, pixels in images.items() if pixels is not None}
    return {"texture": str(replace(made, encoded=files).save(request.output)), "notes": list(made.notes)}


def animate(request: AnimateRequest, progress: Progress) -> dict:
    """Gives "take", a file for Blender to read, its number of "frames", in how many of them the person was "found",
    and "notes"."""
    from ..core.formats.clip_files import save_clip_poses, save_take
    from ..core.motion.take import make_take
    from ..infer.clip import clip_poses

    poses, again = _kept_poses(request)
    if poses is None:
        poses = clip_poses(
            request.clip,
            fps=request.fps,
            start=request.start,
            end=float("inf") if request.end is None else request.end,
            size=request.size,
            keep=request.keep,
            best=request.best,
            progress=progress,
            **asdict(request.network),
        )
        if request.poses is not None:
            save_clip_poses(poses, request.poses)
    progress("motion", 0.99)
    take = make_take(poses.frames, poses.fps, request.settings)
    notes = [*again, *poses.notes, *take.notes]
    return {"take": str(save_take(take, request.output)), "frames": len(take), "found": int(take.found.sum()), "notes": notes}


def _kept_poses(request: AnimateRequest) -> tuple[ClipPoses | None, tuple[str, ...]]:
    """The poses of an earlier look at the clip, None where there are none; a note where there was a file that cannot be read."""
    from ..core.formats.clip_files import load_clip_poses

    if request.poses is None or not request.poses.is_file():
        return None, ()
    try:
        return load_clip_poses(request.poses), ()
    except SapiensError:
        return None, (f"The kept poses of {request.clip.name} could not be read: the clip was looked at again.",)


def keypoints(request: KeypointsRequest, progress: Progress) -> dict:
    """Gives "pose", a file for Blender to read, and "notes"."""
    from ..core.formats.other_programs import foreign_pose
    from ..core.formats.pose_file import save_pose

    progress("pose", 0.1)
    found, notes = foreign_pose(request.file, request.person, request.size)
    return {"pose": str(save_pose(found, request.output)), "notes": list(notes)}


def download(request: DownloadRequest, progress: Progress) -> dict:
    """Gives "files", those of the model."""
    from ..weights.download import download_model

    rows = download_model(
        request.model, request.tasks, online=request.online, accept_licence=request.accept_licence, progress=progress
    )
    return {"files": [str(row.path) for row in rows]}


def import_weights(request: ImportWeightsRequest, progress: Progress) -> dict:
    """Gives "files", those that are in the models folder now."""
    from ..weights.store import import_model

    rows = import_model(request.path, link=request.link, accept_licence=request.accept_licence, progress=progress)
    return {"files": [str(row.path) for row in rows]}


JOBS: Jobs = {
    PredictRequest: predict,
    BuildRequest: build,
    RunRequest: run,
    ImportRequest: import_files,
    FindRequest: find,
    PoseRequest: pose,
    TextureRequest: texture,
    KeypointsRequest: keypoints,
    AnimateRequest: animate,
    DownloadRequest: download,
    ImportWeightsRequest: import_weights,
}
