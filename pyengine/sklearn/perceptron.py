"""Rosenblatt's perceptron."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

import pyengine as pe
from pyengine.sklearn.estimator import FLOATS, Array, Classifier


class Perceptron(Classifier):
    """Rosenblatt's perceptron: where ``sign(w x + b)`` is wrong, ``w <- w + eta0 t x`` and ``b <- b + eta0 t``, t the class as 1 or -1.

    Several classes are told apart one against all others. A batch of more than one sample adds up the corrections of its mistakes. Training
    ends with the first epoch without a mistake, after ``max_iter`` epochs, or when the mistakes have not become fewer for
    ``n_iter_no_change``. Source: F. Rosenblatt, "The perceptron", Psychological Review 65(6), 1958.

    Fitted: ``classes_``, ``coef_``, ``intercept_``, ``loss_curve_`` (the share of mistakes by epoch), ``n_iter_``, ``n_features_in_``.
    """

    def __init__(
        self,
        *,
        eta0: float = 1.0,
        batch_size: int = 1,
        max_iter: int = 1000,
        tol: float = 1e-3,
        n_iter_no_change: int = 5,
        random_state: Any = None,
    ) -> None:
        self.eta0 = eta0
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        """Learns from X (samples, features) and the class of each sample."""
        X, labels = self._read(X, y)
        self._check_parameters()
        one_against_all = labels[:, None] == np.arange(len(self.classes_))
        targets = np.where(one_against_all[:, 1:] if len(self.classes_) == 2 else one_against_all, 1, -1).astype(X.dtype)
        w, b = pe.zeros((targets.shape[1], X.shape[1]), X.dtype.name), pe.zeros(targets.shape[1], X.dtype.name)

        def step(batch: Array) -> float:
            x, t = pe.asarray(X[batch]), pe.asarray(targets[batch])
            wrong = t * (x @ w.mT + b) <= 0  # on the line is wrong, too: so the first sample of all is
            correction = pe.where(wrong, self.eta0 * t, 0.0)
            w[...] = w + correction.mT @ x
            b[...] = b + correction.sum(axis=0)
            return float(pe.any(wrong, axis=1).astype(pe.float32).mean().item())

        self._train(step, len(X), check_random_state(self.random_state))
        self.coef_, self.intercept_ = np.asarray(w), np.asarray(b)
        return self

    def decision_function(self, X: Any) -> Array:
        """``w x + b`` for each class, (samples, classes); of two classes the second's alone, (samples,)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=FLOATS, reset=False)
        scores = X @ self.coef_.T + self.intercept_
        return np.asarray(scores[:, 0] if len(self.classes_) == 2 else scores)

    def predict(self, X: Any) -> Array:
        """The class with the highest score."""
        scores = self.decision_function(X)
        return np.asarray(self.classes_[(scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)])
