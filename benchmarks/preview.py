"""What the preview model scores: `python benchmarks/preview.py [--studio FOLDER] [--data SHARD.npy] [--model FILE]`.

The whole way of a photo, `infer.predict`, on the rendered people of the development set, and the bare network on held-out samples
of the generator (its first shards). One line per picture, then the means; --markdown prints the table of the network.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from measures.studio import PACKED, STUDIO, read_maps
from sapiens2_avatar.infer import load_model
from sapiens2_avatar.infer.predict import predict

ROOT = Path(__file__).resolve().parent.parent
BODY = np.r_[0:21, 41, 62]
"""COCO's 17 body points and six of the feet."""
COLUMNS = ("person IoU", "parts mIoU", "normal deg", "depth %", "focal %", "albedo", "PCK body", "PCK all")


def part_miou(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Mean IoU of the classes that cover at least 0.1 % of the picture in the truth, background aside."""
    scores = []
    for label in np.unique(truth):
        a, b = predicted == label, truth == label
        if label and b.mean() > 1e-3:
            scores.append((a & b).sum() / (a | b).sum())
    return float(np.mean(scores)) if scores else np.nan


def depth_error(predicted: np.ndarray, truth: np.ndarray, both: np.ndarray) -> float:
    """Mean absolute depth error after the best scale, in per cent of the person's median depth."""
    p, t = predicted[both], truth[both]
    good = np.isfinite(p) & (p > 0)
    if good.sum() < 16:
        return np.nan
    p, t = p[good], t[good]
    return float(100 * np.abs(p * np.median(t / p) - t).mean() / np.median(t))


def angle(predicted: np.ndarray, truth: np.ndarray, both: np.ndarray) -> float:
    """Mean angle between unit normals, degrees."""
    p, t = predicted[both].astype(np.float64), truth[both].astype(np.float64)
    norms = np.linalg.norm(p, axis=1) * np.linalg.norm(t, axis=1)
    given = norms > 1e-6
    cosine = np.einsum("nc,nc->n", p[given], t[given]) / norms[given]
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean()) if given.any() else np.nan


def correct_keypoints(predicted: np.ndarray, truth: np.ndarray, size: float, chosen: np.ndarray) -> float:
    """Share of the points seen in the truth that lie within 5 per cent of the person's box (longer side)."""
    seen = np.zeros(len(truth), bool)
    seen[chosen] = truth[chosen, 2] >= 1
    far = np.linalg.norm(predicted[seen, :2] - truth[seen, :2], axis=1)
    return float((far < 0.05 * size).mean()) if seen.any() else np.nan


def person_size(mask: np.ndarray) -> float:
    """Longer side of the box around a mask, pixels."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return float(max(np.ptp(rows), np.ptp(columns)) + 1)


def score_studio(path: Path, model: str) -> dict[str, float]:
    """Scores of the whole way for one stored sample."""
    truth = read_maps(path.parent, path.name.removesuffix(PACKED))
    seen = predict(truth["image"], model=model, device="cpu")
    person, found = truth["seg"] > 0, seen.seg > 0
    both = person & found
    size = person_size(person)
    points = min(seen.keypoints, key=lambda k: np.linalg.norm(k[BODY, :2] - truth["keypoints"][BODY, :2], axis=1).mean())
    return {
        "person IoU": float(both.sum() / (person | found).sum()),
        "parts mIoU": part_miou(seen.seg, truth["seg"]),
        "normal deg": angle(seen.normal, truth["normal"], both),
        "depth %": depth_error(seen.pointmap[..., 2], truth["pointmap"][..., 2], both),
        "focal %": float(100 * abs(seen.intrinsics[0, 0] / truth["intrinsics"][0, 0] - 1)),
        "albedo": float(np.abs(seen.albedo[both].astype(float) - truth["albedo"][both]).mean() / 255),
        "PCK body": correct_keypoints(points, truth["keypoints"], size, BODY),
        "PCK all": correct_keypoints(points, truth["keypoints"], size, np.arange(308)),
    }


def score_held_out(path: Path, model: str, count: int) -> list[dict[str, float]]:
    """Scores of the bare network on samples of the generator."""
    network = load_model(model)
    height, width = network.input_size
    mean, std = np.array([123.675, 116.28, 103.53], np.float32), np.array([58.395, 57.12, 57.375], np.float32)
    rows = []
    for sample in np.load(path, mmap_mode="r")[:count]:
        image = torch.from_numpy(((sample["image"] - mean) / std).transpose(2, 0, 1)[None])
        with torch.inference_mode():
            out = {k: v[0].float().numpy() for k, v in network(image).items()}
        person = sample["seg"] > 0
        if person.sum() < 200:
            continue
        labels = out["logits"].argmax(0)
        peak = out["heatmaps"].reshape(308, -1).argmax(1)
        h, w = out["heatmaps"].shape[1:]
        points = np.stack([peak % w * (width - 1) / (w - 1), peak // w * (height - 1) / (h - 1)], 1)
        focal = 768 / float(out["scale"][0])
        rows.append(
            {
                "person IoU": float((person & (labels > 0)).sum() / (person | (labels > 0)).sum()),
                "parts mIoU": part_miou(labels, sample["seg"]),
                "normal deg": angle(out["normals"].transpose(1, 2, 0), sample["normal"].astype(np.float32), person),
                "depth %": depth_error(out["pointmap"][2], sample["depth"].astype(np.float32), person),
                "focal %": float(100 * abs(focal / sample["intrinsics"][0, 0] - 1)),
                "albedo": float(
                    np.abs(np.clip(out["albedo"], 0, 1).transpose(1, 2, 0)[person] - sample["albedo"][person] / 255).mean()
                ),
                "PCK body": correct_keypoints(points, sample["keypoints"], person_size(person), BODY)
                if sample["pose"]
                else np.nan,
                "PCK all": correct_keypoints(points, sample["keypoints"], person_size(person), np.arange(308))
                if sample["pose"]
                else np.nan,
            }
        )
    return rows


def line(name: str, row: dict[str, float], markdown: bool) -> str:
    """One row of the table."""
    cells = [
        f"{row[c]:.3f}" if c in ("person IoU", "parts mIoU", "albedo", "PCK body", "PCK all") else f"{row[c]:.1f}"
        for c in COLUMNS
    ]
    return f"| {name} | " + " | ".join(cells) + " |" if markdown else f"{name:22}" + "".join(f"{c:>12}" for c in cells)


def mean(rows: list[dict[str, float]]) -> dict[str, float]:
    """Mean of each column; pictures in which it is not defined do not count."""
    return {c: float(np.nanmean([row[c] for row in rows])) for c in COLUMNS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studio", type=Path, default=STUDIO)
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="held-out shards of tools.preview.generate")
    parser.add_argument("--count", type=int, default=64, help="samples of each shard")
    parser.add_argument("--model", default="preview", help="preview, or a safetensors file with the same heads")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    file = str(ROOT / "data" / "preview.safetensors") if options.model == "preview" else options.model
    head = "| picture | " + " | ".join(COLUMNS) + " |\n|" + "---|" * (len(COLUMNS) + 1)
    print(head if options.markdown else f"{'picture':22}" + "".join(f"{c:>12}" for c in COLUMNS))
    samples = [p for p in sorted(options.studio.rglob("*.safetensors.gz")) if ".degraded." not in p.name]
    rows = []
    for path in samples:
        rows.append(score_studio(path, options.model))
        print(line(path.name.split(".")[0], rows[-1], options.markdown), flush=True)
    if rows:
        print(line("mean of the studio", mean(rows), options.markdown))
    held_out = [row for path in options.data for row in score_held_out(path, file, options.count)]
    if held_out:
        print(line(f"{len(held_out)} held-out samples", mean(held_out), options.markdown))


if __name__ == "__main__":
    main()
