"""Another shape for a body in the scene: its vertices and shape keys, its rig at rest, and what it wears, all in place."""

from __future__ import annotations

from dataclasses import dataclass, replace

import bpy
import numpy as np

from ..core.body.evaluate import Shape
from ..core.body.phenotype import HIGHEST, LOWEST, PHENOTYPES
from ..core.body.reshape import Attachment, body_vertices, reshape, skin_rows
from ..core.common.arrays import RigData
from ..core.common.errors import SapiensError
from ..core.common.rotations import rotation_from_quaternion
from ..core.rig.rest_pose import pose_rig
from .armature import is_bound, read_rest_rig, write_rest_rig
from .control_rig import check_no_controls
from .hand_edits import is_edited, stamp
from .keys import bone_path, curves_of
from .marks import PERSON, PHOTO_SHAPE, ROLE, SHAPE, made_in
from .photo_pose import photo_channels, photo_pose_track
from .replace import check_free
from .typed import mesh_of

WORN = ("garment", "scan")
"""Roles of the objects that go along with the body."""
MOST_HELD = 16


@dataclass(frozen=True, eq=False)
class _Held:
    """How an object is attached to the body, for as long as both are as the last change has left them: a slider that is dragged
    changes the shape many times."""

    points: np.ndarray
    surface: np.ndarray
    attachment: Attachment


_held: dict[int, _Held] = {}


def numbers_of(body: bpy.types.Object, *, of_photo: bool = False) -> np.ndarray | None:
    """(75,) float64 `Shape.numbers` of a body in the scene, or those that its photo gave; None where they are not known."""
    stored = body.get(PHOTO_SHAPE if of_photo else SHAPE)
    if stored is None or len(stored) != len(Shape().numbers()):
        return None
    return np.array(stored, np.float64)


def note_numbers(body: bpy.types.Object, numbers: np.ndarray) -> None:
    """Keep on a new body the (75,) numbers of its shape, which are those of the photo."""
    body[SHAPE] = body[PHOTO_SHAPE] = [float(number) for number in numbers]


def rig_of(collection: bpy.types.Collection, body: bpy.types.Object) -> bpy.types.Object | None:
    """The rig that was built with a body."""
    return made_in(collection).get(("rig", body.get(PERSON, ""), ""))


def check_shape(collection: bpy.types.Collection, body: bpy.types.Object) -> bpy.types.Object:
    """The rig of a body whose shape can be changed now. SapiensError says why it cannot."""
    rig = rig_of(collection, body)
    if numbers_of(body) is None:
        raise SapiensError(f"The shape of {body.name} is not known.", "Build the avatar again.")
    if rig is None:
        raise SapiensError(f"{body.name} has no rig, which its shape needs.", "Turn on Make Rig, and build the avatar again.")
    check_no_controls(rig)
    if not is_bound(body, rig):
        raise SapiensError(
            f"{body.name} does not follow {rig.name}.", f"Let its Armature modifier use {rig.name} while you change the shape."
        )
    if len(mesh_of(body).vertices) != len(body_vertices()):
        raise SapiensError(f"{body.name} has other vertices than it was built with.", "Build the avatar again.")
    check_free([body, rig, *_worn(collection, body, rig)])
    return rig


def change_shape(collection: bpy.types.Collection, body: bpy.types.Object, numbers: np.ndarray) -> None:
    """Give a body of an avatar the shape of (75,) `numbers` (`Shape.numbers`); phenotypes are brought into their range.

    Vertices, shape keys and bones at rest move; the pose of the photo stays one; clothes, hair and scan of this person go along.
    Nothing else changes: not the values of keys, poses, modifiers, materials, nor what was edited by hand, which moves along.
    Raises SapiensError where that cannot be done now; nothing is changed then.
    """
    rig = check_shape(collection, body)
    before = numbers_of(body)
    assert before is not None  # it was checked
    after = np.array(numbers, np.float64)
    if after.shape != before.shape or not np.isfinite(after).all():
        raise SapiensError(f"A shape is {len(before)} finite numbers.", "Take them from `Shape.numbers`.")
    after[: len(PHENOTYPES)] = np.clip(after[: len(PHENOTYPES)], LOWEST, HIGHEST)
    if np.array_equal(before, after):
        return
    rest = read_rest_rig(rig)
    turns = _photo_turns(rig, rest)
    changed = reshape(Shape.of(before), Shape.of(after), rest, turns)
    to_body = _rig_from(body, rig)
    moves = changed.moves @ np.linalg.inv(to_body[:3, :3]).T.astype(np.float32)
    skin = skin_rows()
    surface = _placed(_rest_points(mesh_of(body))[skin], to_body)
    surface_moves = changed.moves[skin]
    for obj in _worn(collection, body, rig):
        to_obj = _rig_from(obj, rig)
        own = _attached(obj, _placed(_rest_points(mesh_of(obj)), to_obj), surface).moves(surface_moves)
        _move(obj, own @ np.linalg.inv(to_obj[:3, :3]).T.astype(np.float32))
        _hold(obj, _placed(_rest_points(mesh_of(obj)), to_obj), surface + surface_moves)
    _move(body, moves)
    write_rest_rig(rig, changed.rig)
    if turns is not None:
        _rest_photo_pose(rig, rest, changed.rig, turns, changed.raise_photo)
    body[SHAPE] = after.tolist()


def artist_shapes(collection: bpy.types.Collection) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Person -> the numbers of their body and those of the photo, where the artist has changed them."""
    found = {}
    for (role, person, _), obj in made_in(collection).items():
        if role != "body":
            continue
        own, photo = numbers_of(obj), numbers_of(obj, of_photo=True)
        if own is not None and photo is not None and not np.array_equal(own, photo):
            found[person] = own, photo
    return found


def restore_shapes(collection: bpy.types.Collection, before: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """After a new build, give bodies the numbers that were the artist's own; the others are those of the new fit."""
    for (role, person, _), obj in made_in(collection).items():
        if role == "body" and person in before and (new := numbers_of(obj)) is not None and rig_of(collection, obj) is not None:
            own, photo = before[person]
            change_shape(collection, obj, np.where(own == photo, new, own))


def _photo_turns(obj: bpy.types.Object, rig: RigData) -> dict[str, np.ndarray] | None:
    """Bone -> (3, 3) how the pose of the photo turns it from the rest, in the axes of the armature. rig: its rest, parents first.
    None where there is no such pose, or where the artist has made more of it than one pose."""
    track = photo_pose_track(obj)
    curves = {} if track is None else _curves_of(track)
    if not curves or any(len(curve.keyframe_points) != 1 for curve in curves.values()):
        return None
    rests, turns = rig.axes(), []
    for number, name in enumerate(rig.names):
        own = [_value(curves, name, "rotation_quaternion", index) for index in range(4)]
        own = np.eye(3) if None in own else rotation_from_quaternion(np.array(own, np.float64))
        turn = rests[number] @ own @ rests[number].T
        turns.append(turn if rig.parents[number] < 0 else turns[rig.parents[number]] @ turn)
    return dict(zip(rig.names, turns, strict=True))


def _rest_photo_pose(obj: bpy.types.Object, before: RigData, after: RigData, turns: dict[str, np.ndarray], up: float) -> None:
    """Write the pose of the photo for another rest: the same turns, its root where it was but for metres `up`.

    before, after  the rest, parents first; `obj` has the rest `after` already
    """
    track = photo_pose_track(obj)
    assert track is not None  # `_photo_turns` found it
    curves, root = _curves_of(track), int(np.flatnonzero(after.parents < 0)[0])
    place = [_value(curves, after.names[root], "location", index) or 0.0 for index in range(3)]
    _, maps = pose_rig(after, np.array([turns[name] for name in after.names]))
    maps[:, :3, 3] += before.heads[root] + before.axes()[root] @ place + [0, 0, up] - after.heads[root]
    for channels in photo_channels(obj, replace(after, photo_from_rest=maps), np.eye(4)):
        for index in channels.free:
            curve = curves.get((channels.data_path, index))
            if curve is not None:
                curve.keyframe_points[0].co = curve.keyframe_points[0].co[0], channels.values[0, index]
                curve.update()
    for strip in track.strips:
        strip.action = strip.action  # evaluated anew, see `scene.photo_pose`


def _curves_of(track: bpy.types.NlaTrack) -> dict[tuple[str, int], bpy.types.FCurve]:
    """(path, index) -> the curves of the first strip of a track."""
    action = track.strips[0].action
    return {} if action is None else {(curve.data_path, curve.array_index): curve for curve in curves_of(action)}


def _value(curves: dict[tuple[str, int], bpy.types.FCurve], bone: str, path: str, index: int) -> float | None:
    curve = curves.get((bone_path(bone, path), index))
    return None if curve is None else curve.keyframe_points[0].co[1]


def _worn(collection: bpy.types.Collection, body: bpy.types.Object, rig: bpy.types.Object) -> list[bpy.types.Object]:
    """What goes along with a body: what was made for its person and follows its rig."""
    own = [obj for obj in made_in(collection).values() if obj.get(PERSON) == body.get(PERSON)]
    return [obj for obj in own if obj.get(ROLE) in WORN and obj.type == "MESH" and is_bound(obj, rig)]


def _rig_from(obj: bpy.types.Object, rig: bpy.types.Object) -> np.ndarray:
    """(4, 4) the space of an object into that of its rig, whether or not Blender has evaluated them yet."""
    if obj.parent == rig and obj.parent_type == "OBJECT":
        return np.array(obj.matrix_parent_inverse @ obj.matrix_basis, np.float64)
    return np.array(rig.matrix_world.inverted_safe() @ obj.matrix_world, np.float64)


def _placed(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return (points @ matrix[:3, :3].T + matrix[:3, 3]).astype(np.float32)


def _rest_points(mesh: bpy.types.Mesh) -> np.ndarray:
    """(V, 3) float32: the basis of its shape keys, or its vertices."""
    points = np.empty(3 * len(mesh.vertices), np.float32)
    (mesh.shape_keys.reference_key.points if mesh.shape_keys is not None else mesh.vertices).foreach_get("co", points)
    return points.reshape(-1, 3)


def _move(obj: bpy.types.Object, moves: np.ndarray) -> None:
    """Move the vertices of a mesh object and all its shape keys by (V, 3); what was not edited by hand still is not."""
    mesh = mesh_of(obj)
    edited = is_edited(mesh)
    moves = np.ascontiguousarray(moves, np.float32).ravel()
    points = np.empty_like(moves)
    for block in mesh.shape_keys.key_blocks if mesh.shape_keys is not None else ():
        block.points.foreach_get("co", points)
        block.points.foreach_set("co", points + moves)
    mesh.vertices.foreach_get("co", points)
    mesh.attributes["position"].data.foreach_set("vector", points + moves)
    mesh.update()
    if not edited:
        stamp(mesh)


def _attached(obj: bpy.types.Object, points: np.ndarray, surface: np.ndarray) -> Attachment:
    """How the (V, 3) points of an object hang on the surface, all at rest in the space of the rig."""
    held = _held.get(mesh_of(obj).session_uid)
    if held is None or not np.array_equal(held.points, points) or not np.allclose(held.surface, surface, atol=1e-5):
        held = _Held(points, surface, Attachment.of(points, surface))
        if len(_held) >= MOST_HELD:
            _held.clear()
        _held[mesh_of(obj).session_uid] = held
    return held.attachment


def _hold(obj: bpy.types.Object, points: np.ndarray, surface: np.ndarray) -> None:
    """The attachment of an object goes on to where it and the body are now."""
    number = mesh_of(obj).session_uid
    _held[number] = _Held(points, surface, _held[number].attachment)
