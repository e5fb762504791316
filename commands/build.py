"""`build IMAGE|PREDICTIONS… -o FILE.blend`: avatar or scan, camera and rig of each input, each in its own collection."""

from __future__ import annotations

import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.common.errors import SapiensError, UsageError
from ..core.formats.export_formats import STILL
from . import through_worker
from .console import Console
from .inputs import check_blend, check_writable, distinct, name_of, predictions_files, predictions_of
from .options import (
    add_build,
    add_network,
    add_separate,
    avatar_settings,
    check_avatar_is_made,
    check_known_person,
    check_one_person,
    check_scan_is_made,
)

if TYPE_CHECKING:
    from ..core.common.avatars import Avatar, BodyData
    from ..core.settings import AvatarSettings

HELP = "Whole people (or scans), camera and rig from photos or stored predictions."


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="IMAGE|PREDICTIONS",
        help="photos, stored predictions, or what Meta's demo scripts wrote (.npy, .ply, .json; the photo beside it)",
    )
    parser.add_argument("-o", "--output", required=True, metavar="FILE.blend")
    parser.add_argument(
        "--export",
        action="append",
        default=[],
        metavar="FILE.glb|.fbx|.usd|.obj|.ply|.json|.exr",
        help="also write this file (.json: the camera, .exr: the displacement in metres); repeatable",
    )
    parser.add_argument("--cloud", metavar="FILE.ply", help="also write the vertices as a point cloud with normals and colours")
    add_separate(parser)
    parser.add_argument("--preview", metavar="FILE.png", help="also render a picture of the result")
    parser.add_argument(
        "--one-person",
        action="store_true",
        help="all inputs show one person: one avatar, in the pose of the first photo and in the shape that fits them all",
    )
    parser.add_argument("--save-person", metavar="FILE.person", help="keep who the first person is, for other photos and clips")
    add_network(parser)
    add_build(parser)


def run(options: Namespace, console: Console) -> None:
    output = Path(options.output)
    exports = [Path(path) for path in options.export]
    check_blend(output)
    for path in exports:
        if path.suffix.lower() not in STILL:
            raise UsageError(f"{path.name} has no known format.", f"Choose one of {', '.join(STILL)}.")
    if options.cloud and Path(options.cloud).suffix.lower() != ".ply":
        raise UsageError(
            f"A point cloud is a .ply file, {Path(options.cloud).name} is none.", "Give --cloud a name that ends in .ply."
        )
    check_one_person(options)
    check_known_person(options)
    check_avatar_is_made(options)
    check_scan_is_made(options, exports)
    for path in [output, *exports, *(Path(path) for path in (options.preview, options.cloud, options.save_person) if path)]:
        check_writable(path)
    inputs = list(map(Path, options.inputs))
    with ExitStack() as stack:
        others: tuple[Path, ...] = ()
        if options.one_person:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sapiens2-")))
            others = predictions_files(inputs[1:], folder, options, console)
            inputs = inputs[:1]
        build(
            inputs,
            output,
            exports,
            Path(options.preview) if options.preview else None,
            options,
            console,
            separately=options.separate,
            cloud=Path(options.cloud) if options.cloud else None,
            person=Path(options.save_person) if options.save_person else None,
            others=others,
        )


def build(
    inputs: list[Path],
    output: Path,
    exports: list[Path],
    preview: Path | None,
    options: Namespace,
    console: Console,
    *,
    separately: bool = False,
    cloud: Path | None = None,
    person: Path | None = None,
    others: Sequence[Path] = (),
) -> None:
    """Build every input into one new .blend, then the exports and the picture.

    Inputs that fail are reported, the rest are built. cloud: also write the vertices to this file. person: also write
    who the first person with a body is. others: predictions files of other photos of the person of the only input.
    """
    require_blender()
    console.claim_stdout()
    from ..batch.picture import write_picture
    from ..scene.build import write_avatars
    from ..scene.export import export, export_ply, left_out
    from ..scene.files import new_file, save_blend
    from ..scene.separate import scans, separate

    settings = avatar_settings(options, exports)
    new_file()
    collections, photos, cameras, bodies = [], [], {}, []
    for path in distinct(inputs):
        try:
            avatars = avatars_of(path, options, settings, console, others)
            collections.append(write_avatars(avatars, name_of(path), match_render=not collections))
            photos.append(avatars[0].image)
            bodies += [avatar.body for avatar in avatars if avatar.body is not None]
            if separately:
                for scan in [scan for pieces in scans(collections[-1]).values() for scan in pieces]:
                    separate(scan)
            cameras[str(path)] = camera_report(avatars[0])
            console.note(f"{path.name}: {camera_sentence(avatars[0])}")
            for note in dict.fromkeys(note for avatar in avatars for note in avatar.notes):
                console.note(f"{path.name}: {note}")
        except SapiensError as error:
            console.failed(path, error)
    console.record(cameras=cameras)
    if not collections:
        return
    console.result(save_blend(output))
    for path in exports:
        console.result(export(path, collections))
        if (without := left_out(path, collections)) is not None:
            console.note(without)
    if cloud is not None:
        console.result(export_ply(cloud.absolute(), collections, cloud=True))
    if person is not None:
        console.result(_save_person(person, bodies))
    if preview is not None:
        console.result(write_picture(preview, photos[0], collections[0]))


def avatars_of(
    path: Path, options: Namespace, settings: AvatarSettings, console: Console, others: Sequence[Path] = ()
) -> list[Avatar]:
    """The avatars of a photo or of a predictions file, made in this process or, inside Blender, by the worker.

    others  predictions files of other photos of the largest person
    """
    if through_worker.needed():
        return through_worker.avatars_of(path, options, settings, console, others)
    from ..core.avatar import make_avatars
    from ..core.formats.stored_inputs import focal_of, load_named

    predictions = predictions_of(path, options, console)
    settings = replace(settings, focal_35mm=focal_of(path))
    report = partial(console.progress, path.name)
    return make_avatars(predictions, name_of(path), settings, report, others=load_named(others))


def _save_person(path: Path, bodies: list[BodyData]) -> Path:
    """Write who the first of some bodies is. Raises SapiensError without one."""
    from ..core.body.evaluate import Shape
    from ..core.body.person import Person

    shapes = [body.shape for body in bodies if body.shape is not None]
    if not shapes:
        raise SapiensError("There is no body whose shape could be saved.", "Add --make avatar or --make both.")
    return Person(Shape.of(shapes[0])).save(path)


def camera_report(avatar: Avatar) -> dict:
    """The focal length that was used, pixels, where it comes from, and every other one that was considered."""
    return {
        "focal_length": avatar.camera.fx,
        "source": avatar.camera.source,
        "focal_lengths": dict(avatar.focal_lengths),
        "principal_point": [avatar.camera.cx, avatar.camera.cy],
    }


def camera_sentence(avatar: Avatar) -> str:
    """The focal lengths as a sentence; `core.capture.camera` adds a note of its own where they disagree by more than 5 %."""
    used, others = avatar.camera, {k: v for k, v in avatar.focal_lengths.items() if k != avatar.camera.source}
    beside = "".join(f", {source} says {pixels:.0f} px" for source, pixels in others.items())
    return f"Focal length {used.fx:.0f} px ({used.source}){beside}."


def require_blender() -> None:
    """Raise SapiensError unless there is a Blender in this process."""
    if find_spec("bpy") is None:
        raise SapiensError(
            "Writing a .blend file needs Blender's Python module.",
            "Install sapiens2-avatar[blender], or run it with blender --command sapiens2.",
        )
