"""xarray's tests of duck arrays and of the array API on pyengine, with no failure expected. Given to pytest as
``-p tests.clients.plugins.xarray``."""

import importlib.util

import pytest
from xarray.tests import test_duck_array_wrapping as wrapping

import pyengine as pe

pe.set_default_dtype("float64")  # that of the NumPy arrays they compare with

wrapping.NAMESPACE_ARRAYS["pyengine"] = {"attrs": {"array": "Tensor", "constructor": "asarray"}, "xfails": {}}
wrapping.NAMESPACES[:] = [pytest.param("pyengine")]

if importlib.util.find_spec("array_api_strict"):  # without it the module skips itself
    from xarray.tests import test_array_api

    test_array_api.xp, test_array_api.Array = pe, pe.Tensor
