"""DLPack both ways with NumPy, PyTorch and JAX: versioned and legacy capsules, flags, copies, lifetimes."""

from __future__ import annotations

import gc
import importlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyengine as pe
from pyengine import dtypes

PEERS = ("numpy", "torch", "jax")
EXCHANGED = [dtype for dtype in dtypes.all_dtypes if dtype not in (pe.uint16, pe.uint32, pe.uint64)]
"""All three peers take them."""


@st.composite
def tensors(draw: st.DrawFn) -> pe.Tensor:
    """Every dtype, ranks 0 to 4, sizes from 0, steps in both directions, axes in any order, broadcast ones."""
    shape = tuple(draw(st.lists(st.integers(0, 3), max_size=4)))
    x = pe.astype(pe.reshape(pe.arange(int(np.prod(shape))), shape), draw(st.sampled_from(EXCHANGED)))
    x = x[tuple(slice(None, None, draw(st.sampled_from([1, 2]))) for _ in shape)]
    return pe.permute_dims(x, draw(st.permutations(range(x.ndim))))


def module(name: str) -> Any:
    return pytest.importorskip(name)


def consume(peer: str, x: Any) -> Any:
    if peer == "jax":
        importlib.import_module("jax").config.update("jax_enable_x64", True)
    return {
        "numpy": lambda: np.from_dlpack(x),
        "torch": lambda: module("torch").from_dlpack(x),
        "jax": lambda: module("jax.numpy").from_dlpack(x),
    }[peer]()


def address(array: Any) -> int:
    if isinstance(array, np.ndarray):
        return int(array.ctypes.data)
    return int(array.data_ptr() if hasattr(array, "data_ptr") else array.unsafe_buffer_pointer())


@pytest.mark.parametrize("peer", PEERS)
def test_there_and_back(peer: str) -> None:
    module(peer)

    @given(tensors())
    def check(x: pe.Tensor) -> None:
        if peer == "numpy" and x.dtype is pe.bfloat16:
            with pytest.raises((BufferError, RuntimeError, TypeError)):
                consume(peer, x)
            return
        if peer == "jax" and x.strides != pe.asarray(x, copy=True).strides:
            return  # JAX takes compact memory alone
        there = consume(peer, x)
        back = pe.from_dlpack(there)
        assert (tuple(there.shape), back.dtype, back.shape) == (x.shape, x.dtype, x.shape)
        assert bool(pe.all(back == x))
        if x.size and peer != "jax":  # JAX copies what is not aligned to its wish
            assert back._array.address == x._array.address == address(there)

    check()


@pytest.mark.parametrize("peer", PEERS)
def test_memory_is_kept_by_whoever_uses_it(peer: str) -> None:
    module(peer)
    there = consume(peer, pe.arange(1000.0))
    gc.collect()
    junk = [pe.zeros(1000) for _ in range(10)]
    assert float(there.sum()) == 499500.0
    back = pe.from_dlpack(there)
    del there, junk
    gc.collect()
    assert float(pe.sum(back)) == 499500.0


def test_what_is_written_here_is_seen_there() -> None:
    torch = module("torch")
    x = pe.zeros(3)
    there = torch.from_dlpack(x)
    x[1] = 2.0
    there[2] = 3.0
    assert there.tolist() == x.tolist() == [0.0, 2.0, 3.0]


def test_read_only_memory() -> None:
    source = np.arange(3.0)
    source.flags.writeable = False
    x = pe.from_dlpack(source)
    assert x._array.readonly
    assert not np.from_dlpack(x).flags.writeable
    with pytest.raises(BufferError, match="read-only memory"):
        x.__dlpack__()  # a legacy capsule could not say so
    assert np.from_dlpack(x, copy=True).flags.writeable


@pytest.mark.parametrize("peer", ["numpy", "torch"])
def test_copy(peer: str) -> None:
    module(peer)
    x = pe.arange(3.0)
    for copy, shared in ((None, True), (False, True), (True, False)):
        there = np.from_dlpack(x, copy=copy) if peer == "numpy" else module("torch").from_dlpack(x, copy=copy)
        assert (address(there) == x._array.address) is shared
        assert (pe.from_dlpack(there, copy=copy)._array.address == address(there)) is shared


def test_versions() -> None:
    x = pe.ones(2)
    assert "dltensor_versioned" in repr(x.__dlpack__(max_version=(1, 0)))
    assert "dltensor_versioned" in repr(x.__dlpack__(max_version=(2, 5)))
    for version in (None, (0, 8)):
        assert "versioned" not in repr(x.__dlpack__(max_version=version))
    assert bool(pe.all(pe.from_dlpack(Legacy(x)) == x))
    assert not pe.from_dlpack(Legacy(x), copy=True)._array.shares_storage(x._array)


class Legacy:
    """A producer from before version 1: no arguments but the stream."""

    def __init__(self, x: pe.Tensor) -> None:
        self.x = x

    def __dlpack__(self, stream: Any = None) -> Any:
        return self.x.__dlpack__()

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.x.__dlpack_device__()


def test_devices_and_streams() -> None:
    x = pe.ones(2)
    assert x.__dlpack_device__() == (1, 0)
    assert bool(pe.all(pe.from_dlpack(x, device="cpu") == x))
    assert np.from_dlpack(x, device="cpu").tolist() == [1.0, 1.0]
    with pytest.raises(BufferError, match=r"device not available: \(2, 0\)"):
        x.__dlpack__(dl_device=(2, 0))
    with pytest.raises(ValueError, match="stream on a CPU tensor: 1"):
        x.__dlpack__(stream=1)
    with pytest.raises(ValueError, match="from_dlpack: device not available"):
        pe.from_dlpack(x, device="cuda")
