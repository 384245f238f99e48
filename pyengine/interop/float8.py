"""The 8-bit floats of safetensors, which the engine does not compute with, as float16 or float32: every value of theirs is one of those."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

WIDENED = {"F8_E4M3": "float16", "F8_E4M3FNUZ": "float16", "F8_E5M2": "float16", "F8_E5M2FNUZ": "float16", "F8_E8M0": "float32"}
"""What each comes as."""

_FIELDS = {"F8_E4M3": (3, 7), "F8_E4M3FNUZ": (3, 8), "F8_E5M2": (2, 15), "F8_E5M2FNUZ": (2, 16)}
"""Bits of the mantissa, and what is taken from the exponent."""


@cache
def values(name: str) -> npt.NDArray[Any]:
    """The 256 values of a format: (-1)^sign 2^(exponent - bias) (1 + mantissa), or, where the exponent is 0, 2^(1 - bias) mantissa.

    Source: Open Compute Project, "OCP 8-bit floating point specification (OFP8)", 2023, and "Microscaling formats (MX)", 2023, for E8M0;
    B. Noune et al., "8-bit numerical formats for deep neural networks", arXiv:2206.02915, for FNUZ: one NaN, in the place of -0.
    """
    codes = np.arange(256)
    if name == "F8_E8M0":
        table: npt.NDArray[Any] = np.ldexp(1.0, codes - 127)
        table[255] = np.nan
        return table.astype(np.float32)
    bits, bias = _FIELDS[name]
    exponent, mantissa = (codes & 0x7F) >> bits, (codes & (2**bits - 1)) / 2**bits
    magnitude = np.where(exponent == 0, np.ldexp(mantissa, 1 - bias), np.ldexp(1 + mantissa, exponent - bias))
    table = np.where(codes & 0x80, -magnitude, magnitude)
    if name == "F8_E5M2":
        table[[0x7C, 0xFC]] = np.inf, -np.inf
        table[[0x7D, 0x7E, 0x7F, 0xFD, 0xFE, 0xFF]] = np.nan
    else:
        table[[0x80] if name.endswith("FNUZ") else [0x7F, 0xFF]] = np.nan
    return table.astype(np.float16)
