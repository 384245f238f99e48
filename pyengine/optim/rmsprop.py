"""RMSprop."""

from __future__ import annotations

from typing import Any

from pyengine.ops.optimizer_step import StepOptions, rmsprop_step
from pyengine.optim.optimizer import Group, Optimizer, Params, state_like
from pyengine.tensor import Tensor


class RMSprop(Optimizer):
    """θ ← θ - lr g / (√s + eps), with s ← alpha s + (1 - alpha) g², the running mean of g².

    ``centered`` subtracts the square of g's running mean from s; ``momentum`` accumulates the quotient; ``weight_decay`` λ adds λ θ to g;
    ``maximize`` turns g's sign. State: ``step``, ``square_avg``, ``momentum_buffer``, ``grad_avg``. Source: Hinton 2012, Neural Networks
    for Machine Learning, lecture 6e; centered: Graves 2013, equations 38-45.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "alpha": alpha,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "centered": centered,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check_group(self, group: Group) -> None:
        super()._check_group(group)
        if not 0 <= group["alpha"] <= 1:
            raise ValueError(f"RMSprop: alpha out of range: {group['alpha']}; must be in [0, 1]")

    def _update(self, parameter: Tensor, gradient: Tensor, group: Group, state: dict[str, Any]) -> None:
        state.setdefault("step", 0)
        wanted = {"square_avg": True, "momentum_buffer": group["momentum"] > 0, "grad_avg": group["centered"]}
        for name in (name for name, needed in wanted.items() if needed and name not in state):
            state[name] = state_like(parameter)
        rmsprop_step(
            parameter,
            gradient,
            state["square_avg"],
            state["grad_avg"] if group["centered"] else None,
            state["momentum_buffer"] if group["momentum"] > 0 else None,
            StepOptions(group["lr"], group["weight_decay"], group["maximize"]),
            alpha=group["alpha"],
            eps=group["eps"],
            momentum=group["momentum"],
        )
        state["step"] += 1
