"""csrc/cuda without a GPU: streams, graphs and the allocator over a runtime that runs nothing, fake_runtime.cpp."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.builds import ROOT

HERE = Path(__file__).parent
SOURCES = [
    *(ROOT / "csrc/cuda" / f"{name}.cpp" for name in ("allocator", "runtime", "stream")),
    HERE / "fake_runtime.cpp",
    HERE / "runtime.cpp",
]
TESTS = re.findall(r'^ +\{"(\w+)", \1\},$', (HERE / "runtime.cpp").read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("nvcc") is None:
        pytest.skip("no nvcc on the PATH: csrc/cuda includes the CUDA runtime's headers, which come with it")
    out = tmp_path_factory.mktemp("runtime") / "runtime"
    options = ["-x", "c++", "-std=c++20", "-cudart", "none", "-DPYENGINE_HAS_cuda", f"-I{ROOT}"]
    subprocess.run(["nvcc", *options, *SOURCES, "-o", out], check=True)
    return out


@pytest.mark.parametrize("name", TESTS)
def test_(program: Path, name: str) -> None:
    environment = {**os.environ, "PYENGINE_CUDA_CACHE": "OFF" if name == "without_cache" else "ON"}
    found = subprocess.run([program, name], capture_output=True, text=True, env=environment, timeout=30)
    assert (found.returncode, found.stdout) == (0, "")
