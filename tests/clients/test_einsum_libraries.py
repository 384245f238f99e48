"""opt_einsum and autoray: contractions, and NumPy's functions by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pyengine as pe

oe = pytest.importorskip("opt_einsum")
ar = pytest.importorskip("autoray")

from opt_einsum.testing import build_views  # noqa: E402
from opt_einsum.tests.test_contract import tests as contractions  # noqa: E402

EPS = np.finfo(np.float64).eps


@pytest.mark.parametrize("optimize", ["greedy", "optimal", False])
@pytest.mark.parametrize("subscripts", contractions)
def test_contractions_of_their_suite(subscripts: str, optimize: Any) -> None:
    views = build_views(subscripts)
    expected = oe.contract(subscripts, *views, optimize=False)
    ours = oe.contract(subscripts, *(pe.asarray(view, dtype=pe.float64) for view in views), optimize=optimize)
    assert isinstance(ours, pe.Tensor)
    terms = max(np.size(view) for view in views) ** 2
    np.testing.assert_allclose(ours.numpy(), expected, rtol=terms * EPS, atol=terms * EPS)


@pytest.mark.parametrize("constants", [{0}, {0, 1}, {1, 2}])
def test_expressions_with_constants(constants: set[int]) -> None:
    rng = np.random.default_rng(0)
    values = [rng.random(shape) for shape in ((2, 3), (3, 4), (4, 5))]
    operands = [pe.asarray(v) if i in constants else v.shape for i, v in enumerate(values)]
    expression = oe.contract_expression("ij,jk,kl->li", *operands, constants=sorted(constants))
    ours = expression(*(pe.asarray(v) for i, v in enumerate(values) if i not in constants))
    np.testing.assert_allclose(ours.numpy(), np.einsum("ij,jk,kl->li", *values), rtol=12 * EPS)


def test_gradients_pass_a_contraction() -> None:
    a, b = pe.ones((2, 3), requires_grad=True), pe.ones((3, 4))
    oe.contract("ij,jk->", a, b).backward()
    assert a.grad is not None
    assert a.grad.tolist() == [[4.0] * 3] * 2


def test_shared_intermediates() -> None:
    x = pe.ones((3, 3))
    with oe.shared_intermediates() as cache:
        oe.contract("ij,jk,kl->il", x, x, x)
        size = len(cache)
        oe.contract("ij,jk,kl->il", x, x, x)
    assert len(cache) == size > 0


PLAIN = """abs absolute all any arctan conj cos cosh count_nonzero cumsum diag exp imag max mean min prod ravel real sign sin sinh sqrt sum
tan tanh trace transpose tril triu linalg.norm linalg.svd"""

FUNCTIONS: list[tuple[str, tuple[Any, ...]]] = [
    *((name, ()) for name in PLAIN.split()),
    *[
        ("clip", (0.2, 0.7)),
        ("cumsum", (0,)),
        ("diag", (1,)),
        ("max", (-1,)),
        ("power", (2,)),
        ("reshape", ((2, 10),)),
        ("take", ([0, 1],)),
    ],
    *[("tril", (-1,)), ("triu", (1,)), ("expand_dims", (0,)), ("moveaxis", (0, 1)), ("linalg.norm", (1,)), ("linalg.norm", ("fro",))],
]


@pytest.mark.parametrize(("name", "arguments"), FUNCTIONS, ids=str)
def test_functions_by_name(name: str, arguments: tuple[Any, ...]) -> None:
    x = np.random.default_rng(0).random((4, 5))
    ours, expected = ar.do(name, pe.asarray(x), *arguments), ar.do(name, x, *arguments)
    assert ar.infer_backend(pe.asarray(x)) == "pyengine"
    pairs = zip(ours, expected, strict=True) if name == "linalg.svd" else [(ours, expected)]
    for own, other in pairs:
        np.testing.assert_allclose(np.abs(ar.to_numpy(own)), np.abs(other), rtol=0, atol=64 * EPS * max(1.0, float(np.max(np.abs(other)))))


def test_creation_by_name() -> None:
    assert ar.do("zeros", (2, 3), like="pyengine").shape == (2, 3)
    assert ar.do("random.uniform", size=(2, 3), like="pyengine").shape == (2, 3)
    assert ar.do("random.normal", size=(2, 3), like="pyengine").shape == (2, 3)
    assert ar.do("array", [1.0, 2.0], like="pyengine").tolist() == [1.0, 2.0]
    assert ar.do("allclose", pe.ones(2), pe.ones(2) + 1e-7)
    assert ar.astype(pe.ones(2), "float64").dtype is pe.float64
