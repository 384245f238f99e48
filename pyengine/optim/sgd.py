"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from pyengine.ops.optimizer_step import StepOptions, sgd_step
from pyengine.optim.optimizer import Group, Optimizer, Params, state_like
from pyengine.tensor import Tensor


class SGD(Optimizer):
    """θ ← θ - lr g; with ``momentum`` θ ← θ - lr b, where b ← momentum b + (1 - dampening) g, or, with ``nesterov``, θ ← θ - lr (g +
    momentum b).

    ``weight_decay`` λ adds λ θ to g; ``maximize`` turns g's sign. The first b is g. State: ``momentum_buffer``.
    Source: Robbins & Monro 1951; Polyak 1964; Sutskever et al. 2013, section 2.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check_group(self, group: Group) -> None:
        super()._check_group(group)
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError(
                f"SGD: nesterov does not fit: momentum {group['momentum']}, dampening {group['dampening']}; "
                "it needs momentum, and no dampening"
            )

    def _update(self, parameter: Tensor, gradient: Tensor, group: Group, state: dict[str, Any]) -> None:
        buffer = state.get("momentum_buffer")
        dampening = group["dampening"]
        if buffer is None and group["momentum"] != 0:
            buffer = state["momentum_buffer"] = state_like(parameter)
            dampening = 0.0
        options = StepOptions(group["lr"], group["weight_decay"], group["maximize"])
        sgd_step(parameter, gradient, buffer, options, momentum=group["momentum"], dampening=dampening, nesterov=group["nesterov"])
