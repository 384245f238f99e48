"""The matmul kernel and its op, at every instruction-set level, against NumPy in float64 (integers: exactly)."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyengine as pe
from pyengine import _engine
from tests import tolerance

FLOATS = ["float16", "bfloat16", "float32", "float64"]
INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
ISAS = _engine.available_isas()

# Around the tiles of every level: 4, 6, 8 and 14 rows; 8 to 32 columns of one to three vectors; 256 or 512 deep; and what is degenerate.
EDGES = sorted({0, 1, *(t + d for t in (4, 6, 8, 12, 14, 16, 24, 28, 32, 48, 64) for d in (-1, 0, 1))})
DEPTHS = sorted({*EDGES, *(t + d for t in (256, 512, 1024) for d in (-1, 0, 1))})
LAYOUTS = ["contiguous", "transposed", "reversed", "strided", "broadcast", "offset"]

Array = npt.NDArray[Any]


def laid_out(rng: np.random.Generator, shape: tuple[int, ...], dtype: str, layout: str) -> tuple[pe.Tensor, Array]:
    """Random elements in the given layout of memory: a Tensor, and what it holds exactly, in float64 or the integer type."""
    *batch, rows, cols = shape
    full = {
        "transposed": (*batch, cols, rows),
        "strided": (*batch, 2 * rows, 3 * cols),
        "broadcast": (1, *shape[1:]),
        "offset": (*batch, rows + 1, cols + 1),
    }.get(layout, shape)
    if dtype in INTEGERS:
        info = np.iinfo(dtype)
        x = pe.asarray(rng.integers(info.min, info.max, full, dtype, endpoint=True))
    else:
        x = pe.asarray(rng.standard_normal(full)).to(dtype)
    match layout:
        case "transposed":
            x = x.mT
        case "reversed":
            x = x[..., ::-1, ::-1]
        case "strided":
            x = x[..., ::2, ::3]
        case "broadcast":
            x = pe.broadcast_to(x, shape)
        case "offset":
            x = x[..., 1:, 1:]
    exact = x.numpy() if dtype in INTEGERS else x.to(pe.float64).numpy()
    return x, exact


def check(a: pe.Tensor, b: pe.Tensor, exact_a: Array, exact_b: Array) -> None:
    """The product at every level, with one thread and with three, against NumPy."""
    with np.errstate(all="ignore"):
        expected = exact_a @ exact_b
        magnitude = np.abs(exact_a.astype(np.float64)) @ np.abs(exact_b.astype(np.float64))
    for isa in ISAS:
        _engine.set_isa(isa)
        results = []
        for threads in (1, 3):
            pe.set_num_threads(threads)
            results.append(a @ b)
        y = results[0]
        assert y.dtype is a.dtype, isa
        assert y.shape == expected.shape, isa
        assert bits(results[0]) == bits(results[1]), f"{isa}: the bits depend on the number of threads"
        if a.dtype.kind == "f":
            bound = tolerance.contraction(magnitude, expected, a.shape[-1], a.dtype)
            tolerance.assert_within(y.to(pe.float64).numpy(), expected, bound, a.dtype, magnitude)
        else:
            np.testing.assert_array_equal(y.numpy(), expected)


def bits(x: pe.Tensor) -> bytes:
    return (x.to(pe.float32) if x.dtype == pe.bfloat16 else x).numpy().tobytes()


@given(
    dtype=st.sampled_from([*FLOATS, *INTEGERS]),
    m=st.sampled_from(EDGES),
    n=st.sampled_from(EDGES),
    k=st.sampled_from(DEPTHS),
    layouts=st.tuples(st.sampled_from(LAYOUTS), st.sampled_from(LAYOUTS)),
    seed=st.integers(0, 2**32 - 1),
)
def test_against_numpy(dtype: str, m: int, n: int, k: int, layouts: tuple[str, str], seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, exact_a = laid_out(rng, (m, k), dtype, layouts[0])
    b, exact_b = laid_out(rng, (k, n), dtype, layouts[1])
    check(a, b, exact_a, exact_b)


@given(
    dtype=st.sampled_from([*FLOATS, "int32"]),
    sizes=st.tuples(*[st.sampled_from([0, 1, 2, 7, 15, 33])] * 3),
    batches=st.sampled_from(
        [
            ((3,), ()),
            ((), (3,)),
            ((3,), (1,)),
            ((3,), (3,)),
            ((2, 3), (3,)),
            ((2, 1), (1, 3)),
            ((70,), (70,)),
            ((0,), (1,)),
            ((2, 3, 1), (4,)),
        ]
    ),
    layouts=st.tuples(st.sampled_from(LAYOUTS), st.sampled_from(LAYOUTS)),
    seed=st.integers(0, 2**32 - 1),
)
def test_batches(
    dtype: str, sizes: tuple[int, int, int], batches: tuple[tuple[int, ...], tuple[int, ...]], layouts: tuple[str, str], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    m, n, k = sizes
    a, exact_a = laid_out(rng, (*batches[0], m, k), dtype, layouts[0])
    b, exact_b = laid_out(rng, (*batches[1], k, n), dtype, layouts[1])
    check(a, b, exact_a, exact_b)


@given(
    dtype=st.sampled_from([*FLOATS, "int64"]),
    n=st.sampled_from(EDGES),
    k=st.sampled_from([*DEPTHS, 8191, 8192, 8193, 20000]),
    layout=st.sampled_from(LAYOUTS),
    left=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_vectors(dtype: str, n: int, k: int, layout: str, left: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, exact_x = laid_out(rng, (1, k), dtype, "strided")
    x, exact_x = x[0], exact_x[0]
    if left:
        b, exact_b = laid_out(rng, (k, n), dtype, layout)
        check(x, b, exact_x, exact_b)
    else:
        a, exact_a = laid_out(rng, (n, k), dtype, layout)
        check(a, x, exact_a, exact_x)
        y, exact_y = laid_out(rng, (1, k), dtype, "contiguous")
        check(x, y[0], exact_x, exact_y[0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("m", "n", "k"), [(1, 3, 70000), (300, 300, 300), (2100, 40, 70), (40, 2100, 600), (3, 2500, 1100), (500, 10, 784), (1, 3000, 700)]
)
@pytest.mark.parametrize("transposed", [False, True])
def test_blocks(dtype: str, m: int, n: int, k: int, transposed: bool) -> None:
    """Large enough to be cut into blocks along every axis, and into tasks."""
    rng = np.random.default_rng(m)
    layout = "transposed" if transposed else "contiguous"
    a, exact_a = laid_out(rng, (m, k), dtype, layout)
    b, exact_b = laid_out(rng, (k, n), dtype, layout)
    check(a, b, exact_a, exact_b)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(5, 37, 40), (1, 300, 40), (40, 300, 1), (33, 600, 47)])
def test_extreme_values(dtype: str, shape: tuple[int, int, int]) -> None:
    """Subnormals, the largest values, and cancellation: the bound is absolute in |a| |b|, so nothing hides behind small results."""
    m, k, n = shape
    rng = np.random.default_rng(k)
    fmt = tolerance.format_of(dtype)
    for low, high in [(fmt.min_exponent - fmt.precision + 1, fmt.min_exponent + 3), (0, 30 if dtype != "float16" else 7), (-20, 20)]:
        signs = rng.choice([-1.0, 1.0], (2, max(m, n), k))
        values = signs * np.ldexp(rng.uniform(1, 2, signs.shape), rng.integers(low, high, signs.shape).astype(np.int32))
        a, b = pe.asarray(values[0, :m]).to(dtype), pe.asarray(values[1, :n].T).to(dtype)
        check(a, b, a.to(pe.float64).numpy(), b.to(pe.float64).numpy())


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(17, 40, 33), (1, 40, 33), (17, 40, 1), (3, 600, 5)])
@pytest.mark.parametrize("transposed", [False, True])
def test_nan_and_inf_propagate(dtype: str, shape: tuple[int, int, int], transposed: bool) -> None:
    """Each special value spoils exactly its own row or column: padding must not meet it."""
    m, k, n = shape
    rng = np.random.default_rng(7)
    values_a, values_b = rng.standard_normal((m, k)), rng.standard_normal((k, n))
    values_a[m // 2, k - 1], values_b[0, n - 1], values_b[k - 1, n // 2] = np.nan, np.inf, -np.inf
    values_a[0, 0] = 0.0  # 0 * inf
    a, b = (pe.asarray(x.T.copy() if transposed else x).to(dtype) for x in (values_a, values_b))
    a, b = (a.mT, b.mT) if transposed else (a, b)
    check(a, b, a.to(pe.float64).numpy(), b.to(pe.float64).numpy())


def test_fault_is_seen() -> None:
    """The check itself: one product left out of the sum of one element must fail it."""
    rng = np.random.default_rng(0)
    a, exact_a = laid_out(rng, (20, 300), "float32", "contiguous")
    b, exact_b = laid_out(rng, (300, 20), "float32", "contiguous")
    spoiled = exact_a.copy()
    spoiled[11, 123] = 0.0
    with pytest.raises(AssertionError, match="are off"):
        check(a, b, spoiled, exact_b)


@pytest.mark.parametrize(
    ("left", "right", "result"),
    [("float32", "float64", "float64"), ("int32", "float32", "float32"), ("float16", "bfloat16", "float32"), ("int8", "uint8", "int16")],
)
def test_promotion(left: str, right: str, result: str) -> None:
    a, b = pe.ones((3, 4), dtype=left), pe.ones((4, 2), dtype=right)
    y = a @ b
    assert y.dtype == pe.asarray(0, dtype=result).dtype
    assert y.tolist() == [[4, 4]] * 3


def test_no_terms_give_zero() -> None:
    for dtype in [*FLOATS, *INTEGERS]:
        for isa in ISAS:
            _engine.set_isa(isa)
            y = pe.ones((3, 0), dtype=dtype) @ pe.ones((0, 4), dtype=dtype)
            assert y.tolist() == [[0] * 4] * 3


@pytest.mark.parametrize(
    ("left", "right", "message"),
    [
        ((3, 4), (5, 6), r"matmul: inner dimensions differ: a \(3, 4\), b \(5, 6\); a.shape\[-1\] must equal b.shape\[-2\]"),
        ((3, 4), (5,), r"matmul: inner dimensions differ: a \(3, 4\), b \(5,\); a.shape\[-1\] must equal b.shape\[-1\]"),
        ((), (5,), r"matmul: operand without axes: a \(\), b \(5,\); both need at least one"),
        ((2, 3, 4), (3, 4, 5), r"matmul: batches cannot be broadcast: a \(2, 3, 4\), b \(3, 4, 5\)"),
    ],
)
def test_shapes_that_do_not_fit(left: tuple[int, ...], right: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pe.ones(left) @ pe.ones(right)


def test_dtypes_that_do_not_fit() -> None:
    with pytest.raises(TypeError, match="matmul: boolean operand: a bool, b float32"):
        pe.ones((2, 2), dtype=pe.bool) @ pe.ones((2, 2))
    with pytest.raises(TypeError, match="matmul: no common integer type: int8 and uint64"):
        pe.ones((2, 2), dtype=pe.int8) @ pe.ones((2, 2), dtype=pe.uint64)


def test_a_result_too_large_is_refused_before_anything_is_computed() -> None:
    column, row = pe.broadcast_to(pe.ones((1, 1)), (1 << 40, 1)), pe.broadcast_to(pe.ones((1, 1)), (1, 1 << 40))
    with pytest.raises(ValueError, match="too many elements"):
        column @ row
