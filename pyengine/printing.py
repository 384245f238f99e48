"""How a Tensor prints: its elements as NumPy prints them, then what sets it apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pyengine import dtypes, interop

if TYPE_CHECKING:
    from pyengine.tensor import Tensor


def format_tensor(x: Tensor) -> str:
    """``tensor([1., 2.], requires_grad=True)``: the dtype is named where it is not the one a literal would get."""
    prefix = "tensor("
    body = np.array2string(interop.values_of(x), separator=", ", prefix=prefix)
    notes = []
    if x.size == 0:
        notes.append(f"shape={x.shape}")
    if x.dtype not in (dtypes.get_default_dtype(), dtypes.int64, dtypes.bool_) or x.size == 0:
        notes.append(f"dtype={x.dtype!r}")
    if x.device != "cpu":
        notes.append(f"device={x.device!r}")
    if x._node is not None:
        notes.append(f"op={x._node.op}")
    elif x.requires_grad:
        notes.append("requires_grad=True")
    return prefix + ", ".join([body, *notes]) + ")"
