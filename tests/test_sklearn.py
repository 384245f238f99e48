"""The estimators under scikit-learn's own checks, on data with a known answer, and with the same bits for the same seed."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits, make_blobs, make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import pyengine as pe
from pyengine.sklearn import MLPClassifier, MLPRegressor, Perceptron, SoftmaxRegression

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

ESTIMATORS = [MLPClassifier(), MLPRegressor(), SoftmaxRegression(), Perceptron()]
CLASSIFIERS = [estimator for estimator in ESTIMATORS if not isinstance(estimator, MLPRegressor)]


@pytest.mark.filterwarnings("ignore")  # the checks stop training early, and warn of what they skip
@parametrize_with_checks(ESTIMATORS)
def test_check_estimator(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("estimator", CLASSIFIERS, ids=lambda e: type(e).__name__)
def test_digits(estimator: Any) -> None:
    """A linear model makes a few errors in a hundred on these digits, a network fewer."""
    x, y = load_digits(return_X_y=True)
    model = make_pipeline(StandardScaler(), clone(estimator).set_params(random_state=0, max_iter=30, tol=0.0))
    assert model.fit(x[:1200], y[:1200]).score(x[1200:], y[1200:]) > 0.85


def test_an_early_end_is_announced() -> None:
    x, y = make_moons(50, random_state=0)
    with pytest.warns(ConvergenceWarning, match="MLPClassifier: not converged: the loss still falls after 2 epochs"):
        MLPClassifier(max_iter=2).fit(x, y)


def test_what_no_line_separates() -> None:
    x, y = make_moons(400, noise=0.1, random_state=0)
    model = MLPClassifier((32, 32), "tanh", learning_rate_init=0.01, random_state=0).fit(x, y)
    assert model.score(x, y) > 0.98
    np.testing.assert_allclose(model.predict_proba(x).sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(x)), model.predict_proba(x), rtol=1e-10)


def test_softmax_regression_finds_the_minimum() -> None:
    """The problem is convex: the loss ends near that of scikit-learn's solver, C = 1 / (n alpha)."""
    x, y = make_blobs(300, centers=3, cluster_std=3.0, random_state=0)
    x = StandardScaler().fit_transform(x)
    ours = SoftmaxRegression(alpha=0.01, batch_size=300, learning_rate_init=0.05, max_iter=1000, tol=0.0, n_iter_no_change=1000).fit(x, y)
    theirs = LogisticRegression(C=1 / (300 * 0.01), tol=1e-10).fit(x, y)
    np.testing.assert_allclose(ours.predict_proba(x), theirs.predict_proba(x), atol=2e-3)
    assert ours.coef_.shape == (3, 2)
    assert ours.intercept_.shape == (3,)


def test_perceptron_separates_what_a_line_can() -> None:
    x, y = make_blobs(200, centers=2, cluster_std=0.5, random_state=1)
    model = Perceptron(random_state=0).fit(x, np.where(y == 1, "right", "left"))
    assert model.loss_curve_[-1] == 0
    assert model.score(x, np.where(y == 1, "right", "left")) == 1.0


def test_regression() -> None:
    x, y = load_diabetes(return_X_y=True)
    y = (y - y.mean()) / y.std()
    model = make_pipeline(StandardScaler(), MLPRegressor((16,), random_state=0))
    assert cross_val_score(model, x, y, cv=3).mean() > 0.3  # of the variance; least squares explain about 0.48
    two = MLPRegressor(random_state=0).fit(x, np.stack([y, -y], axis=1))
    assert two.predict(x).shape == (len(x), 2)


def test_grid_search() -> None:
    x, y = make_blobs(90, centers=3, random_state=0)
    search = GridSearchCV(SoftmaxRegression(random_state=0), {"alpha": [1e-4, 1e-2]}, cv=3).fit(x, y)
    assert search.best_score_ > 0.8


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_seed_same_bits(estimator: Any, dtype: Any) -> None:
    x, y = make_blobs(60, centers=3, random_state=0)
    x = x.astype(dtype)
    state = pe.default_generator.get_state()
    runs = [clone(estimator).set_params(random_state=3).fit(x, y) for _ in range(2)]
    assert pe.default_generator.get_state() == state, "an estimator with a seed of its own leaves the global generator alone"
    first, second, third = (run.predict(x) for run in (*runs, pickle.loads(pickle.dumps(runs[0]))))
    assert first.tobytes() == second.tobytes() == third.tobytes()


def test_bad_parameters() -> None:
    x, y = make_blobs(20, random_state=0)
    for parameters, message in [
        ({"batch_size": 0}, "MLPClassifier: batch_size out of range: 0"),
        ({"max_iter": 2.5}, "MLPClassifier: max_iter out of range: 2.5"),
        ({"activation": "step"}, "MLPClassifier: unknown activation: 'step'"),
        ({"hidden_layer_sizes": (3, 0)}, "MLPClassifier: hidden layer too small: 0 units"),
    ]:
        with pytest.raises(ValueError, match=message):
            MLPClassifier(**parameters).fit(x, y)
