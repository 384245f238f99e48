"""Exponentials, logarithms, trigonometric and hyperbolic functions, element by element.

Integers and booleans are taken in the default dtype, float16 and bfloat16 compute in float32 and round once. Within 3 ulp. Special values
are those of the array API standard.
"""

from __future__ import annotations

import math
from typing import Any

from pyengine.fast import fast
from pyengine.ops.activations import sigmoid
from pyengine.ops.complex import is_complex
from pyengine.ops.elementwise import add, divide, multiply, negative, of_input, of_output, of_two, reciprocal, rsqrt, square, subtract
from pyengine.tensor import Tensor

__all__ = [
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cos",
    "cosh",
    "erf",
    "exp",
    "expm1",
    "hypot",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "sin",
    "sinh",
    "tan",
]

# Exponentials and logarithms ----------------------------------------------------------------------------------------------------------


@fast("exp")
def exp(x: Any, /) -> Tensor:
    """``e^x``. Gradient: ``g exp(x)``."""
    return of_output("exp", x, lambda g, y: multiply(g, y))


@fast("expm1")
def expm1(x: Any, /) -> Tensor:
    """``e^x - 1``, to full precision near 0. Gradient: ``g exp(x)``."""
    return of_output("expm1", x, lambda g, y: multiply(g, add(y, 1)))


@fast("log")
def log(x: Any, /) -> Tensor:
    """The natural logarithm; -Inf at 0, NaN below. Gradient: ``g / x``."""
    return of_input("log", x, lambda g, x: divide(g, x))


@fast("log1p")
def log1p(x: Any, /) -> Tensor:
    """``log(1 + x)``, to full precision near 0. Gradient: ``g / (1 + x)``."""
    return of_input("log1p", x, lambda g, x: divide(g, add(x, 1)))


@fast("log2")
def log2(x: Any, /) -> Tensor:
    """The logarithm to base 2. Gradient: ``g / (x ln 2)``."""
    return of_input("log2", x, lambda g, x: divide(g, multiply(x, math.log(2))))


@fast("log10")
def log10(x: Any, /) -> Tensor:
    """The logarithm to base 10. Gradient: ``g / (x ln 10)``."""
    return of_input("log10", x, lambda g, x: divide(g, multiply(x, math.log(10))))


@fast("logaddexp")
def logaddexp(x1: Any, x2: Any, /) -> Tensor:
    """``log(e^x1 + e^x2)``, without overflow. Gradients: ``g sigmoid(x1 - x2)``, ``g sigmoid(x2 - x1)``."""
    return of_two(
        "logaddexp",
        x1,
        x2,
        lambda g, a, b: multiply(g, sigmoid(subtract(a, b))),
        lambda g, a, b: multiply(g, sigmoid(subtract(b, a))),
    )


# Trigonometric functions, in radians --------------------------------------------------------------------------------------------------


@fast("sin")
def sin(x: Any, /) -> Tensor:
    """The sine. Gradient: ``g cos(x)``."""
    return of_input("sin", x, lambda g, x: multiply(g, cos(x)))


@fast("cos")
def cos(x: Any, /) -> Tensor:
    """The cosine. Gradient: ``-g sin(x)``."""
    return of_input("cos", x, lambda g, x: negative(multiply(g, sin(x))))


@fast("tan")
def tan(x: Any, /) -> Tensor:
    """The tangent. Gradient: ``g (1 + tan(x)^2)``."""
    return of_output("tan", x, lambda g, y: multiply(g, add(square(y), 1)))


@fast("asin")
def asin(x: Any, /) -> Tensor:
    """The arc sine, in [-pi/2, pi/2]; NaN outside [-1, 1]. Gradient: ``g / sqrt(1 - x^2)``."""
    return of_input("asin", x, lambda g, x: multiply(g, rsqrt(multiply(subtract(1, x), add(x, 1)))))


@fast("acos")
def acos(x: Any, /) -> Tensor:
    """The arc cosine, in [0, pi]; NaN outside [-1, 1]. Gradient: ``-g / sqrt(1 - x^2)``."""
    return of_input("acos", x, lambda g, x: negative(multiply(g, rsqrt(multiply(subtract(1, x), add(x, 1))))))


@fast("atan")
def atan(x: Any, /) -> Tensor:
    """The arc tangent, in [-pi/2, pi/2]. Gradient: ``g / (1 + x^2)``."""
    return of_input("atan", x, lambda g, x: divide(g, add(square(x), 1)))


@fast("atan2")
def atan2(x1: Any, x2: Any, /) -> Tensor:
    """The angle of the point (x2, x1), in [-pi, pi]. Gradients: ``g x2 / r^2``, ``-g x1 / r^2`` with ``r^2 = x1^2 + x2^2``."""
    return of_two(
        "atan2",
        x1,
        x2,
        lambda g, a, b: divide(multiply(g, b), add(square(a), square(b))),
        lambda g, a, b: negative(divide(multiply(g, a), add(square(a), square(b)))),
    )


@fast("hypot")
def hypot(x1: Any, x2: Any, /) -> Tensor:
    """``sqrt(x1^2 + x2^2)``, without overflow on the way. Gradients: ``g x1 / y``, ``g x2 / y``; NaN at the origin."""
    return of_two("hypot", x1, x2, lambda g, a, b: multiply(g, divide(a, hypot(a, b))), lambda g, a, b: multiply(g, divide(b, hypot(a, b))))


# Hyperbolic functions; tanh is in activations.py --------------------------------------------------------------------------------------


@fast("sinh")
def sinh(x: Any, /) -> Tensor:
    """``(e^x - e^-x) / 2``. Gradient: ``g cosh(x)``."""
    return of_input("sinh", x, lambda g, x: multiply(g, cosh(x)))


@fast("cosh")
def cosh(x: Any, /) -> Tensor:
    """``(e^x + e^-x) / 2``. Gradient: ``g sinh(x)``."""
    return of_input("cosh", x, lambda g, x: multiply(g, sinh(x)))


@fast("asinh")
def asinh(x: Any, /) -> Tensor:
    """The inverse of sinh. Gradient: ``g / sqrt(x^2 + 1)``."""
    return of_input("asinh", x, lambda g, x: multiply(g, rsqrt(add(square(x), 1))) if is_complex(x) else divide(g, hypot(x, 1)))


@fast("acosh")
def acosh(x: Any, /) -> Tensor:
    """The inverse of cosh on [0, Inf]; NaN below 1. Gradient: ``g / sqrt(x^2 - 1)``."""
    return of_input("acosh", x, lambda g, x: multiply(g, multiply(rsqrt(subtract(x, 1)), rsqrt(add(x, 1)))))


@fast("atanh")
def atanh(x: Any, /) -> Tensor:
    """The inverse of tanh; NaN outside [-1, 1]. Gradient: ``g / (1 - x^2)``."""
    return of_input("atanh", x, lambda g, x: multiply(g, reciprocal(multiply(subtract(1, x), add(x, 1)))))


@fast("erf")
def erf(x: Any, /) -> Tensor:
    """``2 / sqrt(pi) int_0^x exp(-t^2) dt``. Gradient: ``g 2 / sqrt(pi) exp(-x^2)``."""
    return of_input("erf", x, lambda g, x: multiply(g, multiply(exp(negative(square(x))), 2 / math.sqrt(math.pi))))
