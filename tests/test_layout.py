"""The map: every op has its file in every layer, dependencies point one way, files stay short, and the ISA objects share nothing."""

import importlib
import inspect
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import pyengine as pe
from pyengine import ops
from tests.builds import ROOT, newest_build

SOURCES = sorted(path for folder in ("kernels", "csrc") for path in (ROOT / folder).rglob("*") if path.suffix in (".h", ".cpp"))
PYTHON = sorted(path for folder in ("pyengine", "tests") for path in (ROOT / folder).rglob("*.py"))

DECLARED = re.compile(r"^template <Isa isa>\n[\w:]+ (\w+)\(", re.MULTILINE)
DEFINED = re.compile(r"^template <>\n[\w:]+ (\w+)<(level|Isa::reference)>\(", re.MULTILINE)

CONTRACTS = {path.stem: names for path in (ROOT / "kernels").glob("*.h") if (names := DECLARED.findall(path.read_text()))}
"""For each kernels/<op>.h: the functions it declares."""

PUBLIC = ("fft", "linalg", "models", "nn", "nn.functional", "optim", "optim.lr_scheduler", "data", "data.datasets", "data.transforms")
"""The namespaces below pyengine that users import from."""

TESTS = {"elementwise_types": "ops/test_elementwise", "optimizer_step": "optim/test_optimizer_step", "standardize": "ops/test_norm"}
"""Where the tests of csrc/ops/<op>.cpp are, if not in tests/ops/test_<op>.py: under the name that users know."""

LONG = {
    "kernels/cpu/elementwise_binary.cpp": "a few lines for each of 30 operations, and one table",
    "kernels/cuda/primitives/wgmma_shapes.h": "written by a script: an instruction's registers, for each of 32 widths",
    "pyengine/autograd.py": "the tape is read at one sitting",
    "pyengine/ops/pool.py": "a few lines for each of 14 functions",
    "pyengine/ops/shape.py": "a few lines for each of 25 functions",
    "pyengine/tensor.py": "one line for each operator and method",
}
"""Files of more than 300 lines, and why. Tests keep what belongs to one op together, up to 500."""


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def defined_in(folder: str, op: str) -> set[str]:
    """Kernels that kernels/<folder>/<op>.cpp and <op>_*.cpp define."""
    files = [path for path in (ROOT / "kernels" / folder).glob("*.cpp") if path.stem == op or path.stem.startswith(f"{op}_")]
    return {name for path in files for name, _ in DEFINED.findall(path.read_text())}


def test_there_are_contracts() -> None:
    assert {"matmul", "softmax_cross_entropy"} <= CONTRACTS.keys()


@pytest.mark.parametrize("op", CONTRACTS)
def test_a_kernel_has_a_reference_and_a_cpu_source(op: str) -> None:
    assert set(CONTRACTS[op]) <= defined_in("reference", op), f"declared in kernels/{op}.h, not defined in kernels/reference/{op}.cpp"
    assert set(CONTRACTS[op]) <= defined_in("cpu", op), f"declared in kernels/{op}.h, not defined in kernels/cpu/{op}.cpp"


@pytest.mark.parametrize("op", CONTRACTS)
def test_a_kernel_is_routed_in_one_place(op: str) -> None:
    for name in CONTRACTS[op]:
        calls = re.compile(rf"kernels::{name}<level>\(")
        routes = [relative(path) for path in (ROOT / "csrc").rglob("*.cpp") if calls.search(path.read_text())]
        assert len(routes) == 1, f"{name} of kernels/{op}.h is called in {routes}; one file of csrc/ops routes it"
        assert routes[0].startswith("csrc/ops/")


def test_no_source_without_a_contract() -> None:
    declared = {name for names in CONTRACTS.values() for name in names}
    for folder in ("reference", "cpu"):
        for path in (ROOT / "kernels" / folder).glob("*.cpp"):
            undeclared = {name for name, _ in DEFINED.findall(path.read_text())} - declared
            assert not undeclared, f"{relative(path)} defines {undeclared}, which no kernels/*.h declares"


@pytest.mark.parametrize("op", sorted(path.stem for path in (ROOT / "csrc/ops").glob("*.cpp")))
def test_an_op_has_tests(op: str) -> None:
    name = TESTS.get(op, f"ops/test_{op}")
    assert (ROOT / "tests" / f"{name}.py").exists(), f"csrc/ops/{op}.cpp has no tests/{name}.py"


# Dependencies ----------------------------------------------------------------------------------------------------------------------------


def allowed(path: Path) -> Callable[[str], bool]:
    """What a file may include or import from this project: pyengine → csrc → kernels, and kernels know only their own level."""
    where = relative(path)
    if where.startswith("kernels/reference/"):
        return lambda name: name.startswith("kernels/") and not name.startswith("kernels/cpu/")
    if where.startswith("kernels/cpu/"):
        return lambda name: name.startswith("kernels/") and not name.startswith("kernels/reference/")
    if where.startswith("kernels/simulator/"):
        return lambda name: re.fullmatch(r"kernels/((simulator|cuda|cuda/primitives)/)?\w+\.h|kernels/cpu/parallel\.h", name) is not None
    if where.startswith("kernels/cuda/"):
        return lambda name: name.startswith("kernels/") and not name.startswith(("kernels/reference/", "kernels/cpu/"))
    if where.startswith("kernels/"):
        return lambda name: re.fullmatch(r"kernels/\w+\.h", name) is not None
    if where.startswith("csrc/bindings/"):
        return lambda name: name.startswith(("csrc/", "kernels/", "pybind11/")) or name == "Python.h"
    return lambda name: (
        re.fullmatch(r"csrc/((ops|cuda)/)?\w+\.h|kernels/(cpu/parallel|cuda/(launch|device_memory)|simulator/memory|\w+)\.h", name)
        is not None
    )


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_includes_point_one_way(path: Path) -> None:
    included = re.findall(r'^#include (?:"([^"]+)"|<(pybind11/[^>]+|Python\.h)>)', path.read_text(), re.MULTILINE)
    wrong = [name for pair in included if not allowed(path)(name := pair[0] or pair[1])]
    assert not wrong, f"{relative(path)} must not include {wrong}"


@pytest.mark.parametrize("folder", ["models", "nn", "optim", "data"])
def test_layers_are_compositions_of_ops(folder: str) -> None:
    for path in (ROOT / "pyengine" / folder).rglob("*.py"):
        assert "_engine" not in path.read_text(), f"{relative(path)} must call pyengine.ops, not the engine"


# Sizes and texts -------------------------------------------------------------------------------------------------------------------------


def test_files_are_short() -> None:
    lengths = {relative(path): len(path.read_text().splitlines()) for path in (*SOURCES, *PYTHON)}
    long = {path for path, lines in lengths.items() if lines > (500 if path.startswith("tests/") else 300)}
    assert long == LONG.keys(), "a file of more than 300 lines needs a reason in LONG, a shorter one needs none"


def public_names() -> dict[str, object]:
    """The functions and classes of the namespaces that users import."""
    spaces = [pe, *(importlib.import_module(f"pyengine.{name}") for name in PUBLIC)]
    return {
        f"{space.__name__}.{name}": value
        for space in spaces
        for name, value in vars(space).items()
        if not name.startswith("_") and (inspect.isroutine(value) or inspect.isclass(value)) and value.__module__.startswith("pyengine")
    }


def test_public_names_have_docstrings() -> None:
    bare = [name for name, value in public_names().items() if not (value.__doc__ or "").strip()]
    assert not bare


def test_every_op_is_in_the_namespace() -> None:
    missing = [name for name, value in vars(ops).items() if inspect.isroutine(value) and getattr(pe, name, None) is not value]
    assert not missing


# Object files ----------------------------------------------------------------------------------------------------------------------------


def test_levels_share_no_symbols() -> None:
    """A weak symbol of an AVX object may be the copy that the linker keeps for everyone, and older machines die of it."""
    build = newest_build()
    nm = shutil.which("nm")
    if build is None or nm is None:
        pytest.skip("needs a build under build/ (pip install leaves one) and nm")
    objects = [path for path in build.glob("CMakeFiles/kernels_*.dir/**/*.o") if "kernels_reference.dir" not in path.parts]
    assert objects
    lines = subprocess.run([nm, "--defined-only", "--print-file-name", "-C", *objects], capture_output=True, text=True, check=True).stdout
    weak = [line for line in lines.splitlines() if re.search(r" [vVwWu] ", line)]
    assert not weak, "\n".join(weak)
