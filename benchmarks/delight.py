"""How much closer to the true albedo the delighted photo is than the photo itself.

usage: python benchmarks/delight.py [STUDIO] [--pictures DIR]

STUDIO: folder of samples with exact maps (default: $SAPIENS2_SHARED/studio, or ../shared/studio). The albedo map is only used to
score. Each picture gets one gain per channel in linear light, the one that fits the true albedo best on the person; then PSNR in
sRGB (0..255) on the person. Once with exact maps, once with maps degraded as a network degrades them.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from measures.studio import STUDIO, read_maps, sample_names
from sapiens2_avatar.core.capture.camera import estimate_camera
from sapiens2_avatar.core.common.colour import byte_image, linear_from_srgb, srgb_from_linear
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.surface.scan import make_mesh
from sapiens2_avatar.core.texture.delight import delight
from sapiens2_avatar.core.texture.foreground import foreground


def predictions_of(maps: dict[str, np.ndarray]) -> Predictions:
    """The maps of a sample without its albedo."""
    return Predictions(**{key: maps[key] for key in ("image", "pointmap", "normal", "seg", "alpha", "intrinsics")})


def closeness(linear: np.ndarray, albedo_srgb: np.ndarray, person: np.ndarray) -> float:
    """PSNR in dB of a (H, W, 3) linear picture against the (H, W, 3) uint8 albedo, after one gain per channel."""
    x, true = linear[person].astype(np.float64), linear_from_srgb(albedo_srgb[person]).astype(np.float64)
    gain = (x * true).sum(axis=0) / np.maximum((x * x).sum(axis=0), 1e-12)
    error = srgb_from_linear(x * gain) - albedo_srgb[person]
    return float(10 * np.log10(255**2 / np.mean(np.square(error, dtype=np.float64))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studio", nargs="?", type=Path, default=STUDIO)
    parser.add_argument("--pictures", type=Path, help="folder for photo, result and truth side by side")
    options = parser.parse_args()
    names = sample_names(options.studio)
    for suffix in ("", ".degraded"):
        rows = []
        for name in names:
            truth = read_maps(options.studio, name)
            predictions = predictions_of(read_maps(options.studio, name + suffix))
            surface = make_mesh(predictions, estimate_camera(predictions).camera)
            depth = predictions.pointmap[..., 2].astype(np.float32)
            start = time.process_time()
            photo = foreground(linear_from_srgb(predictions.image), predictions.alpha, surface.labels)
            result = delight(photo, surface.labels, surface.normal, depth, surface.camera)
            seconds = time.process_time() - start
            if result is None:
                raise SystemExit(f"{name}: too little of the person for delighting.")
            person = (truth["seg"] > 0) & (surface.labels > 0)
            before = closeness(linear_from_srgb(truth["image"]), truth["albedo"], person)
            after = closeness(result.albedo_linear, truth["albedo"], person)
            rows.append((before, after))
            print(line(name + suffix, before, after), f"{seconds:.2f} s", flush=True)
            if options.pictures:
                save_picture(options.pictures / f"{name}{suffix}.png", truth, result.albedo_linear, person)
        print(line("mean" + suffix, *np.mean(rows, axis=0)), flush=True)


def line(title: str, before: float, after: float) -> str:
    return f"{title:24} photo {before:5.2f} dB  delighted {after:5.2f} dB  gain {after - before:+5.2f} dB "


def save_picture(path: Path, truth: dict[str, np.ndarray], albedo: np.ndarray, person: np.ndarray) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    true = linear_from_srgb(truth["albedo"])
    gain = (albedo * true)[person].sum(axis=0) / np.square(albedo[person]).sum(axis=0)
    panels = [truth["image"], byte_image(srgb_from_linear(albedo * gain)), truth["albedo"]]
    Image.fromarray(np.concatenate([np.where(person[..., None], panel, 0) for panel in panels], axis=1)).save(path)


if __name__ == "__main__":
    main()
