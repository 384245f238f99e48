"""vecdot, tensordot, outer, diagonal, trace and einsum against NumPy; gradients, matmul's too, against finite differences."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyengine as pe
from pyengine import _engine
from tests import tolerance
from tests.gradients import check_gradients

Array = npt.NDArray[Any]
Sizes = tuple[int, ...]


def normal(*shape: int, seed: int = 0) -> Array:
    return np.asarray(np.random.default_rng((seed, *shape)).standard_normal(shape))


def check(numpy_op: Callable[..., Array], op: Callable[..., pe.Tensor], *arrays: Array, terms: int) -> None:
    """``op`` in float64 against NumPy: at most ``terms`` products are summed, and each factor beyond the second rounds once more."""
    expected = np.asarray(numpy_op(*arrays))
    magnitude = numpy_op(*(np.abs(x) for x in arrays))
    actual = op(*(pe.asarray(x) for x in arrays))
    assert actual.dtype == pe.float64
    tolerance.assert_within(actual.numpy(), expected, tolerance.contraction(magnitude, expected, terms + len(arrays), "float64"), "float64")


# Gradients of matmul ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((3, 4), (4, 2)),
        ((4,), (4,)),
        ((4,), (4, 2)),
        ((3, 4), (4,)),
        ((4,), (2, 4, 3)),
        ((2, 3, 4), (4,)),
        ((2, 3, 4), (2, 4, 2)),
        ((2, 3, 4), (4, 2)),
        ((3, 4), (2, 4, 2)),
        ((2, 1, 3, 4), (5, 4, 2)),
        ((1, 3, 4), (2, 4, 2)),
        ((2, 0, 4), (4, 2)),
        ((3, 0), (0, 2)),
    ],
)
def test_matmul_gradients(left: Sizes, right: Sizes) -> None:
    check_gradients(pe.matmul, normal(*left), normal(*right))


def test_matmul_gradient_where_one_operand_is_constant() -> None:
    constant = pe.asarray(normal(4, 2))
    check_gradients(lambda a: a @ constant, normal(3, 4))
    check_gradients(lambda b: constant @ b, normal(2, 3))
    check_gradients(lambda a: a @ a.mT, normal(3, 4))


def test_matmul_gradients_have_the_dtypes_of_the_operands() -> None:
    a, b = pe.ones((3, 4), dtype=pe.float16, requires_grad=True), pe.ones((4, 2), dtype=pe.float64, requires_grad=True)
    pe.sum(a @ b).backward()
    assert a.grad is not None
    assert b.grad is not None
    assert (a.grad.dtype, b.grad.dtype) == (pe.float16, pe.float64)


def test_matmul_keeps_only_what_its_gradient_needs() -> None:
    """A constant operand's gradient is never asked for, so the other may change before backward."""
    w, x = pe.ones((4, 2), requires_grad=True), pe.ones((3, 4))
    y = pe.sum(x @ w)
    with pe.no_grad():
        w += 1.0
    y.backward()
    assert w.grad is not None
    assert w.grad.tolist() == [[3.0, 3.0]] * 4


# The others -------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "right", "axis"), [((5,), (5,), -1), ((3, 5), (5,), -1), ((2, 1, 5), (3, 5), -1), ((5, 3), (5, 3), -2), ((0,), (0,), -1)]
)
def test_vecdot(left: Sizes, right: Sizes, axis: int) -> None:
    def numpy_vecdot(a: Array, b: Array) -> Array:
        return np.einsum("...i,...i->...", np.moveaxis(a, axis, -1), np.moveaxis(b, axis, -1))

    check(numpy_vecdot, lambda a, b: pe.vecdot(a, b, axis=axis), normal(*left), normal(*right, seed=1), terms=5)
    check_gradients(lambda a, b: pe.vecdot(a, b, axis=axis), normal(*left), normal(*right, seed=1))


@pytest.mark.parametrize(
    ("left", "right", "axes"),
    [
        ((3, 4), (4, 5), 1),
        ((2, 3, 4), (3, 4, 5), 2),
        ((2, 3), (4,), 0),
        ((3, 4, 2), (2, 5, 3), ((0, 2), (2, 0))),
        ((3, 4), (4, 3), ((-1,), (0,))),
        ((3, 0), (0, 2), 1),
    ],
)
def test_tensordot(left: Sizes, right: Sizes, axes: Any) -> None:
    a, b = normal(*left), normal(*right)
    check(lambda a, b: np.tensordot(a, b, axes), lambda a, b: pe.tensordot(a, b, axes=axes), a, b, terms=12)
    check_gradients(lambda a, b: pe.tensordot(a, b, axes=axes), a, b)


def test_outer() -> None:
    check(np.outer, pe.outer, normal(3), normal(4), terms=1)
    check_gradients(pe.outer, normal(3), normal(4))


@pytest.mark.parametrize("shape", [(3, 3), (2, 3, 5), (5, 3), (0, 3), (1, 1)])
@pytest.mark.parametrize("offset", [-6, -2, -1, 0, 1, 3])
def test_diagonal_and_trace(shape: Sizes, offset: int) -> None:
    x = normal(*shape)
    result = pe.diagonal(pe.asarray(x)[..., ::-1], offset=offset)
    if abs(offset) <= min(shape[-2:]):
        np.testing.assert_array_equal(result.numpy(), np.diagonal(x[..., ::-1], offset, -2, -1))
    else:
        assert result.shape == (*shape[:-2], 0)
    check(lambda x: np.trace(x, offset, -2, -1), lambda x: pe.trace(x, offset=offset), x, terms=3)
    check_gradients(lambda x: pe.diagonal(x, offset=offset) * pe.diagonal(x, offset=offset), x)


# einsum -----------------------------------------------------------------------------------------------------------------------------------

CASES: list[tuple[str, list[Sizes]]] = [
    ("ij,jk->ik", [(2, 3), (3, 4)]),
    ("ij,jk", [(2, 3), (3, 4)]),
    ("ba,cb", [(2, 3), (4, 2)]),  # implicit output is alphabetical
    ("ij->ji", [(2, 3)]),
    ("ji", [(2, 3)]),
    ("ii", [(3, 3)]),
    ("ii->i", [(3, 3)]),
    ("iij->ji", [(3, 3, 2)]),
    ("iii->i", [(3, 3, 3)]),
    ("ijij->ij", [(2, 3, 2, 3)]),
    ("ij->", [(2, 3)]),
    ("ij->i", [(2, 3)]),
    ("i,i", [(3,), (3,)]),
    ("i,j->ij", [(3,), (2,)]),
    ("i,j->ji", [(3,), (2,)]),
    (",ij", [(), (2, 3)]),
    (",->", [(), ()]),
    ("ij,ij->ij", [(2, 3), (2, 3)]),
    ("ij,ij->", [(2, 3), (2, 3)]),
    ("ij,j->i", [(2, 3), (3,)]),
    ("ij,kl->ljik", [(2, 3), (4, 5)]),
    ("bij,bjk->bik", [(5, 2, 3), (5, 3, 4)]),
    ("bhqd,bhkd->bhqk", [(2, 3, 4, 5), (2, 3, 6, 5)]),
    ("bqhd,bkhd->bhqk", [(2, 4, 3, 5), (2, 6, 3, 5)]),
    ("...ij,...jk->...ik", [(5, 2, 3), (3, 4)]),
    ("...ij,...jk", [(5, 2, 3), (2, 1, 3, 4)]),
    ("i...,i...->...", [(3, 2, 4), (3, 4)]),
    ("...,...", [(2, 3), (3,)]),
    ("i...->...i", [(3, 2, 4)]),
    ("...ii->...i", [(2, 3, 3)]),
    ("ij,ij->i", [(1, 3), (2, 3)]),  # size 1 broadcasts
    ("ij,jk->ik", [(2, 1), (3, 4)]),
    ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 5)]),
    ("i,i,i->", [(3,), (3,), (3,)]),
    ("i,ij,j", [(3,), (3, 2), (2,)]),
    ("ij,ik,il->jkl", [(4, 2), (4, 3), (4, 5)]),
    ("ii,ij,jj->i", [(3, 3), (3, 2), (2, 2)]),
    ("aB,Bc->ac", [(2, 3), (3, 2)]),
    (" i j , j k -> i k ", [(2, 3), (3, 4)]),
    ("ij,jk->ik", [(2, 0), (0, 4)]),
    ("ij,jk->ik", [(0, 3), (3, 4)]),
    ("ij->j", [(0, 3)]),
]


@pytest.mark.parametrize(("subscripts", "shapes"), CASES)
def test_einsum(subscripts: str, shapes: list[Sizes]) -> None:
    arrays = [normal(*shape, seed=i) for i, shape in enumerate(shapes)]
    terms = math.prod(max(size, 1) for shape in shapes for size in shape)
    check(lambda *a: np.einsum(subscripts, *a), lambda *a: pe.einsum(subscripts, *a), *arrays, terms=terms)
    check_gradients(lambda *a: pe.einsum(subscripts, *a), *arrays)


@given(st.data())
def test_einsum_of_any_subscripts(data: st.DataObject) -> None:
    sizes = dict(zip("abcd", data.draw(st.lists(st.integers(0, 3), min_size=4, max_size=4)), strict=True))
    parts = data.draw(st.lists(st.text("abcd", max_size=4), min_size=1, max_size=4))
    used = sorted(set("".join(parts)))
    output = "".join(data.draw(st.permutations(data.draw(st.lists(st.sampled_from(used), unique=True)) if used else [])))
    subscripts = ",".join(parts) + data.draw(st.sampled_from(["", "->" + output]))
    arrays = [normal(*(sizes[label] for label in part), seed=i) for i, part in enumerate(parts)]
    terms = math.prod(max(sizes[label], 1) for label in used) + 1
    check(lambda *a: np.einsum(subscripts, *a), lambda *a: pe.einsum(subscripts, *a), *arrays, terms=terms)


def test_einsum_with_lists() -> None:
    a, b = normal(2, 3), normal(5, 3, 4)
    check(
        lambda a, b: np.einsum(a, [0, 1], b, [..., 1, 2], [..., 0, 2]),
        lambda a, b: pe.einsum(a, [0, 1], b, [..., 1, 2], [..., 0, 2]),
        a,
        b,
        terms=3,
    )
    check(lambda a: np.einsum(a, [1, 0]), lambda a: pe.einsum(a, [1, 0]), a, terms=1)


def test_einsum_keeps_the_dtype() -> None:
    for dtype in (pe.float16, pe.bfloat16, pe.float32, pe.int8, pe.uint32):
        assert pe.einsum("ij,jk->k", pe.ones((2, 3), dtype=dtype), pe.ones((3, 4), dtype=dtype)).dtype == dtype
        assert pe.einsum("ij->i", pe.ones((2, 3), dtype=dtype)).tolist() == [3, 3]


def test_einsum_forms_no_large_product() -> None:
    """The broadcast product would be 64 times as large as the result."""
    q = pe.ones((64, 64, 64))
    before = _engine.memory_stats()
    y = pe.einsum("bqd,bkd->bqk", q, q)
    assert _engine.memory_stats()["peak"] <= max(before["peak"], before["in_use"] + 8 * y.nbytes)


@pytest.mark.parametrize(
    ("subscripts", "shapes", "message"),
    [
        ("ij,jk", [(2, 3)], "wrong number of operands: 1 for 'ij,jk'; it names 2"),
        ("ij", [(2,)], "wrong number of axes: 'ij' in 'ij' for rank 1"),
        ("i", [(2, 3)], "wrong number of axes: 'i' in 'i' for rank 2"),
        ("i1->i", [(2, 3)], "not a letter: 'i1'"),
        ("......", [(2, 3)], "not a letter"),
        ("ij->ik", [(2, 3)], "output letter unknown or repeated: 'k'"),
        ("ij->ii", [(2, 3)], "output letter unknown or repeated: 'i'"),
        ("ij,jk", [(2, 3), (4, 5)], r"sizes of 'j' differ: 3 and 4 in 'ij,jk' of \(2, 3\), \(4, 5\)"),
        ("ii", [(2, 3)], "sizes of 'i' differ: 2 and 3"),
    ],
)
def test_einsum_errors(subscripts: str, shapes: list[Sizes], message: str) -> None:
    with pytest.raises(ValueError, match="einsum: " + message):
        pe.einsum(subscripts, *(pe.ones(shape) for shape in shapes))


def test_errors() -> None:
    with pytest.raises(TypeError, match="einsum: boolean operand"):
        pe.einsum("i,i", pe.ones(3, dtype=pe.bool), pe.ones(3))
    with pytest.raises(ValueError, match=r"vecdot: sizes differ: a 3, b 4 along axis -1"):
        pe.vecdot(pe.ones(3), pe.ones(4))
    with pytest.raises(ValueError, match=r"tensordot: paired sizes differ: a \(2, 3\) on axes \(1,\), b \(4, 5\) on axes \(0,\)"):
        pe.tensordot(pe.ones((2, 3)), pe.ones((4, 5)), axes=1)
    with pytest.raises(ValueError, match="tensordot: too many axes: 3"):
        pe.tensordot(pe.ones((2, 3)), pe.ones((4, 5)), axes=3)
    with pytest.raises(ValueError, match="outer: not vectors"):
        pe.outer(pe.ones((2, 3)), pe.ones(4))
    with pytest.raises(ValueError, match="diagonal: rank too low"):
        pe.diagonal(pe.ones(3))
