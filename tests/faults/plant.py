"""Plants faults in the handwritten kernels and in the package, one at a time, and requires the tests of that place to fail.

    python -m tests.faults.plant [--short] [--group NAME]

faults.toml lists them. A fault in C++ is planted in a copy of a source or header; the object it belongs to, of the level in use, is
compiled again and linked with the other objects of the newest build under build/ (an editable install leaves one there), and the tests
run on the result; those of a CUDA kernel, in the simulator. A fault in Python is planted in a copy of the package. Before that, each
group's tests run on such a build or copy without a fault, and must pass.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import NamedTuple

from pyengine import _engine
from tests.builds import ROOT, newest_build


class Fault(NamedTuple):
    group: str
    what: str
    file: str
    old: str
    new: str
    unit: str = ""
    """The source to compile, where it is not kernels/cpu/<group>.cpp."""

    @property
    def in_python(self) -> bool:
        return self.file.endswith(".py")

    @property
    def device(self) -> str:
        """Where its tests run."""
        return "simulator" if self.unit.startswith("kernels/cuda/") else "cpu"

    def plant(self, overlay: Path) -> None:
        """Writes the patched copy where the compiler looks first."""
        text = (ROOT / self.file).read_text()
        found = text.count(self.old)
        if found != 1:
            raise SystemExit(f"plant: anchor stands {found} times in {self.file}: {self.old!r}; it must stand there once")
        (overlay / self.file).parent.mkdir(parents=True, exist_ok=True)
        (overlay / self.file).write_text(text.replace(self.old, self.new))


class Build:
    """A finished CMake build of the module, to link again with one object of our own."""

    def __init__(self) -> None:
        directory = newest_build()
        if directory is None:
            raise SystemExit("plant: no build under build/; run: pip install -e .")
        self.directory = directory
        entries = json.loads((directory / "compile_commands.json").read_text())
        commands = [shlex.split(entry["command"]) for entry in entries]
        self.commands = {command[command.index("-o") + 1]: command for command in commands}
        """For each object file, relative to the build tree, the command that compiles it."""

    def compile(self, unit: str, overlay: Path) -> Path:
        kernels = ("kernels_simulator.dir", f"/{Path(unit).name}.o") if "/cuda/" in unit else (f"kernels_{_engine.isa()}.dir/", f"{unit}.o")
        command = next(list(words) for target, words in self.commands.items() if kernels[0] in target and target.endswith(kernels[1]))
        source, target = overlay / unit, overlay / "unit.o"
        command[command.index("-o") + 1] = str(target)
        command[command.index("-c") + 1] = str(source if source.exists() else ROOT / unit)
        first_option = next(i for i, word in enumerate(command) if word.startswith("-"))
        self._run([*command[:first_option], "-w", f"-I{overlay}", *command[first_option:]])
        return target

    def link(self, unit: Path, out: Path) -> None:
        """``unit`` comes before the archive, whose member of the same symbols is then not taken."""
        bindings = [target for target in self.commands if target.startswith("CMakeFiles/_engine.dir/")]
        compiler = next(word for word in self.commands[bindings[0]] if not word.endswith("ccache"))
        self._run([compiler, "-shared", "-fPIC", "-o", str(out), *bindings, str(unit), "libengine.a", "-pthread"])

    def _run(self, command: list[str]) -> None:
        subprocess.run(command, cwd=self.directory, check=True)


def passes(tests: list[str], plugin: str, place: Path, device: str) -> bool:
    """Whether the tests pass on the engine or package in that place. Anything but passed and failed tests is an error here."""
    command = [sys.executable, "-m", "pytest", "-p", plugin, "-p", "no:cacheprovider", "-q", "-x", "--no-header", *tests]
    environment = {**os.environ, "OTHER": str(place), "HYPOTHESIS_PROFILE": "faults", "PYENGINE_TEST_DEVICE": device}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if result.returncode not in (0, 1):
        raise SystemExit(f"plant: the tests did not run: exit status {result.returncode}\n{result.stdout[-4000:]}{result.stderr[-4000:]}")
    return result.returncode == 0


def try_fault(build: Build, fault: Fault, tests: list[str], planted: bool) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        overlay = Path(folder)
        if fault.in_python:
            shutil.copytree(ROOT / "pyengine", overlay / "pyengine", ignore=shutil.ignore_patterns("__pycache__"))
        if planted:
            fault.plant(overlay)
        if fault.in_python:
            return passes(tests, "tests.other_package", overlay, fault.device)
        engine = overlay / "_engine.so"
        build.link(build.compile(fault.unit or f"kernels/cpu/{fault.group}.cpp", overlay), engine)
        return passes(tests, "tests.other_engine", engine, fault.device)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="the first fault of each group marked so")
    parser.add_argument("--group", help="this group only")
    args = parser.parse_args()
    table = tomllib.loads((Path(__file__).parent / "faults.toml").read_text())
    build, wrong = Build(), 0
    for group, entry in table.items():
        if args.group not in (None, group) or (args.short and not entry.get("short")):
            continue
        faults = [Fault(group, **fault) for fault in entry["fault"]][: 1 if args.short else None]
        for fault, planted in [(faults[0], False), *((fault, True) for fault in faults)]:
            start = time.monotonic()
            passed = try_fault(build, fault, entry["tests"], planted)
            right = passed != planted
            wrong += not right
            outcome = "tests pass" if passed else "tests fail"
            what = fault.what if planted else "no fault"
            print(f"{'ok   ' if right else 'WRONG'}  {group:22} {outcome}  {time.monotonic() - start:5.0f} s  {what}", flush=True)
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
