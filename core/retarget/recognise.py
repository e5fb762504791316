"""The roles of an armature's bones: by the names of a known family (`core.retarget.families`), with the order of parents checked.

`core.retarget.structure` finds the roles of armatures whose names say nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import cache

from .armature import RestRig
from .bone_map import REQUIRED, ROLES, BoneMap
from .families import families
from .structure import recognise_structure

ENOUGH = 9  # required roles that must be found before names count as recognised: a rig with a few bones deleted still is one


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
