"""Make the synthetic people of the tests: `python -m tools.samples tests/samples` (needs the packages anny and embreex).

One command, no choices: the same code and the same body give the same arrays. `--mesh` adds the whole surface to the ground
truth, for measuring scans; the repository does without it, since it is ten times as large as all the rest. `--sheet FILE.jpg`
draws everything on one picture to look at.
"""

from __future__ import annotations

import argparse
import gzip
import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import safetensors.numpy

from sapiens2_avatar.core.common.landmarks import keypoint_names

from . import people
from .body import Body, load_body
from .people import Shot
from .photograph import ground_truth, photograph
from .postures import striding
from .scene import Room, figure, view
from .sheet import row, stacked


def walk(body: Body) -> list[Shot]:
    """The frames of the walk: the person moves to their front as far as the foot that carries them moves to their back."""
    facing = np.radians(people.STRIDER.posture.facing)
    forward = np.array([np.sin(facing), -np.cos(facing), 0])
    shots = [
        replace(people.STRIDER, name=f"walk/frame_{k:02d}", posture=striding(k / people.FRAMES, people.STRIDER.posture.facing))
        for k in range(people.FRAMES)
    ]
    points = [keypoint_names().index(f"{side}_{point}") for side in ("left", "right") for point in ("heel", "big_toe")]
    # (frame, side, heel or toe): how far the point is in front of the pelvis
    feet = np.array([figure(body, shot).keypoints[points] @ forward for shot in shots]).reshape(-1, 2, 2)
    place, half = [0.0], people.FRAMES // 2
    for k in range(people.FRAMES - 1):
        # A foot rolls off over its heel first, then over its toes.
        carrying = np.s_[k // half, int(k % half > 0)]
        place.append(place[-1] + feet[k][carrying] - feet[k + 1][carrying])
    return [replace(shot, travel=float(at - np.mean(place))) for shot, at in zip(shots, place, strict=True)]


def packed(arrays: dict[str, np.ndarray]) -> bytes:
    """A safetensors file as gzip, without the time of day."""
    return gzip.compress(safetensors.numpy.save(arrays), 9, mtime=0)


def archived(arrays: dict[str, np.ndarray]) -> bytes:
    """An .npz as `numpy.savez_compressed` makes it, its members dated 1980."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.save(member, array)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue(), zipfile.ZIP_DEFLATED)
    return file.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mesh", action="store_true", help="the whole surface in the ground truth, too")
    parser.add_argument("--sheet", type=Path, help="one picture of all samples")
    options = parser.parse_args()
    (options.folder / "walk").mkdir(parents=True, exist_ok=True)
    body, rows, total = load_body(), [], 0
    for shot in (*people.STILLS, *walk(body)):
        person, camera = figure(body, shot), view(shot)
        maps = photograph(body, shot, person, Room(person, shot), camera)
        truth = ground_truth(body, shot, person, camera, options.mesh)
        for suffix, content in ((".safetensors.gz", packed(maps)), (".gt.npz", archived(truth))):
            (options.folder / f"{shot.name}{suffix}").write_bytes(content)
            total += len(content)
        rows.append(row(maps))
        print(f"{shot.name}: {shot.size[0]} x {shot.size[1]}", flush=True)
    print(f"{total / 1e6:.2f} MB")
    if options.sheet:
        stacked(rows).save(options.sheet, quality=85)


if __name__ == "__main__":
    main()
