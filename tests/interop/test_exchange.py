"""Memory in and out: NumPy, the buffer protocol, DLPack, pickling, copying; what is shared and for how long."""

from __future__ import annotations

import copy
import gc
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import pyengine as pe
from pyengine import dtypes

numpy_names = [d.name for d in dtypes.all_dtypes if d.numpy is not None]


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray[Any, Any]:
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
    x = np.arange(np.prod(shape, dtype=int)).astype(draw(st.sampled_from(numpy_names))).reshape(shape)
    steps = tuple(slice(None, None, draw(st.sampled_from([1, 2, -1]))) for _ in shape)
    return np.asarray(x[steps]).transpose(draw(st.permutations(range(len(shape)))))


@given(arrays())
def test_numpy_round_trip_shares_memory(x: np.ndarray[Any, Any]) -> None:
    t = pe.asarray(x)
    for back in (np.asarray(t), t.numpy(), np.from_dlpack(t), np.array(memoryview(t), copy=False)):
        np.testing.assert_array_equal(back, x)
        assert back.dtype == x.dtype
        assert x.size == 0 or np.shares_memory(back, x)


@given(arrays())
def test_dlpack_round_trip(x: np.ndarray[Any, Any]) -> None:
    t = pe.from_dlpack(x)
    np.testing.assert_array_equal(t.numpy(), x)
    assert x.size == 0 or np.shares_memory(t.numpy(), x)
    assert pe.from_dlpack(t).strides == t.strides


@given(arrays())
def test_pickle_and_deepcopy(x: np.ndarray[Any, Any]) -> None:
    t = pe.asarray(x)
    for again in (pickle.loads(pickle.dumps(t)), copy.deepcopy(t), copy.copy(t)):
        assert (again.dtype, again.shape) == (t.dtype, t.shape)
        np.testing.assert_array_equal(again.numpy(), x)
        assert not np.shares_memory(again.numpy(), x)


def test_bfloat16_crosses_where_others_have_it() -> None:
    t = pe.asarray([1.0, -2.5, 3.0], dtype=pe.bfloat16)
    assert np.asarray(t).dtype == np.float32
    assert pickle.loads(pickle.dumps(t)).tolist() == [1.0, -2.5, 3.0]
    assert pe.from_dlpack(t).dtype is pe.bfloat16
    with pytest.raises(BufferError) as error:
        memoryview(t)
    assert "buffer: no format for bfloat16" in str(error.value.__cause__)


def test_memory_outlives_its_owner() -> None:
    t = pe.asarray(np.arange(1000.0))
    gc.collect()
    view = np.from_dlpack(pe.asarray(np.arange(1000.0)))
    other = t.numpy()
    del t
    gc.collect()
    assert (view.sum(), other.sum()) == (499500.0, 499500.0)


def test_an_unused_capsule_gives_its_memory_back() -> None:
    x = np.arange(10.0)
    before = len(gc.get_referrers(x))
    t = pe.asarray(x)
    capsule = t.__dlpack__()
    del t, capsule
    gc.collect()
    assert len(gc.get_referrers(x)) == before


def test_a_capsule_is_consumed_once() -> None:
    from pyengine import _engine

    capsule = pe.ones(3).__dlpack__(max_version=(1, 0))
    _engine.from_dlpack(capsule)
    with pytest.raises(ValueError, match=r"from_dlpack: not a fresh capsule: 'used_dltensor_versioned'"):
        _engine.from_dlpack(capsule)


def test_read_only_memory_stays_so() -> None:
    x = np.arange(3.0)
    x.flags.writeable = False
    t = pe.asarray(x)
    assert not np.asarray(t).flags.writeable
    assert not np.from_dlpack(t).flags.writeable
    with pytest.raises(BufferError, match="__dlpack__: read-only memory"):
        t.__dlpack__()
    with pytest.raises(ValueError, match="read-only memory"):
        t += 1.0
    with pytest.raises(ValueError, match="read-only memory"):
        t[0] = 1.0
    assert x[0] == 0.0


def test_copy_argument() -> None:
    x = np.arange(3.0)
    assert not np.shares_memory(pe.asarray(x, copy=True).numpy(), x)
    with pytest.raises(ValueError, match=r"asarray: a copy is needed: pyengine\.float64 to pyengine\.float32; copy=False forbids it"):
        pe.asarray(x, dtype=pe.float32, copy=False)
    with pytest.raises(ValueError, match="asarray: a copy is needed: the object has no memory"):
        pe.asarray([1.0, 2.0], copy=False)
    with pytest.raises(ValueError, match="__array__: a copy is needed"):
        pe.asarray(x).__array__(np.float32, copy=False)
    assert not np.shares_memory(np.array(pe.asarray(x), copy=True), x)


def test_big_endian_and_unaligned_arrays_are_copied() -> None:
    x = np.arange(5).astype(">i4")
    assert pe.asarray(x).tolist() == [0, 1, 2, 3, 4]
    raw = np.zeros(21, np.uint8)[1:]
    unaligned = raw.view(np.uint8)[:20].view(np.int32) if raw.ctypes.data % 4 == 0 else np.frombuffer(raw.tobytes(), np.int32)
    assert pe.asarray(unaligned).shape == (5,)
    fields = np.zeros(4, dtype=[("a", "u1"), ("b", "<f4")])["b"]
    assert pe.asarray(fields).tolist() == [0.0] * 4


def test_python_values_get_the_default_dtypes() -> None:
    assert pe.asarray(1.5).dtype is pe.float32
    assert pe.asarray([1.5, 2]).dtype is pe.float32
    assert pe.asarray([1, 2]).dtype is pe.int64
    assert pe.asarray([True]).dtype is pe.bool
    assert pe.asarray([]).dtype is pe.float32
    assert pe.asarray(np.float64(1.5)).dtype is pe.float64
    assert pe.asarray([np.float64(1.5)]).dtype is pe.float64
    assert pe.asarray([pe.ones(2), pe.zeros(2)]).tolist() == [[1.0, 1.0], [0.0, 0.0]]
    with pytest.raises(OverflowError, match=r"asarray: out of range: 300 for pyengine.uint8; must be in \[0, 255\]"):
        pe.asarray(300, dtype=pe.uint8)
    assert pe.asarray(1j).dtype is pe.asarray([1j, 2]).dtype is pe.complex64
    with pytest.raises(TypeError, match=r"asarray: complex to real: 1j to pyengine.int64"):
        pe.asarray(1j, dtype=pe.int64)
    with pytest.raises(TypeError, match="asarray: no such element type"):
        pe.asarray(["a"])


def test_what_is_on_the_tape_goes_out_read_only_or_not_at_all() -> None:
    x = pe.ones(3, requires_grad=True)
    assert not x.numpy().flags.writeable
    with pytest.raises(BufferError, match="__dlpack__: on the tape"):
        x.__dlpack__()
    with pytest.raises(RuntimeError, match="pickle: not a leaf: computed by 'multiply'"):
        pickle.dumps(x * 2.0)
    assert pickle.loads(pickle.dumps(x)).requires_grad


def test_no_memory_leaks_in_a_long_exchange() -> None:
    from pyengine import _engine

    def round_trip() -> None:
        t = pe.ones((64, 64))
        np.from_dlpack(t), np.asarray(t), pe.from_dlpack(t), memoryview(t), pickle.loads(pickle.dumps(t))

    round_trip()
    before = _engine.memory_stats()["in_use"]
    for _ in range(100):
        round_trip()
    gc.collect()
    assert _engine.memory_stats()["in_use"] <= before


def test_printing() -> None:
    assert repr(pe.asarray([1.0, 2.5])) == "tensor([1. , 2.5])"
    assert repr(pe.asarray([1, 2], dtype=pe.uint8)) == "tensor([1, 2], dtype=pyengine.uint8)"
    assert repr(pe.zeros((0, 3))) == "tensor([], shape=(0, 3), dtype=pyengine.float32)"
    assert repr(pe.ones(2, requires_grad=True)) == "tensor([1., 1.], requires_grad=True)"
    assert repr(pe.ones(2, requires_grad=True) * 2.0) == "tensor([2., 2.], op=multiply)"
    assert str(pe.asarray([[1, 2], [3, 4]])) == "[[1 2]\n [3 4]]"
    assert f"{pe.asarray(1.23456):.2f}" == "1.23"


def test_dtypes_compare_with_anything() -> None:
    assert pe.float32 == np.dtype("float32")
    assert hash(pe.float32) == hash(np.dtype("float32"))
    assert pe.float32 != None  # noqa: E711
    assert pe.float32 != "float32"
    assert pe.float32 != pe.float64
    assert pickle.loads(pickle.dumps(pe.bfloat16)) is pe.bfloat16
    with pytest.raises(TypeError, match="dtype: not an element type: 'float8'"):
        pe.zeros(3, dtype="float8")


def test_ufuncs_of_numpy_are_ours() -> None:
    a, x = np.arange(3.0), pe.ones(3, requires_grad=True)
    for y, expected in (
        (a + x, a + 1),
        (np.float64(2) * x, [2] * 3),
        (np.sin(x), np.sin(np.ones(3))),
        (np.power(x, 2), [1] * 3),
        (a < x, a < 1),
    ):
        assert isinstance(y, pe.Tensor)
        np.testing.assert_allclose(y.detach().numpy(), expected, rtol=4 * pe.finfo(pe.float32).eps)
    (a * x).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, 1.0, 2.0]
    a += x.detach()
    assert a.tolist() == [1.0, 2.0, 3.0]  # NumPy's memory, NumPy's sum
    for call in (lambda: np.add.reduce(x), lambda: np.frexp(x), lambda: np.add(x, x, where=a > 1)):
        with pytest.raises(TypeError, match="NotImplemented"):
            call()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("dtype", dtypes.all_dtypes, ids=str)
def test_every_protocol_of_pickle(protocol: int, dtype: pe.DType) -> None:
    x = pe.astype(pe.asarray([[0, 1], [2, 3]]), dtype).mT
    again = pickle.loads(pickle.dumps(x, protocol))
    assert (again.dtype, again.shape) == (dtype, (2, 2))
    assert bool(pe.all(again == x))
    again[0, 0] = again[1, 1]


@given(arrays())
def test_pickle_out_of_band_copies_nothing(x: np.ndarray[Any, Any]) -> None:
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(pe.asarray(np.ascontiguousarray(x)), 5, buffer_callback=buffers.append)
    memory = [bytearray(buffer.raw()) for buffer in buffers]
    again = pickle.loads(data, buffers=memory)
    np.testing.assert_array_equal(again.numpy(), x)
    if x.size:
        assert len(data) < 500
        assert np.shares_memory(again.numpy(), np.frombuffer(memory[0], np.uint8))
    read_only = pickle.loads(data, buffers=[bytes(part) for part in memory])
    assert not read_only._array.readonly  # an own copy


def test_view_reads_memory_as_another_dtype() -> None:
    z = pe.asarray([[1 + 2j, 3 - 4j]], dtype=pe.complex128)
    pairs = z.view(pe.float64)
    assert pairs.tolist() == [[1.0, 2.0, 3.0, -4.0]]
    pairs[0, 0] = 5.0
    assert z.tolist() == [[5 + 2j, 3 - 4j]]
    assert pairs.view(pe.complex128).tolist() == z.tolist()
    assert pe.asarray([1.0]).view(pe.int32).item() == 0x3F800000
    assert z.view(pe.complex128) is z
    with pytest.raises(
        ValueError, match=r"view: memory does not fit: pyengine.float32, shape \(3, 2\), strides \(1, 3\), to pyengine.int8"
    ):
        pe.ones((2, 3)).mT.view(pe.int8)
    with pytest.raises(TypeError, match=r"view: no such dtype in NumPy: pyengine.bfloat16 to pyengine.int16"):
        pe.ones(2, dtype=pe.bfloat16).view(pe.int16)
    with pytest.raises(TypeError, match=r"view: on the tape: pyengine.float32"):
        pe.ones(2, requires_grad=True).view(pe.int32)


def test_functions_of_numpy() -> None:
    x = pe.asarray([[1.0, 2.0], [3.0, np.nan]], requires_grad=True)
    for y, expected in (
        (np.sum(x, axis=0), [4.0, np.nan]),
        (np.nanmean(x), 2.0),
        (np.amax(x[:1]), 2.0),
        (np.concatenate([x, x], axis=1)[0], [1.0, 2.0, 1.0, 2.0]),
        (np.var(x, axis=1, ddof=1)[0], 0.5),
        (np.einsum("ij->j", x, optimize=True), [4.0, np.nan]),
        (np.where(np.isnan(x), 0.0, x)[1], [3.0, 0.0]),
        (np.where(pe.asarray([2, 0]), x[0], 0.0), [1.0, 0.0]),
    ):
        assert isinstance(y, pe.Tensor)
        assert y.requires_grad
        np.testing.assert_allclose(y.detach().numpy(), expected, rtol=4 * pe.finfo(pe.float32).eps)
    for plain in (np.nanmax(x, initial=9.0), np.histogram(x.detach(), range=(0, 4))[0], np.linalg.norm(x.detach()[0])):
        assert not isinstance(plain, pe.Tensor)  # what we have not, NumPy computes
    out = np.empty(2)
    np.sum(x, axis=0, out=out)
    assert out[0] == 4.0


def test_methods_that_numpy_has() -> None:
    x, z = pe.asarray([3.0, 1.0, 2.0]), pe.asarray([1 + 2j])
    assert x.argsort().tolist() == [1, 2, 0]
    assert x.argsort(descending=True).tolist() == [0, 2, 1]
    assert pe.asarray([1.0, 2.0, 3.0]).searchsorted(pe.asarray([2.5])).tolist() == [2]
    assert (z.real.item(), z.imag.item(), z.conj().item()) == (1.0, 2.0, 1 - 2j)
    assert (x.real.tolist(), x.imag.tolist()) == (x.tolist(), [0.0, 0.0, 0.0])
