"""Convolution and its gradients: pyengine and PyTorch (oneDNN) in turn, on layers of LeNet, an MNIST CNN, ResNet and its relatives.

python -m benchmarks.conv                                  all layers, float32, forward and both gradients, 1 and 2 threads
python -m benchmarks.conv --only MNIST --ops forward --threads 1
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import pyengine as pe
from benchmarks import harness
from pyengine import _engine
from tests import tolerance

OPS = ("forward", "input gradient", "weight gradient")


class Case(NamedTuple):
    name: str
    x: tuple[int, ...]
    w: tuple[int, ...]
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1


CASES = [
    Case("LeNet layer 1", (64, 1, 28, 28), (6, 1, 5, 5)),
    Case("LeNet layer 2", (64, 6, 12, 12), (16, 6, 5, 5)),
    Case("MNIST layer 1, 3x3", (128, 1, 28, 28), (32, 1, 3, 3), padding=1),
    Case("MNIST layer 1, 5x5", (128, 1, 28, 28), (32, 1, 5, 5), padding=2),
    Case("MNIST layer 2, 3x3", (128, 32, 14, 14), (64, 32, 3, 3), padding=1),
    Case("MNIST layer 2, 5x5", (128, 32, 14, 14), (64, 32, 5, 5), padding=2),
    Case("MNIST layer 2, no padding", (64, 32, 26, 26), (64, 32, 3, 3)),
    Case("MNIST layer 3", (128, 64, 7, 7), (64, 64, 3, 3), padding=1),
    Case("ResNet stem", (4, 3, 224, 224), (64, 3, 7, 7), stride=2, padding=3),
    Case("ResNet 56", (4, 64, 56, 56), (64, 64, 3, 3), padding=1),
    Case("ResNet 56, 1x1", (4, 64, 56, 56), (256, 64, 1, 1)),
    Case("ResNet 28", (8, 128, 28, 28), (128, 128, 3, 3), padding=1),
    Case("ResNet 28, stride 2", (8, 128, 56, 56), (128, 128, 3, 3), stride=2, padding=1),
    Case("ResNet 28, 1x1, stride 2", (8, 256, 28, 28), (512, 256, 1, 1), stride=2),
    Case("ResNet 14", (8, 256, 14, 14), (256, 256, 3, 3), padding=1),
    Case("ResNet 14, batch 32", (32, 256, 14, 14), (256, 256, 3, 3), padding=1),
    Case("ResNet 7", (16, 512, 7, 7), (512, 512, 3, 3), padding=1),
    Case("ResNet 7, one image", (1, 512, 7, 7), (512, 512, 3, 3), padding=1),
    Case("ResNeXt 56", (4, 128, 56, 56), (128, 4, 3, 3), padding=1, groups=32),
    Case("depthwise 112", (8, 32, 112, 112), (32, 1, 3, 3), padding=1, groups=32),
    Case("depthwise 14", (16, 512, 14, 14), (512, 1, 3, 3), padding=1, groups=512),
    Case("depthwise 7", (32, 512, 7, 7), (512, 1, 3, 3), padding=1, groups=512),
    Case("dilation 2", (4, 64, 56, 56), (64, 64, 3, 3), padding=2, dilation=2),
    Case("1-D", (8, 64, 4000), (64, 64, 9), padding=4),
    Case("3-D", (2, 16, 16, 32, 32), (32, 16, 3, 3, 3), padding=1),
]


class Layer:
    """One case's arrays, and a call of every op for every contender."""

    def __init__(self, case: Case, dtype: str) -> None:
        rng = np.random.default_rng(0)
        self.case, self.axes = case, len(case.x) - 2
        kernel, size = case.w[2:], case.x[2:]
        self.each = [(v,) * self.axes for v in (case.stride, case.dilation, case.padding)]
        self.out = pe.conv_geometry(size, kernel, case.stride, case.padding, case.dilation).output_size
        self.shapes = {"x": case.x, "w": case.w, "y": (case.x[0], case.w[0], *self.out)}
        self.arrays = {name: rng.standard_normal(shape).astype(dtype) for name, shape in self.shapes.items()}
        self.products = math.prod(self.out) * case.x[0] * math.prod(case.w)

    def contenders(self, op: str) -> dict[str, harness.Call]:
        calls = {"pyengine": self._pyengine(op)}
        try:
            import torch
        except ImportError:
            print("torch: not installed, left out")
            return calls
        return {**calls, "torch": self._torch(op, torch)}

    def _pyengine(self, op: str) -> harness.Call:
        x, w, y = (pe.asarray(self.arrays[name])._array for name in "xwy")
        groups, size, kernel = self.case.groups, self.case.x[2:], self.case.w[2:]
        return {
            "forward": lambda: _engine.conv(x, w, None, self.out, *self.each, groups),
            "input gradient": lambda: _engine.conv_transpose(y, w, None, size, *self.each, groups),
            "weight gradient": lambda: _engine.conv_weight_gradient(x, y, kernel, *self.each, groups),
        }[op]

    def _torch(self, op: str, torch: Any) -> harness.Call:
        x, w, y = (torch.from_numpy(self.arrays[name]) for name in "xwy")
        stride, dilation, padding = self.each
        if op == "forward":
            forward: Callable[..., Any] = getattr(torch.nn.functional, f"conv{self.axes}d")
            return lambda: forward(x, w, None, stride, padding, dilation, self.case.groups)
        wanted = [op == "input gradient", op == "weight gradient", False]
        settings = (None, stride, padding, dilation, False, (0,) * self.axes, self.case.groups, wanted)
        return lambda: torch.ops.aten.convolution_backward(y, x, w, *settings)[1 - wanted[0]]

    def verify(self, op: str, calls: dict[str, harness.Call]) -> None:
        """Every contender within the derived bound of what pyengine computes in float64; plain loops would take too long."""
        exact, magnitude = ({n: f(a.astype(np.float64)) for n, a in self.arrays.items()} for f in (lambda a: a, np.abs))
        terms = {"forward": "w", "input gradient": "w", "weight gradient": "y"}[op]
        shape = self.shapes[terms]
        k = math.prod(shape) // shape[1] if terms == "y" else math.prod(shape)
        expected, bound = self._in_float64(op, exact), self._in_float64(op, magnitude)
        for call in calls.values():
            result = call()
            actual = np.asarray(pe.Tensor(result) if isinstance(result, _engine.Array) else result)
            tolerance.assert_within(actual, expected, tolerance.contraction(bound, expected, k, actual.dtype.name), actual.dtype.name)

    def _in_float64(self, op: str, arrays: dict[str, np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
        layer = object.__new__(Layer)
        layer.__dict__ = {**self.__dict__, "arrays": arrays}
        return np.asarray(pe.Tensor(layer._pyengine(op)()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--ops", nargs="+", default=OPS, choices=OPS)
    parser.add_argument("--dtypes", nargs="+", default=["float32"])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--dry", action="store_true", help="write no results")
    options = parser.parse_args()
    results = []
    for threads in options.threads:
        for dtype in options.dtypes:
            for case in (case for case in CASES if options.only in case.name):
                layer = Layer(case, dtype)
                for op in options.ops:
                    calls = layer.contenders(op)
                    with harness.threads(threads):
                        layer.verify(op, calls)
                        clock = time.thread_time if threads == 1 else time.perf_counter
                        timings = harness.time_in_turn(calls, options.rounds, clock=clock)
                    about = {**case._asdict(), "op": op, "dtype": dtype, "threads": threads}
                    result = harness.row(about, timings, 2.0 * layer.products, "GFLOP/s")
                    harness.print_row(result, f"{dtype} {threads}t {case.name}, {op}")
                    results.append(result)
    if not options.dry:
        print(harness.write("conv", results))


if __name__ == "__main__":
    main()
