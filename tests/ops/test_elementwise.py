"""Elementwise ops against NumPy in float64: every op, dtype, layout and instruction-set level. An op is one line of a table."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyengine as pe
from pyengine import _engine
from tests.devices import cpu_only
from tests.gradients import check_gradients
from tests.ops.cuda_accuracy import claimed
from tests.ops.layouts import FLOATS, INTEGERS, SIGNED, SPECIAL, Array, numpy_of, operands, tensor_of
from tests.tolerance import assert_within, elementwise, format_of

LEVELS = _engine.available_isas()


class Case(NamedTuple):
    """An op, its reference on float64 (or on integers, as they are), and its claim."""

    op: str
    reference: Callable[..., Any]
    ulps: float = 3.0
    takes: str = "f"  # kinds: float, integer, bool
    domain: tuple[float, float] = (-20.0, 20.0)  # where random values are drawn
    smooth: tuple[float, float] | None = (-2.0, 2.0)  # where gradients are checked; None: there are none
    magnitude: Callable[..., Any] | None = None  # what the ulps are ulps of, where that is not the result

    def __str__(self) -> str:
        return self.op


def floor_divide(a: Array, b: Array) -> Array:
    """NumPy gives NaN for infinite a, the standard an infinity; and -1 for infinite b and signs that differ, the standard -0."""
    if a.dtype.kind != "f":
        return np.asarray(np.floor_divide(a, b))
    return np.where(np.isinf(a) ^ np.isinf(b), a / b, np.floor_divide(a, b))


def power(a: Array, b: Array) -> Array:
    """NumPy refuses negative powers of integers."""
    if a.dtype.kind == "f":
        return np.asarray(np.power(a, b))
    inverse = np.where(a == 1, 1, np.where((a + 1) == 0, np.where(b % 2, -1, 1), 0))
    return np.where(b >= 0, np.power(a, np.maximum(b, 0)), inverse.astype(a.dtype))


def rounded(f: Callable[[Array], Array]) -> Callable[[Array], Array]:
    return lambda x: f(x) if x.dtype.kind == "f" else x


def erf(x: Array) -> Array:
    return np.vectorize(math.erf, otypes=[float])(x)


UNARY = [
    Case("abs", np.abs, 0, "fi", smooth=(0.5, 2)),
    Case("negative", np.negative, 0, "fi"),
    Case("positive", np.positive, 0, "fi"),
    Case("square", np.square, 0.5, "fi"),
    Case("sign", np.sign, 0, "fi", smooth=(0.5, 2)),
    Case("sqrt", np.sqrt, 0.5, smooth=(0.5, 2)),
    Case("rsqrt", lambda x: 1 / np.sqrt(x), 2, smooth=(0.5, 2)),
    Case("reciprocal", lambda x: 1 / x, 0.5, smooth=(0.5, 2)),
    Case("floor", rounded(np.floor), 0, "fi", smooth=(0.1, 0.9)),
    Case("ceil", rounded(np.ceil), 0, "fi", smooth=(0.1, 0.9)),
    Case("round", rounded(np.rint), 0, "fi", smooth=(0.6, 1.4)),
    Case("trunc", rounded(np.trunc), 0, "fi", smooth=(0.1, 0.9)),
    Case("exp", np.exp, 1.2, domain=(-110, 100)),
    Case("expm1", np.expm1, 2.1, domain=(-110, 100)),
    Case("log", np.log, 1.0, domain=(0, 1e4), smooth=(0.5, 2)),
    Case("log1p", np.log1p, 1.6, domain=(-1, 50), smooth=(-0.5, 2)),
    Case("log2", np.log2, 1.5, domain=(0, 1e4), smooth=(0.5, 2)),
    Case("log10", np.log10, 2, domain=(0, 1e4), smooth=(0.5, 2)),
    Case("sin", np.sin, 1.0),
    Case("cos", np.cos, 1.0),
    Case("tan", np.tan, 1.5, smooth=(-1, 1)),
    Case("asin", np.arcsin, 1.5, domain=(-1.1, 1.1), smooth=(-0.7, 0.7)),
    Case("acos", np.arccos, 1.5, domain=(-1.1, 1.1), smooth=(-0.7, 0.7)),
    Case("atan", np.arctan, 1.5),
    Case("sinh", np.sinh, 2, domain=(-95, 95)),
    Case("cosh", np.cosh, 2, domain=(-95, 95)),
    Case("tanh", np.tanh, 2.6),
    Case("asinh", np.arcsinh, 2),
    Case("acosh", np.arccosh, 2, domain=(0.5, 50), smooth=(1.5, 3)),
    Case("atanh", np.arctanh, 2, domain=(-1.1, 1.1), smooth=(-0.7, 0.7)),
    Case("erf", erf, 2.7, domain=(-6, 6)),
    Case("isnan", np.isnan, 0, smooth=None),
    Case("isinf", np.isinf, 0, smooth=None),
    Case("isfinite", np.isfinite, 0, smooth=None),
    Case("signbit", np.signbit, 0, smooth=None),
    Case("logical_not", np.logical_not, 0, "fib", smooth=None),
    Case("bitwise_invert", np.invert, 0, "ib", smooth=None),
]

BINARY = [
    Case("add", np.add, 0.5, "fib"),
    Case("subtract", np.subtract, 0.5, "fi"),
    Case("multiply", np.multiply, 0.5, "fib"),
    Case("divide", np.divide, 0.5, smooth=(0.5, 2)),
    Case("floor_divide", floor_divide, 1, "fi", smooth=None),
    Case("remainder", np.remainder, 0.5, "fi", smooth=None),
    Case("pow", power, 1, "fi", smooth=(0.5, 2)),
    Case("maximum", np.maximum, 0, "fib", smooth=None),
    Case("minimum", np.minimum, 0, "fib", smooth=None),
    Case("atan2", np.arctan2, 1.5, smooth=(0.5, 2)),
    Case("hypot", np.hypot, 1.5, smooth=(0.5, 2)),
    Case("copysign", np.copysign, 0, smooth=(0.5, 2)),
    Case("logaddexp", np.logaddexp, 3, magnitude=lambda a, b: np.maximum(np.maximum(abs(a), abs(b)), 1)),
    Case("equal", np.equal, 0, "fib", smooth=None),
    Case("not_equal", np.not_equal, 0, "fib", smooth=None),
    Case("less", np.less, 0, "fib", smooth=None),
    Case("less_equal", np.less_equal, 0, "fib", smooth=None),
    Case("greater", np.greater, 0, "fib", smooth=None),
    Case("greater_equal", np.greater_equal, 0, "fib", smooth=None),
    Case("logical_and", np.logical_and, 0, "fib", smooth=None),
    Case("logical_or", np.logical_or, 0, "fib", smooth=None),
    Case("logical_xor", np.logical_xor, 0, "fib", smooth=None),
    Case("bitwise_and", np.bitwise_and, 0, "ib", smooth=None),
    Case("bitwise_or", np.bitwise_or, 0, "ib", smooth=None),
    Case("bitwise_xor", np.bitwise_xor, 0, "ib", smooth=None),
]


def dtypes_of(case: Case) -> list[str]:
    return [*(FLOATS if "f" in case.takes else ()), *(INTEGERS if "i" in case.takes else ()), *(["bool"] if "b" in case.takes else [])]


def check(case: Case, dtype: str, arguments: list[tuple[pe.Tensor, Array]]) -> None:
    result = getattr(pe, case.op)(*(x for x, _ in arguments))
    references = [y for _, y in arguments]
    with np.errstate(all="ignore"):
        expected = np.asarray(case.reference(*references))
    if dtype not in FLOATS or expected.dtype == bool:
        assert result.dtype == expected.dtype
        np.testing.assert_array_equal(result.numpy(), expected)
        return
    assert result.dtype.name == dtype
    with np.errstate(all="ignore"):
        magnitude = expected if case.magnitude is None else np.maximum(case.magnitude(*references), abs(expected))
        finite = np.where(np.isfinite(magnitude), magnitude, 0.0)
        bound = elementwise(finite, claimed(case.op, dtype, case.ulps), dtype) if case.ulps else np.zeros(expected.shape)
    assert_within(numpy_of(result), expected, bound, dtype)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("case", UNARY, ids=str)
@given(data=st.data())
def test_unary(case: Case, level: str, data: st.DataObject) -> None:
    _engine.set_isa(level)
    dtype = data.draw(st.sampled_from(dtypes_of(case)))
    check(case, dtype, data.draw(operands(1, dtype, *case.domain)))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("case", BINARY, ids=str)
@given(data=st.data())
def test_binary(case: Case, level: str, data: st.DataObject) -> None:
    _engine.set_isa(level)
    dtype = data.draw(st.sampled_from(dtypes_of(case)))
    check(case, dtype, data.draw(operands(2, dtype, *case.domain)))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("case", [case for case in UNARY + BINARY if "f" in case.takes], ids=str)
def test_special_values(case: Case, dtype: str, level: str) -> None:
    """Every pair of special values; the signs of zeros count."""
    _engine.set_isa(level)
    grids = np.meshgrid(SPECIAL, SPECIAL) if case in BINARY else [np.array(SPECIAL)]
    arguments = [tensor_of(grid, dtype) for grid in grids]
    check(case, dtype, arguments)
    with np.errstate(all="ignore"):
        expected = np.asarray(case.reference(*(y for _, y in arguments)))
    result = numpy_of(getattr(pe, case.op)(*(x for x, _ in arguments)))
    zero = (expected == 0) & (result == 0)
    if case.op not in ("maximum", "minimum"):  # which of 0 and -0 is the greater is left open
        np.testing.assert_array_equal(np.signbit(result[zero]), np.signbit(expected[zero]))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", INTEGERS)
def test_shifts(dtype: str, level: str) -> None:
    _engine.set_isa(level)
    info, width = np.iinfo(dtype), 8 * np.dtype(dtype).itemsize
    values = [v for v in (info.min, info.max, 0, 1, 5, -1, -6) if info.min <= v <= info.max]
    counts = [c for c in (-1, 0, 1, 3, width - 1, width, width + 1) if c >= info.min]
    for v in values:
        for c in counts:
            left = (v << c) % 2**width if 0 <= c < width else 0
            right = v >> c if 0 <= c < width else -1 if v < 0 else 0
            a, b = pe.asarray(np.array([v], dtype)), pe.asarray(np.array([c], dtype))
            assert pe.bitwise_left_shift(a, b).item() % 2**width == left
            assert pe.bitwise_right_shift(a, b).item() == right


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_nextafter(dtype: str, level: str) -> None:
    _engine.set_isa(level)
    f = format_of(dtype)
    tiny, ulp = f.smallest_subnormal, 2.0 ** (1 - f.precision)
    steps = [
        (-math.inf, -f.largest),
        (-1.0, -1.0 + ulp / 2),
        (-tiny, -0.0),
        (-0.0, tiny),
        (0.0, tiny),
        (1.0, 1.0 + ulp),
        (f.largest, math.inf),
    ]
    down = [(-start, -end) for start, end in steps]
    for (start, end), toward in [*((step, math.inf) for step in steps), *((step, -math.inf) for step in down)]:
        result = numpy_of(pe.nextafter(pe.asarray(start, dtype=dtype), pe.asarray(toward, dtype=dtype)))
        assert result == end
        assert np.signbit(result) == np.signbit(end)
    assert pe.nextafter(pe.asarray(1.0, dtype=dtype), pe.asarray(1.0, dtype=dtype)).item() == 1.0
    assert math.isnan(pe.nextafter(pe.asarray(1.0, dtype=dtype), pe.asarray(math.nan, dtype=dtype)).item())


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("dtype", "infinity"), [("float16", 0x7C00), ("bfloat16", 0x7F80)])
def test_nextafter_visits_every_number_in_order(dtype: str, infinity: int, level: str) -> None:
    _engine.set_isa(level)
    bits = np.arange(infinity + 1, dtype=np.uint16)
    values = bits.view(np.float16).astype(np.float32) if dtype == "float16" else (bits.astype(np.uint32) << 16).view(np.float32)
    result = pe.nextafter(pe.asarray(values[:-1], dtype=dtype), pe.asarray(math.inf, dtype=dtype))
    np.testing.assert_array_equal(numpy_of(result), values[1:])


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS, "bool"])
@given(data=st.data())
def test_where_and_clip(dtype: str, level: str, data: st.DataObject) -> None:
    _engine.set_isa(level)
    (x, a), (low, b), (high, c) = data.draw(operands(3, dtype))
    np.testing.assert_array_equal(numpy_of(pe.where(x != low, low, high)), np.where(a != b, b, c))
    np.testing.assert_array_equal(numpy_of(pe.clip(x, low, high)), np.minimum(np.maximum(a, b), c))


def test_clip_with_one_bound_or_none() -> None:
    x = pe.asarray([-3, 0, 3], dtype=pe.int8)
    assert pe.clip(x, min=-1).tolist() == [-1, 0, 3]
    assert pe.clip(x, max=-1).tolist() == [-3, -1, -1]
    assert pe.clip(x).tolist() == [-3, 0, 3]
    assert pe.clip(x, -1, 1).dtype is pe.int8


@pytest.mark.parametrize("level", LEVELS)
def test_threads_do_not_change_bits(level: str) -> None:
    _engine.set_isa(level)
    rng = np.random.default_rng(0)
    x = pe.asarray(rng.standard_normal((3, 40_000), np.float32))
    column = pe.asarray(rng.standard_normal((3, 1), np.float32))
    results = []
    for threads in (1, 2, 5):
        _engine.set_thread_count(threads)
        transposed = pe.permute_dims(x, (1, 0))[::3]
        results.append([pe.exp(x).numpy().tobytes(), (x * column).numpy().tobytes(), pe.sin(transposed).numpy().tobytes()])
    assert results[0] == results[1] == results[2]
    np.testing.assert_array_equal((x * column).numpy(), x.numpy() * column.numpy())


# Dtypes -------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("op", "a", "b", "result"),
    [
        ("add", "int8", "uint8", "int16"),
        ("add", "int64", "float16", "float16"),
        ("add", "bool", "uint8", "uint8"),
        ("multiply", "float16", "bfloat16", "float32"),
        ("divide", "int32", "int32", "float32"),
        ("divide", "bool", "bool", "float32"),
        ("pow", "int8", "int32", "int32"),
        ("less", "int8", "float64", "bool"),
        ("atan2", "int64", "int64", "float32"),
        ("logical_and", "int64", "uint64", "bool"),
    ],
)
def test_promotion(op: str, a: str, b: str, result: str) -> None:
    x, y = pe.ones((2,), dtype=a), pe.ones((2,), dtype=b)
    assert getattr(pe, op)(x, y).dtype.name == result
    assert getattr(pe, op)(y, x).dtype.name == result


def test_python_scalars_are_weak() -> None:
    x = pe.ones((2,), dtype=pe.float16)
    assert (x + 1.5).dtype is pe.float16
    assert (2 * pe.ones((2,), dtype=pe.int8)).dtype is pe.int8
    assert (pe.ones((2,), dtype=pe.int8) * 2.5).dtype is pe.float32
    with pytest.raises(OverflowError, match="scalar: out of range: 300"):
        pe.ones((2,), dtype=pe.uint8) + 300


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda b, i, f: pe.subtract(b, b), r"subtract: dtype not supported: bool; .*convert booleans first"),
        (lambda b, i, f: pe.negative(b), r"negative: dtype not supported: bool;"),
        (lambda b, i, f: pe.positive(b), r"positive: dtype not supported: bool;"),
        (lambda b, i, f: pe.bitwise_and(f, f), r"bitwise_and: dtype not supported: float32; must be an integer or bool"),
        (lambda b, i, f: pe.bitwise_left_shift(b, b), r"bitwise_left_shift: dtype not supported: bool; must be an integer"),
        (lambda b, i, f: pe.nextafter(i, i), r"nextafter: dtype not supported: int64; must be a float"),
        (lambda b, i, f: pe.where(i, f, f), r"where: condition is not boolean: int64;"),
        (lambda b, i, f: pe.add(i, pe.astype(i, "uint64")), r"add: no common integer type: int64 and uint64;"),
    ],
)
def test_dtype_errors(call: Callable[..., Any], message: str) -> None:
    b, i, f = (pe.ones((2,), dtype=d) for d in ("bool", "int64", "float32"))
    with pytest.raises(TypeError, match=message):
        call(b, i, f)


def test_shape_error_names_both_shapes() -> None:
    with pytest.raises(ValueError, match=r"multiply: shapes cannot be broadcast: a \(2, 3\), b \(4,\); sizes must be equal or 1"):
        pe.multiply(pe.ones((2, 3)), pe.ones((4,)))


# Into a given output ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
@given(start=st.integers(0, 600), other=st.integers(0, 600), n=st.integers(0, 600), step=st.sampled_from([1, -1]))
def test_output_may_overlap_the_inputs(level: str, start: int, other: int, n: int, step: int) -> None:
    _engine.set_isa(level)
    memory = np.arange(1200, dtype=np.float32)
    expected = memory.copy()
    expected[start : start + n] = expected[other : other + n][::step] * 2 + expected[start : start + n]
    x = pe.asarray(memory)
    source = x[other : other + n]
    source = source[::-1] if step < 0 else source
    target = x[start : start + n]
    _engine.add(_engine.add(source._array, source._array), target._array, out=target._array)
    np.testing.assert_array_equal(x.numpy(), expected)
    expected[start : start + n] = -expected[other : other + n][::step]
    _engine.negative(source._array, out=target._array)
    np.testing.assert_array_equal(x.numpy(), expected)


def test_output_counts_a_change_and_keeps_its_dtype() -> None:
    x = pe.ones((3,), dtype=pe.float16)
    before = x._array.version
    result = _engine.multiply(x._array, pe.asarray([1.0, 2.0, 3.0], dtype=pe.float64)._array, out=x._array)
    assert result.version == x._array.version == before + 1
    assert x.tolist() == [1.0, 2.0, 3.0]
    assert x.dtype is pe.float16


def test_unfit_outputs() -> None:
    x, wide, integers = (pe.ones(shape, dtype=dtype)._array for shape, dtype in (((2,), "float32"), ((3, 2), "float32"), ((2,), "int32")))
    stretched = _engine.broadcast_to(pe.ones((1,))._array, (2,))
    with pytest.raises(ValueError, match=r"add: the output does not have the result's shape: output \(2,\), result \(3, 2\)"):
        _engine.add(x, wide, out=x)
    with pytest.raises(TypeError, match=r"divide: the output cannot hold the result: output int32, result float32"):
        _engine.divide(x, x, out=integers)
    with pytest.raises(ValueError, match=r"exp: elements of the output share memory: shape \(2,\), strides \(0,\)"):
        _engine.exp(x, out=stretched)


@cpu_only("it shares memory with NumPy")
def test_readonly_output() -> None:
    readonly = np.ones(2, np.float32)
    readonly.flags.writeable = False
    with pytest.raises(ValueError, match=r"exp: the output is read-only"):
        _engine.exp(pe.ones((2,))._array, out=pe.asarray(readonly)._array)


# Gradients ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", [case for case in UNARY + BINARY if case.smooth], ids=str)
def test_gradients(case: Case) -> None:
    assert case.smooth is not None
    rng = np.random.default_rng(1)
    arrays = [rng.uniform(*case.smooth, shape) for shape in ([(3, 4), (4,)] if case in BINARY else [(3, 4)])]
    check_gradients(getattr(pe, case.op), *arrays)


def test_gradients_of_selection() -> None:
    rng = np.random.default_rng(2)
    x, low, high = rng.uniform(-3, 3, (5, 4)), rng.uniform(-2, -1, (4,)), rng.uniform(1, 2, (5, 1))
    check_gradients(pe.maximum, x, low)
    check_gradients(pe.minimum, x, low)
    check_gradients(pe.clip, x, low, high)
    check_gradients(lambda a, b: pe.where(pe.asarray(x) > 0, a * b, b), x, low)
    check_gradients(lambda a, b: pe.remainder(a, b), np.array([0.3, 5.5, -3.2]), np.array([1.0, 2.0, 0.7]))
    for n in (0, 1, 2, 3, -1, 0.5, 2.0):
        check_gradients(lambda a, n=n: pe.pow(a, n), rng.uniform(0.5, 2, (4,)))


def gradients_at(f: Callable[..., pe.Tensor], *values: float) -> list[float]:
    inputs = [pe.asarray([v], dtype=pe.float64, requires_grad=True) for v in values]
    f(*inputs).backward(pe.ones((1,), dtype=pe.float64))
    return [x.grad.item() if x.grad is not None else 0.0 for x in inputs]


@pytest.mark.parametrize(
    ("f", "at", "expected"),
    [
        (pe.maximum, (1.0, 1.0), [0.5, 0.5]),
        (pe.minimum, (1.0, 1.0), [0.5, 0.5]),
        (pe.abs, (0.0,), [0.0]),
        (pe.sqrt, (0.0,), [math.inf]),
        (pe.pow, (0.0, 0.0), [0.0, 0.0]),
        (pe.pow, (0.0, 2.0), [0.0, 0.0]),
        (pe.pow, (0.0, 1.0), [1.0, 0.0]),
        (pe.pow, (-2.0, 3.0), [12.0, math.nan]),
        (lambda x: pe.pow(x, 2), (0.0,), [0.0]),
        (lambda x: pe.pow(x, 0), (0.0,), [0.0]),
        (lambda x: pe.pow(x, 1), (0.0,), [1.0]),
        (lambda x: pe.clip(x, 0, 1), (0.0,), [1.0]),
        (lambda x: pe.clip(x, 0, 1), (1.0,), [1.0]),
        (lambda x: pe.clip(x, 0, 1), (1.5,), [0.0]),
        (lambda x, y: pe.where(pe.asarray([True]), x, y * math.inf), (1.0, 2.0), [1.0, math.nan]),
    ],
)
def test_gradients_at_edges(f: Callable[..., pe.Tensor], at: tuple[float, ...], expected: list[float]) -> None:
    np.testing.assert_array_equal(gradients_at(f, *at), expected)


def test_signed_integers_wrap_at_the_ends() -> None:
    for dtype in SIGNED:
        least = np.array([np.iinfo(dtype).min], dtype)
        x = pe.asarray(least)
        assert pe.abs(x).item() == pe.negative(x).item() == pe.floor_divide(x, -1).item() == least[0]
        assert pe.remainder(x, -1).item() == 0
        assert pe.subtract(x, 1).item() == np.iinfo(dtype).max
