"""scikit-learn's own array API tests on the namespace named in PYENGINE_CLIENT_NAMESPACE, in float64 and float32 and beside
NumPy, and none of its others.

Given to pytest as ``-p tests.clients.plugins.sklearn``, with SCIPY_ARRAY_API=1.
"""

import os
from collections.abc import Iterator

import pytest
from sklearn.utils import _array_api

NAMESPACE = os.environ.get("PYENGINE_CLIENT_NAMESPACE", "pyengine")


def yield_namespaces(include_numpy_namespaces: bool = True) -> Iterator[str]:
    yield NAMESPACE


def yield_namespace_device_dtype_combinations(include_numpy_namespaces: bool = True) -> Iterator[tuple[str, None, str]]:
    yield from ((NAMESPACE, None, dtype) for dtype in ("float64", "float32"))


def yield_mixed_namespace_input_permutations() -> Iterator[tuple[_array_api.NamespaceAndDevice, _array_api.NamespaceAndDevice, str]]:
    ours, numpy = _array_api.NamespaceAndDevice(NAMESPACE, None), _array_api.NamespaceAndDevice("numpy", None)
    yield ours, numpy, f"{NAMESPACE} to numpy"
    yield numpy, ours, f"numpy to {NAMESPACE}"


_array_api.yield_namespaces = yield_namespaces
_array_api.yield_mixed_namespace_input_permutations = yield_mixed_namespace_input_permutations
_array_api.yield_namespace_device_dtype_combinations = yield_namespace_device_dtype_combinations


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    others = [item for item in items if NAMESPACE not in item.name]
    items[:] = [item for item in items if NAMESPACE in item.name]
    config.hook.pytest_deselected(items=others)
