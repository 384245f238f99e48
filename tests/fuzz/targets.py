"""What is fuzzed: for each reader its seeds, how an input becomes files, and the call."""

from __future__ import annotations

import gzip
import io
import json
import struct
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors
from PIL import Image

import pyengine as pe
from pyengine import serialization
from pyengine.cli.checkpoint import NotOurs, config_of, data_dir_of
from pyengine.cli.trainer import OPTIMIZERS, Config, Trainer
from pyengine.data import TensorDataset
from pyengine.data.readers import read_cifar, read_csv, read_idx, read_image, read_text
from pyengine.interop.safetensors import encode, read_header

LIMIT = 1 << 20  # bytes: so that a bomb shows


class Target(NamedTuple):
    """``read(path)`` may raise ValueError or OSError with one line that begins with ``name``; anything else is a finding."""

    name: str
    seeds: Callable[[], Iterator[bytes]]
    write: Callable[[Path, bytes], Path]
    """Puts an input into a folder; where to read it."""
    read: Callable[[Path], Any]


def as_it_is(folder: Path, data: bytes) -> Path:
    (folder / "x").write_bytes(data)
    return folder / "x"


def maybe_gzipped(folder: Path, data: bytes) -> Path:
    """An odd first byte has the rest compressed: a mutation would nearly always break a checksum."""
    return as_it_is(folder, gzip.compress(data[1:], 1, mtime=0) if data[:1] and data[0] % 2 else data[1:])


def with_header_length(folder: Path, data: bytes) -> Path:
    """Header and bytes, split at the first NUL, get the length in front that a mutation would nearly always leave wrong."""
    header, nul, rest = data.partition(b"\0")
    return as_it_is(folder, struct.pack("<Q", len(header)) + header + rest if nul else data)


# safetensors --------------------------------------------------------------------------------------------------------------------------


def safetensors_seeds() -> Iterator[bytes]:
    for dtype, size in {"F32": 4, "BF16": 2, "BOOL": 1, "C64": 8, "F8_E4M3": 1, "I64": 8}.items():
        entry = {"dtype": dtype, "shape": [2, 1], "data_offsets": [0, 2 * size]}
        yield json.dumps({"__metadata__": {"a": "b"}, "x": entry}).encode() + b"\0" + bytes(2 * size)
    two = {name: {"dtype": "U8", "shape": [2], "data_offsets": [2 * i, 2 * i + 2]} for i, name in enumerate("ab")}
    yield json.dumps(two).encode() + b"\0abcd"
    tree = '{"dict": [["p", {"list": [{"tensor": "a"}, null, 1.5, NaN]}], [0, {"tuple": [{"tensor": "b"}]}]]}'
    yield json.dumps({"__metadata__": {"pyengine.tree": tree}, **two}).encode() + b"\0abcd"
    yield struct.pack("<Q", 2) + b"{}"


def read_safetensors(path: Path) -> None:
    """What we accept, the safetensors library must accept, and with the same tensors."""
    state = pe.load(path)
    consume(state)
    library = dict(safetensors.deserialize(path.read_bytes()))
    if pe.serialization.load_metadata(path) == safetensors_notes(path):
        assert {name: tuple(found["shape"]) for name, found in library.items()} == {name: x.shape for name, x in state.items()}


def safetensors_notes(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        return read_header(file)[1]


def consume(state: Any) -> None:
    """Touches every byte that was mapped."""
    if isinstance(state, pe.Tensor):
        state.numpy().tobytes()
    elif isinstance(state, dict | list | tuple):
        for value in state.values() if isinstance(state, dict) else state:
            consume(value)


def index_seeds() -> Iterator[bytes]:
    for weight_map in ({"a": "one.safetensors"}, {"a": "one.safetensors", "b": "two.safetensors"}, {"a": "../one.safetensors"}, {}):
        yield json.dumps({"metadata": {"total_size": 8, "x": "y"}, "weight_map": weight_map}).encode()


def write_index(folder: Path, data: bytes) -> Path:
    for name, tensor in (("one", "a"), ("two", "b")):
        if not (folder / f"{name}.safetensors").exists():
            pe.save({tensor: np.zeros(2, np.float32)}, folder / f"{name}.safetensors")
    (folder / "m.safetensors.index.json").write_bytes(data)
    return folder / "m.safetensors.index.json"


# Examples -----------------------------------------------------------------------------------------------------------------------------


def idx_seeds() -> Iterator[bytes]:
    for code, dtype in {8: ">u1", 9: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}.items():
        for shape in ((3,), (2, 3), (1, 2, 2)):
            body = struct.pack(f">HBB{len(shape)}I", 0, code, len(shape), *shape) + np.ones(shape, dtype).tobytes()
            yield b"\0" + body
            yield b"\1" + body


def csv_seeds() -> Iterator[bytes]:
    for text in (
        "1,2\n3,4\n",
        "a,b\n1,2\n",
        "1e5,-2.5,nan\n",
        "1,2\r\n\r\n3,4",
        "0x10,1_0\n",
        '"1",2\n',
        "\u0661,\uff12\n",
        "\ufeff1,2\n",
        "inf,-0\n",
    ):
        yield b"\0" + text.encode()
        yield b"\1" + text.encode()


def cifar_seeds() -> Iterator[bytes]:
    for labels in (b"\0", b"\t", b"\1\2"):
        yield b"\0" + b"".join(bytes([label]) + bytes(range(256)) * 12 for label in labels)
    yield b"\1\3" + bytes(3072)


def image_seeds() -> Iterator[bytes]:
    rng = np.random.default_rng(0)
    for mode in ("1", "L", "P", "RGB", "RGBA", "CMYK", "I;16", "LA"):
        shape = (5, 7, *{"RGB": (3,), "RGBA": (4,), "CMYK": (4,), "LA": (2,)}.get(mode, ()))
        pixels = rng.integers(0, 256, shape, np.uint16 if mode == "I;16" else np.uint8)
        picture = Image.fromarray(pixels).convert("1") if mode == "1" else Image.frombytes(mode, (7, 5), pixels.tobytes())
        for kind in ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP"):
            file = io.BytesIO()
            try:
                picture.save(file, kind)
            except (OSError, ValueError):
                continue  # a mode the format lacks
            yield file.getvalue()
    yield b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"


# A run that is resumed ----------------------------------------------------------------------------------------------------------------


@cache
def _run() -> tuple[Any, dict[str, Any]]:
    """A small training, and its state after a step."""
    images = np.zeros((8, 1, 2, 2), np.float32)
    data = TensorDataset(images, np.arange(8) % 10)
    trainer = Trainer(Config("digits", "softmax", 1, 4, "adamw", 0.1, 0, False), data, data)
    trainer.run_epoch(lambda: False)
    return trainer, {**trainer.state(), "data_dir": None}


def checkpoint_seeds() -> Iterator[bytes]:
    """The tree of the checkpoint, whose tensors stay as they are; and other trees."""
    tensors: dict[str, Any] = {}
    yield json.dumps(serialization._flatten(_run()[1], "", tensors)).encode()
    yield b'{"dict": [["config", {"tensor": "model.1.bias"}]]}'
    yield b'{"tensor": "model.1.bias"}'


def write_checkpoint(folder: Path, data: bytes) -> Path:
    tensors: dict[str, Any] = {}
    serialization._flatten(_run()[1], "", tensors)
    (folder / "x").write_bytes(b"".join(encode(tensors, {"pyengine.tree": data.decode("utf-8", "replace")})))
    return folder / "x"


def read_checkpoint(path: Path) -> None:
    """As ``--resume`` does, and then a step: what was accepted must work."""
    state = pe.load(path)
    try:
        config = Config(**config_of(state, OPTIMIZERS))
        data_dir_of(state)
        data = _run()[0].test_set
        trainer = Trainer(config, data, data)
        trainer.load_state(state)
    except NotOurs as fault:
        raise ValueError(f"train: '{path}' was not written by 'pyengine train': {fault}") from None
    trainer.run_epoch(lambda: False)


TARGETS = {
    target.name: target
    for target in (
        Target("load", safetensors_seeds, with_header_length, read_safetensors),
        Target("load-index", index_seeds, write_index, lambda path: consume(pe.load(path))),
        Target("read_idx", idx_seeds, maybe_gzipped, lambda path: read_idx(path, LIMIT)),
        Target("read_csv", csv_seeds, maybe_gzipped, lambda path: read_csv(path, limit=LIMIT)),
        Target("read_cifar", cifar_seeds, maybe_gzipped, lambda path: read_cifar(path, LIMIT)),
        Target("read_text", csv_seeds, maybe_gzipped, lambda path: read_text(path, LIMIT)),
        Target("read_image", image_seeds, as_it_is, lambda path: read_image(path, limit=64 * LIMIT)),
        Target("train", checkpoint_seeds, write_checkpoint, read_checkpoint),
    )
}
