"""Normalisation: x is brought to mean 0 and variance 1 over some axes, then scaled and shifted by parameters."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from pyengine import _engine, dtypes, ops
from pyengine.autograd import is_grad_enabled, record
from pyengine.tensor import Tensor, as_tensor, integers

__all__ = ["batch_norm", "group_norm", "instance_norm", "layer_norm", "rms_norm", "rms_standardize", "standardize"]

Axes = tuple[int, ...]


def standardize(x: Any, /, axes: int | Axes, eps: float = 1e-5) -> Tensor:
    """y = (x - μ) / √(σ² + ε), μ and σ² the mean and (biased) variance over ``axes``.

    Shape and dtype of x, floating; statistics in float32 for 16-bit floats. The other axes must lie next to each other.
    Gradient: r (g - mean(g) - y mean(g y)), r = 1 / √(σ² + ε).
    """
    return _standardize(as_tensor(x), integers("standardize", "axes", axes), eps)[0]


def _standardize(x: Tensor, axes: Axes, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """y, and the statistics, off the tape."""
    y, mean, variance = _engine.standardize(x._array, axes, eps)
    statistics = Tensor(mean), Tensor(variance)
    return record("standardize", y, (x,), (partial(_pull_standardize, axes, eps),), (x, *statistics)), *statistics


def _pull_standardize(axes: Axes, eps: float, g: Tensor, x: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    if not is_grad_enabled():
        return Tensor(_engine.standardize_backward(g._array, x._array, mean._array, variance._array, axes, eps))
    deviation = x - _mean(x, axes)
    r = (_mean(deviation * deviation, axes) + eps) ** -0.5
    y = deviation * r
    return r * (g - _mean(g, axes) - y * _mean(g * y, axes))


def rms_standardize(x: Any, /, axes: int | Axes, eps: float = 1e-5) -> Tensor:
    """y = x / √(mean(x²) + ε) over ``axes``; :func:`standardize` without the mean.

    Gradient: r (g - y mean(g y)), r = 1 / √(mean(x²) + ε).
    """
    x = as_tensor(x)
    axes = integers("rms_standardize", "axes", axes)
    y, mean_square = _engine.rms_standardize(x._array, axes, eps)
    return record("rms_standardize", y, (x,), (partial(_pull_rms_standardize, axes, eps),), (x, Tensor(mean_square)))


def _pull_rms_standardize(axes: Axes, eps: float, g: Tensor, x: Tensor, mean_square: Tensor) -> Tensor:
    if not is_grad_enabled():
        return Tensor(_engine.rms_standardize_backward(g._array, x._array, mean_square._array, axes, eps))
    r = (_mean(x * x, axes) + eps) ** -0.5
    y = x * r
    return r * (g - y * _mean(g * y, axes))


def _mean(x: Tensor, axes: Axes) -> Tensor:
    return ops.mean(x, axis=axes, keepdims=True)


# Layers ---------------------------------------------------------------------------------------------------------------------------------


def batch_norm(
    x: Any,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """y = (x - μ_c) / √(σ²_c + ε) w_c + b_c for each channel c, x of shape (N, C, ...).

    ``training``: μ, σ² are mean and biased variance over all axes but 1, and the running ones, where given, are changed in place:
    running ← (1 - momentum) running + momentum statistic, with the unbiased variance. Else μ, σ² are the running ones, constants.
    All parameters are of shape (C,). The dtype of x; statistics in float32 for 16-bit floats. Gradient with respect to x, w and b.
    ValueError where shapes do not fit, running statistics are missing, or a channel has fewer than two values to train on.
    S. Ioffe, C. Szegedy: Batch normalization, 2015, algorithm 1. As torch.nn.functional.batch_norm.
    """
    x = as_tensor(x)
    weight, bias = _channel_parameters("batch_norm", x, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    if not training:
        return _apply_running("batch_norm", x, running_mean, running_var, weight, bias, eps)
    count = math.prod(x.shape[:1] + x.shape[2:])
    if count < 2:
        raise ValueError(f"batch_norm: too few values to train on: shape {x.shape}; every channel needs at least 2")
    y, mean, variance = _standardize(x, (0, *range(2, x.ndim)), eps)
    _update(running_mean, mean, momentum)
    _update(running_var, variance * (count / (count - 1)), momentum)
    return _affine(y, weight, bias, _channel_shape(x))


def instance_norm(
    x: Any,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """y = (x - μ_nc) / √(σ²_nc + ε) w_c + b_c for each sample n and channel c, x of shape (N, C, d1, ...).

    ``use_input_stats``: μ, σ² are mean and biased variance over the axes from 2 on, and the running ones, of shape (C,), follow the
    mean over the samples as in :func:`batch_norm`. Else μ, σ² are the running ones. Otherwise as :func:`batch_norm`.
    D. Ulyanov, A. Vedaldi, V. Lempitsky: Instance normalization, 2016. As torch.nn.functional.instance_norm.
    """
    x = as_tensor(x)
    weight, bias = _channel_parameters("instance_norm", x, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    if not use_input_stats:
        return _apply_running("instance_norm", x, running_mean, running_var, weight, bias, eps)
    count = math.prod(x.shape[2:])
    if count < 2:
        raise ValueError(f"instance_norm: too few values: shape {x.shape}; every sample's channel needs at least 2")
    y, mean, variance = _standardize(x, tuple(range(2, x.ndim)), eps)
    _update(running_mean, ops.mean(mean, axis=0), momentum)
    _update(running_var, ops.mean(variance, axis=0) * (count / (count - 1)), momentum)
    return _affine(y, weight, bias, _channel_shape(x))


def layer_norm(x: Any, normalized_shape: int | Axes, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Tensor:
    """y = (x - μ) / √(σ² + ε) w + b, μ and σ² over the last axes, whose shape is ``normalized_shape``, that of w and b as well.

    The dtype of x; statistics in float32 for 16-bit floats. Gradient with respect to x, w and b. ValueError if shapes do not fit.
    J. L. Ba, J. R. Kiros, G. E. Hinton: Layer normalization, 2016. As torch.nn.functional.layer_norm.
    """
    x = as_tensor(x)
    axes, weight, bias = _last_axes("layer_norm", x, normalized_shape, weight=weight, bias=bias)
    return _affine(standardize(x, axes, eps), weight, bias)


def rms_norm(x: Any, normalized_shape: int | Axes, weight: Any = None, eps: float | None = None) -> Tensor:
    """y = x / √(mean(x²) + ε) w over the last axes, whose shape is ``normalized_shape``; ε by default the spacing of x's dtype at 1.

    The dtype of x; mean squares in float32 for 16-bit floats. Gradient with respect to x and w. ValueError if shapes do not fit.
    B. Zhang, R. Sennrich: Root mean square layer normalization, 2019. As torch.nn.functional.rms_norm.
    """
    x = as_tensor(x)
    axes, weight = _last_axes("rms_norm", x, normalized_shape, weight=weight)
    return _affine(rms_standardize(x, axes, dtypes.finfo(x.dtype).eps if eps is None else eps), weight, None)


def group_norm(x: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Tensor:
    """y = (x - μ_ng) / √(σ²_ng + ε) w_c + b_c: the channels of each sample in ``num_groups`` groups of equal size, x (N, C, ...).

    The dtype of x; statistics in float32 for 16-bit floats. Gradient with respect to x, w and b, both (C,). ValueError if the number of
    channels is not a multiple of num_groups, or shapes do not fit. Y. Wu, K. He: Group normalization, 2018.
    """
    x = as_tensor(x)
    weight, bias = _channel_parameters("group_norm", x, weight=weight, bias=bias)
    if num_groups < 1 or x.shape[1] % num_groups:
        raise ValueError(f"group_norm: channels do not split: {x.shape[1]} into {num_groups} groups; must be a multiple")
    grouped = ops.reshape(x, (x.shape[0], num_groups, x.shape[1] // num_groups, *x.shape[2:]))
    return _affine(ops.reshape(standardize(grouped, tuple(range(2, grouped.ndim)), eps), x.shape), weight, bias, _channel_shape(x))


def _apply_running(
    op: str, x: Tensor, mean: Tensor | None, var: Tensor | None, weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    """The running statistics folded into one scale and one shift for each channel."""
    if mean is None or var is None:
        raise ValueError(f"{op}: no running statistics: mean {mean}, var {var}; both are needed where the input's own are not used")
    scale = (var + eps) ** -0.5
    scale = scale if weight is None else scale * weight
    shift = -mean * scale if bias is None else bias - mean * scale
    return _affine(x, scale, shift, _channel_shape(x))


def _affine(y: Tensor, weight: Tensor | None, bias: Tensor | None, shape: tuple[int, ...] | None = None) -> Tensor:
    """y w + b, the parameters seen in ``shape``, in y's dtype."""
    w, b = (p if p is None or shape is None else ops.reshape(p, shape) for p in (weight, bias))
    if w is not None and b is not None:
        result = ops.multiply_add(y, w, b)
    elif w is not None:
        result = y * w
    else:
        result = y if b is None else y + b
    return ops.astype(result, y.dtype, copy=False)


def _update(running: Tensor | None, statistic: Tensor, momentum: float) -> None:
    if running is not None:
        new = running.detach() * (1.0 - momentum) + ops.reshape(statistic, running.shape) * momentum
        _engine.assign(running._array, new._array)


def _channel_shape(x: Tensor) -> tuple[int, ...]:
    return (-1,) + (1,) * (x.ndim - 2)


def _channel_parameters(op: str, x: Tensor, **parameters: Any) -> tuple[Tensor | None, Tensor | None]:
    """weight and bias as Tensors, after every parameter was seen to have one value for each channel of x."""
    if x.ndim < 2:
        raise ValueError(f"{op}: no channel axis: shape {x.shape}; must be (N, C, ...)")
    _check_shapes(op, x, x.shape[1:2], parameters)
    weight, bias = parameters["weight"], parameters["bias"]
    return None if weight is None else as_tensor(weight), None if bias is None else as_tensor(bias)


def _last_axes(op: str, x: Tensor, normalized_shape: int | Axes, **parameters: Any) -> tuple[Any, ...]:
    """The axes that ``normalized_shape`` names, and the parameters as Tensors."""
    shape = integers(op, "normalized_shape", normalized_shape)
    if not shape or x.shape[-len(shape) :] != shape:
        raise ValueError(f"{op}: shapes differ: x {x.shape}, normalized_shape {shape}; the last axes of x must have that shape")
    _check_shapes(op, x, shape, parameters)
    return tuple(range(x.ndim - len(shape), x.ndim)), *(None if p is None else as_tensor(p) for p in parameters.values())


def _check_shapes(op: str, x: Tensor, shape: tuple[int, ...], parameters: dict[str, Any]) -> None:
    for name, parameter in parameters.items():
        if parameter is not None and tuple(parameter.shape) != shape:
            raise ValueError(f"{op}: {name} does not fit: {tuple(parameter.shape)} for x {x.shape}; must be {shape}")
