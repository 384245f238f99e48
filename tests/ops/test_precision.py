"""Products on tensor cores: tf32 where it is asked for, and the same bits however the factors lie in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyengine as pe
from pyengine import _engine
from tests import tolerance
from tests.devices import KERNEL_DEVICE, elsewhere, needs_cuda_kernels
from tests.floats import Float64s, nearest_tf32
from tests.ops.test_attention import LENGTHS, MASKS, Case, check

SIZES = [(128, 128, 320), (130, 136, 328), (9, 264, 16), (250, 24, 300), (17, 129, 333), (40, 130, 8)]  # m, n, k
UNIT = 2.0**-11  # of tf32


@pytest.fixture(autouse=True)
def precision() -> Iterator[None]:
    yield
    pe.set_float32_matmul_precision("highest")


def rounded(x: npt.NDArray[np.float32], dtype: str) -> Float64s:
    """What a tensor core multiplies: of float32 the nearest tf32, ties away from zero."""
    return nearest_tf32(x) if dtype == "float32" else x.astype(np.float64)


def moved(x: pe.Tensor) -> pe.Tensor:
    return x.to(KERNEL_DEVICE)


def exact(x: pe.Tensor) -> Float64s:
    return np.asarray(x.to("cpu").astype("float64").numpy())


def draw(rng: np.random.Generator, shape: tuple[int, ...], dtype: str = "float32") -> pe.Tensor:
    return pe.asarray(rng.standard_normal(shape), device="cpu").astype(dtype)


def laid_out(x: pe.Tensor, transposed: bool, shift: int) -> pe.Tensor:
    """The same matrix elsewhere in memory: by columns, and `shift` rows and columns into a larger one."""
    rows, columns = x.mT.shape if transposed else x.shape
    room = pe.zeros((rows + shift, columns + shift), dtype=x.dtype, device=KERNEL_DEVICE)
    room[shift:, shift:] = x.mT if transposed else x
    view = room[shift:, shift:]
    return view.mT if transposed else view


@needs_cuda_kernels
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("size", SIZES)
def test_matmul_is_that_of_rounded_factors_wherever_they_lie(dtype: str, size: tuple[int, int, int]) -> None:
    pe.set_float32_matmul_precision("high")
    m, n, k = size
    rng = np.random.default_rng(k)
    a, b = draw(rng, (m, k), dtype), draw(rng, (k, n), dtype)
    results = [
        exact(laid_out(moved(a), *layout_a) @ laid_out(moved(b), *layout_b))
        for layout_a, layout_b in product(product((False, True), (0, 8)), product((False, True), (0, 1)))
    ]
    of_a, of_b = (rounded(x.numpy() if dtype != "bfloat16" else x.astype("float32").numpy(), dtype) for x in (a, b))
    expected, magnitude = of_a @ of_b, abs(of_a) @ abs(of_b)
    tolerance.assert_within(results[0], expected, tolerance.contraction(magnitude, expected, k, dtype), dtype, magnitude)
    for result in results:
        assert result.tobytes() == results[0].tobytes(), "the bits depend on where the factors lie"


@needs_cuda_kernels
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("batches", [((3,), (3,)), ((2, 1), (1, 3)), ((), (3,))])
def test_batches(dtype: str, batches: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    pe.set_float32_matmul_precision("high")
    rng = np.random.default_rng(0)
    a, b = draw(rng, (*batches[0], 16, 72), dtype), draw(rng, (*batches[1], 72, 136), dtype)
    result = exact(moved(a) @ moved(b))
    of_a, of_b = (rounded(x.astype("float32").numpy(), dtype) for x in (a, b))
    expected, magnitude = of_a @ of_b, abs(of_a) @ abs(of_b)
    tolerance.assert_within(result, expected, tolerance.contraction(magnitude, expected, 72, dtype), dtype, magnitude)


@needs_cuda_kernels
def test_high_keeps_its_bound_and_highest_is_exact() -> None:
    rng = np.random.default_rng(1)
    a, b = draw(rng, (40, 300)), draw(rng, (300, 50))
    expected, magnitude = exact(a) @ exact(b), abs(exact(a)) @ abs(exact(b))
    of_sums = tolerance.contraction(magnitude, expected, 300, "float32")
    tolerance.assert_within(exact(moved(a) @ moved(b)), expected, of_sums, "float32", magnitude)
    pe.set_float32_matmul_precision("high")
    high = exact(moved(a) @ moved(b))
    # The sums are of rounded products, which are larger by as much at most.
    tolerance.assert_within(high, expected, (2 * UNIT + UNIT**2) * magnitude + (1 + UNIT) ** 2 * of_sums, "float32", magnitude)
    assert np.any(abs(high - expected) > of_sums), "nothing was rounded"
    # A factor in the middle between two of 11 bits shows which products were made.
    x = pe.full((16, 32), 1 + UNIT, dtype=pe.float32)
    eye = pe.eye(32, 48, dtype=pe.float32)
    assert np.all(exact(moved(x) @ moved(eye))[:, :32] == 1 + 2 * UNIT), "ties are rounded away from zero"
    assert np.all(exact(x.to("cpu") @ eye.to("cpu"))[:, :32] == 1 + UNIT), "the CPU multiplies exactly"
    pe.set_float32_matmul_precision("highest")
    assert np.all(exact(moved(x) @ moved(eye))[:, :32] == 1 + UNIT)


@needs_cuda_kernels
def test_float64_and_integers_are_exact() -> None:
    pe.set_float32_matmul_precision("high")
    for dtype in ("float64", "int32"):
        x = pe.full((16, 32), 4097, dtype=dtype)
        eye = pe.eye(32, 48, dtype=dtype)
        assert np.all(exact(moved(x) @ moved(eye))[:, :32] == 4097.0)


# Of convolutions: weights in chunks and not, a single tap that is a product of matrices, strides, padding, groups.
CONVOLUTIONS = [
    ((2, 16, 9, 11), (24, 16, 3, 3), {"padding": 1}),
    ((2, 11, 9, 11), (24, 11, 3, 3), {"padding": 1, "stride": 2}),
    ((3, 24, 8, 8), (16, 24, 1, 1), {}),
    ((3, 24, 8, 8), (16, 24, 1, 1), {"stride": 2}),
    ((3, 20, 7, 7), (12, 20, 1, 1), {}),
    ((2, 32, 8, 8), (48, 16, 1, 1), {"groups": 2}),
    ((2, 40, 5, 4), (20, 20, 3, 3), {"groups": 2, "padding": 1, "dilation": 2}),
]


def convolve(x: pe.Tensor, w: pe.Tensor, options: dict[str, int], g: pe.Tensor | None) -> tuple[pe.Tensor, pe.Tensor, pe.Tensor]:
    """The result and both gradients, for ones or `g` as that of the result."""
    x, w = x.detach().requires_grad_(), w.detach().requires_grad_()
    y = pe.conv2d(x, w, **options)
    y.backward(pe.ones_like(y) if g is None else g)
    assert x.grad is not None
    assert w.grad is not None
    return y, x.grad, w.grad


@needs_cuda_kernels
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_convolutions_are_those_of_rounded_factors(dtype: str, case: tuple[tuple[int, ...], tuple[int, ...], dict[str, int]]) -> None:
    pe.set_float32_matmul_precision("high")
    rng = np.random.default_rng(2)
    x, w, options = draw(rng, case[0], dtype), draw(rng, case[1], dtype), case[2]
    g = draw(rng, tuple(pe.conv2d(x, w, **options).shape), dtype)
    results = convolve(moved(x), moved(w), options, moved(g))
    of_x, of_w, of_g = (pe.asarray(rounded(t.astype("float32").numpy(), dtype), device="cpu") for t in (x, w, g))
    expected = convolve(of_x, of_w, options, of_g)
    magnitudes = convolve(abs(of_x), abs(of_w), options, abs(of_g))
    terms = (w.size // w.shape[0], w.size // w.shape[1], g.size // g.shape[1])
    for result, right, magnitude, k in zip(results, expected, magnitudes, terms, strict=True):
        of_right, of_magnitude = exact(right), exact(magnitude)
        bound = tolerance.contraction(of_magnitude, of_right, k, dtype)
        tolerance.assert_within(exact(result), of_right, bound, dtype, of_magnitude)


@needs_cuda_kernels
@given(
    sizes=st.tuples(st.sampled_from([17, 33, 128, 129]), st.sampled_from([24, 65, 136]), st.sampled_from([17, 40, 97, 296])),
    seed=st.integers(0, 2**32 - 1),
)
def test_gradients_of_matmul_are_products_of_rounded_factors(sizes: tuple[int, int, int], seed: int) -> None:
    pe.set_float32_matmul_precision("high")
    m, n, k = sizes
    rng = np.random.default_rng(seed)
    a, b, g = draw(rng, (m, k)), draw(rng, (k, n)), draw(rng, (m, n))
    a_leaf, b_leaf = moved(a).requires_grad_(), moved(b).requires_grad_()
    (a_leaf @ b_leaf).backward(moved(g))
    of_a, of_b, of_g = (rounded(x.numpy(), "float32") for x in (a, b, g))
    for leaf, left, right, terms in ((a_leaf, of_g, of_b.T, n), (b_leaf, of_a.T, of_g, m)):
        expected, magnitude = left @ right, abs(left) @ abs(right)
        assert leaf.grad is not None
        bound = tolerance.contraction(magnitude, expected, terms, "float32")
        tolerance.assert_within(exact(leaf.grad), expected, bound, "float32", magnitude)


# Of attention: rows of 32, 64 and 128 floats in shared memory, more tiles than buffers, chunks and single elements, shared heads.
ATTENTIONS = [
    Case("float32", 2, 2, 2, 65, 70, 17, 31),
    Case("float32", 1, 1, 1, 130, 200, 32, 32, "boolean", causal=True),
    Case("float32", 1, 1, 2, 66, 97, 21, 64, "added", causal=True, layout=3),
    Case("float32", 1, 1, 1, 65, 130, 64, 40, dropout=0.3),
    Case("float32", 1, 1, 1, 97, 100, 128, 80, "keys"),
    Case("float32", 1, 2, 1, 40, 70, 65, 127, causal=True, dropout=0.2),
]


@pytest.fixture
def on_kernels(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with elsewhere(monkeypatch, KERNEL_DEVICE):
        yield


@needs_cuda_kernels
@pytest.mark.usefixtures("on_kernels")
@pytest.mark.parametrize("case", ATTENTIONS)
def test_attention_is_that_of_rounded_factors(case: Case) -> None:
    check(case, "float32")
    pe.set_float32_matmul_precision("high")
    check(case, "tf32")


@needs_cuda_kernels
@pytest.mark.usefixtures("on_kernels")
@given(st.sampled_from(LENGTHS), st.sampled_from(LENGTHS), *[st.sampled_from([1, 3, 8, 31, 40])] * 2, st.sampled_from(MASKS), st.booleans())
def test_attention_of_all_lengths(queries: int, keys: int, width: int, value_width: int, mask: str, causal: bool) -> None:
    pe.set_float32_matmul_precision("high")
    check(Case("float32", 1, 1, 1, queries, keys, width, value_width, mask, causal, seed=queries), "tf32")


@needs_cuda_kernels
@pytest.mark.usefixtures("on_kernels")
@pytest.mark.parametrize(("dtype", "widths"), [("float32", (129, 8)), ("float32", (8, 129)), ("float64", (16, 16))])
def test_attention_is_exact_where_there_are_no_such_tiles(dtype: str, widths: tuple[int, int]) -> None:
    pe.set_float32_matmul_precision("high")
    check(Case(dtype, 1, 1, 1, 20, 70, *widths), dtype)


def test_attention_is_exact_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    pe.set_float32_matmul_precision("high")
    with elsewhere(monkeypatch, "cpu"):
        check(ATTENTIONS[0], "float32")


def attend(q: pe.Tensor, k: pe.Tensor, v: pe.Tensor, **options: Any) -> list[Float64s]:
    """The result and the gradients of the sum of its squares."""
    leaves = [x.detach().requires_grad_() for x in (q, k, v)]
    out = pe.scaled_dot_product_attention(*leaves, **options)
    (out * out).sum().backward()
    return [exact(x.detach()) for x in (out, *(leaf.grad for leaf in leaves if leaf.grad is not None))]


@needs_cuda_kernels
def test_attention_rounds_where_it_is_asked_to() -> None:
    rng = np.random.default_rng(7)
    q, k, v = (moved(draw(rng, (20, 24))) for _ in range(3))
    highest = attend(q, k, v)
    pe.set_float32_matmul_precision("high")
    assert not any(np.array_equal(x, y) for x, y in zip(attend(q, k, v), highest, strict=True))
    # Of one key the weight is 1: what its value is multiplied by, and what the derivative of the result is.
    value = pe.full((1, 24), 1 + UNIT, device=KERNEL_DEVICE)
    out, _, _, dv = attend(q[:1], k[:1], value)
    assert np.all(out == 1 + 2 * UNIT)
    assert np.all(dv == 2 + 4 * UNIT)


@needs_cuda_kernels
def test_attention_has_the_same_bits_wherever_its_factors_lie() -> None:
    pe.set_float32_matmul_precision("high")
    rng = np.random.default_rng(5)
    arrays = [draw(rng, shape) for shape in ((70, 36), (130, 36), (130, 24))]
    results = [
        attend(*(laid_out(moved(x), transposed, shift) for x in arrays), is_causal=True)
        for transposed, shift in product((False, True), (0, 1, 4))
    ]
    for result in results[1:]:
        assert [x.tobytes() for x in result] == [x.tobytes() for x in results[0]], "the bits depend on where the factors lie"


@needs_cuda_kernels
def test_attention_of_nan_and_of_rows_that_see_nothing() -> None:
    pe.set_float32_matmul_precision("high")
    rng = np.random.default_rng(6)
    q, k, v = (moved(draw(rng, (70, 24))) for _ in range(3))
    shown = np.ones((70, 70), np.bool_)
    shown[[0, 69]] = False  # queries that see nothing
    shown[:3, 5] = shown[4:, 5] = False  # a key that query 3 sees alone
    mask = pe.asarray(shown, device=KERNEL_DEVICE)
    right = attend(q, k, v, attn_mask=mask)
    assert not any(x[[0, 69]].any() for x in right[:2])
    assert all(np.isfinite(x).all() for x in right)
    added = pe.asarray(np.where(shown, 0, -np.inf), dtype=pe.float32, device=KERNEL_DEVICE)
    assert all(np.array_equal(x, y) for x, y in zip(right, attend(q, k, v, attn_mask=added), strict=True))
    for value in (float("nan"), float("inf")):
        k[5] = value
        out, dq, dk, _ = attend(q, k, v, attn_mask=mask)
        others = np.arange(70) != 3
        assert np.isnan(out[3]).all()
        assert np.array_equal(out[others], right[0][others])
        assert np.isnan(dq[3]).all()
        assert np.isnan(dk[5]).all()


def test_the_setting() -> None:
    assert pe.get_float32_matmul_precision() == "highest"
    pe.set_float32_matmul_precision("high")
    assert pe.get_float32_matmul_precision() == "high"
    assert _engine.tf32_allowed()
    refused: Callable[[Any], None] = pe.set_float32_matmul_precision
    for word in ("medium", "tf32", None):
        with pytest.raises(ValueError, match=r"set_float32_matmul_precision: no such precision: .*; must be 'highest' or 'high'"):
            refused(word)
    assert pe.get_float32_matmul_precision() == "high"
