"""A pytest plugin that runs the tests on another build of the engine: ``OTHER=path/_engine.so python -m pytest -p tests.other_engine``."""

import importlib.util
import os
import sys

spec = importlib.util.spec_from_file_location("pyengine._engine", os.environ["OTHER"])
assert spec is not None
assert spec.loader is not None
sys.modules["pyengine._engine"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["pyengine._engine"])
