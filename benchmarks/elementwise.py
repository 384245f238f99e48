"""Elementwise ops: pyengine, NumPy and PyTorch in turn; GB/s of what must be read and written at least.

python -m benchmarks.elementwise                       all cases, small to large, 1 and 2 threads
python -m benchmarks.elementwise --only exp --sizes 1000000 --threads 2
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import pyengine as pe
from benchmarks import harness

Array = np.ndarray[Any, Any]


class Case(NamedTuple):
    """The same op by its name in three libraries; ``numpy`` None where NumPy has no such function."""

    name: str
    ours: Callable[..., Any]
    numpy: Callable[..., Any] | None
    torch: str
    operands: str = "x"  # x: the whole shape, contiguous; T: its transpose; r: a row, c: a column that are stretched; s: a Python scalar
    dtype: str = "float32"


CASES = [
    Case("add", pe.add, np.add, "add", "xx"),
    Case("multiply by a scalar", pe.multiply, np.multiply, "mul", "xs"),
    Case("add a row", pe.add, np.add, "add", "xr"),
    Case("subtract a column", pe.subtract, np.subtract, "sub", "xc"),
    Case("add transposed", pe.add, np.add, "add", "xT"),
    Case("copy transposed", pe.copy, lambda x: np.ascontiguousarray(x), "contiguous", "T"),
    Case("divide", pe.divide, np.divide, "div", "xx"),
    Case("maximum", pe.maximum, np.maximum, "maximum", "xx"),
    Case("less", pe.less, np.less, "lt", "xx"),
    Case("sqrt", pe.sqrt, np.sqrt, "sqrt"),
    Case("exp", pe.exp, np.exp, "exp"),
    Case("log", pe.log, np.log, "log"),
    Case("log2", pe.log2, np.log2, "log2"),
    Case("sin", pe.sin, np.sin, "sin"),
    Case("tan", pe.tan, np.tan, "tan"),
    Case("atan", pe.atan, np.arctan, "atan"),
    Case("sinh", pe.sinh, np.sinh, "sinh"),
    Case("asinh", pe.asinh, np.arcsinh, "asinh"),
    Case("atan2", pe.atan2, np.arctan2, "atan2", "xx"),
    Case("pow", lambda x: pe.pow(x, 1.7), lambda x: np.power(x, np.float32(1.7)), "lambda x: torch.pow(x, 1.7)"),
    Case("erf", pe.erf, None, "erf"),
    Case("relu", pe.relu, None, "relu"),
    Case("sigmoid", pe.sigmoid, None, "sigmoid"),
    Case("tanh", pe.tanh, np.tanh, "tanh"),
    Case("silu", pe.silu, None, "nn.functional.silu"),
    Case("gelu", pe.gelu, None, "nn.functional.gelu"),
    Case("exp", pe.exp, np.exp, "exp", dtype="float64"),
    Case("log2", pe.log2, np.log2, "log2", dtype="float64"),
    Case("sin", pe.sin, np.sin, "sin", dtype="float64"),
    Case("atan2", pe.atan2, np.arctan2, "atan2", "xx", dtype="float64"),
    Case("pow", lambda x: pe.pow(x, 1.7), lambda x: np.power(x, 1.7), "lambda x: torch.pow(x, 1.7)", dtype="float64"),
    Case("add", pe.add, np.add, "add", "xx", dtype="int64"),
    Case("add", pe.add, None, "add", "xx", dtype="bfloat16"),
    Case("gelu", pe.gelu, None, "nn.functional.gelu", dtype="bfloat16"),
]


def operands(kinds: str, size: int) -> list[Any]:
    rng = np.random.default_rng(0)
    columns = max(1, round(size**0.5))
    shape = (size // columns, columns)
    make = {
        "x": lambda: rng.uniform(0.1, 3.0, shape),
        "T": lambda: rng.uniform(0.1, 3.0, shape[::-1]).T,
        "r": lambda: rng.uniform(0.1, 3.0, shape[1:]),
        "c": lambda: rng.uniform(0.1, 3.0, (shape[0], 1)),
    }
    return [2.5 if kind == "s" else make[kind]() for kind in kinds]


def contenders(case: Case, size: int) -> tuple[dict[str, harness.Call], int]:
    """The calls, and the bytes of all operands and the result."""
    values = operands(case.operands, size)
    arrays = [v if isinstance(v, float) else v.astype("float32" if case.dtype == "bfloat16" else case.dtype) for v in values]
    ours = [v if isinstance(v, float) else pe.astype(pe.asarray(v), case.dtype) for v in arrays]
    calls: dict[str, harness.Call] = {"pyengine": lambda: case.ours(*ours)}
    moved = sum(x.nbytes for x in [*ours, case.ours(*ours)] if isinstance(x, pe.Tensor))
    if (numpy_function := case.numpy) is not None:
        calls["numpy"] = lambda: numpy_function(*arrays)
    try:
        import torch
    except ImportError:
        print("torch: not installed, left out")
        return calls, moved
    theirs = [v if isinstance(v, float) else torch.from_numpy(v).to(getattr(torch, case.dtype)) for v in arrays]
    f = _torch_function(torch, case.torch)
    calls["torch"] = lambda: f(*theirs)
    return calls, moved


def _torch_function(torch: Any, name: str) -> Callable[..., Any]:
    if name.startswith("lambda"):
        return lambda x: torch.pow(x, 1.7)
    if name == "contiguous":
        return lambda x: x.contiguous()
    f: Any = torch
    for part in name.split("."):
        f = getattr(f, part)
    found: Callable[..., Any] = f
    return found


def verify(case: Case, calls: dict[str, harness.Call]) -> None:
    """All within some ulp of each other; that each is right is for the tests to say."""
    tolerance = 2e-2 if case.dtype == "bfloat16" else 2e-6
    expected = as_float64(calls["pyengine"]())
    for call in calls.values():
        np.testing.assert_allclose(as_float64(call()), expected, rtol=tolerance, atol=tolerance)


def as_float64(x: Any) -> Array:
    if isinstance(x, pe.Tensor):
        return pe.astype(x, "float64").numpy()
    return np.asarray(x.double() if hasattr(x, "double") else x, np.float64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--sizes", nargs="+", type=int, default=[16, 256, 4096, 1_000_000])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--dry", action="store_true", help="write no results")
    options = parser.parse_args()
    results = []
    for threads in options.threads:
        for size in options.sizes:
            for case in CASES:
                if options.only not in case.name:
                    continue
                calls, moved = contenders(case, size)
                with harness.threads(threads):
                    verify(case, calls)
                    timings = harness.time_in_turn(calls, options.rounds, clock=time.thread_time if threads == 1 else time.perf_counter)
                facts = {"op": case.name, "dtype": case.dtype, "operands": case.operands, "size": size, "threads": threads}
                result = harness.row(facts, timings, moved, "GB/s")
                harness.print_row(result, f"{threads}t {size:9} {case.dtype} {case.name}")
                results.append(result)
    if not options.dry:
        print(harness.write("elementwise", results))


if __name__ == "__main__":
    main()
