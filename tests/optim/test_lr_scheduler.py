"""Schedules: hand-checked values, state dicts, errors. Whole curves are compared with PyTorch's in tests/peers."""

from __future__ import annotations

import math
from typing import Any

import pytest

import pyengine as pe
from pyengine.optim import SGD, Adam, lr_scheduler


def optimizer(*rates: float) -> SGD:
    return SGD([{"params": [pe.ones((1,), requires_grad=True)], "lr": rate} for rate in rates or (1.0,)], momentum=0.5)


def curve(scheduler: lr_scheduler.LRScheduler, steps: int) -> list[float]:
    rates = [scheduler.get_last_lr()[0]]
    for _ in range(steps):
        scheduler.step()
        rates.append(scheduler.get_last_lr()[0])
    return rates


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda o: lr_scheduler.StepLR(o, 2, gamma=0.5), [1, 1, 0.5, 0.5, 0.25]),
        (lambda o: lr_scheduler.MultiStepLR(o, [1, 3, 3], gamma=0.5), [1, 0.5, 0.5, 0.125, 0.125]),
        (lambda o: lr_scheduler.ExponentialLR(o, 0.5), [1, 0.5, 0.25, 0.125, 0.0625]),
        (lambda o: lr_scheduler.ConstantLR(o, 0.5, 2), [0.5, 0.5, 1, 1, 1]),
        (lambda o: lr_scheduler.LinearLR(o, 0.25, 1.0, 3), [0.25, 0.5, 0.75, 1, 1]),
        (lambda o: lr_scheduler.PolynomialLR(o, 4, 2.0), [1, 0.5625, 0.25, 0.0625, 0]),
        (lambda o: lr_scheduler.CosineAnnealingLR(o, 4, 0.5), [1, 0.75 + 0.25 * math.sqrt(0.5), 0.75, 0.75 - 0.25 * math.sqrt(0.5), 0.5]),
        (lambda o: lr_scheduler.LambdaLR(o, lambda t: 1 / (1 + t)), [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5]),
    ],
)
def test_values(make: Any, expected: list[float]) -> None:
    assert curve(make(optimizer()), 4) == pytest.approx(expected, rel=1e-14)


def test_every_group_has_its_own_rate() -> None:
    o = optimizer(1.0, 8.0)
    scheduler = lr_scheduler.LambdaLR(o, [lambda t: 1.0, lambda t: 0.5**t])
    scheduler.step()
    assert scheduler.get_last_lr() == [1.0, 4.0]
    assert [group["lr"] for group in o.param_groups] == [1.0, 4.0]


def test_warm_up_then_decay() -> None:
    o = optimizer()
    warm_up, decay = lr_scheduler.LinearLR(o, 0.5, 1.0, 2), lr_scheduler.StepLR(o, 1, gamma=0.5)
    assert curve(lr_scheduler.SequentialLR(o, [warm_up, decay], [2]), 4) == [0.5, 0.75, 1.0, 0.5, 0.25]


def test_one_cycle_turns_momentum_the_other_way() -> None:
    o = optimizer()
    scheduler = lr_scheduler.OneCycleLR(
        o, 1.0, total_steps=11, pct_start=0.5, div_factor=10.0, final_div_factor=10.0, anneal_strategy="linear"
    )
    seen = []
    for _ in range(10):
        seen.append((o.param_groups[0]["lr"], o.param_groups[0]["momentum"]))
        scheduler.step()
    assert seen[0] == pytest.approx((0.1, 0.95))
    assert max(rate for rate, _ in seen) <= 1.0
    assert min(momentum for _, momentum in seen) >= 0.85
    assert o.param_groups[0]["lr"] == pytest.approx(0.01)
    with pytest.raises(ValueError, match="OneCycleLR: the cycle is over: step 11 of 11"):
        scheduler.step()
    adam = Adam([pe.ones((1,), requires_grad=True)])
    lr_scheduler.OneCycleLR(adam, 1.0, epochs=2, steps_per_epoch=3)
    assert adam.param_groups[0]["betas"] == (0.95, 0.999)


def test_going_on_from_a_state_dict() -> None:
    def make() -> lr_scheduler.LRScheduler:
        o = optimizer()
        parts = [lr_scheduler.LinearLR(o, 0.5, 1.0, 2), lr_scheduler.CosineAnnealingLR(o, 5)]
        return lr_scheduler.SequentialLR(o, parts, [2])

    straight, stopped, resumed = make(), make(), make()
    expected = curve(straight, 6)
    curve(stopped, 3)
    resumed.load_state_dict(stopped.state_dict())
    assert curve(resumed, 3)[1:] == expected[4:]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda o: lr_scheduler.StepLR(o, 0), "StepLR: step_size out of range: 0; must be positive"),
        (lambda o: lr_scheduler.CosineAnnealingLR(o, 0), "CosineAnnealingLR: T_max out of range: 0"),
        (lambda o: lr_scheduler.LambdaLR(o, [abs, abs]), "LambdaLR: wrong number of functions: 2, the optimizer has 1 groups"),
        (
            lambda o: lr_scheduler.SequentialLR(o, [lr_scheduler.StepLR(o, 1)], [3]),
            r"SequentialLR: milestones do not fit: \[3\] for 1 schedules",
        ),
        (lambda o: lr_scheduler.SequentialLR(o, [lr_scheduler.StepLR(optimizer(), 1)], []), "SequentialLR: a scheduler belongs to another"),
        (lambda o: lr_scheduler.OneCycleLR(o, 1.0), r"OneCycleLR: total_steps \(or epochs and steps_per_epoch\) out of range: 0"),
        (lambda o: lr_scheduler.OneCycleLR(o, 1.0, 10, pct_start=2.0), "OneCycleLR: pct_start out of range: 2.0"),
        (lambda o: lr_scheduler.OneCycleLR(o, 1.0, 10, anneal_strategy="x"), "OneCycleLR: unknown anneal_strategy: 'x'"),
    ],
)
def test_errors(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(optimizer())


def test_a_schedule_of_what_is_no_optimiser() -> None:
    with pytest.raises(TypeError, match="StepLR: not an optimiser: Linear"):
        lr_scheduler.StepLR(pe.nn.Linear(1, 1), 3)  # type: ignore[arg-type]
