"""joblib: dumps, hashes, and tensors as arguments of other processes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pyengine as pe

joblib = pytest.importorskip("joblib")


def twice(x: pe.Tensor) -> pe.Tensor:
    return x * 2


@pytest.mark.parametrize("dtype", [pe.bool, pe.int32, pe.bfloat16, pe.float64, pe.complex128], ids=str)
@pytest.mark.parametrize("compress", [0, 3])
def test_dump_and_load(tmp_path: Path, dtype: pe.DType, compress: int) -> None:
    x = pe.astype(pe.asarray([[0, 1], [2, 3]]), dtype)
    joblib.dump({"x": x, "dtype": dtype}, tmp_path / "x", compress=compress)
    again = joblib.load(tmp_path / "x")
    assert again["dtype"] is dtype
    assert again["x"].dtype is dtype
    assert bool(pe.all(again["x"] == x))


def test_hash_is_that_of_the_values() -> None:
    x = pe.asarray(np.arange(6.0).reshape(2, 3))
    assert joblib.hash(x) == joblib.hash(pe.asarray(np.arange(6.0).reshape(2, 3)))
    assert joblib.hash(x) != joblib.hash(x + 1)
    assert joblib.hash(x) != joblib.hash(pe.reshape(x, (3, 2)))


@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")  # JAX, where another test has imported it
@pytest.mark.parametrize("backend", ["threading", "multiprocessing"])
def test_parallel(backend: str) -> None:
    with joblib.parallel_config(backend=backend, n_jobs=2):
        results = joblib.Parallel()(joblib.delayed(twice)(pe.full((3,), i)) for i in range(4))
    assert [result.tolist() for result in results] == [[2 * i] * 3 for i in range(4)]
