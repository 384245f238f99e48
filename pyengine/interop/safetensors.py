"""The safetensors format: tensors written to a file, and mapped from one without trusting a byte of it.

A file is the length of its header (8 bytes, little-endian), the header (JSON: for each tensor its dtype, shape and place), and the
tensors' bytes. Source: the safetensors library's documentation, "Format".
"""

from __future__ import annotations

import json
import math
import mmap
import os
import reprlib
import struct
import sys
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from pyengine import _engine
from pyengine.dtypes import DType, as_dtype
from pyengine.interop import float8
from pyengine.tensor import Tensor

if TYPE_CHECKING:
    import numpy.typing as npt

_NAMES = {
    "bool": "BOOL", "uint8": "U8", "uint16": "U16", "uint32": "U32", "uint64": "U64", "int8": "I8", "int16": "I16", "int32": "I32",
    "int64": "I64", "float16": "F16", "bfloat16": "BF16", "float32": "F32", "float64": "F64", "complex64": "C64",
}  # fmt: skip
_DTYPES = {name: dtype for dtype, name in _NAMES.items()} | float8.WIDENED
_MAX_RANK = 64  # NumPy's
_MAX_BYTES = 2**63 - 1

MAX_HEADER = 100_000_000
"""Bytes of JSON that are read at most: the safetensors library's bound."""


class Fault(Exception):
    """What is wrong with a file."""


class Entry(NamedTuple):
    """A tensor's place among the bytes after the header."""

    name: str
    stored: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def dtype(self) -> DType:
        return as_dtype(_DTYPES[self.stored])

    @property
    def itemsize(self) -> int:
        """In the file."""
        return 1 if self.stored in float8.WIDENED else self.dtype.itemsize


# Writing ------------------------------------------------------------------------------------------------------------------------------


def dtype_name(dtype: DType) -> str | None:
    """What the format calls it; None where it has no name for it."""
    return _NAMES.get(dtype.name)


def encode(tensors: dict[str, Tensor], notes: dict[str, str]) -> Iterator[bytes | memoryview]:
    """The bytes of a file, a piece at a time; the same for the same tensors, whatever the dict's order."""
    # Widest elements first: each tensor is aligned to its element size.
    names = sorted(tensors, key=lambda name: (-tensors[name].dtype.itemsize, name))
    header: dict[str, Any] = {"__metadata__": notes} if notes else {}
    offset = 0
    for name in names:
        end = offset + tensors[name].nbytes
        header[name] = {"dtype": _NAMES[tensors[name].dtype.name], "shape": list(tensors[name].shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER:
        raise ValueError(f"save: header too long: {len(text)} bytes; at most {MAX_HEADER}")
    yield struct.pack("<Q", len(text)) + text
    yield from (_bytes_of(tensors[name]) for name in names)


def _bytes_of(tensor: Tensor) -> memoryview:
    bits = _bits(tensor.to("cpu")._array)
    return np.ascontiguousarray(bits, bits.dtype.newbyteorder("<")).reshape(-1).view(np.uint8).data


def _bits(array: _engine.Array) -> npt.NDArray[Any]:
    """The elements as what NumPy can hold of any type: integers, or complex numbers as they are."""
    return _engine.to_numpy(array, np.dtype(np.complex64 if array.dtype.kind == "c" else f"u{array.dtype.itemsize}"))


# Reading ------------------------------------------------------------------------------------------------------------------------------


def read(file: BinaryIO) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors by name, in the order of their bytes, and the metadata.

    The file is mapped copy on write: bytes are read when they are touched, a page that is written becomes the process's own, and the map
    lasts as long as a tensor of it. Raises Fault, before a tensor is made, for whatever is not exactly the format.
    """
    entries, notes, start = read_header(file)
    memory = _mapped(file)
    if entries and memory.size < start + entries[-1].end:
        raise Fault(f"the file has {memory.size} bytes of {start + entries[-1].end}: it was changed while it was read")
    return {entry.name: _tensor(entry, memory[start + entry.begin : start + entry.end]) for entry in entries}, notes


def read_header(file: BinaryIO) -> tuple[list[Entry], dict[str, str], int]:
    """The tensors in the order of their bytes, the metadata, and where the bytes begin."""
    size = os.fstat(file.fileno()).st_size
    prefix = file.read(8)
    if len(prefix) < 8:
        raise Fault(f"{size} bytes are too short for a header; 8 at least")
    (length,) = struct.unpack("<Q", prefix)
    if length > min(MAX_HEADER, size - 8):
        raise Fault(f"the header should have {length} bytes, the file has {size}, and {MAX_HEADER} are allowed")
    header = parse_object(file.read(length))
    notes = header.pop("__metadata__", {})
    if type(notes) is not dict or not all(type(text) is str for text in notes.values()):
        raise Fault(f"the metadata is not a dict of strings: {short(notes)}")
    entries = sorted((_entry(name, fields) for name, fields in header.items()), key=lambda entry: (entry.begin, entry.end))
    _check_layout(entries, size - 8 - length)
    return entries, notes, 8 + length


def parse_object(raw: bytes) -> dict[str, Any]:
    """A header: a JSON object in UTF-8, from its first byte on."""
    if not raw.startswith(b"{"):
        raise Fault(f"the JSON does not begin with '{{': {short(raw[:20])}")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Fault(f"the JSON is not UTF-8: {error.reason} at byte {error.start}") from None
    result: dict[str, Any] = parse(text)
    return result


def parse(text: str) -> Any:
    """JSON, where no key comes twice: what one reader takes first and another last is two files in one."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) < len(pairs):
            raise Fault(f"a key comes twice: {short(Counter(key for key, _ in pairs).most_common(1)[0][0])}")
        return result

    try:
        return json.loads(text, object_pairs_hook=unique)
    except RecursionError:
        raise Fault("the JSON is nested too deeply") from None
    except ValueError as error:
        raise Fault(f"not JSON: {error}") from None


def _entry(name: str, fields: Any) -> Entry:
    if any("\ud800" <= letter <= "\udfff" for letter in name):
        raise Fault(f"the name {short(name)} is not Unicode: half of a surrogate pair")
    if type(fields) is not dict or set(fields) != {"dtype", "shape", "data_offsets"}:
        raise Fault(f"{short(name)} is not described by dtype, shape and data_offsets: {short(fields)}")
    stored, shape, offsets = fields["dtype"], fields["shape"], fields["data_offsets"]
    if not _are_sizes(shape) or len(shape) > _MAX_RANK or not _are_sizes(offsets) or len(offsets) != 2:
        raise Fault(f"{short(name)} has shape {short(shape)} and data_offsets {short(offsets)}; lists of sizes expected")
    if type(stored) is not str or stored not in _DTYPES:
        raise Fault(f"{short(name)} has dtype {short(stored)}; one of {', '.join(_DTYPES)} expected")
    entry = Entry(name, stored, tuple(shape), *offsets)
    # The product that ignores zeros bounds the strides too: with it, no size computed from the shape overflows.
    if math.prod(max(size, 1) for size in shape) * entry.dtype.itemsize > _MAX_BYTES:
        raise Fault(f"{short(name)} has shape {short(shape)}, too large for any machine")
    needed = math.prod(shape) * entry.itemsize
    if entry.end - entry.begin != needed:
        raise Fault(f"{short(name)} has {entry.end - entry.begin} bytes, its shape {short(shape)} of {stored} needs {needed}")
    return entry


def _check_layout(entries: list[Entry], available: int) -> None:
    """The tensors must cover the bytes after the header: no overlap, no hole, nothing left over."""
    covered = 0
    for entry in entries:
        if entry.begin != covered:
            raise Fault(f"{short(entry.name)} begins at byte {entry.begin}, the tensor before ends at {covered}; no overlap, no hole")
        covered = entry.end
    if covered != available:
        raise Fault(f"the tensors have {covered} bytes, {available} follow the header: truncated or overlong")


def _mapped(file: BinaryIO) -> npt.NDArray[np.uint8]:
    """The file's bytes, private to this process: what is written there never reaches the file."""
    if sys.platform == "linux":
        # Without NORESERVE, which mmap names from Python 3.13 on, a file larger than the machine's memory could not be mapped.
        flags = mmap.MAP_PRIVATE | getattr(mmap, "MAP_NORESERVE", 0x4000)
        return np.frombuffer(mmap.mmap(file.fileno(), 0, flags=flags, prot=mmap.PROT_READ | mmap.PROT_WRITE), np.uint8)
    return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY), np.uint8)


def _tensor(entry: Entry, memory: npt.NDArray[np.uint8]) -> Tensor:
    """Over the map; a copy of what cannot be used as it lies there."""
    dtype = entry.dtype
    if entry.stored in float8.WIDENED:
        bits = float8.values(entry.stored)[memory]
    else:
        bits = memory.view(np.complex64 if dtype.kind == "c" else f"u{dtype.itemsize}")
        if dtype.kind == "b":
            bits = bits.copy()  # checked now, so it must not change with the file
            if bits.size and bits.max() > 1:
                raise Fault(f"{short(entry.name)} is bool and has a byte {bits.max()}; 0 or 1 expected")
        if sys.byteorder == "big":
            bits = bits.byteswap()
        if not bits.flags.aligned:
            bits = bits.copy()
    return Tensor(_engine.from_numpy(bits, dtype)).reshape(entry.shape)


def _are_sizes(value: Any) -> bool:
    return type(value) is list and all(type(size) is int and 0 <= size <= _MAX_BYTES for size in value)


_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = 60


def short(value: Any) -> str:
    """A value from a file for an error's text: one line of bounded length, made without writing all of it."""
    text = _repr.repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
