"""What is installed: one version, a light import, and a stub that has the engine's parameters."""

import ast
import re
import subprocess
import sys
import tomllib

import pyengine as pe
from pyengine import _engine
from tests.builds import ROOT


def test_one_version() -> None:
    assert pe.__version__ == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_import_is_light() -> None:
    """Modules are counted, not seconds: the same on a busy machine."""
    code = "import sys, numpy; before = set(sys.modules); import pyengine; print(*sorted(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    foreign = {name.partition(".")[0] for name in loaded} - {"pyengine", "numpy"} - set(sys.stdlib_module_names)
    assert not foreign, "importing pyengine imports nothing but NumPy and the standard library"
    late = {f"pyengine.{name}" for name in ("nn", "data", "optim", "cli", "fft", "linalg", "models")} | {"numpy.random", "numpy.fft"}
    assert not late & set(loaded), "these wait until they are used"
    assert len(loaded) < 100, len(loaded)


def test_stub_has_the_parameters_of_the_engine() -> None:
    """stubtest compares names; the parameters of compiled functions are in their docstrings alone."""
    stub = ast.parse((ROOT / "pyengine/_engine.pyi").read_text())
    stubbed = {node.name: [a.arg for a in node.args.args] for node in stub.body if isinstance(node, ast.FunctionDef)}
    real = {}
    for name, value in vars(_engine).items():
        if callable(value) and not isinstance(value, type):
            signature = re.match(rf"{name}\((.*)\) ->", value.__doc__ or "")
            assert signature is not None, name
            without_types = signature[1]
            while without_types != (shorter := re.sub(r"\[[^\[\]]*\]", "", without_types)):
                without_types = shorter
            real[name] = [parameter.partition(":")[0].strip() for parameter in without_types.split(",") if parameter]
    if not _engine.cuda_built:
        stubbed = {name: parameters for name, parameters in stubbed.items() if name in real or not name.startswith("cuda_")}
    assert stubbed == real
