"""Predictions to everything that Blender needs for one person: the order of the stages, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from .body.character import make_body
from .body.evaluate import Shape
from .body.fit import fit_photo
from .body.fitted import BodyFit
from .body.follow import body_weights
from .body.person import Person as KnownPerson
from .body.rest import body_at_rest, in_photo
from .capture.camera import CameraEstimate, estimate_camera, scale_to_distance, scale_to_stature, scaled
from .capture.ground import place
from .capture.matte import follow_photo
from .capture.people import Person, find_people
from .common.arrays import Avatar, BodyData, Camera, MeshData, Pose, RigData, SkinWeights, Textures
from .common.errors import SapiensError
from .common.memo import Memo, digest
from .common.predictions import Predictions
from .common.progress import Progress
from .pose.lift import lift_pose
from .pose.settings import PoseSettings
from .rig.metarig import make_rig
from .rig.rest_pose import rest_avatar
from .rig.settings import RigSettings
from .rig.skin_weights import skin
from .settings import AvatarSettings
from .surface.body_parts import make_parts
from .surface.scan import make_mesh
from .texture.textures import bake_textures, make_textures
from .texture.uv_atlas import make_atlas

T = TypeVar("T")


def make_avatars(
    predictions: Predictions,
    name: str = "person",
    settings: AvatarSettings | None = None,
    progress: Progress | None = None,
    memo: Memo | None = None,
) -> list[Avatar]:
    """One Avatar per person, left to right in the photo, all in the same camera and world.

    Needs `predictions.pointmap`. Raises SapiensError when there is no pointmap, no person or no surface. Where a body was asked
    for and cannot be fitted, the scan of that person is made instead, and a note says so.
    `progress(stage, fraction)` is called before each stage with the share of the work that is done. `memo` holds what former
    calls made, so that a slider repeats only what depends on it; the result is the same without it.
    """
    if predictions.pointmap is None:
        raise SapiensError(f"{name} has no pointmap, so there is no surface.", "Run the pointmap task on the photo first.")
    build = _Build.of(predictions, name, settings or AvatarSettings(), progress, memo)
    build.report("camera", 0.0)
    estimate = _camera(build, predictions)
    predictions = _with_true_border(build, predictions)
    people = _people(build, predictions)
    # Everybody shares the camera and the world: who fills most of the photo says how large it is and where its ground is.
    lead = max(range(len(people)), key=lambda i: int(people[i].mask.sum()))
    predictions = _at_distance(build, predictions, people[lead])
    build.report("pose", 0.05)
    predictions, poses = _poses(build, predictions, estimate.camera, len(people), lead)
    fits = _fits(build, predictions, estimate.camera, people, poses)
    made, missed = _avatars(build, predictions, estimate, people, poses, fits)
    placed = _placed(build, made, poses, lead, missed)
    avatars = _at_rest(build, placed, fits)
    build.report("done", 1.0)
    return avatars


def make_scan(predictions: Predictions, name: str = "person", settings: AvatarSettings | None = None) -> Avatar:
    """The scan of the largest person, without a rig: mesh, textures and camera as numpy arrays. Errors as `make_avatars`."""
    made = make_avatars(predictions, name, replace(settings or AvatarSettings(), make="scan", with_rig=False))
    return max(made, key=lambda avatar: avatar.pixels)


@dataclass(frozen=True)
class CacheKey:
    """All that the result of a stage depends on: equal keys, equal results. What a stage does not look at has its default.

    stage        which result
    predictions  `digest` of the maps, the photo and the metadata that the build began with
    lens         focal lengths in millimetres for 35 mm film: of the EXIF, and typed
    person       index, from left to right
    camera       that the result was made for
    pose         settings of that stage
    distance, stature  metres, what the pointmap was scaled to; None = to neither
    known        `digest` of the shape of a person who is known already, empty = nobody
    """

    stage: str
    predictions: str
    lens: tuple[float | None, float | None] = (None, None)
    person: int | None = None
    camera: Camera | None = None
    pose: PoseSettings | None = None
    distance: float | None = None
    stature: float | None = None
    known: str = ""


@dataclass(frozen=True, eq=False)
class _Build:
    """What all stages of one call share; seen: the `digest` of its predictions, empty without a memo."""

    name: str
    settings: AvatarSettings
    report: Progress
    memo: Memo | None
    seen: str

    @classmethod
    def of(
        cls, predictions: Predictions, name: str, settings: AvatarSettings, progress: Progress | None, memo: Memo | None
    ) -> _Build:
        def unheard(_stage: str, _fraction: float) -> None:
            """Nobody asked."""

        return cls(name, settings, progress or unheard, memo, "" if memo is None else _digest(predictions))

    def once(self, key: CacheKey, compute: Callable[[], T]) -> T:
        """What `compute` gives, taken from the memo where it was computed for an equal key before."""
        return compute() if self.memo is None else self.memo.get(key, compute)


@dataclass(frozen=True, eq=False)
class _Lifted:
    """The pose of one person, and why there is none."""

    pose: Pose | None = None
    problem: str = ""

    def notes(self, settings: AvatarSettings) -> tuple[str, ...]:
        """What there is to say about it, if a rig was asked for."""
        doubt = self.pose.doubt if self.pose is not None and settings.with_rig else ""
        return tuple(filter(None, (self.problem, doubt)))


@dataclass(frozen=True, eq=False)
class _Fitted:
    """The body of one person, and why there is none where one was asked for."""

    fit: BodyFit | None = None
    problem: str = ""

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.problem, self.fit.doubt if self.fit is not None else "")))


def _digest(predictions: Predictions) -> str:
    maps = (
        predictions.pointmap,
        predictions.normal,
        predictions.seg,
        predictions.alpha,
        predictions.keypoints,
        predictions.boxes,
        predictions.intrinsics,
    )
    return digest(*maps, predictions.image, repr(sorted(predictions.metadata.items())))


def _camera(build: _Build, predictions: Predictions) -> CameraEstimate:
    """The lens, of what is known about it."""
    exif, typed = build.settings.focal_35mm, build.settings.focal
    key = CacheKey("camera", build.seen, lens=(exif, typed))
    return build.once(key, lambda: estimate_camera(predictions, focal_35mm=exif, typed_35mm=typed))


def _with_true_border(build: _Build, predictions: Predictions) -> Predictions:
    """The predictions with the border of their matte where the photo has it."""
    if (matte := predictions.alpha) is None:
        return predictions
    return replace(predictions, alpha=build.once(CacheKey("matte", build.seen), lambda: follow_photo(matte, predictions.image)))


def _people(build: _Build, predictions: Predictions) -> list[Person]:
    """Everybody in the photo, from left to right; at least one."""
    boxes = predictions.boxes if predictions.boxes is not None and len(predictions.boxes) else None
    people = build.once(CacheKey("people", build.seen), lambda: find_people(_labels(predictions), boxes))
    if not people:
        raise SapiensError(f"No person was found in {build.name}.", "Choose a photo of a person, or draw a box around them.")
    return people


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


def _at_distance(build: _Build, predictions: Predictions, person: Person) -> Predictions:
    """The predictions scaled so that the person is at the measured distance, if there is one."""
    if build.settings.distance is None:
        return predictions
    return scaled(predictions, scale_to_distance(predictions, person.mask, build.settings.distance))


def _poses(build: _Build, predictions: Predictions, camera: Camera, people: int, lead: int) -> tuple[Predictions, list[_Lifted]]:
    """Everybody's pose, and the predictions scaled to the stature of person `lead`, if one is known.
    Poses are lifted where they are needed."""
    settings = build.settings
    if not settings.with_rig and settings.stature is None and settings.make == "scan":
        return predictions, [_Lifted()] * people

    def lifted(maps: Predictions, stature: float | None) -> list[_Lifted]:
        key = CacheKey("pose", build.seen, camera=camera, pose=settings.pose, distance=settings.distance, stature=stature)
        return [build.once(replace(key, person=i), lambda i=i: _lift(maps, i, camera, settings.pose)) for i in range(people)]

    poses = lifted(predictions, None)
    if settings.stature is None:
        return predictions, poses
    if (pose := poses[lead].pose) is None:
        raise SapiensError(f"The height of the person in {build.name} could not be estimated.", "Leave the stature out.")
    predictions = scaled(predictions, scale_to_stature(pose, settings.stature))
    return predictions, lifted(predictions, settings.stature)


def _lift(predictions: Predictions, person: int, camera: Camera, settings: PoseSettings) -> _Lifted:
    """The pose, or the reason why there is none: a scan without a rig is still worth having."""
    if predictions.keypoints is None:
        return _Lifted(problem="No rig: the predictions hold no keypoints.")
    if person >= len(predictions.keypoints):
        return _Lifted(problem=f"No rig: the predictions hold keypoints of {len(predictions.keypoints)} people only.")
    try:
        return _Lifted(lift_pose(predictions, person=person, camera=camera, settings=settings))
    except SapiensError as error:
        return _Lifted(problem=f"No rig: {error}")


def _fits(build: _Build, predictions: Predictions, camera: Camera, people: list[Person], poses: list[_Lifted]) -> list[_Fitted]:
    """Everybody's body, if avatars were asked for."""
    settings = build.settings
    if settings.make == "scan":
        return [_Fitted()] * len(people)
    build.report("body", 0.1)
    known = KnownPerson.load(settings.known_person).shape if settings.known_person else None
    key = CacheKey("body", build.seen, camera=camera, pose=settings.pose, distance=settings.distance, stature=settings.stature)
    key = replace(key, known="" if known is None else digest(known.numbers()))
    return [
        build.once(replace(key, person=i), lambda i=i, person=person: _fit(predictions, i, camera, person, poses[i], known))
        for i, person in enumerate(people)
    ]


def _fit(predictions: Predictions, index: int, camera: Camera, person: Person, lifted: _Lifted, known: Shape | None) -> _Fitted:
    """The body, or the reason why there is none: the scan is still worth having. known: who it is, if that is known."""
    if lifted.pose is None:
        why = lifted.problem.removeprefix("No rig: ").rstrip(".")
        return _Fitted(problem=f"No body: {why}. The scan was made instead." if why else "")
    try:
        return _Fitted(fit_photo(predictions, index, camera=camera, pose=lifted.pose, mask=person.mask, shape=known))
    except SapiensError as error:
        return _Fitted(problem=f"No body: {error.message.rstrip('.')}. The scan was made instead.")


def _avatars(
    build: _Build,
    predictions: Predictions,
    estimate: CameraEstimate,
    people: list[Person],
    poses: list[_Lifted],
    fits: list[_Fitted],
) -> tuple[dict[int, Avatar], tuple[str, ...]]:
    """Index of a person -> their avatar in the pose of the photo, not placed yet, and a note if somebody has no surface.
    Raises SapiensError if nobody has one."""
    made: dict[int, Avatar] = {}
    failures: list[SapiensError] = []
    for i, person in enumerate(people):
        body, rig = (None, None) if (fit := fits[i].fit) is None else in_photo(*make_body(fit, np.eye(4)))
        rig = rig if build.settings.with_rig else None
        scan, told = None, fits[i].notes
        if body is None or build.settings.make == "both":
            try:
                scan = _scan(build, predictions, estimate.camera, person, poses[i], (body, rig), (i, len(people)))
                told += scan.notes
            except SapiensError as error:  # one of several people has no surface: the others are still worth having
                failures.append(error)
                if body is None:
                    continue
        made[i] = Avatar(
            name=build.name if len(people) == 1 else f"{build.name} {i + 1}",
            camera=estimate.camera,
            world_from_camera=np.eye(4),
            mesh=scan.mesh if scan else None,
            textures=scan.textures if scan else None,
            image=predictions.image,
            rig=scan.rig if scan else rig,
            weights=scan.weights if scan else None,
            notes=(*estimate.notes, *told),
            parts=make_parts(scan.mesh) if scan else None,
            focal_lengths=estimate.candidates,
            pixels=int(np.count_nonzero(person.mask)),
            body=body,
        )
    if not made:
        raise failures[0]
    return made, (f"{len(failures)} of {len(people)} people have no surface: {failures[0].message}",) if failures else ()


@dataclass(frozen=True, eq=False)
class _Scan:
    """The surface of one person with textures, rig and weights, and what there is to say about it."""

    mesh: MeshData
    textures: Textures
    rig: RigData | None
    weights: SkinWeights | None
    notes: tuple[str, ...]


def _scan(
    build: _Build,
    predictions: Predictions,
    camera: Camera,
    person: Person,
    lifted: _Lifted,
    character: tuple[BodyData | None, RigData | None],
    turn: tuple[int, int],
) -> _Scan:
    """The scan of one person, on the rig of the character where there is one. turn: which of how many people."""
    settings, (body, rig), weights = build.settings, character, None
    begin, share = 0.2 + 0.8 * turn[0] / turn[1], 0.8 / turn[1]
    build.report("scan", begin)
    surface = make_mesh(predictions, camera, person.mask, settings.scan)
    build.report("texture", begin + 0.5 * share)
    textures = make_textures(predictions, surface, settings.texture, build.memo)
    build.report("rig", begin + 0.8 * share)
    mesh, notes = surface.mesh, surface.notes
    if body is not None and rig is not None:
        mesh, weights = skin(mesh, rig)
        weights = body_weights(mesh, weights, body, rig)
    elif body is None:
        notes += lifted.notes(settings)
        if settings.with_rig and lifted.pose is not None:
            mesh, rig, weights = _rigged(lifted.pose, mesh, settings.rig)
    mesh = replace(mesh, atlas=make_atlas(mesh).uvs)
    if settings.texture.bake:
        textures = bake_textures(textures, surface.normal, mesh, settings.texture)
    return _Scan(mesh, textures, rig, weights, notes)


def _rigged(pose: Pose, mesh: MeshData, settings: RigSettings) -> tuple[MeshData, RigData, SkinWeights]:
    """The mesh, cut open where parts of the body only touch, its rig and its weights."""
    rig = replace(make_rig(pose, settings), doubt=pose.doubt)
    mesh, weights = skin(mesh, rig)
    return mesh, rig, weights


def _placed(build: _Build, made: dict[int, Avatar], poses: list[_Lifted], lead: int, notes: tuple[str, ...]) -> dict[int, Avatar]:
    """Everybody in the world on whose ground person `lead` stands, or the first with a surface if that one has none.
    Notes are added."""
    lead = lead if lead in made else next(iter(made))
    placement = place(poses[lead].pose, _surface(made[lead]), build.settings.keep_camera_frame)
    return {
        i: replace(avatar, world_from_camera=placement.world_from_camera, notes=(*avatar.notes, *placement.notes, *notes))
        for i, avatar in made.items()
    }


def _surface(avatar: Avatar) -> np.ndarray:
    """(V, 3) points of the person as they stand in the photo."""
    if avatar.mesh is not None:
        return avatar.mesh.vertices
    assert avatar.body is not None  # an avatar has one of both
    return avatar.body.vertices


def _at_rest(build: _Build, avatars: dict[int, Avatar], fits: list[_Fitted]) -> list[Avatar]:
    """The avatars with the rest pose that was asked for; they still stand as in the photo."""
    rest = build.settings.rig.rest
    out = []
    for i, avatar in avatars.items():
        fit = fits[i].fit
        if fit is not None and avatar.rig is not None and rest != "photo":
            build.report("rest pose", 0.95)
            avatar = body_at_rest(avatar, fit, rest)
        elif fit is None and rest in ("A", "T"):
            build.report("rest pose", 0.95)
            avatar = rest_avatar(avatar, rest, not build.settings.keep_camera_frame)
        out.append(avatar)
    return out
