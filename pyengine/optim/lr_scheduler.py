"""Learning rates that change with time. Every schedule is a closed formula of t, the number of ``step()`` calls so far.

A scheduler sets ``lr`` of its optimiser's groups when it is made (t = 0) and after each ``step()``, which belongs after
``optimizer.step()``. η₀ is a group's rate when the first scheduler was made for it, kept as ``group["initial_lr"]``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from pyengine.optim.optimizer import Optimizer

__all__ = [
    "ConstantLR",
    "CosineAnnealingLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "OneCycleLR",
    "PolynomialLR",
    "SequentialLR",
    "StepLR",
]


class LRScheduler(ABC):
    """Base of the schedules. A subclass writes ``_rate``."""

    def __init__(self, optimizer: Optimizer) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(self).__name__}: not an optimiser: {type(optimizer).__name__}; pass the optimiser whose rate it sets")
        self.optimizer = optimizer
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = 0
        self._apply()

    @abstractmethod
    def _rate(self, base: float, t: int, group: int) -> float:
        """The rate of group number ``group`` after t steps; ``base`` is η₀."""

    def step(self) -> None:
        """t ← t + 1."""
        self.last_epoch += 1
        self._apply()

    def get_last_lr(self) -> list[float]:
        """The rates in use, one for each group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """All of the scheduler but its optimiser and functions."""
        return {name: value for name, value in vars(self).items() if name != "optimizer" and not callable(value)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Goes on where another scheduler of the same kind was; the rates themselves are in the optimiser's state."""
        vars(self).update({name: value for name, value in state_dict.items() if name in self.state_dict()})

    def _apply(self) -> None:
        for number, (group, base) in enumerate(zip(self.optimizer.param_groups, self.base_lrs, strict=True)):
            group["lr"] = self._rate(base, self.last_epoch, number)


class LambdaLR(LRScheduler):
    """η = η₀ f(t); one function for all groups, or one for each. Functions are not part of the state."""

    def __init__(self, optimizer: Optimizer, lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]]) -> None:
        count = len(optimizer.param_groups)
        functions = [lr_lambda] * count if callable(lr_lambda) else list(lr_lambda)
        if len(functions) != count:
            raise ValueError(
                f"LambdaLR: wrong number of functions: {len(functions)}, the optimizer has {count} groups; give one, or one for each"
            )
        self._factor: Callable[[int, int], float] = lambda group, t: functions[group](t)
        super().__init__(optimizer)

    def _rate(self, base: float, t: int, group: int) -> float:
        return base * self._factor(group, t)


class StepLR(LRScheduler):
    """η = η₀ gamma^⌊t / step_size⌋."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size = _positive("StepLR", "step_size", step_size)
        self.gamma = gamma
        super().__init__(optimizer)

    def _rate(self, base: float, t: int, group: int) -> float:
        return base * self.gamma ** (t // self.step_size)


class MultiStepLR(LRScheduler):
    """η = η₀ gamma^n, n the number of milestones ≤ t; one that is listed twice counts twice."""

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1) -> None:
        self.milestones = sorted(milestones)
        self.gamma = gamma
        super().__init__(optimizer)

    def _rate(self, base: float, t: int, group: int) -> float:
        return base * self.gamma ** bisect_right(self.milestones, t)


class ExponentialLR(LRScheduler):
    """η = η₀ gamma^t."""

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        self.gamma = gamma
        super().__init__(optimizer)

    def _rate(self, base: float, t: int, group: int) -> float:
        return base * self.gamma**t


class ConstantLR(LRScheduler):
    """η = η₀ factor while t < total_iters, then η₀."""

    def __init__(self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5) -> None:
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer)

    def _rate(self, base: float, t: int, group: int) -> float:
        return base * (self.factor if t < self.total_iters else 1)


class LinearLR(LRScheduler):
    """η = η₀ (start + (end - start) min(t / total_iters, 1)), start and end being ``start_factor`` and ``end_factor``: a warm-up, by
    default."""

    def __init__(self, optimizer: Optimizer, start_factor: float = 1 / 3, end_factor: float = 1.0, total_iters: int = 5) -> None:
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = _positive("LinearLR", "total_iters", total_iters)
        super().__init__(optimizer)

    def _rate(self, base: float, t: int, group: int) -> float:
        return base * (self.start_factor + (self.end_factor - self.start_factor) * min(t / self.total_iters, 1))


class PolynomialLR(LRScheduler):
    """η = η₀ (1 - min(t / total_iters, 1))^power."""

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0) -> None:
        self.total_iters = _positive("PolynomialLR", "total_iters", total_iters)
        self.power = power
        super().__init__(optimizer)

    def _rate(self, base: float, t: int, group: int) -> float:
        return base * math.pow(1 - min(t / self.total_iters, 1), self.power)


class CosineAnnealingLR(LRScheduler):
    """η = eta_min + (η₀ - eta_min) (1 + cos(π t / T_max)) / 2; beyond T_max it rises again. Source: Loshchilov & Hutter 2017, SGDR,
    equation 5."""

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        self.T_max = _positive("CosineAnnealingLR", "T_max", T_max)
        self.eta_min = eta_min
        super().__init__(optimizer)

    def _rate(self, base: float, t: int, group: int) -> float:
        return self.eta_min + (base - self.eta_min) * (1 + math.cos(math.pi * t / self.T_max)) / 2


class SequentialLR(LRScheduler):
    """Schedule number n while milestones[n - 1] ≤ t < milestones[n], each counting its own t from 0: a warm-up, then a decay."""

    def __init__(self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int]) -> None:
        if len(milestones) != len(schedulers) - 1 or list(milestones) != sorted(milestones):
            raise ValueError(
                f"SequentialLR: milestones do not fit: {list(milestones)} for {len(schedulers)} schedules; one between each two, ascending"
            )
        if any(scheduler.optimizer is not optimizer for scheduler in schedulers):
            raise ValueError("SequentialLR: a scheduler belongs to another optimizer; all must share the one given")
        self._schedulers = list(schedulers)
        self._milestones = list(milestones)
        super().__init__(optimizer)

    def _rate(self, base: float, t: int, group: int) -> float:
        number = bisect_right(self._milestones, t)
        start = self._milestones[number - 1] if number else 0
        return self._schedulers[number]._rate(base, t - start, group)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "_schedulers": [scheduler.state_dict() for scheduler in self._schedulers]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        super().load_state_dict({name: value for name, value in state_dict.items() if name != "_schedulers"})
        for scheduler, state in zip(self._schedulers, state_dict["_schedulers"], strict=True):
            scheduler.load_state_dict(state)


class OneCycleLR(LRScheduler):
    """η rises from max_lr / div_factor to max_lr over the first ``pct_start`` of ``total_steps``, then falls to (max_lr / div_factor) /
    final_div_factor.

    ``anneal_strategy`` 'cos' or 'linear' joins the two ends. ``three_phase``: it falls to the first rate as fast as it rose, then to the
    last. With ``cycle_momentum``, momentum (Adam: β1) goes the other way, from max_momentum to base_momentum and back. Source: Smith &
    Topin 2019, Super-convergence, section 3.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        cycle_momentum: bool = True,
        base_momentum: float = 0.85,
        max_momentum: float = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
    ) -> None:
        steps = total_steps if total_steps is not None else (epochs or 0) * (steps_per_epoch or 0)
        self.total_steps = _positive("OneCycleLR", "total_steps (or epochs and steps_per_epoch)", steps)
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"OneCycleLR: unknown anneal_strategy: {anneal_strategy!r}; must be 'cos' or 'linear'")
        if not 0 <= pct_start <= 1:
            raise ValueError(f"OneCycleLR: pct_start out of range: {pct_start}; must be in [0, 1]")
        self.max_lrs = [max_lr] * len(optimizer.param_groups) if isinstance(max_lr, int | float) else list(max_lr)
        self.anneal_strategy = anneal_strategy
        self.cycle_momentum = cycle_momentum
        self.base_momentum, self.max_momentum = base_momentum, max_momentum
        self.div_factor, self.final_div_factor = div_factor, final_div_factor
        rise = pct_start * self.total_steps
        self._ends = [rise - 1, 2 * rise - 2, self.total_steps - 1] if three_phase else [rise - 1, self.total_steps - 1]
        if cycle_momentum and any("momentum" not in group and "betas" not in group for group in optimizer.param_groups):
            raise ValueError(
                "OneCycleLR: optimizer has no momentum: neither 'momentum' nor 'betas' in its groups; pass cycle_momentum=False"
            )
        super().__init__(optimizer)

    def step(self) -> None:
        if self.last_epoch + 1 >= self.total_steps:
            raise ValueError(f"OneCycleLR: the cycle is over: step {self.last_epoch + 1} of {self.total_steps}; make total_steps larger")
        super().step()

    def _rate(self, base: float, t: int, group: int) -> float:
        top = self.max_lrs[group]
        first = top / self.div_factor
        last = first / self.final_div_factor
        return self._between([first, top, first, last] if len(self._ends) == 3 else [first, top, last], t)

    def _between(self, levels: Sequence[float], t: int) -> float:
        """The value at t of a curve through levels[0] at 0 and levels[n + 1] at the n-th end."""
        phase = next(n for n, end in enumerate(self._ends) if t <= end or n == len(self._ends) - 1)
        start = self._ends[phase - 1] if phase else 0
        length = self._ends[phase] - start
        share = (t - start) / length if length else 1.0
        if self.anneal_strategy == "cos":
            share = (1 - math.cos(math.pi * share)) / 2
        return levels[phase] + (levels[phase + 1] - levels[phase]) * share

    def _apply(self) -> None:
        super()._apply()
        if not self.cycle_momentum:
            return
        high, low = self.max_momentum, self.base_momentum
        momentum = self._between([high, low, high, high][: len(self._ends) + 1], self.last_epoch)
        for group in self.optimizer.param_groups:
            if "betas" in group:
                group["betas"] = (momentum, *group["betas"][1:])
            else:
                group["momentum"] = momentum


def _positive(op: str, name: str, value: int) -> int:
    if value <= 0:
        raise ValueError(f"{op}: {name} out of range: {value}; must be positive")
    return value
