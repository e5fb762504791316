"""Which bone of a rig plays which role: as a bone map says, as a file does, or recognised."""

from __future__ import annotations

from pathlib import Path

from ..core.retarget.armature import RestRig
from ..core.retarget.bone_map import BoneMap
from ..core.retarget.bone_map_file import check_map, load_preset
from ..core.retarget.recognise import recognise


def resolve(bones: BoneMap | str | Path | None, rest: RestRig) -> BoneMap:
    """A bone map for this rig: the given one or a preset file, checked against it; None = recognised. Raises SapiensError."""
    if bones is None:
        return recognise(rest)
    return check_map(bones, rest) if isinstance(bones, BoneMap) else load_preset(bones, rest)
