"""opt_einsum and autoray: contractions, and NumPy's functions by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pyengine as pe
from tests.clients import suites

oe = pytest.importorskip("opt_einsum")
ar = pytest.importorskip("autoray")

from opt_einsum.testing import build_views  # noqa: E402
from opt_einsum.tests.test_contract import tests as contractions  # noqa: E402

EPS = np.finfo(np.float64).eps


def test_their_suite() -> None:
    outcome = suites.run("opt_einsum")
    assert outcome.failures == []
    assert outcome.passed >= 34


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
    *[("pad", (2,)), ("pad", (((1, 2),),)), ("pad", (((0, 1), (2, 0)), "constant")), ("trace", (1,))],
    *[("split", (2,)), ("split", ([1, 3], 1)), ("split", ([], 1))],
    *[("tril", (-1,)), ("triu", (1,)), ("expand_dims", (0,)), ("moveaxis", (0, 1)), ("linalg.norm", (1,)), ("linalg.norm", ("fro",))],
]


@pytest.mark.parametrize(("name", "arguments"), FUNCTIONS, ids=str)
def test_functions_by_name(name: str, arguments: tuple[Any, ...]) -> None:
    x = np.random.default_rng(0).random((4, 5))
    ours, expected = ar.do(name, pe.asarray(x), *arguments), ar.do(name, x, *arguments)
    assert ar.infer_backend(pe.asarray(x)) == "pyengine"
    pairs = zip(ours, expected, strict=True) if name in ("linalg.svd", "split") else [(ours, expected)]
    for own, other in pairs:
        np.testing.assert_allclose(np.abs(ar.to_numpy(own)), np.abs(other), rtol=0, atol=64 * EPS * max(1.0, float(np.max(np.abs(other)))))


def test_creation_by_name() -> None:
    assert ar.do("zeros", (2, 3), like="pyengine").shape == (2, 3)
    assert ar.do("random.uniform", size=(2, 3), like="pyengine").shape == (2, 3)
    assert ar.do("random.normal", size=(2, 3), like="pyengine").shape == (2, 3)
    assert ar.do("array", [1.0, 2.0], like="pyengine").tolist() == [1.0, 2.0]
    assert ar.do("allclose", pe.ones(2), pe.ones(2) + 1e-7)
    assert ar.astype(pe.ones(2), "float64").dtype is pe.float64


def test_functions_of_several_arrays() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.random((2, 3, 4)), rng.random((3, 4, 5))
    x, y = pe.asarray(a), pe.asarray(b)
    np.testing.assert_allclose(ar.do("tensordot", x, y, 2).numpy(), np.tensordot(a, b, 2), rtol=12 * EPS)
    np.testing.assert_array_equal(ar.do("stack", (x, x), 1).numpy(), np.stack((a, a), 1))
    np.testing.assert_array_equal(ar.do("complex", x, -x).numpy(), a - 1j * a)
    np.testing.assert_allclose(ar.do("trace", x, axis1=2, axis2=0).numpy(), np.trace(a, axis1=2, axis2=0), rtol=2 * EPS)
    np.testing.assert_array_equal(ar.do("indices", (2, 3), like="pyengine").numpy(), np.indices((2, 3)))
    norm = {"ord": "nuc", "axis": (2, 0), "keepdims": True}
    np.testing.assert_allclose(ar.do("linalg.norm", x, **norm).numpy(), np.linalg.norm(a, **norm), rtol=64 * EPS)


@pytest.mark.parametrize("lower", [False, True])
def test_triangles_are_solved(lower: bool) -> None:
    a = np.random.default_rng(2).random((4, 4)) + 2 * np.eye(4)
    x = ar.do("scipy.linalg.solve_triangular", pe.asarray(a), pe.ones((4, 1), dtype=pe.float64), lower=lower)
    np.testing.assert_allclose((np.tril(a) if lower else np.triu(a)) @ x.numpy(), np.ones((4, 1)), rtol=64 * EPS)


def test_generators_by_name() -> None:
    rng, again, other = (ar.do("random.default_rng", seed, like="pyengine") for seed in (1, 1, 2))
    assert ar.do("random.default_rng", rng, like="pyengine") is rng
    draws = [[g.random((3,)), g.uniform(2.0, 3.0, (3,)), g.normal(size=(3,)), g.integers(10, size=(3,))] for g in (rng, again, other)]
    for first, same, different in zip(*draws, strict=True):
        assert first.shape == (3,)
        assert first.tolist() == same.tolist() != different.tolist()
    assert sorted(rng.permutation(10).tolist()) == list(range(10))
    assert sorted(rng.choice(pe.arange(6), size=(2, 3), replace=False).flatten().tolist()) == list(range(6))
    assert set(rng.choice(3, size=100).tolist()) == {0, 1, 2}
    ar.do("random.seed", 5, like="pyengine")
    drawn = ar.do("random.default_rng", like="pyengine").random((2,)).tolist()
    ar.do("random.seed", 5, like="pyengine")
    assert ar.do("random.default_rng", like="pyengine").random((2,)).tolist() == drawn


def test_gradients_stop_by_name() -> None:
    assert not ar.do("stop_gradient", pe.ones(2, requires_grad=True)).requires_grad
