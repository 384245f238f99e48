"""Estimators with scikit-learn's interface: they go into its pipelines, grid searches and cross-validations.

>>> from pyengine.sklearn import MLPClassifier
>>> MLPClassifier(hidden_layer_sizes=(16,), random_state=0).fit([[0.0], [1.0]] * 50, ["low", "high"] * 50).predict([[0.9]]).tolist()
['high']
"""

from pyengine import extras

extras.require("sklearn", "pyengine[sklearn]", "pyengine.sklearn")
from pyengine.sklearn.network import MLPClassifier, MLPRegressor, SoftmaxRegression  # noqa: E402  once it is known to be there
from pyengine.sklearn.perceptron import Perceptron  # noqa: E402  once it is known to be there

__all__ = ["MLPClassifier", "MLPRegressor", "Perceptron", "SoftmaxRegression"]
