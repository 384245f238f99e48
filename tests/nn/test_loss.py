"""Losses against their formulae in float64, to second derivatives; edges; errors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import pyengine as pe
from pyengine import nn
from pyengine.nn import functional as F
from tests.gradients import check_gradients

Values = np.ndarray[Any, np.dtype[np.float64]]

rng = np.random.default_rng(0)
X, Y = rng.standard_normal((2, 4, 3))
P, Q = rng.uniform(0.25, 0.75, (2, 4, 3))  # where log is smooth enough for finite differences
LABELS = rng.choice([-1.0, 1.0], (4, 3))
WEIGHT = rng.uniform(0.5, 2, (3,))


def huber(d: Values, delta: float) -> Values:
    return np.where(np.abs(d) <= delta, d**2 / 2, delta * (np.abs(d) - delta / 2))


def bce(p: Values, y: Values) -> Values:
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


CASES: list[tuple[Any, Values, Values, Values]] = [
    (F.mse_loss, X, Y, (X - Y) ** 2),
    (F.l1_loss, X, Y, np.abs(X - Y)),
    (lambda x, y, reduction: F.huber_loss(x, y, reduction, delta=0.7), X, Y, huber(X - Y, 0.7)),
    (lambda x, y, reduction: F.smooth_l1_loss(x, y, reduction, beta=0.7), X, Y, huber(X - Y, 0.7) / 0.7),
    (lambda x, y, reduction: F.smooth_l1_loss(x, y, reduction, beta=0.0), X, Y, np.abs(X - Y)),
    (F.hinge_loss, X, LABELS, np.maximum(0, 1 - LABELS * X)),
    (lambda x, y, reduction: F.hinge_loss(x, y, reduction, margin=0.25), X, LABELS, np.maximum(0, 0.25 - LABELS * X)),
    (F.perceptron_loss, X, LABELS, np.maximum(0, -LABELS * X)),
    (lambda x, y, reduction: F.binary_cross_entropy(x, y, pe.asarray(WEIGHT), reduction), P, Q, WEIGHT * bce(P, Q)),
    (
        lambda x, y, reduction: F.binary_cross_entropy_with_logits(x, y, pe.asarray(WEIGHT), reduction, pos_weight=pe.asarray(2 * WEIGHT)),
        X,
        Q,
        WEIGHT * (-2 * WEIGHT * Q * np.log(1 / (1 + np.exp(-X))) - (1 - Q) * np.log(1 / (1 + np.exp(X)))),
    ),
    (F.kl_div, X, Q, Q * (np.log(Q) - X)),
    (lambda x, y, reduction: F.kl_div(x, y, reduction, log_target=True), X, Y, np.exp(Y) * (Y - X)),
]


@pytest.mark.parametrize(("loss", "x", "y", "expected"), CASES)
def test_values_and_gradients(loss: Any, x: Values, y: Values, expected: Values) -> None:
    tolerance = 64 * np.finfo(np.float64).eps * np.abs(expected).max()  # a dozen correctly rounded operations on numbers up to 4
    a, b = pe.asarray(x), pe.asarray(y)
    np.testing.assert_allclose(loss(a, b, reduction="none").numpy(), expected, rtol=0, atol=tolerance)
    np.testing.assert_allclose(loss(a, b, reduction="sum").item(), expected.sum(), rtol=0, atol=expected.size * tolerance)
    np.testing.assert_allclose(loss(a, b, reduction="mean").item(), expected.mean(), rtol=0, atol=tolerance)
    check_gradients(lambda a, b: loss(a, b, reduction="none"), x, y)


def test_batchmean_is_the_mean_divergence_of_the_rows() -> None:
    result = F.kl_div(pe.asarray(X), pe.asarray(Q), "batchmean")
    assert result.item() == pytest.approx((Q * (np.log(Q) - X)).sum() / 4, rel=1e-14)
    with pytest.raises(ValueError, match="kl_div: unknown reduction: 'x'; must be 'none', 'mean', 'sum' or 'batchmean'"):
        F.kl_div(pe.asarray(X), pe.asarray(Q), "x")


def test_zero_probabilities() -> None:
    p = pe.asarray(np.array([0.0, 0.0, 1.0, 1.0]), requires_grad=True)
    y = pe.asarray(np.array([0.0, 1.0, 0.0, 1.0]))
    loss = F.binary_cross_entropy(p, y, reduction="none")
    assert loss.tolist() == [0.0, 100.0, 100.0, 0.0]
    pe.sum(loss).backward()
    assert p.grad is not None
    assert p.grad.tolist() == [1.0, 0.0, 0.0, -1.0]
    q = pe.asarray(np.array([0.0, 1.0]))
    assert F.kl_div(pe.asarray(np.array([-math.inf, 0.0])), q, "none").tolist() == [0.0, 0.0]


def test_logits_of_any_size() -> None:
    x = pe.asarray(np.array([-1e4, -800.0, 0.0, 800.0, 1e4]), requires_grad=True)
    loss = F.binary_cross_entropy_with_logits(x, pe.ones((5,), "float64"), reduction="none")
    np.testing.assert_allclose(loss.detach().numpy(), [1e4, 800.0, math.log(2), 0.0, 0.0], rtol=1e-15)
    pe.sum(loss).backward()
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), [-1.0, -1.0, -0.5, 0.0, 0.0], atol=1e-15)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("rest", [(), (2, 5)])
def test_nll_loss(rest: tuple[int, ...], weighted: bool) -> None:
    x = rng.standard_normal((6, 3, *rest))
    classes = rng.integers(0, 3, (6, *rest))
    classes[1] = 7  # ignored
    weight = pe.asarray(WEIGHT) if weighted else None
    counted = classes != 7
    w = np.where(counted, WEIGHT[np.where(counted, classes, 0)] if weighted else 1.0, 0.0)
    expected = -w * np.take_along_axis(x, np.expand_dims(np.where(counted, classes, 0), 1), 1).squeeze(1)
    t = pe.asarray(classes)
    np.testing.assert_allclose(F.nll_loss(pe.asarray(x), t, weight, ignore_index=7, reduction="none").numpy(), expected, rtol=1e-15)
    mean = F.nll_loss(pe.asarray(x), t, weight, ignore_index=7).item()
    assert mean == pytest.approx(expected.sum() / w.sum(), rel=1e-13)
    check_gradients(lambda x: F.nll_loss(x, t, weight, ignore_index=7), x)


def test_nll_loss_is_cross_entropy_without_the_softmax() -> None:
    x, t = pe.asarray(X), pe.asarray([0, 2, 1, 1])
    assert F.nll_loss(F.log_softmax(x, 1), t).item() == pytest.approx(F.cross_entropy(x, t).item(), rel=1e-14)
    assert F.nll_loss(F.log_softmax(x[0], 0), t[0]).item() == pytest.approx(F.cross_entropy(x[0], t[0]).item(), rel=1e-14)


def test_modules_are_the_functions() -> None:
    x, y, p = pe.asarray(X), pe.asarray(Y), pe.asarray(P)
    labels, classes, weight = pe.asarray(LABELS), pe.asarray([0, 1, 2, 0]), pe.asarray(WEIGHT)
    pairs = [
        (nn.MSELoss()(x, y), F.mse_loss(x, y)),
        (nn.L1Loss("sum")(x, y), F.l1_loss(x, y, "sum")),
        (nn.HuberLoss(delta=0.5)(x, y), F.huber_loss(x, y, delta=0.5)),
        (nn.SmoothL1Loss(beta=0.5)(x, y), F.smooth_l1_loss(x, y, beta=0.5)),
        (nn.KLDivLoss("batchmean", log_target=True)(x, y), F.kl_div(x, y, "batchmean", log_target=True)),
        (nn.HingeLoss(margin=2.0)(x, labels), F.hinge_loss(x, labels, margin=2.0)),
        (nn.PerceptronLoss()(x, labels), F.perceptron_loss(x, labels)),
        (nn.BCELoss(weight)(p, p), F.binary_cross_entropy(p, p, weight)),
        (nn.BCEWithLogitsLoss(weight, pos_weight=weight)(x, p), F.binary_cross_entropy_with_logits(x, p, weight, pos_weight=weight)),
        (nn.NLLLoss(weight, ignore_index=2)(x, classes), F.nll_loss(x, classes, weight, ignore_index=2)),
        (nn.CrossEntropyLoss(weight, label_smoothing=0.1)(x, classes), F.cross_entropy(x, classes, weight, label_smoothing=0.1)),
    ]
    for ours, expected in pairs:
        assert ours.item() == expected.item()
    assert list(nn.BCEWithLogitsLoss(weight, pos_weight=weight).state_dict()) == ["weight", "pos_weight"]
    assert repr(nn.MSELoss("sum")) == "MSELoss(reduction='sum')"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: F.mse_loss(pe.ones((3, 1)), pe.ones((3,))),
            ValueError,
            r"mse_loss: shapes differ: input \(3, 1\), target \(3,\); they must be",
        ),
        (
            lambda: F.mse_loss(pe.ones(3), pe.ones(3), "avg"),
            ValueError,
            "mse_loss: unknown reduction: 'avg'; must be 'none', 'mean' or 'sum'",
        ),
        (lambda: F.huber_loss(pe.ones(3), pe.ones(3), delta=0), ValueError, "huber_loss: delta out of range: 0; must be positive"),
        (lambda: F.smooth_l1_loss(pe.ones(3), pe.ones(3), beta=-1), ValueError, "smooth_l1_loss: beta out of range: -1"),
        (
            lambda: F.nll_loss(pe.ones((2, 3)), pe.asarray([0, 3])),
            IndexError,
            r"nll_loss: class out of range: in \[0, 3\]; must be in \[0, 3\)",
        ),
        (lambda: F.nll_loss(pe.ones((2, 3)), pe.asarray([0])), ValueError, r"nll_loss: shapes do not match: input \(2, 3\), target \(1,\)"),
    ],
)
def test_errors(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
