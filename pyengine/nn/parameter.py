"""Parameter: a tensor that a module learns."""

from __future__ import annotations

from typing import Any

from pyengine.tensor import Tensor, as_tensor

__all__ = ["Parameter"]


class Parameter(Tensor):
    """A leaf tensor that a :class:`Module` it is assigned to lists among its parameters. Shares the memory of ``data``.

    >>> import pyengine as pe
    >>> pe.nn.Parameter(pe.zeros((2,))).requires_grad
    True
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        super().__init__(as_tensor(data)._array)
        self.requires_grad = requires_grad

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"

    def __reduce__(self) -> tuple[Any, ...]:
        return Parameter, (self.detach(), self.requires_grad)

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        memo[id(self)] = result = Parameter(self.detach().copy(), self.requires_grad)
        return result
