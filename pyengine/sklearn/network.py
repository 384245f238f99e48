"""Multi-layer perceptrons, and softmax regression as the one without a hidden layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

import pyengine as pe
from pyengine import nn, optim
from pyengine.nn import functional as F
from pyengine.ops.random import default_generator
from pyengine.sklearn.estimator import FLOATS, Array, Classifier, Estimator


class Network(Estimator):
    """Trained with Adam on mini-batches; what is minimised is the mean loss + alpha / 2 |weights|^2, biases left out."""

    _activations: ClassVar[dict[str, Callable[[], nn.Module]]] = {
        "identity": nn.Identity,
        "logistic": nn.Sigmoid,
        "tanh": nn.Tanh,
        "relu": nn.ReLU,
    }

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
        X = validate_data(self, X, dtype=FLOATS, reset=False)
        weight = next(self.network_.parameters())
        with pe.no_grad():
            return np.asarray(self.network_(pe.astype(pe.asarray(X), weight.dtype)))


class MLPClassifier(Classifier, Network):
    """A multi-layer perceptron that classifies: ``p = softmax(W_L h(... h(W_1 x + b_1) ...) + b_L)``, trained on cross-entropy.

    ``hidden_layer_sizes``: units of each hidden layer; ``activation``: 'identity', 'logistic', 'tanh' or 'relu'; ``alpha``: the weight of
    ``|weights|^2 / 2``. Training ends after ``max_iter`` epochs, or when the loss has not fallen by ``tol`` for ``n_iter_no_change``.
    The same ``random_state`` gives the same bits. Source: D. Kingma, J. Ba, "Adam", ICLR 2015, for the steps.

    Fitted: ``classes_``, ``network_`` (a :class:`pyengine.nn.Sequential`), ``loss_curve_``, ``n_iter_``, ``n_features_in_``.
    """

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


class MLPRegressor(RegressorMixin, Network):
    """A multi-layer perceptron for numbers: ``y = W_L h(... h(W_1 x + b_1) ...) + b_L``, trained on the mean squared error.

    Parameters as of :class:`MLPClassifier`; y may have several columns.
    Fitted: ``network_``, ``loss_curve_``, ``n_iter_``, ``n_features_in_``.
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any) -> Self:
        """Learns from X (samples, features) and y (samples,) or (samples, outputs)."""
        X, y = validate_data(self, X, y, dtype=FLOATS, multi_output=True, y_numeric=True)
        targets = np.asarray(y, X.dtype).reshape(len(X), -1)
        self._one_output = np.ndim(y) == 1
        self._learn(X, targets, targets.shape[1], F.mse_loss)
        return self

    def predict(self, X: Any) -> Array:
        """The numbers expected, in the shape y had."""
        output = self._output(X)
        return output[:, 0] if self._one_output else output
