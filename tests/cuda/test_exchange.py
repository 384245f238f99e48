"""Memory of a GPU in and out, without a copy: DLPack and the CUDA array interface, with torch, CuPy and numba."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pyengine as pe
from tests.cuda.gpu import counted, needs_gpu, on_cpu

pytestmark = [needs_gpu, pytest.mark.filterwarnings("default")]  # what other libraries warn of is theirs
DTYPES = ("float32", "float64", "float16", "int32", "int64", "uint8", "bool")


def address(x: Any) -> int:
    return int(x.__cuda_array_interface__["data"][0])


@pytest.fixture
def torch() -> Any:
    module = pytest.importorskip("torch")
    if not module.cuda.is_available():
        pytest.skip("torch sees no GPU")
    return module


@pytest.fixture
def cupy() -> Any:
    return pytest.importorskip("cupy")


@pytest.fixture
def numba_cuda() -> Any:
    return pytest.importorskip("numba.cuda")


@pytest.mark.parametrize("dtype", DTYPES)
def test_torch_both_ways(torch: Any, dtype: str) -> None:
    x, expected = counted(6, 7, dtype=dtype)
    theirs = torch.from_dlpack(x.mT)
    np.testing.assert_array_equal(theirs.cpu().numpy(), expected.T)
    assert theirs.data_ptr() == address(x)
    back = pe.from_dlpack(theirs)
    assert back.device.startswith("cuda")
    assert address(back) == address(x)
    np.testing.assert_array_equal(on_cpu(back), expected.T)


def test_bfloat16_goes_to_torch_and_back(torch: Any) -> None:
    x, expected = counted(6, 7)
    theirs = torch.from_dlpack(x.astype("bfloat16"))
    assert theirs.dtype == torch.bfloat16
    np.testing.assert_array_equal(theirs.float().cpu().numpy(), expected)
    np.testing.assert_array_equal(on_cpu(pe.from_dlpack(theirs).astype("float32")), expected)


def test_what_torch_writes_is_seen_here(torch: Any) -> None:
    x, expected = counted(1000)
    theirs = torch.from_dlpack(x)
    theirs += 1
    torch.cuda.synchronize()
    np.testing.assert_array_equal(on_cpu(x), expected + 1)


def test_memory_outlives_the_library_that_made_it(torch: Any) -> None:
    theirs = torch.arange(1000, device="cuda", dtype=torch.float32)
    x = pe.from_dlpack(theirs)
    del theirs
    torch.cuda.empty_cache()
    np.testing.assert_array_equal(on_cpu(x), np.arange(1000))


@pytest.mark.parametrize("dtype", DTYPES)
def test_cupy_both_ways(cupy: Any, dtype: str) -> None:
    x, expected = counted(6, 7, dtype=dtype)
    for theirs in (cupy.from_dlpack(x), cupy.asarray(x)):
        np.testing.assert_array_equal(cupy.asnumpy(theirs), expected)
        assert theirs.data.ptr == address(x)
        for back in (pe.from_dlpack(theirs), pe.asarray(theirs)):
            assert address(back) == address(x)
            np.testing.assert_array_equal(on_cpu(back), expected)
    np.testing.assert_array_equal(cupy.asnumpy(cupy.asarray(x[::2].mT)), expected[::2].T)


def test_work_of_another_stream_is_waited_for(cupy: Any) -> None:
    x, expected = counted(1 << 22)
    side = pe.cuda.Stream()
    start = pe.cuda.Event()
    start.record()
    side.wait_event(start)
    with pe.cuda.stream(side):
        for _ in range(50):
            x = x + 1
        theirs = cupy.from_dlpack(x) * 2
    np.testing.assert_array_equal(cupy.asnumpy(theirs), (expected + 50) * 2)


def test_numba_both_ways(numba_cuda: Any) -> None:
    x, expected = counted(100)
    theirs = numba_cuda.as_cuda_array(x)
    np.testing.assert_array_equal(theirs.copy_to_host(), expected)
    assert address(theirs) == address(x)
    made = numba_cuda.to_device(expected)
    np.testing.assert_array_equal(on_cpu(pe.asarray(made) + 1), expected + 1)


def test_the_tape_and_the_cpu_have_no_interface() -> None:
    x, _ = counted(3)
    assert not hasattr(x.to("cpu"), "__cuda_array_interface__")
    assert not hasattr(x.requires_grad_(), "__cuda_array_interface__")
