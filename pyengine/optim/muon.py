"""Muon: momentum, orthogonalised."""

from __future__ import annotations

import math
from typing import Any

from pyengine import ops
from pyengine.optim.optimizer import Group, Optimizer, Params, state_like
from pyengine.tensor import Tensor


class Muon(Optimizer):
    """θ ← (1 - lr λ) θ - lr r O(u), for matrices θ: O(u) = U Vᵀ, nearly, where u = U S Vᵀ is the momentum: all its singular values become
    about 1.

    b ← momentum b + g;  u = g + momentum b if ``nesterov``, else b. ``adjust_lr_fn``: r = √max(1, rows / columns) ('original', the
    default), or 0.2 √max(rows, columns) ('match_rms_adamw', so that AdamW's learning rates fit). Embeddings, output layers, biases and
    gains belong to AdamW: give Muon the hidden matrices, and the rest to an AdamW of its own. State: ``momentum_buffer``. Source: Jordan et
    al. 2024, Muon: an optimizer for hidden layers; Liu et al. 2025, Muon is scalable for LLM training, equation 4.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        settings = {
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, dict(lr=lr, weight_decay=weight_decay, **settings))

    def _check_group(self, group: Group) -> None:
        super()._check_group(group)
        if group["adjust_lr_fn"] not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Muon: unknown adjust_lr_fn: {group['adjust_lr_fn']!r}; must be 'original' or 'match_rms_adamw'")
        for parameter in group["params"]:
            if parameter.ndim != 2:
                raise ValueError(f"Muon: not a matrix: a parameter of shape {parameter.shape}; give parameters of other ranks to AdamW")

    def _update(self, parameter: Tensor, gradient: Tensor, group: Group, state: dict[str, Any]) -> None:
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = state_like(parameter)
        buffer, momentum = state["momentum_buffer"], group["momentum"]
        buffer *= momentum
        buffer += gradient
        direction = gradient + momentum * buffer if group["nesterov"] else buffer
        direction = orthogonalize(direction, group["ns_steps"], group["ns_coefficients"], group["eps"])
        rows, columns = parameter.shape
        adamw_like = group["adjust_lr_fn"] == "match_rms_adamw"
        ratio = 0.2 * math.sqrt(max(rows, columns)) if adamw_like else math.sqrt(max(1, rows / columns))
        parameter[...] = (1 - group["lr"] * group["weight_decay"]) * parameter - group["lr"] * ratio * direction


def orthogonalize(x: Tensor, steps: int, coefficients: tuple[float, float, float], eps: float) -> Tensor:
    """U S' Vᵀ for x = U S Vᵀ, S' near the identity: Newton-Schulz iterations x ← a x + b (x xᵀ) x + c (x xᵀ)² x of x / |x|.

    The quintic's slope at 0 is as large as it can be, so small singular values grow fast; S' ends in about [0.7, 1.2], not at 1.
    Source: Jordan et al. 2024; Björck & Bowie 1971 for the iteration.
    """
    a, b, c = coefficients
    wide = x.mT if x.shape[0] > x.shape[1] else x
    wide = wide / ops.maximum(ops.sqrt(ops.sum(wide * wide)), eps)
    for _ in range(steps):
        gram = wide @ wide.mT
        wide = a * wide + (b * gram + c * (gram @ gram)) @ wide
    return wide.mT if x.shape[0] > x.shape[1] else wide
