"""Kernels on the hardware against the simulator, which runs the same source; benchmarks/gpu_check.py runs it.

python -m benchmarks.gpu_compare                 bit for bit where nothing is rounded, elsewhere within the roundings
python -m benchmarks.gpu_compare --exercise      each kernel once, for compute-sanitizer
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import pyengine as pe
from tests import tolerance

Array = np.ndarray[Any, Any]
Results = dict[str, pe.Tensor]


class Case(NamedTuple):
    """``run`` computes on the default device. ``roundings`` on the way to a result, relative to its largest element; 0 is bit for bit."""

    name: str
    run: Callable[[], Results]
    roundings: int = 0


def numbers(*shape: int, dtype: str = "float32", seed: int = 0) -> pe.Tensor:
    """In [1, 2): sums of products do not cancel, so that bounds may be relative to the result."""
    return pe.asarray(np.random.default_rng(seed).random(shape) + 1).astype(dtype)


def integers(*shape: int) -> pe.Tensor:
    return pe.asarray(np.random.default_rng(1).integers(-(2**31), 2**31, shape))


def drawn() -> Results:
    pe.manual_seed(5)
    return {
        "uniform": pe.rand((1000,)),
        "integers": pe.randint(0, 1000, (1000,)),
        "bernoulli": pe.nn.functional.dropout(numbers(1000), 0.3),
    }


def moved() -> Results:
    x = numbers(37, 41)
    index = pe.asarray(np.arange(40, -1, -3))
    return {
        "cast": x.astype("bfloat16"),
        "truncated": (x * 100).astype("int32"),
        "where": pe.where(x > 1.5, x, -x),
        "sorted": pe.sort(x, axis=0),
        "argsort": pe.argsort(x, axis=1),
        "taken": pe.take(x, index, axis=1),
        "transposed": x.mT + 0,
        "largest": pe.max(x, axis=0),
    }


def whole() -> Results:
    x = integers(50, 60)
    return {
        "sum": pe.sum(x, axis=0),
        "product": x * x,
        "quotient": x // 7,
        "running": pe.cumulative_sum(x, axis=1),
        "least": pe.argmin(x, axis=1),
    }


def functions(dtype: str) -> Case:
    def run() -> Results:
        x = numbers(500, dtype=dtype)
        return {name: getattr(pe, name)(x) for name in ("exp", "log", "sin", "tanh", "sqrt")}

    return Case(f"functions, {dtype}", run, 8)


def sums() -> Results:
    x = numbers(65, 129)
    return {
        "sum": pe.sum(x),
        "mean": pe.mean(x, axis=0),
        "var": pe.var(x, axis=1) + 1,
        "softmax": pe.softmax(x),
        "logsumexp": pe.logsumexp(x),
    }


def losses() -> Results:
    x = numbers(40, 100).requires_grad_()
    loss = pe.nn.functional.cross_entropy(x, pe.asarray(np.arange(40)))
    loss.backward()
    return {"cross_entropy": loss.detach(), "gradient": x.grad}


def products(dtype: str) -> Case:
    return Case(f"matmul, {dtype}", lambda: {"product": numbers(130, 200, dtype=dtype) @ numbers(200, 70, dtype=dtype)}, 200)


def convolved(dtype: str) -> Case:
    return Case(
        f"conv2d, {dtype}",
        lambda: {"conv2d": pe.nn.functional.conv2d(numbers(2, 9, 20, 20, dtype=dtype), numbers(8, 9, 3, 3, dtype=dtype), padding=1)},
        81,
    )


def attended(dtype: str) -> Case:
    def run() -> Results:
        q, k, v = (numbers(1, 4, 130, 64, dtype=dtype, seed=seed).requires_grad_() for seed in range(3))
        pe.manual_seed(3)
        out = pe.scaled_dot_product_attention(q * 0.1, k * 0.1, v, dropout_p=0.2, is_causal=True)
        out.backward(numbers(1, 4, 130, 64, dtype=dtype))
        return {"out": out.detach(), "dv": v.grad}  # in dq and dk terms cancel

    return Case(f"attention, {dtype}", run, 500)


CASES = [
    Case("random numbers", drawn),
    Case("moves", moved),
    Case("integers", whole),
    *(functions(dtype) for dtype in ("float32", "float64", "float16")),
    Case("sums", sums, 256),
    Case("losses", losses, 256),
    *(make(dtype) for make in (products, convolved, attended) for dtype in ("float32", "bfloat16", "float16")),
]


def results_on(device: str, case: Case) -> dict[str, Array]:
    pe.set_default_device(device)
    return {name: x.to("cpu").astype("float64" if x.dtype.kind == "f" else x.dtype).numpy() for name, x in case.run().items()}


def difference(case: Case, found: Mapping[str, Array], expected: Mapping[str, Array], dtypes: Mapping[str, str]) -> str:
    """What is wrong, or nothing."""
    for name, wanted in expected.items():
        have = found[name]
        if case.roundings == 0:
            same = have.dtype == wanted.dtype and have.tobytes() == wanted.tobytes()
            if not same:
                return f"{name}: {np.count_nonzero(have != wanted)} of {wanted.size} elements differ"
            continue
        size = np.full(wanted.shape, np.abs(wanted).max(initial=0))
        bound = 2 * tolerance.roundings(size, wanted, case.roundings, dtypes[name])
        error = np.abs(have - wanted)
        if not (error <= bound).all():
            return f"{name}: error {error.max():.3g}, bound {bound.max():.3g}"
    return ""


def compare(device: str) -> list[dict[str, Any]]:
    """Against the simulator; where that is the device itself, against the CPU."""
    other = "cpu" if device == "simulator" else "simulator"
    return [{"case": case.name, "device": device, "against": other, **_compared(case, device, other)} for case in CASES]


def _compared(case: Case, device: str, other: str) -> dict[str, Any]:
    try:
        found, expected = (results_on(name, case) for name in (device, other))
        pe.set_default_device("cpu")
        fault = difference(case, found, expected, {name: x.dtype.name for name, x in case.run().items()})
    except Exception as error:
        return {"outcome": "failed", "why": f"{type(error).__name__}: {error}"}
    finally:
        pe.set_default_device("cpu")
    return {"outcome": "differs" if fault else "agrees", "why": fault}


def exercise(device: str) -> list[dict[str, Any]]:
    """Each kernel once."""
    outcomes = []
    for case in CASES:
        try:
            results_on(device, case)
        except RuntimeError as error:  # an op without a kernel
            outcomes.append({"case": case.name, "outcome": "failed", "why": str(error)})
        else:
            outcomes.append({"case": case.name, "outcome": "ran", "why": ""})
    pe.set_default_device("cpu")
    return outcomes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--exercise", action="store_true", help="compare with nothing")
    parser.add_argument("--out", type=Path, help="a JSON file")
    options = parser.parse_args()
    found = (exercise if options.exercise else compare)(options.device)
    if options.out:
        options.out.write_text(json.dumps(found, indent=1, allow_nan=False) + "\n")
    bad = [f"{x['case']}: {x['why']}" for x in found if x["outcome"] in ("failed", "differs")]
    print(*bad, f"{len(found) - len(bad)} of {len(found)} cases in order", sep="\n")
    return int(bool(bad))


if __name__ == "__main__":
    raise SystemExit(main())
