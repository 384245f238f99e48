"""Arithmetic, element by element, under NumPy's broadcasting.

Dtypes promote as the array API standard has it within a kind, as PyTorch has it across kinds; Python scalars are weakly typed. Integers
wrap. float16 and bfloat16 compute in float32 and round once; +, -, *, / and sqrt are correctly rounded. Special values are those of the
standard. ValueError if shapes cannot be broadcast, TypeError where an op is not defined for a dtype.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyengine import _engine, creation, dtypes, ops
from pyengine.autograd import OUTPUT, kept, record
from pyengine.fast import fast
from pyengine.ops.complex import by_parts, conj, holomorphic, is_complex, real
from pyengine.tensor import Tensor, as_tensor, coerce

__all__ = [
    "abs",
    "add",
    "ceil",
    "copysign",
    "divide",
    "floor",
    "floor_divide",
    "multiply",
    "negative",
    "nextafter",
    "positive",
    "pow",
    "reciprocal",
    "remainder",
    "round",
    "rsqrt",
    "sign",
    "sqrt",
    "square",
    "subtract",
    "trunc",
]

Vjp = Callable[..., Tensor]


def of_input(name: str, x: Any, vjp: Vjp) -> Tensor:
    """The engine's unary op ``name``; its gradient is ``vjp(g, x)``."""
    x = as_tensor(x)
    result: Tensor = record(name, getattr(_engine, name)(x._array), (x,), (holomorphic(vjp, x),), (x,))
    return result


def of_output(name: str, x: Any, vjp: Vjp) -> Tensor:
    """The engine's unary op ``name``; its gradient is ``vjp(g, y)``, y the result."""
    x = as_tensor(x)
    result: Tensor = record(name, getattr(_engine, name)(x._array), (x,), (holomorphic(vjp, x),), (OUTPUT,))
    return result


def of_two(name: str, a: Any, b: Any, a_vjp: Vjp, b_vjp: Vjp) -> Tensor:
    """The engine's binary op ``name``; its gradients are ``a_vjp(g, a, b)`` and ``b_vjp(g, a, b)``."""
    a, b = coerce(a, b)
    result: Tensor = record(name, getattr(_engine, name)(a._array, b._array), (a, b), (a_vjp, b_vjp), (a, b))
    return result


def zero_gradient(g: Tensor, *_: Tensor) -> Tensor:
    """For steps: the derivative is 0 wherever it exists."""
    return creation.zeros_like(g)


# Sums and products --------------------------------------------------------------------------------------------------------------------


@fast("add")
def add(x1: Any, x2: Any, /) -> Tensor:
    """``x1 + x2``; of booleans their or. Gradients: g, g."""
    a, b = coerce(x1, x2)
    result: Tensor = record("add", _engine.add(a._array, b._array), (a, b), (lambda g: g, lambda g: g))
    return result


@fast("subtract")
def subtract(x1: Any, x2: Any, /) -> Tensor:
    """``x1 - x2``. Gradients: g, -g. TypeError for booleans."""
    a, b = coerce(x1, x2)
    result: Tensor = record("subtract", _engine.subtract(a._array, b._array), (a, b), (lambda g: g, negative))
    return result


@fast("multiply")
def multiply(x1: Any, x2: Any, /) -> Tensor:
    """``x1 x2``; of booleans their and. Gradients: ``g conj(x2)``, ``g conj(x1)``."""
    a, b = coerce(x1, x2)
    vjps = (lambda g, a, b: multiply(g, conj(b)), lambda g, a, b: multiply(g, conj(a)))
    result: Tensor = record("multiply", _engine.multiply(a._array, b._array), (a, b), vjps, (kept(a, b), kept(b, a)))
    return result


@fast("divide")
def divide(x1: Any, x2: Any, /) -> Tensor:
    """``x1 / x2``; integers in the default dtype. Gradients: ``g / x2``, ``-g x1 / x2^2``."""
    a, b = coerce(x1, x2)
    vjps = (lambda g, a, b: divide(g, conj(b)), lambda g, a, b: negative(divide(multiply(g, conj(divide(a, b))), conj(b))))
    result: Tensor = record("divide", _engine.divide(a._array, b._array), (a, b), vjps, (kept(a, b), b))
    return result


@fast("floor_divide")
def floor_divide(x1: Any, x2: Any, /) -> Tensor:
    """``floor(x1 / x2)``; integers by 0 give 0. Gradients: 0. TypeError for booleans."""
    return of_two("floor_divide", x1, x2, zero_gradient, zero_gradient)


@fast("remainder")
def remainder(x1: Any, x2: Any, /) -> Tensor:
    """``x1 - x2 floor(x1 / x2)``, with the sign of x2; integers by 0 give 0. TypeError for booleans.

    Gradients: ``g``, ``-g floor(x1 / x2)``.
    """
    return of_two("remainder", x1, x2, lambda g, a, b: g, lambda g, a, b: negative(multiply(g, floor_divide(a, b))))


@fast("negative")
def negative(x: Any, /) -> Tensor:
    """``-x``. Gradient: -g. TypeError for booleans."""
    x = as_tensor(x)
    result: Tensor = record("negative", _engine.negative(x._array), (x,), (negative,))
    return result


@fast("positive")
def positive(x: Any, /) -> Tensor:
    """``+x``: a copy. Gradient: g. TypeError for booleans."""
    x = as_tensor(x)
    if x.dtype is dtypes.bool_:
        raise TypeError("positive: dtype not supported: bool; must be an integer or a float")
    return ops.copy(x)


# Powers -------------------------------------------------------------------------------------------------------------------------------


@fast("square")
def square(x: Any, /) -> Tensor:
    """``x^2``. Gradient: ``2 g x``. TypeError for booleans."""
    return of_input("square", x, lambda g, x: multiply(g, multiply(x, 2)))


@fast("pow")
def pow(x1: Any, x2: Any, /) -> Tensor:
    """``x1^x2``.

    Integers to a negative power are truncated: 0 for all bases but 1 and -1. Gradients: ``g x2 x1^(x2 - 1)``, 0 where x2 is 0; and
    ``g x1^x2 log(x1)``, 0 where x1 is 0 and x2 is not negative, NaN for negative x1. TypeError for booleans.
    """
    if isinstance(x2, int | float) and not isinstance(x2, bool):
        return _power(as_tensor(x1), x2)
    a, b = coerce(x1, x2)
    result: Tensor = record("pow", _engine.pow(a._array, b._array), (a, b), (_pow_base_vjp, _pow_exponent_vjp), (a, b))
    return result


def _power(x: Tensor, n: int | float) -> Tensor:
    """A constant power, whose derivative has no edge cases."""
    if n == 2 and (isinstance(n, int) or dtypes.is_floating(x.dtype)):
        return square(x)
    exponent = coerce(x, n)[1]

    def vjp(g: Tensor, x: Tensor) -> Tensor:
        return zero_gradient(g) if n == 0 else multiply(g, multiply(_power(x, n - 1), n))

    result: Tensor = record("pow", _engine.pow(x._array, exponent._array), (x,), (holomorphic(vjp, x),), (x,))
    return result


def _pow_base_vjp(g: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return multiply(g, conj(ops.where(ops.equal(b, 0), 0.0, multiply(b, pow(a, subtract(b, 1))))))


def _pow_exponent_vjp(g: Tensor, a: Tensor, b: Tensor) -> Tensor:
    no_slope = ops.logical_and(ops.equal(a, 0), ops.greater_equal(real(b), 0))
    base = ops.astype(a, dtypes.promote(a.dtype, b.dtype), copy=False) if is_complex(b) else a
    return multiply(g, conj(multiply(pow(a, b), ops.log(ops.where(no_slope, 1.0, base)))))


@fast("sqrt")
def sqrt(x: Any, /) -> Tensor:
    """The square root; NaN for negative x. Gradient: ``g / (2 sqrt(x))``, infinite at 0."""
    return of_output("sqrt", x, lambda g, y: divide(g, multiply(y, 2)))


@fast("rsqrt")
def rsqrt(x: Any, /) -> Tensor:
    """``1 / sqrt(x)``; within 2 ulp. Gradient: ``-g / (2 x sqrt(x))``."""
    if is_complex(as_tensor(x)):
        return reciprocal(sqrt(x))
    return of_output("rsqrt", x, lambda g, y: multiply(g, multiply(multiply(square(y), y), -0.5)))


@fast("reciprocal")
def reciprocal(x: Any, /) -> Tensor:
    """``1 / x``; integers in the default dtype. Gradient: ``-g / x^2``."""
    return of_output("reciprocal", x, lambda g, y: negative(multiply(g, square(y))))


# Sign and rounding --------------------------------------------------------------------------------------------------------------------


@fast("abs")
def abs(x: Any, /) -> Tensor:
    """``|x|``, real for complex x; of the least integer itself. Gradient: ``g sign(x)``, 0 at 0. TypeError for booleans."""
    x = as_tensor(x)
    result: Tensor = record("abs", _engine.abs(x._array), (x,), (lambda g, x: multiply(g, sign(x)),), (x,))
    return result


@fast("sign")
def sign(x: Any, /) -> Tensor:
    """1, 0 or -1; NaN of NaN; of complex numbers ``x / |x|``, 0 of 0. Gradient of real numbers: 0. TypeError for booleans."""
    x = as_tensor(x)
    if not is_complex(x):
        return of_input("sign", x, zero_gradient)
    length = abs(x)
    is_zero = ops.equal(length, 0)
    return ops.where(is_zero, 0.0, divide(x, ops.where(is_zero, 1.0, length)))


@fast("copysign")
def copysign(x1: Any, x2: Any, /) -> Tensor:
    """``|x1|`` with the sign of x2, that of -0.0 included; integers in the default dtype. Gradients: g or -g, 0 where x1 is 0; and 0."""
    return of_two("copysign", x1, x2, lambda g, a, b: multiply(g, multiply(sign(a), copysign(1.0, b))), zero_gradient)


@fast("nextafter")
def nextafter(x1: Any, x2: Any, /) -> Tensor:
    """The number next to x1 in the direction of x2, in their common dtype. Not differentiable. TypeError unless floating."""
    a, b = coerce(x1, x2)
    return Tensor(_engine.nextafter(a._array, b._array))


@fast("floor")
def floor(x: Any, /) -> Tensor:
    """The greatest integer not above x, in x's dtype. Gradient: 0. TypeError for booleans."""
    return of_input("floor", x, zero_gradient)


@fast("ceil")
def ceil(x: Any, /) -> Tensor:
    """The least integer not below x, in x's dtype. Gradient: 0. TypeError for booleans."""
    return of_input("ceil", x, zero_gradient)


@fast("trunc")
def trunc(x: Any, /) -> Tensor:
    """The integer next to x towards 0, in x's dtype. Gradient: 0. TypeError for booleans."""
    return of_input("trunc", x, zero_gradient)


@fast("round")
def round(x: Any, /) -> Tensor:
    """The nearest integer, ties to even, in x's dtype; of complex numbers that of each part. Gradient: 0. TypeError for booleans."""
    x = as_tensor(x)
    if is_complex(x):
        return by_parts(round, x)
    return of_input("round", x, zero_gradient)
