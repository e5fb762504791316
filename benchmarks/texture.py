"""Fidelity and speed of the textures of synthetic people, with exact maps and with maps degraded as a network degrades them.

usage: python benchmarks/texture.py [STUDIO]

STUDIO: folder of samples (default: $SAPIENS2_SHARED/studio, or ../shared/studio). PSNR in sRGB against the true albedo, one
pixel inside the true silhouette: of the texture (what a mesh that covers everything would show), and with what the scan leaves
uncovered counted as black. Beside it the albedo map as it was given. CPU seconds on one thread, of each base colour and of each
extra.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from measures.studio import STUDIO, read_maps, sample_names
from sapiens2_avatar.core.capture.camera import estimate_camera
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.surface.body_parts import part_weights
from sapiens2_avatar.core.surface.scan import ScanSettings, make_mesh
from sapiens2_avatar.core.texture.tangent_maps import displacement
from sapiens2_avatar.core.texture.textures import TextureSettings, make_textures
from sapiens2_avatar.core.texture.uv_atlas import make_atlas

KEYS = ("image", "pointmap", "normal", "albedo", "seg", "alpha", "intrinsics")


def psnr(image: np.ndarray, true: np.ndarray, mask: np.ndarray) -> float:
    error = image[mask].astype(np.float64) - true[mask]
    return float(10 * np.log10(255**2 / max(np.square(error).mean(), 1e-9)))


def timed(function: Callable, *arguments: object) -> tuple[object, float]:
    start = time.process_time()
    result = function(*arguments)
    return result, time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studio", nargs="?", type=Path, default=STUDIO)
    studio = parser.parse_args().studio
    cv2.setNumThreads(1)
    names = sample_names(studio)
    for suffix in ("", ".degraded"):
        rows = []
        for name in names:
            truth, maps = read_maps(studio, name), read_maps(studio, name + suffix)
            predictions = Predictions(**{key: maps[key] for key in KEYS})
            camera = estimate_camera(predictions).camera
            surface = make_mesh(predictions, camera)
            textures, albedo_seconds = timed(make_textures, predictions, surface)
            _, delight_seconds = timed(make_textures, predictions, surface, TextureSettings(colour="delighted"))
            coarse = make_mesh(predictions, camera, None, ScanSettings(resolution="half"))
            detailed, detail_seconds = timed(make_textures, predictions, coarse)
            person = cv2.erode((truth["seg"] > 0).astype(np.uint8), np.ones((3, 3)), borderValue=0) > 0
            colour, true = textures.base_colour_srgb, truth["albedo"]
            rows.append(
                (
                    psnr(maps["albedo"], true, person),
                    psnr(colour, true, person),
                    psnr(colour * surface.mask[..., None], true, person),
                )
            )
            print(
                line(name + suffix, *rows[-1]),
                f" | albedo {albedo_seconds:.2f} s  delighted {delight_seconds:.2f} s"
                f"  half mesh {detail_seconds:.2f} s{'' if detailed.normal_tangent is None else ' with normal map'}"
                f"  displacement {timed(displacement, coarse)[1]:.2f} s  atlas {timed(make_atlas, surface.mesh)[1]:.2f} s"
                f"  groups {timed(part_weights, surface.mesh)[1]:.2f} s",
                flush=True,
            )
        print(line("mean" + suffix, *np.mean(rows, axis=0)), flush=True)


def line(title: str, given: float, texture: float, scanned: float) -> str:
    return f"{title:22} given {given:6.2f} dB  texture {texture:6.2f} dB  on the scan {scanned:6.2f} dB"


if __name__ == "__main__":
    main()
