"""NumPy's ufuncs on Tensors: those that the array API has are ours, so ``np.sin(x)`` and ``ndarray + x`` are Tensors, with gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pyengine import tensor as _tensor

if TYPE_CHECKING:
    from pyengine.tensor import Tensor

OTHER_NAMES = {
    "absolute": "abs",
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "conjugate": "conj",
    "fabs": "abs",
    "float_power": "pow",
    "invert": "bitwise_invert",
    "left_shift": "bitwise_left_shift",
    "power": "pow",
    "right_shift": "bitwise_right_shift",
    "rint": "round",
}
_same_names = (
    "add bitwise_and bitwise_or bitwise_xor ceil copysign cos cosh divide equal exp expm1 floor floor_divide greater greater_equal hypot "
    "isfinite isinf isnan less less_equal log log10 log1p log2 logaddexp logical_and logical_not logical_or logical_xor matmul maximum "
    "minimum multiply negative nextafter not_equal positive reciprocal remainder sign signbit sin sinh sqrt square subtract tan tanh trunc "
    "vecdot"
)
_names = {name: name for name in _same_names.split()} | OTHER_NAMES


def array_ufunc(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """NumPy's ``__array_ufunc__`` protocol. Where NumPy's memory is to be written (``ndarray += x``), NumPy computes.

    NotImplemented, which becomes NumPy's TypeError, for other ufuncs, methods and options.
    """
    if "out" in options and not any(isinstance(array, _tensor.Tensor) for array in options["out"]):
        values = (np.asarray(x) if isinstance(x, _tensor.Tensor) else x for x in inputs)
        result: np.ndarray[Any, Any] = getattr(ufunc, method)(*values, **options)
        return result
    dtype = options.pop("dtype", None)
    if method != "__call__" or options or ufunc.__name__ not in _names:
        return NotImplemented  # what NumPy asks for
    computed: Tensor = getattr(_tensor.ops, _names[ufunc.__name__])(*inputs)
    return computed if dtype is None else _tensor.ops.astype(computed, dtype)
