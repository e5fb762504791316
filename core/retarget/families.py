"""Rig families: the tables of data/bone_tables.json, which say by names which bone plays which role."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cache

from ..common.landmarks import DATA, SIDES
from .bone_map import FINGERS, LIMBS, PHALANGES


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
