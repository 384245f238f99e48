"""dask: arrays whose blocks are tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pyengine as pe

da = pytest.importorskip("dask.array")

X = np.arange(24.0).reshape(4, 6)

CASES: dict[str, Callable[[Any], Any]] = {
    "itself": lambda d: d,
    "arithmetic": lambda d: (d + 1) * 2 - d / 3,
    "map_blocks": lambda d: d.map_blocks(lambda block: block * 2, dtype=d.dtype),
    "map_overlap": lambda d: d.map_overlap(lambda block: block + 1, depth=1, dtype=d.dtype),
    "sum": lambda d: d.sum(),
    "sum along": lambda d: d.sum(axis=0),
    "mean": lambda d: d.mean(axis=1),
    "std": lambda d: d.std(),
    "max": lambda d: d.max(axis=0),
    "prod": lambda d: d.prod(axis=0),
    "any": lambda d: (d > 22).any(),
    "transpose": lambda d: d.T,
    "matmul": lambda d: d @ d.T,
    "tensordot": lambda d: da.tensordot(d, d.T, 1),
    "einsum": lambda d: da.einsum("ij,kj->ik", d, d),
    "sin": lambda d: da.sin(d),
    "where": lambda d: da.where(d > 3, d, 0.0),
    "mask": lambda d: d[d > 3],
    "slices": lambda d: d[1:3, ::2],
    "index": lambda d: d[[0, 2]],
    "rechunk": lambda d: d.rechunk((4, 6)),
    "reshape": lambda d: d.reshape(24),
    "concatenate": lambda d: da.concatenate([d, d]),
    "stack": lambda d: da.stack([d, d]),
    "cumsum": lambda d: d.cumsum(axis=0),
    "argmax": lambda d: d.argmax(axis=0),
}

NUMPY_MADE = ("argmax", "index")
"""dask puts these together in NumPy's structured or empty arrays."""


@pytest.mark.parametrize("case", CASES)
def test_as_numpy(case: str) -> None:
    chunks = (2, 3)
    ours = CASES[case](da.from_array(pe.asarray(X), chunks=chunks, asarray=False)).compute()
    expected = CASES[case](da.from_array(X, chunks=chunks)).compute()
    np.testing.assert_allclose(np.asarray(ours), expected, rtol=24 * np.finfo(float).eps)
    assert isinstance(ours, pe.Tensor) or case in NUMPY_MADE


def test_the_same_tensor_has_the_same_name() -> None:
    base = pytest.importorskip("dask.base")
    assert base.tokenize(pe.asarray(X)) == base.tokenize(pe.asarray(X.copy()))
    assert base.tokenize(pe.asarray(X)) != base.tokenize(pe.asarray(X + 1))
