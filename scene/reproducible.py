"""Deterministic .blend files: normalises what depends on memory and chance, so that the same content gives the same bytes.

A .blend is a dump of Blender's structs, and three things in it mean nothing to a reader but differ from file to file:

- blocks refer to each other by the memory address that each had; here the addresses become running numbers
- behind the end of each string stands what was in that memory before; here zeros
- nodes, colours of face sets and data of the session are numbered at random; here zeros or running numbers

The file describes its own structs with all their fields (block DNA1), so one program serves every version of Blender. But 4.2 and
5.0 also write a few bytes of memory behind the end of some arrays, which stay.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..core.common.errors import SapiensError

STEP = 16
"""Between the new addresses; Blender asks for no more than that they differ and are not 0."""
FRAME = 2**22
"""Bytes that are compressed together."""
LONG_TEXT = 24
"""Fields of so many chars or more are text that ends in a zero; shorter ones may be numbers."""
SCOPE_BITS = np.uint64(48)
"""Processors use no more of an address, so the number of an ID has room above it."""
RANDOM_NUMBERS = {("bNode", "identifier")}
RANDOM_VALUES = {
    ("Mesh", "face_sets_color_seed"),
    ("ID", "session_uid"),
    ("ID", "recalc"),
    ("ID", "recalc_up_to_undo_push"),
    ("ID", "recalc_after_undo_push"),
    ("SessionUID", "uid_"),
    ("wmWindowManager", "init_flag"),
    ("wmWindowManager", "initialized"),
    ("wmWindowManager", "outliner_sync_select_dirty"),
}
"""State of a running Blender: chosen at random, counted since it was started, or still to be done. Reading a file renews it."""
SORTED_BY_ADDRESS = {"ScrEdge": ("*v1", "*v2")}
"""Pairs without a direction, which Blender keeps in the order of their addresses."""


@dataclass(frozen=True)
class Field:
    """A field of a struct, nested structs taken apart: offset and size in bytes, type ("*" = pointers), owner and name."""

    offset: int
    size: int
    type: str
    owner: str
    name: str


@dataclass(frozen=True, eq=False)
class Blocks:
    """The blocks of a file, B of them, each array (B,) int64 unless said otherwise.

    code     uint32, four letters
    address  uint64, the key by which others refer to it
    key      offset of the address in the file
    start    offset of the content
    length   of the content in bytes
    struct   number of its struct in the DNA; count: how many of it
    """

    code: np.ndarray
    address: np.ndarray
    key: np.ndarray
    start: np.ndarray
    length: np.ndarray
    struct: np.ndarray
    count: np.ndarray


class Dna:
    """What the DNA1 block says: names and sizes of types, and the fields of each struct."""

    def __init__(self, data: bytes):
        self._data, self._at = data, 0
        self._expect(b"SDNA")
        self.names = self._strings(b"NAME")
        self.types = self._strings(b"TYPE")
        self._expect(b"TLEN")
        self.sizes = self._numbers("H", len(self.types))
        self._align()
        self._expect(b"STRC")
        self.structs: list[tuple[int, tuple[int, ...]]] = []
        for _ in range(self._numbers("i", 1)[0]):
            kind, count = self._numbers("H", 2)
            self.structs.append((kind, self._numbers("H", 2 * count)))
        self._of_type = {kind: index for index, (kind, _) in enumerate(self.structs)}
        self._fields: dict[int, tuple[Field, ...]] = {}

    def name(self, index: int) -> str:
        return self.types[self.structs[index][0]]

    def size(self, index: int) -> int:
        return self.sizes[self.structs[index][0]]

    def fields(self, index: int) -> tuple[Field, ...]:
        """Of struct number `index`, in order."""
        if index not in self._fields:
            self._fields[index] = tuple(self._expanded(index))
        return self._fields[index]

    def _expanded(self, index: int):
        kind, pairs = self.structs[index]
        owner, offset = self.types[kind], 0
        for type_index, name_index in zip(pairs[::2], pairs[1::2], strict=True):
            name = self.names[name_index]
            count = int(np.prod([int(n) for n in re.findall(r"\[(\d+)\]", name)], dtype=np.int64))
            plain = name.split("[")[0]
            if name.startswith(("*", "(*")):
                yield Field(offset, 8 * count, "*", owner, plain)
                offset += 8 * count
                continue
            size = self.sizes[type_index]
            inner = self._of_type.get(type_index)
            if inner is None:
                yield Field(offset, size * count, self.types[type_index], owner, plain)
            else:
                for i in range(count):
                    for field in self.fields(inner):
                        yield Field(offset + i * size + field.offset, field.size, field.type, field.owner, field.name)
            offset += size * count

    def _expect(self, word: bytes) -> None:
        if self._data[self._at : self._at + 4] != word:
            raise ValueError(f"{word!r} is missing")
        self._at += 4

    def _numbers(self, kind: str, count: int) -> tuple[int, ...]:
        found = struct.unpack_from(f"<{count}{kind}", self._data, self._at)
        self._at += struct.calcsize(f"<{count}{kind}")
        return found

    def _strings(self, word: bytes) -> list[str]:
        self._expect(word)
        found = []
        for _ in range(self._numbers("i", 1)[0]):
            end = self._data.index(b"\0", self._at)
            found.append(self._data[self._at : end].decode("utf-8"))
            self._at = end + 1
        self._align()
        return found

    def _align(self) -> None:
        self._at = (self._at + 3) // 4 * 4


class BlendFile:
    """The bytes of an uncompressed .blend file, little-endian and 64 bits, and what they mean.

    Raises ValueError for anything else.
    """

    def __init__(self, data: bytes):
        self.data = np.frombuffer(data, np.uint8).copy()
        self._raw = data

    @cached_property
    def blocks(self) -> Blocks:
        raw = self._raw
        if raw[:9] == b"BLENDER-v":
            at, layout, key = 12, struct.Struct("<IiQii"), 8  # code, length, address, struct, count
        elif raw[:7] == b"BLENDER" and raw[7:9].isdigit() and raw[9:12] == b"-01":
            at, layout, key = int(raw[7:9]), struct.Struct("<IiQqq"), 8  # code, struct, address, length, count
        else:
            raise ValueError("no uncompressed .blend file of 64 bits")
        wide, head = layout.size == 32, layout.size
        rows, end = [], int.from_bytes(b"ENDB", "little")
        while True:
            code, a, address, b, count = layout.unpack_from(raw, at)
            length, kind = (b, a) if wide else (a, b)
            if length < 0 or at + head + length > len(raw):
                raise ValueError("a block is longer than the file")
            rows.append((code, address, at + key, at + head, length, kind, count))
            at += head + length
            if code == end:
                break
        code, address, *rest = (np.array(column, np.uint64) for column in zip(*rows, strict=True))
        return Blocks(code.astype(np.uint32), address, *(column.astype(np.int64) for column in rest))

    @cached_property
    def dna(self) -> Dna:
        where = np.flatnonzero(self.blocks.code == _code("DNA1"))
        if len(where) != 1:
            raise ValueError("no DNA")
        start, length = int(self.blocks.start[where[0]]), int(self.blocks.length[where[0]])
        return Dna(self._raw[start : start + length])


def normalised(data: bytes) -> bytes:
    """The same scene with bytes that depend on nothing but its content. `data` is an uncompressed .blend file.

    Raises SapiensError for what is no such file.
    """
    try:
        file = BlendFile(data)
        blocks, dna = file.blocks, file.dna
        addresses = _Addresses(blocks)
        for kind in np.unique(blocks.struct).tolist():
            chosen = np.flatnonzero((blocks.struct == kind) & (blocks.length > 0) & (blocks.code != _code("DNA1")))
            size = dna.size(kind)
            whole = (blocks.count[chosen] * size == blocks.length[chosen]) & (size > 0) & (kind > 0)
            for block in chosen[~whole].tolist():
                _clean_pointer_array(file, block, addresses)
            if whole.any():
                _clean_structs(file, chosen[whole], kind, addresses)
        _put(file.data, blocks.key, addresses.of_blocks)
    except (ValueError, IndexError, struct.error) as error:
        raise SapiensError(
            f"Blender wrote a file of an unknown form: {error}.", "Please report it with Blender's version."
        ) from error
    return file.data.tobytes()


def compressed(data: bytes) -> bytes:
    """The bytes as Blender compresses them: Zstandard frames of `FRAME` bytes and a table of where they are.

    The table lets a reader jump (format: zstd's contrib/seekable_format). Without the zstandard library, which Blender brings,
    the bytes are compressed as gzip, which Blender reads too.
    """
    try:
        from zstandard import ZstdCompressor
    except ImportError:
        import gzip

        return gzip.compress(data, 6, mtime=0)
    parts = [data[i : i + FRAME] for i in range(0, len(data), FRAME)]
    compressor = ZstdCompressor(level=3)
    frames = [compressor.compress(part) for part in parts]
    table = b"".join(struct.pack("<II", len(frame), len(part)) for frame, part in zip(frames, parts, strict=True))
    table += struct.pack("<IBI", len(frames), 0, 0x8F92EAB1)
    return b"".join(frames) + struct.pack("<II", 0x184D2A5E, len(table)) + table


class _Addresses:
    """From old addresses to new ones. Those of an ID hold for the whole file, those of its data beside it only: Blender frees and
    reuses memory while it writes, so that the data of two IDs may have had the same address."""

    def __init__(self, blocks: Blocks):
        count = len(blocks.address)
        local = blocks.code == _code("DATA")
        self.scope = np.cumsum(~local).astype(np.uint64)  # number of the ID that a block is or belongs to, from 1
        self.of_blocks = np.where(blocks.address == 0, 0, (np.arange(count, dtype=np.uint64) + 1) * STEP).astype(np.uint64)
        keys = np.concatenate([blocks.address | self.scope << SCOPE_BITS, blocks.address[~local]])
        order = np.argsort(keys, kind="stable")
        self._keys, self._new = keys[order], np.concatenate([self.of_blocks, self.of_blocks[~local]])[order]
        self._stranger = np.uint64((count + 1) * STEP)

    def known(self, old: np.ndarray, scope: np.ndarray) -> np.ndarray:
        """Which of these (N,) uint64 are addresses of blocks, seen from blocks of these scopes (N,)."""
        return self._found(old, scope)[0]

    def new(self, old: np.ndarray, scope: np.ndarray) -> np.ndarray:
        """(N,) uint64 to uint64. What points to nothing in the file gets an address that nothing has: a reader makes it none."""
        known, new = self._found(old, scope)
        return np.where(known | (old == 0), new, self._stranger)

    def _found(self, old: np.ndarray, scope: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        known, new = np.zeros(len(old), bool), np.zeros(len(old), np.uint64)
        for keys in (old, old | scope << SCOPE_BITS):  # one's own data last: it counts more
            at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
            hit = (self._keys[at] == keys) & (old != 0)
            known, new = known | hit, np.where(hit, self._new[at], new)
        return known, new


def _clean_structs(file: BlendFile, chosen: np.ndarray, kind: int, addresses: _Addresses) -> None:
    """Make all structs of one kind, in all blocks that hold them, say nothing but their content."""
    blocks, size = file.blocks, file.dna.size(kind)
    count = blocks.count[chosen]
    row = np.repeat(blocks.start[chosen], count)
    row += size * (np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count))
    scope = np.repeat(addresses.scope[chosen], count)
    for field in file.dna.fields(kind):
        if field.type == "*":
            for shift in range(0, field.size, 8):
                where = row + field.offset + shift
                _put(file.data, where, addresses.new(_get(file.data, where, np.uint64), scope))
        elif field.type == "char" and (field.size >= LONG_TEXT or field.name.startswith(("_pad", "pad"))):
            where = (row + field.offset)[:, None] + np.arange(field.size)
            text = file.data[where]
            ended = np.cumsum(text == 0, axis=1) > 0
            file.data[where] = np.where(ended | (field.size < LONG_TEXT), 0, text).astype(np.uint8)
        elif (field.owner, field.name) in RANDOM_VALUES:
            file.data[(row + field.offset)[:, None] + np.arange(field.size)] = 0
        elif (field.owner, field.name) in RANDOM_NUMBERS:
            old = _get(file.data, row + field.offset, np.uint32)
            numbers: dict[int, int] = {}
            new = [numbers.setdefault(value, len(numbers) + 1) for value in old.tolist()]
            _put(file.data, row + field.offset, np.array(new, np.uint32))
    if file.dna.name(kind) in SORTED_BY_ADDRESS:
        wanted = SORTED_BY_ADDRESS[file.dna.name(kind)]
        offsets = [field.offset for field in file.dna.fields(kind) if field.name in wanted]
        ends = np.sort([_get(file.data, row + offset, np.uint64) for offset in offsets], axis=0)
        for offset, values in zip(offsets, ends, strict=True):
            _put(file.data, row + offset, values)


def _clean_pointer_array(file: BlendFile, block: int, addresses: _Addresses) -> None:
    """A block without a struct is plain numbers, or an array of pointers: then every one of them is a block's address or none."""
    start, length = int(file.blocks.start[block]), int(file.blocks.length[block])
    if length % 8:
        return
    where = start + 8 * np.arange(length // 8)
    values = _get(file.data, where, np.uint64)
    scope = np.full(len(values), addresses.scope[block])
    used = values != 0
    if used.any() and addresses.known(values[used][:1], scope[:1]).all() and addresses.known(values[used], scope[used]).all():
        _put(file.data, where, addresses.new(values, scope))


def _get(data: np.ndarray, where: np.ndarray, dtype: type) -> np.ndarray:
    """(N,) numbers of `dtype` at offsets (N,) of the file."""
    return data[where[:, None] + np.arange(np.dtype(dtype).itemsize)].view(dtype).ravel()


def _put(data: np.ndarray, where: np.ndarray, values: np.ndarray) -> None:
    """Write numbers (N,) at offsets (N,) of the file."""
    size = values.dtype.itemsize
    data[where[:, None] + np.arange(size)] = np.ascontiguousarray(values).view(np.uint8).reshape(-1, size)


def _code(letters: str) -> int:
    return int.from_bytes(letters.encode("ascii"), "little")
