"""Matrix products: pyengine, NumPy (OpenBLAS) and PyTorch (MKL) in turn, on shapes that occur in training and on squares.

python -m benchmarks.matmul                       all shapes, float32 and float64, 1 and 2 threads
python -m benchmarks.matmul --only attention --dtypes float32 --threads 1
"""

from __future__ import annotations

import argparse
import time
from typing import Any, NamedTuple

import numpy as np

import pyengine as pe
from benchmarks import harness
from tests import tolerance


class Case(NamedTuple):
    """``a`` and ``b`` are shapes as multiplied; a letter T says that the operand is a transposed view of contiguous memory."""

    name: str
    a: tuple[int, ...]
    b: tuple[int, ...]
    transposed: str = ""


CASES = [
    Case("MLP layer 1, forward", (100, 784), (784, 400)),
    Case("MLP layer 1, forward, weight (out, in)", (100, 784), (784, 400), "b"),
    Case("MLP layer 1, gradient of weight", (400, 100), (100, 784), "a"),
    Case("MLP layer 2, forward", (100, 400), (400, 10)),
    Case("MLP layer 2, forward, weight (out, in)", (100, 400), (400, 10), "b"),
    Case("MLP layer 2, gradient of weight", (10, 100), (100, 400), "a"),
    Case("MLP layer 2, gradient of input", (100, 10), (10, 400)),
    *(Case("square", (n, n), (n, n)) for n in (8, 16, 32, 64, 100, 128, 256, 512, 1000, 1024, 2048)),
    Case("square, b transposed", (512, 512), (512, 512), "b"),
    Case("row times matrix", (1, 784), (784, 400)),
    Case("row times matrix", (1, 2048), (2048, 2048)),
    Case("matrix times column", (2048, 2048), (2048, 1)),
    Case("few rows", (4, 784), (784, 400), "b"),
    Case("few rows", (8, 2048), (2048, 2048)),
    Case("tall and skinny", (60000, 784), (784, 10)),
    Case("tall and skinny, gradient of weight", (784, 10000), (10000, 10), "a"),
    Case("attention scores", (64, 128, 64), (64, 64, 128), "b"),
    Case("attention values", (64, 128, 128), (64, 128, 64)),
    Case("many small", (1000, 8, 8), (1000, 8, 8)),
    Case("many small", (500, 16, 16), (500, 16, 16)),
    Case("batch times one matrix", (32, 64, 256), (256, 256)),
]


def operand(rng: np.random.Generator, shape: tuple[int, ...], transposed: bool, dtype: str) -> np.ndarray[Any, Any]:
    full = (*shape[:-2], shape[-1], shape[-2]) if transposed else shape
    x = rng.standard_normal(full).astype(dtype)
    return x.swapaxes(-1, -2) if transposed else x


def contenders(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> dict[str, harness.Call]:
    pe_a, pe_b = pe.asarray(a), pe.asarray(b)
    calls: dict[str, harness.Call] = {"pyengine": lambda: pe_a @ pe_b, "numpy": lambda: a @ b}
    try:
        import torch
    except ImportError:
        print("torch: not installed, left out")
        return calls
    torch_a, torch_b = torch.from_numpy(a), torch.from_numpy(b)
    return {**calls, "torch": lambda: torch_a @ torch_b}


def verify(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any], calls: dict[str, harness.Call]) -> None:
    """Every contender within the derived bound of float64 (float64 itself: of NumPy's)."""
    expected = a.astype(np.float64) @ b.astype(np.float64)
    magnitude = np.abs(a).astype(np.float64) @ np.abs(b).astype(np.float64)
    bound = tolerance.contraction(magnitude, expected, a.shape[-1], a.dtype.name)
    for call in calls.values():
        tolerance.assert_within(np.asarray(call()), expected, bound, a.dtype.name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--dtypes", nargs="+", default=["float32", "float64"])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--dry", action="store_true", help="write no results")
    options = parser.parse_args()
    results = []
    for threads in options.threads:
        for dtype in options.dtypes:
            for case in CASES:
                if options.only not in case.name:
                    continue
                rng = np.random.default_rng(0)
                a, b = operand(rng, case.a, "a" in case.transposed, dtype), operand(rng, case.b, "b" in case.transposed, dtype)
                calls = contenders(a, b)
                with harness.threads(threads):
                    verify(a, b, calls)
                    timings = harness.time_in_turn(calls, options.rounds, clock=time.thread_time if threads == 1 else time.perf_counter)
                flop = 2.0 * a.size * b.shape[-1]
                result = harness.row({**case._asdict(), "dtype": dtype, "threads": threads}, timings, flop, "GFLOP/s")
                harness.print_row(result, f"{dtype} {threads}t {case.a} {case.b} {case.transposed}")
                results.append(result)
    if not options.dry:
        print(harness.write("matmul", results))


if __name__ == "__main__":
    main()
