"""Short cuts to the engine: what an op costs beside its arithmetic.

A Python function that checks its arguments, calls the engine and makes a Tensor takes a few microseconds, several times the arithmetic of a
small array. Most calls are regular: Tensors whose use need not be recorded, and Python scalars. A function under :func:`fast` hands these
to the engine at once, in C; all other calls run the function itself, which alone says what the op means, for the tape, for anomaly mode and
for whoever made a mistake. See docs/adr/0010-regular-calls-bypass-python.md.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

from pyengine import _engine

__all__: list[str] = []

Function = TypeVar("Function", bound=Callable[..., Any])


def fast(op: str, *, reflected: bool = False) -> Callable[[Function], Function]:
    """A decorator: the function, whose regular calls go to the engine's ``op``; ``reflected`` for operators such as ``__radd__``."""

    def decorate(function: Function) -> Function:
        return cast(Function, functools.update_wrapper(_engine.FastFunction(function, op, reflected), function))

    return decorate
