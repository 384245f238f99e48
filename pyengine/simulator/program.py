"""Programs with kernels: compiled for the simulator, and started."""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyengine import _engine
from pyengine.simulator.arguments import Size, argument, three
from pyengine.simulator.translation import KernelText, kernels_of, rewritten

SimulatorError: type[RuntimeError] = getattr(_engine, "SimulatorError", RuntimeError)

_FLAGS = (
    *("-x", "c++", "-std=c++20", "-g", "-fPIC", "-DPYENGINE_SIMULATED", "-DPYENGINE_LEVEL=simulator"),
    *("-fsanitize=thread,bounds,alignment", "-fno-optimize-sibling-calls", "-ffp-contract=off", "-fsanitize-coverage=trace-pc"),
)


class CompileError(RuntimeError):
    """The compiler's words, line by line."""


_REPORT = 16384  # bytes of a report at most


def _call(function: Callable[..., int]) -> None:
    """Calls it with a buffer for its report and the buffer's size. SimulatorError with the report; Ctrl-C says where it was, too."""
    report = ctypes.create_string_buffer(_REPORT)
    try:
        if function(report, ctypes.c_size_t(_REPORT)):
            raise SimulatorError(report.value.decode(errors="replace"))
    except KeyboardInterrupt:  # Python's own, as soon as the call is over
        raise KeyboardInterrupt(report.value.decode(errors="replace")) from None


@dataclass(frozen=True)
class Kernel:
    """A kernel of a program: ``kernel(grid, block, shared_bytes)`` gives what starts it with its arguments."""

    name: str
    parameters: tuple[str, ...]
    _start: Any

    def __call__(self, grid: Size, block: Size, shared_bytes: int = 0) -> Callable[..., None]:
        """``kernel(grid=4, block=256)(x, y, 1000)`` runs it to its end. Tensors must be on the simulator, of the pointer's dtype."""
        sizes = (ctypes.c_uint * 6)(*three("grid", grid), *three("block", block))

        def start(*arguments: Any) -> None:
            if len(arguments) != len(self.parameters):
                raise TypeError(f"{self.name}: wrong number of arguments: {len(arguments)}; must be {len(self.parameters)}")
            given = [argument(self.name, parameter, value) for parameter, value in zip(self.parameters, arguments, strict=True)]
            _call(lambda *report: self._start(sizes, ctypes.c_size_t(shared_bytes), *report, *given))

        return start


class Program(Mapping[str, Kernel]):
    """The kernels of a file, by name; :meth:`main` runs its ``main``, if it has one."""

    def __init__(self, library: Path, kernels: list[KernelText]) -> None:
        self._library = ctypes.CDLL(str(library))
        self._kernels = {k.name: Kernel(k.name, k.parameters, getattr(self._library, k.starter)) for k in kernels if k.has_starter}

    def __getitem__(self, name: str) -> Kernel:
        if name not in self._kernels:
            raise KeyError(f"no kernel {name!r}; there are {', '.join(self._kernels) or 'none'} (templates have no name to start them by)")
        return self._kernels[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kernels)

    def __len__(self) -> int:
        return len(self._kernels)

    def main(self) -> int:
        """Runs the program; its status. SimulatorError with the report where a kernel is at fault; ValueError without a ``main``."""
        if not hasattr(self._library, "pyengine_main"):
            raise ValueError("simulator: no main in the program: 'int main()'; start its kernels by name, from Python")
        status = ctypes.c_int()
        _call(lambda *report: self._library.pyengine_main(ctypes.byref(status), *report))
        return status.value


def load(path: str | os.PathLike[str], *, debug: bool = False) -> Program:
    """Compiles a .cu file for the simulator. With ``debug`` without optimisation, for a debugger: ``gdb --args python your_script.py``.

    The file is CUDA C++: keywords, indices, barriers, votes, shuffles, atomics, shared memory, variables of the device; of the runtime's
    functions memory, copies, streams and events; and the primitives of kernels/cuda/primitives. FileNotFoundError where there is no C++
    compiler; RuntimeError with the compiler's words where it does not compile.
    """
    source = Path(path).read_text()
    kernels = kernels_of(source)
    return Program(_compiled(Path(path), rewritten(source, Path(path), kernels), "-O0" if debug else "-O1"), kernels)


def run(path: str | os.PathLike[str], *, debug: bool = False) -> int:
    """Compiles a program with a ``main`` and runs it; its status."""
    program = load(path, debug=debug)
    return program.main()


def _compiled(path: Path, source: str, level: str) -> Path:
    compiler = shutil.which(os.environ.get("CXX", "g++")) or shutil.which("clang++")
    if compiler is None:
        raise FileNotFoundError("simulator: no C++ compiler found: g++; install one, or name it in CXX")
    engine = Path(str(_engine.__file__))
    made_of = (path.name, source, *_headers(path, source), level, *_FLAGS, compiler, str(engine), str(engine.stat().st_mtime_ns))
    key = hashlib.sha256("\0".join(made_of).encode()).hexdigest()[:24]
    library = Path(tempfile.gettempdir()) / f"pyengine-simulator-{os.getuid()}" / f"{key}.so"
    if library.exists():
        return library
    library.parent.mkdir(mode=0o700, exist_ok=True)
    if library.parent.stat().st_uid != os.getuid():
        raise PermissionError(f"simulator: folder of somebody else: {library.parent}; remove it")
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
        translated, compiled, made = (Path(folder, name) for name in (path.name, "program.o", "program.so"))
        translated.write_text(source)
        _run(
            compiler,
            *_FLAGS,
            *_checks(compiler),
            level,
            f"-I{path.resolve().parent}",
            f"-I{_include()}",
            "-c",
            str(translated),
            "-o",
            str(compiled),
        )
        _run(compiler, "-shared", str(compiled), str(engine), "-o", str(made))  # without the sanitizer's library: the engine stands in
        made.replace(library)
    return library


def _headers(path: Path, source: str) -> list[str]:
    """The texts of the headers beside the program that it includes."""
    texts = [source]
    for text in texts:
        for name in re.findall(r'#include\s*"([^"]+)"', text):
            header = path.parent / name
            if header.is_file() and (read := header.read_text()) not in texts:
                texts.append(read)
    return texts[1:]


def _checks(compiler: str) -> tuple[str, ...]:
    """That volatile accesses are reported as such, and indices of arrays at the end of a structure are checked."""
    if "clang" in compiler:
        return ("-mllvm", "-tsan-distinguish-volatile")
    return ("--param", "tsan-distinguish-volatile=1", "-Wno-tsan", "-fsanitize=bounds-strict", "-fno-aggressive-loop-optimizations")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CompileError(f"simulator: the program does not compile:\n{done.stderr.strip()}")


def _include() -> Path:
    """Where the folder kernels with its headers is: in the installed package, or beside it in the sources."""
    installed = Path(__file__).parents[1] / "include"
    return installed if installed.exists() else Path(__file__).parents[2]
