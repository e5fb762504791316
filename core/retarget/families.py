"""Rig families: the tables of data/bone_tables.json, which say by names which bone plays which role.

To add a rig, add a table: ``_about`` of the file says what its keys mean.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass, field
from functools import cache, cached_property

from ..common.landmarks import DATA


@dataclass(frozen=True)
class Family:
    """A table of data/bone_tables.json.

    roles     role -> the names that its bones may have
    prefix    regular expression of what all names may begin with, or with another one: not a part of the name
    twist     limb role -> bones that share its twist
    detect    bones by which this family is told from those with the same names
    switches, controls  as in BoneMap
    """

    id: str
    title: str
    roles: dict[str, list[str]]
    prefix: str = ""
    twist: dict[str, list[str]] = field(default_factory=dict)
    detect: tuple[str, ...] = ()
    switches: tuple[tuple[str, str, float], ...] = ()
    controls: bool = False

    @cached_property
    def plain(self) -> dict[str, str]:
        """Every name of the table -> the same without the prefix of the family, `simplified`."""
        tables = (*self.roles.values(), *self.twist.values())
        return {n: simplified(re.sub(self.prefix, "", n, flags=re.IGNORECASE)) for names in tables for n in names}


@cache
def simplified(name: str) -> str:
    """A bone name without what exporters add: name spaces (`Armature|`, `rig:`), upper case, wide letters, separators."""
    name = unicodedata.normalize("NFKC", re.split(r"[|:]", name)[-1])
    return re.sub(r"[\W_]", "", name.casefold())


@cache
def families() -> dict[str, Family]:
    """The rig families that are known by names: id -> table, in the order of the file."""
    tables = json.loads((DATA / "bone_tables.json").read_text("utf-8"))["rigs"]
    return {key: _family(key, table) for key, table in tables.items() if "roles" in table or "fk_controls" in table}


def _family(key: str, table: dict) -> Family:
    controls = "fk_controls" in table
    roles = table["fk_controls" if controls else "roles"]
    return Family(
        id=key,
        title=table["display"].split(" (")[0],
        roles={role: [names] if isinstance(names, str) else names for role, names in roles.items()},
        prefix=table.get("prefix_regex", ""),
        twist=table.get("twist", {}),
        detect=tuple(table.get("detect", ())),
        switches=tuple((bone, prop, value) for bone, prop, value in table.get("switches", ())),
        controls=controls,
    )
