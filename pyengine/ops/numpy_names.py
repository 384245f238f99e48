"""Names of NumPy that libraries look for in any namespace of arrays: opt_einsum, autoray and xarray call these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyengine import ops
from pyengine.tensor import Tensor, as_tensor

__all__ = ["concatenate", "transpose"]


def concatenate(arrays: Sequence[Any], /, axis: int | None = 0) -> Tensor:
    """:func:`concat` under NumPy's name."""
    return ops.concat(arrays, axis=axis)


def transpose(x: Any, /, axes: Sequence[int] | None = None) -> Tensor:
    """:func:`permute_dims`; without ``axes``, in reverse order."""
    x = as_tensor(x)
    return ops.permute_dims(x, tuple(reversed(range(x.ndim))) if axes is None else axes)
