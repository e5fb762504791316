"""The rotary position embedding of DINOv3, which is Sapiens2's: every token's row and column as angles. It is timm's.

``import timm`` brings all its networks, torchvision, sympy and the hub's client: 190 MB and nine processor seconds before the
first photo. The one module that is needed imports torch alone, so it is taken out of the package without running the package.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType

from torch import Tensor, nn

from ...core.common.errors import SapiensError

PACKAGE = f"{__name__}.timm_layers"
"""The name under which timm's layers are imported here; ``timm`` itself stays free for who wants all of it."""


class RotaryEmbedding(nn.Module):
    """Angles 2 pi c / period for the row and the column of a cell, c in -1..1 across the image whatever its shape.

    width  dh of an attention head, a multiple of 4: a quarter of it for rows, as much for columns, both twice
    base   the longest period but one step, in units of half the image's side; the shortest is 1

    Raises SapiensError where timm is not installed.
    """

    def __init__(self, width: int, base: float):
        super().__init__()
        self.embed = _layers("pos_embed_sincos").RotaryEmbeddingDinoV3(width, temperature=base, device="cpu")

    @property
    def periods(self) -> Tensor:
        """(dh / 4,) float32. They follow from the base: on every device, never loaded, never in 16 bits."""
        return self.embed.get_buffer("periods")

    def forward(self, rows: int, columns: int) -> Tensor:
        """(rows * columns, 2 dh) float32: the sines of all angles of a cell, then their cosines."""
        return self.embed.get_embed([rows, columns])


def _layers(name: str) -> ModuleType:
    """A module of timm.layers, without what the package imports around it."""
    package = sys.modules.get(PACKAGE)
    if package is None:
        found = importlib.util.find_spec("timm")
        if found is None or not found.submodule_search_locations:
            raise SapiensError("The network needs timm, which is not installed.", "Install the runtime again.")
        package = ModuleType(PACKAGE)
        package.__path__ = [f"{found.submodule_search_locations[0]}/layers"]
        sys.modules[PACKAGE] = package
    # timm's tracing helper takes torchvision along where it is installed; nothing here traces.
    loaded = "torchvision" in sys.modules
    if not loaded:
        sys.modules["torchvision"] = None  # type: ignore[assignment]
    try:
        return importlib.import_module(f"{PACKAGE}.{name}")
    finally:
        if not loaded:
            del sys.modules["torchvision"]
