"""x[key] and x[key] = value against NumPy, and their gradients, for keys of every kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import pyengine as pe
from tests.gradients import check_gradients

shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)


@st.composite
def keys(draw: st.DrawFn, shape: tuple[int, ...], outside: int = 0) -> Any:
    """A key with any mix of integers, up to ``outside`` beyond the axis, slices, new axes, an ellipsis, integer arrays and masks."""
    items: list[Any] = []
    index_shape = draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=1, max_side=3))
    axis = 0
    while axis < len(shape):
        size = shape[axis]
        kind = draw(st.sampled_from(["slice", "slice", "integer", "array", "mask", "mask2", "new", "stop"]))
        if kind == "new":
            items.append(None)
        elif kind == "stop":
            break
        elif kind == "integer" and size + outside:
            items.append(draw(st.integers(-size - outside, size + outside - 1)))
            axis += 1
        elif kind == "array" and size:
            shape_here = tuple(draw(st.sampled_from([1, n])) for n in index_shape)
            items.append(draw(hnp.arrays(np.int64, shape_here, elements=st.integers(-size, size - 1))))
            axis += 1
        elif kind == "mask" and not any(isinstance(i, np.ndarray) for i in items):
            items.append(draw(hnp.arrays(np.bool_, size)))
            axis += 1
        elif kind == "mask2" and axis + 1 < len(shape) and not any(isinstance(i, np.ndarray) for i in items):
            items.append(draw(hnp.arrays(np.bool_, shape[axis : axis + 2])))
            axis += 2
        else:
            items.append(draw(st.slices(size)))
            axis += 1
    if draw(st.booleans()):
        items.insert(draw(st.integers(0, len(items))) if axis == len(shape) else len(items), Ellipsis)
    return tuple(items)


def values(shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    return np.arange(1.0, 1.0 + np.prod(shape, dtype=int)).reshape(shape)


def numpy_result(x: np.ndarray[Any, Any], key: Any) -> np.ndarray[Any, Any]:
    try:
        return np.asarray(x[key])
    except IndexError:
        assume(False)
        raise


def ours(key: Any) -> Any:
    """The same key with index arrays as Tensors."""
    return tuple(pe.asarray(item) if isinstance(item, np.ndarray) else item for item in key)


@given(st.data())
def test_getitem_reads_what_numpy_reads(data: st.DataObject) -> None:
    x = values(data.draw(shapes))
    key = data.draw(keys(x.shape, outside=1))
    try:
        expected = np.asarray(x[key])
    except IndexError:
        with pytest.raises(IndexError):
            pe.asarray(x)[key]
        return
    for k in (key, ours(key)):
        result = pe.asarray(x)[k]
        assert result.shape == expected.shape
        np.testing.assert_array_equal(result.numpy(), expected)


@given(st.data())
def test_getitem_reads_through_strided_views(data: st.DataObject) -> None:
    x = values(data.draw(hnp.array_shapes(max_dims=4, min_side=0, max_side=4))).T[..., ::-1]
    key = data.draw(keys(x.shape))
    expected = numpy_result(x, key)
    np.testing.assert_array_equal(pe.asarray(x)[key].numpy(), expected)


@given(st.data())
def test_setitem_writes_what_numpy_writes(data: st.DataObject) -> None:
    expected = values(data.draw(shapes))
    key = data.draw(keys(expected.shape))
    selected = numpy_result(expected, key)
    x = pe.asarray(expected, copy=True)
    value = -values(selected.shape)
    if data.draw(st.booleans()):
        value = np.asarray(-5.0)
    # A position written twice keeps one of its values; which one is the same rule as NumPy's: the last.
    expected[key] = value
    x[ours(key)] = value.reshape((1,) * data.draw(st.integers(0, 2)) + value.shape)  # axes of size 1 in front do not count
    np.testing.assert_array_equal(x.numpy(), expected)


@given(st.data())
def test_getitem_gradient_counts_how_often_an_element_was_read(data: st.DataObject) -> None:
    x = values(data.draw(shapes))
    key = data.draw(keys(x.shape))
    weights = values(numpy_result(x, key).shape)
    expected = np.zeros(x.shape)
    np.add.at(expected, key, weights)
    t = pe.asarray(x, requires_grad=True)
    (t[ours(key)] * pe.asarray(weights)).sum().backward()
    assert t.grad is not None
    np.testing.assert_array_equal(t.grad.numpy(), expected)


@given(st.data(), st.sampled_from(["=", "+=", "-="]), st.booleans())
def test_setitem_gradients_are_the_adjoint_of_writing(data: st.DataObject, how: str, from_leaf: bool) -> None:
    """Writing is linear in what was there and in what is written, so <g, write(x, v)> = <dx, x> + <dv, v>, to the last bit of integers."""
    x = values(data.draw(shapes))
    key = data.draw(keys(x.shape))
    v = -values(numpy_result(x, key).shape)

    def write(y: Any, key: Any, v: Any) -> None:
        if how == "=":
            y[key] = v
        elif how == "+=":
            y[key] += v
        else:
            y[key] -= v

    written = x.copy()
    write(written, key, v)
    before, value = pe.asarray(x, requires_grad=from_leaf), pe.asarray(v, requires_grad=True)
    y = before * 1.0
    write(y, ours(key), value)
    np.testing.assert_array_equal(y.detach().numpy(), written)
    if not y.requires_grad:
        assert v.size == 0
        return
    g = values(x.shape)[..., ::-1] if x.ndim else np.asarray(3.0)
    (y * pe.asarray(g)).sum().backward()
    dx, dv = (0.0 if t.grad is None else t.grad.numpy() for t in (before, value))
    kept = (np.asarray(dx) * x).sum() if from_leaf else (g * (written - _only(write, x, key, v))).sum()
    assert kept + (np.asarray(dv) * v).sum() == (g * written).sum()


def _only(write: Any, x: Any, key: Any, v: Any) -> Any:
    """What v alone brings into the result: it is written into zeros."""
    zeros = np.zeros_like(x)
    write(zeros, key, v)
    return zeros


def test_getitem_gradients_to_second_order() -> None:
    x = np.linspace(0.5, 2.0, 24).reshape(2, 3, 4)
    check_gradients(lambda t: t[:, [0, 2, 2], 1:] ** 3, x)
    check_gradients(lambda t: t[..., ::-2] ** 3, x)
    check_gradients(lambda t: t[t > 1.0] ** 3, x)


def test_setitem_gradient_splits_between_value_and_rest() -> None:
    x = np.linspace(0.5, 2.0, 12).reshape(3, 4)
    v = np.linspace(-1.0, 1.0, 3)

    def f(a: Any, b: Any) -> Any:
        y = a * a
        y[:, 2] = b * b
        y[0, [0, 1]] = b[1]
        return y * y

    check_gradients(f, x, v)


def test_a_view_changes_with_its_base() -> None:
    x = pe.zeros((3, 4))
    view = x[1:, ::2]
    view[...] = 7
    assert x.tolist() == [[0, 0, 0, 0], [7, 0, 7, 0], [7, 0, 7, 0]]


def test_an_ellipsis_of_no_axes_parts_index_arrays() -> None:
    x = values((3, 1))
    key = (None, np.array([True, True, False]), ..., 0)
    np.testing.assert_array_equal(pe.asarray(x)[key].numpy(), x[key])


def test_boolean_scalars_add_an_axis() -> None:
    x = values((2, 3))
    for key in (True, False, np.True_):
        np.testing.assert_array_equal(pe.asarray(x)[key].numpy(), x[key])


@pytest.mark.parametrize(
    ("key", "error", "message"),
    [
        (5, IndexError, r"getitem: index out of range: 5 on axis 0 of size 3; must be in \[-3, 3\)"),
        ((0, 0, 0), IndexError, r"getitem: too many indices: 3 for shape \(3, 4\); at most one for each axis"),
        ((..., ...), IndexError, "getitem: more than one ellipsis"),
        ("a", IndexError, "getitem: not an index: str"),
        (np.ones((2, 4), bool), IndexError, r"getitem: mask does not fit: \(2, 4\) on axes 0 to 1 of \(3, 4\)"),
        ([0, 3], IndexError, "index out of range"),
        ([0.5], IndexError, "getitem: not integers or booleans: index array of pyengine.float64"),
    ],
)
def test_bad_keys_say_what_is_wrong(key: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        pe.zeros((3, 4))[key]


def test_a_value_that_does_not_fit_changes_nothing() -> None:
    x = pe.zeros((3, 4))
    with pytest.raises(ValueError, match=r"broadcast_to: shape cannot be broadcast: \(5,\) to \(3,\)"):
        x[:, 0] = pe.ones(5)
    assert x.sum().item() == 0
