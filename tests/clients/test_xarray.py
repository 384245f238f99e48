"""xarray: its tests of duck arrays with tensors inside."""

from __future__ import annotations

import numpy as np
import pytest

import pyengine as pe
from tests.clients import suites

xarray = pytest.importorskip("xarray")

EXCUSED = {".TestTopLevelMethods::test_cross[pyengine]", "::test_astype"}
"""np.result_type(DataArray, DataArray) in xarray asks for a dtype that is one of NumPy's own objects. NaN as an integer is 0 with us."""


def test_their_suite() -> None:
    outcome = suites.run("xarray")
    assert set(outcome.failures) <= EXCUSED
    assert outcome.passed >= 90


def test_a_labelled_tensor() -> None:
    x = xarray.DataArray(pe.asarray([[1.0, 2.0], [np.nan, 4.0]]), dims=("row", "column"), coords={"column": [10, 20]})
    mean = x.mean("row")
    assert isinstance(mean.data, pe.Tensor)
    assert mean.sel(column=10).item() == 1.0
    assert (x + 1).sum(skipna=True).item() == 10.0


def test_gradients_pass() -> None:
    x = pe.asarray([1.0, np.nan, 3.0], requires_grad=True)
    xarray.DataArray(x, dims="i").mean().data.backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0.5, 0.0, 0.5]
