"""Cross-entropy and softmax against PyTorch: every reduction, weights, smoothing, ignored classes, probabilities, layouts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pyengine as pe

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no peer to compare losses with")

rng = np.random.default_rng(0)
SHAPES = [(7,), (5, 7), (3, 7, 4), (2, 7, 3, 2)]


def target_of(shape: tuple[int, ...], kind: str) -> np.ndarray[Any, Any]:
    if kind == "probabilities":
        return rng.random(shape)
    target = np.asarray(rng.integers(0, 7, shape[:1] + shape[2:] if len(shape) > 1 else ()))
    if kind == "some ignored" and target.ndim:
        target.flat[0] = -100
    return target


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ["classes", "some ignored", "all ignored", "probabilities"])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("shape", SHAPES)
def test_same_as_torch(shape: tuple[int, ...], reduction: str, kind: str, weighted: bool, smoothing: float) -> None:
    x, t, w = rng.standard_normal(shape), target_of(shape, kind), rng.random(7) if weighted else None
    if kind == "all ignored":
        t = np.full_like(t, -100)
    options: dict[str, Any] = {"reduction": reduction, "label_smoothing": smoothing}
    ours, theirs = pe.asarray(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    loss = pe.cross_entropy(ours, pe.asarray(t), None if w is None else pe.asarray(w), **options)
    expected = torch.nn.functional.cross_entropy(theirs, torch.tensor(t), None if w is None else torch.tensor(w), **options)
    bound = 100 * float(np.finfo(np.float64).eps)
    np.testing.assert_allclose(loss.detach().numpy(), expected.detach().numpy(), rtol=bound, atol=bound)
    if np.isnan(expected.detach().numpy()).any():  # nothing to average: the loss is NaN for both, its gradient is nothing to agree on
        return
    pe.sum(loss).backward()
    expected.sum().backward()
    assert ours.grad is not None
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=bound, atol=bound)


def test_gradient_of_probabilities_and_weight() -> None:
    x, t, w = rng.standard_normal((4, 7, 3)), rng.random((4, 7, 3)), rng.random(7)
    ours = [pe.asarray(a, requires_grad=True) for a in (x, t, w)]
    theirs = [torch.tensor(a, requires_grad=True) for a in (x, t, w)]
    pe.cross_entropy(*ours, label_smoothing=0.2).backward()
    torch.nn.functional.cross_entropy(*theirs, label_smoothing=0.2).backward()
    for a, b in zip(ours, theirs, strict=True):
        assert a.grad is not None
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_softmax_same_as_torch(axis: int) -> None:
    x, g = rng.standard_normal((2, 5, 40, 33))
    for name in ("softmax", "log_softmax"):
        ours, theirs = pe.asarray(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        y, expected = getattr(pe, name)(ours, axis=axis), getattr(torch, name)(theirs, dim=axis)
        y.backward(pe.asarray(g))
        expected.backward(torch.tensor(g))
        assert ours.grad is not None
        np.testing.assert_allclose(y.detach().numpy(), expected.detach().numpy(), rtol=1e-13, atol=1e-14)
        np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-12, atol=1e-14)
