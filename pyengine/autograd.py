"""The tape: what was computed is recorded as nodes, and gradients are pulled back through them.

An op calls :func:`record` with its result and one vector-Jacobian product (vjp) for each input. A vjp is written with differentiable
ops, so running it with ``create_graph=True`` records a tape of its own: gradients of gradients need no second set of rules.
Broadcasting and conversion of dtypes are undone here, once, for every op.
"""

from __future__ import annotations

import functools
import heapq
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple, overload

from pyengine import _engine, anomaly, dtypes
from pyengine import tensor as _tensor
from pyengine._engine import Array

if TYPE_CHECKING:
    from pyengine.dtypes import DType
    from pyengine.tensor import Tensor

__all__ = ["checkpoint", "enable_grad", "grad", "gradients", "is_grad_enabled", "jvp", "no_grad", "value_and_grad", "vjp"]


class Output(NamedTuple):
    """In ``record(saved=...)``: the op's own output of that number."""

    number: int


OUTPUT: Final = Output(0)


class _State(threading.local):
    grad_enabled = True
    transforms = 0  # functional transforms running
    captured: dict[int, Tensor] | None = None


Hook = Callable[["Tensor"], "Tensor | None"]
Vjps = Sequence[Callable[..., Any] | None] | Callable[..., Any]

_state = _State()
_accumulating = threading.Lock()  # threads may share leaves: none may lose what another adds
_sequence = itertools.count()


class Parent(NamedTuple):
    """Where the gradient of one input goes: the node that made it (or the leaf itself), and what shape and dtype it must have."""

    source: Node | Tensor
    output: int
    shape: tuple[int, ...]
    dtype: DType


class _Kept(NamedTuple):
    """An output that its own op saved: without a Tensor, which would hold the node that holds it."""

    array: Array
    number: int


class Node:
    """One recorded op: where its gradient goes, and how."""

    __slots__ = ("hooks", "op", "outputs", "parents", "saved", "sequence", "source", "versions", "vjps")

    def __init__(self, op: str, outputs: tuple[Array, ...], inputs: Sequence[Tensor], vjps: Any, saved: tuple[Any, ...]) -> None:
        self.op = op
        self.sequence = next(_sequence)
        self.parents = tuple(_parent(t) if t._requires_grad else None for t in inputs)
        self.vjps = vjps
        self.saved: tuple[Any, ...] | None = tuple(
            _Kept(outputs[value.number], value.number) if type(value) is Output else value for value in saved
        )
        self.versions = tuple(_version(value) for value in self.saved)
        self.outputs = tuple((out.shape, out.dtype) for out in outputs)
        self.hooks: list[tuple[int, Hook]] = []
        self.source = anomaly.source() if anomaly.enabled() else None

    def pull(self, grads: list[Tensor | None]) -> Sequence[Tensor | None]:
        """The gradients of the inputs, from those of the outputs."""
        saved = self._saved_values()
        if callable(self.vjps):
            device = next(g.device for g in grads if g is not None)
            full = tuple(creation.zeros(*self.outputs[i], device=device) if g is None else g for i, g in enumerate(grads))
            return self.vjps(full if len(full) > 1 else full[0], *saved)  # type: ignore[no-any-return]
        g = grads[0]
        return [None if p is None or f is None else f(g, *saved) for p, f in zip(self.parents, self.vjps, strict=True)]

    def _saved_values(self) -> list[Any]:
        if self.saved is None:
            raise RuntimeError(
                f"backward: the tape was freed: '{self.op}' has run its backward already; "
                "pass retain_graph=True to the first backward to run it twice"
            )
        for value, version in zip(self.saved, self.versions, strict=True):
            if _version(value) != version:
                raise RuntimeError(
                    f"backward: a value saved by '{self.op}' was changed in place: it is at version {_version(value)}, "
                    f"saved at version {version}; use an out-of-place operation, or change a copy"
                )
        return [_tensor.Tensor(value.array, self, value.number) if type(value) is _Kept else value for value in self.saved]

    def free(self) -> None:
        self.saved = self.vjps = None
        self.parents = ()


def _parent(t: Tensor) -> Parent:
    return Parent(t if t._node is None else t._node, t._index, t.shape, t.dtype)


def _version(value: Any) -> int:
    if type(value) is _Kept:
        return value.array.version
    return value._array.version if isinstance(value, _tensor.Tensor) else 0


@overload
def record(op: str, outputs: Array, inputs: Sequence[Tensor], vjps: Vjps, saved: tuple[Any, ...] = ()) -> Tensor: ...
@overload
def record(
    op: str, outputs: tuple[Array, ...], inputs: Sequence[Tensor], vjps: Vjps, saved: tuple[Any, ...] = ()
) -> tuple[Tensor, ...]: ...
def record(op: str, outputs: Array | tuple[Array, ...], inputs: Sequence[Tensor], vjps: Vjps, saved: tuple[Any, ...] = ()) -> Any:
    """The result of an op as a Tensor, put on the tape if an input asks for a gradient.

    ``outputs`` is an ``Array``, or a tuple of them (then a tuple of Tensors comes back). ``vjps`` holds a function for each input,
    ``vjp(g, *saved) -> Tensor``, or None where the derivative does not exist; it is called only where a gradient is wanted.
    Where the inputs' gradients share their work, ``vjps`` is one function that returns them all as a tuple; with several outputs
    it gets a tuple ``g``, zeros where an output was not used. A gradient may have the broadcast shape or another float dtype.
    ``saved`` is what the vjps need: Tensors (checked for in-place changes), :class:`Output`, or anything else.
    """
    several = isinstance(outputs, tuple)
    arrays = outputs if isinstance(outputs, tuple) else (outputs,)
    if anomaly.enabled():
        anomaly.check_forward(op, arrays, inputs)
    if _state.captured is not None:
        _state.captured.update((id(t), t) for t in inputs if t._requires_grad)
    if not (_state.grad_enabled and _any_requires_grad(inputs)):
        return tuple(_tensor.Tensor(a) for a in arrays) if several else _tensor.Tensor(arrays[0])
    for t in inputs:
        if t._requires_grad:
            _check_alias(op, t)
    node = Node(op, arrays, inputs, vjps, saved)
    if several:
        return tuple(_tensor.Tensor(a, node, i) for i, a in enumerate(arrays))
    return _tensor.Tensor(arrays[0], node, 0)


def kept(value: Tensor, *askers: Tensor) -> Tensor | None:
    """``value``, for ``record(saved=...)``, if one of the inputs whose gradient reads it asks for one; else None.

    What nobody will read is neither held in memory nor watched for in-place changes.
    """
    return value if _any_requires_grad(askers) else None


def _any_requires_grad(tensors: Sequence[Tensor]) -> bool:
    for t in tensors:  # noqa: SIM110  a generator takes three times as long, on every op
        if t._requires_grad:
            return True
    return False


def _check_alias(op: str, t: Tensor) -> None:
    """A non-leaf whose memory was changed through another view no longer holds what its node computed."""
    if t._node is not None and t._array.version != t._version:
        raise RuntimeError(
            f"{op}: an input was changed in place through another view of its memory: it is at version {t._array.version}, "
            f"its history ends at version {t._version}; take the view again after the change, or change a copy"
        )


# Running the tape ------------------------------------------------------------------------------------------------------------------------


def pull_back(
    outputs: Sequence[Tensor],
    grads: Sequence[Tensor],
    wanted: Sequence[Tensor] | None = None,
    *,
    stop: bool = False,
    retain_graph: bool = False,
    create_graph: bool = False,
) -> list[Tensor | None]:
    """Runs the tape from outputs towards inputs, newest node first.

    Leaves accumulate into ``.grad``, or, with ``wanted``, only those tensors' gradients are computed and returned; with ``stop`` the tape
    ends at them.
    """
    pending = _Pending(wanted, stop)
    for out, g in zip(outputs, grads, strict=True):
        if out._requires_grad:
            pending.add(_parent(out), g)
    done: list[Node] = []
    with _grad_mode(create_graph), anomaly.backward_pass():
        while (item := pending.pop()) is not None:
            node, node_grads = item
            for index, hook in node.hooks:
                node_grad = node_grads[index]
                node_grads[index] = None if node_grad is None else _run_hook(hook, node_grad)
            pending.capture(node, node_grads)
            if not pending.leads_to_wanted(node):
                continue
            results = node.pull(node_grads)
            if anomaly.enabled():
                anomaly.check_backward(node, results)
            for parent, result in zip(node.parents, results, strict=True):
                if parent is not None and result is not None:
                    pending.add(parent, _fit(result, parent))
            done.append(node)
        if not (retain_graph or create_graph):
            for node in done:
                node.free()
        return pending.finish(create_graph)


def _fit(g: Tensor, parent: Parent) -> Tensor:
    """Undoes broadcasting and promotion: sums over the axes an input was stretched along, and takes its dtype."""
    if g.shape != parent.shape:
        g = ops.sum_to(g, parent.shape)
    if g.dtype.kind == "c" and parent.dtype.kind != "c":
        g = ops.real(g)
    return g if g.dtype is parent.dtype else ops.astype(g, parent.dtype, copy=False)


def _run_hook(hook: Hook, g: Tensor) -> Tensor:
    changed = hook(g)
    if changed is None:
        return g
    if not isinstance(changed, _tensor.Tensor):
        raise TypeError(f"backward: a hook returned no Tensor: {type(changed).__name__}; must be None, or what takes the gradient's place")
    if changed.shape != g.shape:
        raise ValueError(f"backward: a hook returned another shape: {changed.shape} for a gradient {g.shape}; they must be equal")
    return changed


class _Pending:
    """Gradients on their way: summed for each node and leaf, nodes handed out newest first."""

    def __init__(self, wanted: Sequence[Tensor] | None, stop: bool) -> None:
        self._nodes: dict[Node, list[Tensor | None]] = {}
        self._leaves: dict[int, tuple[Tensor, Tensor]] = {}
        self._heap: list[tuple[int, Node]] = []
        self._wanted = wanted
        self._captured: dict[tuple[int, int], Tensor] = {}
        self._wanted_keys = {_key(t) for t in wanted or ()}
        self._oldest = min((-1 if t._node is None else t._node.sequence for t in wanted or ()), default=-1)
        self._ends = {t._node for t in wanted or ()} if stop else set()

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
        held_grad = grads[parent.output]
        grads[parent.output] = g if held_grad is None else ops.add(held_grad, g)

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
        return node.sequence > self._oldest and node not in self._ends

    def finish(self, create_graph: bool) -> list[Tensor | None]:
        for leaf, g in list(self._leaves.values()):
            for _, hook in leaf._hooks or ():
                g = _run_hook(hook, g)
            self._leaves[id(leaf)] = (leaf, g)
        if self._wanted is None:
            with _accumulating:
                _accumulate(list(self._leaves.values()), create_graph)
            return []
        return [self._leaves[id(t)][1] if id(t) in self._leaves else self._captured.get(_key(t)) for t in self._wanted]


def _accumulate(leaves: list[tuple[Tensor, Tensor]], create_graph: bool) -> None:
    """Adds to every leaf's ``.grad``. Gradients may share memory (both terms of a sum get the same one), two ``.grad`` must not."""
    taken: set[int] = set()
    for leaf, g in leaves:
        if leaf.grad is not None:
            leaf.grad = ops.add(leaf.grad, g)
            continue
        array = g._array
        memory = array.address - array.offset * array.dtype.itemsize
        own = create_graph or (array.is_contiguous() and memory not in taken and not array.readonly)
        leaf.grad = g if own else ops.copy(g)
        taken.add(memory)


def _key(t: Tensor) -> tuple[int, int]:
    return (id(t), 0) if t._node is None else (id(t._node), t._index)


# What users call -------------------------------------------------------------------------------------------------------------------------


def backward(output: Tensor, gradient: Tensor | None = None, *, retain_graph: bool = False, create_graph: bool = False) -> None:
    """Adds d(output)/d(leaf) to ``leaf.grad`` for every leaf that output was computed from.

    ``gradient`` is the vector of the vector-Jacobian product; it may be left out for a single element. ``retain_graph`` keeps the tape for
    another run; ``create_graph`` records the run itself, so that gradients can be differentiated again. RuntimeError if output is not on
    the tape, has several elements and no ``gradient``, if the tape was freed, or if a saved value was changed in place.
    """
    _require_history("backward", output)
    pull_back([output], [_seed("backward", output, gradient)], retain_graph=retain_graph, create_graph=create_graph)


def gradients(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    *,
    retain_graph: bool = False,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of outputs with respect to inputs (leaves or not), without touching any ``.grad``; PyTorch's ``autograd.grad``.

    RuntimeError if an input was not used, unless ``allow_unused``, which gives None.
    """
    outs = [outputs] if isinstance(outputs, _tensor.Tensor) else list(outputs)
    ins = [inputs] if isinstance(inputs, _tensor.Tensor) else list(inputs)
    seeds = [grad_outputs] if isinstance(grad_outputs, _tensor.Tensor) else list(grad_outputs or [None] * len(outs))
    for out in outs:
        _require_history("gradients", out)
    seeded = [_seed("gradients", out, g) for out, g in zip(outs, seeds, strict=True)]
    results = pull_back(outs, seeded, ins, retain_graph=retain_graph, create_graph=create_graph)
    if not allow_unused:
        unused = [i for i, g in enumerate(results) if g is None]
        if unused:
            raise RuntimeError(f"gradients: inputs not used: numbers {unused} of {len(ins)}; pass allow_unused=True to get None for them")
    return tuple(results)


def _require_history(op: str, output: Tensor) -> None:
    if not output._requires_grad:
        raise RuntimeError(
            f"{op}: not on the tape: shape {output.shape}, {output.dtype}; no input of it has requires_grad=True, or no_grad() was on"
        )


def _seed(op: str, output: Tensor, gradient: Tensor | None) -> Tensor:
    if gradient is None:
        if output.size != 1:
            raise RuntimeError(f"{op}: not a scalar: shape {output.shape}; reduce it (.sum(), .mean()), or pass the gradient to start from")
        return creation.ones(output.shape, output.dtype, device=output.device)
    gradient = _tensor.as_tensor(gradient)
    if gradient.shape != output.shape:
        raise ValueError(f"{op}: gradient shape differs: {gradient.shape} for an output {output.shape}; they must be equal")
    return ops.astype(gradient, output.dtype, copy=True)  # a leaf may keep it as its .grad


def register_hook(t: Tensor, hook: Hook) -> Callable[[], None]:
    """Calls ``hook(gradient)`` when t's gradient is known; what it returns, unless None, takes its place. Returns the undo."""
    _require_history("register_hook", t)
    if t._node is None:
        t._hooks = t._hooks or []
    hooks = t._hooks if t._node is None else t._node.hooks
    assert hooks is not None
    entry = (t._index, hook)
    hooks.append(entry)
    return lambda: hooks.remove(entry) if entry in hooks else None


# Functional transforms -------------------------------------------------------------------------------------------------------------------


def _watch(values: Sequence[Any]) -> list[Tensor]:
    """Fresh tape entries for the arguments of a transform; still connected to an outer tape, if there is one."""
    watched = []
    for value in values:
        t = _tensor.as_tensor(value)
        if not dtypes.is_inexact(t.dtype):
            raise TypeError(f"grad: not a floating dtype: {t.dtype}; only floats have gradients")
        watched.append(
            record("watch", t._array, (t,), (lambda g: g,)) if t._requires_grad and _state.grad_enabled else t.detach().requires_grad_()
        )
    return watched


@contextmanager
def _transform() -> Iterator[bool]:
    """Recording is on inside; yields whether gradients must themselves be recorded, for a transform around this one."""
    _state.transforms += 1
    try:
        with _grad_mode(True):
            yield _state.transforms > 1
    finally:
        _state.transforms -= 1


def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., tuple[Tensor, ...]]]:
    """``(f(*primals), pull)``, where ``pull(v)`` is the vector-Jacobian product v^T J for each primal; v has the shape of the output."""
    with _transform():
        inputs = _watch(primals)
        output = f(*inputs)

    def pull(*cotangents: Any) -> tuple[Tensor, ...]:
        outs = output if isinstance(output, tuple | list) else (output,)
        seeds = [
            _tensor.as_tensor(c)
            for c in (cotangents[0] if len(cotangents) == 1 and isinstance(cotangents[0], tuple | list) else cotangents)
        ]
        with _transform():
            pairs = [(o, _seed("vjp", o, c)) for o, c in zip(outs, seeds, strict=True) if o._requires_grad]
            found = pull_back([o for o, _ in pairs], [c for _, c in pairs], inputs, retain_graph=True, create_graph=True)
        return tuple(creation.zeros_like(x) if g is None else g for x, g in zip(inputs, found, strict=True))

    return output, pull


def jvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """``(f(*primals), J t)``: the directional derivative along ``tangents``, one for each primal and of its shape.

    v^T J is linear in v, so its derivative with respect to v, along t, is J t: two runs of the tape and no second set of rules.
    """
    if len(primals) != len(tangents):
        raise ValueError(f"jvp: counts differ: {len(primals)} primals, {len(tangents)} tangents; one tangent for each primal")
    along = [_tensor.as_tensor(t) for t in tangents]
    with _transform() as nested:
        inputs = _watch(primals)
        for x, t in zip(inputs, along, strict=True):
            if x.shape != t.shape:
                raise ValueError(f"jvp: tangent shape differs: {t.shape} for a primal {x.shape}; they must be equal")
        output = f(*inputs)
        outs = [_tensor.as_tensor(o) for o in (output if isinstance(output, tuple | list) else [output])]
        probes = [creation.zeros_like(o).requires_grad_() for o in outs]
        live = [(o, p) for o, p in zip(outs, probes, strict=True) if o._requires_grad]
        pulled = pull_back([o for o, _ in live], [p for _, p in live], inputs, create_graph=True)
        moved = [(g, t) for g, t in zip(pulled, along, strict=True) if g is not None and g._requires_grad]
        found = pull_back(
            [g for g, _ in moved], [ops.astype(t, g.dtype, copy=False) for g, t in moved], probes, retain_graph=True, create_graph=nested
        )
        result = [creation.zeros_like(o) if d is None else d for o, d in zip(outs, found, strict=True)]
    return output, _rebuilt(output, result) if isinstance(output, tuple | list) else result[0]


def _rebuilt(output: Any, results: Sequence[Tensor]) -> Any:
    """The results in a list, tuple or named tuple such as ``output``."""
    kind = type(output)
    return kind(*results) if hasattr(kind, "_fields") else kind(results)


def value_and_grad(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., tuple[Any, Any]]:
    """A function that returns f's value, a single element, and its gradient with respect to the positional arguments ``argnums``."""
    numbers = (argnums,) if isinstance(argnums, int) else argnums

    def wrapped(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        if any(not -len(args) <= n < len(args) for n in numbers):
            raise ValueError(f"grad: no such argument: argnums {numbers} of {len(args)} positional arguments; each must name one of them")
        with _transform() as nested:
            inputs = _watch([args[n] for n in numbers])
            full = list(args)
            for n, x in zip(numbers, inputs, strict=True):
                full[n] = x
            value = _tensor.as_tensor(f(*full, **kwargs))
            nested = nested or any(isinstance(args[n], _tensor.Tensor) and args[n]._requires_grad for n in numbers)
            found = pull_back([value], [_seed("grad", value, None)], inputs, create_graph=nested)
        results = tuple(creation.zeros_like(x) if g is None else g for x, g in zip(inputs, found, strict=True))
        return value if nested else value.detach(), results[0] if isinstance(argnums, int) else results

    return functools.wraps(f)(wrapped)


def grad(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """A function that returns the gradient of f, which must return a single element; of any order: ``grad(grad(f))``."""
    both = value_and_grad(f, argnums)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return both(*args, **kwargs)[1]

    return functools.wraps(f)(wrapped)


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """f, which keeps only what it was given for the backward pass and computes the rest again there: memory for time.

    What f reaches otherwise than by its arguments (a module's parameters) gets its gradients too. Random draws are repeated.
    """

    @functools.wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if not _state.grad_enabled:
            return f(*args, **kwargs)
        random_state = ops.random.default_generator.get_state()
        with no_grad(), _capture() as captured:
            output = f(*args, **kwargs)
        several = isinstance(output, tuple | list)
        outputs = _checked_outputs(tuple(output) if several else (output,))
        captured.update((id(out), out) for out in outputs if out._requires_grad)  # handed through, by no op
        inputs = list(captured.values())

        def pull(g: Any, *_: Any) -> tuple[Tensor | None, ...]:
            create_graph = _state.grad_enabled
            with ops.random.default_generator.at(random_state), enable_grad():
                again = f(*args, **kwargs)
            pairs = zip(again if several else (again,), g if isinstance(g, tuple) else (g,), strict=True)
            live = [(out, seed) for out, seed in pairs if out._requires_grad]
            return tuple(pull_back([out for out, _ in live], [seed for _, seed in live], inputs, stop=True, create_graph=create_graph))

        recorded = record("checkpoint", tuple(out._array for out in outputs), inputs, pull, saved=tuple(inputs))
        results = [out if dtypes.is_inexact(out.dtype) else out.detach() for out in recorded]
        return _rebuilt(output, results) if several else results[0]

    return wrapped


def _checked_outputs(outputs: tuple[Any, ...]) -> tuple[Tensor, ...]:
    for out in outputs:
        if not isinstance(out, _tensor.Tensor):
            raise TypeError(
                f"checkpoint: not a Tensor: the function returned {type(out).__name__}; must be a Tensor, or a tuple or list of them"
            )
    return outputs


@contextmanager
def _capture() -> Iterator[dict[int, Tensor]]:
    """Collects the tensors asking for a gradient that ops are given inside."""
    before = _state.captured
    _state.captured = {}
    _engine.add_watchers(1)
    try:
        yield _state.captured
    finally:
        _engine.add_watchers(-1)
        if before is not None:
            before.update(_state.captured)
        _state.captured = before


# Switching the tape ----------------------------------------------------------------------------------------------------------------------


@contextmanager
def _grad_mode(enabled: bool) -> Iterator[None]:
    before = _state.grad_enabled
    _set_grad_enabled(enabled)
    try:
        yield
    finally:
        _set_grad_enabled(before)


def _set_grad_enabled(enabled: bool) -> None:
    _state.grad_enabled = enabled
    _engine.set_recording(enabled)


def no_grad() -> Any:
    """Nothing is recorded inside; a context manager, and a decorator."""
    return _grad_mode(False)


def enable_grad() -> Any:
    """Recording is on inside, also within :func:`no_grad`."""
    return _grad_mode(True)


def is_grad_enabled() -> bool:
    """Whether ops are recorded just now, in this thread."""
    return _state.grad_enabled


from pyengine import creation, ops  # noqa: E402  they are built on record, above
