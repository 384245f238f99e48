"""Activation functions, element by element; floats, integers are taken in the default dtype (but for relu).

The gradient of each is one fused kernel, itself an op with a gradient. float16 and bfloat16 compute in float32 and round once.
"""

from __future__ import annotations

import math
from typing import Any

from pyengine import _engine, ops
from pyengine.autograd import record
from pyengine.fast import fast
from pyengine.ops.complex import is_complex
from pyengine.ops.elementwise import add, multiply, of_input, of_output, square, subtract
from pyengine.ops.selection import where
from pyengine.tensor import Tensor, as_tensor

__all__ = ["elu", "gelu", "leaky_relu", "relu", "sigmoid", "silu", "softplus", "tanh"]


def _backward(name: str, g: Tensor, saved: Tensor, slope: Any) -> Tensor:
    """``g f'``, fused; ``slope(saved)`` is the derivative of f' by what was saved, or None where it is 0."""
    array = getattr(_engine, f"{name}_backward")(g._array, saved._array)
    to_g = lambda gg, g, saved: _backward(name, gg, saved, slope)  # noqa: E731
    to_saved = None if slope is None else lambda gg, g, saved: multiply(multiply(gg, g), slope(saved))
    result: Tensor = record(f"{name}_backward", array, (g, saved), (to_g, to_saved), (g, saved))
    return result


@fast("relu")
def relu(x: Any, /) -> Tensor:
    """``max(x, 0)``, integers included. Gradient: g where x > 0, 0 elsewhere. TypeError for booleans."""
    return of_output("relu", x, lambda g, y: _backward("relu", g, y, None))


@fast("sigmoid")
def sigmoid(x: Any, /) -> Tensor:
    """``s(x) = 1 / (1 + e^-x)``; within 3 ulp, for large negative x, too. Gradient: ``g s (1 - s)``."""
    return of_output("sigmoid", x, lambda g, y: _backward("sigmoid", g, y, lambda y: subtract(1, multiply(y, 2))))


@fast("tanh")
def tanh(x: Any, /) -> Tensor:
    """``(e^x - e^-x) / (e^x + e^-x)``; within 3 ulp. Gradient: ``g (1 - tanh(x)^2)``."""
    return of_output("tanh", x, _tanh_vjp)


def _tanh_vjp(g: Tensor, y: Tensor) -> Tensor:
    if is_complex(y):
        return multiply(g, subtract(1, square(y)))
    return _backward("tanh", g, y, lambda y: multiply(y, -2))


@fast("silu")
def silu(x: Any, /) -> Tensor:
    """``x s(x)``, s the sigmoid: SiLU, or swish; 0 at -Inf; within 4 ulp. Gradient: ``g (s + x s (1 - s))``.

    Source: Elfwing, Uchibe, Doya, Sigmoid-weighted linear units for neural network function approximation, 2018, section 2.2.
    """
    return of_input("silu", x, lambda g, x: _backward("silu", g, x, _silu_curvature))


def _silu_curvature(x: Tensor) -> Tensor:
    s, rest = sigmoid(x), sigmoid(ops.negative(x))
    return multiply(multiply(s, rest), add(multiply(x, subtract(rest, s)), 2))


@fast("gelu")
def gelu(x: Any, /, *, approximate: str = "none") -> Tensor:
    """``x P(x)``, P the distribution function of the standard normal; 0 at -Inf. Gradient: ``g (P(x) + x p(x))``, p its density.

    ``approximate="tanh"``: ``x (1 + tanh(u)) / 2`` with ``u = sqrt(2 / pi) (x + 0.044715 x^3)``. Within 8 ulp, and x^2 more for negative x;
    3 ulp, and 6 |u| more. ValueError for another name.
    Source: Hendrycks, Gimpel, Gaussian error linear units, 2016, section 2.
    """
    if approximate == "none":
        return of_input("gelu", x, lambda g, x: _backward("gelu", g, x, _gelu_curvature))
    if approximate == "tanh":
        return of_input("gelu_tanh", x, lambda g, x: _backward("gelu_tanh", g, x, _gelu_tanh_curvature))
    raise ValueError(f"gelu: no such approximation: {approximate!r}; must be 'none' or 'tanh'")


def _gelu_curvature(x: Tensor) -> Tensor:
    """``p(x) (2 - x^2)``."""
    density = multiply(ops.exp(multiply(square(x), -0.5)), 1 / math.sqrt(2 * math.pi))
    return multiply(density, subtract(2, square(x)))


def _gelu_tanh_curvature(x: Tensor) -> Tensor:
    """``2 s' u' + x (s'' u'^2 + s' u'')`` for ``f = x s(u)``, with u twice the u above."""
    linear, cubic = 2 * math.sqrt(2 / math.pi), 2 * math.sqrt(2 / math.pi) * 0.044715
    u = multiply(x, add(multiply(square(x), cubic), linear))
    u1 = add(multiply(square(x), 3 * cubic), linear)
    s, rest = sigmoid(u), sigmoid(ops.negative(u))
    bent = add(multiply(multiply(subtract(rest, s), square(u1)), x), multiply(square(x), 6 * cubic))
    return multiply(multiply(s, rest), add(multiply(u1, 2), bent))


@fast("softplus")
def softplus(x: Any, /) -> Tensor:
    """``log(1 + e^x)``, without overflow; within 3 ulp. Gradient: ``g s(x)``, s the sigmoid."""
    return of_input("softplus", x, lambda g, x: _backward("softplus", g, x, lambda x: multiply(sigmoid(x), sigmoid(ops.negative(x)))))


def leaky_relu(x: Any, /, negative_slope: float = 0.01) -> Tensor:
    """``x`` where x > 0, ``negative_slope x`` elsewhere. Gradient: g, or ``negative_slope g``.

    Source: Maas, Hannun, Ng, Rectifier nonlinearities improve neural network acoustic models, 2013, section 2.
    """
    x = as_tensor(x)
    positive = ops.greater(x, 0)
    return where(positive, x, multiply(x, negative_slope))


def elu(x: Any, /, alpha: float = 1.0) -> Tensor:
    """``x`` where x > 0, ``alpha (e^x - 1)`` elsewhere. Gradient: g, or ``g alpha e^x``.

    Source: Clevert, Unterthiner, Hochreiter, Fast and accurate deep network learning by exponential linear units, 2016, equation 15.
    """
    x = as_tensor(x)
    # expm1 sees no positive x: where it overflowed, its gradient would be 0 times Inf.
    positive = ops.greater(x, 0)
    return where(positive, x, multiply(ops.expm1(where(positive, 0, x)), alpha))
