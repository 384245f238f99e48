"""The suites of other libraries, run on pyengine through the plugins beside this file; nothing of theirs is changed."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Suite:
    """What pytest is given, and the distribution whose version counts."""

    package: str
    modules: tuple[str, ...]
    options: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    compared: bool = False
    """Whether it can be run on another namespace as well: array_api_strict is the yardstick."""


SCIPY = (
    *("_lib", "cluster", "constants", "differentiate", "fft", "integrate", "interpolate", "linalg", "ndimage", "optimize", "signal"),
    *("spatial", "special", "stats"),
)

SUITES = {
    "einops": Suite("einops", ("einops.tests",), environment={"EINOPS_TEST_BACKENDS": "numpy,pyengine"}),
    "tensorly": Suite("tensorly", ("tensorly.tests", "tensorly.tenalg"), environment={"TENSORLY_BACKEND": "pyengine"}),
    "opt_einsum": Suite("opt_einsum", ("opt_einsum.tests.test_sharing",)),
    "xarray": Suite("xarray", ("xarray.tests.test_duck_array_wrapping", "xarray.tests.test_array_api")),
    "sklearn": Suite("scikit-learn", ("sklearn",), environment={"SCIPY_ARRAY_API": "1"}, compared=True),
    "scipy": Suite(
        "scipy", tuple(f"scipy.{name}" for name in SCIPY), ("-m", "array_api_backends"), {"SCIPY_ARRAY_API": "1"}, compared=True
    ),
}


@dataclass
class Outcome:
    """How many tests did what, and which failed."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    failures: list[str] = field(default_factory=list)

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped, self.failures + other.failures)


def run(name: str, *options: str, modules: tuple[str, ...] | None = None, namespace: str = "pyengine") -> Outcome:
    """Runs a suite, or some of its modules, in a process of its own, away from our own settings of pytest."""
    suite = SUITES[name]
    environment = {"PYENGINE_CLIENT_NAMESPACE": namespace, **suite.environment}
    plugin = ("-p", f"tests.clients.plugins.{name}")
    return run_pytest(*plugin, *suite.options, *options, "--pyargs", *(modules or suite.modules), environment=environment)


def run_pytest(*arguments: str, environment: dict[str, str], cwd: Path | None = None) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        where = ("-c", os.devnull, "--rootdir", folder) if cwd is None else ()
        paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        subprocess.run(
            [sys.executable, "-m", "pytest", *where, "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *arguments],
            env={**os.environ, **environment, "PYTHONPATH": paths},
            cwd=cwd or folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if not report.exists():
            raise RuntimeError(f"the suite did not run: {' '.join(arguments)}")
        return read_report(report)


def read_report(report: Path) -> Outcome:
    outcome = Outcome()
    for case in ElementTree.parse(report).iter("testcase"):
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            outcome.failed += 1
            outcome.failures.append(f"{case.get('classname')}::{case.get('name')}")
        elif "skipped" in kinds:
            outcome.skipped += 1
        else:
            outcome.passed += 1
    return outcome


def installed(*modules: str) -> bool:
    return all(importlib.util.find_spec(module) is not None for module in modules)
