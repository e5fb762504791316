"""The stages of one input, their keys, and which of them are still to do."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..core.capture.settings import ClipSettings
from ..core.formats.export_formats import BVH
from ..core.formats.stored_inputs import is_stored
from ..core.settings import AvatarSettings
from ..infer.settings import UNSAID, NetworkSettings
from .items import Item
from .record import Record, key_of

VERSION = 2  # raise it when a stage makes something else from the same settings
PREDICT, SCENE, PREVIEW = "predict", "scene", "preview"


@dataclass(frozen=True)
class NetworkOptions(NetworkSettings):
    """How the network runs. `weights` names the files, so that other weights redo the work."""

    weights: str = ""


@dataclass(frozen=True)
class Plan:
    """What a batch makes of every input.

    make      of "predictions", "blend", "preview" and suffixes of exports (".glb", ".fbx", …)
    people    keep this many people of a photo, the largest ones; 0 = all
    blender   command of the Blender that writes the scenes; "" = the module in this Python
    separate  hair, clothing, shoes and skin are objects of their own
    """

    network: NetworkOptions = field(default_factory=NetworkOptions)
    avatar: AvatarSettings = field(default_factory=AvatarSettings)
    clip: ClipSettings = field(default_factory=ClipSettings)
    make: tuple[str, ...] = ("predictions", "blend", "preview")
    people: int = 0
    blender: str = ""
    separate: bool = False

    @property
    def exports(self) -> tuple[str, ...]:
        return tuple(kind for kind in self.make if kind.startswith("."))

    def stages(self, item: Item) -> dict[str, str]:
        """Stage -> key, in order, for an input that could be read.

        The scene is a stage where its file is wanted; where only pictures or exports are, it is made for them and never stored.
        """
        if is_stored(item.path):
            keys = {PREDICT: key_of(VERSION, item.sha256, "copy")}
        else:
            # The device is left out: the same work on another device is the same result.
            settings = {k: v for k, v in asdict(self.network).items() if k != "device" and (k, v) != UNSAID}
            more = [asdict(self.clip)] if item.clip else ["one person"] if item.photos else []
            keys = {PREDICT: key_of(VERSION, item.sha256, settings, *more)}
        pieces = ["separate"] if self.separate else []
        scene = key_of(VERSION, keys[PREDICT], asdict(self.avatar), self.people, item.name, *pieces)
        exports = tuple(kind for kind in self.exports if item.clip or kind != BVH)
        if "blend" in self.make:
            keys[SCENE] = scene
        keys |= {suffix: key_of(scene, suffix) for suffix in exports}
        if "preview" in self.make:
            keys[PREVIEW] = key_of(scene, "preview")
        return keys

    def todo(self, item: Item, record: Record | None, folder: Path, retry_failed: bool) -> dict[str, str]:
        """The stages that are not done, with their keys; empty when the input is finished or its failure is known."""
        keys = self.stages(item)
        if record is None or record.sha256 != item.sha256:
            return keys
        left = {stage: key for stage, key in keys.items() if not record.is_done(stage, key, folder)}
        if record.error and record.failed_key in left.values() and not retry_failed:
            return {}
        return left
