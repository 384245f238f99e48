"""Adam, and AdamW, its variant with decoupled weight decay."""

from __future__ import annotations

from typing import Any

from pyengine.ops.optimizer_step import StepOptions, adam_step
from pyengine.optim.optimizer import Group, Optimizer, Params, state_like
from pyengine.tensor import Tensor


class Adam(Optimizer):
    """θ ← θ - lr m̂ / (√v̂ + eps), with m and v the running means of g and g², and m̂ = m / (1 - β1^t), v̂ = v / (1 - β2^t).

    ``weight_decay`` λ adds λ θ to g (an L2 penalty); ``amsgrad`` takes the largest v so far; ``maximize`` turns g's sign.
    State: ``step``, ``exp_avg`` m, ``exp_avg_sq`` v, ``max_exp_avg_sq``. Source: Kingma & Ba 2015, algorithm 1; Reddi et al. 2018.
    """

    _decoupled_weight_decay = False

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad, "maximize": maximize}
        )

    def _update(self, parameter: Tensor, gradient: Tensor, group: Group, state: dict[str, Any]) -> None:
        if not state:
            state.update(step=0, exp_avg=state_like(parameter), exp_avg_sq=state_like(parameter))
        if group["amsgrad"] and "max_exp_avg_sq" not in state:
            state["max_exp_avg_sq"] = state_like(parameter)
        adam_step(
            parameter,
            gradient,
            state["exp_avg"],
            state["exp_avg_sq"],
            state["max_exp_avg_sq"] if group["amsgrad"] else None,
            StepOptions(group["lr"], group["weight_decay"], group["maximize"]),
            step=state["step"] + 1,
            betas=group["betas"],
            eps=group["eps"],
            decoupled_weight_decay=self._decoupled_weight_decay,
        )
        state["step"] += 1


class AdamW(Adam):
    """:class:`Adam`, but weight decay shrinks θ itself, θ ← (1 - lr λ) θ, and stays out of m and v. Source: Loshchilov & Hutter 2019,
    algorithm 2."""

    _decoupled_weight_decay = True

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)
