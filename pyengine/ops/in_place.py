"""Changing a tensor where it stands: what may be changed, and its new place on the tape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyengine import _engine, dtypes, ops
from pyengine.autograd import is_grad_enabled
from pyengine.tensor import Tensor, as_tensor

__all__ = ["in_place"]


def in_place(op: Callable[[Any, Any], Tensor], x: Tensor, other: Any, /) -> Tensor:
    """``x op= other``: x keeps its memory, shape and dtype, and its version counter goes up."""
    name = f"in-place {op.__name__}"
    other = as_tensor(other) if not isinstance(other, bool | int | float) else other
    if isinstance(other, Tensor):
        check_writable(name, x, other)
    else:
        check_writable(name, x, x)
    result = op(x, other)
    if result.shape != x.shape:
        raise ValueError(f"{name}: result does not fit: {result.shape} into {x.shape}; the shape cannot change in place")
    if "bifc".index(result.dtype.kind.replace("u", "i")) > "bifc".index(x.dtype.kind.replace("u", "i")):
        raise TypeError(f"{name}: result does not fit: {result.dtype} into {x.dtype}; the kind of dtype cannot rise in place")
    _engine.assign(x._array, result._array)
    rebind(x, ops.astype(result, x.dtype, copy=False))
    return x


def check_writable(op: str, x: Tensor, other: Tensor) -> None:
    if x._array.readonly:
        raise ValueError(f"{op}: read-only memory: shape {x.shape}; change a copy")
    if not is_grad_enabled():
        return
    if x._requires_grad and (x._node is None or _shows_leaf(x)):
        raise RuntimeError(f"{op}: a leaf that requires a gradient: shape {x.shape}; change it inside no_grad(), or change a copy")
    if other._requires_grad and not dtypes.is_inexact(x.dtype):
        raise TypeError(f"{op}: a gradient cannot pass: {other.dtype} into {x.dtype}; only floats have gradients")


_views = ("broadcast_to", "diagonal", "getitem", "imag", "permute_dims", "real", "reshape", "watch")


def _shows_leaf(x: Tensor) -> bool:
    """Whether x is a view of a leaf: its memory is the leaf's."""
    node = x._node
    while node is not None and node.op in _views and node.parents and node.parents[0] is not None:
        source = node.parents[0].source
        if isinstance(source, Tensor):
            return source._array.shares_storage(x._array)
        node = source
    return False


def rebind(x: Tensor, result: Tensor) -> None:
    """x takes over the result's place on the tape: its memory holds that value now."""
    if result._node is None:
        return
    x._node, x._index, x._requires_grad = result._node, result._index, True
    x._version = x._array.version
