"""Predictions to everything that Blender needs for one person: the order of the stages, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from .common.arrays import Avatar, Camera, MeshData, Pose, RigData, SkinWeights
from .common.errors import SapiensError
from .common.predictions import Predictions
from .common.progress import Progress
from .surface.scan import ScanSettings
from .texture.textures import TextureSettings

if TYPE_CHECKING:
    from .common.memo import Memo
    from .pose.lift import PoseSettings
    from .rig.metarig import RigSettings

T = TypeVar("T")


def _default_pose_settings() -> PoseSettings:
    from .pose.lift import PoseSettings

    return PoseSettings()


def _default_rig_settings() -> RigSettings:
    from .rig.metarig import RigSettings

    return RigSettings()


@dataclass(frozen=True)
class AvatarSettings:
    """What to make and how. Each stage documents its own settings.

    with_rig           make the skeleton and the skin weights (needs keypoints)
    focal_35mm         focal length of the lens in millimetres for 35 mm film, where the photo's EXIF states it
    typed_35mm         the same, typed by somebody who knows it: it wins over what the network and the EXIF say
    stature            height of the person in metres that everything is scaled to; None = as predicted
    distance           measured metres from the camera to the person that everything is scaled to, instead of a stature
    keep_camera_frame  leave the camera level at the world's origin instead of standing the person on the ground
    """

    scan: ScanSettings = field(default_factory=ScanSettings)
    texture: TextureSettings = field(default_factory=TextureSettings)
    pose: PoseSettings = field(default_factory=_default_pose_settings)
    rig: RigSettings = field(default_factory=_default_rig_settings)
    with_rig: bool = True
    focal_35mm: float | None = None
    typed_35mm: float | None = None
    stature: float | None = None
    distance: float | None = None
    keep_camera_frame: bool = False

    def __post_init__(self):
        if self.stature is not None and self.distance is not None:
            raise SapiensError("The person cannot be scaled to a height and to a distance.", "Leave one of the two out.")


def make_avatars(
    predictions: Predictions,
    name: str = "person",
    settings: AvatarSettings | None = None,
    progress: Progress | None = None,
    memo: Memo | None = None,
) -> list[Avatar]:
    """One Avatar per person, left to right in the photo, all in the same camera and world.

    Needs `predictions.pointmap`. Raises SapiensError when there is no pointmap, no person or no surface.
    `progress(stage, fraction)` is called before each stage with the share of the work that is done. `memo` holds what former
    calls made, so that a slider repeats only what depends on it; the result is the same without it.
    """
    from .capture.camera import estimate_camera, scale_to_distance, scale_to_stature, scaled
    from .capture.ground import place
    from .capture.matte import follow_photo
    from .capture.people import find_people
    from .surface.body_parts import make_parts
    from .surface.scan import make_mesh
    from .texture.textures import bake_textures, make_textures
    from .texture.uv_atlas import make_atlas

    settings = settings or AvatarSettings()
    report = progress or (lambda stage, fraction: None)
    if predictions.pointmap is None:
        raise SapiensError(f"{name} has no pointmap, so there is no surface.", "Run the pointmap task on the photo first.")

    report("camera", 0.0)
    once = _once(predictions, memo)
    lens = {"focal_35mm": settings.focal_35mm, "typed_35mm": settings.typed_35mm}
    estimate = once(("camera", repr(lens)), lambda: estimate_camera(predictions, **lens))
    camera = estimate.camera
    if (matte := predictions.alpha) is not None:
        predictions = replace(predictions, alpha=once(("matte",), lambda: follow_photo(matte, predictions.image)))
    boxes = predictions.boxes if predictions.boxes is not None and len(predictions.boxes) else None
    people = once(("people",), lambda: find_people(_labels(predictions), boxes))
    if not people:
        raise SapiensError(f"No person was found in {name}.", "Choose a photo of a person, or draw a box around them.")
    # Everybody shares the camera and the world: who fills most of the photo says how large it is and where its ground is.
    lead = max(range(len(people)), key=lambda i: int(people[i].mask.sum()))

    if settings.distance is not None:
        predictions = scaled(predictions, scale_to_distance(predictions, people[lead].mask, settings.distance))

    report("pose", 0.05)
    lift = settings.with_rig or settings.stature is not None

    def lifted(maps: Predictions, person: int, scale: object) -> tuple[Pose | None, tuple[str, ...]]:
        return once(("pose", person, repr((camera, settings.pose, scale))), lambda: _pose(maps, person, camera, settings))

    poses = [lifted(predictions, i, settings.distance) if lift else (None, ()) for i in range(len(people))]
    if settings.stature is not None:
        if (pose := poses[lead][0]) is None:
            raise SapiensError(f"The height of the person in {name} could not be estimated.", "Leave the stature out.")
        predictions = scaled(predictions, scale_to_stature(pose, settings.stature))
        poses = [lifted(predictions, i, ("stature", settings.stature)) for i in range(len(people))]

    made: dict[int, Avatar] = {}
    failures: list[SapiensError] = []
    for i, (person, (pose, notes)) in enumerate(zip(people, poses, strict=True)):
        begin, share = 0.2 + 0.8 * i / len(people), 0.8 / len(people)
        report("scan", begin)
        try:
            surface = make_mesh(predictions, camera, person.mask, settings.scan)
        except SapiensError as error:  # one of several people has no surface: the others are still worth having
            failures.append(error)
            continue
        report("texture", begin + 0.5 * share)
        textures = make_textures(predictions, surface, settings.texture, memo)
        report("rig", begin + 0.8 * share)
        mesh, rig, weights = surface.mesh, None, None
        if settings.with_rig and pose is not None:
            mesh, rig, weights = _rigged(pose, mesh, settings)
        mesh = replace(mesh, atlas=make_atlas(mesh).uvs)
        if settings.texture.bake:
            textures = bake_textures(textures, surface.normal, mesh, settings.texture)
        made[i] = Avatar(
            name=name if len(people) == 1 else f"{name} {i + 1}",
            camera=camera,
            world_from_camera=np.eye(4),
            mesh=mesh,
            textures=textures,
            image=predictions.image,
            rig=rig,
            weights=weights,
            notes=(*estimate.notes, *surface.notes, *notes),
            parts=make_parts(mesh),
            focal_lengths=estimate.candidates,
        )
    if not made:
        raise failures[0]
    lead = lead if lead in made else next(iter(made))
    missed = (f"{len(failures)} of {len(people)} people have no surface: {failures[0].message}",) if failures else ()
    placement = place(poses[lead][0], made[lead].mesh.vertices, settings.keep_camera_frame)
    placed = [
        replace(a, world_from_camera=placement.world_from_camera, notes=(*a.notes, *placement.notes, *missed))
        for a in made.values()
    ]
    if settings.rig.rest != "photo":
        from .rig.rest_pose import rest_avatar

        report("rest pose", 0.95)
        placed = [rest_avatar(a, settings.rig.rest, not settings.keep_camera_frame) for a in placed]
    report("done", 1.0)
    return placed


def _once(predictions: Predictions, memo: Memo | None) -> Callable[[tuple, Callable[[], T]], T]:
    """A function (key, compute) -> what compute() gives, taken from `memo` where these predictions were seen before."""
    if memo is None:
        return lambda _key, compute: compute()
    from .common.memo import digest

    maps = (
        predictions.pointmap,
        predictions.normal,
        predictions.seg,
        predictions.alpha,
        predictions.keypoints,
        predictions.boxes,
        predictions.intrinsics,
    )
    seen = digest(*maps, predictions.image, repr(sorted(predictions.metadata.items())))
    return lambda key, compute: memo.get((*key, seen), compute)


def make_scan(predictions: Predictions, name: str = "person", settings: AvatarSettings | None = None) -> Avatar:
    """The scan of the largest person, without a rig: mesh, textures and camera as numpy arrays. Errors as `make_avatars`."""
    made = make_avatars(predictions, name, replace(settings or AvatarSettings(), with_rig=False))
    return max(made, key=lambda avatar: len(avatar.mesh.vertices))


def _labels(predictions: Predictions) -> np.ndarray:
    """(H, W) uint8 body parts; without a segmentation, everything that has a depth (and opacity) counts as one part."""
    if predictions.seg is not None:
        return predictions.seg
    assert predictions.pointmap is not None
    with np.errstate(invalid="ignore"):
        solid = np.isfinite(predictions.pointmap).all(-1) & (predictions.pointmap[..., 2] > 0)
    if predictions.alpha is not None:
        solid &= predictions.alpha > 127
    return np.where(solid, np.uint8(1), np.uint8(0))


def _pose(predictions: Predictions, person: int, camera: Camera, settings: AvatarSettings) -> tuple[Pose | None, tuple[str, ...]]:
    """The pose, with what is doubtful about it, or None and the reason why there is none: a scan without a rig is still worth having."""
    from .pose.lift import lift_pose

    if predictions.keypoints is None:
        return None, ("No rig: the predictions hold no keypoints.",)
    if person >= len(predictions.keypoints):
        return None, (f"No rig: the predictions hold keypoints of {len(predictions.keypoints)} people only.",)
    try:
        pose = lift_pose(predictions, person=person, camera=camera, settings=settings.pose)
        return pose, ((pose.doubt,) if pose.doubt and settings.with_rig else ())
    except SapiensError as error:
        return None, (f"No rig: {error}",)


def _rigged(pose: Pose, mesh: MeshData, settings: AvatarSettings) -> tuple[MeshData, RigData, SkinWeights]:
    """The mesh, cut open where parts of the body only touch, its rig and its weights."""
    from .rig.metarig import make_rig
    from .rig.skin_weights import skin

    rig = replace(make_rig(pose, settings.rig), doubt=pose.doubt)
    mesh, weights = skin(mesh, rig)
    return mesh, rig, weights
