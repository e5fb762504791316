"""The strings of a predictions file: which photo it is of, by which models, with which lens."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from ..common.predictions import FORMAT, VERSION, Predictions
from .photo import Photo

BUILT_IN = "preview"
"""Id of the built-in model."""
DRAFT = "draft"
"""Key of the metadata: "true" where the network looked at half of its resolution."""


def is_drawn(predictions: Predictions) -> bool:
    """Whether the maps are drawn from a body that was fitted to landmarks (the built-in model): likely, but nothing that was
    seen. Between photos of one person they differ as the guesses do."""
    return f'"{BUILT_IN}"' in predictions.metadata.get("models", "")


def is_draft(predictions: Predictions) -> bool:
    """Whether the network looked at half of its resolution only."""
    return predictions.metadata.get(DRAFT) == "true"


def draft_notes(photos: Iterable[Predictions]) -> tuple[str, ...]:
    """What there is to say of photos some of which were looked at as a draft, in sentences."""
    return ("The model looked at half of its resolution: run again without Draft for the final result.",) * any(
        map(is_draft, photos)
    )


def provenance(
    photo: Photo, models: Mapping[str, Mapping[str, str]], focal_source: str | None, draft: bool = False
) -> dict[str, str]:
    """No clock: what it says of time comes from the input, so that the same input gives the same bytes.

    models        task -> "id" and "revision" of the model that ran it
    focal_source  who said the focal length; None = nobody
    draft         the network looked at half of its resolution
    """
    metadata = {
        "format": FORMAT,
        "version": str(VERSION),
        "source": photo.path.name if photo.path else "array",
        "sha256": photo.sha256,
        "models": json.dumps(models, sort_keys=True),
    }
    seconds = os.environ.get("SOURCE_DATE_EPOCH", "")
    moment = int(seconds) if seconds.isdigit() else int(photo.path.stat().st_mtime) if photo.path else None
    if moment is not None:
        metadata["created"] = datetime.fromtimestamp(moment, UTC).isoformat()
    if draft:
        metadata[DRAFT] = "true"
    if focal_source:
        metadata["focal_source"] = focal_source
    if photo.focal_35mm:
        metadata["focal_35mm"] = f"{photo.focal_35mm:g}"
    return metadata
