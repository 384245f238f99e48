"""Tensors in every layout, beside the NumPy array of the same values in float64 (integers: in their own dtype)."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import pyengine as pe

Array = np.ndarray[Any, Any]

FLOATS = ("float16", "bfloat16", "float32", "float64")
SIGNED = ("int8", "int16", "int32", "int64")
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
INTEGERS = SIGNED + UNSIGNED

SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 2.5, np.inf, -np.inf, np.nan, 1e-6, -1e-6, 300.0, -300.0)

# Around the widths of the vectors, the length of a staging buffer and of a task.
lengths = st.sampled_from([0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 65, 511, 512, 513, 1025])
shapes = st.one_of(
    hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5), lengths.map(lambda n: (n,)), lengths.map(lambda n: (3, n))
)


def values_of(rng: np.random.Generator, shape: tuple[int, ...], dtype: str, low: float, high: float) -> Array:
    """Floats: in [low, high], near 0, and special values between; integers: the whole range, small ones, and its ends."""
    kind = rng.integers(0, 4, shape)
    if dtype in INTEGERS:
        info = np.iinfo(dtype)
        ends = rng.choice(np.array([info.min, info.max], dtype), shape)
        small = rng.integers(max(info.min, -3), 5, shape).astype(dtype)
        whole = rng.integers(info.min, info.max, shape, dtype, endpoint=True)
        return np.where(kind == 0, ends, np.where(kind == 1, small, whole)).astype(dtype)
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    inside = rng.uniform(low, high, shape)
    tiny = np.clip(rng.standard_normal(shape) * 10.0 ** rng.integers(-12, 0, shape), low, high)
    return np.where(kind == 0, rng.choice(SPECIAL, shape), np.where(kind == 1, tiny, inside))


def tensor_of(values: Array, dtype: str) -> tuple[pe.Tensor, Array]:
    """The values rounded to dtype: as a Tensor, and in float64."""
    with np.errstate(over="ignore"):
        x = pe.astype(pe.asarray(values), dtype)
    return x, numpy_of(x)


def numpy_of(x: pe.Tensor) -> Array:
    """float64 for floats, which holds them all."""
    return pe.astype(x, "float64").numpy() if x.dtype.kind == "f" else x.numpy()


@st.composite
def operands(draw: st.DrawFn, count: int, dtype: str, low: float = -20.0, high: float = 20.0) -> list[tuple[pe.Tensor, Array]]:
    """``count`` operands of shapes that broadcast together: contiguous, stepped over, backwards, transposed, stretched, offset."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = draw(shapes)
    result = []
    for _ in range(count):
        lead = draw(st.integers(0, len(shape))) if draw(st.booleans()) else 0
        mine = tuple(1 if draw(st.integers(0, 5)) == 0 else n for n in shape[lead:])
        steps = [draw(st.sampled_from([1, 1, 2, -1, -3])) for _ in mine]
        offsets = [draw(st.integers(0, 2)) for _ in mine]
        axes = draw(st.permutations(range(len(mine))))
        base = tuple((n - 1) * abs(s) + 1 + o if n else o for n, s, o in zip(mine, steps, offsets, strict=True))
        x, y = tensor_of(values_of(rng, tuple(base[a] for a in axes), dtype, low, high), dtype)
        back = [list(axes).index(i) for i in range(len(mine))]
        key = tuple(slice(o, None, s) if s > 0 else slice(None, (o or None) and o - 1, s) for s, o in zip(steps, offsets, strict=True))
        x, y = pe.permute_dims(x, back)[key], y.transpose(back)[key]
        result.append((x, y))
    return result
