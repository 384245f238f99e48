"""Optimisers: what a step does with groups, state and closures; their state dicts; errors. The arithmetic is tested beside the kernels and
peers."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest

import pyengine as pe
from pyengine.optim import SGD, Adam, AdamW, Muon, Optimizer, RMSprop


def leaf(*values: float, gradient: float | None = None, dtype: str = "float32") -> pe.Tensor:
    x = pe.asarray(np.array(values), dtype=dtype, requires_grad=True)
    x.grad = None if gradient is None else pe.full(x.shape, gradient, dtype=dtype)
    return x


def test_groups_have_settings_of_their_own() -> None:
    a, b = leaf(1.0, gradient=1.0), leaf(1.0, gradient=1.0)
    optimizer = SGD([{"params": a}, {"params": [b], "lr": 0.25}], lr=0.5)
    optimizer.step()
    assert (a.item(), b.item()) == (0.5, 0.75)
    assert [group["momentum"] for group in optimizer.param_groups] == [0.0, 0.0]


def test_parameters_without_gradient_stay() -> None:
    a, b = leaf(1.0, gradient=1.0), leaf(1.0)
    optimizer = Adam([a, b], lr=0.5)
    optimizer.step()
    assert a.item() != 1.0
    assert b.item() == 1.0
    assert b not in optimizer.state


def test_the_first_momentum_is_the_gradient_whatever_the_dampening() -> None:
    a = leaf(0.0, gradient=1.0)
    optimizer = SGD([a], lr=1.0, momentum=0.5, dampening=0.5)
    optimizer.step()
    assert a.item() == -1.0
    optimizer.step()
    assert a.item() == -1.0 - (0.5 * 1.0 + 0.5 * 1.0)


def test_maximize_climbs() -> None:
    for optimizer in (SGD, Adam, AdamW, RMSprop):
        a = leaf(1.0, gradient=1.0)
        optimizer([a], lr=0.1, maximize=True).step()
        assert a.item() > 1.0 - 0.1 * 0.01 * 1.0


def test_zero_grad() -> None:
    a = leaf(1.0, gradient=1.0)
    optimizer = SGD([a])
    optimizer.zero_grad(set_to_none=False)
    assert a.grad is not None
    assert a.grad.item() == 0.0
    optimizer.zero_grad()
    assert a.grad is None


def test_closure_runs_with_the_tape_on() -> None:
    a = leaf(1.0)
    optimizer = SGD([a], lr=0.5)

    def closure() -> pe.Tensor:
        assert pe.is_grad_enabled()
        a.grad = pe.ones((1,))
        return pe.ones(())

    with pe.no_grad():
        assert optimizer.step(closure).item() == 1.0
    assert a.item() == 0.5


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_state_is_kept_in_float32_or_wider(dtype: str) -> None:
    a = leaf(1.0, gradient=1.0, dtype=dtype)
    optimizer = Adam([a], amsgrad=True)
    optimizer.step()
    assert sorted(optimizer.state[a]) == ["exp_avg", "exp_avg_sq", "max_exp_avg_sq", "step"]
    assert optimizer.state[a]["exp_avg"].dtype.name == ("float64" if dtype == "float64" else "float32")


MAKERS: list[Any] = [
    lambda p: SGD(p, lr=0.1, momentum=0.9),
    lambda p: Adam(p, lr=0.1, amsgrad=True),
    lambda p: AdamW(p, lr=0.1),
    lambda p: RMSprop(p, lr=0.1, momentum=0.9, centered=True),
    lambda p: Muon(p, lr=0.1),
]


@pytest.mark.parametrize("make", MAKERS)
def test_going_on_from_a_state_dict_is_going_on(make: Any) -> None:
    rng = np.random.default_rng(0)
    start, gradients = rng.standard_normal((2, 4, 3)), rng.standard_normal((6, 2, 4, 3))

    def run(parameters: list[pe.Tensor], optimizer: Optimizer, steps: range) -> None:
        for i in steps:
            for parameter, gradient in zip(parameters, gradients[i], strict=True):
                parameter.grad = pe.asarray(gradient, dtype="float32")
            optimizer.step()

    straight = [pe.asarray(x, dtype="float32", requires_grad=True) for x in start]
    run(straight, make(straight), range(6))
    first = [pe.asarray(x, dtype="float32", requires_grad=True) for x in start]
    stopped = make(first)
    run(first, stopped, range(3))
    state = stopped.state_dict()
    second = copy.deepcopy(first)
    resumed = make(second)
    resumed.param_groups[0]["lr"] = 77.0
    resumed.load_state_dict(state)
    run(first, stopped, range(3, 6))  # must not reach the copies in `resumed`
    run(second, resumed, range(3, 6))
    for a, b in zip(straight, second, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_layout_of_the_state_dict() -> None:
    a, b = leaf(1.0, gradient=1.0), leaf(2.0, gradient=1.0)
    optimizer = SGD([{"params": [a]}, {"params": [b], "momentum": 0.9}], lr=0.5)
    optimizer.step()
    state = optimizer.state_dict()
    assert [group["params"] for group in state["param_groups"]] == [[0], [1]]
    assert list(state["state"]) == [0, 1]
    assert list(state["state"][1]) == ["momentum_buffer"]


def test_a_state_that_does_not_fit_changes_nothing() -> None:
    optimizer, other = SGD([leaf(1.0)], lr=0.5), SGD([leaf(1.0), leaf(1.0)], lr=0.25)
    with pytest.raises(
        ValueError, match=r"SGD: state does not fit: its groups have \[2\] parameters, the optimiser's \[1\]; they must be equal"
    ):
        optimizer.load_state_dict(other.state_dict())
    wide = leaf(1.0, 2.0, gradient=1.0)
    source = SGD([wide], lr=0.25, momentum=0.9)
    source.step()
    with pytest.raises(ValueError, match=r"'momentum_buffer' is \(2,\), the parameter \(1,\)"):
        optimizer.load_state_dict(source.state_dict())
    assert optimizer.param_groups[0]["lr"] == 0.5
    assert not optimizer.state


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: SGD([], lr=0.1), ValueError, "SGD: no parameters: params is empty"),
        (lambda: SGD(leaf(1.0), lr=0.1), TypeError, r"SGD: params is one tensor: shape \(1,\); it must be an iterable"),
        (lambda: SGD([1.0], lr=0.1), TypeError, "SGD: not a tensor: float"),  # type: ignore[list-item]
        (lambda: Adam([leaf(1.0).reshape(1, 1)]), ValueError, r"Adam: not a leaf: a tensor of shape \(1, 1\) was computed"),
        (lambda: SGD([(a := leaf(1.0)), a]), ValueError, r"SGD: parameter appears twice: shape \(1,\)"),
        (lambda: SGD([leaf(1.0)], lr=-1.0), ValueError, "SGD: lr out of range: -1.0; must be at least 0"),
        (lambda: SGD([leaf(1.0)], lr=math.nan), ValueError, "SGD: lr out of range: nan"),
        (lambda: SGD([leaf(1.0)], nesterov=True), ValueError, "SGD: nesterov does not fit: momentum 0.0, dampening 0.0"),
        (lambda: Adam([leaf(1.0)], betas=(0.9, 1.0)), ValueError, r"Adam: betas out of range: \(0.9, 1.0\); each must be in \[0, 1\)"),
        (lambda: RMSprop([leaf(1.0)], alpha=1.5), ValueError, r"RMSprop: alpha out of range: 1.5; must be in \[0, 1\]"),
        (lambda: Muon([leaf(1.0)]), ValueError, r"Muon: not a matrix: a parameter of shape \(1,\)"),
        (lambda: Muon([pe.ones((1, 1))], adjust_lr_fn="x"), ValueError, "Muon: unknown adjust_lr_fn: 'x'"),
    ],
)
def test_errors(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_muon_makes_singular_values_equal() -> None:
    rng = np.random.default_rng(0)
    for shape in ((4, 9), (9, 4), (5, 5)):
        before = pe.zeros(shape, requires_grad=True)
        before.grad = pe.asarray(rng.standard_normal(shape), dtype="float32")
        Muon([before], lr=1.0, weight_decay=0.0, momentum=0.0, ns_steps=10).step()
        values = np.linalg.svd(before.numpy(), compute_uv=False) / math.sqrt(max(1, shape[0] / shape[1]))
        assert values.min() > 0.6
        assert values.max() < 1.3


def test_bits_repeat() -> None:
    def run() -> bytes:
        x = pe.asarray(np.random.default_rng(0).standard_normal(1000), dtype="float32", requires_grad=True)
        optimizer = AdamW([x])
        for seed in range(5):
            x.grad = pe.asarray(np.random.default_rng(seed).standard_normal(1000), dtype="float32")
            optimizer.step()
        return x.detach().numpy().tobytes()

    assert run() == run()
