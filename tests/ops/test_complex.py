"""Complex numbers against NumPy in complex128: every function, layout and level; gradients by the parts, which are real."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import pyengine as pe
from pyengine import _engine
from tests.devices import cpu_only
from tests.gradients import by_parts, check_gradients

Array = np.ndarray[Any, Any]
LEVELS = _engine.available_isas()
EPS = {"complex64": 2.0**-23, "complex128": 2.0**-52}


class Case(NamedTuple):
    """A function holomorphic near ``at``, where its gradient is checked."""

    name: str
    reference: Callable[..., Any]
    at: complex = 0.7 + 0.4j


UNARY = [
    Case("negative", np.negative),
    Case("conj", np.conj),
    Case("square", np.square),
    Case("sign", np.sign),
    Case("reciprocal", lambda z: 1 / z),
    Case("sqrt", np.sqrt),
    Case("rsqrt", lambda z: 1 / np.sqrt(z)),
    Case("exp", np.exp),
    Case("expm1", np.expm1),
    Case("log", np.log),
    Case("log1p", np.log1p),
    Case("log2", np.log2),
    Case("log10", np.log10),
    Case("sin", np.sin),
    Case("cos", np.cos),
    Case("tan", np.tan),
    Case("asin", np.arcsin),
    Case("acos", np.arccos),
    Case("atan", np.arctan),
    Case("sinh", np.sinh),
    Case("cosh", np.cosh),
    Case("tanh", np.tanh),
    Case("asinh", np.arcsinh),
    Case("acosh", np.arccosh, 1.7 + 0.4j),
    Case("atanh", np.arctanh),
]
TO_REAL = [Case("abs", np.abs), Case("real", np.real), Case("imag", np.imag), Case("angle", np.angle)]
BINARY = [
    Case("add", np.add),
    Case("subtract", np.subtract),
    Case("multiply", np.multiply),
    Case("divide", np.divide),
    Case("pow", np.power),
]
NOT_DEFINED = ["floor", "ceil", "trunc", "max", "min", "argmax", "sort", "erf", "relu", "sigmoid", "signbit", "var"]


def draw_values(rng: np.random.Generator, shape: tuple[int, ...], dtype: str, scale: float = 2.0) -> Array:
    return (scale * (rng.standard_normal(shape) + 1j * rng.standard_normal(shape))).astype(dtype)


@st.composite
def views(draw: st.DrawFn, dtype: str) -> tuple[pe.Tensor, Array]:
    """Contiguous, stepped over, backwards or transposed."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = draw(st.one_of(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5), st.sampled_from([(513,), (3, 600)])))
    values = draw_values(rng, shape, dtype)
    key = tuple(slice(None, None, draw(st.sampled_from([1, 2, -1]))) for _ in shape)
    x, y = pe.asarray(values)[key], values[key]
    return (pe.permute_dims(x, range(x.ndim)[::-1]), y.T) if draw(st.booleans()) else (x, y)


def assert_close(actual: pe.Tensor, expected: Array, dtype: str, ulps: float, magnitude: Array | float = 0.0) -> None:
    """Within ``ulps`` of the magnitude of the exact value: the parts of a complex result share their error (Higham, section 3.6)."""
    assert actual.shape == expected.shape
    error = np.abs(actual.numpy() - expected)
    bound = ulps * EPS[dtype] * np.maximum(np.abs(expected), magnitude) + 1e-300
    assert (error <= bound).all(), (float((error / bound).max()), actual.numpy(), expected)


def exact(reference: Callable[..., Any], *values: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(reference(*(v.astype(np.complex128) for v in values)))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", EPS)
@pytest.mark.parametrize("case", [*UNARY, *TO_REAL], ids=lambda case: case.name)
@given(data=st.data())
def test_unary(case: Case, dtype: str, level: str, data: st.DataObject) -> None:
    _engine.set_isa(level)
    x, y = data.draw(views(dtype))
    result = getattr(pe, case.name)(x)
    expected = exact(case.reference, y)
    assert result.dtype is (pe.dtypes.real_of(x.dtype) if case in TO_REAL else x.dtype)
    # Both libraries are within 8 ulp; near a zero of the function the error is relative to the size of its argument's image instead.
    assert_close(result, expected, dtype, 16.0, 1.0)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", EPS)
def test_expm1_and_log1p_keep_their_digits_near_zero(dtype: str, level: str) -> None:
    """e^z - 1 = z + z^2 / 2 + ..., log(1 + z) = z - z^2 / 2 + ...: what follows is far below an ulp."""
    _engine.set_isa(level)
    values = 1e-9 * np.array([1 + 2j, -1 + 2j, 3 - 1j, -1 - 1j, 2, 1j] * 3, dtype)
    z = values.astype(np.complex128)
    assert_close(pe.expm1(pe.asarray(values)), z + z * z / 2, dtype, 8.0)
    assert_close(pe.log1p(pe.asarray(values)), z - z * z / 2, dtype, 8.0)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", EPS)
@pytest.mark.parametrize("case", BINARY, ids=lambda case: case.name)
@given(seed=st.integers(0, 2**32), stretched=st.booleans())
def test_binary(case: Case, dtype: str, level: str, seed: int, stretched: bool) -> None:
    _engine.set_isa(level)
    rng = np.random.default_rng(seed)
    a, b = draw_values(rng, (4, 5), dtype), draw_values(rng, (5,) if stretched else (4, 5), dtype)
    result = getattr(pe, case.name)(pe.asarray(a), pe.asarray(b))
    expected = exact(case.reference, a, b)
    # exp(b log a): an error of an ulp in the exponent is |b log a| ulp of the result.
    ulps = 8.0 + 8.0 * float(np.abs(exact(np.multiply, b, exact(np.log, a))).max()) if case.name == "pow" else 8.0
    assert_close(result, expected, dtype, ulps, np.abs(a) + np.abs(b) if case.name in ("add", "subtract") else 0.0)


@pytest.mark.parametrize("n", [-3, -1, 0, 1, 2, 5, 0.5, 1 + 2j])
def test_power_of_a_scalar(n: complex) -> None:
    z = np.array([1 + 2j, -0.5j, 3.0, -2.0 + 0.1j])
    assert_close(pe.asarray(z) ** n, z**n, "complex128", 64.0)


CORNERS = [0.0, -0.0, 1.0, -2.5, 1e-200, -1e160, 1.7e308, 710.0, -750.0, math.inf, -math.inf, math.nan]


@pytest.mark.parametrize("device", pe.available_devices()[1:])
@pytest.mark.parametrize("name", [case.name for case in UNARY if case.name not in ("sign", "rsqrt", "square")] + ["abs"])
def test_special_values_on_every_device(name: str, device: str) -> None:
    """Those of the CPU, in every pair of parts, signs of zeros included. What is finite has an error of its own in each part here:
    all functions are within 8 ulp, which subnormal results may not tell."""
    z = np.array([complex(a, b) for a in CORNERS for b in CORNERS])
    expected, actual = (getattr(pe, name)(pe.asarray(z, device=where)).to("cpu").numpy() for where in ("cpu", device))
    for x, y in ((actual.real, expected.real), (actual.imag, expected.imag)):
        same = (x == y) & (np.signbit(x) == np.signbit(y)) | np.isnan(x) & np.isnan(y)
        with np.errstate(invalid="ignore"):
            close = np.abs(x - y) <= 16 * EPS["complex128"] * np.abs(y) + 2.0**-1072
        assert (same | close).all(), z[~(same | close)]


@pytest.mark.parametrize("device", pe.available_devices()[1:])
@pytest.mark.parametrize("dtype", EPS)
def test_products_and_quotients_with_infinities(dtype: str, device: str) -> None:
    """An infinite factor makes the product infinite, whatever is NaN beside it, and so on: C standard, Annex G.5.1."""
    inf, nan = math.inf, math.nan
    infinite = pe.asarray([complex(inf, nan), complex(nan, -inf), complex(inf, inf), complex(1.0, inf)], dtype=dtype, device=device)
    finite = pe.asarray([[2 - 3j], [1e-30j], [-1e30 + 1j]], dtype=dtype, device=device)
    assert pe.all(pe.isinf((infinite * finite).to("cpu")))
    assert pe.all(pe.isinf((infinite / finite).to("cpu")))
    assert pe.all((finite / infinite).to("cpu") == 0)
    assert pe.all(pe.isinf((finite / (0 * finite)).to("cpu")))


def test_round_takes_each_part() -> None:
    assert pe.round(pe.asarray([0.5 + 1.5j, -2.6 - 0.4j])).tolist() == [2j, -3 - 0j]


def test_zero_to_a_power() -> None:
    zero = pe.asarray([0j])
    assert (zero**0).item() == 1
    assert (zero ** pe.asarray([2 + 1j])).item() == 0


@pytest.mark.parametrize("name", ["sum", "mean", "prod"])
@pytest.mark.parametrize("axis", [None, 0, 1, (0, 2)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_reductions(name: str, axis: Any, keepdims: bool) -> None:
    z = draw_values(np.random.default_rng(1), (3, 4, 5), "complex128", 1.0)
    result = getattr(pe, name)(pe.asarray(z), axis=axis, keepdims=keepdims)
    assert_close(result, np.asarray(getattr(np, name)(z, axis=axis, keepdims=keepdims)), "complex128", 600.0, 1e-3)
    empty = getattr(pe, name)(pe.zeros((2, 0), dtype=pe.complex64), axis=1)
    assert name == "mean" or empty.tolist() == [{"sum": 0, "prod": 1}[name]] * 2


@pytest.mark.parametrize("name", ["cumulative_sum", "cumulative_prod"])
@pytest.mark.parametrize("initial", [False, True])
def test_scans(name: str, initial: bool) -> None:
    z = draw_values(np.random.default_rng(2), (4, 7), "complex128", 1.0)
    expected = getattr(np, name)(z, axis=1, include_initial=initial)
    assert_close(getattr(pe, name)(pe.asarray(z), axis=1, include_initial=initial), expected, "complex128", 200.0, 1.0)


@given(seed=st.integers(0, 2**32), m=st.integers(0, 5), k=st.integers(0, 6), n=st.integers(0, 5), mixed=st.booleans())
def test_matmul(seed: int, m: int, k: int, n: int, mixed: bool) -> None:
    rng = np.random.default_rng(seed)
    a = draw_values(rng, (2, m, k), "complex128")
    b: Array = rng.standard_normal((k, n)) if mixed else draw_values(rng, (k, n), "complex128")
    product, magnitude, ulps = a @ b, np.abs(a) @ np.abs(b), 4.0 * (k + 2)
    assert_close(pe.asarray(a) @ pe.asarray(b), product, "complex128", ulps, magnitude)
    assert_close(pe.asarray(b.T) @ pe.asarray(a).mT, product.swapaxes(1, 2), "complex128", ulps, magnitude.swapaxes(1, 2))


def test_moving_elements() -> None:
    """What NumPy does to the same array: both sizes of element, every way that elements are moved."""
    for dtype in EPS:
        z = draw_values(np.random.default_rng(3), (4, 3), dtype)
        x = pe.asarray(z)
        index = np.array([2, 0, 2])
        pairs = [
            (x[::-1, 1:], z[::-1, 1:]),
            (x[pe.asarray(index)], z[index]),
            (pe.take(x, pe.asarray(index), axis=1), z[:, index]),
            (x[pe.asarray(np.abs(z) > 2)], z[np.abs(z) > 2]),
            (pe.where(pe.asarray(z.real > 0), x, 1j), np.where(z.real > 0, z, np.asarray(1j, dtype))),
            (pe.concat([x, x.mT.reshape(4, 3)]), np.concatenate([z, z.T.reshape(4, 3)])),
            (pe.astype(x, pe.complex128), z.astype(np.complex128)),
            (pe.astype(x, pe.bool), z.astype(bool)),
            (pe.astype(pe.asarray([1, 2]), dtype), np.array([1, 2], dtype)),
            (pe.roll(x, 1), np.roll(z, 1)),
        ]
        for ours, theirs in pairs:
            np.testing.assert_array_equal(ours.numpy(), theirs)
        ours, theirs = pe.asarray(z, copy=True), z.copy()
        ours[1:3] = 5 - 1j
        theirs[1:3] = 5 - 1j
        ours[pe.asarray(index)] = x[:3] * 2
        theirs[index] = z[:3] * 2
        ours += x
        theirs += z
        np.testing.assert_array_equal(ours.numpy(), theirs)
        added = pe.index_add(pe.zeros((3, 3), dtype), pe.asarray(index), x[:3])
        expected = np.zeros((3, 3), dtype)
        np.add.at(expected, index, z[:3])
        np.testing.assert_array_equal(added.numpy(), expected)


def test_parts_are_views() -> None:
    x = pe.asarray([1 + 2j, 3 - 4j])
    pe.imag(x)[...] = 0.0
    assert x.tolist() == [1, 3]


@pytest.mark.parametrize("pair", [("complex64", "float64"), ("complex64", "int64"), ("complex64", "complex128"), ("complex64", "bfloat16")])
def test_promotion(pair: tuple[str, str]) -> None:
    wide = "complex128" if "128" in pair[1] or pair[1] == "float64" else "complex64"
    a, b = pe.ones(2, pair[0]), pe.ones(2, pair[1])
    assert (a + b).dtype.name == (b * a).dtype.name == wide
    assert (pe.ones(1, pair[0]) + 1).dtype.name == pair[0]
    assert (pe.ones(1, "float64") * 1j).dtype.name == "complex128"
    assert (pe.ones(1, "int8") * 1j).dtype.name == (pe.ones(1, "float32") * 1j).dtype.name == "complex64"


@pytest.mark.parametrize("name", NOT_DEFINED)
def test_what_complex_numbers_do_not_have(name: str) -> None:
    with pytest.raises(TypeError, match=r"\w+: .*complex64"):
        getattr(pe, name)(pe.ones(3, pe.complex64))


def test_comparison_has_no_order() -> None:
    x = pe.asarray([1 + 1j, 2.0])
    assert (x == pe.asarray([1 + 1j, 3.0])).tolist() == [True, False]
    with pytest.raises(TypeError, match="less: dtype not supported: complex64"):
        x < x  # noqa: B015


def test_to_real_is_refused() -> None:
    with pytest.raises(TypeError, match="astype: complex to real: complex64 to float32"):
        pe.astype(pe.ones(2, pe.complex64), pe.float32)


# Gradients ------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", [*UNARY, *TO_REAL], ids=lambda case: case.name)
def test_unary_gradient(case: Case) -> None:
    spread = 0.05 * draw_values(np.random.default_rng(4), (3,), "complex128", 1.0) + case.at
    check_gradients(by_parts(getattr(pe, case.name)), spread.real, spread.imag)


@pytest.mark.parametrize("case", BINARY, ids=lambda case: case.name)
def test_binary_gradient(case: Case) -> None:
    rng = np.random.default_rng(5)
    a, b = (0.1 * draw_values(rng, (2, 3), "complex128", 1.0) + at for at in (1 + 1j, 0.8 - 0.5j))
    check_gradients(by_parts(getattr(pe, case.name)), a.real, a.imag, b.real, b.imag)


@pytest.mark.parametrize(
    "f",
    [
        lambda z: pe.sum(z, axis=0),
        lambda z: pe.mean(z),
        lambda z: pe.prod(z, axis=1),
        lambda z: pe.cumulative_prod(z, axis=1),
        lambda z: pe.cumulative_sum(z, axis=0, include_initial=True),
        lambda z: z @ z.mT,
        lambda z: pe.einsum("ij,kj->ik", z, pe.conj(z)),
        lambda z: z[pe.asarray([0, 0, 1])] * 2j,
        lambda z: pe.astype(pe.astype(z, pe.complex128), pe.complex128) ** 3,
        lambda z: pe.vecdot(z, z),
    ],
)
def test_composite_gradient(f: Callable[..., pe.Tensor]) -> None:
    z = draw_values(np.random.default_rng(6), (2, 3), "complex128", 1.0)
    check_gradients(by_parts(f), z.real, z.imag)


def test_gradient_of_a_real_operand() -> None:
    """A real input beside a complex one gets a real gradient."""
    x = pe.asarray([1.0, 2.0], requires_grad=True)
    pe.sum(pe.abs(x * (3 + 4j))).backward()
    assert x.grad is not None
    assert x.grad.dtype is pe.float32
    assert x.grad.tolist() == [5.0, 5.0]


@cpu_only("memory is shared")
@pytest.mark.parametrize("dtype", EPS)
def test_exchange(dtype: str) -> None:
    z = draw_values(np.random.default_rng(7), (3, 2), dtype)
    x = pe.asarray(z)
    assert x.dtype.name == dtype
    assert x.dtype == z.dtype
    for other in (np.asarray(x), np.from_dlpack(x), np.asarray(memoryview(x)), pe.from_dlpack(z).numpy()):
        np.testing.assert_array_equal(other, z)
    assert x[0, 0].item() == complex(x[0, 0]) == z[0, 0]
