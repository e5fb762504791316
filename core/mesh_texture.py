"""Photos onto a mesh of the artist that stands in them: where the cameras are, and the mesh in the pose of every photo.

What is painted how is `core.texture.all_round`, as for the avatar's own surfaces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from .body.character import make_body
from .body.fit import Sighting, fit_sightings
from .body.other_photos import in_other_photo, rest_rig_of, rested
from .body.person import sighting_of
from .body.rest import in_photo
from .capture.camera import estimate_camera
from .capture.ground import place
from .capture.people import find_people
from .common.arrays import Camera, SkinWeights
from .common.errors import SapiensError
from .common.landmarks import part_names
from .common.predictions import Predictions
from .common.progress import Progress
from .garments.charts import chart_uvs
from .pose.lift import lift_pose
from .stages import unheard
from .texture.all_round import paint
from .texture.artist_mesh import ArtistMesh, MeshTexture, check_uvs
from .texture.project import PaintedSurface
from .texture.rasterise import draw_mesh, halves
from .texture.settings import MeshTextureSettings, TextureSettings
from .texture.symmetry import twins
from .texture.views import view_of

LEAST_COVERED = 0.02
"""Share of the mesh's pixels that must show a person."""
SAME_SCALE = 0.01
"""Relative difference in scale between scene and predictions that is left alone."""
TWIN = 0.01
"""Share of the mesh's width within which the mirror image of a vertex counts as another one."""
PLAIN = np.array([128, 128, 128], np.uint8)


def texture_mesh(
    mesh: ArtistMesh,
    predictions: Predictions,
    settings: MeshTextureSettings | None = None,
    look: TextureSettings | None = None,
    others: Mapping[str, Predictions] | None = None,
    progress: Progress = unheard,
) -> MeshTexture:
    """The photo on a mesh, with its light taken out, and a guess where no photo shows it.

    look    how colours are made
    others  more photos of the same person, by name: the mesh goes with their body into the poses that it has there

    A matched camera that the mesh does not know is put where a build of the photo puts it. Raises SapiensError where the texture
    coordinates do not do, where the mesh is not symmetric and should be, and where it stands on nobody in the photo.
    """
    settings, look = settings or MeshTextureSettings(), look or TextureSettings()
    if not len(mesh.quads):
        raise SapiensError(f"{mesh.name} has no faces.", "Choose a mesh with a surface.")
    if settings.new_uvs:
        progress("unfold", 0.0)
        whole = np.zeros(len(mesh.quads), bool)
        mesh = replace(mesh, uvs=chart_uvs(mesh.points, mesh.quads, whole, np.eye(3)))
    check_uvs(mesh)
    assert mesh.uvs is not None  # or it was refused
    mirror = _mirror(mesh) if settings.symmetry else None
    progress("camera", 0.1)
    seen = _first_photo(mesh, predictions)
    notes = list(seen.notes)
    posed, views = [seen.points], [view_of(predictions, seen.camera, seen.mask, look)]
    if others:
        progress("body", 0.2)
        more, left_out = _in_others(seen, predictions, others)
        notes += left_out
        posed += [points for _, points in more]
        views += [view_of(s.predictions, s.camera, s.mask, look) for s, _ in more]
    progress("texture", 0.5)
    extent = float(np.linalg.norm(np.ptp(seen.points, axis=0)))
    surface = PaintedSurface(
        quads=mesh.quads,
        uvs=mesh.uvs,
        posed=tuple(posed),
        labels=np.arange(1, len(part_names()), dtype=np.uint8),
        tone=PLAIN,
        rest=seen.points,
        mirror=mirror,
        reach=extent,  # colours run over all of it: nothing is known of what the artist's mesh is
    )
    made = paint([surface], views, settings.size)[0]
    if not made.seen.any():
        raise _nowhere(mesh.name)
    return MeshTexture(made, mesh.uvs if settings.new_uvs else None, tuple(notes))


@dataclass(frozen=True, eq=False)
class _InPhoto:
    """The mesh in the photo that it stands in.

    camera        of the photo
    person, mask  whom it stands on: from the left, and (H, W) bool their pixels
    points        (V, 3) float32 in camera space, as large as the predictions are
    """

    camera: Camera
    person: int
    mask: np.ndarray
    points: np.ndarray
    notes: tuple[str, ...]


def _first_photo(mesh: ArtistMesh, predictions: Predictions) -> _InPhoto:
    """The mesh before the camera, and the person whom it stands on. Raises SapiensError where that is nobody."""
    camera, world_from_camera, notes = mesh.camera, mesh.world_from_camera, ()
    if camera is None or world_from_camera is None:
        camera, world_from_camera = _placed(predictions)
        notes = ("There is no matched camera in the scene: it was put where a new scan of the photo would have it.",)
    height, width = predictions.image.shape[:2]
    if (camera.width, camera.height) != (width, height):
        raise SapiensError(
            f"The matched camera is of a photo of {camera.width} x {camera.height}, this one has {width} x {height}.",
            "Choose the photo that the camera was matched to.",
        )
    to_camera = np.linalg.inv(world_from_camera.astype(np.float64))
    points = mesh.points.astype(np.float64) @ to_camera[:3, :3].T + to_camera[:3, 3]
    faces = halves(mesh.quads)
    drawn, shares = draw_mesh(points, faces, camera, both_sides=True)
    covered = drawn >= 0
    masks = _masks(predictions)
    on = [np.count_nonzero(mask & covered) for mask in masks]
    best = int(np.argmax(on))
    if on[best] <= LEAST_COVERED * np.count_nonzero(covered):
        raise _nowhere(mesh.name)
    mask = masks[best]
    if predictions.pointmap is not None:
        z = predictions.pointmap[..., 2].astype(np.float64)
        both = covered & mask & np.isfinite(z) & (z > 0)
        if both.any():
            depth = np.einsum("nk,nk->n", shares[both], points[faces[drawn[both]]][..., 2])
            ratio = float(np.median(z[both] / depth))
            # A scene that was scaled, to a height or a distance: seen from the camera nothing changes.
            points = points * (ratio if abs(ratio - 1) > SAME_SCALE else 1.0)
    return _InPhoto(camera, best, mask, points.astype(np.float32), notes)


def _nowhere(name: str) -> SapiensError:
    return SapiensError(
        f"{name} does not stand on a person in the photo.",
        "Look through the matched camera, and move the mesh onto the person behind it; faces must point outwards.",
    )


def _masks(predictions: Predictions) -> list[np.ndarray]:
    """(H, W) bool of everybody in the photo; of one, who is everything that is solid, without a segmentation."""
    if predictions.seg is not None:
        boxes = predictions.boxes if predictions.boxes is not None and len(predictions.boxes) else None
        return [person.mask for person in find_people(predictions.seg, boxes)] or [predictions.seg > 0]
    if predictions.alpha is not None:
        return [predictions.alpha > 127]
    if predictions.pointmap is not None:
        with np.errstate(invalid="ignore"):
            return [np.isfinite(predictions.pointmap).all(axis=-1) & (predictions.pointmap[..., 2] > 0)]
    raise SapiensError(
        "The predictions say nothing of where the person is.", "Run the tasks seg, alpha or pointmap on the photo first."
    )


def _placed(predictions: Predictions) -> tuple[Camera, np.ndarray]:
    """The camera of a photo and (4, 4) where a scan of the photo puts it in the world."""
    camera = estimate_camera(predictions).camera
    masks = _masks(predictions)
    lead = max(range(len(masks)), key=lambda k: int(masks[k].sum()))
    if predictions.pointmap is None:
        raise SapiensError(
            "There is neither a matched camera in the scene nor a pointmap in the predictions.",
            "Make the avatar or the scan of the photo in this file first.",
        )
    try:
        pose = lift_pose(predictions, person=lead, camera=camera)
    except SapiensError:
        pose = None  # a scan is placed without one, too
    points = predictions.pointmap[masks[lead]].astype(np.float64)
    return camera, place(pose, points[points[:, 2] > 0]).world_from_camera


def _in_others(
    seen: _InPhoto, predictions: Predictions, others: Mapping[str, Predictions]
) -> tuple[list[tuple[Sighting, np.ndarray]], list[str]]:
    """Other photos, each with the points of the mesh in its camera's space, and sentences about those that were left out."""
    try:
        pose = lift_pose(predictions, person=seen.person, camera=seen.camera)
    except SapiensError as error:
        return [], [f"The other photos were left out: {error.message}"]
    sightings, left_out = [Sighting(predictions, seen.camera, pose, seen.person, seen.mask)], []
    for name, photo in others.items():
        try:
            sightings.append(sighting_of(photo))
        except SapiensError as error:
            left_out.append(f"{name} was left out: {error.message}")
    if len(sightings) == 1:
        return [], left_out
    fits = fit_sightings(sightings)
    body, _ = in_photo(*make_body(fits[0], np.eye(4)))
    weights = _nearest_weights(seen.points, body.vertices, body.weights)
    rest = rested(seen.points, weights, rest_rig_of(fits[0]))
    return [(s, in_other_photo(rest, weights, fit)) for s, fit in zip(sightings[1:], fits[1:], strict=True)], left_out


def _nearest_weights(points: np.ndarray, vertices: np.ndarray, weights: SkinWeights) -> SkinWeights:
    """Bone weights of the nearest vertex of a body."""
    from scipy.spatial import cKDTree

    nearest = cKDTree(vertices).query(points)[1]
    return SkinWeights(weights.bones[nearest], weights.weights[nearest])


def _mirror(mesh: ArtistMesh) -> np.ndarray:
    """(V,) int32: the vertex on the other side. Raises SapiensError where the sides differ."""
    local = mesh.local.astype(np.float64)
    width = max(float(np.ptp(local[:, 0])), 1e-9)
    found = twins(local, TWIN * width)
    if found is None:
        middle = (local[:, 0].min() + local[:, 0].max()) / 2
        found = twins(local - [middle, 0, 0], TWIN * width)
    if found is None:
        raise SapiensError(
            f"The left and the right side of {mesh.name} differ.",
            "Turn off Symmetry, or make the mesh symmetric along its own X axis.",
        )
    return found
