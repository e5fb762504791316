"""The bones that move the template body: those of Rigify's human metarig, without the ones that only its face uses."""

from __future__ import annotations

FINGERS = ("thumb", "f_index", "f_middle", "f_ring", "f_pinky")


def _bones() -> dict[str, str | None]:
    out: dict[str, str | None] = {"spine": None}
    for k in range(1, 7):
        out[f"spine.00{k}"] = "spine" if k == 1 else f"spine.00{k - 1}"
    out["jaw"] = "spine.006"
    for side in "LR":
        out |= {
            f"eye.{side}": "spine.006", f"shoulder.{side}": "spine.003", f"upper_arm.{side}": f"shoulder.{side}",
            f"forearm.{side}": f"upper_arm.{side}", f"hand.{side}": f"forearm.{side}",
        }  # fmt: skip
        for number in (1, 2, 3, 4):
            out[f"palm.0{number}.{side}"] = f"hand.{side}"
        for finger in FINGERS:
            parent = f"palm.0{max(FINGERS.index(finger), 1)}.{side}"
            for k in (1, 2, 3):
                out[f"{finger}.0{k}.{side}"] = parent
                parent = f"{finger}.0{k}.{side}"
        out |= {
            f"thigh.{side}": "spine",
            f"shin.{side}": f"thigh.{side}",
            f"foot.{side}": f"shin.{side}",
            f"toe.{side}": f"foot.{side}",
        }
    return out


BONES: dict[str, str | None] = _bones()
"""Bone -> its parent; parents first."""
