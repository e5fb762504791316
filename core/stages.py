"""What all stages of one call of `core.avatar.make_avatars` share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from .body.evaluate import Shape
from .common.arrays import Camera
from .common.memo import Memo, digest
from .common.predictions import Predictions
from .common.progress import Progress
from .pose.settings import PoseSettings
from .settings import AvatarSettings

T = TypeVar("T")


@dataclass(frozen=True)
class CacheKey:
    """All that the result of a stage depends on: equal keys, equal results. What a stage does not look at has its default.

    stage        which result
    predictions  `digest` of the maps, the photo and the metadata that the build began with
    lens         focal lengths in millimetres for 35 mm film: of the EXIF, and typed
    person       index, from left to right
    camera       that the result was made for
    pose         settings of that stage
    distance, stature  metres, what the pointmap was scaled to; None = to neither
    known        `digest` of what else is known about who it is: a saved shape, other photos; empty = nothing
    more         the stage's own settings
    """

    stage: str
    predictions: str
    lens: tuple[float | None, float | None] = (None, None)
    person: int | None = None
    camera: Camera | None = None
    pose: PoseSettings | None = None
    distance: float | None = None
    stature: float | None = None
    known: str = ""
    more: tuple[object, ...] = ()


def unheard(_stage: str, _fraction: float) -> None:
    """Progress that nobody asked for."""


@dataclass(frozen=True, eq=False)
class Build:
    """What all stages of one call share.

    others  other photos of the largest person, by name
    known   who that is, where it is known; None = whoever it is
    seen    the `digest` of its predictions, empty without a memo
    """

    name: str
    settings: AvatarSettings
    others: Mapping[str, Predictions] = field(default_factory=dict)
    known: Shape | None = None
    report: Progress = unheard
    memo: Memo | None = None
    seen: str = ""

    def once(self, key: CacheKey, compute: Callable[[], T]) -> T:
        """What `compute` gives, taken from the memo where it was computed for an equal key before."""
        return compute() if self.memo is None else self.memo.get(key, compute)


def digest_of(predictions: Predictions) -> str:
    """Of everything in predictions that a result may depend on."""
    maps = (
        predictions.pointmap,
        predictions.normal,
        predictions.albedo,
        predictions.seg,
        predictions.alpha,
        predictions.keypoints,
        predictions.boxes,
        predictions.intrinsics,
    )
    return digest(*maps, predictions.image, repr(sorted(predictions.metadata.items())))
