"""What the estimators share: how data are read, the order of the batches, and when training ends."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

Array = npt.NDArray[Any]
FLOATS = [np.float64, np.float32]  # what X is computed in: its own dtype if it is one of these, else the first


class Estimator(BaseEstimator):
    """What the estimators share: batches in a seeded order, and an end to training when nothing gets better."""

    batch_size: int
    max_iter: int
    n_iter_no_change: int
    random_state: Any
    tol: float

    def _train(self, step: Callable[[Array], float], samples: int, random: np.random.RandomState) -> None:
        """Calls ``step(indices of a batch)``, which learns and returns the batch's loss, epoch after epoch.

        Sets ``n_iter_`` and ``loss_curve_``, the mean loss of every epoch.
        """
        size = min(self.batch_size, samples)
        self.loss_curve_: list[float] = []
        best, since = np.inf, 0
        for epoch in range(self.max_iter):
            order = random.permutation(samples)
            batches = [order[start : start + size] for start in range(0, samples, size)]
            loss = sum(step(batch) * len(batch) for batch in batches) / samples
            self.loss_curve_.append(loss)
            self.n_iter_ = epoch + 1
            since = 0 if loss < best - self.tol else since + 1
            best = min(best, loss)
            if loss == 0 or since >= self.n_iter_no_change:
                return
        warnings.warn(
            f"{type(self).__name__}: not converged: the loss still falls after {self.max_iter} epochs; raise max_iter or tol",
            ConvergenceWarning,
            stacklevel=3,
        )

    def _check_parameters(self) -> None:
        for name in ("batch_size", "max_iter", "n_iter_no_change"):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or value < 1:
                raise ValueError(f"{type(self).__name__}: {name} out of range: {value!r}; must be an integer of at least 1")


class Classifier(ClassifierMixin, Estimator):
    """Classes of any kind, by their number inside."""

    def _read(self, X: Any, y: Any) -> tuple[Array, Array]:
        X, y = validate_data(self, X, y, dtype=FLOATS)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        return X, labels
