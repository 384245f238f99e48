"""xarray's tests of duck arrays on the namespace named in PYENGINE_CLIENT_NAMESPACE, with no failure expected.

Given to pytest as ``-p tests.clients.plugins.xarray``.
"""

import importlib
import os

import pytest
from xarray.tests import test_duck_array_wrapping as wrapping

NAMESPACE = os.environ.get("PYENGINE_CLIENT_NAMESPACE", "pyengine")
CLASS = type(importlib.import_module(NAMESPACE).asarray(0)).__name__

wrapping.NAMESPACE_ARRAYS[NAMESPACE] = {"attrs": {"array": CLASS, "constructor": "asarray"}, "xfails": {}}
wrapping.NAMESPACES[:] = [pytest.param(NAMESPACE)]
