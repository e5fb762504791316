"""`build IMAGE|PREDICTIONS… -o FILE.blend`: scan, textures, camera and rig of each input, each in its own collection."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.common.errors import SapiensError, UsageError
from . import through_worker
from .console import Console
from .inputs import check_blend, check_writable, distinct, name_of, predictions_of

if TYPE_CHECKING:
    from ..core.avatar import AvatarSettings
    from ..core.common.arrays import Avatar

EXPORTS = (".glb", ".gltf", ".fbx", ".usd", ".usdc", ".usda", ".obj", ".ply", ".json", ".exr")


def run(options: Namespace, console: Console) -> None:
    output = Path(options.output)
    exports = [Path(path) for path in options.export]
    check_blend(output)
    for path in exports:
        if path.suffix.lower() not in EXPORTS:
            raise UsageError(f"{path.name} has no known format.", f"Choose one of {', '.join(EXPORTS)}.")
    if options.cloud and Path(options.cloud).suffix.lower() != ".ply":
        raise UsageError(
            f"A point cloud is a .ply file, {Path(options.cloud).name} is none.", "Give --cloud a name that ends in .ply."
        )
    for path in [output, *exports, *(Path(path) for path in (options.preview, options.cloud) if path)]:
        check_writable(path)
    build(list(map(Path, options.inputs)), output, exports, Path(options.preview) if options.preview else None, options, console)


def build(
    inputs: list[Path], output: Path, exports: list[Path], preview: Path | None, options: Namespace, console: Console
) -> None:
    """Build every input into one new .blend, then the exports and the picture.

    Inputs that fail are reported, the rest are built.
    """
    require_blender()
    console.claim_stdout()
    from ..batch.picture import write_picture
    from ..scene.build import write_avatars
    from ..scene.export import export, export_ply
    from ..scene.files import new_file, save_blend
    from ..scene.separate import scans, separate

    new_file()
    collections, photos, cameras = [], [], {}
    for path in distinct(inputs):
        try:
            avatars = avatars_of(path, options, console)
            collections.append(write_avatars(avatars, name_of(path), match_render=not collections))
            photos.append(avatars[0].image)
            if getattr(options, "separate", False):
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
    if getattr(options, "cloud", None):
        console.result(export_ply(Path(options.cloud).absolute(), collections, cloud=True))
    if preview is not None:
        console.result(write_picture(preview, photos[0], collections[0]))


def avatars_of(path: Path, options: Namespace, console: Console) -> list[Avatar]:
    """The avatars of a photo or of a predictions file, made in this process or, inside Blender, by the worker."""
    if through_worker.needed():
        return through_worker.avatars_of(path, options, avatar_settings(options), console)
    from ..core.avatar import make_avatars
    from ..core.formats.stored_inputs import focal_of

    predictions = predictions_of(path, options, console)
    settings = avatar_settings(options, focal_of(path))
    return make_avatars(predictions, name_of(path), settings, partial(console.progress, path.name))


def avatar_settings(options: Namespace, focal_35mm: float | None = None) -> AvatarSettings:
    """The settings that the build options of the command line ask for."""
    from ..core.avatar import AvatarSettings

    default = AvatarSettings()
    scan = replace(default.scan, resolution=options.resolution, quads=options.quads)
    if options.detail is not None:
        scan = replace(scan, refine=options.detail)
    return replace(
        default,
        scan=scan,
        texture=replace(
            default.texture,
            colour=options.colour,
            bake=options.bake,
            displacement=options.displacement
            or any(str(path).lower().endswith("exr") for path in getattr(options, "export", ())),
        ),
        rig=replace(default.rig, rest=options.rest),
        with_rig=not options.no_rig,
        focal_35mm=focal_35mm,
        typed_35mm=options.focal,
        stature=options.stature,
        distance=options.distance,
        keep_camera_frame=options.keep_camera_frame,
    )


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
