"""Fused attention against float64 NumPy: every dtype, layout and level, masks, dropout, memory, gradients to third order."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyengine as pe
from pyengine import _engine
from tests import tolerance
from tests.devices import DEVICE, cpu_only
from tests.floats import Float64s, dtypes, each_level, nearest_tf32, numpy_of, seeds, tensor_of
from tests.gradients import check_gradients

attention = pe.scaled_dot_product_attention


class Expected(NamedTuple):
    """The result, the weights, and the size of what is rounded on the way to a weight, relative to it."""

    out: Float64s
    weights: Float64s
    sensitivity: Float64s


def expected_attention(q: Float64s, k: Float64s, v: Float64s, bias: Float64s | float, kept: Float64s | float = 1.0) -> Expected:
    """k and v with as many heads as q."""
    scale = 1 / math.sqrt(q.shape[-1])
    scores = q @ k.swapaxes(-1, -2) * scale + bias
    with np.errstate(invalid="ignore"):
        weights = np.exp(scores - scores.max(-1, keepdims=True, initial=-np.inf))
        weights = np.nan_to_num(weights / weights.sum(-1, keepdims=True))
    # A score errs by gamma(width + 3) times this; a weight by its own score's error and by that of the sum.
    rounded = np.where(
        np.isneginf(scores), 0, np.abs(q) @ np.abs(k).swapaxes(-1, -2) * scale + np.abs(np.where(np.isneginf(bias), 0, bias))
    )
    sensitivity = 1 + 4 * rounded.max(-1, keepdims=True, initial=0) + math.log(max(k.shape[-2], 1))
    return Expected((weights * kept) @ v, weights, sensitivity)


def causal_bias(queries: int, keys: int) -> Float64s:
    return np.where(np.arange(keys) <= np.arange(queries)[:, None], 0.0, -np.inf)


def rounded_factor(exact: Float64s, error: Float64s, shown: npt.NDArray[np.bool_], factors: str) -> Float64s:
    """What it does to a factor that tensor cores take it in a shorter format, and that the result, which it is in, is stored in 16 bits.

    The factor computed lies within ``error`` of the exact one, and is 0 where it is not shown. A weight may be rounded before it is divided
    by the sum, which is at least 1: what underflows only gets smaller.
    """
    taken = tolerance.format_of(factors)
    if taken.precision >= 24:
        return np.zeros_like(exact)
    rounding = taken.unit_roundoff * (np.abs(exact) + error) + taken.smallest_subnormal / 2
    return np.where(shown, rounding, 0) * (1 + taken.unit_roundoff)


class Case(NamedTuple):
    dtype: str
    batch: int
    heads: int
    group: int
    queries: int
    keys: int
    width: int
    value_width: int
    mask: str = "none"
    causal: bool = False
    dropout: float = 0.0
    layout: int = 0
    seed: int = 0


def mask_of(case: Case, rng: np.random.Generator) -> tuple[pe.Tensor | None, Float64s]:
    scores = (case.queries, case.keys)
    mask, bias = None, np.zeros(scores)
    if case.mask == "added":
        mask, bias = tensor_of(rng.standard_normal((case.batch, 1, *scores)), case.dtype, case.layout)
    elif case.mask != "none":
        shown = rng.random(scores if case.mask == "boolean" else (case.batch, 1, 1, case.keys)) < 0.7
        mask, bias = pe.asarray(shown), np.where(shown, 0.0, -np.inf)
    return mask, bias + causal_bias(*scores) if case.causal else bias


def check(case: Case, factors: str | None = None) -> None:
    """Result and gradients against float64, within the bound of their roundings. ``factors``: the format in which products take them."""
    factors = factors or ("float32" if DEVICE == "cpu" else case.dtype)
    dtype, batch, heads, group, queries, keys, width, value_width, *_ = case
    rng = np.random.default_rng(case.seed)
    n = queries + keys + width + value_width + 30
    mask, bias = mask_of(case, rng)
    q, q_exact = tensor_of(rng.standard_normal((batch, heads * group, queries, width)), dtype, case.layout, requires_grad=True)
    k, k_exact = tensor_of(rng.standard_normal((batch, heads, keys, width)), dtype, case.layout + 1, requires_grad=True)
    v, v_exact = tensor_of(rng.standard_normal((batch, heads, keys, value_width)), dtype, case.layout + 2, requires_grad=True)
    g, g_exact = tensor_of(rng.standard_normal((batch, heads * group, queries, value_width)), dtype, case.layout)
    g_stored = g_exact
    if factors == "tf32":
        q_exact, k_exact, v_exact, g_exact = (nearest_tf32(x) for x in (q_exact, k_exact, v_exact, g_exact))
    g_abs = np.maximum(np.abs(g_exact), np.abs(g_stored))
    k_each, v_each = (np.repeat(x, group, axis=1) for x in (k_exact, v_exact))
    pe.manual_seed(case.seed)
    kept: Float64s | float = drawn_factors((batch, heads * group, queries, keys), pe.float64, case.dropout) if case.dropout else 1.0
    right = expected_attention(q_exact, k_each, v_each, bias, kept)
    scale = 1 / math.sqrt(width)

    out = attention(q, k, v, mask, case.dropout, is_causal=case.causal, enable_gqa=True)
    p = right.weights
    p_rounded = rounded_factor(p, tolerance.gamma(n, dtype) * p * right.sensitivity, p > 0, factors)
    magnitude = right.sensitivity * ((p * kept) @ np.abs(v_each))
    bound = tolerance.roundings(magnitude, right.out, n, dtype) + (p_rounded * kept) @ np.abs(v_each)
    tolerance.assert_within(numpy_of(out), right.out, bound, dtype)

    out.backward(g)
    delta, delta_abs = (g_stored * right.out).sum(-1, keepdims=True), (g_abs * np.abs(right.out)).sum(-1, keepdims=True)
    ds = p * (kept * (g_exact @ _t(v_each)) - delta)
    ds_abs = p * right.sensitivity * (kept * (g_abs @ np.abs(_t(v_each))) + delta_abs)
    # The backward reads the result as it was stored.
    of_storing = p * delta_abs * (tolerance.format_of(dtype).unit_roundoff if out.dtype.itemsize == 2 else 0.0)
    of_storing = of_storing + p * (g_abs * ((p_rounded * kept) @ np.abs(v_each))).sum(-1, keepdims=True)
    ds_rounded = of_storing + rounded_factor(ds, tolerance.gamma(n, dtype) * ds_abs + of_storing, p > 0, factors)
    gradients = (
        (q, ds @ k_each, ds_abs @ np.abs(k_each), ds_rounded @ np.abs(k_each), scale, 1),
        (k, _t(ds) @ q_exact, _t(ds_abs) @ np.abs(q_exact), _t(ds_rounded) @ np.abs(q_exact), scale, group),
        (v, _t(p * kept) @ g_exact, _t(p * kept * right.sensitivity) @ g_abs, _t(p_rounded * kept) @ g_abs, 1.0, group),
    )
    for x, dx, size, stored, factor, shared in gradients:
        dx, size, stored = (factor * a.reshape(a.shape[0], -1, shared, *a.shape[2:]).sum(2) for a in (dx, size, stored))
        tolerance.assert_within(numpy_of(x.grad), dx, stored + tolerance.roundings(size, dx, n, dtype), dtype)


LENGTHS = (1, 2, 17, 63, 64, 65, 127, 130)
WIDTHS = (1, 3, 8, 16, 17, 33)
MASKS = ("none", "boolean", "keys", "added")


@given(st.data(), dtypes, seeds, st.integers(0, 5), st.sampled_from(MASKS), st.booleans())
def test_forward_and_backward(data: st.DataObject, dtype: str, seed: int, layout: int, mask: str, causal: bool) -> None:
    batch, heads, group = (data.draw(st.integers(1, 2)) for _ in range(3))
    queries, keys = data.draw(st.sampled_from(LENGTHS)), data.draw(st.sampled_from(LENGTHS))
    width, value_width = data.draw(st.sampled_from(WIDTHS)), data.draw(st.sampled_from(WIDTHS))
    for level in each_level():
        if level != "reference" or queries * keys <= 5000:
            check(Case(dtype, batch, heads, group, queries, keys, width, value_width, mask, causal, 0.0, layout, seed))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize(
    "case",
    [
        Case("", 1, 1, 2, 70, 130, 64, 64, "boolean", causal=True),
        Case("", 1, 1, 1, 65, 100, 128, 80, dropout=0.3),
        Case("", 1, 2, 1, 66, 97, 21, 128, causal=True, layout=3),
        Case("", 1, 1, 1, 97, 65, 192, 256, "added"),
        Case("", 1, 1, 1, 40, 70, 257, 16, "keys", dropout=0.2),
    ],
)
def test_widths_of_several_tiles(dtype: str, case: Case) -> None:
    for level in each_level():
        if level != "reference":
            check(case._replace(dtype=dtype))


def _t(x: Float64s) -> Float64s:
    return x.swapaxes(-1, -2)


def leaves(*shapes: tuple[int, ...], seed: int = 0) -> list[pe.Tensor]:
    rng = np.random.default_rng(seed)
    return [pe.asarray(rng.standard_normal(shape), requires_grad=True) for shape in shapes]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_rows_that_are_part_of_wider_ones(dtype: str) -> None:
    """What lies beside the columns of q, k and v is not read: rows may begin at multiples of 16 bytes, and end elsewhere."""
    rng = np.random.default_rng(3)
    for _ in each_level():
        arrays = [pe.asarray(rng.standard_normal((1, 2, n, 24))).astype(dtype) for n in (66, 130, 130)]
        out = [attention(*(x[..., :21] for x in arrays), is_causal=True)]
        for x in arrays:
            x[..., 21:] = float("nan")
        parts = [x[..., :21].detach().requires_grad_() for x in arrays]
        out.append(attention(*parts, is_causal=True))
        assert np.array_equal(numpy_of(out[0]), numpy_of(out[1]))
        pe.sum(out[1]).backward()
        assert all(np.isfinite(numpy_of(x.grad)).all() for x in parts)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("width", [16, 130])
def test_zero_sizes_and_hidden_rows_of_16_bits(dtype: str, width: int) -> None:
    for _ in each_level():
        for queries, keys in ((70, 0), (0, 70), (70, 70)):
            sizes = ((1, 2, queries, width), (1, 2, keys, width), (1, 2, keys, width))
            q, k, v = (x.detach().astype(dtype).requires_grad_() for x in leaves(*sizes))
            out = attention(q, k, v, pe.zeros((queries, keys), pe.bool))
            pe.sum(out).backward()
            assert not any(numpy_of(x).any() for x in (out, q.grad, k.grad, v.grad))


def test_ranks_and_broadcasting() -> None:
    q, k, v = leaves((2, 3, 4, 5, 6), (4, 7, 6), (3, 1, 7, 8))
    full = np.broadcast_to(k.numpy(), (2, 3, 4, 7, 6)), np.broadcast_to(v.numpy(), (2, 3, 4, 7, 8))
    mask = np.random.default_rng(1).random((3, 1, 5, 7)) < 0.5
    right = expected_attention(q.numpy(), *full, np.where(mask, 0.0, -np.inf)).out
    out = attention(q, k, v, pe.asarray(mask))
    assert out.shape == (2, 3, 4, 5, 8)
    np.testing.assert_allclose(out.numpy(), right, rtol=1e-12, atol=1e-13)
    pe.sum(out).backward()
    assert [t.grad is not None and t.grad.shape == t.shape for t in (q, k, v)] == [True] * 3
    for rank in (2, 3):
        q, k, v = leaves((3, 4, 5)[3 - rank :], (3, 7, 5)[3 - rank :], (3, 7, 2)[3 - rank :])
        out = attention(q, k, v)
        np.testing.assert_allclose(out.numpy(), expected_attention(*(numpy_of(t) for t in (q, k, v)), 0.0).out, rtol=1e-12, atol=1e-13)


def test_a_query_that_sees_nothing_gets_zeros() -> None:
    for _ in each_level():
        for added in (False, True):
            q, k, v = leaves((1, 1, 70, 4), (1, 1, 5, 4), (1, 1, 5, 3))
            shown = np.ones((70, 5), bool)
            shown[[0, 69]] = False
            mask = np.where(shown, 0.0, -np.inf) if added else shown
            out = attention(q, k, v, pe.asarray(mask))
            pe.sum(out).backward()
            for t in (out, q.grad):
                values = numpy_of(t)[0, 0]
                assert np.isfinite(values).all()
                assert not values[[0, 69]].any()
                assert values[1:69].any()


def test_hidden_nan_is_harmless_and_shown_nan_propagates() -> None:
    for _ in each_level():
        q, k, v = leaves((1, 1, 3, 4), (1, 1, 5, 4), (1, 1, 5, 2))
        k.detach()[0, 0, 4] = np.nan
        shown = np.array([[True] * 4 + [False], [True] * 5, [True] * 4 + [False]])
        out = numpy_of(attention(q, k, v, pe.asarray(shown)))[0, 0]
        assert np.isnan(out).all(-1).tolist() == [False, True, False]


def test_extreme_scores() -> None:
    for _ in each_level():
        q = pe.asarray(np.array([[1e4], [-1e4], [0.0], [3e38]], np.float32))
        k = pe.asarray(np.array([[1.0], [0.0], [-1.0]], np.float32))
        v = pe.asarray(np.eye(3, dtype=np.float32))
        out = attention(q, k, v, scale=1.0).numpy()
        np.testing.assert_allclose(out, [[1, 0, 0], [0, 0, 1], [1 / 3] * 3, [1, 0, 0]], rtol=1e-6)


def test_zero_sizes() -> None:
    for _ in each_level():
        for batch, heads, queries, keys, width, value_width in (
            (0, 1, 2, 3, 4, 5),
            (1, 2, 0, 3, 4, 5),
            (1, 2, 3, 0, 4, 5),
            (1, 2, 3, 2, 4, 0),
        ):
            q, k, v = leaves((batch, heads, queries, width), (batch, heads, keys, width), (batch, heads, keys, value_width))
            out = attention(q, k, v)
            assert out.shape == (batch, heads, queries, value_width)
            assert not numpy_of(out).any()
            pe.sum(out).backward()
            assert all(t.grad is not None and not numpy_of(t.grad).any() for t in (q, k, v))
        q, k, v = leaves((1, 1, 2, 0), (1, 1, 3, 0), (1, 1, 3, 2))
        np.testing.assert_allclose(numpy_of(attention(q, k, v))[0, 0, 0], v.numpy()[0, 0].mean(0), rtol=1e-14)


def drawn_factors(shape: tuple[int, ...], dtype: Any, rate: float) -> Float64s:
    """What dropout will multiply the weights by, from the default generator's state."""
    seed, offset = pe.default_generator.get_state()
    return numpy_of(pe.Tensor(_engine.random_bernoulli(shape, dtype, seed, offset, 1 - rate, 1 / (1 - rate), pe.get_default_device())))


@pytest.mark.parametrize("offset", [0, 3])
@pytest.mark.parametrize("keys", [64, 131])
def test_dropout_is_that_of_the_random_op(keys: int, offset: int) -> None:
    for _ in each_level():
        q, k, v = leaves((2, 2, 67, 4), (2, 2, keys, 4), (2, 2, keys, 3))
        g = np.random.default_rng(2).standard_normal((2, 2, 67, 3))
        pe.default_generator.set_state((5, offset))
        kept = drawn_factors((2, 2, 67, keys), pe.float64, 0.3)
        assert 0.6 < (kept > 0).mean() < 0.8
        right = expected_attention(q.numpy(), k.numpy(), v.numpy(), 0.0, kept)
        out = attention(q, k, v, dropout_p=0.3)
        np.testing.assert_allclose(out.numpy(), right.out, rtol=1e-11, atol=1e-12)
        out.backward(pe.asarray(g))
        p = right.weights
        ds = p * (kept * (g @ _t(v.numpy())) - (g * right.out).sum(-1, keepdims=True)) / 2
        for x, dx in ((q, ds @ k.numpy()), (k, _t(ds) @ q.numpy()), (v, _t(p * kept) @ g)):
            np.testing.assert_allclose(numpy_of(x.grad), dx, rtol=1e-11, atol=1e-12)
    assert pe.default_generator.get_state()[1] == offset + 4 * 67 * keys


@pytest.mark.parametrize("heads", [1, pytest.param(20, marks=cpu_only("a GPU's blocks are not dealt to threads"))])
def test_same_bits_for_any_number_of_threads(heads: int) -> None:
    rng = np.random.default_rng(0)
    values = [rng.standard_normal((1, heads, 300, 24)).astype(np.float32) for _ in range(4)]
    results = []
    for threads in (1, 2, 3, 8):
        _engine.set_thread_count(threads)
        q, k, v = (pe.asarray(x, requires_grad=True) for x in values[:3])
        out = attention(q, k, v, is_causal=True)
        out.backward(pe.asarray(values[3]))
        results.append(b"".join(numpy_of(t).tobytes() for t in (out, q.grad, k.grad, v.grad)))
    assert len(set(results)) == 1


@cpu_only("what is counted is the CPU's memory")
def test_memory_does_not_grow_with_the_square_of_the_length() -> None:
    length = 6000  # its scores would take 144 MB
    q, k, v = (pe.asarray(np.zeros((1, 1, length, 8), np.float32), requires_grad=True) for _ in range(3))
    before = _engine.memory_stats()["peak"]
    pe.sum(attention(q, k, v)).backward()
    assert _engine.memory_stats()["peak"] <= max(before, 32 << 20)


SHOWN = np.random.default_rng(9).random((3, 5)) < 0.7
SHOWN[1] = False
CASES: dict[str, Any] = {
    "plain": lambda q, k, v: attention(q, k, v),
    "causal, scaled": lambda q, k, v: attention(q, k, v, is_causal=True, scale=0.3),
    "boolean mask": lambda q, k, v: attention(q, k, v, pe.asarray(SHOWN)),
    "mask for each head": lambda q, k, v: attention(q, k, v, pe.asarray(np.linspace(-1, 1, 60).reshape(4, 3, 5))),
    "dropout": lambda q, k, v: (pe.manual_seed(3), attention(q, k, v, dropout_p=0.4))[1],
}


@pytest.mark.parametrize("heads", [4, 2])
@pytest.mark.parametrize("case", CASES)
def test_gradients_to_third_order(case: str, heads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyengine.ops.attention.BLOCK_SCORES", 2 * 2 * 4 * 5)  # two queries at a time, of three
    rng = np.random.default_rng(4)
    arrays = (rng.standard_normal((2, 4, 3, 2)), rng.standard_normal((2, heads, 5, 2)), rng.standard_normal((2, heads, 5, 3)))
    grouped = lambda q, k, v: CASES[case](q, pe.repeat(k, 4 // heads, axis=1), pe.repeat(v, 4 // heads, axis=1))  # noqa: E731
    check_gradients(grouped, *arrays, order=3)


def test_gradients_of_grouped_heads() -> None:
    rng = np.random.default_rng(4)
    arrays = (rng.standard_normal((2, 4, 3, 2)), rng.standard_normal((2, 2, 5, 2)), rng.standard_normal((2, 2, 5, 3)))
    mask = pe.asarray(np.linspace(-1, 1, 60).reshape(4, 3, 5))
    check_gradients(lambda q, k, v: attention(q, k, v, mask, is_causal=True, enable_gqa=True), *arrays, order=3)


@pytest.mark.parametrize("shape", [(3, 5), (2, 4, 3, 5), (4, 1, 5), (5,)])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_gradient_of_an_added_mask(shape: tuple[int, ...], dropout: float) -> None:
    rng = np.random.default_rng(6)
    arrays = (rng.standard_normal((2, 4, 3, 2)), rng.standard_normal((2, 2, 5, 2)), rng.standard_normal((2, 2, 5, 3)))

    def f(q: pe.Tensor, k: pe.Tensor, v: pe.Tensor, mask: pe.Tensor) -> pe.Tensor:
        pe.manual_seed(3)
        return attention(q, k, v, mask, dropout, is_causal=True, enable_gqa=True)

    check_gradients(f, *arrays, rng.standard_normal(shape), order=2)
    tensors = [pe.asarray(x) for x in (*arrays, rng.standard_normal(shape))]
    fused = f(*tensors)
    stored = f(*tensors[:3], tensors[3].requires_grad_())
    np.testing.assert_allclose(numpy_of(stored), fused.numpy(), rtol=1e-12, atol=1e-14)


def test_errors() -> None:
    q, k, v = pe.zeros((1, 4, 3, 2)), pe.zeros((1, 2, 5, 2)), pe.zeros((1, 2, 5, 3))
    with pytest.raises(ValueError, match=r"heads differ: query \(1, 4, 3, 2\), .* enable_gqa=True"):
        attention(q, k, v)
    with pytest.raises(ValueError, match=r"heads do not fit: q \(1, 3, 3, 2\), k \(1, 2, 5, 2\)"):
        attention(pe.zeros((1, 3, 3, 2)), k, v, enable_gqa=True)
    with pytest.raises(ValueError, match=r"widths differ: q \(1, 2, 3, 1\), k \(1, 2, 5, 2\); q.shape\[-1\] must equal k.shape\[-1\]"):
        attention(pe.zeros((1, 2, 3, 1)), k, v)
    with pytest.raises(ValueError, match=r"lengths differ: k \(1, 2, 5, 2\), v \(1, 2, 4, 2\)"):
        attention(k, k, pe.zeros((1, 2, 4, 2)))
    with pytest.raises(ValueError, match="mask cannot be broadcast: mask \\(4, 5\\), scores \\(1, 2, 5, 5\\)"):
        attention(k, k, v, pe.zeros((4, 5)))
    with pytest.raises(TypeError, match="mask is int64, q float32"):
        attention(k, k, v, pe.zeros((5, 5), pe.int64))
    with pytest.raises(TypeError, match="dtypes differ: v float64, q float32"):
        attention(k, k, v.astype(pe.float64))
    with pytest.raises(ValueError, match=r"dropout out of range: 1; must be in \[0, 1\)"):
        attention(k, k, v, dropout_p=1.0)
    with pytest.raises(ValueError, match=r"rank too low: query \(3,\)"):
        attention(pe.zeros(3), k, v)
    with pytest.raises(TypeError, match="q is not floating: int64"):
        attention(*[pe.zeros((2, 2), pe.int64)] * 3)
