"""The short floats of the tensor cores, in NumPy."""

from typing import Any

import numpy as np


def as_bf16(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Bits of the nearest bfloat16, ties to even; finite numbers only."""
    bits = x.astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def from_bf16(bits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return (bits.astype(np.uint32) << 16).view(np.float32).astype(np.float64)


def as_tf32(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What the tensor cores read of a float: its first 19 bits."""
    return (x.astype(np.float32).view(np.uint32) & 0xFFFFE000).view(np.float32)
