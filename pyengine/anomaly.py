"""Anomaly mode: the first NaN or Inf is an error that names the op, the user's source line and the layer."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pyengine import _engine, interop
from pyengine import tensor as _tensor

if TYPE_CHECKING:
    from pyengine.autograd import Node
    from pyengine.nn.module import Module
    from pyengine.tensor import Tensor

__all__ = ["AnomalyError", "detect_anomaly"]

_package = str(Path(__file__).parent)


class AnomalyError(ArithmeticError):
    """The first NaN or Inf, where it was made."""


class _State(threading.local):
    enabled = False
    in_backward = False

    def __init__(self) -> None:
        self.layers: list[Module] = []


_state = _State()


class Source(NamedTuple):
    """Where an op was called: file, line, its text, and the layer that was running."""

    location: str
    layer: str


@contextmanager
def detect_anomaly(enabled: bool = True) -> Iterator[None]:
    """Inside, every op's result and every gradient is checked; the first NaN or Inf raises :class:`AnomalyError`. Slow: for debugging.

    A -Inf that an op was given and hands on is no fault: masks are made of them.
    """
    before = _state.enabled
    _state.enabled = enabled
    _engine.add_watchers(1)
    try:
        yield
    finally:
        _engine.add_watchers(-1)
        _state.enabled = before


@contextmanager
def backward_pass() -> Iterator[None]:
    """Inside, the ops that make up a vjp are not checked one by one; their result is, under the name of the op it belongs to."""
    before = _state.in_backward
    _state.in_backward = True
    try:
        yield
    finally:
        _state.in_backward = before


def enabled() -> bool:
    return _state.enabled


def layers() -> list[Module]:
    """The modules running in this thread, outermost first; ``Module.__call__`` keeps it."""
    return _state.layers


def source() -> Source:
    """The innermost line outside this package, and the running layer by its name in the model."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_package):
        frame = frame.f_back
    return Source(f"{frame.f_code.co_filename}:{frame.f_lineno}", layer_name())


def layer_name() -> str:
    """The innermost running layer, by its name in the outermost; empty outside of layers."""
    running = _state.layers
    if not running:
        return ""
    root, layer = running[0], running[-1]
    name = next((name for name, module in root.named_modules() if module is layer), "")
    return f"{name or 'the model'} ({type(layer).__name__})"


def check_forward(op: str, arrays: Sequence[_engine.Array], inputs: Sequence[Tensor]) -> None:
    if _state.in_backward:
        return
    for array in arrays:
        fault = _fault(array)
        if fault:
            came_in = {_fault(t._array) for t in inputs}
            if fault == "-Inf" and fault in came_in:
                continue
            what = f"{fault} passed on by" if fault in came_in else f"{fault} made by"
            raise AnomalyError(_message(f"{op}: {what} the forward pass: output {array.shape}", source()))


def check_backward(node: Node, grads: Sequence[Tensor | None]) -> None:
    for index, g in enumerate(grads):
        fault = g is not None and _fault(g._array)
        if g is not None and fault:
            raise AnomalyError(_message(f"{node.op}: {fault} made by its backward pass: gradient of input {index}, {g.shape}", node.source))


def _fault(array: _engine.Array) -> str:
    if array.dtype.kind not in "fc" or array.size == 0:
        return ""
    values = interop.values_of(_tensor.Tensor(array))
    if np.isnan(values).any():
        return "NaN"
    infinite = values[np.isinf(values)]
    return "" if infinite.size == 0 else "-Inf" if (infinite == -np.inf).all() else "Inf"


def _message(what: str, where: Source | None) -> str:
    if where is None:
        return f"{what}; recorded before detect_anomaly() was on"
    layer = f", in layer {where.layer}" if where.layer else ""
    return f"{what}; called at {where.location}{layer}"
