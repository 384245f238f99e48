"""TensorLy: its own tests of backends, tensors and tensor algebra, with pyengine as the backend."""

from __future__ import annotations

import numpy as np
import pytest

import pyengine as pe
from tests.clients import suites

tensorly = pytest.importorskip("tensorly")


def test_their_suite() -> None:
    outcome = suites.run("tensorly")
    assert outcome.failures == []
    assert outcome.passed >= 372


def test_a_decomposition() -> None:
    from tensorly.decomposition import parafac

    factors = [np.random.default_rng(0).standard_normal((size, 2)) for size in (4, 5, 6)]
    x = np.einsum("ir,jr,kr->ijk", *factors)
    with tensorly.backend_context("pyengine"):
        found = tensorly.cp_to_tensor(parafac(pe.asarray(x), rank=2, tol=1e-12, n_iter_max=1000, random_state=0))
    assert isinstance(found, pe.Tensor)
    np.testing.assert_allclose(found.numpy(), x, atol=1e-3)  # where the iteration stops, not rounding
