"""From a photo to predictions: by the built-in model, which needs no torch, or by a Sapiens2 network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.builtin.predict import predict_builtin, task_names
from ..core.common.errors import SapiensError
from ..core.common.predictions import Predictions
from ..core.common.progress import Progress
from ..weights.catalogue import PREVIEW

if TYPE_CHECKING:
    from .session import Session


def predict(
    image: str | Path | np.ndarray,
    model: str | Path = PREVIEW,
    tasks: Iterable[str] | None = None,
    device: str = "auto",
    precision: str = "auto",
    boxes: np.ndarray | None = None,
    flip_test: bool = True,
    progress: Progress | None = None,
    cancel: Callable[[], bool] | None = None,
    draft: bool = False,
) -> Predictions:
    """Run a model on a photo.

    image      path, or (H, W, 3) uint8 sRGB; see `core.capture.photo.read_photo` for what is understood
    model      "preview", "0.4b", "0.8b", "1b", "5b", or the path of a safetensors file; all but "preview" need torch
    tasks      of seg, normal, pointmap, albedo, matting, pose; None = all that the model has
    device     "auto", "cpu", "cuda", "cuda:1", "mps", "xpu"
    precision  "auto", "float32", "bfloat16", "float16"
    boxes      (P, 4) x1, y1, x2, y2 in pixels of the upright photo, instead of looking for people
    flip_test  also run pose on the mirrored person and average
    progress   called with (stage, share of the work that is done); an exception that it raises ends the job
    cancel     asked often; True ends the job with `core.common.errors.Cancelled`
    draft      look at half of the network's resolution: quick and rough, for slow machines; the metadata say so

    The maps have the photo's size and hold 0 away from the people. "preview" runs on the processor, and looks once: device,
    precision, flip_test and draft are for the networks. Their parts are always looked for when the model can, because they tell
    where the people are; without parts and boxes the whole photo is taken for one person.
    The same input, settings and device give the same bytes; `created` is SOURCE_DATE_EPOCH or the file's modification time.
    Raises SapiensError: unreadable photo, nobody in it, missing weights, no such device, not enough memory.
    """
    if model == PREVIEW:
        return predict_builtin(image, tasks, boxes, progress, cancel)
    from .network_predict import predict_network

    return predict_network(image, model, tasks, device, precision, boxes, flip_test, progress, cancel, draft)


def predict_many(
    images: Sequence[str | Path | np.ndarray],
    session: Session | None,
    model: str | Path = PREVIEW,
    tasks: Iterable[str] | None = None,
    flip_test: bool = True,
) -> Iterator[Predictions | SapiensError]:
    """The same as `predict` for a group of photos, in their order.

    session  holds the networks that the caller wants kept for the next group, and says whether this is a draft; "preview"
             needs none

    A photo that fails gives the error in its place. Raises SapiensError for what concerns all of them.
    """
    if model != PREVIEW:
        from .network_predict import predict_many as run

        assert session is not None
        yield from run(images, session, model, tasks, flip_test)
        return
    wanted = task_names(tasks)
    for image in images:
        try:
            yield predict_builtin(image, wanted)
        except SapiensError as error:
            yield error
