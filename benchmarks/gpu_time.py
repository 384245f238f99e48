"""Kernels on a GPU and PyTorch's (cuBLAS, cuDNN, FlashAttention), in turn, by the GPU's own clock; benchmarks/gpu_check.py runs it.

python -m benchmarks.gpu_time
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import pyengine as pe
from benchmarks import harness
from tests import tolerance

Array = np.ndarray[Any, Any]


class Timed(NamedTuple):
    """``call(library, operands)`` for a library with PyTorch's names; ``work`` is what one call does, in FLOP or bytes.

    ``roundings`` are those in float32 on the way to a result, ``stored`` those to the dtype.
    """

    name: str
    dtype: str
    shapes: tuple[tuple[int, ...], ...]
    call: Callable[..., Any]
    work: float
    unit: str
    roundings: int
    stored: int = 1

    def bound(self) -> float:
        """How far two contenders may be apart on operands that are not negative, relative to the largest element."""
        return 2 * (tolerance.gamma(self.roundings, "float32") + self.stored * tolerance.format_of(self.dtype).unit_roundoff)


def timed_cases(small: bool) -> list[Timed]:
    n, rows, long = (64, 32, 1 << 12) if small else (4096, 8192, 1 << 26)
    heads, length = (2, 128) if small else (16, 4096)
    images, side = (1, 8) if small else (64, 56)

    def matmul(_: Any, a: Any, b: Any) -> Any:
        return a @ b

    def attention(nn: Any, q: Any, k: Any, v: Any) -> Any:
        return nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)

    def with_backward(nn: Any, q: Any, k: Any, v: Any) -> Any:
        q, k, v = (x.detach().requires_grad_() for x in (q, k, v))
        attention(nn, q, k, v).sum().backward()
        return v.grad  # in those of q and k terms cancel

    def conv(nn: Any, x: Any, weight: Any) -> Any:
        return nn.functional.conv2d(x, weight, padding=1)

    def gelu(nn: Any, x: Any) -> Any:
        return nn.functional.gelu(x)

    conv_shapes = ((images, 64, side, side), (64, 64, 3, 3))
    conv_work = 2.0 * images * side**2 * 64 * 64 * 9
    heads_shape = ((1, heads, length, 128),) * 3
    scores = 2.0 * heads * length * length * 128 / 2
    # A score is below 4, and off by as many times the roundings of 128 products; it is in both parts of a fraction. Weights are stored.
    weighted = 2 * (length + 4 * 128 + 8)
    return [
        *(Timed("matmul", t, ((n, n),) * 2, matmul, 2.0 * n**3, "GFLOP/s", n) for t in ("float32", "bfloat16", "float16")),
        *(Timed("conv2d 3x3", t, conv_shapes, conv, conv_work, "GFLOP/s", 9 * 64) for t in ("float32", "bfloat16")),
        *(Timed("attention, causal", t, heads_shape, attention, 2 * scores, "GFLOP/s", weighted, 2) for t in ("float32", "bfloat16")),
        Timed("attention, causal, with backward", "bfloat16", heads_shape, with_backward, 7 * scores, "GFLOP/s", weighted, 2),
        Timed("softmax", "float32", ((rows, 4 * n),), lambda nn, x: nn.functional.softmax(x, -1), 8.0 * rows * 4 * n, "GB/s", 4 * n + 16),
        Timed("cross entropy", "float32", ((rows, 4 * n),), cross_entropy, 4.0 * rows * 4 * n, "GB/s", 4 * n + rows + 16),
        Timed("add", "float32", ((long,),) * 2, lambda _, a, b: a + b, 12.0 * long, "GB/s", 1),
        Timed("gelu", "bfloat16", ((long,),), gelu, 4.0 * long, "GB/s", 16),
        Timed("sum", "float32", ((long,),), lambda _, x: x.sum(), 4.0 * long, "GB/s", 2 * math.isqrt(long)),  # blocks, and their sum
    ]  # fmt: skip


def cross_entropy(nn: Any, x: Any) -> Any:
    targets = x[:, 0] * 0  # class 0, made where x is
    return nn.functional.cross_entropy(x, targets.astype("int64") if isinstance(x, pe.Tensor) else targets.long())


def gpu_clock() -> harness.Clock:
    """Seconds by the GPU's clock, when it has done what it was given: CUDA events, on the stream that PyTorch uses, too."""
    start = pe.cuda.Event(enable_timing=True)
    start.record()

    def now() -> float:
        event = pe.cuda.Event(enable_timing=True)
        event.record()
        event.synchronize()
        return start.elapsed_time(event) / 1e3

    return now


def operands(case: Timed) -> list[Array]:
    return [np.random.default_rng(i).standard_normal(shape).astype(np.float32) * 0.5 for i, shape in enumerate(case.shapes)]


def contenders(case: Timed, device: str, arrays: Sequence[Array]) -> dict[str, harness.Call]:
    own = [pe.asarray(x).to(device).astype(case.dtype) for x in arrays]
    calls: dict[str, harness.Call] = {"pyengine": lambda: case.call(pe.nn, *own)}
    try:
        import torch
    except ImportError:
        return calls
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True  # its fastest algorithm
    tensors = [torch.from_numpy(x).to("cuda" if device == "cuda" else "cpu", getattr(torch, case.dtype)) for x in arrays]
    return {**calls, "torch": lambda: case.call(torch.nn, *tensors)}


def distance(calls: Mapping[str, harness.Call]) -> float | None:
    """The largest difference of the contenders' results, relative to the largest element; NaN where one is NaN."""
    if "torch" not in calls:
        return None
    found = calls["pyengine"]().detach().to("cpu").astype("float64").numpy()
    wanted = calls["torch"]().detach().cpu().double().numpy()
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


def time_all(device: str, small: bool) -> list[dict[str, Any]]:
    clock = gpu_clock() if device == "cuda" else time.perf_counter
    return [_timed(case, device, clock, rounds=1 if small else 11) for case in timed_cases(small)]


def _timed(case: Timed, device: str, clock: harness.Clock, rounds: int) -> dict[str, Any]:
    """Slow kernels get fewer rounds: a case takes some seconds at most. What computes something else is not timed."""
    facts = {"case": case.name, "dtype": case.dtype, "shapes": case.shapes, "device": device, "bound": case.bound()}
    try:
        arrays = operands(case)
        apart = distance(contenders(case, device, [np.abs(x) for x in arrays]))  # nothing cancels
        if apart is not None and not apart <= case.bound():
            return {**facts, "outcome": "differs", "why": f"{case.dtype}: distance {apart:.3g}, bound {case.bound():.3g}"}
        calls = contenders(case, device, arrays)
        start = clock()
        calls["pyengine"]()
        slow = clock() - start > 0.1
        timings = harness.time_in_turn(calls, min(rounds, 3) if slow else rounds, clock=clock)
    except Exception as error:
        return {**facts, "outcome": "failed", "why": f"{type(error).__name__}: {error}"}
    result = harness.row({**facts, "outcome": "timed", "distance": apart}, timings, case.work, case.unit)
    harness.print_row(result, f"{case.name}, {case.dtype}")
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true", help="sizes that the simulator can bear")
    parser.add_argument("--out", type=Path, help="a JSON file")
    options = parser.parse_args()
    found = time_all(options.device, options.small)
    if options.out:
        options.out.write_text(json.dumps(found, indent=1, allow_nan=False) + "\n")
    bad = [f"{x['case']}: {x['why']}" for x in found if x["outcome"] in ("failed", "differs")]
    print(*bad, f"{len(found) - len(bad)} of {len(found)} cases in order", sep="\n")
    return int(bool(bad))


if __name__ == "__main__":
    raise SystemExit(main())
