"""Helpers for training: clipping of gradients, and parameters as one vector."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyengine import ops
from pyengine.autograd import no_grad
from pyengine.creation import zeros
from pyengine.tensor import Tensor

__all__ = ["clip_grad_norm_", "clip_grad_value_", "get_total_norm", "parameters_to_vector", "vector_to_parameters"]


def get_total_norm(tensors: Iterable[Tensor], norm_type: float = 2.0, error_if_nonfinite: bool = False) -> Tensor:
    """(Σ |x|^p)^(1/p) over all elements of all tensors, p = ``norm_type``; max |x| for ``inf``. Rank 0, on no tape."""
    norms: list[Tensor] = []
    with no_grad():
        for tensor in tensors:
            norms.append(_norm(ops.reshape(tensor, (-1,)), norm_type))
        total = _norm(ops.stack(norms), norm_type) if norms else zeros(())
    if error_if_nonfinite and not ops.isfinite(total):
        raise ValueError(f"get_total_norm: norm is not finite: {total.item()}; pass error_if_nonfinite=False to clip all the same")
    return total


def _norm(x: Tensor, p: float) -> Tensor:
    size = ops.abs(x.astype("float32") if x.dtype.itemsize == 2 else x)
    if p == float("inf"):
        return ops.max(size) if x.size else zeros((), dtype=size.dtype, device=size.device)
    return ops.sqrt(ops.sum(size * size)) if p == 2 else ops.sum(size**p) ** (1 / p)


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """g ← g min(1, max_norm / (‖g‖ + 1e-6)), ‖g‖ being the norm of all gradients together, which is returned.

    Source: Pascanu et al. 2013, On the difficulty of training recurrent neural networks, algorithm 1; the 1e-6 is PyTorch's.
    """
    holders = _with_gradient(parameters)
    total = get_total_norm((gradient for _, gradient in holders), norm_type, error_if_nonfinite)
    scale = min(max_norm / (total.item() + 1e-6), 1.0) if holders else 1.0
    with no_grad():
        for parameter, gradient in holders if scale != 1.0 else ():
            parameter.grad = gradient * scale
    return total


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """g ← min(max(g, -clip_value), clip_value), for every element of every gradient."""
    with no_grad():
        for parameter, gradient in _with_gradient(parameters):
            parameter.grad = ops.clip(gradient, -clip_value, clip_value)


def _with_gradient(parameters: Tensor | Iterable[Tensor]) -> list[tuple[Tensor, Tensor]]:
    listed = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    return [(parameter, parameter.grad) for parameter in listed if parameter.grad is not None]


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All elements of all tensors, in order, as one vector; differentiable."""
    return ops.concat([ops.reshape(parameter, (-1,)) for parameter in parameters])


def vector_to_parameters(vector: Tensor, parameters: Iterable[Tensor]) -> None:
    """Copies the slices of ``vector`` into the parameters. Raises ValueError if there are too many or too few elements."""
    listed: list[Any] = list(parameters)
    wanted = sum(parameter.size for parameter in listed)
    if vector.shape != (wanted,):
        raise ValueError(f"vector_to_parameters: sizes differ: vector {vector.shape}, parameters {wanted} elements; they must be equal")
    start = 0
    with no_grad():
        for parameter in listed:
            parameter[...] = ops.reshape(vector[start : start + parameter.size], parameter.shape)
            start += parameter.size
