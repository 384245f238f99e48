"""einops' own suite with ours among its backends: its list of them is closed.

Given to pytest as ``-p tests.clients.plugins.einops``, with pyengine in EINOPS_TEST_BACKENDS.
"""

from typing import Any

import einops.tests

from pyengine.interop.einops import PyengineBackend

of_einops = einops.tests.collect_test_backends


def collect_test_backends(symbolic: bool = False, layers: bool = False) -> list[Any]:
    ours = [] if symbolic else [PyengineBackend()]
    return [*of_einops(symbolic=symbolic, layers=layers), *ours]


einops.tests.collect_test_backends = collect_test_backends


def pytest_collection_finish() -> None:
    """Two lists of names in the tests of einsum are closed as well."""
    from einops.tests import test_einsum

    test_einsum.valid_backends_functional.append("pyengine")
