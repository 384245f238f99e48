"""Checkpoints: round trips to the bit, files of and for the safetensors library, hostile files, and a disk that fails at any moment."""

from __future__ import annotations

import errno
import json
import math
import signal
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pyengine as pe
from pyengine import files
from pyengine.dtypes import all_dtypes
from pyengine.interop import safetensors as safetensors_format


def bits(x: pe.Tensor) -> bytes:
    return np.ascontiguousarray(pe._engine.to_numpy(x.to("cpu")._array, np.dtype(f"u{x.itemsize}"))).tobytes()


def random_tensor(dtype: Any, shape: tuple[int, ...], seed: int = 0) -> pe.Tensor:
    """Any bit pattern the dtype has, NaN payloads and subnormals included."""
    raw = (
        np.random.default_rng(seed).integers(0, 256, math.prod(shape) * dtype.itemsize, np.uint8).view(f"u{dtype.itemsize}").reshape(shape)
    )
    return pe.Tensor(pe._engine.from_numpy(np.asarray(raw % 2 if dtype.kind == "b" else raw), dtype))


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def assert_same(found: Any, given: Any) -> None:
    if isinstance(given, pe.Tensor):
        assert (found.dtype, found.shape, bits(found)) == (given.dtype, given.shape, bits(given))
    elif isinstance(given, dict):
        assert isinstance(found, dict)
        assert list(found) == list(given)
        assert [type(key) for key in found] == [type(key) for key in given]
        for key in given:
            assert_same(found[key], given[key])
    elif isinstance(given, list | tuple):
        assert type(found) is type(given)
        assert len(found) == len(given)
        for a, b in zip(found, given, strict=True):
            assert_same(a, b)
    else:
        assert type(found) is type(given)
        assert found == given or (found != found and given != given)


# Round trips ------------------------------------------------------------------------------------------------------------------------


STORED = [dtype for dtype in all_dtypes if dtype is not pe.complex128]


@pytest.mark.parametrize("dtype", STORED, ids=lambda dtype: dtype.name)
@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 0, 2), (2, 3, 5), (1000,)], ids=str)
def test_every_dtype_and_shape_comes_back_to_the_bit(tmp_path: Path, dtype: Any, shape: tuple[int, ...]) -> None:
    x = random_tensor(dtype, shape)
    pe.save({"x": x}, tmp_path / "x")
    assert_same(pe.load(tmp_path / "x"), {"x": x})


def test_strided_tensors_are_written_in_order(tmp_path: Path) -> None:
    x = random_tensor(pe.float32, (4, 6))
    pe.save({"vector": x[0, ::-2], "transposed": x.mT, "sliced": x[::2, ::-1], "broadcast": pe.broadcast_to(x[0], (3, 6))}, tmp_path / "x")
    for name, wanted in {
        "vector": x.numpy()[0, ::-2],
        "transposed": x.numpy().T,
        "sliced": x.numpy()[::2, ::-1],
        "broadcast": np.stack([x.numpy()[0]] * 3),
    }.items():
        np.testing.assert_array_equal(pe.load(tmp_path / "x")[name].numpy().view(np.uint32), np.ascontiguousarray(wanted).view(np.uint32))


def test_nested_state_keeps_its_structure(tmp_path: Path) -> None:
    moments = {i: {"step": i, "exp_avg": random_tensor(pe.bfloat16, (2, i), i)} for i in range(3)}
    state = {
        "model": {"0.weight": random_tensor(pe.float32, (3, 2)), "0.bias": random_tensor(pe.float32, (3,))},
        "optimizer": {
            "state": moments,
            "param_groups": [{"lr": 0.1, "betas": (0.9, 0.999), "nesterov": False, "params": [0, 1], "name": None}],
        },
        "odd": [math.nan, math.inf, -0.0, 2**70, "line\nline \u2028 \0", [], {}, ()],
        "rng": (np.arange(4, dtype=np.uint32), np.float64(0.5)),
    }
    pe.save(state, tmp_path / "x", {"made by": "test"})
    wanted = {**state, "rng": (pe.asarray(np.arange(4, dtype=np.uint32)), 0.5)}
    assert_same(pe.load(tmp_path / "x"), wanted)
    assert pe.serialization.load_metadata(tmp_path / "x") == {"made by": "test"}


def test_a_tensor_alone(tmp_path: Path) -> None:
    x = random_tensor(pe.float16, (2,))
    pe.save(x, tmp_path / "x")
    assert_same(pe.load(tmp_path / "x"), x)


def test_the_same_state_gives_the_same_bytes_whatever_its_order(tmp_path: Path) -> None:
    a, b = random_tensor(pe.float32, (5,)), random_tensor(pe.float64, (2,))
    pe.save({"a": a, "b": b}, tmp_path / "ab")
    pe.save({"b": b, "a": a}, tmp_path / "ba")
    assert (tmp_path / "ab").read_bytes() == (tmp_path / "ba").read_bytes()


@pytest.mark.parametrize(
    ("state", "error", "word"),
    [
        ({"f": object()}, TypeError, "cannot store a object at 'f'"),
        ({"f": {1.5: 1}}, TypeError, "keys must be str or int"),
        ({"a": {"b": np.zeros(1)}, "a.b": np.zeros(1)}, ValueError, "name taken: 'a.b'"),
        ({"__metadata__": np.zeros(1)}, ValueError, "name taken: '__metadata__'"),
        ({"a": np.zeros(1, "datetime64[s]")}, TypeError, "element type"),
        ({"a": np.zeros(1, "complex128")}, TypeError, "cannot store complex128 at 'a'; safetensors has no such dtype"),
    ],
)
def test_what_cannot_be_stored_is_refused_before_anything_is_written(tmp_path: Path, state: Any, error: type[Exception], word: str) -> None:
    (tmp_path / "x").write_bytes(b"old")
    with pytest.raises(error, match=word):
        pe.save(state, tmp_path / "x")
    assert files_in(tmp_path) == ["x"]
    assert (tmp_path / "x").read_bytes() == b"old"


# The safetensors library is the second opinion --------------------------------------------------------------------------------------------

_STATE = {
    "w": (pe.float32, (3, 4)),
    "b": (pe.bfloat16, (5,)),
    "n": (pe.int64, ()),
    "e": (pe.float16, (0, 2)),
    "m": (pe.bool, (7,)),
    "u": (pe.uint16, (3,)),
    "c": (pe.complex64, (2, 3)),
}


def test_the_library_reads_what_we_write(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors", reason="safetensors is not installed")
    state = {name: random_tensor(dtype, shape) for name, (dtype, shape) in _STATE.items()}
    pe.save(state, tmp_path / "x", {"key": "text"})
    found = dict(safetensors.deserialize((tmp_path / "x").read_bytes()))
    assert set(found) == set(state)
    for name, x in state.items():
        assert (tuple(found[name]["shape"]), bytes(found[name]["data"])) == (x.shape, bits(x))
        assert found[name]["dtype"] == safetensors_format.dtype_name(x.dtype)
    with safetensors.safe_open(str(tmp_path / "x"), framework="np") as file:
        assert file.metadata() == {"key": "text"}


def test_we_read_what_the_library_writes(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    library = pytest.importorskip("safetensors.torch", reason="safetensors is not installed")
    state = {
        "w": torch.randn(3, 4),
        "b": torch.randn(5).bfloat16(),
        "n": torch.tensor(7),
        "e": torch.zeros(0, 2).half(),
        "m": torch.tensor([True, False]),
        "c": torch.randn(2, dtype=torch.complex64),
    }
    library.save_file(state, tmp_path / "x", metadata={"format": "pt"})
    found = pe.load(tmp_path / "x")
    assert set(found) == set(state)
    for name, x in state.items():
        assert found[name].dtype.name == str(x.dtype).removeprefix("torch.")
        assert found[name].shape == tuple(x.shape)
        assert bits(found[name]) == x.contiguous().flatten().view(torch.uint8).numpy().tobytes()


# Hostile files ------------------------------------------------------------------------------------------------------------------------


def file_of(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype: Any = "F32", shape: Any = (1,), offsets: Any = (0, 4)) -> dict[str, Any]:
    return {
        "dtype": dtype,
        "shape": list(shape) if isinstance(shape, tuple) else shape,
        "data_offsets": list(offsets) if isinstance(offsets, tuple) else offsets,
    }


_HOSTILE = {
    "empty file": b"",
    "header beyond the file": struct.pack("<Q", 100) + b"{}",
    "header of 2**64 - 1 bytes": struct.pack("<Q", 2**64 - 1) + b"{}",
    "no JSON": file_of(b"{nonsense"),
    "a list": file_of(b"[]"),
    "leading space": file_of(b" {}"),
    "not UTF-8": file_of(b'{"\xff": 1}'),
    "UTF-16": file_of('{"a": 1}'.encode("utf-16")),
    "deep nesting": file_of(b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}"),
    "number of 5000 digits": file_of(b'{"a":{"dtype":"F32","shape":[' + b"9" * 5000 + b'],"data_offsets":[0,4]}}', b"1234"),
    "key twice": file_of(
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}}', b"1234"
    ),
    "field twice": file_of(b'{"a":{"dtype":"F32","dtype":"I32","shape":[1],"data_offsets":[0,4]}}', b"1234"),
    "metadata not strings": file_of({"__metadata__": {"a": 1}}),
    "metadata a list": file_of({"__metadata__": []}),
    "entry a number": file_of({"a": 1}),
    "field missing": file_of({"a": {"dtype": "F32", "shape": [1]}}),
    "field too many": file_of({"a": {**entry(), "x": 1}}, b"1234"),
    "unknown dtype": file_of({"a": entry("F4", (8,))}, b"1234"),
    "dtype a list": file_of({"a": entry(["F32"])}, b"1234"),
    "negative size": file_of({"a": entry(shape=(-1, -1))}, b"1234"),
    "size a float": file_of({"a": entry(shape=(1.0,))}, b"1234"),
    "size true": file_of({"a": entry(shape=(True,))}, b"1234"),
    "shape a number": file_of({"a": entry(shape=1)}, b"1234"),
    "one offset": file_of({"a": entry(offsets=(0,))}, b"1234"),
    "offsets reversed": file_of({"a": entry(offsets=(4, 0))}, b"1234"),
    "offset NaN": file_of(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[NaN,4]}}', b"1234"),
    "beyond the file": file_of({"a": entry(shape=(2,), offsets=(0, 8))}, b"1234"),
    "size that overflows": file_of({"a": entry(shape=(2**62, 2**62, 4), offsets=(0, 0))}),
    "size that overflows beside 0": file_of({"a": entry(shape=(2**62, 2**62, 0), offsets=(0, 0))}),
    "65 axes": file_of({"a": entry(shape=(1,) * 65)}, b"1234"),
    "shape and offsets differ": file_of({"a": entry(shape=(2,))}, b"1234"),
    "overlap": file_of({"a": entry(), "b": entry()}, b"1234"),
    "hole": file_of({"a": entry(), "b": entry(offsets=(8, 12))}, b"1234" * 3),
    "hole in front": file_of({"a": entry(offsets=(4, 8))}, b"1234" * 2),
    "left over": file_of({"a": entry()}, b"12345"),
    "bool of 2": file_of({"a": entry("BOOL", (1,), (0, 1))}, b"\2"),
    "tree not JSON": file_of({"__metadata__": {"pyengine.tree": "{"}}),
    "tree without its tensor": file_of({"__metadata__": {"pyengine.tree": '{"tensor": "a"}'}}),
    "tree of nonsense": file_of({"__metadata__": {"pyengine.tree": '{"dict": [[1.5, 2]]}'}}),
    "deep tree": file_of({"__metadata__": {"pyengine.tree": '{"list": [' * 50_000 + "]}" * 50_000}}),
    "newlines in a name": file_of({"a\n\nb": 1}),
    "half a surrogate pair": file_of(b'{"\\ud800":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', b"1234"),
    "long names": file_of({"a" * 100_000: 1}),
    "long names twice": file_of(b'{"' + b"a" * 100_000 + b'":1,"' + b"a" * 100_000 + b'":1}'),
    "an array of bytes that are no JSON": file_of(b"\xff" * 100_000),
}


@pytest.mark.parametrize("name", _HOSTILE)
def test_hostile_files_end_in_one_clear_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "x").write_bytes(_HOSTILE[name])
    with pytest.raises(ValueError, match=r"^load: not a valid checkpoint: ") as caught:
        pe.load(tmp_path / "x")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600
    assert str(tmp_path / "x") in str(caught.value)


def test_a_file_cut_anywhere_is_refused_and_a_bit_flipped_anywhere_never_crashes(tmp_path: Path) -> None:
    state = {"a": {"x": random_tensor(pe.float32, (3,)), "y": random_tensor(pe.bfloat16, (2, 2)), "step": 3}}
    pe.save(state, tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    for length in range(len(whole)):
        (tmp_path / "cut").write_bytes(whole[:length])
        with pytest.raises(ValueError, match="not a valid checkpoint"):
            pe.load(tmp_path / "cut")
    (tmp_path / "cut").write_bytes(whole + b"\0")
    with pytest.raises(ValueError, match="not a valid checkpoint"):
        pe.load(tmp_path / "cut")
    for position in range(len(whole) - 20):  # the last 20 bytes are elements, free to be anything
        for bit in range(8):
            changed = bytearray(whole)
            changed[position] ^= 1 << bit
            (tmp_path / "cut").write_bytes(changed)
            try:
                pe.load(tmp_path / "cut")
            except ValueError as error:
                if "not a valid checkpoint" not in str(error):
                    raise


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.text(max_size=3), lambda inner: st.lists(inner, max_size=3), max_leaves=6
)
_entries = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "BF16", "BOOL", "X"]),
        "shape": st.lists(st.integers(-1, 3), max_size=3),
        "data_offsets": st.lists(st.integers(0, 12), min_size=1, max_size=3),
    }
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.text(max_size=2), _entries | _json, max_size=3), st.binary(max_size=24))
def test_whatever_we_accept_the_library_accepts_too(tmp_path_factory: pytest.TempPathFactory, header: dict[str, Any], data: bytes) -> None:
    safetensors = pytest.importorskip("safetensors", reason="safetensors is not installed")
    path = tmp_path_factory.mktemp("fuzz") / "x"
    path.write_bytes(file_of(header, data))
    try:
        found = pe.load(path)
    except ValueError as error:
        if "not a valid checkpoint" not in str(error):
            raise
        return
    library = dict(safetensors.deserialize(path.read_bytes()))
    assert {name: (tuple(x["shape"]), bytes(x["data"])) for name, x in library.items()} == {
        name: (x.shape, bits(x)) for name, x in found.items()
    }


# Disks that fail ------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def old(tmp_path: Path) -> Path:
    pe.save({"x": pe.asarray(np.zeros(4, np.float32))}, tmp_path / "x")
    return tmp_path / "x"


def assert_untouched(old: Path) -> None:
    assert files_in(old.parent) == [old.name]
    assert pe.load(old)["x"].numpy().tolist() == [0.0] * 4


@pytest.mark.parametrize(("owner", "call"), [(files.os, "fsync"), (files.Path, "replace")])
def test_a_failing_call_leaves_the_old_file_and_no_other(old: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, call: str) -> None:
    def fail(*args: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(owner, call, fail)
    with pytest.raises(OSError, match="save: No space left on device; 16 bytes to write; what was there before is untouched") as caught:
        pe.save({"x": pe.asarray(np.ones(4, np.float32))}, old)
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(old)
    monkeypatch.undo()
    assert_untouched(old)


def test_a_full_disk_leaves_the_old_file_and_no_other(old: Path) -> None:
    """A file-size limit fails the write itself, as a full disk does."""
    script = f"""
import resource, signal, sys
import numpy as np, pyengine as pe
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    pe.save({{"x": pe.asarray(np.ones(100_000, np.float32))}}, {str(old)!r})
except OSError as error:
    sys.exit(f"caught {{error}}")
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "caught [Errno 27] save: File too large; 400,000 bytes to write" in result.stderr
    assert_untouched(old)


@pytest.mark.parametrize("moment", ["write", "fsync", "replace", "after"])
def test_a_process_killed_at_any_moment_leaves_the_old_file_or_the_new(old: Path, moment: str) -> None:
    script = f"""
import os, signal
import numpy as np, pyengine as pe
from pyengine import files
from pyengine.interop import safetensors as safetensors_format
die = lambda *args: os.kill(os.getpid(), signal.SIGKILL)
if {moment!r} == "write": safetensors_format._bytes_of = die
if {moment!r} == "fsync": files.os.fsync = die
if {moment!r} == "replace": files.Path.replace = die
if {moment!r} == "after": files._sync_directory = die
pe.save({{"x": pe.asarray(np.ones(4, np.float32))}}, {str(old)!r})
"""
    result = subprocess.run([sys.executable, "-c", script])
    assert result.returncode == -signal.SIGKILL
    assert pe.load(old)["x"].numpy().tolist() == [float(moment == "after")] * 4


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real" / "x")
    pe.save({"x": np.ones(1)}, tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "x").is_file()
    assert files_in(tmp_path / "real") == ["x"]


def test_a_new_file_has_the_permissions_any_new_file_has(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    pe.save({"x": np.ones(1)}, tmp_path / "x")
    assert (tmp_path / "x").stat().st_mode == (tmp_path / "plain").stat().st_mode
