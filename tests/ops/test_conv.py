"""Convolution, its transpose and its weights' gradient, at every instruction-set level, against plain NumPy in float64."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyengine as pe
from pyengine import _engine
from tests import tolerance
from tests.floats import FLOATS, each_level, numpy_of, tensor_of
from tests.gradients import check_gradients

Float64s = npt.NDArray[np.float64]
CONV: dict[int, Callable[..., pe.Tensor]] = {1: pe.conv1d, 2: pe.conv2d, 3: pe.conv3d}
CONV_TRANSPOSE: dict[int, Callable[..., pe.Tensor]] = {1: pe.conv_transpose1d, 2: pe.conv_transpose2d, 3: pe.conv_transpose3d}


# The oracle -----------------------------------------------------------------------------------------------------------------------------


class Case(NamedTuple):
    """Sizes of x, of the kernel, and how they meet; one entry for each dimension in the tuples."""

    batch: int
    groups: int
    channels: int  # of a group
    filters: int  # of a group
    size: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]

    @property
    def out(self) -> tuple[int, ...]:
        rows = zip(self.size, self.pads, self.kernel, self.dilation, self.stride, strict=True)
        return tuple((n + low + high - d * (k - 1) - 1) // s + 1 for n, (low, high), k, d, s in rows)

    @property
    def x_shape(self) -> tuple[int, ...]:
        return (self.batch, self.groups * self.channels, *self.size)

    @property
    def w_shape(self) -> tuple[int, ...]:
        return (self.groups * self.filters, self.channels, *self.kernel)

    @property
    def y_shape(self) -> tuple[int, ...]:
        return (self.batch, self.groups * self.filters, *self.out)

    @property
    def windows(self) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
        """For each tap, the elements of the padded x that the outputs meet there."""
        for tap in product(*map(range, self.kernel)):
            starts = [k * d for k, d in zip(tap, self.dilation, strict=True)]
            yield tap, tuple(slice(a, a + (n - 1) * s + 1, s) for a, n, s in zip(starts, self.out, self.stride, strict=True))

    @property
    def pairs(self) -> Iterator[tuple[int, int, int]]:
        """(output channel, input channel, input channel within the group)."""
        for o in range(self.groups * self.filters):
            for c in range(self.channels):
                yield o, o // self.filters * self.channels + c, c


def padded(case: Case, x: Float64s) -> Float64s:
    return np.pad(x, [(0, 0), (0, 0), *case.pads])


def conv_oracle(case: Case, x: Float64s, w: Float64s) -> Float64s:
    x, y = padded(case, x), np.zeros(case.y_shape)
    for (o, c, c_in_group), (tap, window) in product(case.pairs, list(case.windows)):
        y[:, o] += x[(slice(None), c, *window)] * w[(o, c_in_group, *tap)]
    return y


def conv_transpose_oracle(case: Case, y: Float64s, w: Float64s) -> Float64s:
    x = padded(case, np.zeros(case.x_shape))
    for (o, c, c_in_group), (tap, window) in product(case.pairs, list(case.windows)):
        x[(slice(None), c, *window)] += y[:, o] * w[(o, c_in_group, *tap)]
    return x[(..., *(slice(low, low + n) for (low, _), n in zip(case.pads, case.size, strict=True)))]


def weight_gradient_oracle(case: Case, x: Float64s, y: Float64s) -> Float64s:
    x, w = padded(case, x), np.zeros(case.w_shape)
    for (o, c, c_in_group), (tap, window) in product(case.pairs, list(case.windows)):
        w[(o, c_in_group, *tap)] = np.sum(x[(slice(None), c, *window)] * y[:, o])
    return w


# The kernels ----------------------------------------------------------------------------------------------------------------------------


@st.composite
def cases(draw: st.DrawFn) -> Case:
    dimensions = draw(st.sampled_from([1, 2, 2, 2, 3]))

    def each(strategy: st.SearchStrategy[int]) -> tuple[int, ...]:
        return tuple(draw(strategy) for _ in range(dimensions))

    # Batches below and above the vector lengths, so that vectors run over positions as well as over images.
    batch = draw(st.sampled_from([0, 1, 2, 3, 5, 9, 17, 33]))
    groups = draw(st.sampled_from([1, 1, 1, 2, 5]))
    channels, filters = draw(st.sampled_from([1, 2, 3, 8])), draw(st.sampled_from([1, 2, 4, 5, 7, 15, 17, 33]))
    kernel, stride, dilation = each(st.integers(1, 4)), each(st.integers(1, 4)), each(st.integers(1, 3))
    pads = tuple((draw(st.integers(0, 4)), draw(st.integers(0, 4))) for _ in range(dimensions))
    most = {1: 70, 2: 18, 3: 6}[dimensions] if batch < 9 else {1: 30, 2: 8, 3: 4}[dimensions]
    rows = zip(kernel, dilation, pads, strict=True)
    size = tuple(draw(st.integers(max(1, d * (k - 1) + 1 - low - high), most + d * k)) for k, d, (low, high) in rows)
    return Case(batch, groups, channels, filters, size, kernel, stride, dilation, pads)


def run_conv(case: Case, x: pe.Tensor, w: pe.Tensor, bias: pe.Tensor | None) -> pe.Tensor:
    return CONV[len(case.size)](x, w, bias, case.stride, case.pads, case.dilation, case.groups)


def run_engine(op: Callable[..., Any], case: Case, a: pe.Tensor, b: pe.Tensor, *sizes: Any) -> pe.Tensor:
    low = tuple(low for low, _ in case.pads)
    return pe.Tensor(op(a._array, b._array, *sizes, case.stride, case.dilation, low, case.groups))


def check(run: Callable[[], pe.Tensor], expected: Float64s, magnitude: Float64s, k: int) -> None:
    """At every level, with one thread and with three."""
    for level in each_level():
        results = []
        for threads in (1, 3):
            pe.set_num_threads(threads)
            results.append(run())
        assert results[0].shape == expected.shape, level
        assert numpy_of(results[0]).tobytes() == numpy_of(results[1]).tobytes(), f"{level}: the bits depend on the number of threads"
        dtype = results[0].dtype
        tolerance.assert_within(numpy_of(results[0]), expected, tolerance.contraction(magnitude, expected, k, dtype), dtype, magnitude)


def random(rng: np.random.Generator, shape: tuple[int, ...], special: bool = False) -> Float64s:
    values = rng.standard_normal(shape)
    if special and values.size:
        flat = values.reshape(-1)
        for value in (np.nan, np.inf, -np.inf):
            flat[rng.integers(flat.size)] = value
    return values


arguments = {
    "case": cases(),
    "dtype": st.sampled_from(FLOATS),
    "layout": st.integers(0, 2),
    "special": st.booleans(),
    "seed": st.integers(0, 2**32 - 1),
}


@given(**arguments, with_bias=st.booleans())
@np.errstate(invalid="ignore")
def test_conv(case: Case, dtype: str, layout: int, special: bool, seed: int, with_bias: bool) -> None:
    rng = np.random.default_rng(seed)
    x, exact_x = tensor_of(random(rng, case.x_shape, special), dtype, layout)
    w, exact_w = tensor_of(random(rng, case.w_shape), dtype, layout)
    bias, exact_bias = tensor_of(random(rng, case.w_shape[:1]) if with_bias else np.zeros(case.w_shape[0]), dtype)
    column = exact_bias.reshape(-1, *(1,) * len(case.size))
    expected, magnitude = conv_oracle(case, exact_x, exact_w) + column, conv_oracle(case, abs(exact_x), abs(exact_w)) + abs(column)
    check(lambda: run_conv(case, x, w, bias if with_bias else None), expected, magnitude, case.channels * math.prod(case.kernel) + 1)


@given(**arguments)
@np.errstate(invalid="ignore")
def test_conv_transpose(case: Case, dtype: str, layout: int, special: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, exact_y = tensor_of(random(rng, case.y_shape, special), dtype, layout)
    w, exact_w = tensor_of(random(rng, case.w_shape), dtype, layout)
    expected, magnitude = conv_transpose_oracle(case, exact_y, exact_w), conv_transpose_oracle(case, abs(exact_y), abs(exact_w))
    check(
        lambda: run_engine(_engine.conv_transpose, case, y, w, None, case.size),
        expected,
        magnitude,
        case.filters * math.prod(case.kernel),
    )


@given(**arguments)
@np.errstate(invalid="ignore")
def test_conv_weight_gradient(case: Case, dtype: str, layout: int, special: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, exact_x = tensor_of(random(rng, case.x_shape, special), dtype, layout)
    y, exact_y = tensor_of(random(rng, case.y_shape), dtype, layout)
    expected, magnitude = weight_gradient_oracle(case, exact_x, exact_y), weight_gradient_oracle(case, abs(exact_x), abs(exact_y))
    check(lambda: run_engine(_engine.conv_weight_gradient, case, x, y, case.kernel), expected, magnitude, case.batch * math.prod(case.out))


LARGE = [
    Case(2, 1, 3, 20, (70, 90), (7, 7), (2, 2), (1, 1), ((3, 3), (3, 3))),  # blocks of rows
    Case(1, 1, 40, 30, (60, 50), (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1))),  # several blocks, shares of the panels
    Case(1, 1, 2, 3, (9000,), (9,), (1,), (2,), ((8, 8),)),  # blocks within a row
    Case(1, 1, 70, 3, (12, 10, 9), (3, 3, 3), (1, 2, 1), (1, 1, 1), ((1, 1),) * 3),  # blocks of planes
    Case(40, 1, 64, 33, (14, 14), (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1))),  # over images, blocks of rows
    Case(20, 1, 300, 20, (1, 1), (1, 1), (1, 1), (1, 1), ((0, 0), (0, 0))),
    Case(3, 40, 1, 1, (30, 31), (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1))),  # depthwise
    Case(6, 1, 130, 2, (20, 20), (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1))),  # few filters: blocks of channels
]


@pytest.mark.parametrize("case", LARGE)
def test_blocks(case: Case) -> None:
    rng = np.random.default_rng(0)
    (x, exact_x), (w, exact_w), (y, exact_y) = (tensor_of(random(rng, s), "float32") for s in (case.x_shape, case.w_shape, case.y_shape))
    taps = math.prod(case.kernel)
    levels = [level for level in _engine.available_isas() if level != "reference"]

    def check_at_levels(run: Callable[[], pe.Tensor], oracle: Callable[..., Float64s], a: Float64s, b: Float64s, k: int) -> None:
        expected, magnitude = oracle(case, a, b), oracle(case, abs(a), abs(b))
        for level in levels:
            _engine.set_isa(level)
            tolerance.assert_within(
                numpy_of(run()), expected, tolerance.contraction(magnitude, expected, k, "float32"), "float32", magnitude
            )

    check_at_levels(lambda: run_conv(case, x, w, None), conv_oracle, exact_x, exact_w, case.channels * taps)
    transpose = lambda: run_engine(_engine.conv_transpose, case, y, w, None, case.size)  # noqa: E731
    check_at_levels(transpose, conv_transpose_oracle, exact_y, exact_w, case.filters * taps)
    gradient = lambda: run_engine(_engine.conv_weight_gradient, case, x, y, case.kernel)  # noqa: E731
    check_at_levels(gradient, weight_gradient_oracle, exact_x, exact_y, case.batch * math.prod(case.out))


@given(case=cases(), seed=st.integers(0, 2**32 - 1))
def test_an_image_has_the_same_bits_in_any_batch(case: Case, seed: int) -> None:
    rng = np.random.default_rng(seed)
    case = case._replace(batch=33)
    x, y, w = (pe.asarray(random(rng, shape)).astype(pe.float32) for shape in (case.x_shape, case.y_shape, case.w_shape))
    for _ in each_level():
        assert numpy_of(run_conv(case, x, w, None)[3:4]).tobytes() == numpy_of(run_conv(case, x[3:4], w, None)).tobytes()
        whole = run_engine(_engine.conv_transpose, case, y, w, None, case.size)
        assert numpy_of(whole[3:4]).tobytes() == numpy_of(run_engine(_engine.conv_transpose, case, y[3:4], w, None, case.size)).tobytes()


def test_elements_that_no_output_meets_are_not_read() -> None:
    """Stride 3 with kernel 2 leaves every third column out."""
    for batch, _ in product((1, 40), each_level()):
        x = np.ones((batch, 2, 8, 8), np.float32)
        x[..., 2::3, :] = np.nan
        x[..., :, 2::3] = np.nan
        leaf = pe.ones((3, 2, 2, 2), requires_grad=True)
        y = pe.conv2d(pe.asarray(x), leaf, stride=3)
        y.sum().backward()
        assert np.all(numpy_of(y) == 8.0)
        assert leaf.grad is not None
        assert np.all(numpy_of(leaf.grad) == batch * 9.0)


@pytest.mark.parametrize("filters", [1, 20])
@pytest.mark.parametrize("batch", [1, 40])
def test_a_nan_in_a_corner_reaches_the_weight_that_meets_it_alone(filters: int, batch: int) -> None:
    for _ in each_level():
        for row, column in product((0, -1), (0, -1)):
            x = np.ones((batch, 2, 7, 6), np.float32)
            x[0, 1, row, column] = np.nan
            leaf = pe.ones((filters, 2, 3, 3), requires_grad=True)
            pe.conv2d(pe.asarray(x), leaf).sum().backward()
            expected = np.full(leaf.shape, batch * 20.0)
            expected[:, 1, row, column] = np.nan
            assert leaf.grad is not None
            np.testing.assert_array_equal(leaf.grad.numpy(), expected)


@pytest.mark.parametrize("case", [case._replace(batch=batch) for case in LARGE[:1] + LARGE[-3:] for batch in (3, 20)])
def test_scratch_may_hold_anything(case: Case) -> None:
    """Freed blocks of every size class are full of NaN, so the workspace is, too."""
    rng = np.random.default_rng(0)
    x, w, y = (pe.asarray(random(rng, shape).astype(np.float32)) for shape in (case.x_shape, case.w_shape, case.y_shape))
    for _ in each_level():
        for run in (
            lambda: run_conv(case, x, w, None),
            lambda: run_engine(_engine.conv_transpose, case, y, w, None, case.size),
            lambda: run_engine(_engine.conv_weight_gradient, case, x, y, case.kernel),
        ):
            blocks = [pe.full((2**n * quarter // 4,), math.nan, dtype=pe.float32) for n in range(6, 22) for quarter in (4, 5, 6, 7)]
            del blocks
            assert np.isfinite(numpy_of(run())).all()


# Padding --------------------------------------------------------------------------------------------------------------------------------


@given(n=st.integers(1, 40), kernel=st.integers(1, 7), stride=st.integers(1, 6), dilation=st.integers(1, 4), seed=st.integers(0, 2**32 - 1))
def test_same_is_the_rule_of_tensorflow(n: int, kernel: int, stride: int, dilation: int, seed: int) -> None:
    out = math.ceil(n / stride)
    total = max((out - 1) * stride + (kernel - 1) * dilation + 1 - n, 0)
    pads = (total // 2, total - total // 2)
    geometry = pe.conv_geometry(n, kernel, stride, "same", dilation)
    assert geometry == pe.ConvGeometry((pads,), (out,))
    rng = np.random.default_rng(seed)
    x, w = rng.standard_normal((2, 1, n)), rng.standard_normal((1, 1, kernel))
    expected = pe.conv1d(pe.asarray(np.pad(x, ((0, 0), (0, 0), pads))), pe.asarray(w), stride=stride, dilation=dilation)
    y = pe.conv1d(pe.asarray(x), pe.asarray(w), stride=stride, padding="same", dilation=dilation)
    assert y.shape == (2, 1, out)
    np.testing.assert_allclose(y.numpy(), expected.numpy(), rtol=0, atol=1e-14 * kernel)


def test_the_forms_of_padding() -> None:
    x, w = pe.asarray(np.random.default_rng(0).standard_normal((2, 3, 6, 5))), pe.ones((4, 3, 3, 2), dtype=pe.float64)
    for given_as, pads in [(1, ((1, 1), (1, 1))), ((2, 0), ((2, 2), (0, 0))), (((0, 2), (1, 3)), ((0, 2), (1, 3)))]:
        expected = pe.conv2d(pe.pad(x, ((0, 0), (0, 0), *pads)), w)
        np.testing.assert_allclose(pe.conv2d(x, w, padding=given_as).numpy(), expected.numpy(), rtol=0, atol=1e-14)


# The public functions -------------------------------------------------------------------------------------------------------------------


@given(
    case=cases(),
    padding=st.sampled_from(["same", "valid", "pads"]),
    more=st.integers(0, 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_conv_transpose_is_the_adjoint(case: Case, padding: str, more: int, seed: int) -> None:
    """<conv(a, w), x> = <a, conv_transpose(x, w)>, with the sizes and the padding that conv_transpose chooses."""
    rng = np.random.default_rng(seed)
    dimensions = len(case.size)
    chosen: Any = case.pads if padding == "pads" else padding
    more = min(more, *(max(s, d) - 1 for s, d in zip(case.stride, case.dilation, strict=True)))
    sizes = tuple(int(n) for n in rng.integers(1, 5, dimensions))
    x, w = rng.standard_normal((2, case.w_shape[0], *sizes)), rng.standard_normal(case.w_shape)
    pads = case.pads if padding == "pads" else ((0, 0),) * dimensions
    if padding == "same":
        pads = pe.conv_geometry(
            tuple(n * s for n, s in zip(sizes, case.stride, strict=True)), case.kernel, case.stride, "same", case.dilation
        ).padding
    rows = zip(sizes, case.stride, case.kernel, case.dilation, pads, strict=True)
    size = tuple((n - 1) * s + d * (k - 1) + 1 - low - high + more for n, s, k, d, (low, high) in rows)
    if padding == "same":
        size = tuple(n * s + more for n, s in zip(sizes, case.stride, strict=True))
    call = lambda: CONV_TRANSPOSE[dimensions](x, w, None, case.stride, chosen, more, case.groups, case.dilation)  # noqa: E731
    if min(size) < 1:
        with pytest.raises(ValueError, match="nothing left of the output"):
            call()
        return
    y = call()
    assert y.shape == (2, case.x_shape[1], *size)
    a = rng.standard_normal(y.shape)
    # conv over what conv_transpose gave, cut or continued to the sizes of x
    ends = tuple(
        (n - 1) * s + d * (k - 1) + 1 - m - low
        for n, s, k, d, m, (low, _) in zip(sizes, case.stride, case.kernel, case.dilation, size, pads, strict=True)
    )
    continued = pe.pad(pe.asarray(a), ((0, 0), (0, 0), *((low, end) for (low, _), end in zip(pads, ends, strict=True))))
    forward = CONV[dimensions](continued, w, None, case.stride, 0, case.dilation, case.groups)
    assert forward.shape == x.shape
    scale = float(np.sqrt(np.sum(y.numpy() ** 2) * np.sum(a**2))) + 1.0
    assert abs(float(np.sum(forward.numpy() * x) - np.sum(a * y.numpy()))) <= 1e-11 * scale


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_one_image_without_a_batch(dimensions: int) -> None:
    rng = np.random.default_rng(0)
    x, w = pe.asarray(rng.standard_normal((4, *(5,) * dimensions))), pe.asarray(rng.standard_normal((6, 4, *(3,) * dimensions)))
    np.testing.assert_array_equal(CONV[dimensions](x, w).numpy(), CONV[dimensions](x[None], w).numpy()[0])
    y = CONV[dimensions](x, w)
    np.testing.assert_array_equal(CONV_TRANSPOSE[dimensions](y, w).numpy(), CONV_TRANSPOSE[dimensions](y[None], w).numpy()[0])


def test_dtypes_are_promoted() -> None:
    x, w = pe.ones((1, 1, 4, 4), dtype=pe.float16), pe.ones((1, 1, 2, 2), dtype=pe.float64)
    assert pe.conv2d(x, w).dtype is pe.float64
    assert pe.conv2d(x, w.astype(pe.bfloat16), pe.ones(1, dtype=pe.float64)).dtype is pe.float32


@pytest.mark.parametrize(
    ("x", "w", "bias", "options"),
    [
        ((2, 4, 5, 6), (6, 2, 3, 2), 6, {"stride": (2, 1), "padding": ((1, 0), (2, 1)), "dilation": (1, 2), "groups": 2}),
        ((2, 3, 6, 5), (2, 3, 3, 3), None, {"padding": "same", "stride": 2}),
        ((20, 1, 4, 4), (3, 1, 3, 3), 3, {"padding": 1}),
        ((1, 3, 9), (3, 1, 3), 3, {"padding": "same", "groups": 3, "dilation": 2}),
        ((1, 2, 3, 4, 3), (2, 2, 2, 2, 2), None, {"stride": (1, 2, 1), "padding": 1}),
    ],
)
def test_gradients_of_conv(x: tuple[int, ...], w: tuple[int, ...], bias: int | None, options: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape) for shape in (x, w, *([] if bias is None else [(bias,)]))]
    check_gradients(lambda *tensors: CONV[len(x) - 2](*tensors, **options), *arrays)


@pytest.mark.parametrize(
    ("x", "w", "bias", "options"),
    [
        ((2, 4, 3, 4), (4, 3, 3, 2), 6, {"stride": (3, 1), "padding": ((1, 0), (0, 1)), "output_padding": (2, 0), "groups": 2}),
        ((2, 3, 4, 3), (3, 2, 3, 3), None, {"padding": "same", "stride": 2}),
        ((1, 3, 5), (3, 1, 3), 3, {"groups": 3, "dilation": 3, "output_padding": 2}),
        ((1, 2, 2, 3, 2), (2, 2, 2, 1, 2), 2, {"stride": (1, 2, 2)}),
    ],
)
def test_gradients_of_conv_transpose(x: tuple[int, ...], w: tuple[int, ...], bias: int | None, options: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape) for shape in (x, w, *([] if bias is None else [(bias,)]))]
    check_gradients(lambda *tensors: CONV_TRANSPOSE[len(x) - 2](*tensors, **options), *arrays)


def test_third_order() -> None:
    """conv is linear in each argument, so the third derivative comes from what stands around it."""
    rng = np.random.default_rng(0)
    check_gradients(
        lambda x, w: pe.tanh(pe.conv1d(x, w, padding=1)), rng.standard_normal((2, 2, 4)), rng.standard_normal((2, 2, 3)), order=3
    )


# Errors ---------------------------------------------------------------------------------------------------------------------------------

x4, w4 = pe.ones((2, 4, 5, 5)), pe.ones((6, 4, 3, 3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pe.conv2d(pe.ones((2, 3, 5, 5)), w4), r"conv2d: channels differ: x \(2, 3, 5, 5\), w \(6, 4, 3, 3\), groups 1; "),
        (lambda: pe.conv2d(x4, pe.ones((6, 2, 3, 3)), groups=4), r"conv2d: groups do not divide the channels: groups 4, output channels 6"),
        (lambda: pe.conv2d(x4, w4, groups=3), r"conv2d: groups do not divide the channels: groups 3, input channels 4; "),
        (lambda: pe.conv2d(x4, w4, groups=0), r"conv2d: groups do not divide the channels: groups 0, "),
        (lambda: pe.conv2d(x4, w4, pe.ones(5)), r"conv2d: bias does not fit: bias \(5,\), output channels 6; "),
        (lambda: pe.conv2d(x4[0, 0], w4), r"conv2d: wrong rank: x \(5, 5\), weight \(6, 4, 3, 3\); x must have 4 axes, or 3 for one image"),
        (lambda: pe.conv1d(x4, w4), r"conv1d: wrong rank: "),
        (lambda: pe.conv2d(x4, pe.ones((6, 4, 7, 3))), r"conv2d: kernel larger than its input: kernel 7, dilation 1 covers 7 on axis 0"),
        (lambda: pe.conv2d(x4, w4, dilation=3), r"conv2d: kernel larger than its input"),
        (lambda: pe.conv2d(x4, w4, stride=0), r"conv2d: stride does not fit: 0 for 2 spatial axes; must be one integer of at least 1"),
        (lambda: pe.conv2d(x4, w4, dilation=(1, 0)), r"conv2d: dilation does not fit: \(1, 0\) "),
        (lambda: pe.conv2d(x4, w4, stride=(1, 1, 1)), r"conv2d: stride does not fit: \(1, 1, 1\) for 2 spatial axes"),
        (lambda: pe.conv2d(x4, w4, padding=-1), r"conv2d: padding does not fit: -1 for 2 spatial axes; must be one integer of at least 0"),
        (lambda: pe.conv2d(x4, w4, padding=(1, 2, 3)), r"conv2d: padding does not fit: \(1, 2, 3\) for 2 spatial axes"),
        (lambda: pe.conv2d(x4, w4, padding=((1, 2, 3), (0, 0))), r"conv2d: padding does not fit: \(1, 2, 3\) for 2 "),
        (lambda: pe.conv2d(x4, w4, padding="full"), r"conv2d: no such padding: 'full'; must be 'same', 'valid'"),
        (lambda: pe.conv_transpose2d(x4, w4), r"conv_transpose2d: channels differ: x \(2, 4, 5, 5\), w \(6, 4, 3, 3\); "),
        (lambda: pe.conv_transpose2d(x4, pe.ones((4, 2, 3, 3)), groups=3), r"conv_transpose2d: groups do not divide the channels"),
        (lambda: pe.conv_transpose2d(x4, pe.ones((4, 2, 3, 3)), pe.ones(3)), r"conv_transpose2d: bias does not fit: bias \(3,\)"),
        (lambda: pe.conv_transpose2d(x4, pe.ones((4, 2, 3, 3)), output_padding=1), r"conv_transpose2d: output_padding too large: \(1, 1\)"),
        (lambda: pe.conv_transpose2d(x4, pe.ones((4, 2, 1, 1)), padding=3), r"conv_transpose2d: nothing left of the output: size \(-1"),
    ],
)  # fmt: skip
def test_errors(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_integers_are_refused() -> None:
    with pytest.raises(TypeError, match=r"conv2d: not floating: x float32, w int32; both must be floating dtypes"):
        pe.conv2d(x4, w4.astype(pe.int32))
    with pytest.raises(TypeError, match=r"conv2d: not floating: bias int64"):
        pe.conv2d(x4, w4, pe.ones(6, dtype=pe.int64))


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (pe.ones((2, 3, 4)), pe.ones((3, 5, 4)), r"conv_weight_gradient1d: batch sizes differ: x \(2, 3, 4\), y \(3, 5, 4\); "),
        (pe.ones((2, 3, 4)), pe.ones((2, 5, 4, 4)), r"conv_weight_gradient: wrong rank: x \(2, 3, 4\), y \(2, 5, 4, 4\); "),
    ],
)
def test_errors_of_the_engine(a: pe.Tensor, b: pe.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _engine.conv_weight_gradient(a._array, b._array, (3,), (1,), (1,), (0,), 1)
