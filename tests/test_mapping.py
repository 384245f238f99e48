"""Checkpoints are mapped: nothing is read before it is used, a change stays private, the map lasts as long as its tensors."""

from __future__ import annotations

import copy
import gc
import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyengine as pe
from pyengine import nn, optim
from pyengine.interop import float8

LINUX = sys.platform == "linux"


def resident(path: Path) -> int:
    """Bytes of the file's maps that are in this process's memory."""
    total, counting = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        head, _, rest = line.partition(" ")
        if not head.endswith(":"):
            counting = rest.endswith(str(path))
        elif counting and head == "Rss:":
            total += int(rest.split()[0]) << 10
    return total


def is_mapped(path: Path) -> bool:
    return str(path) in Path("/proc/self/maps").read_text()


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    pe.save({name: np.full((1024, 1024), value, np.float32) for name, value in (("a", 1), ("b", 2))}, tmp_path / "x")
    return tmp_path / "x"


@pytest.mark.skipif(not LINUX, reason="/proc says what is mapped")
def test_a_tensor_is_read_when_it_is_used_and_the_map_goes_with_the_last(checkpoint: Path) -> None:
    state = pe.load(checkpoint)
    assert resident(checkpoint) == 0
    assert state["a"].sum().item() == 1 << 20
    assert 4 << 20 <= resident(checkpoint) < 5 << 20, "b was not used"
    row = state["b"][5]
    del state
    gc.collect()
    assert is_mapped(checkpoint)
    assert row.sum().item() == 2048
    del row
    gc.collect()
    assert not is_mapped(checkpoint)


@pytest.mark.skipif(not LINUX, reason="elsewhere, a file larger than memory may be refused")
def test_a_file_larger_than_memory(tmp_path: Path) -> None:
    size = 1 << 40
    header = json.dumps({"x": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    with (tmp_path / "x").open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        try:
            file.truncate(8 + len(header) + size)
        except OSError as error:
            pytest.skip(f"no sparse files of a terabyte here: {error}")
    assert pe.load(tmp_path / "x")["x"][size - 2 :].tolist() == [0, 0]


def test_changes_in_place_stay_in_this_process(checkpoint: Path) -> None:
    before = checkpoint.read_bytes()
    state, other = pe.load(checkpoint), pe.load(checkpoint)
    state["a"][3] = 7.0
    state["a"] += 1
    state["b"].numpy()[...] = 5
    assert (state["a"][3, 0].item(), state["a"][4, 0].item(), state["b"][0, 0].item()) == (8, 2, 5)
    assert (other["a"][3, 0].item(), other["b"][0, 0].item()) == (1, 2)
    assert checkpoint.read_bytes() == before


def test_a_loaded_tensor_can_be_learned(checkpoint: Path) -> None:
    weight = nn.Parameter(pe.load(checkpoint)["a"])
    optimizer = optim.SGD([weight], lr=0.5)
    weight.sum().backward()
    optimizer.step()
    assert weight[0, 0].item() == 0.5
    assert pe.load(checkpoint)["a"][0, 0].item() == 1


def test_saving_over_a_mapped_file(checkpoint: Path) -> None:
    state = pe.load(checkpoint)
    pe.save({"a": state["b"], "b": state["a"]}, checkpoint)
    assert (state["a"][0, 0].item(), state["b"][0, 0].item()) == (1, 2)
    assert pe.load(checkpoint)["a"][0, 0].item() == 2


def test_a_deep_copy_depends_on_no_file(checkpoint: Path) -> None:
    state = copy.deepcopy(pe.load(checkpoint))
    os.truncate(checkpoint, 0)
    assert state["a"].sum().item() == 1 << 20


def test_a_tensor_that_is_not_aligned_is_copied(tmp_path: Path) -> None:
    """Our files and the library's put the widest first; the format does not ask for it."""
    header = json.dumps(
        {
            "i": {"dtype": "I8", "shape": [1], "data_offsets": [0, 1]},
            "f": {"dtype": "F64", "shape": [2], "data_offsets": [1, 17]},
            "c": {"dtype": "C64", "shape": [], "data_offsets": [17, 25]},
        }
    ).encode()
    data = b"\5" + np.array([1.5, -2.5]).tobytes() + np.complex64(1 + 2j).tobytes()
    (tmp_path / "x").write_bytes(struct.pack("<Q", len(header)) + header + data)
    state = pe.load(tmp_path / "x")
    assert (state["i"].tolist(), state["f"].tolist(), state["c"].item()) == ([5], [1.5, -2.5], 1 + 2j)
    assert state["f"]._array.address % 8 == 0


@pytest.mark.parametrize("name", list(float8.WIDENED))
def test_eight_bit_floats_are_torchs(tmp_path: Path, name: str) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: no second opinion on 8-bit floats")
    kind = {"F8_E4M3": "e4m3fn", "F8_E8M0": "e8m0fnu"}.get(name, name.removeprefix("F8_").lower())
    header = json.dumps({"x": {"dtype": name, "shape": [16, 16], "data_offsets": [0, 256]}}).encode()
    (tmp_path / "x").write_bytes(struct.pack("<Q", len(header)) + header + bytes(range(256)))
    found = pe.load(tmp_path / "x")["x"]
    wanted = torch.arange(256, dtype=torch.uint8).view(getattr(torch, f"float8_{kind}")).to(torch.float32).numpy().reshape(16, 16)
    assert found.dtype.name == float8.WIDENED[name]
    np.testing.assert_array_equal(found.numpy().astype(np.float32), wanted)


# What is no file, and what is no checkpoint -----------------------------------------------------------------------------------------


def special(path: Path, kind: str) -> Path:
    match kind:
        case "a folder":
            path.mkdir()
        case "a pipe":
            os.mkfifo(path)
        case "a link to a pipe":
            os.mkfifo(path.with_name("pipe"))
            path.symlink_to(path.with_name("pipe"))
        case "a device":
            return Path("/dev/zero")
    return path


READERS: dict[str, Any] = {
    "load": pe.load,
    "load_metadata": pe.serialization.load_metadata,
    "read_idx": pe.data.read_idx,
    "read_cifar": pe.data.read_cifar,
    "read_csv": pe.data.read_csv,
    "read_image": pe.data.read_image,
}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
@pytest.mark.parametrize("kind", ["a folder", "a pipe", "a link to a pipe", "a device"])
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_file_is_refused_and_waits_for_nobody(tmp_path: Path, reader: str, kind: str) -> None:
    path = special(tmp_path / "x", kind)
    rule = "not one checkpoint" if kind == "a folder" and reader.startswith("load") else "not a regular file"
    with pytest.raises(ValueError, match=f"^{reader}: {rule}: '{path}'"):
        READERS[reader](path)


@pytest.mark.parametrize("reader", READERS)
def test_a_missing_file_and_a_path_that_is_none(tmp_path: Path, reader: str) -> None:
    with pytest.raises(FileNotFoundError, match=f"{reader}: No such file"):
        READERS[reader](tmp_path / "x")
    with pytest.raises(ValueError, match=f"^{reader}: not a path: "):
        READERS[reader](f"{tmp_path}/x\0y")


def test_memory_is_bounded_by_the_bytes_of_json(tmp_path: Path) -> None:
    """64 bytes for each of the header's, whatever they say: so it is in the docstring."""
    size = 1 << 20
    hostile = {
        "empty objects": b'{"a":[' + b",".join([b"{}"] * (size // 3)) + b"]}",
        "empty lists": b'{"a":[' + b",".join([b"[]"] * (size // 3)) + b"]}",
        "short keys": b"{" + b",".join(b'"%x":0' % i for i in range(size // 10)) + b"}",
        "one key each": b'{"a":[' + b",".join([b'{"":0}'] * (size // 7)) + b"]}",
        "floats": b'{"a":[' + b",".join([b"0.1"] * (size // 4)) + b"]}",
        "wide letters": '{"a":"\U0001f600'.encode() + b"a" * size + b'"}',
        "escapes": b'{"a":"' + rb"\ud83d\ude00" * (size // 12) + b'"}',
        "many tensors": b"{" + b",".join(b'"%x":{"dtype":"U8","shape":[],"data_offsets":[0,0]}' % i for i in range(size // 50)) + b"}",
        "a tree": json.dumps({"__metadata__": {"pyengine.tree": '{"list":[' + ",".join(['{"list":[]}'] * (size // 12)) + "]}"}}).encode(),
    }
    script = """
import sys, tracemalloc
import pyengine as pe
tracemalloc.start()
try:
    pe.load(sys.argv[1])
except ValueError:
    pass
print(tracemalloc.get_traced_memory()[1])
"""
    for name, header in hostile.items():
        (tmp_path / "x").write_bytes(struct.pack("<Q", len(header)) + header)
        result = subprocess.run([sys.executable, "-c", script, str(tmp_path / "x")], capture_output=True, text=True, check=True)
        assert int(result.stdout) <= 64 * len(header) + (1 << 20), f"{name}: {int(result.stdout) / len(header):.1f} bytes for each"
