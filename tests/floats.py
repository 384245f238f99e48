"""Float tensors for the tests of kernels: exactly known values, in any dtype and memory layout, at every instruction-set level."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

import pyengine as pe
from pyengine import _engine

FLOATS = ("float16", "bfloat16", "float32", "float64")
SIDES = (1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 64, 65)  # around the vector lengths of every level

Float64s = npt.NDArray[np.float64]
dtypes = st.sampled_from(FLOATS)
seeds = st.integers(0, 2**32 - 1)


def each_level() -> Iterator[str]:
    """Sets one level after another; the fixture engine_state puts the default back."""
    for level in _engine.available_isas():
        _engine.set_isa(level)
        yield level


@st.composite
def shapes(draw: st.DrawFn, min_dims: int = 1, max_dims: int = 4, limit: int = 5000, min_side: int = 1) -> tuple[int, ...]:
    """Sides around the vector lengths, at most ``limit`` elements."""
    shape: list[int] = []
    for _ in range(draw(st.integers(min_dims, max_dims))):
        room = limit // max(int(np.prod(shape)), 1)
        shape.append(draw(st.sampled_from([side for side in (0, *SIDES) if min_side <= side <= room])))
    return tuple(draw(st.permutations(shape)))


def tensor_of(values: npt.ArrayLike, dtype: str, layout: int = 0, requires_grad: bool = False) -> tuple[pe.Tensor, Float64s]:
    """``values`` rounded to ``dtype``, as a Tensor and as exact float64. Layout 0 is contiguous; others stride, reverse and transpose."""
    values = np.asarray(values, np.float64)
    axes = np.roll(np.arange(values.ndim), layout)
    steps = tuple(slice(None, None, (1, 2, -1)[(layout + axis) % 3]) if layout else slice(None) for axis in range(values.ndim))
    moved = values.transpose(axes)
    base = np.zeros([side * abs(step.step or 1) for side, step in zip(moved.shape, steps, strict=True)])
    base[steps] = moved
    tensor = pe.asarray(base).astype(dtype)[steps].permute_dims(np.argsort(axes).tolist())
    exact = np.asarray(tensor.numpy(), np.float64)
    return tensor.detach().requires_grad_(requires_grad), exact


def nearest_tf32(x: npt.ArrayLike) -> Float64s:
    """float32 as tensor cores are given it, ties away from zero; finite."""
    bits = np.asarray(x, np.float32).view(np.uint32)
    return ((bits + np.uint32(0x1000)) & np.uint32(0xFFFFE000)).view(np.float32).astype(np.float64)


def numpy_of(tensor: Any) -> Float64s:
    return np.asarray(tensor.detach().numpy(), np.float64)
