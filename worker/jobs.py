"""The jobs that the worker knows. Arguments and results are plain JSON; arrays go through the files named in them."""

from __future__ import annotations

import time
from dataclasses import fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.common.errors import SapiensError
from ..core.common.memo import Memo

if TYPE_CHECKING:
    from ..core.formats.clip_files import ClipPoses
    from ..core.common.progress import Progress

KEPT = Memo()
"""Of the photo that the artist works on: this process lives as long as they move sliders."""
BUILD_SECONDS = 3.0
"""What a build takes after the network, roughly; only the progress bar of a whole run depends on it."""


def predict(photo: str, output: str, progress: Progress, **options: Any) -> dict:
    """Run the network on `photo` and write the predictions file `output`. `options` are those of `infer.predict.predict`."""
    from ..infer.predict import predict as run

    predictions = run(photo, progress=progress, **options)
    try:
        saved = predictions.save(output)
    except SapiensError as error:  # in the window, the folder of stored predictions is chosen and emptied in the preferences
        raise SapiensError(error.message, error.hint, error.remedy or "preferences") from error
    return {"predictions": str(saved), "size": [predictions.width, predictions.height]}


def build(
    predictions: str,
    name: str,
    output: str,
    progress: Progress,
    settings: dict | None = None,
    previews: str = "",
    photo: str = "",
) -> dict:
    """Make the avatars of a predictions file and write them to `output` for Blender to read.

    previews  a folder for small pictures of the maps, unless they are there already
    photo     where the predictions come from; its EXIF may state the lens, unless the settings do
    """
    from ..core.avatar import AvatarSettings, make_avatars
    from ..core.common.predictions import Predictions
    from ..core.formats.avatar_file import save_avatars
    from ..core.formats.previews import write_previews

    loaded = Predictions.load(predictions)
    chosen = apply_settings(AvatarSettings(), settings or {})
    if photo and chosen.focal_35mm is None:
        from ..core.capture.photo import read_photo

        chosen = replace(chosen, focal_35mm=read_photo(photo).focal_35mm)
    if previews and not any(Path(previews).glob("*.png")):
        write_previews(loaded, Path(previews))
    avatars = make_avatars(loaded, name, chosen, progress, KEPT)
    notes = list(dict.fromkeys(note for avatar in avatars for note in avatar.notes))
    return {
        "avatars": str(save_avatars(avatars, output, KEPT)),
        "predictions": predictions,
        "people": len(avatars),
        "notes": notes,
    }


def run(
    photo: str,
    predictions: str,
    name: str,
    output: str,
    progress: Progress,
    settings: dict | None = None,
    previews: str = "",
    **options: Any,
) -> dict:
    """`predict`, then `build`.

    A network takes a second or many minutes, a build about the same time every time: the progress of the former is that of the
    whole if it goes on at its pace, so that the time left that follows from it is right for every model.
    """
    start, share = time.monotonic(), 0.0

    def network(stage: str, fraction: float) -> None:
        nonlocal share
        spent = time.monotonic() - start
        share = spent * fraction / max(spent + BUILD_SECONDS * fraction, 1e-6)
        progress(stage, share)

    predict(photo, predictions, network, **options)
    later = partial(_part, progress, share, 1 - share)
    return build(predictions, name, output, later, settings, previews, photo)


def import_files(
    files: list[str],
    store: str,
    output: str,
    progress: Progress,
    settings: dict | None = None,
    photo: str = "",
    beside: bool = True,
) -> dict:
    """`build` for every scene that `files` hold: predictions of ours, and outputs of the demo scripts.

    store    folder for the predictions that are made of demo outputs
    output   folder for the avatars and previews
    photo    the photo of the demo outputs, beside: see `core.formats.import_groups.group_files`
    The result has "made", a list of results of `build` with "name" and the folder of "previews", and "failed", sentences.
    SapiensError if nothing could be made.
    """
    from ..core.formats.import_groups import group_files, stored_name
    from ..core.formats.meta_demo import predictions_from_demo

    groups, problems = group_files([Path(file) for file in files], Path(photo) if photo else None, beside)
    made = []
    for index, group in enumerate(groups):
        part = partial(_part, progress, index / len(groups), 1 / len(groups))
        try:
            source = group.files[0]
            if group.photo is not None:
                part("reading", 0.0)
                predictions = predictions_from_demo(group.photo, group.files)
                source = predictions.save(Path(store) / stored_name(group))
            previews = Path(output) / f"{index} previews"
            previews.mkdir()
            target = str(Path(output) / f"{index}.safetensors")
            result = build(str(source), group.name, target, part, settings, str(previews), str(group.photo or ""))
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


def find(photo: str, progress: Progress, **options: Any) -> dict:
    """Look for the people in a photo: their boxes, pixels of the upright photo, left to right, and its width and height."""
    from ..core.capture.people import find_people
    from ..infer.predict import predict as run

    seg = run(photo, tasks=("seg",), progress=progress, **options).seg
    assert seg is not None  # it was asked for
    return {"boxes": [[float(x) for x in person.box] for person in find_people(seg)], "size": [seg.shape[1], seg.shape[0]]}


def pose(predictions: str, person: int, output: str, progress: Progress) -> dict:
    """The 3D joints of one person of a predictions file, written to `output` for Blender to read."""
    from ..core.common.predictions import Predictions
    from ..core.formats.pose_file import save_pose
    from ..core.pose.lift import lift_pose

    progress("pose", 0.1)
    return {"pose": str(save_pose(lift_pose(Predictions.load(predictions), person=person), output))}


def animate(
    clip: str,
    output: str,
    progress: Progress,
    poses: str = "",
    keep: str = "",
    best: str = "",
    settings: dict | None = None,
    size: list[int] | None = None,
    **options: Any,
) -> dict:
    """The motion of one person of a clip, written to `output` for Blender to read.

    poses     file that the poses of all frames are kept in: if it can be read, neither the clip nor the network is needed again
    keep      folder for the predictions of the frames
    best      file for the predictions of the frame that shows most of a person
    settings  of `core.motion.take.MotionSettings`;  options  of `infer.clip.clip_poses`
    """
    from ..core.formats.clip_files import save_clip_poses, save_take
    from ..core.motion.take import MotionSettings, make_take
    from ..infer.clip import clip_poses

    found, again = _kept_poses(poses, clip)
    if found is None:
        folder = Path(keep) if keep else None
        chosen = {"size": (size[0], size[1])} if size else {}
        found = clip_poses(clip, keep=folder, best=Path(best) if best else None, progress=progress, **chosen, **options)
        if poses:
            save_clip_poses(found, poses)
    progress("motion", 0.99)
    take = make_take(found.frames, found.fps, apply_settings(MotionSettings(), settings or {}))
    notes = [*again, *found.notes, *take.notes]
    return {"take": str(save_take(take, output)), "frames": len(take), "found": int(take.found.sum()), "notes": notes}


def _kept_poses(path: str, clip: str) -> tuple[ClipPoses | None, tuple[str, ...]]:
    """The poses of an earlier look at the clip, None where there are none; a note where there was a file that cannot be read."""
    from ..core.formats.clip_files import load_clip_poses

    if not path or not Path(path).is_file():
        return None, ()
    try:
        return load_clip_poses(path), ()
    except SapiensError:
        return None, (f"The kept poses of {Path(clip).name} could not be read: the clip was looked at again.",)


def keypoints(file: str, person: int, output: str, progress: Progress, size: list[int] | None = None) -> dict:
    """The 3D joints of one person in another program's keypoint file, written to `output` for Blender to read."""
    from ..core.formats.other_programs import foreign_pose
    from ..core.formats.pose_file import save_pose

    progress("pose", 0.1)
    pose, notes = foreign_pose(file, person, (size[0], size[1]) if size else None)
    return {"pose": str(save_pose(pose, output)), "notes": list(notes)}


def download(model: str, online: bool, accept_licence: bool, progress: Progress, tasks: list[str] | None = None) -> dict:
    """Fetch the weights of a model."""
    from ..weights.download import download_model

    chosen = None if tasks is None else tuple(tasks)
    rows = download_model(model, chosen, online=online, accept_licence=accept_licence, progress=progress)
    return {"files": [str(row.path) for row in rows]}


def import_weights(path: str, link: bool, accept_licence: bool, progress: Progress) -> dict:
    """Take weights from a file or folder of this computer."""
    from ..weights.store import import_model

    rows = import_model(path, link=link, accept_licence=accept_licence, progress=progress)
    return {"files": [str(row.path) for row in rows]}


def apply_settings(default: Any, values: dict[str, Any]) -> Any:
    """Settings with the values of a nested dict of the same names in place of the defaults.

    Raises SapiensError for a foreign name.
    """
    known = {f.name for f in fields(default)}
    unknown = values.keys() - known
    if unknown:
        raise SapiensError(f"Unknown setting {', '.join(sorted(unknown))}.", "Restart Blender after an update.")
    changes = {}
    for name, value in values.items():
        current = getattr(default, name)
        changes[name] = apply_settings(current, value) if is_dataclass(current) and isinstance(value, dict) else value
    return replace(default, **changes)


JOBS = {
    "predict": predict,
    "build": build,
    "run": run,
    "import_files": import_files,
    "find": find,
    "pose": pose,
    "keypoints": keypoints,
    "animate": animate,
    "download": download,
    "import": import_weights,
}
