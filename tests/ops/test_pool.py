"""Pooling against plain loops, for every window, dtype and level; geometry against TensorFlow's rule; gradients; errors."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyengine as pe
from pyengine import _engine
from tests.gradients import check_gradients
from tests.tolerance import gamma

max_pools = {1: pe.max_pool1d, 2: pe.max_pool2d, 3: pe.max_pool3d}
avg_pools = {1: pe.avg_pool1d, 2: pe.avg_pool2d, 3: pe.avg_pool3d}
adaptive_max = {1: pe.adaptive_max_pool1d, 2: pe.adaptive_max_pool2d, 3: pe.adaptive_max_pool3d}
adaptive_avg = {1: pe.adaptive_avg_pool1d, 2: pe.adaptive_avg_pool2d, 3: pe.adaptive_avg_pool3d}


def windows(x: np.ndarray[Any, Any], kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Any:
    """(output position, elements of x seen, elements of the padded input seen) for every output, by the definition."""
    axes = len(kernel)
    positions = []
    for a in range(axes):
        size, (low, high) = x.shape[a - axes], padding[a]
        span = dilation[a] * (kernel[a] - 1) + 1
        starts = list(range(-low, size + high - span + 1, stride[a]))
        if ceil_mode and (size + low + high - span) % stride[a] and starts[-1] + stride[a] < size:
            starts.append(starts[-1] + stride[a])
        taps = [[s + t * dilation[a] for t in range(kernel[a])] for s in starts]
        positions.append([([i for i in t if 0 <= i < size], sum(i < size + high for i in t)) for t in taps])
    for place in itertools.product(*(range(len(p)) for p in positions)):
        seen = [positions[a][i] for a, i in enumerate(place)]
        yield (
            place,
            x[(..., *np.ix_(*(s[0] for s in seen)))].reshape(*x.shape[:-axes], int(np.prod([len(s[0]) for s in seen]))),
            int(np.prod([s[1] for s in seen])),
        )


@st.composite
def cases(draw: st.DrawFn, dilated: bool) -> Any:
    axes = draw(st.integers(1, 3))
    kernel = tuple(draw(st.integers(1, 3)) for _ in range(axes))
    stride = tuple(draw(st.integers(1, 3)) for _ in range(axes))
    dilation = tuple(draw(st.integers(1, 2)) if dilated else 1 for _ in range(axes))
    span = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    padding = tuple((draw(st.integers(0, k // 2)), draw(st.integers(0, k // 2))) for k in kernel)
    size = [max(1, s - low - high) + draw(st.integers(0, 4)) for s, (low, high) in zip(span, padding, strict=True)]
    lead = draw(st.sampled_from([(2, 3), (1, 1), (3,), (0, 2)]))
    x = np.random.default_rng(draw(st.integers(0, 9))).standard_normal((*lead, *size))
    return axes, x, kernel, stride, padding, dilation, draw(st.booleans())


@given(cases(dilated=True), st.sampled_from(["float16", "bfloat16", "float32", "float64"]), st.sampled_from(_engine.available_isas()))
def test_max_pool_takes_the_greatest_element(case: Any, dtype: str, level: str) -> None:
    axes, x, kernel, stride, padding, dilation, ceil_mode = case
    t = pe.asarray(x).astype(dtype)
    x = t.astype(pe.float64).numpy()
    _engine.set_isa(level)
    if any(seen.shape[-1] == 0 for _, seen, _ in windows(x, kernel, stride, padding, dilation, ceil_mode)):  # all its taps on padding
        with pytest.raises(ValueError, match=r"max_pool: window . sees nothing"):
            max_pools[axes](t, kernel, stride, padding, dilation, ceil_mode)
        return
    y, indices = max_pools[axes](t, kernel, stride, padding, dilation, ceil_mode, return_indices=True)
    assert y.dtype is t.dtype
    result, places, flat = y.astype(pe.float64).numpy(), indices.numpy(), x.reshape(*x.shape[:-axes], int(np.prod(x.shape[-axes:])))
    count = 0
    for place, seen, _ in windows(x, kernel, stride, padding, dilation, ceil_mode):
        count += 1
        np.testing.assert_array_equal(result[(..., *place)], seen.max(-1) if seen.size else np.zeros(x.shape[:-axes]))
        chosen = np.take_along_axis(flat, places[(..., *place)][..., None], -1)[..., 0] if seen.size else result[(..., *place)]
        np.testing.assert_array_equal(result[(..., *place)], chosen)
    assert count == np.prod(y.shape[-axes:], dtype=int)


@given(cases(dilated=False), st.booleans(), st.sampled_from(["float32", "float64"]), st.sampled_from(_engine.available_isas()))
def test_avg_pool_takes_the_mean(case: Any, count_include_pad: bool, dtype: str, level: str) -> None:
    axes, x, kernel, stride, padding, dilation, ceil_mode = case
    t = pe.asarray(x).astype(dtype)
    x = t.astype(pe.float64).numpy()
    _engine.set_isa(level)
    y = avg_pools[axes](t, kernel, stride, padding, ceil_mode, count_include_pad)
    result = y.astype(pe.float64).numpy()
    for place, seen, padded in windows(x, kernel, stride, padding, dilation, ceil_mode):
        n = padded if count_include_pad else seen.shape[-1]
        # seen.shape[-1] - 1 additions and one division
        bound = gamma(2 * seen.shape[-1], dtype) * np.abs(seen).sum(-1) / n
        assert np.all(np.abs(result[(..., *place)] - seen.sum(-1) / n) <= bound)


@given(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9))
def test_adaptive_windows_cover_the_input(axes: int, size: int, outputs: int) -> None:
    x = np.random.default_rng(0).standard_normal((2, *(size,) * axes))
    greatest, mean = adaptive_max[axes](x, outputs).numpy(), adaptive_avg[axes](x, outputs).numpy()
    edges = [slice(i * size // outputs, -(-(i + 1) * size // outputs)) for i in range(outputs)]
    for place in itertools.product(range(outputs), repeat=axes):
        seen = x[(slice(None), *(edges[i] for i in place))].reshape(2, -1)
        np.testing.assert_array_equal(greatest[(slice(None), *place)], seen.max(-1))
        assert np.all(np.abs(mean[(slice(None), *place)] - seen.mean(-1)) <= gamma(4 * seen.shape[-1], "float64") * np.abs(seen).mean(-1))


@given(st.integers(1, 30), st.integers(1, 7), st.integers(1, 5), st.integers(1, 3))
def test_same_padding_follows_tensorflow_at_every_stride(size: int, kernel: int, stride: int, dilation: int) -> None:
    (low, high), output = (lambda g: (g.padding[0], g.output_size[0]))(pe.conv_geometry(size, kernel, stride, "same", dilation))
    span = dilation * (kernel - 1) + 1
    assert output == -(-size // stride)
    assert low + high == max((output - 1) * stride + span - size, 0)
    assert high - low in (0, 1)
    if span <= size:
        assert pe.conv_geometry(size, kernel, stride, "valid", dilation).output_size == (-(-(size - span + 1) // stride),)
    if dilation == 1:  # with holes a window can fall between the elements of a short input: an error
        assert pe.max_pool1d(pe.zeros((1, size)), kernel, stride, "same").shape == (1, output)


def test_gradients_to_second_order() -> None:
    x = np.random.default_rng(1).permutation(2 * 3 * 6 * 5).reshape(2, 3, 6, 5) / 30.0  # distinct: no ties
    check_gradients(lambda t: pe.max_pool2d(t, 3, 2, 1, dilation=1) ** 3, x)
    check_gradients(lambda t: pe.max_pool2d(t, 2, 1, "same", dilation=2) ** 3, x)
    check_gradients(lambda t: pe.avg_pool2d(t, (2, 3), (2, 1), ((0, 1), (1, 0)), ceil_mode=True, count_include_pad=False) ** 3, x)
    check_gradients(lambda t: pe.adaptive_avg_pool2d(t, (4, 3)) ** 3, x)
    check_gradients(lambda t: pe.adaptive_max_pool2d(t, (4, 3)) ** 3, x)


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_the_bits_do_not_depend_on_threads(dtype: str) -> None:
    x = pe.asarray(np.random.default_rng(2).standard_normal((33, 7, 13, 11))).astype(dtype)
    results = []
    for threads in (1, 2, 5):
        pe.set_num_threads(threads)
        t = x.detach().requires_grad_()
        (pe.max_pool2d(t, 3, 2, 1).sum() + pe.avg_pool2d(t, 3, 1, 1).sum()).backward()
        assert t.grad is not None
        results.append((pe.avg_pool2d(x, 3, 1, 1).astype(pe.float32).numpy().tobytes(), t.grad.astype(pe.float32).numpy().tobytes()))
    assert results[0] == results[1] == results[2]


def test_nan_is_greater_than_anything() -> None:
    x = np.array([[1.0, np.nan, np.inf, 4.0]])
    np.testing.assert_array_equal(pe.max_pool1d(x, 2, 1).numpy(), [[np.nan, np.nan, np.inf]])


@pytest.mark.parametrize("level", _engine.available_isas())
def test_of_equal_elements_the_first_is_found(level: str) -> None:
    _engine.set_isa(level)
    _, indices = pe.max_pool2d(pe.zeros((1, 1, 4, 6)), 2, return_indices=True)
    assert indices.tolist() == [[[[0, 2, 4], [12, 14, 16]]]]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: pe.max_pool2d(x, 2, padding=2), ValueError, r"max_pool2d: padding too wide: \(2, 2\) on axis 0 for a kernel of 2"),
        (
            lambda x: pe.max_pool2d(x, 9),
            ValueError,
            r"max_pool2d: kernel larger than its input: kernel 9, dilation 1 covers 9 on axis 0, input 5",
        ),
        (lambda x: pe.max_pool2d(x[0, 0], 2), ValueError, r"max_pool2d: wrong rank: shape \(5, 6\); must be \(channels, ...\)"),
        (lambda x: pe.max_pool2d(x, 0), ValueError, r"max_pool2d: kernel_size does not fit: 0 for 2 spatial axes"),
        (lambda x: pe.max_pool2d(x, 2, (1, 1, 1)), ValueError, r"max_pool2d: stride does not fit: \(1, 1, 1\) for 2 spatial axes"),
        (lambda x: pe.max_pool2d(x, 1.5), TypeError, r"max_pool2d: kernel_size is not of integers: 1.5"),
        (lambda x: pe.max_pool2d(x, 2, padding="full"), ValueError, r"max_pool2d: no such padding: 'full'; must be 'same', 'valid'"),
        (lambda x: pe.max_pool2d(pe.zeros((1, 2, 3, 4), pe.int64), 2), TypeError, r"max_pool: x is not floating: int64"),
        (lambda x: pe.adaptive_avg_pool2d(x, (0, 1)), ValueError, r"adaptive_avg_pool2d: output size does not fit: \(0, 1\) for \(5, 6\)"),
        (lambda x: pe.avg_pool2d(x, 2, divisor_override=0), ValueError, r"avg_pool2d: divisor_override is 0"),
    ],
)
def test_errors(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(pe.zeros((2, 3, 5, 6)))
