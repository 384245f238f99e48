"""Estimators with scikit-learn's interface: they go into its pipelines, grid searches and cross-validations.

>>> from pyengine.sklearn import MLPClassifier
>>> MLPClassifier(hidden_layer_sizes=(16,), random_state=0).fit([[0.0], [1.0]] * 50, ["low", "high"] * 50).predict([[0.9]]).tolist()
['high']
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

import pyengine as pe
from pyengine import extras, nn, optim
from pyengine.nn import functional as F
from pyengine.ops.random import default_generator

sklearn = extras.require("sklearn", "pyengine[sklearn]", "pyengine.sklearn")
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin  # noqa: E402  only once it is known to be there
from sklearn.exceptions import ConvergenceWarning  # noqa: E402
from sklearn.utils import check_random_state  # noqa: E402
from sklearn.utils.multiclass import check_classification_targets  # noqa: E402
from sklearn.utils.validation import check_is_fitted, validate_data  # noqa: E402

__all__ = ["MLPClassifier", "MLPRegressor", "Perceptron", "SoftmaxRegression"]

Array = npt.NDArray[Any]
_floats = [np.float64, np.float32]  # what X is computed in: its own dtype if it is one of these, else the first


class _Estimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
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


class _Classifier(ClassifierMixin, _Estimator):  # type: ignore[misc]
    """Classes of any kind, by their number inside."""

    def _read(self, X: Any, y: Any) -> tuple[Array, Array]:
        X, y = validate_data(self, X, y, dtype=_floats)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        return X, labels


class _Network(_Estimator):
    """Trained with Adam on mini-batches; what is minimised is the mean loss + alpha / 2 |weights|^2, biases left out."""

    activation: str
    alpha: float
    hidden_layer_sizes: Any
    learning_rate_init: float

    _activations: ClassVar[dict[str, Callable[[], nn.Module]]] = {
        "identity": nn.Identity,
        "logistic": nn.Sigmoid,
        "tanh": nn.Tanh,
        "relu": nn.ReLU,
    }

    def _layers(self, inputs: int, outputs: int) -> Iterator[nn.Module]:
        for size in np.atleast_1d(np.asarray(self.hidden_layer_sizes, dtype=np.int64)).tolist():
            if size < 1:
                raise ValueError(f"{type(self).__name__}: hidden layer too small: {size} units; must be at least 1")
            yield nn.Linear(inputs, size)
            yield self._activations[self.activation]()
            inputs = size
        yield nn.Linear(inputs, outputs)

    def _learn(self, X: Array, targets: Array, outputs: int, loss: Callable[[pe.Tensor, pe.Tensor], pe.Tensor]) -> None:
        self._check_parameters()
        if self.activation not in self._activations:
            raise ValueError(
                f"{type(self).__name__}: unknown activation: {self.activation!r}; must be one of {', '.join(self._activations)}"
            )
        random = check_random_state(self.random_state)
        with default_generator.at((int(random.randint(2**31)), 0)):
            self.network_ = nn.Sequential(*self._layers(X.shape[1], outputs)).to(X.dtype.name)
        weights, biases = ([p for p in self.network_.parameters() if (p.ndim == 2) is matrix] for matrix in (True, False))
        groups: list[dict[str, Any]] = [{"params": weights, "weight_decay": self.alpha}, {"params": biases}]
        optimizer = optim.Adam(groups, lr=self.learning_rate_init)

        def step(batch: Array) -> float:
            optimizer.zero_grad()
            value = loss(self.network_(pe.asarray(X[batch])), pe.asarray(targets[batch]))
            value.backward()
            optimizer.step()
            return float(value.item())

        self._train(step, len(X), random)

    def _output(self, X: Any) -> Array:
        check_is_fitted(self)
        X = validate_data(self, X, dtype=_floats, reset=False)
        weight = next(self.network_.parameters())
        with pe.no_grad():
            return np.asarray(self.network_(pe.astype(pe.asarray(X), weight.dtype)))


class MLPClassifier(_Classifier, _Network):
    """A multi-layer perceptron that classifies: ``p = softmax(W_L h(... h(W_1 x + b_1) ...) + b_L)``, trained on cross-entropy.

    ``hidden_layer_sizes``: units of each hidden layer; ``activation``: 'identity', 'logistic', 'tanh' or 'relu'; ``alpha``: the weight of
    ``|weights|^2 / 2``. Training ends after ``max_iter`` epochs, or when the loss has not fallen by ``tol`` for ``n_iter_no_change``.
    The same ``random_state`` gives the same bits. Source: D. Kingma, J. Ba, "Adam", ICLR 2015, for the steps.

    Fitted: ``classes_``, ``network_`` (a :class:`pyengine.nn.Sequential`), ``loss_curve_``, ``n_iter_``, ``n_features_in_``.
    """

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        alpha: float = 1e-4,
        batch_size: int = 32,
        learning_rate_init: float = 1e-3,
        max_iter: int = 200,
        tol: float = 1e-4,
        n_iter_no_change: int = 10,
        random_state: Any = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        """Learns from X (samples, features) and the class of each sample."""
        X, labels = self._read(X, y)
        self._learn(X, labels, len(self.classes_), F.cross_entropy)
        return self

    def predict(self, X: Any) -> Array:
        """The most probable class of each sample."""
        logits = self._output(X)
        return np.asarray(self.classes_[logits.argmax(axis=1)])

    def predict_log_proba(self, X: Any) -> Array:
        """The logarithm of every class' probability, (samples, classes)."""
        return np.asarray(pe.log_softmax(pe.asarray(self._output(X)), axis=1))

    def predict_proba(self, X: Any) -> Array:
        """The probability of every class, (samples, classes), in the order of ``classes_``."""
        return np.asarray(pe.softmax(pe.asarray(self._output(X)), axis=1))


class SoftmaxRegression(MLPClassifier):
    """Multinomial logistic regression, ``p = softmax(W x + b)``: :class:`MLPClassifier` without a hidden layer.

    Fitted: also ``coef_`` (classes, features) and ``intercept_``.
    """

    def __init__(
        self,
        *,
        alpha: float = 1e-4,
        batch_size: int = 32,
        learning_rate_init: float = 1e-2,
        max_iter: int = 200,
        tol: float = 1e-4,
        n_iter_no_change: int = 10,
        random_state: Any = None,
    ) -> None:
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.random_state = random_state

    hidden_layer_sizes = ()
    activation = "identity"

    @property
    def coef_(self) -> Array:
        return np.asarray(self._linear().weight.detach())

    @property
    def intercept_(self) -> Array:
        return np.asarray(self._linear().bias.detach())

    def _linear(self) -> Any:
        check_is_fitted(self)
        return self.network_[0]


class MLPRegressor(RegressorMixin, _Network):  # type: ignore[misc]
    """A multi-layer perceptron for numbers: ``y = W_L h(... h(W_1 x + b_1) ...) + b_L``, trained on the mean squared error.

    Parameters as of :class:`MLPClassifier`; y may have several columns.
    Fitted: ``network_``, ``loss_curve_``, ``n_iter_``, ``n_features_in_``.
    """

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        alpha: float = 1e-4,
        batch_size: int = 32,
        learning_rate_init: float = 1e-3,
        max_iter: int = 200,
        tol: float = 1e-4,
        n_iter_no_change: int = 10,
        random_state: Any = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any) -> Self:
        """Learns from X (samples, features) and y (samples,) or (samples, outputs)."""
        X, y = validate_data(self, X, y, dtype=_floats, multi_output=True, y_numeric=True)
        targets = np.asarray(y, X.dtype).reshape(len(X), -1)
        self._one_output = np.ndim(y) == 1
        self._learn(X, targets, targets.shape[1], F.mse_loss)
        return self

    def predict(self, X: Any) -> Array:
        """The numbers expected, in the shape y had."""
        output = self._output(X)
        return output[:, 0] if self._one_output else output


class Perceptron(_Classifier):
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
        X = validate_data(self, X, dtype=_floats, reset=False)
        scores = X @ self.coef_.T + self.intercept_
        return np.asarray(scores[:, 0] if len(self.classes_) == 2 else scores)

    def predict(self, X: Any) -> Array:
        """The class with the highest score."""
        scores = self.decision_function(X)
        return np.asarray(self.classes_[(scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)])
