"""docs/interop.md: every example runs, and the table is that of the results."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys

import pytest

from tests.clients import conformance
from tests.clients.suites import ROOT

PAGE = (ROOT / "docs" / "interop.md").read_text()
EXAMPLES = dict(re.findall(r"^## ([^\n]+)\n(?:(?!^## ).)*?```python\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE))


def test_there_is_an_example_for_each_client() -> None:
    named = " ".join(EXAMPLES).lower()
    for client in "numpy pytorch scipy scikit-learn einops opt_einsum autoray xarray dask tensorly joblib pickle mpi4py".split():  # noqa: SIM905
        assert client in named


@pytest.mark.parametrize("title", EXAMPLES)
def test_example(title: str) -> None:
    code = EXAMPLES[title]
    for module in re.findall(r"^(?:import|from) (\w+)", code, re.MULTILINE):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    if "cannot load MPI library" in run.stderr:
        pytest.skip("mpi4py is installed, and no MPI library")
    assert run.returncode == 0, run.stderr


def test_the_table_is_that_of_the_results() -> None:
    assert conformance.table(json.loads(conformance.RESULTS.read_text())) in PAGE
