"""On the simulator no result depends on how many threads of the machine run its blocks, nor on the order in which threads start."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import pytest

import pyengine as pe
from pyengine import ops
from pyengine.nn import functional as F


def draw(*shape: int, dtype: str = "float32") -> pe.Tensor:
    values = np.random.default_rng(sum(shape)).standard_normal(shape)
    return pe.asarray(values, dtype="float32").astype(dtype).to("simulator").requires_grad_()


def integers(high: int, *shape: int) -> pe.Tensor:
    return pe.asarray(np.random.default_rng(high).integers(0, high, shape), device="simulator")


def gradients(of: pe.Tensor, *inputs: pe.Tensor) -> list[pe.Tensor]:
    return [of, *pe.gradients((of * of).sum(), inputs)]


def matmul() -> list[pe.Tensor]:
    a, b = draw(70, 1300, dtype="float16"), draw(1300, 40, dtype="float16")
    return [*gradients(a @ b, a, b), draw(3, 4000) @ draw(4000, 5)]


def conv() -> list[pe.Tensor]:
    x, w = draw(2, 6, 9, 11), draw(8, 6, 3, 3)
    return gradients(F.conv2d(x, w, stride=2, padding=1), x, w)


def attention() -> list[pe.Tensor]:
    q, k, v = draw(1, 2, 37, 40, dtype="bfloat16"), draw(1, 2, 70, 40, dtype="bfloat16"), draw(1, 2, 70, 24, dtype="bfloat16")
    return gradients(F.scaled_dot_product_attention(q, k, v), q, k, v)


def products_in_tf32() -> list[pe.Tensor]:
    pe.set_float32_matmul_precision("high")
    try:
        a, b, q, k, v = draw(40, 136), draw(136, 48), draw(1, 2, 37, 40), draw(1, 2, 70, 40), draw(1, 2, 70, 24)
        return gradients(a @ b, a, b) + gradients(F.scaled_dot_product_attention(q, k, v), q, k, v)
    finally:
        pe.set_float32_matmul_precision("highest")


def reductions() -> list[pe.Tensor]:
    x = draw(300, 170)
    return [pe.sum(x), pe.sum(x, axis=0), pe.mean(x, axis=1), pe.cumulative_sum(x, axis=0), pe.argmax(x, axis=0)]


def losses_and_norms() -> list[pe.Tensor]:
    x = draw(40, 300)
    return gradients(F.cross_entropy(x, integers(300, 40), reduction="none"), x) + gradients(F.layer_norm(x, (300,)), x)


def scatters_and_sorts() -> list[pe.Tensor]:
    added = ops.index_add(pe.zeros((10, 33), device="simulator"), integers(10, 500), draw(500, 33).detach(), axis=0)
    return [added, pe.argsort(draw(2200)), pe.sort(draw(40, 70), axis=0)]


def bits(results: list[pe.Tensor]) -> list[bytes]:
    return [x.detach().to("cpu").astype("float64").numpy().tobytes() for x in results]


@pytest.mark.parametrize(
    "results", [matmul, conv, attention, products_in_tf32, reductions, losses_and_norms, scatters_and_sorts], ids=lambda f: f.__name__
)
def test_same_bits(results: Callable[[], list[pe.Tensor]], monkeypatch: pytest.MonkeyPatch) -> None:
    expected, before = bits(results()), pe.get_num_threads()
    try:
        for threads, seed in ((1, 0), (2, 1), (3, 2)):
            pe.set_num_threads(threads)
            monkeypatch.setitem(os.environ, "PYENGINE_SIMULATOR_SEED", str(seed))
            assert bits(results()) == expected
    finally:
        pe.set_num_threads(before)
