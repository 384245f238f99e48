"""Checkpoints in the safetensors format: written atomically, read without trusting a byte.

A file is the length of its header (8 bytes, little-endian), the header (JSON: for each tensor its dtype, shape and place), and the
tensors' bytes. A flat dict of tensors, such as ``module.state_dict()``, becomes exactly that, and any safetensors library reads it.
Of nested states, such as ``optimizer.state_dict()``, the tensors are named by their path (``optimizer.state.0.exp_avg``), and what is
not a tensor stands in the header's metadata as JSON, under ``pyengine.tree``; :func:`load` puts the two together again.

Why this is not the safetensors package: docs/adr/0007-safetensors-reader-of-our-own.md.
"""

from __future__ import annotations

import json
import math
import os
import struct
import sys
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from pyengine import _engine
from pyengine.dtypes import DType, as_dtype
from pyengine.files import Path_, atomic_write
from pyengine.tensor import Tensor, as_tensor

__all__ = ["load", "load_metadata", "save"]

_NAMES = {
    "bool": "BOOL", "uint8": "U8", "uint16": "U16", "uint32": "U32", "uint64": "U64", "int8": "I8", "int16": "I16", "int32": "I32",
    "int64": "I64", "float16": "F16", "bfloat16": "BF16", "float32": "F32", "float64": "F64",
}  # fmt: skip
_DTYPES = {name: dtype for dtype, name in _NAMES.items()}
_TREE = "pyengine.tree"
_MAX_HEADER = 100_000_000  # the safetensors library's bound
_MAX_RANK = 64  # NumPy's
_MAX_BYTES = 2**63 - 1


# Saving -----------------------------------------------------------------------------------------------------------------------------


def save(state: Any, path: Path_, metadata: dict[str, str] | None = None) -> None:
    """Writes tensors, and dicts, lists and tuples of tensors, numbers, strings and None, to a safetensors file.

    ``metadata`` goes into the header as it is; :func:`load_metadata` reads it back. The file is replaced whole: after an error, or a
    crash at any moment, ``path`` is what it was before. The same state gives the same bytes. Raises TypeError for what cannot be stored,
    ValueError where two tensors would get one name, OSError where the disk refuses.
    """
    tensors: dict[str, Tensor] = {}
    notes = _checked_metadata(metadata)
    tree = _flatten(state, "", tensors)
    if not isinstance(state, dict) or list(tensors) != list(state):
        notes[_TREE] = json.dumps(tree)
    # Widest elements first: each tensor is aligned to its element size. Then by name: the bytes do not depend on a dict's order.
    names = sorted(tensors, key=lambda name: (-tensors[name].dtype.itemsize, name))
    header: dict[str, Any] = {"__metadata__": notes} if notes else {}
    offset = 0
    for name in names:
        end = offset + tensors[name].nbytes
        header[name] = {"dtype": _NAMES[tensors[name].dtype.name], "shape": list(tensors[name].shape), "data_offsets": [offset, end]}
        offset = end
    try:
        with atomic_write(path) as file:
            file.write(_encode(header))
            for name in names:
                file.write(_bytes_of(tensors[name]))
    except OSError as error:
        raise OSError(
            error.errno, f"save: {error.strerror}; {offset:,} bytes to write; what was there before is untouched", os.fspath(path)
        ) from None


def _encode(header: dict[str, Any]) -> bytes:
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > _MAX_HEADER:
        raise ValueError(f"save: header too long: {len(text)} bytes; at most {_MAX_HEADER}")
    return struct.pack("<Q", len(text)) + text


def _flatten(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """Puts the tensors into ``tensors`` under their paths; returns the rest, a tree that JSON can hold."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        return {"dict": [[_checked_key(key, path), _flatten(item, _join(path, key), tensors)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return {"list" if isinstance(value, list) else "tuple": [_flatten(item, _join(path, i), tensors) for i, item in enumerate(value)]}
    name = path or "tensor"
    if name in tensors or name == "__metadata__":
        raise ValueError(f"save: name taken: '{name}'; no two tensors may have one path, and __metadata__ is not a name: rename a key")
    tensors[name] = _checked_tensor(value, name)
    return {"tensor": name}


def _join(path: str, key: str | int) -> str:
    return f"{path}.{key}" if path else str(key)


def _checked_key(key: Any, path: str) -> str | int:
    if type(key) not in (str, int):
        raise TypeError(f"save: cannot store the key {key!r} of '{path}'; keys must be str or int")
    return key  # type: ignore[no-any-return]


def _checked_tensor(value: Any, name: str) -> Tensor:
    if not isinstance(value, Tensor | np.ndarray | np.generic):
        raise TypeError(
            f"save: cannot store a {type(value).__name__} at '{name}'; only tensors, numbers, strings, None, dicts, lists, tuples"
        )
    return as_tensor(value)


def _checked_metadata(metadata: dict[str, str] | None) -> dict[str, str]:
    notes = dict(metadata or {})
    if not all(isinstance(text, str) for item in notes.items() for text in item) or _TREE in notes:
        raise TypeError(f"save: metadata must be a dict of str to str without '{_TREE}': {metadata!r}")
    return notes


def _bytes_of(tensor: Tensor) -> memoryview:
    bits = _engine.to_numpy(tensor.to("cpu")._array, np.dtype(f"u{tensor.itemsize}"))
    return memoryview(np.ascontiguousarray(bits, bits.dtype.newbyteorder("<")).reshape(-1).view(np.uint8))  # type: ignore[arg-type]


# Loading ----------------------------------------------------------------------------------------------------------------------------


def load(path: Path_, device: str = "cpu") -> Any:
    """The state that :func:`save` wrote; of a file from elsewhere, a dict of its tensors by name.

    Dtypes and shapes are those in the file. Everything in it is checked before a tensor is made; ValueError names the fault, and memory
    never exceeds the size of the file by much, whatever its header claims.
    """
    with Path(path).open("rb") as file:
        try:
            entries, notes = _read_header(file)
            tensors = {entry.name: _read_tensor(file, entry).to(device) for entry in entries}
            return _unflatten(_parse(notes[_TREE]), tensors) if _TREE in notes else tensors
        except (_Fault, RecursionError) as fault:
            raise ValueError(f"load: not a valid checkpoint: '{os.fspath(path)}': {fault}") from None


def load_metadata(path: Path_) -> dict[str, str]:
    """The ``metadata`` a file was saved with; reads its header only."""
    with Path(path).open("rb") as file:
        try:
            return {key: text for key, text in _read_header(file)[1].items() if key != _TREE}
        except (_Fault, RecursionError) as fault:
            raise ValueError(f"load_metadata: not a valid checkpoint: '{os.fspath(path)}': {fault}") from None


class _Fault(Exception):
    """What is wrong with a file."""


class _Entry(NamedTuple):
    name: str
    dtype: DType
    shape: tuple[int, ...]
    begin: int
    end: int


def _read_header(file: BinaryIO) -> tuple[list[_Entry], dict[str, str]]:
    """The tensors in the order of their bytes, and the metadata; the file stands at the first of these bytes."""
    size = os.fstat(file.fileno()).st_size
    prefix = file.read(8)
    if len(prefix) < 8:
        raise _Fault(f"{size} bytes are too short for a header")
    (length,) = struct.unpack("<Q", prefix)
    if length > min(_MAX_HEADER, size - 8):
        raise _Fault(f"the header should have {length} bytes, the file has {size}, and {_MAX_HEADER} are allowed")
    raw = file.read(length)
    if not raw.startswith(b"{"):
        raise _Fault("the header does not begin with '{'")
    try:
        header = _parse(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise _Fault("the header is not UTF-8") from None
    notes = header.pop("__metadata__", {})
    if type(notes) is not dict or not all(type(text) is str for text in notes.values()):
        raise _Fault("the metadata is not a dict of strings")
    entries = [_entry(name, fields) for name, fields in header.items()]
    entries.sort(key=lambda entry: (entry.begin, entry.end))
    _check_layout(entries, size - 8 - length)
    return entries, notes


def _parse(text: str) -> Any:
    """JSON, where no key comes twice: what one reader takes first and another last is two files in one."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) < len(pairs):
            raise _Fault(f"a key comes twice among {sorted(key for key, _ in pairs)[:10]}")
        return result

    try:
        return json.loads(text, object_pairs_hook=unique)
    except ValueError as error:
        raise _Fault(f"not JSON: {error}") from None


def _entry(name: str, fields: Any) -> _Entry:
    if type(fields) is not dict or set(fields) != {"dtype", "shape", "data_offsets"}:
        raise _Fault(f"{_short(name)} is not described by dtype, shape and data_offsets")
    shape, offsets = fields["shape"], fields["data_offsets"]
    if not _are_sizes(shape) or len(shape) > _MAX_RANK or not _are_sizes(offsets) or len(offsets) != 2:
        raise _Fault(f"{_short(name)} has shape {_short(shape)} and data_offsets {_short(offsets)}; lists of sizes expected")
    if fields["dtype"] not in list(_DTYPES):
        raise _Fault(f"{_short(name)} has dtype {_short(fields['dtype'])}; one of {', '.join(_DTYPES)} expected")
    dtype = as_dtype(_DTYPES[fields["dtype"]])
    # The product that ignores zeros bounds the strides too: with it, no size computed from the shape overflows.
    if math.prod(max(size, 1) for size in shape) * dtype.itemsize > _MAX_BYTES:
        raise _Fault(f"{_short(name)} has shape {_short(shape)}, too large for any machine")
    begin, end = offsets
    if end - begin != math.prod(shape) * dtype.itemsize:
        raise _Fault(
            f"{_short(name)} has {end - begin} bytes, its shape {_short(shape)} of {dtype.name} needs {math.prod(shape) * dtype.itemsize}"
        )
    return _Entry(name, dtype, tuple(shape), begin, end)


def _check_layout(entries: list[_Entry], available: int) -> None:
    """The tensors must cover the bytes after the header: no overlap, no hole, nothing left over."""
    covered = 0
    for entry in entries:
        if entry.begin != covered:
            raise _Fault(f"{_short(entry.name)} begins at byte {entry.begin}, the tensor before ends at {covered}; no overlap, no hole")
        covered = entry.end
    if covered != available:
        raise _Fault(f"the tensors have {covered} bytes, {available} follow the header: truncated or overlong")


def _read_tensor(file: BinaryIO, entry: _Entry) -> Tensor:
    array = _engine.empty(entry.shape, entry.dtype)
    bits: npt.NDArray[Any] = _engine.to_numpy(array, np.dtype(f"u{entry.dtype.itemsize}")).reshape(-1)
    if file.readinto(memoryview(bits.view(np.uint8))) < entry.end - entry.begin:  # type: ignore[attr-defined, arg-type]
        raise _Fault(f"{_short(entry.name)} ends early: the file was changed while it was read")
    if sys.byteorder == "big":
        bits.byteswap(inplace=True)
    if entry.dtype.kind == "b" and bits.size and bits.max() > 1:
        raise _Fault(f"{_short(entry.name)} is bool and has a byte {bits.max()}; 0 or 1 expected")
    return Tensor(array)


def _unflatten(tree: Any, tensors: dict[str, Tensor]) -> Any:
    """The inverse of ``_flatten``."""
    match tree:
        case None | bool() | int() | float() | str():
            return tree
        case {"tensor": str(name)} if len(tree) == 1 and name in tensors:
            return tensors[name]
        case {"list": list(items)} if len(tree) == 1:
            return [_unflatten(item, tensors) for item in items]
        case {"tuple": list(items)} if len(tree) == 1:
            return tuple(_unflatten(item, tensors) for item in items)
        case {"dict": list(items)} if len(tree) == 1 and all(
            isinstance(item, list) and len(item) == 2 and type(item[0]) in (str, int) for item in items
        ):
            return {key: _unflatten(item, tensors) for key, item in items}
    raise _Fault(f"the metadata '{_TREE}' has a node {_short(tree)}; None, a scalar, tensor, list, tuple or dict expected")


def _are_sizes(value: Any) -> bool:
    return type(value) is list and all(type(size) is int and 0 <= size <= _MAX_BYTES for size in value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
