"""Fast functions answer as the Python functions they stand over, for every kind of argument, and regular calls run no Python at all."""

import copy
import functools
import gc
import inspect
import pickle
import re
import resource
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyengine as pe
from pyengine import _engine, dtypes, ops
from pyengine.nn import Parameter

FUNCTIONS = {name: f for name, f in vars(ops).items() if isinstance(f, _engine.FastFunction)}
METHODS = {f"Tensor.{name}": f for name, f in vars(pe.Tensor).items() if isinstance(f, _engine.FastFunction)}
BOTH = {**FUNCTIONS, **METHODS}

# Arguments -------------------------------------------------------------------------------------------------------------------------------

SHAPES = [(), (1,), (3,), (4,), (0,), (2, 3), (3, 2), (1, 3), (2, 1), (0, 2), (2, 1, 3), (1, 1)]
SCALARS = [True, False, 0, 1, 2, -1, 3, 300, 2**40, 2**64, -(2**70), 2.0, 0.5, -0.0, 1e300, float("inf"), float("nan"), 1j]
FOREIGN = [np.float32(1.5), np.int64(2), np.ones(3, np.float32), [1.0, 2.0, 3.0], None, "no", (), slice(None)]


@st.composite
def tensors(draw: st.DrawFn) -> pe.Tensor:
    """Of every dtype, contiguous, transposed or cut; some ask for a gradient, and some of these were computed."""
    dtype, shape = draw(st.sampled_from(dtypes.all_dtypes)), draw(st.sampled_from(SHAPES))
    values = np.asarray(draw(st.lists(st.integers(-3, 5), min_size=2, max_size=9)))
    x = pe.asarray(np.resize(values, (*shape, 2)).astype(np.float32)).astype(dtype)
    x = x[..., draw(st.integers(0, 1))] if draw(st.booleans()) else ops.copy(x[..., 0])
    x = ops.permute_dims(x, tuple(reversed(range(x.ndim)))) if draw(st.booleans()) else x
    if not dtypes.is_inexact(x.dtype) or draw(st.integers(0, 9)):
        return x
    leaf = Parameter(x) if draw(st.booleans()) else x.requires_grad_()
    return leaf if draw(st.booleans()) else ops.multiply(leaf, leaf)


def mostly(usual: st.SearchStrategy[Any], *unusual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Nine times in ten the usual: one unusual argument decides how a call goes, so that there should rarely be two."""
    return st.integers(0, 9).flatmap(lambda chance: st.one_of(*unusual) if chance == 7 else usual)


SCALAR = mostly(st.sampled_from([True, 2, -1, 3, 0, 2.0, 0.5]), st.sampled_from(SCALARS))
ARRAYS = mostly(tensors(), st.sampled_from(SCALARS), st.sampled_from(FOREIGN))
VALUES = mostly(st.one_of(tensors(), tensors(), SCALAR), st.sampled_from(FOREIGN))
SMALL = st.integers(-2, 1)
MANY = st.one_of(st.lists(SMALL, max_size=3).map(tuple), st.lists(SMALL, max_size=3))
AXES = mostly(st.one_of(st.just(-1), st.just(0), st.none(), MANY), SMALL, st.sampled_from([True, 1.0, np.int64(0), (0, 0), 5, 10**30]))
FLAGS = mostly(st.booleans(), st.sampled_from([None, 0, 1]))
BOUND = st.one_of(st.none(), st.integers(-3, 3))
KEYS = mostly(
    st.one_of(st.just(0), st.just(-1), st.just(...), st.builds(slice, BOUND, BOUND, mostly(st.sampled_from([None, 1, 2, -1]), BOUND))),
    st.none(),
    st.integers(-3, 3),
    st.sampled_from([True, np.int64(1), 2**70, slice(None, None, 2**62)]),
)

PARAMETERS: dict[str, st.SearchStrategy[Any]] = {
    "approximate": st.sampled_from(["none", "tanh", "no"]),
    "arrays": st.one_of(st.lists(ARRAYS, max_size=3), tensors().flatmap(lambda x: st.sampled_from([(x,), (x, x), [x, x + x]]))),
    "axes": AXES,
    "axis": AXES,
    "copy": FLAGS,
    "correction": mostly(st.sampled_from([0, 1, 0.5, 7]), st.sampled_from([True, None, np.float64(1), float("nan")])),
    "destination": AXES,
    "device": st.sampled_from([None, "cpu", "cuda"]),
    "dtype": st.sampled_from([*dtypes.all_dtypes, None, "float32", np.float64, float, "no"]),
    "include_initial": FLAGS,
    "keepdims": FLAGS,
    "key": st.one_of(KEYS, st.lists(KEYS, max_size=4).map(tuple)),
    "max": VALUES,
    "min": VALUES,
    "repeats": mostly(st.integers(0, 3), MANY, VALUES),
    "repetitions": mostly(st.lists(st.integers(0, 3), max_size=3).map(tuple), SMALL, MANY),
    "self": ARRAYS,
    "shape": mostly(st.one_of(st.just(-1), st.just((-1,)), st.sampled_from(SHAPES)), MANY),
    "shift": mostly(st.integers(-4, 4), MANY),
    "source": AXES,
    "x": ARRAYS,
}


@st.composite
def calls(draw: st.DrawFn, f: Callable[..., Any]) -> tuple[list[Any], dict[str, Any]]:
    """Arguments in a form that f's signature allows, and now and then one too many, too few, or by an unknown name."""
    positional: list[Any] = []
    named: dict[str, Any] = {}
    for parameter in inspect.signature(f).parameters.values():
        strategy = PARAMETERS.get(parameter.name, VALUES)
        strategy = mostly(st.none(), strategy) if parameter.name == "dtype" and parameter.default is None else strategy
        by_name = bool(named) or draw(st.booleans())
        if parameter.kind is parameter.VAR_POSITIONAL:
            positional += draw(st.lists(VALUES, max_size=3))
        elif parameter.default is not parameter.empty and draw(st.integers(0, 2)):
            continue
        elif parameter.kind is parameter.KEYWORD_ONLY or (by_name and parameter.kind is not parameter.POSITIONAL_ONLY):
            named[parameter.name] = draw(strategy)
        elif not named:
            positional.append(draw(strategy))
    fault = draw(st.integers(0, 30))
    if fault == 13:
        positional.append(draw(VALUES))
    elif fault == 17:
        positional = positional[:-1]
    elif fault == 23:
        named["unknown"] = 1
    return positional, named


def outcome(f: Callable[..., Any], positional: list[Any], named: dict[str, Any]) -> Any:
    """All that can be seen of a call."""
    try:
        return seen(f(*positional, **named), [x for x in positional if isinstance(x, pe.Tensor)])
    except Exception as error:
        return type(error), re.sub("0x[0-9a-f]+", "", str(error))  # addresses of arrays


def seen(result: Any, inputs: list[pe.Tensor]) -> Any:
    if isinstance(result, tuple):
        return tuple(seen(one, inputs) for one in result)
    if not isinstance(result, pe.Tensor):
        return result
    sources = [(x is result, x._array.shares_storage(result._array)) for x in inputs]
    offset = result._array.offset if any(shares for _, shares in sources) else 0
    op = None if result._node is None else result._node.op
    layout = (result.dtype, result.shape, result.strides, offset, sources)
    bits = np.dtype(f"u{result.itemsize}") if result.itemsize <= 8 else np.dtype(np.complex128)
    return type(result), layout, result._requires_grad, op, result._version, np.asarray(_engine.to_numpy(result._array, bits)).tobytes()


@pytest.mark.parametrize("name", BOTH)
@given(data=st.data(), recording=st.booleans())
def test_a_fast_function_answers_as_its_python_function(name: str, data: st.DataObject, recording: bool) -> None:
    fast = BOTH[name]
    positional, named = data.draw(calls(fast))
    with pe.enable_grad() if recording else pe.no_grad():
        assert outcome(fast, positional, named) == outcome(fast.__wrapped__, positional, named)


@pytest.mark.parametrize("dtype", dtypes.all_dtypes, ids=str)
@pytest.mark.parametrize("name", [n for n, f in BOTH.items() if list(inspect.signature(f).parameters) in (["x1", "x2"], ["self", "other"])])
def test_scalars_beside_every_dtype(name: str, dtype: dtypes.DType) -> None:
    fast, some = BOTH[name], pe.ones((2,), dtype=dtype)
    for scalar in SCALARS:
        for operands in ([some, scalar], [scalar, some])[: 1 if name in METHODS else 2]:
            assert outcome(fast, operands, {}) == outcome(fast.__wrapped__, operands, {}), operands


# Regular calls ---------------------------------------------------------------------------------------------------------------------------

x = pe.asarray([[1.0, 2.0], [3.0, 4.0]])
whole = pe.asarray([[1, 2], [3, 4]])

REGULAR: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "where": ((x > 2, x, 0.0), {}),
    "clip": ((x, 1.5), {"max": 3}),
    "getitem": ((x, (0, ..., slice(None, None, -1))), {}),
    "Tensor.__getitem__": ((x, 0), {}),
    "sum": ((x,), {"axis": 0, "keepdims": True}),
    "var": ((x,), {"axis": (0, 1), "correction": 1}),
    "argmax": ((x,), {}),
    "cumulative_sum": ((x,), {"axis": 0, "include_initial": True}),
    "cumulative_prod": ((x,), {"axis": -1}),
    "reshape": ((x, (4,)), {}),
    "permute_dims": ((x, (1, 0)), {}),
    "moveaxis": ((x, 0, 1), {}),
    "broadcast_to": ((x, (3, 2, 2)), {}),
    "broadcast_arrays": ((x, x), {}),
    "squeeze": ((pe.ones((1, 2)),), {"axis": 0}),
    "concat": (([x, x],), {"axis": 1}),
    "stack": (((x, x),), {"axis": -1}),
    "roll": ((x, 1), {"axis": 0}),
    "repeat": ((x, 2), {"axis": 1}),
    "tile": ((x, (2, 1)), {}),
    "astype": ((x, pe.float64), {}),
    "imag": ((x.astype(pe.complex64),), {}),
}


def regular(name: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    value = whole if "bitwise" in name or name in {f"Tensor.__{n}__" for n in BITS} else x
    count = sum(p.default is p.empty for p in inspect.signature(BOTH[name]).parameters.values())
    return REGULAR.get(name, ((value,) * count, {}))


BITS = [prefix + n for n in ("and", "or", "xor", "lshift", "rshift") for prefix in ("", "r")] + ["invert"]


def frames(call: Callable[[], Any]) -> list[str]:
    """The Python functions that run during a call."""
    entered: list[str] = []
    sys.setprofile(lambda frame, event, argument: entered.append(frame.f_code.co_name) if event == "call" else None)
    try:
        call()
    finally:
        sys.setprofile(None)
    return entered


@pytest.mark.parametrize("name", BOTH)
def test_a_regular_call_runs_no_python(name: str) -> None:
    positional, named = regular(name)
    assert frames(functools.partial(BOTH[name], *positional, **named)) == []


@pytest.mark.parametrize("fast", [pe.add, pe.sum], ids=["add", "sum"])
def test_what_the_tape_records_runs_python(fast: Any) -> None:
    leaf = pe.ones(3, requires_grad=True)
    call = functools.partial(fast, *(leaf,) * (2 if fast is pe.add else 1))
    assert "record" in frames(call)
    with pe.no_grad():
        assert frames(call) == []
    assert "record" in frames(call)


def test_no_grad_holds_for_its_own_thread() -> None:
    leaf = pe.ones(3, requires_grad=True)
    results: list[bool] = []
    with pe.no_grad():
        thread = threading.Thread(target=lambda: results.append(pe.add(leaf, leaf).requires_grad))
        thread.start()
        thread.join()
        results.append(pe.add(leaf, leaf).requires_grad)
    assert results == [True, False]


def test_anomaly_mode_sees_every_op() -> None:
    below = pe.asarray([-1.0])
    with pytest.raises(pe.AnomalyError), pe.detect_anomaly():
        pe.log(below)
    with pe.detect_anomaly(), pe.detect_anomaly(False):
        assert pe.isnan(pe.log(below))
    assert frames(lambda: pe.log(below))[1:] == []


def test_the_default_dtype_is_asked_for() -> None:
    pe.set_default_dtype(pe.float64)
    try:
        assert {y.dtype for y in (whole * 0.5, 0.5 - whole, pe.mean(whole), pe.var(whole))} == {pe.float64}
    finally:
        pe.set_default_dtype(pe.float32)


def test_checkpoint_sees_what_its_function_reaches() -> None:
    weight = pe.asarray([3.0], requires_grad=True)
    pe.checkpoint(lambda x: pe.multiply(x, weight))(pe.asarray([2.0])).backward()
    assert weight.grad is not None
    assert weight.grad.item() == 2.0


# As objects ------------------------------------------------------------------------------------------------------------------------------


def test_a_fast_function_is_like_a_function() -> None:
    assert str(inspect.signature(pe.add)) == "(x1: 'Any', x2: 'Any', /) -> 'Tensor'"
    assert (pe.add.__name__, pe.add.__module__) == ("add", "pyengine.ops.elementwise")
    assert pe.add.__doc__ == pe.add.__wrapped__.__doc__  # type: ignore[attr-defined]
    assert inspect.isroutine(pe.add), "help() shows it as a function"
    assert pickle.loads(pickle.dumps(pe.add)) is pe.add
    assert copy.deepcopy(pe.add) is pe.add
    assert functools.wraps(pe.add)(lambda: None).__doc__ == pe.add.__doc__
    assert weakref.ref(pe.add)() is pe.add
    assert pe.add.__get__(x)(x).tolist() == (x + x).tolist()


def test_it_is_made_of_an_op_that_there_is() -> None:
    with pytest.raises(ValueError, match="no such op: 'no'"):
        _engine.FastFunction(len, "no")


# Memory ----------------------------------------------------------------------------------------------------------------------------------


def test_a_tensor_in_a_cycle_is_collected() -> None:
    t = pe.ones(3)
    t.grad = t
    gone = weakref.ref(t)
    del t
    gc.collect()
    assert gone() is None


def test_calls_leave_nothing_behind() -> None:
    """Two rounds of all regular calls, and of calls that fail: the second must not need memory of its own."""
    every = [functools.partial(BOTH[name], *regular(name)[0], **regular(name)[1]) for name in BOTH]

    def repeated(times: int) -> None:
        for _ in range(times):
            for call in every:
                call()
            with pytest.raises(ValueError, match="cannot be broadcast"):
                pe.add(x, pe.ones(3))

    repeated(100)
    references, before = sys.getrefcount(x), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    repeated(500)
    assert sys.getrefcount(x) == references
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1024, "kilobytes"
