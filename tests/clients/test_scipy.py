"""SciPy and scikit-learn: a few modules of their array API tests; ``nox -s conformance`` runs them all."""

from __future__ import annotations

import pytest

from tests.clients import suites

pytest.importorskip("scipy")
pytest.importorskip("sklearn")


@pytest.mark.parametrize("module", ["scipy.constants", "scipy.cluster", "scipy.differentiate"])
def test_modules_of_scipy(module: str) -> None:
    outcome = suites.run("scipy", modules=(module,))
    assert outcome.failures == []
    assert outcome.passed > 0


@pytest.mark.parametrize("module", ["sklearn.utils.tests.test_array_api", "sklearn.decomposition.tests.test_pca"])
def test_modules_of_scikit_learn(module: str) -> None:
    outcome = suites.run("sklearn", modules=(module,))
    assert outcome.failures == []
    assert outcome.passed > 0
