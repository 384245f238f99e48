"""Softmax cross-entropy: pyengine and PyTorch in turn; GB/s of the logits read, and with the backward pass of their gradient written.

python -m benchmarks.softmax_cross_entropy                       all cases, 1 and 2 threads
python -m benchmarks.softmax_cross_entropy --only vocabulary --threads 1
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
    rows: int
    classes: int
    soft: bool = False
    label_smoothing: float = 0.0
    dtype: str = "float32"


CASES = [
    Case("digits", 128, 10),
    Case("digits, whole set", 60_000, 10),
    Case("ImageNet", 256, 1000),
    Case("ImageNet, smoothed", 256, 1000, label_smoothing=0.1),
    Case("ImageNet, soft targets", 256, 1000, soft=True),
    Case("GPT-2 vocabulary", 512, 50_257),
    Case("GPT-2 vocabulary, bfloat16", 512, 50_257, dtype="bfloat16"),
    Case("ImageNet, float64", 256, 1000, dtype="float64"),
]


def operands(case: Case) -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    kind = "float64" if case.dtype == "float64" else "float32"
    logits = (4 * rng.standard_normal((case.rows, case.classes))).astype(kind)
    if not case.soft:
        return logits, rng.integers(0, case.classes, case.rows)
    weights = rng.random((case.rows, case.classes))
    return logits, (weights / weights.sum(axis=1, keepdims=True)).astype(kind)


def contenders(case: Case, backward: bool) -> dict[str, harness.Call]:
    logits, targets = operands(case)
    calls = {"pyengine": call(pe.nn.functional, pe.astype(pe.asarray(logits), case.dtype), pe.asarray(targets), case, backward)}
    try:
        import torch
    except ImportError:
        print("torch: not installed, left out")
        return calls
    tensor = torch.from_numpy(logits).to(getattr(torch, case.dtype))
    return {**calls, "torch": call(torch.nn.functional, tensor, torch.from_numpy(targets), case, backward)}


def call(functional: Any, logits: Any, targets: Any, case: Case, backward: bool) -> harness.Call:
    """It returns the loss, and with ``backward`` the gradient of the logits."""

    def run() -> list[Any]:
        x = logits.detach().requires_grad_(backward)
        loss = functional.cross_entropy(x, targets, label_smoothing=case.label_smoothing)
        if not backward:
            return [loss]
        loss.backward()
        return [loss.detach(), x.grad]

    return run


def verify(case: Case, calls: dict[str, harness.Call]) -> None:
    """All within some roundings of each other; that each is right is for the tests to say."""
    tolerance = {"bfloat16": 2e-2, "float32": 1e-5, "float64": 1e-12}[case.dtype]
    expected = [as_float64(x) for x in calls["pyengine"]()]
    for contender in calls.values():
        for found, wanted in zip(contender(), expected, strict=True):
            np.testing.assert_allclose(as_float64(found), wanted, rtol=tolerance, atol=tolerance * np.abs(wanted).max())


def as_float64(x: Any) -> Array:
    return pe.astype(x, "float64").numpy() if isinstance(x, pe.Tensor) else np.asarray(x.double())


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
                size = {"bfloat16": 2, "float32": 4, "float64": 8}[case.dtype]
                facts = {**case._asdict(), "pass": "forward and backward" if backward else "forward", "threads": threads}
                result = harness.row(facts, timings, case.rows * case.classes * size * (2 if backward else 1), "GB/s")
                harness.print_row(result, f"{threads}t {case.name}{', with backward' * backward}")
                results.append(result)
    if not options.dry:
        print(harness.write("softmax_cross_entropy", results))


if __name__ == "__main__":
    main()
