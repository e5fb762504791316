"""Rig families: which bone of an armature plays which role, by names, with the order of parents checked.

Roles are those of the VRM 1.0 humanoid (`leftUpperArm`, `rightHand`, ...), with two changes: `spine` and `neck` name the whole
chain between hips and head, bottom up, and a role may have several bones (all toes; the controls of a Rigify torso). The
families live in data/bone_tables.json; `core.rig_structure` finds the roles of armatures whose names say nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise

from .rest import RestRig
from .skeleton import DATA, SIDES
from .skeleton import FINGERS as KEYPOINT_FINGERS

FINGERS = ("Thumb", "Index", "Middle", "Ring", "Little")
FINGER_JOINTS: dict[str, str] = dict(zip(FINGERS, KEYPOINT_FINGERS, strict=True))
"""Finger of a rig -> the same finger among the keypoints (`core.skeleton.finger_joints`)."""
LIMBS = ("Shoulder", "UpperArm", "LowerArm", "Hand", "UpperLeg", "LowerLeg", "Foot", "Toes")
PHALANGES = {f: ("Metacarpal", "Proximal", "Distal") if f == "Thumb" else ("Proximal", "Intermediate", "Distal") for f in FINGERS}
FINGER_ROLES = tuple(f"{side}{f}{p}" for side in SIDES for f in FINGERS for p in PHALANGES[f])
TRUNK_ROLES = ("root", "hips", "spine", "neck", "head", "jaw", "leftEye", "rightEye")
ROLES = (*TRUNK_ROLES, *(f"{side}{limb}" for side in SIDES for limb in LIMBS), *FINGER_ROLES)
REQUIRED = (
    "hips",
    "head",
    *(f"{s}{limb}" for s in SIDES for limb in ("UpperArm", "LowerArm", "Hand", "UpperLeg", "LowerLeg", "Foot")),
)
ENOUGH = 9  # required roles that must be found before names count as recognised: a rig with a few bones deleted still is one

_PARENT = {"neck": "spine", "head": "neck", "jaw": "head", "leftEye": "head", "rightEye": "head", "spine": "hips", "hips": "root"}
for _side in SIDES:
    _PARENT |= {f"{_side}Shoulder": "spine", f"{_side}UpperLeg": "hips"}
    for _chain in (("Shoulder", "UpperArm", "LowerArm", "Hand"), ("UpperLeg", "LowerLeg", "Foot", "Toes")):
        _PARENT |= {f"{_side}{limb}": f"{_side}{parent}" for parent, limb in pairwise(_chain)}
    for _finger in FINGERS:
        _chain = ("Hand", *(_finger + phalanx for phalanx in PHALANGES[_finger]))
        _PARENT |= {f"{_side}{bone}": f"{_side}{parent}" for parent, bone in pairwise(_chain)}


@dataclass(frozen=True)
class BoneMap:
    """Which bones play which role in one armature.

    family    id of the table, "structure" or "custom"
    title     for people
    bones     role -> bone names; `spine` and `neck` bottom up; the first bone of `hips` carries the location
    twist     limb role -> bones that share its twist, from its start to its end
    switches  (bone, custom property, value) that make the armature listen to these bones, as IK to FK
    controls  the bones are animation controls: they do not deform, and their parents are not the bones of the parent roles
    notes     sentences for the artist: what was not found
    confidence  0..1: share of the required roles that were found; a name that only fits without what exporters add counts 0.9,
                a role found by structure 0.6
    """

    family: str
    title: str
    bones: dict[str, tuple[str, ...]]
    twist: dict[str, tuple[str, ...]] = field(default_factory=dict)
    switches: tuple[tuple[str, str, float], ...] = ()
    controls: bool = False
    notes: tuple[str, ...] = ()
    confidence: float = 1.0

    def first(self, role: str) -> str | None:
        """The (lowest) bone of a role, None if the armature has none."""
        found = self.bones.get(role, ())
        return found[0] if found else None

    def parent_role(self, role: str) -> str | None:
        """The nearest role above that has a bone."""
        parent = _PARENT.get(role)
        while parent is not None and not self.bones.get(parent):
            parent = _PARENT.get(parent)
        return parent

    @property
    def missing(self) -> tuple[str, ...]:
        """Required roles without a bone."""
        return tuple(role for role in REQUIRED if not self.bones.get(role))


@dataclass(frozen=True)
class Family:
    """A table of data/bone_tables.json.

    roles     role -> the names that its bones may have
    twist     limb role -> bones that share its twist
    detect    bones by which this family is told from those with the same names
    switches, controls  as in BoneMap
    """

    id: str
    title: str
    roles: dict[str, list[str]]
    twist: dict[str, list[str]] = field(default_factory=dict)
    detect: tuple[str, ...] = ()
    switches: tuple[tuple[str, str, float], ...] = ()
    controls: bool = False


@cache
def families() -> dict[str, Family]:
    """The rig families that are known by names: id -> table."""
    out = {}
    tables = json.loads((DATA / "bone_tables.json").read_text("utf-8"))["rigs"]
    for key, table in tables.items():
        roles = {**table.get("roles", {}), **table.get("fk_controls", {})}
        if not roles:
            continue
        out[key] = Family(
            id=key,
            title=table["display"].split(" (")[0],
            roles={role: [name] if isinstance(name, str) else list(name) for role, name in roles.items()},
            # The second bone of a limb in two segments is a link that twists.
            twist={role: names[1:] for role, names in table.get("two_segment_limbs", {}).items()} | table.get("twist", {}),
            detect=tuple(n for entry in table.get("detect_any", []) for n in entry.split("|")),
            switches=_switches(table),
            controls="fk_controls" in table,
        )
        if "roles_symmetrised" in table:  # the same rig after a rename that Blender's mirror tools understand
            renamed = {role: [name] for role, name in table["roles_symmetrised"].items()}
            out[f"{key}_symmetrised"] = replace(out[key], id=f"{key}_symmetrised", roles=renamed)
    generated = out["rigify_generated"].roles
    # The pelvis of a generated Rigify torso turns with `spine_fk`; `torso` moves and turns the whole.
    # The controls named eye are targets to look at; master_eye turns.
    generated |= {
        "hips": ["torso", "spine_fk"],
        "spine": ["spine_fk.001", "spine_fk.002", "spine_fk.003"],
        "leftEye": ["master_eye.L"],
        "rightEye": ["master_eye.R"],
    }
    del generated["chest"], generated["upperChest"]
    out["soma"] = Family("soma", "SOMA-X", _soma_roles(tables["soma"]["bones"]), detect=("LeftShin", "Neck2"))
    return out


def _switches(table: dict) -> tuple[tuple[str, str, float], ...]:
    """What makes FK controls count: FK on every limb, and head and neck that turn with their parents."""
    fk = [(bone, prop, 1.0) for bone, prop in table.get("ik_fk_switch", {}).values()]
    limbs = [(bone, "FK_limb_follow", 0.0) for bone, prop in table.get("ik_fk_switch", {}).values() if prop == "IK_FK"]
    others = [(bone, prop) for bone, props in table.get("other_props", {}).items() for prop in props]
    follow = [(bone, prop, 1.0) for bone, prop in others if prop.endswith("_follow") and not prop.startswith("FK")]
    return tuple(fk + limbs + follow)


def _soma_roles(bones: list[str]) -> dict[str, list[str]]:
    """SOMA-X calls the thigh Leg and the shank Shin, and counts finger joints from the metacarpal."""
    roles = {
        "root": "Root", "hips": "Hips", "spine": "Spine1", "chest": "Spine2", "upperChest": "Chest", "neck": "Neck1",
        "head": "Head", "jaw": "Jaw", "leftEye": "LeftEye", "rightEye": "RightEye",
    }  # fmt: skip
    names = ("Shoulder", "Arm", "ForeArm", "Hand", "Leg", "Shin", "Foot", "ToeBase")
    for side in SIDES:
        roles |= {f"{side}{limb}": f"{side.title()}{name}" for limb, name in zip(LIMBS, names, strict=True)}
        for finger in FINGERS:
            first = 1 if finger == "Thumb" else 2
            for n, phalanx in enumerate(PHALANGES[finger]):
                roles[f"{side}{finger}{phalanx}"] = f"{side.title()}Hand{finger.replace('Little', 'Pinky')}{first + n}"
    return {role: [name] for role, name in roles.items() if name in bones}


@cache
def simplified(name: str) -> str:
    """A bone name without what exporters add: name spaces (`Armature|`, `rig:`), Mixamo's prefix, upper case, separators."""
    name = re.sub(r"^mixamorig\d*[:_]", "", re.split(r"[|]", name)[-1], flags=re.IGNORECASE)
    return re.sub(r"[^a-z0-9]", "", name.rsplit(":", 1)[-1].casefold())


def recognise(rest: RestRig) -> BoneMap:
    """The roles of an armature's bones: by the names of a known family, else by structure.

    Bones whose parents contradict their role are left out and noted. SapiensError if neither names nor structure show a body.
    """
    exact = set(rest.names)
    loose: dict[str, str] = {}
    for name in rest.names:
        loose.setdefault(simplified(name), name)

    def present(names: Iterable[str]) -> list[str]:
        """The bones of this armature that a table's names stand for."""
        return [n if n in exact else loose[simplified(n)] for n in names if n in exact or simplified(n) in loose]

    best: tuple[tuple[int, int, int, int], BoneMap] | None = None
    for family in families().values():
        found = {role: present(names) for role, names in family.roles.items()}
        bones, dropped = _checked(rest, found, family.controls)
        required = sum(role in bones for role in REQUIRED)
        if required < ENOUGH or "hips" not in bones:
            continue
        spelled = sum(n in exact for names in family.roles.values() for n in names)
        score = (required, sum(n in exact for n in family.detect), len(bones), spelled)
        if best is None or score > best[0]:
            twist = {} if family.controls else {role: present(names) for role, names in family.twist.items()}
            bones, twist = _whole_limbs(rest, bones, twist)
            switches = tuple(s for s in family.switches if s[0] in exact)
            known = {n for names in family.roles.values() for n in names}
            sure = sum(1.0 if bones[role][0] in known else 0.9 for role in REQUIRED if role in bones) / len(REQUIRED)
            best = score, BoneMap(family.id, family.title, bones, twist, switches, family.controls, dropped, sure)
    if best is None:
        from .rig_structure import recognise_structure

        return recognise_structure(rest)
    found = best[1]
    if found.missing:
        found = replace(found, notes=(*found.notes, f"No bone was found for {', '.join(found.missing)}."))
    return found


def opposite_name(name: str, names: Collection[str]) -> str | None:
    """The bone of `names` that is called like `name` but for its side, None if there is none.

    Knows Left and Right in any case, L and R as a part of their own (`.L`, `_l_`, `L `), and as a first letter (`lShldr`).
    """
    sides = {"left": "right", "right": "left", "l": "r", "r": "l"}

    def swapped(found: re.Match[str]) -> str:
        word = found[0]
        other = sides[word.casefold()]
        return other.upper() if word.isupper() else other.title() if word[0].isupper() else other

    for pattern in (
        "(?i:left|right)",
        "(?<![A-Za-z0-9])[LlRr](?![A-Za-z0-9])",
        "^[lr](?=[A-Z])",
        "(?<![A-Za-z])[LR](?=[A-Z][a-z])",
    ):
        for found in re.finditer(pattern, name):
            other = name[: found.start()] + swapped(found) + name[found.end() :]
            if other != name and other in names:
                return other
    return None


def _checked(rest: RestRig, found: dict[str, list[str]], controls: bool) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Roles whose bones hang under the bones of their parent roles, spine and neck filled to whole chains; and notes."""
    bones = {role: tuple(names) for role, names in found.items() if names and role in ROLES}
    if controls:
        return bones, ()
    trunk = [name for role in ("spine", "chest", "upperChest") for name in found.get(role, ())]
    bones |= chains(rest, found.get("hips", ()), trunk, found.get("neck", ()), found.get("head", ()))
    notes = []
    order = BoneMap("", "", bones)
    for role in ROLES:
        parent = order.parent_role(role)
        if role not in bones or parent is None or parent == "root" or role in ("spine", "neck"):
            continue
        above = {rest.names[i] for i in rest.ancestors(rest.names.index(bones[role][0]))}
        if not above & set(bones[parent]):
            notes.append(f"'{bones[role][0]}' is not under '{bones[parent][-1]}' and was left out as {role}.")
            del bones[role]
    return bones, tuple(notes)


def _whole_limbs(
    rest: RestRig, bones: dict[str, tuple[str, ...]], twist: dict[str, list[str]]
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """Limbs from where they begin: a twist bone between a limb's bone and what it hangs on is the limb's first bone."""
    bones, out = dict(bones), {}
    order = BoneMap("", "", bones)
    for role, names in twist.items():
        if role not in bones or not names:
            continue
        names = [n for n in names if n != bones[role][0]]
        parent = order.parent_role(role)
        over = [rest.names[i] for i in rest.ancestors(rest.index(bones[role][0]))]
        stop = next((n for n, name in enumerate(over) if parent and name in bones[parent]), 0)
        first = [name for name in over[:stop] if name in names]
        if first:  # the highest begins the limb, the others and what was its bone follow
            names = [*(n for n in names if n != first[-1]), bones[role][0]]
            bones[role] = (first[-1],)
        out[role] = tuple(names)
    return bones, out


def chains(
    rest: RestRig, hips: Iterable[str], trunk: Iterable[str], neck: Iterable[str], head: Iterable[str]
) -> dict[str, tuple[str, ...]]:
    """`spine` and `neck` as the whole paths between hips, neck and head, whatever bones a table left out between them."""

    def path(top: str, stop: set[str]) -> list[str]:
        out = [top]
        for i in rest.ancestors(rest.names.index(top)):
            if rest.names[i] in stop:
                return out[::-1]
            out.append(rest.names[i])
        return []

    hips, trunk, neck, head = set(hips), list(trunk), list(neck), list(head)
    out: dict[str, tuple[str, ...]] = {}
    top = neck[0] if neck else None
    if top:
        spine = path(top, hips)[:-1]
    else:
        spine = max((path(name, hips) for name in trunk), key=len, default=[])
    if spine:
        out["spine"] = tuple(spine)
    if head and neck:
        between = path(head[0], set(spine) | hips)[:-1]
        if neck[0] in between:
            out["neck"] = tuple(between)
    return out
