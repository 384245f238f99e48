"""Initial values of parameters, drawn in place from the engine's random numbers (:func:`pyengine.manual_seed`).

Every function fills ``tensor``, off the tape, and returns it. For weights, fan_in is the number of inputs of one output unit:
``weight.shape[1]`` times the size of the kernel; fan_out the same with ``weight.shape[0]``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pyengine import ops
from pyengine.autograd import no_grad
from pyengine.tensor import Tensor

_SLOPE_OF_LEAKY_RELU = 0.01


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor that keeps variances through a nonlinearity: 1 (linear, conv*, sigmoid), 5/3 (tanh), √2 (relu),
    √(2 / (1 + slope²)) (leaky_relu; ``param`` is the slope, 0.01 by default), 3/4 (selu). Source: PyTorch's table; He et al. 2015, equation
    15."""
    if nonlinearity in ("linear", "sigmoid") or nonlinearity.startswith("conv"):
        return 1.0
    slope = _SLOPE_OF_LEAKY_RELU if param is None else param
    gains = {"tanh": 5 / 3, "relu": math.sqrt(2), "leaky_relu": math.sqrt(2 / (1 + slope**2)), "selu": 0.75}
    if nonlinearity not in gains:
        raise ValueError(f"calculate_gain: unknown nonlinearity: {nonlinearity!r}; must be linear, conv*, sigmoid, {', '.join(gains)}")
    return gains[nonlinearity]


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Every element ``val``."""
    return _fill(tensor, val)


def zeros_(tensor: Tensor) -> Tensor:
    """Every element 0."""
    return _fill(tensor, 0)


def ones_(tensor: Tensor) -> Tensor:
    """Every element 1."""
    return _fill(tensor, 1)


def eye_(tensor: Tensor) -> Tensor:
    """The identity: 1 on the diagonal of a matrix, 0 elsewhere."""
    if tensor.ndim != 2:
        raise ValueError(f"eye_: not a matrix: shape {tensor.shape}; must have rank 2")
    return _fill(tensor, np.eye(*tensor.shape, dtype=np.float32))


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """U(a, b): every element uniform in [a, b)."""
    return _fill(tensor, ops.uniform(tensor.shape, a, b, dtype=_drawn_dtype(tensor)))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """N(mean, std²)."""
    return _fill(tensor, ops.normal(tensor.shape, mean, std, dtype=_drawn_dtype(tensor)))


def trunc_normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0) -> Tensor:
    """N(mean, std²) given that it lies in [a, b].

    By rejection: of normal draws where enough of them lie inside, otherwise of uniform draws on [a, b] kept with probability density /
    peak. Source: Robert 1995, Simulation of truncated normal variables, section 2.
    """
    if not (a < b and std > 0):
        raise ValueError(f"trunc_normal_: empty distribution: a {a}, b {b}, std {std}; a must be below b and std positive")
    dtype = _drawn_dtype(tensor)

    def normals() -> tuple[Tensor, Tensor]:
        values = ops.normal(tensor.shape, mean, std, dtype=dtype)
        return values, (values < a) | (values > b)

    def uniforms() -> tuple[Tensor, Tensor]:
        values = ops.uniform(tensor.shape, a, b, dtype=dtype)
        peak = min(max(a, mean), b)
        log_density = ((peak - mean) ** 2 - (values - mean) ** 2) / (2 * std**2)
        return values, ops.log(ops.uniform(tensor.shape, 0.0, 1.0, dtype=dtype)) > log_density

    inside = (math.erf((b - mean) / (std * math.sqrt(2))) - math.erf((a - mean) / (std * math.sqrt(2)))) / 2
    draw = normals if inside > 0.3 else uniforms
    with no_grad():
        values, rejected = draw()
        while ops.any(rejected):
            again, rejected_again = draw()
            values, rejected = ops.where(rejected, again, values), rejected & rejected_again
    return _fill(tensor, values)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """U(-a, a) with a = gain √(6 / (fan_in + fan_out)). Source: Glorot & Bengio 2010, equation 16."""
    bound = gain * math.sqrt(6 / sum(_fans("xavier_uniform_", tensor)))
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """N(0, σ²) with σ = gain √(2 / (fan_in + fan_out)). Source: Glorot & Bengio 2010, section 4.2."""
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(_fans("xavier_normal_", tensor))))


def kaiming_uniform_(tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> Tensor:
    """U(-b, b) with b = gain √(3 / fan); ``a`` is the slope of a leaky ReLU. Source: He et al. 2015, section 2.2."""
    if tensor.size == 0:
        return tensor
    bound = calculate_gain(nonlinearity, a) * math.sqrt(3 / _fan("kaiming_uniform_", tensor, mode))
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> Tensor:
    """N(0, σ²) with σ = gain / √fan; ``a`` is the slope of a leaky ReLU. Source: He et al. 2015, section 2.2."""
    if tensor.size == 0:
        return tensor
    return normal_(tensor, 0.0, calculate_gain(nonlinearity, a) / math.sqrt(_fan("kaiming_normal_", tensor, mode)))


def orthogonal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """gain Q, where Q, of shape (shape[0], rest), has orthonormal rows or, if it is taller than wide, columns; uniform over all such
    matrices.

    Source: Saxe et al. 2014; Mezzadri 2007, How to generate random matrices from the classical compact groups, section 5 (the signs).
    """
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_: not a matrix: shape {tensor.shape}; must have rank 2 or more")
    if tensor.size == 0:
        return tensor
    rows, columns = tensor.shape[0], tensor.size // tensor.shape[0]
    normal = ops.normal((max(rows, columns), min(rows, columns)), 0.0, 1.0, dtype="float64").numpy()
    q, r = np.linalg.qr(normal)
    q *= np.sign(np.diagonal(r))
    return _fill(tensor, (gain * (q if rows >= columns else q.T)).reshape(tensor.shape))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """The identity as a convolution's weight: output channel i copies input channel i of its group, through the middle of the kernel."""
    if tensor.ndim not in (3, 4, 5) or tensor.shape[0] % groups:
        raise ValueError(
            f"dirac_: not a convolution's weight: shape {tensor.shape}, groups {groups}; "
            "must have rank 3, 4 or 5, shape[0] divisible by groups"
        )
    out_channels = tensor.shape[0] // groups
    values = np.zeros(tensor.shape, dtype=np.float32)
    middle: list[Any] = [size // 2 for size in tensor.shape[2:]]
    for channel in range(min(out_channels, tensor.shape[1])):
        values[(slice(channel, None, out_channels), channel, *middle)] = 1
    return _fill(tensor, values)


def _fill(tensor: Tensor, values: Any) -> Tensor:
    with no_grad():
        tensor[...] = values
    return tensor


def _drawn_dtype(tensor: Tensor) -> Any:
    """16-bit floats are drawn as float32 and rounded."""
    return tensor.dtype if tensor.dtype.itemsize > 2 else "float32"


def _fans(op: str, tensor: Tensor) -> tuple[int, int]:
    if tensor.ndim < 2:
        raise ValueError(f"{op}: fans are not defined: shape {tensor.shape}; must have rank 2 or more")
    kernel = math.prod(tensor.shape[2:])
    return tensor.shape[1] * kernel, tensor.shape[0] * kernel


def _fan(op: str, tensor: Tensor, mode: str) -> int:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"{op}: unknown mode: {mode!r}; must be 'fan_in' or 'fan_out'")
    return _fans(op, tensor)[mode == "fan_out"]
