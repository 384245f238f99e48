"""What a call costs: the array API's functions on small arrays, beside NumPy and PyTorch, in turn and in one thread.

``python -m benchmarks.calls`` writes ``results/calls.json``. The promise: at most 1.5 times NumPy's time, and less than PyTorch's. Of
``positive`` only the first part: PyTorch's gives its argument back, ours and NumPy's a copy, so that writing to the one leaves the other.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch

import pyengine as pe
from benchmarks import harness

Arguments = tuple[Any, ...]

UNARY = [
    "abs",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "ceil",
    "conj",
    "cos",
    "cosh",
    "exp",
    "expm1",
    "floor",
    "isfinite",
    "isinf",
    "isnan",
    "log",
    "log1p",
    "log2",
    "log10",
    "logical_not",
    "negative",
    "positive",
    "real",
    "reciprocal",
    "round",
    "sign",
    "signbit",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "tan",
    "tanh",
    "trunc",
]
BINARY = [
    "add",
    "atan2",
    "copysign",
    "divide",
    "equal",
    "floor_divide",
    "greater",
    "greater_equal",
    "hypot",
    "less",
    "less_equal",
    "logaddexp",
    "logical_and",
    "logical_or",
    "logical_xor",
    "maximum",
    "minimum",
    "multiply",
    "nextafter",
    "not_equal",
    "pow",
    "remainder",
    "subtract",
]
INTEGER_UNARY = ["abs", "bitwise_invert", "negative", "sign", "square"]
INTEGER_BINARY = [
    "add",
    "bitwise_and",
    "bitwise_left_shift",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "equal",
    "floor_divide",
    "less",
    "maximum",
    "multiply",
    "remainder",
    "subtract",
]
COMPLEX_UNARY = ["abs", "conj", "imag", "real"]
REDUCTIONS = [
    "all",
    "any",
    "argmax",
    "argmin",
    "count_nonzero",
    "cumulative_prod",
    "cumulative_sum",
    "max",
    "mean",
    "min",
    "prod",
    "std",
    "sum",
    "var",
]
INTEGER_REDUCTIONS = ["argmax", "max", "sum"]

TORCH_NAMES = {
    "bitwise_invert": "bitwise_not",
    "cumulative_prod": "cumprod",
    "cumulative_sum": "cumsum",
    "equal": "eq",
    "max": "amax",
    "min": "amin",
}


class Case(NamedTuple):
    """One call: of what, and for each library what to call with what."""

    group: str
    name: str
    dtype: str
    size: int
    calls: dict[str, Callable[[], Any]]


def elementwise(size: int, dtype: str, unary: list[str], binary: list[str]) -> Iterator[Case]:
    """Numbers within the domain of every function."""
    numbers = np.linspace(0.1, 0.9, size) if dtype != "int64" else np.arange(1, size + 1)
    a, b = in_each(numbers.astype(dtype)), in_each(numbers[::-1].astype(dtype) if dtype != "int64" else np.full(size, 3))
    for name in unary:
        x = in_each((numbers + 1).astype(dtype)) if name == "acosh" else a
        yield case("elementwise", name, dtype, size, {library: (x[library],) for library in x})
    for name in binary:
        yield case("elementwise", name, dtype, size, {library: (a[library], b[library]) for library in a})
    if dtype == "float32":
        condition = in_each(numbers < 0.5)
        yield case("elementwise", "where", dtype, size, {library: (condition[library], a[library], b[library]) for library in a})
        yield case("elementwise", "clip", dtype, size, {library: (a[library], 0.2, 0.8) for library in a})


def reductions(size: int, dtype: str, names: list[str]) -> Iterator[Case]:
    x = in_each(square_matrix(size, dtype))
    for name in names:
        torch_options = {"correction": 0} if name in ("std", "var") else {}
        for axis in (None, 1):
            if axis is None and name.startswith("cumulative"):
                continue
            given = {} if axis is None else {"axis": axis}
            torch_given = {} if axis is None else {"dim": axis}
            calls = {
                "pyengine": partial(getattr(pe, name), x["pyengine"], **given),
                "numpy": partial(getattr(np, name), x["numpy"], **given),
                "torch": partial(getattr(torch, TORCH_NAMES.get(name, name)), x["torch"], **torch_given, **torch_options),
            }
            yield Case("reductions", name if axis is None else f"{name} axis=1", dtype, size, calls)


def shapes(size: int, dtype: str) -> Iterator[Case]:
    x = in_each(square_matrix(size, dtype))
    side = math.isqrt(size)
    p, n, t = x["pyengine"], x["numpy"], x["torch"]

    def one(name: str, ours: Callable[..., Any], numpy: Callable[..., Any], peer: Callable[..., Any]) -> Case:
        return Case("shapes", name, dtype, size, {"pyengine": ours, "numpy": numpy, "torch": peer})

    yield one(
        "broadcast_arrays", partial(pe.broadcast_arrays, p, p), partial(np.broadcast_arrays, n, n), partial(torch.broadcast_tensors, t, t)
    )
    wide = (2, side, side)
    yield one("broadcast_to", partial(pe.broadcast_to, p, wide), partial(np.broadcast_to, n, wide), partial(torch.broadcast_to, t, wide))
    yield one("concat", partial(pe.concat, (p, p)), partial(np.concat, (n, n)), partial(torch.concat, (t, t)))
    yield one("expand_dims", partial(pe.expand_dims, p, 0), partial(np.expand_dims, n, 0), partial(torch.unsqueeze, t, 0))
    yield one("flip", partial(pe.flip, p, axis=0), partial(np.flip, n, axis=0), partial(torch.flip, t, (0,)))
    yield one("moveaxis", partial(pe.moveaxis, p, 0, 1), partial(np.moveaxis, n, 0, 1), partial(torch.moveaxis, t, 0, 1))
    yield one("permute_dims", partial(pe.permute_dims, p, (1, 0)), partial(np.permute_dims, n, (1, 0)), partial(torch.permute, t, (1, 0)))
    yield one("repeat", partial(pe.repeat, p, 2, axis=0), partial(np.repeat, n, 2, axis=0), partial(torch.repeat_interleave, t, 2, dim=0))
    yield one("reshape", partial(pe.reshape, p, (-1,)), partial(np.reshape, n, (-1,)), partial(torch.reshape, t, (-1,)))
    yield one("roll", partial(pe.roll, p, 1, axis=0), partial(np.roll, n, 1, axis=0), partial(torch.roll, t, 1, 0))
    row = pe.expand_dims(p, 0), n[None], t[None]
    yield one("squeeze", partial(pe.squeeze, row[0], 0), partial(np.squeeze, row[1], 0), partial(torch.squeeze, row[2], 0))
    yield one("stack", partial(pe.stack, (p, p)), partial(np.stack, (n, n)), partial(torch.stack, (t, t)))
    yield one("tile", partial(pe.tile, p, (2, 1)), partial(np.tile, n, (2, 1)), partial(torch.tile, t, (2, 1)))
    yield one("unstack", partial(pe.unstack, p), partial(np.unstack, n), partial(torch.unbind, t))
    yield one("astype", partial(pe.astype, p, pe.float64), partial(np.astype, n, np.float64), partial(t.to, torch.float64))


def operators(size: int) -> Iterator[Case]:
    """Beyond the promise: what people write."""
    x = in_each(square_matrix(size, "float32"))
    for name, f in {
        "x + y": lambda x: x + x,
        "x * 2.0": lambda x: x * 2.0,
        "1 - x": lambda x: 1 - x,
        "x < y": lambda x: x < x,
        "x[0]": lambda x: x[0],
        "x[:, 0:1]": lambda x: x[:, 0:1],
    }.items():
        yield Case("operators", name, "float32", size, {library: partial(f, value) for library, value in x.items()})


def in_each(numbers: np.ndarray[Any, Any]) -> dict[str, Any]:
    return {"pyengine": pe.asarray(numbers.copy()), "numpy": numbers.copy(), "torch": torch.tensor(numbers)}


def square_matrix(size: int, dtype: str) -> np.ndarray[Any, Any]:
    side = math.isqrt(size)
    return (np.arange(size) % 7 + 1).reshape(side, side).astype(dtype)


def case(group: str, name: str, dtype: str, size: int, arguments: dict[str, Arguments]) -> Case:
    spaces = {"pyengine": (pe, name), "numpy": (np, name), "torch": (torch, TORCH_NAMES.get(name, name))}
    calls = {library: partial(getattr(*spaces[library]), *given) for library, given in arguments.items()}
    return Case(group, name, dtype, size, calls)


def cases() -> Iterator[Case]:
    for size in (1, 16, 256):
        yield from elementwise(size, "float32", UNARY, BINARY)
        yield from reductions(size, "float32", REDUCTIONS)
        yield from shapes(size, "float32")
        yield from operators(size)
    yield from elementwise(16, "int64", INTEGER_UNARY, INTEGER_BINARY)
    yield from elementwise(16, "complex64", COMPLEX_UNARY, [])
    yield from reductions(16, "int64", INTEGER_REDUCTIONS)
    yield from shapes(16, "int64")


def verify(one: Case) -> None:
    """All compute the same, to the precision of float32."""
    results = {library: call() for library, call in one.calls.items()}
    several = isinstance(results["numpy"], tuple)
    for library, result in results.items():
        pairs = zip(result, results["numpy"], strict=True) if several else [(result, results["numpy"])]
        for ours, numpys in pairs:
            ours = ours.resolve_conj() if isinstance(ours, torch.Tensor) else np.asarray(ours)
            np.testing.assert_allclose(ours, numpys, rtol=1e-5, atol=1e-6, err_msg=f"{library} {one.name}")


def geometric_mean(values: list[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def main() -> None:
    results = []
    with harness.threads(1):
        for one in cases():
            verify(one)
            timings = harness.time_in_turn(one.calls, rounds=15, turn=0.003, clock=time.thread_time)
            label = {"group": one.group, "function": one.name, "dtype": one.dtype, "size": one.size}
            ratios = {peer: timings["pyengine"].median / timings[peer].median for peer in ("numpy", "torch")}
            nanoseconds = {library: round(t.median * 1e9) for library, t in timings.items()}
            promised = ratios["numpy"] <= 1.5 and (ratios["torch"] < 1 or one.name == "positive")
            kept = promised or one.group == "operators"
            spreads = {library: round(t.spread, 3) for library, t in timings.items()}
            results.append({**label, "nanoseconds": nanoseconds, "spread": spreads, "ratio": ratios, "kept": kept})
            times = "  ".join(f"{library} {time:6d} ns" for library, time in nanoseconds.items())
            print(f"{one.group:12} {one.name:22} {one.dtype:9} {one.size:4}  {times}  / numpy {ratios['numpy']:5.2f}"
                  f"  / torch {ratios['torch']:5.2f}{'' if kept else '   BROKEN'}", flush=True)  # fmt: skip
    summarize(results)
    print(harness.write("calls", results))


def summarize(results: list[dict[str, Any]]) -> None:
    print("\nGeometric means of our time over theirs")
    for group in ("elementwise", "reductions", "shapes", "operators"):
        for size in (1, 16, 256):
            chosen = [r["ratio"] for r in results if r["group"] == group and r["size"] == size]
            means = {peer: geometric_mean([ratio[peer] for ratio in chosen]) for peer in ("numpy", "torch")}
            print(f"  {group:12} {size:4} elements: numpy {means['numpy']:.2f}, torch {means['torch']:.2f}")
    broken = [r for r in results if not r["kept"]]
    print(f"the promise holds in {len(results) - len(broken)} of {len(results)} cases")


if __name__ == "__main__":
    main()
