"""Your own CUDA kernels, on the CPU: compiled by the C++ compiler, run thread by thread, every load and store checked.

.. code-block:: python

    import pyengine as pe

    x, y = pe.arange(1000, dtype=pe.float32, device="simulator"), pe.zeros(1000, device="simulator")
    pe.simulator.load("square.cu")["square"](grid=4, block=256)(x, y, 1000)
    print(y)

What hardware leaves undefined ends the launch with a :class:`SimulatorError` that names the fault, the block, the thread and the line:
races, accesses out of bounds, misaligned or to memory that nothing wrote, barriers that not all threads reach, threads that wait forever.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pyengine import _engine, dtypes
from pyengine.extras import require
from pyengine.tensor import Tensor

__all__ = ["Kernel", "Program", "SimulatorError", "Touches", "draw_fragment", "load", "run", "trace"]

SimulatorError: type[RuntimeError] = getattr(_engine, "SimulatorError", RuntimeError)

_FLAGS = (
    *("-x", "c++", "-std=c++20", "-g", "-fPIC", "-DPYENGINE_SIMULATED", "-fsanitize=thread", "-fno-optimize-sibling-calls"),
    "-ffp-contract=off",
)
_REPORT = 16384  # bytes of a report at most
_BANKS = 32
_Size = int | tuple[int, ...]

# The types that a kernel's parameters may have.
_NUMBERS = {
    "bool": ctypes.c_bool,
    "char": ctypes.c_char,
    "int": ctypes.c_int,
    "unsigned": ctypes.c_uint,
    "unsigned int": ctypes.c_uint,
    "long": ctypes.c_long,
    "long long": ctypes.c_longlong,
    "size_t": ctypes.c_size_t,
    "std::size_t": ctypes.c_size_t,
    "int64_t": ctypes.c_int64,
    "std::int64_t": ctypes.c_int64,
    "uint64_t": ctypes.c_uint64,
    "std::uint64_t": ctypes.c_uint64,
    "int32_t": ctypes.c_int32,
    "uint32_t": ctypes.c_uint32,
    "float": ctypes.c_float,
    "double": ctypes.c_double,
}
_ELEMENTS = {
    "bool": dtypes.bool_,
    "char": dtypes.int8,
    "signed char": dtypes.int8,
    "unsigned char": dtypes.uint8,
    "short": dtypes.int16,
    "int": dtypes.int32,
    "int32_t": dtypes.int32,
    "unsigned": dtypes.uint32,
    "unsigned int": dtypes.uint32,
    "uint32_t": dtypes.uint32,
    "long": dtypes.int64,
    "long long": dtypes.int64,
    "int64_t": dtypes.int64,
    "std::int64_t": dtypes.int64,
    "float": dtypes.float32,
    "double": dtypes.float64,
}


# Programs ---------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kernel:
    """A kernel of a program: ``kernel(grid, block, shared_bytes)`` gives what starts it with its arguments."""

    name: str
    parameters: tuple[str, ...]
    _start: Any

    def __call__(self, grid: _Size, block: _Size, shared_bytes: int = 0) -> Callable[..., None]:
        """``kernel(grid=4, block=256)(x, y, 1000)`` runs it to its end. Tensors must be on the simulator, of the pointer's dtype."""
        sizes = (ctypes.c_uint * 6)(*_three("grid", grid), *_three("block", block))

        def start(*arguments: Any) -> None:
            if len(arguments) != len(self.parameters):
                raise TypeError(f"{self.name}: wrong number of arguments: {len(arguments)}; must be {len(self.parameters)}")
            given = [_argument(self.name, parameter, value) for parameter, value in zip(self.parameters, arguments, strict=True)]
            report = ctypes.create_string_buffer(_REPORT)
            if self._start(sizes, ctypes.c_size_t(shared_bytes), report, ctypes.c_size_t(_REPORT), *given):
                raise SimulatorError(report.value.decode(errors="replace"))

        return start


class Program(Mapping[str, Kernel]):
    """The kernels of a file, by name; :meth:`main` runs its ``main``, if it has one."""

    def __init__(self, library: Path, kernels: dict[str, tuple[str, ...]]) -> None:
        self._library = ctypes.CDLL(str(library))
        starters = {name: getattr(self._library, f"pyengine_start_{name}") for name in kernels}
        self._kernels = {name: Kernel(name, parameters, starters[name]) for name, parameters in kernels.items()}

    def __getitem__(self, name: str) -> Kernel:
        return self._kernels[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kernels)

    def __len__(self) -> int:
        return len(self._kernels)

    def main(self) -> int:
        """Runs the program; its status. SimulatorError with the report where a kernel is at fault; ValueError without a ``main``."""
        if not hasattr(self._library, "pyengine_main"):
            raise ValueError("simulator: no main in the program: 'int main()'; start its kernels by name, from Python")
        report, status = ctypes.create_string_buffer(_REPORT), ctypes.c_int()
        if self._library.pyengine_main(ctypes.byref(status), report, ctypes.c_size_t(_REPORT)):
            raise SimulatorError(report.value.decode(errors="replace"))
        return status.value


def load(path: str | os.PathLike[str], *, debug: bool = False) -> Program:
    """Compiles a .cu file for the simulator. With ``debug`` without optimisation, for a debugger: ``gdb --args python your_script.py``.

    The file is CUDA C++: keywords, indices, barriers, votes, shuffles, atomics, shared memory; of the runtime's functions memory, copies
    and events. FileNotFoundError where there is no C++ compiler; RuntimeError with the compiler's words where it does not compile.
    """
    source = Path(path).read_text()
    kernels = _kernels_of(source)
    return Program(_compiled(Path(path).name, _rewritten(source, Path(path), kernels), "-O0" if debug else "-O1"), kernels)


def run(path: str | os.PathLike[str], *, debug: bool = False) -> int:
    """Compiles a program with a ``main`` and runs it; its status."""
    program = load(path, debug=debug)
    return program.main()


def _compiled(name: str, source: str, level: str) -> Path:
    compiler = shutil.which(os.environ.get("CXX", "g++")) or shutil.which("clang++")
    if compiler is None:
        raise FileNotFoundError("simulator: no C++ compiler found: g++; install one, or name it in CXX")
    engine = Path(str(_engine.__file__))
    key = hashlib.sha256(
        "\0".join((name, source, level, *_FLAGS, compiler, str(engine), str(engine.stat().st_mtime_ns))).encode()
    ).hexdigest()[:24]
    library = Path(tempfile.gettempdir()) / f"pyengine-simulator-{os.getuid()}" / f"{key}.so"
    if library.exists():
        return library
    library.parent.mkdir(mode=0o700, exist_ok=True)
    if library.parent.stat().st_uid != os.getuid():
        raise PermissionError(f"simulator: folder of somebody else: {library.parent}; remove it")
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
        translated, compiled, made = (Path(folder, name) for name in (name, "program.o", "program.so"))
        translated.write_text(source)
        _run(compiler, *_FLAGS, *_volatile(compiler), level, f"-I{_include()}", "-c", str(translated), "-o", str(compiled))
        _run(compiler, "-shared", str(compiled), str(engine), "-o", str(made))  # without the sanitizer's library: the engine stands in
        made.replace(library)
    return library


def _volatile(compiler: str) -> tuple[str, ...]:
    """That volatile accesses are reported as such."""
    return ("-mllvm", "-tsan-distinguish-volatile") if "clang" in compiler else ("--param", "tsan-distinguish-volatile=1", "-Wno-tsan")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"simulator: the program does not compile:\n{done.stderr.strip()}")


def _include() -> Path:
    """Where the folder kernels with its headers is: in the installed package, or beside it in the sources."""
    installed = Path(__file__).parent / "include"
    return installed if installed.exists() else Path(__file__).parents[1]


# Translation ------------------------------------------------------------------------------------------------------------------------------


def _kernels_of(source: str) -> dict[str, tuple[str, ...]]:
    """The kernels that can be started by name, with their parameters: those that are no templates."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/", " ", source, flags=re.DOTALL)
    text = re.sub(r"__launch_bounds__\s*\([^)]*\)", " ", text)
    found = re.findall(r"(template\s*<[^;{]*>\s*)?__global__\s+(?:static\s+)?void\s+(\w+)\s*\(([^)]*)\)\s*\{", text)
    return {
        name: tuple(" ".join(p.split()) for p in parameters.split(",") if p.strip()) for template, name, parameters in found if not template
    }


def _type_of(parameter: str) -> str:
    """``float*`` of ``const float* __restrict__ x``."""
    plain = re.sub(r"\b(const|__restrict__|__grid_constant__|volatile)\b", " ", parameter)
    plain = re.sub(r"\w+$", "", plain.strip()).replace("*", " * ")
    return " ".join(plain.split()).replace(" *", "*")


def _rewritten(source: str, path: Path, kernels: dict[str, tuple[str, ...]]) -> str:
    """The program as the C++ compiler takes it; its lines keep their numbers."""
    text = re.sub(r"#include\s*[<\"](cuda\w*|device_launch_parameters)\.h[>\"]", "", source)
    text = re.sub(r"([\w:]+(?:<[^<>;]*>)?)\s*<<<(.*?)>>>\s*\(", r"::pyengine::simulator::configured(\1, \2)(", text, flags=re.DOTALL)
    text = re.sub(
        r"extern\s+__shared__\s+(?:__align__\s*\(\w+\)\s*)?([\w: ]+?)\s+(\w+)\s*\[\s*\]\s*;",
        r"auto* \2 = static_cast<\1*>(::pyengine::simulator::shared_memory());",
        text,
    )
    text, mains = re.subn(r"\bint\s+main\s*\(\s*(?:void)?\s*\)", "static int program_main()", text)
    starters = [_starter(name, parameters) for name, parameters in kernels.items()]
    lines = ['#include "kernels/simulator/program.h"', f'#line 1 "{path.resolve()}"', text, *starters, *([_MAIN] if mains else [])]
    return "\n".join(lines) + "\n"


_CAUGHT = 'catch (const std::exception& error) { std::snprintf(report, room, "%s", error.what()); return 1; }'
_MAIN = f"""extern "C" int pyengine_main(int* status, char* report, std::size_t room) {{
    try {{ *status = program_main(); return 0; }} {_CAUGHT}
}}"""


def _starter(kernel: str, parameters: tuple[str, ...]) -> str:
    declared = "".join(f", {parameter}" for parameter in parameters)
    passed = "".join(", " + re.findall(r"\w+", parameter)[-1] for parameter in parameters)
    return f"""extern "C" int pyengine_start_{kernel}(const unsigned* size, std::size_t shared, char* report, std::size_t room{declared}) {{
    const ::pyengine::simulator::LaunchShape shape{{{{size[0], size[1], size[2]}}, {{size[3], size[4], size[5]}}, shared, {{}}}};
    try {{ ::pyengine::simulator::launch({kernel}, shape{passed}); return 0; }} {_CAUGHT}
}}"""


def _three(name: str, size: _Size) -> tuple[int, int, int]:
    sizes = (size,) if isinstance(size, int) else tuple(size)
    if not 1 <= len(sizes) <= 3 or not all(isinstance(s, int) and 0 < s < 2**31 for s in sizes):
        raise ValueError(f"simulator: wrong {name}: {size!r}; must be one to three positive integers, x first")
    return (*sizes, *(1,) * (3 - len(sizes)))  # type: ignore[return-value]  # three of them


def _argument(kernel: str, parameter: str, value: Any) -> Any:
    type_ = _type_of(parameter)
    if not type_.endswith("*"):
        if type_ not in _NUMBERS:
            raise TypeError(f"{kernel}: parameter not understood: {parameter}; pointers and {', '.join(_NUMBERS)} are")
        return _NUMBERS[type_](value)
    if not isinstance(value, Tensor) or value.device != "simulator":
        where = value.device if isinstance(value, Tensor) else type(value).__name__
        raise TypeError(f"{kernel}: {parameter} is no tensor on the simulator: {where}; make it with device='simulator'")
    wanted = _ELEMENTS.get(type_[:-1])
    if wanted is not None and wanted is not value.dtype:
        raise TypeError(f"{kernel}: {parameter} is not {value.dtype.name}; convert it with astype, or change the kernel")
    if not value._array.is_contiguous():
        raise ValueError(f"{kernel}: {parameter} is not contiguous: shape {value.shape}, strides {value.strides}; copy it first")
    return ctypes.c_void_p(value._array.address)


# Who touched what -------------------------------------------------------------------------------------------------------------------------


class Touches:
    """The accesses to shared memory that :func:`trace` saw, in order: ``table`` has block, thread, offset, bytes, and 1 for writes."""

    table: npt.NDArray[np.int64] = np.zeros((0, 5), np.int64)

    def draw(self, path: str | os.PathLike[str], *, block: int = 0, rows: int = 32, writes: bool = True) -> None:
        """A picture of a block's shared memory: 32 banks across, a word of four bytes in each cell, with the thread that wrote it last
        (``writes=False``: that read it first). Needs matplotlib.
        """
        pyplot = require("matplotlib.pyplot", "pyengine[train]", "a picture of shared memory")
        threads = self._words(block, writes)[: rows * _BANKS]
        grid = np.full((-(-max(len(threads), 1) // _BANKS), _BANKS), -1)
        grid.flat[: len(threads)] = threads
        figure, axes = pyplot.subplots(figsize=(16, 1.2 + 0.38 * len(grid)), layout="constrained")
        axes.imshow(np.where(grid < 0, np.nan, grid // 32 % 9), cmap="Pastel1", vmin=0, vmax=8, aspect="auto", interpolation="nearest")
        for (row, bank), thread in np.ndenumerate(grid):
            axes.text(bank, row, "" if thread < 0 else str(thread), ha="center", va="center", fontsize=8)
        axes.set_xticks(range(_BANKS))
        axes.set_yticks(range(len(grid)), [str(4 * _BANKS * row) for row in range(len(grid))])
        axes.set_xlabel("bank")
        axes.set_ylabel("byte")
        verb = "wrote each word last" if writes else "read each word first"
        axes.set_title(f"Shared memory of block {block}: the thread that {verb}; one colour a warp")
        figure.savefig(path, dpi=110)
        pyplot.close(figure)

    def _words(self, block: int, writes: bool) -> npt.NDArray[np.int64]:
        """The thread of each word, -1 where there is none."""
        chosen = self.table[(self.table[:, 0] == block) & (self.table[:, 4] == int(writes))]
        if not len(chosen):
            return np.zeros(0, np.int64)
        words = np.full(int((chosen[:, 2] + chosen[:, 3]).max() + 3) // 4, -1)
        for _, thread, offset, count, _ in chosen if writes else chosen[::-1]:
            words[offset // 4 : (offset + count + 3) // 4] = thread
        return words


@contextmanager
def trace(most: int = 1_000_000) -> Iterator[Touches]:
    """``with pe.simulator.trace() as touches:`` notes who touches shared memory inside, the first ``most`` accesses."""
    touches = Touches()
    _engine.simulator_start_trace(most)
    try:
        yield touches
    finally:
        touches.table = _engine.simulator_stop_trace()


def draw_fragment(path: str | os.PathLike[str], rows: int = 16, columns: int = 8) -> None:
    """A picture of an accumulator of the tensor cores: which lane holds each element, in which of its registers.

    ``mma.sync`` has (16, 8), ``wgmma`` (64, N): element (r, c) is in register ``2 (r // 8 % 2) + c % 2 + 4 (c // 8)`` of lane
    ``4 (r % 8) + c // 2 % 4`` of warp ``r // 16`` (PTX ISA 8.5, sections 9.7.14.5 and 9.7.15.5). Needs matplotlib.
    """
    if rows % 16 or columns % 8 or rows < 16 or columns < 8:
        raise ValueError(f"draw_fragment: no such tile: ({rows}, {columns}); rows are a multiple of 16, columns of 8")
    pyplot = require("matplotlib.pyplot", "pyengine[train]", "a picture of a fragment")
    r, c = np.mgrid[:rows, :columns]
    lane, register = 32 * (r // 16) + 4 * (r % 8) + c // 2 % 4, 2 * (r // 8 % 2) + c % 2 + 4 * (c // 8)
    figure, axes = pyplot.subplots(figsize=(1.5 + 0.75 * columns, 1.2 + 0.36 * rows), layout="constrained")
    axes.imshow(lane % 32 // 4, cmap="Pastel2", aspect="auto", interpolation="nearest")
    for at in np.ndindex(rows, columns):
        axes.text(at[1], at[0], f"{lane[at]}: d{register[at]}", ha="center", va="center", fontsize=8)
    axes.set_xticks(range(columns))
    axes.set_yticks(range(rows))
    axes.set_xlabel("column")
    axes.set_ylabel("row")
    axes.set_title("thread: register")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
