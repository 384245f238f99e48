"""Checkpoints in several safetensors files and an index, a JSON object: ``{"metadata": {...}, "weight_map": {tensor: file}}``.

The layout is Hugging Face's. The index is the one file that is replaced when a checkpoint is written anew: its shards are named after
their content, and never change.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from pyengine.files import Path_, atomic_write, open_regular
from pyengine.interop import safetensors
from pyengine.interop.safetensors import MAX_HEADER, Fault, short
from pyengine.tensor import Tensor

_SUFFIX = ".safetensors.index.json"
_SHARD = re.compile(r".*-\d{5,}-of-\d{5,}.*\.safetensors")


# Writing ------------------------------------------------------------------------------------------------------------------------------


def check(path: Path_, shard_size: int) -> None:
    """Raises ValueError for what ``write`` has no use for."""
    if shard_size < 1:
        raise ValueError(f"save: shard_size out of range: {shard_size}; at least 1 byte")
    if not Path(path).name.endswith(_SUFFIX):
        raise ValueError(f"save: not the name of an index: '{os.fspath(path)}'; with shard_size, path must end in '{_SUFFIX}'")


def write(path: Path_, tensors: dict[str, Tensor], notes: dict[str, str], tree: dict[str, str], shard_size: int) -> None:
    """The shards, then the index; then the shards that no index names any more are deleted. After an error, what was there before."""
    target = Path(os.path.realpath(path))
    stem, parts = target.name.removesuffix(_SUFFIX), _parts(tensors, shard_size)
    weight_map: dict[str, str] = {}
    written: list[Path] = []
    try:
        for number, part in enumerate(parts, 1):
            name = f"{stem}-{number:05}-of-{len(parts):05}-{_digest(part, notes)}.safetensors"
            shard = target.with_name(name)
            if not shard.exists():
                written.append(shard)
            with atomic_write(shard) as file:
                file.writelines(safetensors.encode(part, notes))
            weight_map |= dict.fromkeys(part, name)
        size = sum(tensor.nbytes for tensor in tensors.values())
        with atomic_write(target) as file:
            file.write(json.dumps({"metadata": {"total_size": size, **notes, **tree}, "weight_map": weight_map}, indent=2).encode())
    except BaseException:
        _delete(written)
        raise
    ours = re.compile(re.escape(stem) + r"-\d{5,}-of-\d{5,}-[0-9a-f]{16}\.safetensors")
    kept = set(weight_map.values())
    _delete([entry for entry in target.parent.iterdir() if ours.fullmatch(entry.name) and entry.name not in kept])


def _digest(part: dict[str, Tensor], notes: dict[str, str]) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for piece in safetensors.encode(part, notes):
        digest.update(piece)
    return digest.hexdigest()


def _delete(paths: list[Path]) -> None:
    """What cannot be deleted stays: no index names it, and the next checkpoint written here tries again."""
    for path in paths:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _parts(tensors: dict[str, Tensor], shard_size: int) -> list[dict[str, Tensor]]:
    """The tensors in the order of their names, cut where the next would not fit."""
    parts: list[dict[str, Tensor]] = [{}]
    room = shard_size
    for name in sorted(tensors):
        if parts[-1] and tensors[name].nbytes > room:
            parts.append({})
            room = shard_size
        parts[-1][name] = tensors[name]
        room -= tensors[name].nbytes
    return parts


# Reading ------------------------------------------------------------------------------------------------------------------------------


def is_index(path: Path_) -> bool:
    return Path(path).name.endswith(".index.json")


def only_checkpoint(op: str, folder: Path_) -> Path:
    """The one checkpoint of a folder: an index, or a file that is not a shard."""
    found = sorted(
        entry
        for entry in Path(folder).iterdir()
        if is_index(entry) or (entry.suffix == ".safetensors" and not _SHARD.fullmatch(entry.name))
    )
    if len(found) != 1:
        names = short([entry.name for entry in found])
        raise ValueError(f"{op}: not one checkpoint: '{os.fspath(folder)}' holds {len(found)}: {names}; pass the file or the index meant")
    return found[0]


def read(path: Path_) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of all shards by name, and the metadata of the index."""
    weight_map, notes = read_index("load", path)
    shards: dict[str, set[str]] = {}
    for tensor, name in weight_map.items():
        shards.setdefault(name, set()).add(tensor)
    tensors: dict[str, Tensor] = {}
    for name in sorted(shards):
        with open_regular("load", Path(path).with_name(name)) as file:
            try:
                found, _ = safetensors.read(file)
            except Fault as fault:
                raise Fault(f"shard {short(name)}: {fault}") from None
        if found.keys() != shards[name]:
            differ = short(sorted(found.keys() ^ shards[name]))
            raise Fault(f"shard {short(name)} and the index differ in {differ}; both must name the same tensors")
        tensors |= found
    return tensors, notes


def read_index(op: str, path: Path_) -> tuple[dict[str, str], dict[str, str]]:
    """Which shard each tensor is in, and the texts of the metadata."""
    with open_regular(op, path) as file:
        raw = file.read(MAX_HEADER + 1)
    if len(raw) > MAX_HEADER:
        raise Fault(f"the index has more than {MAX_HEADER} bytes; no more are allowed")
    index = safetensors.parse_object(raw)
    weight_map, notes = index.get("weight_map"), index.get("metadata", {})
    if type(weight_map) is not dict or type(notes) is not dict:
        raise Fault(f"the index has weight_map {short(weight_map)} and metadata {short(notes)}; two dicts expected")
    for name in weight_map.values():
        _check_name(name)
    return weight_map, {key: text for key, text in notes.items() if type(text) is str}


def _check_name(name: Any) -> None:
    """A shard lies beside its index: a name that leads elsewhere is an attempt to make us read other files."""
    if type(name) is not str or not re.fullmatch(r"[^/\\:\0]+\.safetensors", name):
        raise Fault(f"the index names a shard {short(name)}; the plain name of a .safetensors file beside it expected")
