"""What CUDA's own functions claim, where the tests run on a GPU: the simulator has those of the C library."""

from __future__ import annotations

from tests.devices import DEVICE

_FLOAT32 = {
    4: ("acosh", "pow", "tan"),
    3: ("asinh", "atan2", "atanh", "hypot", "sinh"),
    2: ("acos", "asin", "atan", "cos", "cosh", "erf", "log10", "rsqrt", "sin", "tanh"),
    1: ("exp", "expm1", "log", "log1p", "log2"),
}
"""The largest errors in ulp from the correctly rounded result. NVIDIA, CUDA C++ Programming Guide 13.0, "Mathematical Functions"."""
_FLOAT64 = {
    3: ("acosh", "asinh"),
    2: ("acos", "asin", "atan", "atan2", "atanh", "cos", "erf", "hypot", "pow", "sin", "sinh", "tan"),
    1: ("cosh", "exp", "expm1", "log", "log10", "log1p", "log2", "rsqrt", "tanh"),
}


def claimed(name: str, dtype: str, ulps: float) -> float:
    """``ulps``, what our own functions claim, or on a GPU what CUDA's do, if that is more."""
    if DEVICE != "cuda":
        return ulps
    table = _FLOAT64 if dtype == "float64" else _FLOAT32
    return max([ulps, *(most + 0.5 for most, names in table.items() if name in names)])


def claimed_of_exponentials(ulps: float) -> float:
    """Of functions made of exp: CUDA's claim of it is up to half an ulp above ours, and they take it twice at most."""
    return ulps + 1.0 if DEVICE == "cuda" and ulps else ulps
