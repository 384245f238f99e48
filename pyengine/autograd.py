"""The tape: what was computed is recorded as nodes, and gradients are pulled back through them.

An op calls :func:`record` with its result and one vector-Jacobian product (vjp) for each input. A vjp is written with differentiable ops, so
running it with ``create_graph=True`` records a tape of its own: gradients of gradients need no second set of rules. Broadcasting and
conversion of dtypes are undone here, once, for every op.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pyengine import anomaly, ops
from pyengine import tensor as _tensor
from pyengine._engine import Array

if TYPE_CHECKING:
    from pyengine.dtypes import DType
    from pyengine.tensor import Tensor

OUTPUT: Final = object()
"""In ``record(saved=...)``: the op's own first output."""


class _State(threading.local):
    grad_enabled = True


_state = _State()
_sequence = itertools.count()


class Parent(NamedTuple):
    """Where the gradient of one input goes: the node that made it (or the leaf itself), and what shape and dtype it must have."""

    source: Node | Tensor
    index: int
    shape: tuple[int, ...]
    dtype: DType


class Node:
    """One recorded op: where its gradient goes, and how."""

    __slots__ = ("hooks", "op", "outputs", "parents", "saved", "sequence", "source", "versions", "vjps")

    def __init__(self, op: str, outputs: tuple[Array, ...], inputs: Sequence[Tensor], vjps: Any, saved: tuple[Any, ...]) -> None:
        self.op = op
        self.sequence = next(_sequence)
        self.parents = tuple(_parent(t) if t._requires_grad else None for t in inputs)
        self.vjps = vjps
        self.saved: tuple[Any, ...] | None = tuple(outputs[0] if value is OUTPUT else value for value in saved)
        self.versions = tuple(_version(value) for value in self.saved)
        self.outputs = tuple((out.shape, out.dtype) for out in outputs)
        self.hooks: list[tuple[int, Callable[[Tensor], Tensor | None]]] = []
        self.source = anomaly.source() if anomaly.enabled() else None

    def pull(self, grads: list[Tensor | None]) -> Sequence[Tensor | None]:
        """The gradients of the inputs, from those of the outputs."""
        saved = self._saved_values()
        if callable(self.vjps):
            full = tuple(_tensor.zeros(*self.outputs[i]) if g is None else g for i, g in enumerate(grads))
            return self.vjps(full if len(full) > 1 else full[0], *saved)  # type: ignore[no-any-return]
        g = grads[0]
        return [None if p is None or f is None else f(g, *saved) for p, f in zip(self.parents, self.vjps, strict=True)]

    def _saved_values(self) -> list[Any]:
        if self.saved is None:
            raise RuntimeError(
                f"backward: the tape was freed: '{self.op}' has run its backward already; pass retain_graph=True to the first backward to run it twice"
            )
        for value, version in zip(self.saved, self.versions, strict=True):
            if _version(value) != version:
                raise RuntimeError(
                    f"backward: a value saved by '{self.op}' was changed in place: it is at version {_version(value)}, saved at version {version}; "
                    "use an out-of-place operation, or change a copy"
                )
        return [_tensor.Tensor(value, self, 0) if type(value) is Array else value for value in self.saved]

    def free(self) -> None:
        self.saved = self.vjps = None
        self.parents = ()


def _parent(t: Tensor) -> Parent:
    return Parent(t if t._node is None else t._node, t._index, t.shape, t.dtype)


def _version(value: Any) -> int:
    if type(value) is Array:
        return value.version
    return value._array.version if isinstance(value, _tensor.Tensor) else 0


def record(
    op: str,
    outputs: Any,
    inputs: Sequence[Tensor],
    vjps: Sequence[Callable[..., Any] | None] | Callable[..., Any],
    saved: tuple[Any, ...] = (),
) -> Any:
    """The result of an op as a Tensor, put on the tape if an input asks for a gradient.

    ``outputs`` is an ``Array``, or a tuple of them (then a tuple of Tensors comes back). ``vjps`` holds a function for each input,
    ``vjp(g, *saved) -> Tensor``, or None where the derivative does not exist; it is called only where a gradient is wanted.
    Where the inputs' gradients share their work, ``vjps`` is one function that returns them all as a tuple; with several outputs
    it gets a tuple ``g``, zeros where an output was not used. A gradient may have the broadcast shape or another float dtype.
    ``saved`` is what the vjps need: Tensors (checked for in-place changes), :data:`OUTPUT`, or anything else.
    """
    several = type(outputs) is tuple
    arrays = outputs if several else (outputs,)
    if anomaly.enabled():
        anomaly.check_forward(op, arrays, inputs)
    if not (_state.grad_enabled and any(t._requires_grad for t in inputs)):
        return tuple(_tensor.Tensor(a) for a in arrays) if several else _tensor.Tensor(outputs)
    for t in inputs:
        if t._requires_grad:
            _check_alias(op, t)
    node = Node(op, arrays, inputs, vjps, saved)
    if several:
        return tuple(_tensor.Tensor(a, node, i) for i, a in enumerate(arrays))
    return _tensor.Tensor(outputs, node, 0)


def _check_alias(op: str, t: Tensor) -> None:
    """A non-leaf whose memory was changed through another view no longer holds what its node computed."""
    if t._node is not None and t._array.version != t._version:
        raise RuntimeError(
            f"{op}: an input was changed in place through another view of its memory: it is at version {t._array.version}, its history ends at "
            f"version {t._version}; take the view again after the change, or change a copy"
        )


# Running the tape ------------------------------------------------------------------------------------------------------------------------


def pull_back(
    outputs: Sequence[Tensor],
    grads: Sequence[Tensor],
    wanted: Sequence[Tensor] | None = None,
    retain_graph: bool = False,
    create_graph: bool = False,
) -> list[Tensor | None]:
    """Runs the tape from outputs towards inputs, newest node first.

    Leaves accumulate into ``.grad``, or, with ``wanted``, only those tensors' gradients are computed and returned.
    """
    pending = _Pending(wanted)
    for out, g in zip(outputs, grads, strict=True):
        if out._requires_grad:
            pending.add(_parent(out), g)
    done: list[Node] = []
    with _grad_mode(create_graph):
        while (item := pending.pop()) is not None:
            node, node_grads = item
            for index, hook in node.hooks:
                node_grads[index] = _run_hook(hook, node_grads[index])
            pending.capture(node, node_grads)
            if not pending.leads_to_wanted(node):
                continue
            results = node.pull(node_grads)
            if anomaly.enabled():
                anomaly.check_backward(node, results)
            for parent, g in zip(node.parents, results, strict=True):
                if parent is not None and g is not None:
                    pending.add(parent, _fit(g, parent))
            done.append(node)
        if not (retain_graph or create_graph):
            for node in done:
                node.free()
        return pending.finish(create_graph)


def _fit(g: Tensor, parent: Parent) -> Tensor:
    """Undoes broadcasting and promotion: sums over the axes an input was stretched along, and takes its dtype."""
    if g.shape != parent.shape:
        g = ops.sum_to(g, parent.shape)
    return g if g.dtype is parent.dtype else ops.astype(g, parent.dtype)


def _run_hook(hook: Callable[[Tensor], Tensor | None], g: Tensor | None) -> Tensor | None:
    if g is None:
        return None
    changed = hook(g)
    return g if changed is None else changed


class _Pending:
    """Gradients on their way: summed for each node and leaf, nodes handed out newest first."""

    def __init__(self, wanted: Sequence[Tensor] | None) -> None:
        self._nodes: dict[Node, list[Tensor | None]] = {}
        self._leaves: dict[int, tuple[Tensor, Tensor]] = {}
        self._heap: list[tuple[int, Node]] = []
        self._wanted = wanted
        self._captured: dict[tuple[int, int], Tensor] = {}
        self._wanted_keys = {_key(t) for t in wanted or ()}
        self._oldest = min((-1 if t._node is None else t._node.sequence for t in wanted or ()), default=-1)

    def add(self, parent: Parent, g: Tensor) -> None:
        source = parent.source
        if not isinstance(source, Node):
            held = self._leaves.get(id(source))
            self._leaves[id(source)] = (source, g if held is None else ops.add(held[1], g))
            return
        grads = self._nodes.get(source)
        if grads is None:
            grads = self._nodes[source] = [None] * len(source.outputs)
            heapq.heappush(self._heap, (-source.sequence, source))
        held_grad = grads[parent.index]
        grads[parent.index] = g if held_grad is None else ops.add(held_grad, g)

    def pop(self) -> tuple[Node, list[Tensor | None]] | None:
        if not self._heap:
            return None
        node = heapq.heappop(self._heap)[1]
        return node, self._nodes.pop(node)

    def capture(self, node: Node, grads: list[Tensor | None]) -> None:
        for index, g in enumerate(grads):
            if g is not None and (id(node), index) in self._wanted_keys:
                self._captured[id(node), index] = g

    def leads_to_wanted(self, node: Node) -> bool:
        return node.sequence > self._oldest

    def finish(self, create_graph: bool) -> list[Tensor | None]:
        for leaf, g in list(self._leaves.values()):
            for _, hook in leaf._hooks or ():
                changed = hook(g)
                g = g if changed is None else changed
            self._leaves[id(leaf)] = (leaf, g)
        if self._wanted is None:
            for leaf, g in self._leaves.values():
                leaf._accumulate(g, create_graph)
            return []
        return [self._leaves[id(t)][1] if id(t) in self._leaves else self._captured.get(_key(t)) for t in self._wanted]


def _key(t: Tensor) -> tuple[int, int]:
    return (id(t), 0) if t._node is None else (id(t._node), t._index)


# Switching the tape ----------------------------------------------------------------------------------------------------------------------


@contextmanager
def _grad_mode(enabled: bool) -> Iterator[None]:
    before = _state.grad_enabled
    _state.grad_enabled = enabled
    try:
        yield
    finally:
        _state.grad_enabled = before


def no_grad() -> Any:
    """Nothing is recorded inside; a context manager, and a decorator."""
    return _grad_mode(False)


def enable_grad() -> Any:
    """Recording is on inside, also within :func:`no_grad`."""
    return _grad_mode(True)


def is_grad_enabled() -> bool:
    """Whether ops are recorded just now, in this thread."""
    return _state.grad_enabled
