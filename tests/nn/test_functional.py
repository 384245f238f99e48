"""Affine maps, look-ups, padding and the like against NumPy; gradients to second order; errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pyengine as pe
from pyengine.nn import functional as F
from tests.gradients import check_gradients
from tests.tolerance import assert_within, contraction

rng = np.random.default_rng(0)


def test_bilinear() -> None:
    x, y, w, b = rng.standard_normal((2, 6, 3)), rng.standard_normal((2, 6, 4)), rng.standard_normal((5, 3, 4)), rng.standard_normal(5)
    expected = np.einsum("...i,kij,...j->...k", x, w, y) + b
    result = F.bilinear(*map(pe.asarray, (x, y, w, b)))
    magnitude = np.einsum("...i,kij,...j->...k", *map(np.abs, (x, w, y))) + np.abs(b)
    assert_within(result.numpy(), expected, contraction(magnitude, expected, 3 * 4 + 2, "float64"), "float64")
    check_gradients(F.bilinear, x, y, w, b)


def test_embedding() -> None:
    table = rng.standard_normal((5, 3))
    indices = np.array([[1, 4, 1], [0, 0, 2]])
    np.testing.assert_array_equal(F.embedding(pe.asarray(indices), pe.asarray(table)).numpy(), table[indices])
    check_gradients(lambda w: F.embedding(pe.asarray(indices), w), table)
    weight = pe.asarray(table, requires_grad=True)
    pe.sum(F.embedding(pe.asarray(indices), weight, padding_idx=-4)).backward()
    assert weight.grad is not None
    np.testing.assert_array_equal(weight.grad.numpy()[:, 0], [2, 0, 1, 0, 1])
    with pytest.raises(IndexError):
        F.embedding(pe.asarray([5]), weight)


def test_one_hot() -> None:
    result = F.one_hot(pe.asarray([[0, 2], [1, 0]]))
    assert result.dtype is pe.int64
    np.testing.assert_array_equal(result.numpy(), np.eye(3)[[[0, 2], [1, 0]]])
    assert F.one_hot(pe.asarray([0]), 4).tolist() == [[1, 0, 0, 0]]
    assert F.one_hot(pe.zeros((0,), "int64"), 4).shape == (0, 4)
    for classes, count in (([0, 3], 3), ([-1, 0], -1)):
        with pytest.raises(ValueError, match="one_hot: class out of range"):
            F.one_hot(pe.asarray(classes), count)


def test_normalize_and_cosine_similarity() -> None:
    x, y = rng.standard_normal((2, 3, 4))
    np.testing.assert_allclose(F.normalize(pe.asarray(x)).numpy(), x / np.linalg.norm(x, axis=1, keepdims=True), rtol=1e-14)
    expected = x / np.linalg.norm(x, ord=3, axis=0, keepdims=True)
    np.testing.assert_allclose(F.normalize(pe.asarray(x), p=3.0, dim=0).numpy(), expected, rtol=1e-13)
    cosine = (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
    np.testing.assert_allclose(F.cosine_similarity(pe.asarray(x), pe.asarray(y)).numpy(), cosine, rtol=1e-13, atol=1e-14)
    check_gradients(F.normalize, x)
    check_gradients(F.cosine_similarity, x, y)


@pytest.mark.parametrize(
    ("mode", "numpy_mode"), [("constant", "constant"), ("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap")]
)
@pytest.mark.parametrize("widths", [(1, 2), (0, 3), (2, 0, 1, 1), (1, 1, 0, 2, 1, 0)])
def test_pad(mode: str, numpy_mode: Any, widths: tuple[int, ...]) -> None:
    x = rng.standard_normal((2, 3, 4))
    pairs = [widths[i : i + 2] for i in range(0, len(widths), 2)][::-1]
    pairs = [(0, 0)] * (3 - len(pairs)) + pairs
    np.testing.assert_array_equal(F.pad(pe.asarray(x), widths, mode=mode).numpy(), np.pad(x, pairs, mode=numpy_mode))
    check_gradients(lambda x: F.pad(x, widths, mode=mode), x)


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
def test_negative_widths_crop(mode: str) -> None:
    x = np.arange(5.0)
    assert F.pad(pe.asarray(x), (-1, -2), mode=mode).tolist() == [1, 2]
    assert F.pad(pe.asarray(x), (1, -3), mode=mode, value=7).tolist()[1:] == [0, 1]


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize(("old", "new"), [(4, 7), (5, 2), (3, 1), (1, 4), (6, 12), (5, 5)])
def test_interpolate(old: int, new: int, align_corners: bool) -> None:
    x = rng.standard_normal((2, 3, old))
    nearest = F.interpolate(pe.asarray(x), size=new)
    np.testing.assert_array_equal(nearest.numpy(), x[..., [i * old // new for i in range(new)]])
    at = [i * (old - 1) / max(new - 1, 1) if align_corners else (i + 0.5) * old / new - 0.5 for i in range(new)]
    expected = np.stack([[np.interp(at, range(old), row) for row in rows] for rows in x])
    result = F.interpolate(pe.asarray(x), size=[new], mode="linear", align_corners=align_corners)
    np.testing.assert_allclose(result.numpy(), expected, rtol=0, atol=1e-14)


def test_interpolate_in_two_dimensions() -> None:
    x = rng.standard_normal((1, 2, 3, 4))
    result = F.interpolate(pe.asarray(x), scale_factor=(2, 1.5), mode="bilinear")
    rows = F.interpolate(pe.asarray(x.transpose(0, 1, 3, 2).reshape(1, 8, 3)), size=6, mode="linear").numpy()
    both = F.interpolate(pe.asarray(rows.reshape(2, 4, 6).transpose(0, 2, 1).reshape(1, 12, 4).copy()), size=6, mode="linear")
    np.testing.assert_allclose(result.numpy(), both.numpy().reshape(1, 2, 6, 6), rtol=0, atol=1e-14)
    check_gradients(lambda x: F.interpolate(x, size=5, mode="bilinear"), x)
    check_gradients(lambda x: F.interpolate(x, scale_factor=2), x)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: F.bilinear(pe.ones((2, 3)), pe.ones((1, 4)), pe.ones((5, 3, 4))), "bilinear: sizes differ"),
        (lambda: F.interpolate(pe.ones((1, 1, 3))), "interpolate: size None, scale_factor None; give one of them"),
        (lambda: F.interpolate(pe.ones((1, 1, 3)), (2, 2)), r"interpolate: sizes do not fit: \(2, 2\) for input \(1, 1, 3\)"),
        (lambda: F.interpolate(pe.ones((1, 1, 3)), 4, mode="bilinear"), "interpolate: mode does not fit: 'bilinear'"),
        (lambda: F.pad(pe.ones((3,)), (1,)), r"pad: widths do not fit: \(1,\) for shape \(3,\)"),
        (lambda: F.pad(pe.ones((3,)), (1, 1, 1, 1)), "pad: widths do not fit"),
        (lambda: F.pad(pe.ones((3,)), (1, 1), mode="mirror"), "pad: unknown mode: 'mirror'"),
        (
            lambda: F.pad(pe.ones((3,)), (3, 0), mode="reflect"),
            r"pad: width too large: \(3, 0\) for an axis of size 3; reflect padding reaches 2",
        ),
        (lambda: F.pad(pe.ones((3,)), (0, 4), mode="circular"), "pad: width too large"),
        (lambda: F.pad(pe.ones((0,)), (0, 1), mode="replicate"), "pad: width too large"),
    ],
)
def test_errors(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_activations_with_settings() -> None:
    x = rng.standard_normal((2, 3, 4))
    t = pe.asarray(x)
    np.testing.assert_allclose(F.softplus(t, beta=3.0).numpy(), np.log1p(np.exp(3 * x)) / 3, rtol=1e-14)
    np.testing.assert_allclose(F.logsigmoid(t).numpy(), -np.log1p(np.exp(-x)), rtol=1e-14)
    slopes = np.array([0.1, 0.2, 0.3])
    np.testing.assert_array_equal(F.prelu(t, pe.asarray(slopes)).numpy(), np.where(x > 0, x, slopes[:, None] * x))
    np.testing.assert_array_equal(F.prelu(t, pe.asarray([0.5], dtype="float64")).numpy(), np.where(x > 0, x, 0.5 * x))
    e = np.exp(x - x.max(1, keepdims=True))
    np.testing.assert_allclose(F.softmax(t, dim=1).numpy(), e / e.sum(1, keepdims=True), rtol=1e-14)
    np.testing.assert_allclose(F.log_softmax(t, dim=1).numpy(), np.log(e / e.sum(1, keepdims=True)), rtol=1e-13)
    check_gradients(lambda x: F.softplus(x, 3.0), x)
    check_gradients(lambda x, w: F.prelu(x, w), x, slopes)
