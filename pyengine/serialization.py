"""Checkpoints in the safetensors format: written atomically, mapped lazily, read without trusting a byte.

A flat dict of tensors, such as ``module.state_dict()``, becomes exactly a safetensors file, and any library of that format reads it. Of
nested states, such as ``optimizer.state_dict()``, the tensors are named by their path (``optimizer.state.0.exp_avg``), and what is not a
tensor stands in the header's metadata as JSON, under ``pyengine.tree``; :func:`load` puts the two together again.

Why this is not the safetensors package: docs/adr/0007-safetensors-reader-of-our-own.md.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from pyengine import shards
from pyengine.files import Path_, atomic_write, open_regular
from pyengine.interop import safetensors
from pyengine.interop.safetensors import Fault, short
from pyengine.tensor import Tensor, as_tensor

__all__ = ["load", "load_metadata", "save"]

T = TypeVar("T")
_TREE = "pyengine.tree"


# Saving -----------------------------------------------------------------------------------------------------------------------------


def save(state: Any, path: Path_, metadata: dict[str, str] | None = None, shard_size: int | None = None) -> None:
    """Writes tensors, and dicts, lists and tuples of tensors, numbers, strings and None, to a safetensors file.

    ``metadata`` goes into the header as it is; :func:`load_metadata` reads it back. The file is replaced whole: after an error, or a
    crash at any moment, ``path`` is what it was before. The same state gives the same bytes.

    With ``shard_size``, the tensors go into files of at most so many bytes of data each (a larger tensor alone into one), and ``path``,
    which must end in ``.safetensors.index.json``, becomes the index that says where each is: the layout of Hugging Face's sharded
    checkpoints. Shards are named after their content, so the old ones stay whole until the new index is there; then they are deleted.

    Raises TypeError for what cannot be stored (complex128 and objects), ValueError where two tensors would get one name, OSError where
    the disk refuses.
    """
    if shard_size is not None:
        shards.check(path, shard_size)
    tensors: dict[str, Tensor] = {}
    notes = _checked_metadata(metadata)
    tree = _flatten(state, "", tensors)
    trees = {} if isinstance(state, dict) and list(tensors) == list(state) else {_TREE: json.dumps(tree)}
    try:
        if shard_size is None:
            with atomic_write(path) as file:
                file.writelines(safetensors.encode(tensors, notes | trees))
        else:
            shards.write(path, tensors, notes, trees, shard_size)
    except OSError as error:
        size = sum(tensor.nbytes for tensor in tensors.values())
        raise OSError(
            error.errno, f"save: {error.strerror}; {size:,} bytes to write; what was there before is untouched", os.fspath(path)
        ) from None


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
    tensor = as_tensor(value)
    if safetensors.dtype_name(tensor.dtype) is None:
        raise TypeError(
            f"save: cannot store {tensor.dtype.name} at '{name}'; safetensors has no such dtype: convert it, or split it in two"
        )
    return tensor


def _checked_metadata(metadata: dict[str, str] | None) -> dict[str, str]:
    notes = dict(metadata or {})
    if not all(isinstance(text, str) for item in notes.items() for text in item) or _TREE in notes:
        raise TypeError(f"save: metadata must be a dict of str to str without '{_TREE}': {metadata!r}")
    return notes


# Loading ----------------------------------------------------------------------------------------------------------------------------


def load(path: Path_, device: str = "cpu") -> Any:
    """The state that :func:`save` wrote; of a checkpoint from elsewhere, a dict of its tensors by name.

    ``path`` is a safetensors file, an index (``*.index.json``) whose shards lie beside it, or a folder that holds one checkpoint. Dtypes
    and shapes are those in the file; 8-bit floats come as float16 (F8_E8M0 as float32), which have every value of theirs.

    **Lazy.** The file is mapped: a tensor's bytes are read when it is used, and a checkpoint may be larger than memory. Tensors are
    writable; a page that is changed becomes this process's own (copy on write), and the file never changes. The map lasts as long as a
    tensor of it. :func:`save` over a mapped file is safe: it puts a new file in the place of the old. A program that writes into the file
    itself, or cuts it, changes or ends the tensors that were not used yet (a cut ends the process with SIGBUS); ``copy.deepcopy(state)``
    depends on no file. Where the system forbids to replace a mapped file, as Windows does, :func:`save` raises until its tensors are gone.

    **Untrusted files.** Nothing in a file is executed. All of its header is checked before a tensor is made: ValueError names the fault,
    or that ``path`` is no regular file (links are followed), OSError what the system refuses. Shards are plain names beside their index,
    wherever it says they are. Memory: at most 64 bytes for each byte of JSON, of which a file may have 100 MB, and copies of the tensors
    that cannot be used as they lie there: bool, whose bytes are checked, 8-bit floats, and what is not aligned to its element size.
    """
    return _reading("load", path, lambda file: _load(file, device))


def _load(path: Path_, device: str) -> Any:
    if shards.is_index(path):
        tensors, notes = shards.read(path)
    else:
        with open_regular("load", path) as file:
            tensors, notes = safetensors.read(file)
    tensors = {name: tensor.to(device) for name, tensor in tensors.items()}
    return _unflatten(safetensors.parse(notes[_TREE]), tensors) if _TREE in notes else tensors


def load_metadata(path: Path_) -> dict[str, str]:
    """The ``metadata`` a checkpoint was saved with; reads the header or the index only."""
    return _reading("load_metadata", path, _load_metadata)


def _load_metadata(path: Path_) -> dict[str, str]:
    if shards.is_index(path):
        notes = shards.read_index("load_metadata", path)[1]
    else:
        with open_regular("load_metadata", path) as file:
            notes = safetensors.read_header(file)[1]
    return {key: text for key, text in notes.items() if key != _TREE}


def _reading(op: str, path: Path_, read: Callable[[Path_], T]) -> T:
    """``read(file)``, with its faults as errors of ``op`` that name the file."""
    try:
        if Path(path).is_dir():
            path = shards.only_checkpoint(op, path)
        return read(path)
    except (Fault, RecursionError) as fault:
        raise ValueError(f"{op}: not a valid checkpoint: '{os.fspath(path)}': {fault}") from None
    except OSError as error:
        if error.filename is None:  # of the map
            raise OSError(error.errno, f"{op}: {error.strerror}", os.fspath(path)) from None
        raise


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
    raise Fault(f"the metadata '{_TREE}' has a node {short(tree)}; None, a scalar, tensor, list, tuple or dict expected")
