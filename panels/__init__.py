"""The tab in the 3D viewport's sidebar: one module per step of the work. A panel draws what is and does nothing."""

from __future__ import annotations

from . import avatar, batch, maps, model, motion, reference, retarget, run, setup

CLASSES = (
    *setup.CLASSES,
    *reference.CLASSES,
    *model.CLASSES,
    *run.CLASSES,
    *maps.CLASSES,
    *avatar.CLASSES,
    *retarget.CLASSES,
    *motion.CLASSES,
    *batch.CLASSES,
)
"""In the order in which they are drawn."""
