"""A backbone whose blocks' weights stay in the file and come into memory when it is their turn."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

from torch import Tensor, nn

from .backbone import Backbone
from .reading import TensorReader

BLOCKS = "backbone.blocks."
"""How the names of their parameters begin."""


class _Stream:
    """The weights of the blocks on their way: those of the next block are read while one runs. Two blocks are in memory."""

    def __init__(self, backbone: Backbone, reader: TensorReader):
        self.blocks, self.reader = backbone.blocks, reader
        self.absent = [block.state_dict() for block in self.blocks]  # on the meta device: shapes without values
        self.worker = ThreadPoolExecutor(1, "weights")
        self.coming: dict[int, Future[dict[str, Tensor]]] = {}
        for index, block in enumerate(self.blocks):
            block.register_forward_pre_hook(lambda _block, _inputs, index=index: self.bring(index))
            block.register_forward_hook(lambda _block, _inputs, _outputs, index=index: self.drop(index), always_call=True)

    def bring(self, index: int) -> None:
        """Put its weights into a block, and start to read those of the next."""
        for other in [other for other in self.coming if other != index]:
            self.coming.pop(other).cancel()  # of a pass that was stopped half-way
        state = self._ask(index).result()
        del self.coming[index]
        _fill(self.blocks[index], state)
        if index + 1 < len(self.blocks):
            self._ask(index + 1)

    def drop(self, index: int) -> None:
        """Forget the weights of a block."""
        _fill(self.blocks[index], self.absent[index])

    def _ask(self, index: int) -> Future[dict[str, Tensor]]:
        if index not in self.coming:
            self.coming[index] = self.worker.submit(self._read, index)
        return self.coming[index]

    def _read(self, index: int) -> dict[str, Tensor]:
        prefix = f"{BLOCKS}{index}."
        found = self.reader.read(prefix + name for name in self.absent[index])
        return {name.removeprefix(prefix): value for name, value in found.items()}


def stream_blocks(backbone: Backbone, reader: TensorReader) -> None:
    """Make the blocks of a backbone, whose weights are on the meta device, read them from the file in every pass."""
    _Stream(backbone, reader)


def _fill(block: nn.Module, state: dict[str, Tensor]) -> None:
    block.load_state_dict(state, strict=True, assign=True)
    block.requires_grad_(False)
