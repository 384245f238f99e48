"""Every fault can still be planted; whether the tests find it, plant.py says."""

import tomllib
from pathlib import Path

import pytest

from tests.faults.plant import Fault

TABLE = tomllib.loads((Path(__file__).parent / "faults.toml").read_text())
FAULTS = [Fault(kernel, **fault) for kernel, entry in TABLE.items() for fault in entry["fault"]]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.kernel}: {fault.what}")
def test_the_anchor_stands_once(fault: Fault, tmp_path: Path) -> None:
    fault.plant(tmp_path)
    assert (tmp_path / fault.file).exists()


def test_the_large_kernels_have_faults() -> None:
    assert {"matmul", "conv", "softmax_cross_entropy", "attention"} <= TABLE.keys()
