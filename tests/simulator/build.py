"""Test kernels: ``tests/simulator/kernels/<name>.cu``, compiled for the simulator as the engine's are, called through ctypes."""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.builds import ROOT

KERNELS = Path(__file__).parent / "kernels"
OVERLAY = os.environ.get("PYENGINE_TEST_OVERLAY")
"""A folder whose files are compiled in the place of those of the same path here: tests/simulator/mutate.py."""
SIMULATOR = [*sorted((ROOT / "kernels/simulator").glob("*.cpp")), ROOT / "kernels/cpu/parallel.cpp"]
SHARED_HEADERS = [
    *sorted((ROOT / "kernels").glob("*.h")),
    *sorted((ROOT / "kernels/simulator").glob("*.h")),
    ROOT / "kernels/cpu/parallel.h",
]
HEADERS = [*SHARED_HEADERS, *sorted((ROOT / "kernels/cuda").rglob("*.h")), *sorted(KERNELS.glob("*.h"))]


def kernel_flags() -> list[str]:
    """What kernels/simulator/CMakeLists.txt compiles kernels with, by g++."""
    cmake = (ROOT / "kernels/simulator/CMakeLists.txt").read_text()
    options = re.findall(r"target_compile_options\(kernels_simulator PRIVATE (.*)\)", cmake)
    assert len(options) == 3
    flags = f"{options[0]} {options[1]}".split()
    return [
        "-std=c++20",
        "-fPIC",
        *([f"-I{OVERLAY}"] if OVERLAY else []),
        f"-I{ROOT}",
        "-DPYENGINE_LEVEL=simulator",
        "-DPYENGINE_SIMULATED",
        *flags,
    ]


def cached(outputs: Path, command: list[str | Path], sources: list[Path]) -> Path:
    """The output of a command with ``-o``, made anew where a source, a header or the command differs from what is there."""
    digest = hashlib.sha256(repr(command).encode())
    for path in (*sources, *(SHARED_HEADERS if sources[0] in SIMULATOR else HEADERS)):
        digest.update(path.read_bytes())
    output = outputs / f"{sources[0].stem}-{digest.hexdigest()[:16]}{'.so' if '-shared' in command else '.o'}"
    if not output.exists():
        temporary = output.with_suffix(f".{os.getpid()}")
        subprocess.run([*command, *sources, "-o", temporary], check=True)
        temporary.rename(output)
    return output


@cache
def library(name: str) -> ctypes.CDLL:
    compiler = shutil.which(os.environ.get("CXX", "g++"))
    if compiler is None or "clang" in compiler:
        pytest.skip("needs g++, whose flags the build helper knows")
    outputs = Path(tempfile.gettempdir()) / f"pyengine-simulator-{os.getuid()}"
    outputs.mkdir(exist_ok=True)
    simulator = [
        cached(outputs, [compiler, "-std=c++20", "-O2", "-g1", "-fPIC", "-fvisibility=hidden", f"-I{ROOT}", "-c"], [path])
        for path in SIMULATOR
    ]
    source = KERNELS / f"{name}.cu"
    if OVERLAY is not None:
        outputs = Path(OVERLAY)
        source = max(outputs / source.relative_to(ROOT), source, key=Path.exists)
    kernel = cached(outputs, [compiler, *kernel_flags(), "-c"], [source])
    # The simulator first: of the standard library's templates that both contain the linker keeps its copy, which reports no accesses.
    return ctypes.CDLL(str(cached(outputs, [compiler, "-shared", "-pthread"], [*simulator, kernel])))


@contextmanager
def on_device(engine: ctypes.CDLL, arrays: tuple[np.ndarray[Any, Any], ...]) -> Iterator[list[int]]:
    """Device memory with what the arrays hold; afterwards the arrays hold what it does. Arrays of NaT or empty ones are as good as any."""
    engine.allocate.restype = ctypes.c_void_p
    addresses = [engine.allocate(ctypes.c_size_t(array.nbytes)) for array in arrays]
    for address, array in zip(addresses, arrays, strict=True):
        assert array.flags.c_contiguous
        if not isinstance(array, Unwritten):
            engine.to_device(ctypes.c_void_p(address), ctypes.c_void_p(array.ctypes.data), ctypes.c_size_t(array.nbytes))
    yield addresses
    for address, array in zip(addresses, arrays, strict=True):
        engine.to_host(ctypes.c_void_p(array.ctypes.data), ctypes.c_void_p(address), ctypes.c_size_t(array.nbytes))
        engine.deallocate(ctypes.c_void_p(address))


class Unwritten(np.ndarray[Any, Any]):
    """An array that the device has room for, and that nothing has written there."""


def unwritten(shape: tuple[int, ...] | int, dtype: Any = np.float32) -> Unwritten:
    return np.empty(shape, dtype).view(Unwritten)


def run(name: str, function: str, *arguments: np.ndarray[Any, Any] | int) -> str | None:
    """Calls a function of a test kernel's file, which launches a kernel. The simulator's report, or None."""
    engine = library(name)
    with on_device(engine, tuple(x for x in arguments if isinstance(x, np.ndarray))) as addresses:
        remaining = iter(addresses)
        values = [ctypes.c_void_p(next(remaining)) if isinstance(x, np.ndarray) else ctypes.c_int(x) for x in arguments]
        entry = engine[function]
        entry.restype = ctypes.c_char_p
        message: bytes | None = entry(*values)
    return message.decode() if message else None
