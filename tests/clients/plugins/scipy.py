"""SciPy's own array API tests on the namespace named in PYENGINE_CLIENT_NAMESPACE: the fixture ``xp`` gets that one parameter.

Given to pytest as ``-p tests.clients.plugins.scipy``, with SCIPY_ARRAY_API=1.
"""

import importlib
import os
from collections.abc import Iterator
from types import ModuleType

import pytest
from scipy import conftest

NAMESPACE = importlib.import_module(os.environ.get("PYENGINE_CLIENT_NAMESPACE", "pyengine"))

if hasattr(NAMESPACE, "set_default_dtype"):
    NAMESPACE.set_default_dtype("float64")  # SciPy's tests expect it, and set it so for PyTorch

of_scipy = conftest.xp.__wrapped__
conftest.xp_known_backends.add(NAMESPACE.__name__)


@pytest.fixture(params=[pytest.param(NAMESPACE, id=NAMESPACE.__name__, marks=pytest.mark.array_api_backends)])
def xp(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    yield from of_scipy(request)


conftest.xp = xp
