"""Every fault can still be planted; whether the tests find it, plant.py says."""

import tomllib
from pathlib import Path

import pytest

from tests.builds import ROOT
from tests.faults.plant import Fault

TABLE = tomllib.loads((Path(__file__).parent / "faults.toml").read_text())
FAULTS = [Fault(group, **fault) for group, entry in TABLE.items() for fault in entry["fault"]]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.group}: {fault.what}")
def test_the_anchor_stands_once(fault: Fault, tmp_path: Path) -> None:
    fault.plant(tmp_path)
    assert (tmp_path / fault.file).exists()


def test_every_kernel_has_faults_and_the_short_run_the_large_ones() -> None:
    kernels = {path.stem for path in (ROOT / "kernels" / "cpu").glob("*.cpp")} - {"parallel"}
    units = {Path(fault.unit or f"{fault.group}.cpp").stem for fault in FAULTS if not fault.in_python and fault.device == "cpu"}
    assert units == kernels
    assert {group for group, entry in TABLE.items() if entry.get("short")} == {"matmul", "conv", "softmax_cross_entropy", "attention"}
