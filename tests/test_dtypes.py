"""dtype objects, and promotion among dtypes, tensors and Python scalars."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Iterator

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


def test_scalars_alone_have_their_defaults() -> None:
    scalars = {(True,): pe.bool, (True, 2): pe.int64, (-2, 1, 10.0): pe.float32, (1, 1j): pe.complex64}
    assert {values: pe.result_type(*values) for values in scalars} == scalars
    with pytest.raises(TypeError, match="result_type: no arguments"):
        pe.result_type()


def test_namespace_info() -> None:
    info = pe.__array_namespace_info__()
    assert pe.ones(1, device=info.default_device()).device in info.devices()
    assert info.default_dtypes()["real floating"] is pe.ones(1).dtype
    assert info.dtypes(kind=("bool", "complex floating")) == {"bool": pe.bool, "complex64": pe.complex64, "complex128": pe.complex128}
    assert info.capabilities()["boolean indexing"]
    with pytest.raises(ValueError, match="default_dtypes: device not available"):
        info.default_dtypes(device="nowhere")


@pytest.fixture
def float64_by_default() -> Iterator[None]:
    pe.set_default_dtype("float64")
    yield
    pe.set_default_dtype(pe.float32)


@pytest.mark.usefixtures("float64_by_default")
def test_the_default_dtype_is_that_of_what_is_made_without_one() -> None:
    x = pe.ones(2)
    ints = pe.arange(3)
    made = [x, pe.zeros(2), pe.empty(2), pe.eye(2), pe.full(2, 0.5), pe.linspace(0, 1, 3), pe.arange(0.0, 1.0, 0.5), pe.asarray([0.5])]
    made += [pe.asarray(0.5), pe.asarray([]), pe.rand(2), pe.randn(2), pe.uniform((2,)), pe.normal((2,)), pe.bernoulli(0.5, (2,))]
    made += [
        ints + 0.5,
        0.5 * (ints > 0),
        ints / 2,
        pe.sqrt(ints),
        pe.exp(ints > 0),
        pe.atan2(ints, ints),
        pe.tanh(ints),
        pe.mean(ints),
        pe.std(ints),
        pe.fft.fftfreq(4),
        pe.nn.Linear(2, 3)(x),
    ]
    assert {y.dtype for y in made} == {pe.float64}
    assert {y.dtype for y in (pe.asarray(1j), pe.asarray([1j, 2.0]), ints + 1j)} == {pe.complex128}
    assert pe.result_type(ints, 0.5) is pe.get_default_dtype() is pe.float64
    assert pe.__array_namespace_info__().default_dtypes()["complex floating"] is pe.complex128
    assert repr(x.to("cpu")) == "tensor([1., 1.])"
    assert (pe.ones(2, dtype=pe.float32) * 0.5).dtype is pe.float32


def test_other_dtypes_cannot_be_the_default() -> None:
    with pytest.raises(TypeError, match=r"set_default_dtype: not a default: pyengine.float16; must be float32 or float64"):
        pe.set_default_dtype(pe.float16)
    assert pe.get_default_dtype() is pe.float32


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.4.0", reason="__numpy_dtype__ came with NumPy 2.4")
def test_numpy_takes_our_dtypes() -> None:
    assert np.zeros(2, dtype=pe.int8).dtype == np.int8
    with pytest.raises(TypeError):
        np.zeros(2, dtype=pe.bfloat16)


def test_devices_are_a_tuple_that_joins_with_a_list() -> None:
    devices = pe.__array_namespace_info__().devices()
    assert isinstance(devices, tuple)
    assert devices[0] == "cpu"
    assert devices + [None] == [*devices, None]  # noqa: RUF005  what SciPy's tests do
    assert devices + (None,) == (*devices, None)  # noqa: RUF005


def test_logspace() -> None:
    assert pe.logspace(0, 3, 4, base=2, dtype=pe.int64).tolist() == [1, 2, 4, 8]
    np.testing.assert_allclose(pe.logspace(-2, 2, 5, dtype=pe.float64).numpy(), np.logspace(-2, 2, 5), rtol=8 * np.finfo(float).eps)
    assert pe.logspace(0, 1, 3).dtype is pe.float32


def test_dtypes_pass_for_numpys() -> None:
    assert isinstance(pe.float32, np.dtype)
    assert isinstance(pe.float32, pe.DType)
    assert pe.float32.type is np.float32
    assert np.isdtype(pe.float32, "real floating")
    assert np.issubdtype(pe.int8, np.signedinteger)
    assert pe.bool == bool  # noqa: E721
    assert pe.float64 == np.float64
    assert pe.float32 != np.float64
    assert not isinstance(pe.bfloat16, np.dtype)
    assert pe.bfloat16 != float  # noqa: E721
    assert pickle.loads(pickle.dumps(pe.float32)) is pe.float32
