"""Round trip of motion-capture clips onto every rig family that can be built: directions, jumps, scale, speed.

    python benchmarks/retarget.py CLIP.bvh... [--frames N] [--blender] [--json]

Without Blender: rigs made from the bone tables with A, T and odd rest poses and odd rolls, posed by an independent forward
kinematics. --blender adds Rigify's metarigs and generated rigs, evaluated by Blender. The clips that the project measures with
are 01_01.bvh and Boxing_Toes.bvh of Debian's package assimp-testmodels.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from measures.rig_factory import BUILDABLE, REST_POSES, make_rig
from measures.round_trip import compare, forward_kinematics, source_motion
from sapiens2_avatar.core.common.processes import leave
from sapiens2_avatar.core.formats.bvh import BvhClip, read_bvh
from sapiens2_avatar.core.retarget.recognise import recognise
from sapiens2_avatar.core.retarget.solve import retarget_motion


def measure_tables(clip: BvhClip) -> list[dict]:
    motion, source_map = source_motion(clip)
    rows = []
    for family in BUILDABLE:
        for rest_pose in REST_POSES:
            for honest, rolls in ((True, False), (True, True), (False, True)):
                rest = make_rig(family, rest_pose, seed=3, honest=honest, odd_rolls=rolls)
                bone_map = recognise(rest)
                start = time.perf_counter()
                solved = retarget_motion(motion, rest, bone_map)
                seconds = time.perf_counter() - start
                rotations, heads = forward_kinematics(rest, solved)
                rows.append(
                    {
                        "family": family,
                        "rest": rest_pose,
                        "rolls": rolls,
                        "honest": honest,
                        "seconds": seconds,
                        **compare(clip, source_map, rest, bone_map, rotations, heads, solved.bones),
                    }
                )
    return rows


def cut(clip: BvhClip, frames: int) -> BvhClip:
    return BvhClip(clip.rest, clip.rotations[:frames], clip.root[:frames], clip.fps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--frames", type=int, default=600)
    parser.add_argument("--blender", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    for path in options.clips:
        clip = cut(read_bvh(path), options.frames)
        found = measure_tables(clip)
        if options.blender:
            from retarget_blender import measure_rigify

            found += measure_rigify(clip)
        rows += [{"clip": path.stem, **row} for row in found]
    if options.json:
        print(json.dumps(rows, default=float))
        return
    for row in rows:
        print(" ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in row.items()))
    print(
        f"{len(rows)} rigs: worst direction {max(r['direction_deg'] for r in rows):.2e} deg, "
        f"{sum(r['new_jumps'] for r in rows)} new jumps, slowest {max(r['seconds'] for r in rows):.2f} s"
    )


if __name__ == "__main__":
    main()
    leave(0)
