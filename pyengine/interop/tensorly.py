"""TensorLy on Tensors: ``tensorly.set_backend("pyengine")``. In force once pyengine and TensorLy are imported.

Random draws are TensorLy's own, from NumPy; the digamma function is SciPy's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.special
from tensorly.backend import BackendManager
from tensorly.backend.core import Backend

import pyengine as pe
from pyengine import creation, ops
from pyengine.tensor import Tensor

Axis = int | tuple[int, ...] | None


class PyengineBackend(Backend, backend_name="pyengine"):  # type: ignore[call-arg]  # an option of TensorLy's, which has no types
    """What TensorLy asks of a framework; functions that have our name and arguments are added below."""

    @staticmethod
    def context(tensor: Tensor) -> dict[str, Any]:
        return {"dtype": tensor.dtype, "device": tensor.device}

    @staticmethod
    def tensor(data: Any, dtype: Any = None, device: str | None = None, requires_grad: bool | None = None) -> Tensor:
        source = data.detach() if isinstance(data, Tensor) else data
        return creation.asarray(source, dtype=dtype, device=device, copy=True).requires_grad_(bool(requires_grad))

    @staticmethod
    def is_tensor(obj: Any) -> bool:
        return isinstance(obj, Tensor)

    @staticmethod
    def to_numpy(tensor: Any) -> np.ndarray[Any, Any]:
        return tensor.detach().numpy() if isinstance(tensor, Tensor) else np.asarray(tensor)

    @staticmethod
    def shape(tensor: Tensor) -> tuple[int, ...]:
        return tensor.shape

    @staticmethod
    def ndim(tensor: Tensor) -> int:
        return tensor.ndim

    # Arguments that NumPy takes by place and the array API by name --------------------------------------------------------------------

    @staticmethod
    def stack(arrays: Sequence[Tensor], axis: int = 0) -> Tensor:
        return ops.stack(arrays, axis=axis)

    @staticmethod
    def flip(tensor: Tensor, axis: Axis = None) -> Tensor:
        return ops.flip(tensor, axis=axis)

    @staticmethod
    def sort(tensor: Tensor, axis: int = -1) -> Tensor:
        return ops.sort(tensor, axis=axis)

    @staticmethod
    def argsort(tensor: Tensor, axis: int = -1) -> Tensor:
        return ops.argsort(tensor, axis=axis)

    @staticmethod
    def tensordot(a: Tensor, b: Tensor, axes: Any = 2) -> Tensor:
        return ops.tensordot(a, b, axes=axes)

    @staticmethod
    def clip(tensor: Tensor, a_min: Any = None, a_max: Any = None) -> Tensor:
        return ops.clip(tensor, a_min, a_max)

    # What the array API has under no name ----------------------------------------------------------------------------------------------

    @staticmethod
    def lstsq(a: Tensor, b: Tensor, rcond: float | None = None) -> tuple[Tensor, Tensor, int, Tensor]:
        """The x of least ``||a x - b||``, by the pseudo-inverse; the squared residuals, a's rank and its singular values."""
        values = pe.linalg.svdvals(a)
        cut = (rcond if rcond is not None else pe.finfo(a).eps * max(a.shape)) * float(ops.max(values))
        rank = int(ops.count_nonzero(ops.greater(values, cut)))
        x = ops.matmul(pe.linalg.pinv(a, rtol=rcond), b)
        residuals = ops.sum(ops.square(ops.subtract(ops.matmul(a, x), b)), axis=0)
        return x, residuals if rank == a.shape[1] < a.shape[0] else creation.zeros((0,), a.dtype), rank, values

    @staticmethod
    def digamma(x: Tensor) -> Tensor:
        return creation.asarray(scipy.special.digamma(x.detach().numpy()))

    # Linear algebra of matrices: the extension is imported when first used ------------------------------------------------------------

    @staticmethod
    def svd(matrix: Tensor, full_matrices: bool = True) -> tuple[Tensor, ...]:
        return tuple(pe.linalg.svd(matrix, full_matrices=full_matrices))

    @staticmethod
    def eigh(matrix: Tensor) -> tuple[Tensor, ...]:
        return tuple(pe.linalg.eigh(matrix))

    @staticmethod
    def qr(a: Tensor) -> tuple[Tensor, ...]:
        return tuple(pe.linalg.qr(a))

    @staticmethod
    def solve(a: Tensor, b: Tensor) -> Tensor:
        result: Tensor = pe.linalg.solve(a, b)
        return result


_same = (
    "abs all any arange argmax argmin complex128 complex64 concatenate conj copy cos cosh count_nonzero cumsum diag dot e einsum exp eye "
    "float32 float64 inf int32 int64 log log2 logsumexp matmul max maximum mean min minimum nan ones pi prod reshape sign sin sinh "
    "sqrt sum tan tanh trace transpose where zeros zeros_like"
)
_names: dict[str, str] = {name: name for name in _same.split()} | {
    f"arc{name}": f"a{name}" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")
}
for _name, _ours in _names.items():
    _value: Callable[..., Any] | float = getattr(pe, _ours)
    PyengineBackend.register_method(_name, _value)

BackendManager.available_backend_names.append("pyengine")
if os.environ.get("TENSORLY_BACKEND") == "pyengine":  # read by TensorLy before it knew the name
    BackendManager.set_backend("pyengine")
