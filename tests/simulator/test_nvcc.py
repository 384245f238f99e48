"""Every primitive compiles for the hardware, in one kernel for each header, and so does the matmul of all of them: nvcc, sm_90a."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.builds import ROOT

FAMILIES = sorted(path.stem for path in (ROOT / "kernels/cuda/primitives").glob("*.h"))
DEVICE = Path(__file__).parent / "kernels" / "device"


@pytest.mark.parametrize("family", [*FAMILIES, "hopper_matmul"])
def test_a_family_compiles(family: str, tmp_path: Path) -> None:
    if shutil.which("nvcc") is None:
        pytest.skip("needs nvcc")
    source = DEVICE / f"{family}.cu"
    assert source.exists(), f"kernels/cuda/primitives/{family}.h has no {source.relative_to(ROOT)}, which would compile it"
    target = ["-gencode", "arch=compute_90a,code=sm_90a", "-std=c++20", "--expt-relaxed-constexpr", "-DPYENGINE_LEVEL=cuda"]
    subprocess.run(["nvcc", *target, f"-I{ROOT}", "-Werror", "all-warnings", "-c", source, "-o", tmp_path / "out.o"], check=True)
