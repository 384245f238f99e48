"""The polynomials of the vector functions in this directory, printed as C++ constants: ``python kernels/cpu/minimax.py`` (needs mpmath).

Each is a least-squares fit at Chebyshev nodes, within a small factor of the minimax one (Muller, Elementary Functions, chapter 3). The
coefficients are rounded to the type one after another, from the first on, and those that follow fitted again, for the first ones matter
most. ``weight`` turns an error of the polynomial into a relative error of the function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import mpmath

mpmath.mp.prec = 250
mpf = mpmath.mpf
root = mpmath.sqrt
HALF_LN_2 = mpmath.log(2) / 2

Real = Any  # mpmath has no types
Function = Callable[[Real], Real]


class Fit(NamedTuple):
    name: str
    f: Function  # of z = s^2
    weight: Function
    high: Real  # the interval is [0, high]
    counts: dict[int, int]  # coefficients, for each precision in bits


def atanh_over(z: Real) -> Real:
    return mpmath.atanh(root(z)) / root(z)


def sine_part(z: Real) -> Real:
    return (mpmath.sin(root(z)) / root(z) - 1) / z


def cosine_part(z: Real) -> Real:
    return (mpmath.cos(root(z)) - 1 + z / 2) / z**2


FITS = [
    Fit("sin_terms", sine_part, lambda z: z * root(z) / mpmath.sin(root(z)), mpf("0.8") ** 2, {24: 4, 53: 7}),
    Fit("cos_terms", cosine_part, lambda z: z**2 / mpmath.cos(root(z)), mpf("0.8") ** 2, {24: 3, 53: 6}),
    Fit(
        "sinh_terms",
        lambda z: (mpmath.sinh(root(z)) / root(z) - 1) / z,
        lambda z: z,
        HALF_LN_2**2 * mpf("1.01"),
        {24: 3, 53: 6},
    ),
    Fit("cosh_terms", lambda z: (mpmath.cosh(root(z)) - 1) / z, lambda z: z, HALF_LN_2**2 * mpf("1.01"), {24: 3, 53: 6}),
    Fit(
        "atan_terms",
        lambda z: (mpmath.atan(root(z)) / root(z) - 1) / z,
        lambda z: z,
        mpf("0.4145") ** 2,
        {24: 6, 53: 11},
    ),
    Fit("pow_terms", lambda z: (atanh_over(z) - 1 - z / 3) / z**2, lambda z: z**2, mpf("0.1717") ** 2, {24: 3, 53: 8}),
]


def fit_terms(f: Function, fit: Fit, powers: list[int]) -> list[Real]:
    """The coefficients of ``powers`` of z: least squares of the weighted error at Chebyshev nodes, which lie densest at the ends."""
    nodes = [fit.high * (1 - mpmath.cos(mpmath.pi * (i + mpf(1) / 2) / 80)) / 2 for i in range(80)]
    rows = mpmath.matrix([[fit.weight(z) * z**p for p in powers] for z in nodes])
    return list(mpmath.lu_solve(rows, mpmath.matrix([fit.weight(z) * f(z) for z in nodes])))


def rounded(x: Real, bits: int) -> Real:
    mantissa, exponent = mpmath.frexp(x)
    return mpmath.ldexp(mpmath.nint(mpmath.ldexp(mantissa, bits)), exponent - bits)


def coefficients(fit: Fit, bits: int) -> tuple[list[Real], Real]:
    known: list[Real] = []
    count = fit.counts[bits]
    for first in range(count):

        def rest(z: Real, known: list[Real] = known) -> Real:
            return fit.f(z) - sum(c * z**i for i, c in enumerate(known))

        known.append(rounded(fit_terms(rest, fit, list(range(first, count)))[0], bits))
    grid = [fit.high * i / 500 for i in range(1, 501)]
    return known, max(abs((sum(c * z**i for i, c in enumerate(known)) - fit.f(z)) * fit.weight(z)) for z in grid)


def words(x: Real, bits: int, count: int) -> list[Real]:
    """x as a sum of ``count`` numbers of ``bits`` bits."""
    result: list[Real] = []
    for _ in range(count):
        result.append(rounded(x - sum(result), bits))
    return result


def literal(x: Real, bits: int) -> str:
    digits, exponent = float(x).hex().split("p")
    return f"{digits.rstrip('0').rstrip('.')}p{exponent}" + "f" * (bits == 24)


def main() -> None:
    for bits in (24, 53):
        print("float" if bits == 24 else "double")
        for fit in FITS:
            terms, error = coefficients(fit, bits)
            print(f"    {fit.name}: to 2^{float(mpmath.log(error, 2)):.1f}\n       ", ", ".join(literal(c, bits) for c in terms))
        for name, constant, count in (
            ("half_pi", mpmath.pi / 2, 3),
            ("quarter_pi", mpmath.pi / 4, 2),
            ("log2_e", 1 / mpmath.log(2), 2),
            ("log10_e", 1 / mpmath.log(10), 2),
            ("two_log2_e", 2 / mpmath.log(2), 2),
            ("third", mpf(1) / 3, 2),
            ("ln_2", mpmath.log(2), 2),
        ):
            print(f"    {name}:", ", ".join(literal(c, bits) for c in words(constant, bits, count)))
        high = rounded(mpmath.log10(2), bits // 2)  # times an exponent, exact
        print("    log10_2:", literal(high, bits), literal(rounded(mpmath.log10(2) - high, bits), bits))


if __name__ == "__main__":
    main()
