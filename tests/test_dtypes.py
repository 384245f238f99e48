"""dtype objects, and promotion among dtypes, tensors and Python scalars."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest

import pyengine as pe
from pyengine.dtypes import all_dtypes

REAL = [dtype for dtype in all_dtypes if dtype.numpy is not None]


@pytest.mark.parametrize("dtype", all_dtypes, ids=str)
def test_dtype_objects(dtype: pe.DType) -> None:
    assert dtype not in (None, 0, "no dtype", object(), [])
    assert dtype == dtype.numpy or dtype.numpy is None
    assert hash(dtype) == hash(dtype.numpy) or dtype.numpy is None
    assert pickle.loads(pickle.dumps(dtype)) is dtype
    assert {dtype: 1}[pe.zeros(1, dtype).dtype] == 1
    assert type(dtype).__module__.startswith("pyengine")


@pytest.mark.parametrize(("a", "b"), list(itertools.product(REAL, REAL)), ids=str)
def test_result_type_is_what_addition_gives(a: pe.DType, b: pe.DType) -> None:
    try:
        expected = (pe.ones(1, a) + pe.ones(1, b)).dtype
    except TypeError:
        assert {a.name[0], b.name[0]} == {"u", "i"}
        assert not pe.can_cast(a, b)
        return
    assert pe.result_type(a, b) is pe.result_type(pe.ones(1, a), b) is expected
    assert pe.can_cast(a, b) is (expected is b)
    if a.kind == b.kind:
        assert expected == np.result_type(a.numpy, b.numpy)


@pytest.mark.parametrize("dtype", all_dtypes, ids=str)
@pytest.mark.parametrize("scalar", [True, 1, 1.0, 1j])
def test_scalars_are_weak(dtype: pe.DType, scalar: complex) -> None:
    assert pe.result_type(dtype, scalar) is (pe.ones(1, dtype) + scalar).dtype


def test_scalars_alone_have_no_type() -> None:
    with pytest.raises(TypeError, match="result_type: neither a tensor nor a dtype"):
        pe.result_type(1, 2.0)


def test_namespace_info() -> None:
    info = pe.__array_namespace_info__()
    assert pe.ones(1, device=info.default_device()).device in info.devices()
    assert info.default_dtypes()["real floating"] is pe.ones(1).dtype
    assert info.dtypes(kind=("bool", "complex floating")) == {"bool": pe.bool, "complex64": pe.complex64, "complex128": pe.complex128}
    assert info.capabilities()["boolean indexing"]
    with pytest.raises(ValueError, match="default_dtypes: device not available"):
        info.default_dtypes(device="nowhere")
