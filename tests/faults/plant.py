"""Plants faults in the handwritten kernels, one at a time, and requires that kernel's tests to fail.

    python -m tests.faults.plant [--short] [--kernel NAME]

faults.toml lists them. A fault is planted in a copy of a source or header; the object it belongs to, of the level in use, is compiled again
and linked with the other objects of the newest build under build/ (an editable install leaves one there), and the tests run on the result.
Before that, each kernel's tests run on the same build without a fault, and must pass.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
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
    kernel: str
    what: str
    file: str
    old: str
    new: str
    unit: str = ""
    """The source to compile, where it is not kernels/cpu/<kernel>.cpp."""

    def plant(self, overlay: Path) -> None:
        """Writes the patched copy where the compiler looks first."""
        text = (ROOT / self.file).read_text()
        found = text.count(self.old)
        if found != 1:
            raise SystemExit(f"plant: anchor stands {found} times in {self.file}: {self.old!r}; it must stand there once")
        (overlay / self.file).parent.mkdir(parents=True)
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
        command = list(self.commands[f"CMakeFiles/kernels_{_engine.isa()}.dir/{unit}.o"])
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


def passes(tests: list[str], engine: Path) -> bool:
    """Whether the tests pass on that engine. Anything but passed and failed tests is an error here."""
    command = [sys.executable, "-m", "pytest", "-p", "tests.other_engine", "-p", "no:cacheprovider", "-q", "-x", "--no-header", *tests]
    environment = {**os.environ, "ENGINE": str(engine), "HYPOTHESIS_PROFILE": "faults"}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if result.returncode not in (0, 1):
        raise SystemExit(f"plant: the tests did not run: exit status {result.returncode}\n{result.stdout[-4000:]}{result.stderr[-4000:]}")
    return result.returncode == 0


def try_fault(build: Build, fault: Fault, tests: list[str], planted: bool) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        overlay = Path(folder)
        if planted:
            fault.plant(overlay)
        engine = overlay / "_engine.so"
        build.link(build.compile(fault.unit or f"kernels/cpu/{fault.kernel}.cpp", overlay), engine)
        return passes(tests, engine)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="the first fault of each kernel only")
    parser.add_argument("--kernel", help="this kernel only")
    args = parser.parse_args()
    table = tomllib.loads((Path(__file__).parent / "faults.toml").read_text())
    build, wrong = Build(), 0
    for kernel, entry in table.items():
        if args.kernel not in (None, kernel):
            continue
        faults = [Fault(kernel, **fault) for fault in entry["fault"]][: 1 if args.short else None]
        for fault, planted in [(faults[0], False), *((fault, True) for fault in faults)]:
            start = time.monotonic()
            passed = try_fault(build, fault, entry["tests"], planted)
            right = passed != planted
            wrong += not right
            outcome = "tests pass" if passed else "tests fail"
            what = fault.what if planted else "no fault"
            print(f"{'ok   ' if right else 'WRONG'}  {kernel:22} {outcome}  {time.monotonic() - start:5.0f} s  {what}", flush=True)
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
