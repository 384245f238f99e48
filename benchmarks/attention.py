"""Scaled dot-product attention: pyengine and PyTorch in turn, forward and with the backward pass; a causal mask halves the FLOP counted.

python -m benchmarks.attention                       all cases, 1 and 2 threads
python -m benchmarks.attention --only causal --threads 1
"""

from __future__ import annotations

import argparse
import time
from typing import Any, NamedTuple

import numpy as np

import pyengine as pe
from benchmarks import harness

Array = np.ndarray[Any, Any]


class Case(NamedTuple):
    name: str
    batch: int
    heads: int
    queries: int
    keys: int
    width: int
    causal: bool = False
    dtype: str = "float32"


CASES = [
    Case("ViT on digits", 128, 4, 49, 49, 16),
    Case("ViT-B", 4, 12, 197, 197, 64),
    Case("GPT-2", 2, 12, 1024, 1024, 64, causal=True),
    Case("full", 1, 8, 2048, 2048, 64),
    Case("wide heads", 1, 8, 1024, 1024, 128),
    Case("one query (decoding)", 1, 12, 1, 1024, 64),
    Case("full, bfloat16", 1, 8, 1024, 1024, 64, dtype="bfloat16"),
    Case("full, float64", 1, 8, 512, 512, 64, dtype="float64"),
]


def operands(case: Case) -> list[Array]:
    rng = np.random.default_rng(0)
    lengths = (case.queries, case.keys, case.keys, case.queries)  # q, k, v and the gradient of the output
    kind = "float64" if case.dtype == "float64" else "float32"
    return [rng.standard_normal((case.batch, case.heads, length, case.width)).astype(kind) for length in lengths]


def contenders(case: Case, backward: bool) -> dict[str, harness.Call]:
    arrays = operands(case)
    calls = {"pyengine": call(pe.nn.functional, [pe.astype(pe.asarray(x), case.dtype) for x in arrays], case, backward)}
    try:
        import torch
    except ImportError:
        print("torch: not installed, left out")
        return calls
    tensors = [torch.from_numpy(x).to(getattr(torch, case.dtype)) for x in arrays]
    return {**calls, "torch": call(torch.nn.functional, tensors, case, backward)}


def call(functional: Any, tensors: list[Any], case: Case, backward: bool) -> harness.Call:
    """It returns the output, and with ``backward`` the gradients of q, k and v."""

    def run() -> list[Any]:
        inputs = [x.detach().requires_grad_(backward) for x in tensors[:3]]
        output = functional.scaled_dot_product_attention(*inputs, is_causal=case.causal)
        if not backward:
            return [output]
        output.backward(tensors[3])
        return [output.detach(), *(x.grad for x in inputs)]

    return run


def verify(case: Case, calls: dict[str, harness.Call]) -> None:
    """All within some roundings of each other; that each is right is for the tests to say."""
    tolerance = {"bfloat16": 4e-2, "float32": 2e-4, "float64": 1e-10}[case.dtype]
    expected = [as_float64(x) for x in calls["pyengine"]()]
    for contender in calls.values():
        for found, wanted in zip(contender(), expected, strict=True):
            np.testing.assert_allclose(as_float64(found), wanted, rtol=tolerance, atol=tolerance)


def as_float64(x: Any) -> Array:
    return pe.astype(x, "float64").numpy() if isinstance(x, pe.Tensor) else np.asarray(x.double())


def flop(case: Case, backward: bool) -> float:
    """Two products forward; backward five more: the scores again, and the gradients of v, of the weights, of q and of k."""
    product = 2.0 * case.batch * case.heads * case.queries * case.keys * case.width * (0.5 if case.causal else 1)
    return product * (7 if backward else 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--dry", action="store_true", help="write no results")
    options = parser.parse_args()
    results = []
    for threads in options.threads:
        for case in CASES:
            for backward in (False, True):
                if options.only not in case.name:
                    continue
                calls = contenders(case, backward)
                with harness.threads(threads):
                    verify(case, calls)
                    timings = harness.time_in_turn(calls, options.rounds, clock=time.thread_time if threads == 1 else time.perf_counter)
                facts = {**case._asdict(), "pass": "forward and backward" if backward else "forward", "threads": threads}
                result = harness.row(facts, timings, flop(case, backward), "GFLOP/s")
                harness.print_row(result, f"{threads}t {case.name}{', with backward' * backward}")
                results.append(result)
    if not options.dry:
        print(harness.write("attention", results))


if __name__ == "__main__":
    main()
