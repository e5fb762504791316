"""Rigify's human metarig as a table: which bone starts which Rigify rig, with which parameters and in which collection.

Taken from ``bpy.ops.object.armature_human_metarig_add`` of Blender 4.5 and 5.0. `scene.armature` sets these on the pose bones, so
that *Generate Rig* works at once. Collections are named as in the metarig; each row says its row in Rigify's layer panel and
its colour set.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Value = bool | int | float | str


@dataclass(frozen=True)
class RigifyBone:
    """rigify_type of a pose bone; parameters and names of the collections that its parameters refer to."""

    rigify_type: str
    parameters: dict[str, Value] = field(default_factory=dict)
    collections: dict[str, str] = field(default_factory=dict)


def _limb(side: str, limb: str) -> dict[str, str]:
    return {"fk_coll_refs": f"{limb}.{side} (FK)", "tweak_coll_refs": f"{limb}.{side} (Tweak)"}


def _table() -> dict[str, RigifyBone]:
    finger = RigifyBone("limbs.super_finger", {"ik_local_location": False}, {"tweak_coll_refs": "Fingers (Detail)"})
    tweak = {"tweak_coll_refs": "Torso (Tweak)"}
    table = {
        "spine": RigifyBone("spines.basic_spine", {}, {"fk_coll_refs": "Torso (Tweak)", **tweak}),
        "spine.004": RigifyBone("spines.super_head", {"connect_chain": True}, tweak),
        "face": RigifyBone(
            "faces.super_face", {}, {"primary_coll_refs": "Face (Primary)", "secondary_coll_refs": "Face (Secondary)"}
        ),
    }
    for s in ("L", "R"):
        table |= {
            f"pelvis.{s}": RigifyBone("basic.super_copy", {"make_control": False}),
            f"breast.{s}": RigifyBone("basic.super_copy"),
            f"shoulder.{s}": RigifyBone("basic.super_copy", {"make_widget": True, "super_copy_widget_type": "shoulder"}),
            f"upper_arm.{s}": RigifyBone("limbs.arm", {"ik_local_location": False, "rotation_axis": "x"}, _limb(s, "Arm")),
            f"thigh.{s}": RigifyBone(
                "limbs.leg",
                {"limb_type": "leg", "extra_ik_toe": True, "ik_local_location": False, "rotation_axis": "x"},
                _limb(s, "Leg"),
            ),
            f"palm.01.{s}": RigifyBone("limbs.super_palm"),
            f"thumb.01.{s}": finger,
        }
        table |= {f"f_{name}.01.{s}": finger for name in ("index", "middle", "ring", "pinky")}
    return table


RIGIFY_BONES: dict[str, RigifyBone] = _table()
"""Bones that carry a rigify_type; all others have none."""

RIGIFY_COLLECTIONS: tuple[tuple[str, int, str], ...] = (
    ("Face", 1, "FK"),
    ("Face (Primary)", 2, "IK"),
    ("Face (Secondary)", 2, "Special"),
    ("Torso", 4, "Special"),
    ("Torso (Tweak)", 5, "Tweak"),
    ("Fingers", 7, "Extra"),
    ("Fingers (Detail)", 8, "FK"),
    *((f"{limb}.{s} ({kind})", row + offset, colour)
      for limb, row in (("Arm", 10), ("Leg", 14)) for s in ("L", "R")
      for offset, (kind, colour) in enumerate((("IK", "IK"), ("FK", "FK"), ("Tweak", "Tweak")))),
    ("Root", 19, "Root"),
)  # fmt: skip
"""Bone collections of the metarig: (name, row in Rigify's user interface, colour set)."""


def collection_of(bone: str) -> str:
    """The metarig collection of a bone by its name."""
    side = bone[-1] if bone.endswith((".L", ".R")) else ""
    stem = bone.split(".")[0]
    if stem in ("upper_arm", "forearm", "hand"):
        return f"Arm.{side} (IK)"
    if stem in ("thigh", "shin", "foot", "toe", "heel"):
        return f"Leg.{side} (IK)"
    if stem in ("palm", "thumb") or stem.startswith("f_"):
        return "Fingers"
    if stem in ("spine", "pelvis", "breast", "shoulder"):
        return "Torso"
    return "Face"
