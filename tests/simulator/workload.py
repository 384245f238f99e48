"""Calls that take the paths of the CUDA kernels, on the simulator: ``python -m tests.simulator.workload UNIT``, a kernel's file.

What they compute is the business of tests/ops; here only whether the simulator objects. A kernel that lives here in tests/simulator is
compared with NumPy as well.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

import pyengine as pe
from pyengine import nn, ops
from pyengine.nn import functional as F
from tests.simulator import build
from tests.simulator.floats import as_bf16, from_bf16

Work = Callable[[], object]
REPORTED, WRONG_VALUES = 3, 4
"""Exit statuses."""


def draw(*shape: int, dtype: str = "float32") -> pe.Tensor:
    values = np.random.default_rng(sum(shape)).standard_normal(shape)
    return pe.asarray(values, dtype="float64").astype(dtype).to("simulator")


def integers(high: int, *shape: int) -> pe.Tensor:
    return pe.asarray(np.random.default_rng(high).integers(0, high, shape), device="simulator")


def with_gradient(f: Callable[..., pe.Tensor], *inputs: pe.Tensor) -> None:
    """f and its gradients with respect to all inputs."""
    given = [x.detach().requires_grad_() for x in inputs]
    f(*given).sum().backward()


def matmul() -> None:
    for dtype in ("float32", "float64", "float16", "bfloat16"):
        for m, k, n in ((1, 300, 70), (130, 70, 1), (3, 1000, 5), (65, 33, 67), (130, 40, 140)):
            pe.matmul(draw(m, k, dtype=dtype), draw(k, n, dtype=dtype))
    pe.matmul(draw(3, 20, 17), pe.matrix_transpose(draw(3, 19, 17)))
    pe.set_float32_matmul_precision("high")
    for dtype in ("float32", "float16", "bfloat16"):  # tensor cores: chunks in all four layouts, and elements
        a, b = draw(2, 136, 328, dtype=dtype), draw(2, 328, 144, dtype=dtype)
        with_gradient(pe.matmul, a, b)
        pe.matmul(draw(2, 328, 130, dtype=dtype).mT, draw(2, 144, 328, dtype=dtype).mT)
        pe.matmul(a[..., 1:, 1:], b[..., 1:, 1:])
    pe.set_float32_matmul_precision("highest")
    pe.matmul(integers(9, 20, 30), integers(9, 30, 20))
    pe.linear(draw(65, 33), draw(67, 33), draw(67))
    pe.linear(draw(65, 33), draw(5, 33), draw(5))
    pe.matmul(draw(2, 1, 3, 4), draw(250, 4, 5))  # offsets at uneven distances, as many as one launch uploads


def conv() -> None:
    for dtype in ("float32", "float16"):
        x, w, b = draw(2, 6, 9, 11, dtype=dtype), draw(8, 6, 3, 3, dtype=dtype), draw(8, dtype=dtype)
        with_gradient(lambda x, w, b: F.conv2d(x, w, b, padding=1), x, w, b)
        with_gradient(lambda x, w: F.conv2d(x, w, stride=2, dilation=2), x, w)
        with_gradient(lambda x, w: F.conv2d(x, w, groups=6, padding=1), x, draw(6, 1, 3, 3, dtype=dtype))
    pe.set_float32_matmul_precision("high")
    for dtype in ("float32", "float16"):  # tensor cores: weights in chunks, one tap with everything in chunks, and elements
        with_gradient(lambda x, w: F.conv2d(x, w, padding=1), draw(2, 16, 8, 8, dtype=dtype), draw(24, 16, 3, 3, dtype=dtype))
        with_gradient(lambda x, w: F.conv2d(x, w), draw(3, 48, 8, 8, dtype=dtype), draw(24, 48, 1, 1, dtype=dtype))
        with_gradient(lambda x, w: F.conv2d(x, w), draw(2, 11, 7, 7, dtype=dtype), draw(13, 11, 2, 3, dtype=dtype))
    pe.set_float32_matmul_precision("highest")
    with_gradient(lambda x, w: F.conv1d(x, w), draw(2, 3, 40), draw(5, 3, 4))
    with_gradient(lambda x, w: F.conv3d(x, w), draw(1, 2, 5, 5, 5), draw(3, 2, 2, 2, 2))
    with_gradient(lambda x, w: F.conv_transpose2d(x, w, stride=2), draw(2, 6, 5, 5), draw(6, 4, 3, 3))


def attention() -> None:
    for dtype in ("float32", "float16"):
        q, k, v = draw(1, 1, 5, 21, dtype=dtype), draw(1, 1, 9, 21, dtype=dtype), draw(1, 1, 9, 11, dtype=dtype)
        with_gradient(lambda q, k, v: F.scaled_dot_product_attention(q, k, v), q, k, v)
        q, k, v = draw(2, 4, 37, 40, dtype=dtype), draw(2, 2, 70, 40, dtype=dtype), draw(2, 2, 70, 24, dtype=dtype)
        with_gradient(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, enable_gqa=True), q, k, v)
        with_gradient(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True), q, k, v)
    mask = integers(2, 70, 70).astype(pe.bool)
    for dtype in ("float32", "bfloat16"):
        q, k, v = draw(1, 2, 70, 16, dtype=dtype), draw(1, 2, 70, 16, dtype=dtype), draw(1, 2, 70, 16, dtype=dtype)
        with_gradient(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=0.2), q, k, v)
    for width, value_width in ((64, 64), (80, 128), (256, 192)):  # more tiles than buffers; 257 columns are too wide for tensor cores
        q, k, v = (
            draw(1, 1, 130, width, dtype="float16"),
            draw(1, 1, 200, width, dtype="float16"),
            draw(1, 1, 200, value_width, dtype="float16"),
        )
        with_gradient(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True), q, k, v)
        with_gradient(lambda q, k, v: F.scaled_dot_product_attention(q, k, v), q, k, v)
    pe.set_float32_matmul_precision("high")
    for width, value_width in ((20, 32), (40, 64), (70, 128)):
        q, k, v = draw(1, 1, 66, width), draw(1, 1, 130, width), draw(1, 1, 130, value_width)
        with_gradient(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=0.2), q, k, v)
    pe.set_float32_matmul_precision("highest")
    q, k, v = draw(1, 1, 5, 257, dtype="float16"), draw(1, 1, 9, 257, dtype="float16"), draw(1, 1, 9, 3, dtype="float16")
    with_gradient(lambda q, k, v: F.scaled_dot_product_attention(q, k, v), q, k, v)


def reduce() -> None:
    for shape in ((3000,), (7, 300), (300, 7), (5, 33, 40)):
        for axis in (None, 0, -1):
            for f in (pe.sum, pe.max, pe.prod):
                f(draw(*shape), axis=axis)
    pe.mean(draw(40, 50, dtype="float16"), axis=0)
    pe.sum(draw(100_000))
    pe.any(integers(2, 300, 40).astype(pe.bool), axis=1)
    pe.sum(integers(9, 50, 300), axis=(0, 1))


def argreduce() -> None:
    for shape in ((3000,), (7, 300), (300, 7), (50_000,)):
        pe.argmax(draw(*shape), axis=0)
        pe.argmin(draw(*shape), axis=-1)


def softmax() -> None:
    for shape, axis in (((5, 300), -1), ((3, 40, 50), 1), ((2, 5000), -1), ((70, 3), -1)):
        for dtype in ("float32", "float16"):
            with_gradient(partial(pe.softmax, axis=axis), draw(*shape, dtype=dtype))
            with_gradient(partial(pe.log_softmax, axis=axis), draw(*shape, dtype=dtype))


def loss_against(target: pe.Tensor, **options: Any) -> Callable[[pe.Tensor], pe.Tensor]:
    return lambda logits: F.cross_entropy(logits, target, **options)


def softmax_cross_entropy() -> None:
    for n, c in ((5, 300), (70, 10), (2, 5000)):
        with_gradient(loss_against(integers(c, n)), draw(n, c))
        target = pe.softmax(draw(n, c), axis=-1)
        with_gradient(loss_against(target, label_smoothing=0.1), draw(n, c))
    with_gradient(loss_against(integers(7, 3, 40)), draw(3, 7, 40))


def standardize() -> None:
    with_gradient(lambda x: nn.LayerNorm(300, device="simulator")(x), draw(6, 300))
    with_gradient(lambda x: nn.BatchNorm2d(5, device="simulator")(x), draw(4, 5, 9, 9))
    with_gradient(lambda x: nn.RMSNorm(70, device="simulator")(x), draw(40, 70, dtype="float16"))


def index() -> None:
    x = draw(50, 40).requires_grad_()
    x[integers(50, 300)].sum().backward()
    pe.take(draw(7, 90, 5), integers(90, 400), axis=1)
    with suppress(IndexError):
        pe.take(draw(7, 90), pe.asarray([7], device="simulator"), axis=0)
    pe.take_along_axis(draw(7, 90), integers(90, 7, 90), axis=1)
    pe.nonzero(integers(3, 70, 300))
    ops.index_add(pe.zeros((10, 33), device="simulator"), integers(10, 500), draw(500, 33), axis=0)


def scan() -> None:
    for shape, axis in (((5000,), 0), ((7, 300), 1), ((300, 7), 0)):
        pe.cumulative_sum(draw(*shape), axis=axis)
        pe.cumulative_prod(integers(3, *shape), axis=axis, include_initial=True)


def sort() -> None:
    for shape in ((3000,), (40, 70), (3, 700), (4300, 2)):  # of the last, more rows than blocks
        pe.argsort(draw(*shape), axis=-1)
        pe.sort(integers(50, *shape), axis=-1, descending=True)
    pe.searchsorted(pe.sort(draw(500)), draw(300))


def pool() -> None:
    for f in (F.max_pool2d, F.avg_pool2d):
        with_gradient(partial(f, kernel_size=3, stride=2, padding=1), draw(2, 3, 17, 19))


def elementwise_binary() -> None:
    pe.add(draw(3000), draw(3000))
    pe.multiply(draw(30, 1, 7), draw(5, 7))
    pe.subtract(draw(40, 50).T, draw(50, 40))
    pe.less(draw(33, dtype="float16"), draw(33, dtype="float16"))


def elementwise_unary() -> None:
    for f in (pe.exp, pe.sin, pe.sqrt, pe.isnan):
        f(draw(3001))
        f(draw(40, 50)[::2, ::3])


def activation() -> None:
    for f in (pe.relu, pe.gelu, pe.silu, pe.sigmoid):
        with_gradient(f, draw(41, 53))


def cast() -> None:
    draw(3001).astype(pe.int8)
    draw(40, 50).T.astype(pe.float16)


def random() -> None:
    pe.rand(3001, device="simulator")
    pe.rand(2_300_000, device="simulator", dtype=pe.float16)  # more than the blocks of a grid take at once
    pe.randn(1001, device="simulator", dtype=pe.float64)
    pe.randint(0, 9, (77,), device="simulator")
    pe.bernoulli(0.3, (1001,), device="simulator")


def hopper_matmul() -> None:
    rows, columns, k = 300, 132, 328
    values = np.random.default_rng(k)
    a, b = (as_bf16(values.standard_normal((n, k)).astype(np.float32)) for n in (rows, columns))
    c = build.unwritten((rows, columns))
    if report := build.run("hopper_matmul", "multiply_bf16", a, b, c, rows, columns, k):
        raise pe.simulator.SimulatorError(report)
    error, magnitude = np.abs(c - from_bf16(a) @ from_bf16(b).T), np.abs(from_bf16(a)) @ np.abs(from_bf16(b)).T
    if not (error <= (k // 16 + 1) * 2.0**-24 * magnitude).all():  # one rounding for each instruction
        raise AssertionError(f"{(error > 2.0**-19 * magnitude).sum()} of {c.size} values")


WORK: dict[str, Work] = {
    f.__name__: f
    for f in (
        *(random, sort, standardize, softmax, softmax_cross_entropy, pool, index, scan, matmul, conv, attention, argreduce, activation),
        *(reduce, elementwise_unary, cast, elementwise_binary, hopper_matmul),
    )
}
"""Those that compile fast come first: a fault in a header is tried on one after the other until it is caught."""


def main() -> int:
    """0 if the simulator has nothing to say, REPORTED with its report if it has, WRONG_VALUES if only the values are wrong."""
    pe.set_default_device("simulator")
    try:
        WORK[sys.argv[1]]()
    except pe.simulator.SimulatorError as report:
        print(report)
        return REPORTED
    except AssertionError as difference:
        print(difference)
        return WRONG_VALUES
    return 0


if __name__ == "__main__":
    sys.exit(main())
