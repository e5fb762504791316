"""An avatar built again, in place: what was built takes the place of what was built before, inside the artist's objects.

Objects stay, with their names, places, parents, modifiers, constraints and animation; meshes and armatures are exchanged under
them, with the artist's vertex groups and shape keys (`scene.carry`) and materials (`scene.keep_materials`). What was edited by
hand is kept as a hidden copy. Nothing of this knows roles by name but for the rig, which others follow.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from functools import partial

import bpy

from ..core.common.errors import SapiensError
from ..core.common.landmarks import part_names
from .armature import adopt_bone_marks, bind, follow, is_bound
from .camera import PLACED, adopt_camera
from .carry import carry_additions
from .correctives import drive_correctives
from .hand_edits import is_edited
from .keep_materials import images_of, keep_materials
from .marks import NAME, PERSON, PIECE, ROLE, Key, key_of, made_in, sign, unmark
from .masks import BUST, COVERED, bring_masks
from .photo_pose import adopt_photo_pose
from .restore import Changes
from .separate import separate
from .typed import data_of, mesh_of

MODES = {"EDIT": "Edit Mode", "SCULPT": "Sculpt Mode", "POSE": "Pose Mode"}


def check_free(objects: list[bpy.types.Object]) -> None:
    """Raises SapiensError when objects cannot be built again: they are linked from another file, or in a mode of their own."""
    for obj in objects:
        if obj.library is not None or obj.override_library is not None:
            raise SapiensError(f"{obj.name} is linked from another file.", "Build it again there, or make it local first.")
        if obj.mode != "OBJECT":
            mode = MODES.get(obj.mode, "another mode")
            raise SapiensError(f"{obj.name} is in {mode}.", "Go back to Object Mode first.")


@dataclass
class _Exchange:
    """What is in hand while a build takes the place of another.

    kept   new object -> the artist's object that stays in its place
    names  new data, materials and images, and the names that those in their place had
    left   data, materials and images that go if nothing uses them any more
    notes  sentences about what was kept aside
    """

    collection: bpy.types.Collection
    changes: Changes
    kept: dict[bpy.types.Object, bpy.types.Object] = field(default_factory=dict)
    names: list[tuple[str, bpy.types.ID]] = field(default_factory=list)
    left: set[bpy.types.ID] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)


def replace_build(
    collection: bpy.types.Collection, staged: bpy.types.Collection, changes: Changes, roles: Container[str] | None = None
) -> list[str]:
    """Let the objects of `staged`, a collection that is in no scene, take the place of the last build of `collection`.

    People who are not in `staged` stay as they are. So does what has none of the `roles`; None = all are built. Returns
    sentences about what was kept aside, a list that is whole when the changes are. Raises SapiensError when an object cannot be
    exchanged now; with `restore.whole_or_nothing`, everything is as before then.
    """
    old = {key: obj for key, obj in made_in(collection).items() if roles is None or key[0] in roles}
    new = {key_of(obj): obj for obj in _separated_alike(old, staged)}
    people = {key[1] for key in new}
    gone = [obj for key, obj in old.items() if key not in new and key[1] in people]
    check_free([*(old[key] for key in new if key in old), *gone])
    exchange = _Exchange(collection, changes)
    pairs = [(old[key], obj) for key, obj in new.items() if key in old]
    meshes = [kept.data for kept, _ in pairs if isinstance(kept.data, bpy.types.Mesh) and not is_edited(kept.data)]
    for kept, obj in pairs:
        _exchange_object(exchange, kept, obj, meshes)
    changes.at_the_end(partial(_settle, exchange, staged, gone))
    return exchange.notes


def _separated_alike(old: dict[Key, bpy.types.Object], staged: bpy.types.Collection) -> list[bpy.types.Object]:
    """The staged objects, with the scans of those people taken apart whose scans were."""
    apart = {obj[PERSON] for obj in old.values() if PIECE in obj}
    for obj in list(staged.objects):
        if obj.get(PERSON) in apart and obj.get(ROLE) == "scan":
            separate(obj)
    return list(staged.objects)


def _exchange_object(exchange: _Exchange, kept: bpy.types.Object, obj: bpy.types.Object, meshes: list[bpy.types.Mesh]) -> None:
    """The data and the marks of a new object for an object that stays."""
    changes, before = exchange.changes, kept.data
    exchange.kept[obj] = kept
    if isinstance(before, bpy.types.Camera):
        photos = [[image] if image is not None else [] for image in adopt_camera(kept, obj, changes)]
        exchange.left |= {data_of(obj), *photos[0], *photos[1]}
        exchange.names += named_as(*photos)
    else:
        if is_edited(before):
            exchange.notes.append(keep_edited(kept, exchange.collection))
        users = [other for other in bpy.data.objects if other.data == before and _follows(other, kept)]
        groups = set(kept.vertex_groups.keys())
        if isinstance(before, bpy.types.Mesh):
            _exchange_additions(kept, obj)
            old_materials = {material for material in before.materials if material is not None}
            new_materials = {material for material in obj.data.materials if material is not None}
            images, new_images = images_of(old_materials), images_of(new_materials)
            keep_materials(before, mesh_of(obj), lambda material: _is_shared(material, meshes), changes)
            exchange.left |= old_materials | new_materials | images | new_images
            exchange.names += named_as(old_materials, new_materials) + named_as(images, new_images)
        for user in users:
            changes.set(user, "data", obj.data)
        changes.at_the_end(partial(bring_masks, kept, obj, groups))
        if isinstance(before, bpy.types.Armature):
            changes.at_the_end(partial(adopt_bone_marks, kept, obj, before))
            changes.at_the_end(partial(adopt_photo_pose, kept, obj))
        exchange.left |= {before} - {None}
        exchange.names.append((before.name, data_of(obj)))
    for name in [name for name in (*kept.keys(), *obj.keys()) if name.startswith("sapiens2_") and name not in (NAME, PLACED)]:
        changes.put(kept, name, obj.get(name))


def _follows(other: bpy.types.Object, kept: bpy.types.Object) -> bool:
    """Whether an object that shows the same data is to show the new: the object itself, and its linked duplicates, but not
    the copy of what was edited by hand."""
    return other == kept or bool(other.get(ROLE))


def _exchange_additions(kept: bpy.types.Object, obj: bpy.types.Object) -> None:
    rig = next((m.object for m in kept.modifiers if m.type == "ARMATURE" and m.object and m.object.get(ROLE) == "rig"), None)
    ours = {*part_names(), COVERED, BUST} | (set(rig.data.bones.keys()) if rig is not None else set())
    carry_additions(kept, obj, ours, by_photo=kept[ROLE] == "scan")


def _is_shared(material: bpy.types.Material, meshes: list[bpy.types.Mesh]) -> bool:
    """Whether something else than the meshes that are exchanged shows a material."""
    own = sum(list(mesh.materials).count(material) for mesh in meshes)
    return material.users - material.use_fake_user > own


def named_as(old: Iterable[bpy.types.ID], new: Iterable[bpy.types.ID]) -> list[tuple[str, bpy.types.ID]]:
    """The names of old blocks for those new ones that are called so but for Blender's number."""
    named = {block.name for block in old}
    return [(_stem(block.name), block) for block in new if block.name not in named and _stem(block.name) in named]


def _stem(name: str) -> str:
    """A name without the number that Blender gives to the second of its kind."""
    head, _, number = name.rpartition(".")
    return head if head and number.isdigit() else name


def keep_edited(obj: bpy.types.Object, collection: bpy.types.Collection) -> str:
    """Keep an object as it is, as a hidden copy that is the artist's own, before its data are exchanged. Returns a sentence."""
    copy = obj.copy()
    unmark(copy)
    copy.name = f"{obj.name} Edited"
    copy.hide_viewport = copy.hide_render = True
    collection.objects.link(copy)
    return f"{obj.name} was edited by hand. That is kept in {copy.name}, which is hidden."


def _settle(exchange: _Exchange, staged: bpy.types.Collection, gone: list[bpy.types.Object]) -> None:
    """The new objects into the collection, references to the others to what stays in their place, and away with what is left."""
    rigs = {kept: obj.parent for obj, kept in exchange.kept.items() if obj.parent is not None and obj.parent not in exchange.kept}
    added = [obj for obj in staged.objects if obj not in exchange.kept]
    for obj in gone:
        if obj.get(ROLE) == "rig":
            release(obj)
    for obj in added:
        exchange.collection.objects.link(obj)
    for obj, kept in exchange.kept.items():
        staged.objects.unlink(obj)
        obj.user_remap(kept)
    for kept, rig in rigs.items():
        if not is_bound(kept, rig):
            bind(kept, rig) if kept.parent is None else follow(kept, rig)
    for obj in gone:
        exchange.left |= {obj.data} - {None}
        if is_edited(obj.data):
            unmark(obj)
            exchange.notes.append(f"{obj.name} was edited by hand, and is no part of the avatar any more.")
    bpy.data.batch_remove([*exchange.kept, *(obj for obj in gone if ROLE in obj)])
    bpy.data.collections.remove(staged)
    name_left(exchange.names, exchange.left)
    for obj in added:
        if _stem(obj.name) not in bpy.data.objects:
            obj.name = _stem(obj.name)
        sign(obj)


def release(rig: bpy.types.Object) -> None:
    """Let what follows a rig stand alone, where it stands, before the rig is deleted. The rig's action stays in the file."""
    bones = set(rig.data.bones.keys())
    for obj in [obj for obj in bpy.data.objects if obj.get(ROLE) and obj.get(ROLE) != "rig"]:
        for modifier in [m for m in obj.modifiers if m.type == "ARMATURE" and m.object == rig]:
            obj.modifiers.remove(modifier)
            drive_correctives(obj, None)
            for name in bones & set(obj.vertex_groups.keys()):
                obj.vertex_groups.remove(obj.vertex_groups[name])
        if obj.parent == rig:
            place = rig.matrix_world @ obj.matrix_parent_inverse @ obj.matrix_basis
            obj.parent, obj.matrix_basis = None, place
    if rig.animation_data is not None and rig.animation_data.action is not None:
        rig.animation_data.action.use_fake_user = True


def name_left(names: list[tuple[str, bpy.types.ID]], blocks: set[bpy.types.ID]) -> None:
    """Delete those of the blocks that nothing uses, users before what they use, and give the others new names."""
    numbers = [block.session_uid for _, block in names]
    removed = set()
    kinds = ((bpy.types.Mesh, bpy.types.Armature, bpy.types.Camera), (bpy.types.Material,), (bpy.types.Image,))
    for kind in kinds:
        unused = [block for block in blocks if isinstance(block, kind) and block.users == 0]
        blocks = blocks - set(unused)
        removed |= {block.session_uid for block in unused}
        bpy.data.batch_remove(unused)
    for (name, block), number in zip(names, numbers, strict=True):
        if number not in removed:
            block.name = name
