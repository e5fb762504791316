"""Predictions to everything that Blender needs for one person: the order of the stages, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .body.follow import body_weights
from .body.person import Person as KnownPerson
from .body.rest import body_at_rest
from .capture.camera import CameraEstimate, estimate_camera, scale_to_distance, scale_to_stature, scaled
from .capture.ground import place
from .capture.matte import follow_photo
from .capture.people import Person, find_people, labels_of
from .capture.provenance import draft_notes
from .closed_scan import close_scan, closed_textures, closed_weights, look_from_outside
from .common.arrays import Camera, MeshData, Pose, RigData, SkinWeights, Textures
from .common.avatars import Avatar
from .common.errors import SapiensError
from .common.memo import Memo, digest
from .common.predictions import Predictions
from .common.progress import Progress
from .landmarks.of_maps import with_keypoints
from .one_mesh import one_mesh
from .pose.lift import lift_pose
from .pose.settings import PoseSettings
from .rig.metarig import make_rig
from .rig.rest_pose import rest_avatar
from .rig.skin_weights import skin
from .settings import AvatarSettings
from .stages import Build, CacheKey, digest_of, unheard
from .surface.body_parts import make_parts
from .surface.scan import Surface, make_mesh
from .texture.textures import bake_textures, make_textures
from .texture.uv_atlas import make_atlas
from .texture.views import view_of
from .whole_person import Character, Fitted, fit_people, make_character

FOUND = "The built-in model found the keypoints, since the predictions hold none."
CLOSED_SIZE = 2048
"""Texels of the side of a closed scan's textures where nothing else is asked for."""


def make_avatars(
    predictions: Predictions,
    name: str = "person",
    settings: AvatarSettings | None = None,
    progress: Progress | None = None,
    memo: Memo | None = None,
    person: KnownPerson | None = None,
    others: Mapping[str, Predictions] | None = None,
) -> list[Avatar]:
    """One Avatar per person, left to right in the photo, all in the same camera and world.

    person  who the people are, where that is known (`AvatarSettings.known_person` is a file of the same)
    others  other photos of the largest person, by name, for their body, clothes and textures

    A scan needs `predictions.pointmap`, an avatar keypoints at least; keypoints that are missing are found in the photo, and a
    note says so. Raises SapiensError where there is too little, no person or no surface. Where a body was asked for and cannot be
    fitted, the scan of that person is made instead, and a note says so.
    `progress(stage, fraction)` is called before each stage with the share of the work that is done. `memo` holds what former
    calls made, so that a slider repeats only what depends on it; the result is the same without it.
    """
    settings = settings or AvatarSettings()
    if person is None and settings.known_person:
        person = KnownPerson.load(settings.known_person)
    known, seen = None if person is None else person.shape, "" if memo is None else digest_of(predictions)
    build = Build(name, settings, others or {}, known, progress or unheard, memo, seen)
    build.report("camera", 0.0)
    predictions, found = _with_keypoints(build, predictions)
    _check_maps(predictions, name, settings)
    estimate = _camera(build, predictions)
    predictions = _with_true_border(build, predictions)
    people = _people(build, predictions)
    # Everybody shares the camera and the world: who fills most of the photo says how large it is and where its ground is.
    lead = max(range(len(people)), key=lambda i: int(people[i].mask.sum()))
    predictions = _at_distance(build, predictions, people[lead])
    build.report("pose", 0.05)
    predictions, poses = _poses(build, predictions, estimate.camera, len(people), lead)
    fits = fit_people(build, predictions, estimate.camera, people, [lifted.known for lifted in poses], lead)
    made, missed = _avatars(build, predictions, estimate, people, poses, fits)
    placed = _placed(build, made, poses, lead, (*missed, *found, *draft_notes([predictions, *build.others.values()])))
    avatars = _joined(build, _at_rest(build, placed, fits), [fits[i].key for i in placed])
    build.report("done", 1.0)
    return avatars


def make_avatar(
    predictions: Predictions | Sequence[Predictions],
    person: KnownPerson | None = None,
    name: str = "person",
    settings: AvatarSettings | None = None,
) -> Avatar:
    """The avatar of the largest person of a photo: body, garments, textures and rig as numpy arrays. Errors as `make_avatars`.

    predictions  of several photos of one person: the avatar stands as in the first
    person       who it is, where that is known
    """
    photos = [predictions] if isinstance(predictions, Predictions) else list(predictions)
    if not photos:
        raise SapiensError("There is no photo to make an avatar of.", "Give the predictions of at least one photo.")
    others = {f"photo {number}": photo for number, photo in enumerate(photos[1:], start=2)}
    made = make_avatars(photos[0], name, replace(settings or AvatarSettings(), make="avatar"), person=person, others=others)
    return max(made, key=lambda avatar: avatar.pixels)


def make_scan(predictions: Predictions, name: str = "person", settings: AvatarSettings | None = None) -> Avatar:
    """The scan of the largest person, without a rig: mesh, textures and camera as numpy arrays. Errors as `make_avatars`."""
    made = make_avatars(predictions, name, replace(settings or AvatarSettings(), make="scan", with_rig=False))
    return max(made, key=lambda avatar: avatar.pixels)


def _check_maps(predictions: Predictions, name: str, settings: AvatarSettings) -> None:
    """Raises SapiensError where there is too little: a surface needs a pointmap, a body keypoints alone."""
    if predictions.pointmap is not None:
        return
    if settings.make == "avatar" and predictions.keypoints is not None:
        if settings.stature is None and settings.distance is None:
            return
        raise SapiensError(
            f"{name} has no depth map that could be scaled.", "Leave height and distance out, or run the depth task (pointmap)."
        )
    raise SapiensError(f"{name} has no depth map, so there is no surface.", "Run the depth task (pointmap) on the photo first.")


@dataclass(frozen=True, eq=False)
class _Lifted:
    """The pose of one person, and why there is none."""

    pose: Pose | None = None
    problem: str = ""

    @property
    def known(self) -> Pose | str:
        """The pose, or why there is none."""
        return self.pose if self.pose is not None else self.problem.removeprefix("No rig: ")

    def notes(self, settings: AvatarSettings) -> tuple[str, ...]:
        """What there is to say about it, if a rig was asked for."""
        doubt = self.pose.doubt if self.pose is not None and settings.with_rig else ""
        return tuple(filter(None, (self.problem, doubt)))


def _with_keypoints(build: Build, predictions: Predictions) -> tuple[Predictions, tuple[str, ...]]:
    """The predictions with keypoints where a pose is needed, and a sentence where the built-in model found them."""
    settings = build.settings
    if predictions.keypoints is not None or not settings.needs_pose:
        return predictions, ()
    seen = build.once(CacheKey("keypoints", build.seen), lambda: with_keypoints(predictions))
    return seen, () if seen.keypoints is None else (FOUND,)


def _camera(build: Build, predictions: Predictions) -> CameraEstimate:
    """The lens, of what is known about it."""
    exif, typed = build.settings.focal_35mm, build.settings.focal
    key = CacheKey("camera", build.seen, lens=(exif, typed))
    return build.once(key, lambda: estimate_camera(predictions, focal_35mm=exif, typed_35mm=typed))


def _with_true_border(build: Build, predictions: Predictions) -> Predictions:
    """The predictions with the border of their matte where the photo has it."""
    if (matte := predictions.alpha) is None:
        return predictions
    return replace(predictions, alpha=build.once(CacheKey("matte", build.seen), lambda: follow_photo(matte, predictions.image)))


def _people(build: Build, predictions: Predictions) -> list[Person]:
    """Everybody in the photo, from left to right; at least one."""
    boxes = predictions.boxes if predictions.boxes is not None and len(predictions.boxes) else None
    if predictions.seg is None and predictions.pointmap is None and boxes is None:
        boxes = _keypoint_boxes(predictions)
    labels = labels_of(predictions)
    if labels is None:  # people are their boxes
        labels = np.ones(predictions.image.shape[:2], np.uint8)
    people = build.once(CacheKey("people", build.seen), lambda: find_people(labels, boxes))
    if not people:
        raise SapiensError(f"No person was found in {build.name}.", "Choose a photo of a person, or draw a box around them.")
    return people


def _keypoint_boxes(predictions: Predictions) -> np.ndarray:
    """(P, 4) float32 x1, y1, x2, y2 round the keypoints of each person, the whole photo round those of whom there are none."""
    height, width = predictions.image.shape[:2]
    assert predictions.keypoints is not None  # of `_check_maps`
    known = np.isfinite(predictions.keypoints).all(axis=-1) & (predictions.keypoints[..., 2] > 0)
    points = np.where(known[..., None], predictions.keypoints[..., :2], np.nan)
    points[~known.any(axis=1)] = [[0, 0]] * (points.shape[1] - 1) + [[width, height]]
    return np.concatenate([np.nanmin(points, axis=1), np.nanmax(points, axis=1)], axis=1).astype(np.float32)


def _at_distance(build: Build, predictions: Predictions, person: Person) -> Predictions:
    """The predictions scaled so that the person is at the measured distance, if there is one."""
    if build.settings.distance is None:
        return predictions
    return scaled(predictions, scale_to_distance(predictions, person.mask, build.settings.distance))


def _poses(build: Build, predictions: Predictions, camera: Camera, people: int, lead: int) -> tuple[Predictions, list[_Lifted]]:
    """Everybody's pose, and the predictions scaled to the stature of person `lead`, if one is known.
    Poses are lifted where they are needed."""
    settings = build.settings
    if not settings.needs_pose:
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


def _avatars(
    build: Build,
    predictions: Predictions,
    estimate: CameraEstimate,
    people: list[Person],
    poses: list[_Lifted],
    fits: list[Fitted],
) -> tuple[dict[int, Avatar], tuple[str, ...]]:
    """Index of a person -> their avatar in the pose of the photo, not placed yet, and a note if somebody has no surface.
    Raises SapiensError if nobody has one."""
    made: dict[int, Avatar] = {}
    failures: list[SapiensError] = []
    for i, person in enumerate(people):
        character, scan, told = None, None, fits[i].notes
        if fits[i].fit is not None:
            character = make_character(build, fits[i])
            told += character.notes
        whole = character if build.settings.make != "scan" else None
        if whole is None or build.settings.make == "both":
            try:
                scan = _scan(build, predictions, estimate.camera, person, poses[i], character, (i, len(people)))
                told += scan.notes
            except SapiensError as error:  # one of several people has no surface: the others are still worth having
                failures.append(error)
                if whole is None:
                    continue
        made[i] = Avatar(
            name=build.name if len(people) == 1 else f"{build.name} {i + 1}",
            camera=estimate.camera,
            world_from_camera=np.eye(4),
            mesh=scan.mesh if scan else None,
            textures=scan.textures if scan else None,
            image=predictions.image,
            rig=scan.rig if scan else whole.rig if whole and build.settings.with_rig else None,
            weights=scan.weights if scan else None,
            notes=(*estimate.notes, *told),
            parts=make_parts(scan.mesh) if scan else None,
            focal_lengths=estimate.candidates,
            pixels=int(np.count_nonzero(person.mask)),
            body=whole.body if whole else None,
            garments=whole.garments if whole else (),
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
    build: Build,
    predictions: Predictions,
    camera: Camera,
    person: Person,
    lifted: _Lifted,
    character: Character | None,
    turn: tuple[int, int],
) -> _Scan:
    """The scan of one person, on the rig of the character where there is one. turn: which of how many people."""
    settings = build.settings
    begin, share = 0.2 + 0.8 * turn[0] / turn[1], 0.8 / turn[1]
    build.report("scan", begin)
    surface = make_mesh(predictions, camera, person.mask, settings.scan)
    build.report("texture", begin + 0.5 * share)
    textures = make_textures(predictions, surface, settings.texture, build.memo)
    build.report("rig", begin + 0.8 * share)
    if character is not None and settings.close:
        return _closed(build, predictions, person, surface, textures.colour_source, character)
    mesh, rig, weights, notes = _bound(surface, lifted, character, settings)
    mesh = replace(mesh, atlas=make_atlas(mesh).uvs)
    if settings.texture.bake:
        textures = bake_textures(textures, surface.normal, mesh, settings.texture)
    return _Scan(mesh, textures, rig, weights, notes)


def _bound(
    surface: Surface, lifted: _Lifted, character: Character | None, settings: AvatarSettings
) -> tuple[MeshData, RigData | None, SkinWeights | None, tuple[str, ...]]:
    """The mesh of a scan, its rig and its weights, None where there is no rig, and what there is to say about them."""
    mesh, rig, weights = surface.mesh, None, None
    notes = surface.notes + (lifted.notes(settings) if character is None else ())
    if settings.with_rig and character is not None:
        rig = character.rig
        mesh, weights = skin(mesh, rig)
        weights = body_weights(mesh, weights, character.body, rig)
    elif settings.with_rig and lifted.pose is not None:
        rig = replace(make_rig(lifted.pose, settings.rig), doubt=lifted.pose.doubt)
        mesh, weights = skin(mesh, rig)  # cut open where parts of the body only touch
    return mesh, rig, weights, notes


def _closed(build: Build, predictions: Predictions, person: Person, surface: Surface, source: str, character: Character) -> _Scan:
    """The scan closed with the sides and the back of the character, on its rig."""
    outside = look_from_outside(character.body, character.garments)
    mesh = close_scan(surface.mesh, surface.camera, character.body, character.garments, outside)
    size = build.settings.texture.bake or build.settings.texture_size or CLOSED_SIZE
    view = view_of(predictions, surface.camera, person.mask, build.settings.texture)
    textures = closed_textures(mesh, view, outside, size, source)
    if not build.settings.with_rig:
        return _Scan(mesh, textures, None, None, surface.notes)
    return _Scan(mesh, textures, character.rig, closed_weights(mesh, outside), surface.notes)


def _placed(build: Build, made: dict[int, Avatar], poses: list[_Lifted], lead: int, notes: tuple[str, ...]) -> dict[int, Avatar]:
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


def _at_rest(build: Build, avatars: dict[int, Avatar], fits: list[Fitted]) -> list[Avatar]:
    """The avatars with the rest pose that was asked for; they still stand as in the photo."""
    rest = build.settings.rig.rest
    out = []
    for i, avatar in avatars.items():
        fit = fits[i].fit
        if fit is not None and avatar.body is not None and avatar.rig is not None and rest != "photo":
            build.report("rest pose", 0.95)
            avatar = body_at_rest(avatar, fit, rest)
        elif avatar.body is None and rest in ("A", "T"):
            build.report("rest pose", 0.95)
            avatar = rest_avatar(avatar, rest, not build.settings.keep_camera_frame)
        out.append(avatar)
    return out


def _joined(build: Build, avatars: list[Avatar], keys: list[CacheKey]) -> list[Avatar]:
    """The avatars with their clothes and hair in the mesh of the body, if that was asked for. keys: of their fits."""
    if not build.settings.one_mesh:
        return avatars
    out = []
    for avatar, key in zip(avatars, keys, strict=True):
        if (body := avatar.body) is not None:
            build.report("one mesh", 0.97)
            size, garments = build.settings.texture_size, avatar.garments
            places = digest(body.vertices, *(garment.vertices for garment in garments)) if build.memo is not None else ""
            own = replace(key, stage="one mesh", more=(*key.more, places, size, build.settings.extent))
            joined = build.once(own, lambda body=body, garments=garments, size=size: one_mesh(body, garments, size))
            avatar = replace(avatar, body=joined, garments=())
        out.append(avatar)
    return out
