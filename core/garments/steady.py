"""Photos with steady depth: where the pointmap is noisy, the normals say how the surface runs.

An exact pointmap stays as it is. The noise is that of the depth against the normals, so nobody has to say where maps come from.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..body.fit import Sighting
from ..common.errors import SapiensError
from ..surface import depth_fusion
from ..surface.depth_noise import measure
from ..surface.normal_map import usable_normals
from ..surface.scan import make_mesh
from ..surface.settings import ScanSettings

EXACT, NOISY = 0.004, 0.006
"""Metres by which depths a few centimetres apart are off: below the first the pointmap stays, above the second it is replaced."""


def steadied(sighting: Sighting) -> Sighting:
    """The same photo; its pointmap is fused with its normals as far as it is noisy. Pixels without depth stay without."""
    predictions = sighting.predictions
    if predictions.pointmap is None:
        return sighting
    share = np.clip((relief_error(sighting) - EXACT) / (NOISY - EXACT), 0, 1)
    if not share:
        return sighting
    try:
        surface = make_mesh(predictions, sighting.camera, sighting.mask, ScanSettings(resolution="half"))
    except SapiensError:
        return sighting  # no depth on the person: there is nothing to steady
    points = predictions.pointmap.astype(np.float32)
    z = points[..., 2]
    with np.errstate(invalid="ignore"):
        known = (surface.depth > 0) & np.isfinite(points).all(axis=-1) & (z > 0)
    depth = np.where(known, z + np.float32(share) * (surface.depth - z), z)
    steady = np.where(known[..., None], sighting.camera.rays() * depth[..., None], points)
    return replace(sighting, predictions=replace(predictions, pointmap=steady.astype(np.float32)))


def relief_error(sighting: Sighting) -> float:
    """Metres by which depths a hand's breadth apart differ from what the normals between them say; 0 = not known."""
    predictions, step = sighting.predictions, 2
    if predictions.pointmap is None or predictions.normal is None or predictions.seg is None:
        return 0.0
    camera = sighting.camera.resized(sighting.camera.width // step, sighting.camera.height // step)
    some = np.s_[: camera.height * step : step, : camera.width * step : step]
    z = np.nan_to_num(predictions.pointmap[..., 2][some].astype(np.float32), nan=0.0, posinf=0.0)
    mask = (predictions.seg > 0 if sighting.mask is None else sighting.mask)[some] & (z > 0)
    normal, informed, _ = usable_normals(predictions.normal[some], z, mask, camera.rays())
    if not informed:
        return 0.0
    slope, weight = depth_fusion.slopes(normal, camera.rays(), camera)
    noise = measure(z, mask, slope[1], weight[1], camera)
    return 0.0 if noise is None else noise.relief
