"""The roles of an armature's bones: by the names of a known family (`core.retarget.families`), with the order of parents checked.

`core.retarget.structure` finds the roles of armatures whose names say nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from ..common.landmarks import SIDES
from .armature import RestRig
from .bone_map import REQUIRED, ROLES, BoneMap
from .families import Family, families, simplified
from .structure import recognise_structure

ENOUGH = 9  # required roles that must be found before names count as recognised: a rig with a few bones deleted still is one


def recognise(rest: RestRig) -> BoneMap:
    """The roles of an armature's bones: by the names of a known family, else by structure.

    Names may carry any prefix and suffix that all have in common (`Character1_`, `.001`). Bones whose parents contradict their
    role are left out and noted. SapiensError if neither names nor structure show a body.
    """
    exact = set(rest.names)
    loose: dict[str, str] = {}
    for name in rest.names:
        loose.setdefault(simplified(name), name)
    for name in rest.names:  # Blender numbers names that were taken
        loose.setdefault(simplified(re.sub(r"\.\d{3}$", "", name)), name)
    best: tuple[tuple[int, int, int, int], BoneMap] | None = None
    for family in families().values():
        known = {n for names in family.roles.values() for n in names}
        for spelling in _spellings(family, exact, loose):
            found = {role: _present(names, spelling) for role, names in family.roles.items()}
            bones, dropped = _checked(rest, found, family.controls)
            required = sum(role in bones for role in REQUIRED)
            if required < ENOUGH or not bones.get("hips"):
                continue
            spelled = sum(n in exact for names in family.roles.values() for n in names)
            score = (required, sum(n in exact for n in family.detect), len(bones), spelled)
            if best is None or score > best[0]:
                twist = {} if family.controls else {role: _present(names, spelling) for role, names in family.twist.items()}
                bones, twist = _whole_limbs(rest, bones, twist)
                switches = tuple(s for s in family.switches if s[0] in exact)
                sure = sum(1.0 if bones[role][0] in known else 0.9 for role in REQUIRED if role in bones) / len(REQUIRED)
                best = score, BoneMap(family.id, family.title, bones, twist, switches, family.controls, dropped, sure)
    if best is None:
        return recognise_structure(rest)
    found = best[1]
    if found.missing:
        found = replace(found, notes=(*found.notes, f"No bone was found for {', '.join(found.missing)}."))
    return found


def _present(names: Iterable[str], spelling: Mapping[str, str]) -> list[str]:
    """The bones of an armature that a table's names stand for, each once."""
    return list(dict.fromkeys(spelling[n] for n in names if n in spelling))


def _spellings(family: Family, exact: Collection[str], loose: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Name of a table -> the bone of an armature that is called so, for every prefix and suffix that hips or head may have.

    exact  the names of the bones;  loose  the same simplified -> the bone
    """
    around = {("", "")}
    if not family.controls:
        for anchor in {family.plain[n] for role in ("hips", "head") for n in family.roles.get(role, ())}:
            for name in loose:
                around |= {(name[: at.start()], name[at.end() :]) for at in re.finditer(re.escape(anchor), name)}
    required = [[family.plain[n] for n in family.roles.get(role, ())] for role in REQUIRED]
    for before, after in sorted(around, key=lambda affix: (len(affix[0]) + len(affix[1]), affix)):
        hits = sum(any(before + n + after in loose for n in names) for names in required)
        if hits >= ENOUGH or (before, after) == ("", ""):
            out = {n: n if n in exact else loose.get(before + plain + after, "") for n, plain in family.plain.items()}
            out |= {n: loose[simplified(n)] for n in out if not out[n] and not before + after and simplified(n) in loose}
            yield {n: bone for n, bone in out.items() if bone}


def opposite_name(name: str, names: Collection[str]) -> str | None:
    """The bone of `names` that is called like `name` but for its side, None if there is none.

    Knows Left and Right in any case, L and R as a part of their own (`.L`, `_l_`, `L `), as a first letter (`lShldr`), 左 and 右.
    """
    sides = {"left": "right", "right": "left", "l": "r", "r": "l", "左": "右", "右": "左"}

    def swapped(found: re.Match[str]) -> str:
        word = found[0]
        other = sides[word.casefold()]
        return other.upper() if word.isupper() else other.title() if word[0].isupper() else other

    for pattern in (
        "(?i:left|right)",
        "(?<![A-Za-z0-9])[LlRr](?![A-Za-z0-9])",
        "^[lr](?=[A-Z])",
        "(?<![A-Za-z])[LR](?=[A-Z][a-z])",
        "[左右]",
        "(?<![A-Za-z])[LlRr](?=[A-Za-z])",
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
    bones["hips"] = hips = _whole_hips(rest, found)
    if not hips:
        return {}, ()
    bones |= chains(rest, hips, trunk, found.get("neck", ()), found.get("head", ()))
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


def _whole_hips(rest: RestRig, found: Mapping[str, list[str]]) -> tuple[str, ...]:
    """The bones of the hips from the top: the table's, else what legs and head hang on; and those between them and the legs."""
    legs = [set(rest.ancestors(rest.index(names[0]))) for side in SIDES if (names := found.get(f"{side}UpperLeg"))]
    shared = set.intersection(*legs) if legs else set()
    hips = {rest.index(name) for name in found.get("hips", ())}
    if not hips and found.get("head"):
        hips = {max(shared & set(rest.ancestors(rest.index(found["head"][0]))), default=-1)} - {-1}
    under = {n for n in shared if hips & set(rest.ancestors(n))}
    return tuple(rest.names[n] for n in sorted(hips | under))


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
