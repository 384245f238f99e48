"""Plants faults in copies of the CUDA kernels, one at a time, and requires the simulator to report each; and nothing in the originals.

    python -m tests.simulator.mutate [--unit NAME] [--rule KIND] [--every N]

A fault is a place in a kernel changed by one of the rules below: a barrier removed, a wait weakened, a fence dropped, an index past the
edge, a phase not flipped, a mask that leaves lanes out. The unit it belongs to is compiled again and linked with the objects of the
newest build under build/, and the calls of tests/simulator/workload.py run on it. mutants.toml lists those that are no faults, and why.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.builds import ROOT, newest_build
from tests.simulator.workload import WORK

_SIZES = "count|n|size|rows|columns|m|k|keys|queries|positions|width|total|outputs|items|planes|outer|inner"
RULES = (
    ("barrier removed", re.compile(r"__syncthreads\(\);"), ";"),
    ("warp barrier removed", re.compile(r"__syncwarp\(\);"), ";"),
    ("memory fence dropped", re.compile(r"__threadfence\(\);"), ";"),
    ("wait weakened", re.compile(r"(cp_async_wait|wgmma_wait|bulk_wait\w*)<(\d+)>"), r"\1<\2 + 1>"),
    ("wait removed", re.compile(r"\b(mbarrier_wait|cp_async_wait_all)\([^;]*\);"), ";"),
    ("proxy fence dropped", re.compile(r"\bfence_\w+\([^;]*\);"), ";"),
    ("phase not flipped", re.compile(r"\bphase \^= 1;"), ";"),
    (
        "an index past the edge",
        re.compile(r"\b(\w+) < (count|n|size|rows|columns|m|keys|queries|positions|width|total|outputs)\b(?=[;)&| ])"),
        r"\1 <= \2",
    ),
    ("a loop with one turn too many", re.compile(r"\bfor \(int (\w+) = 0; \1 < (\w+); \+\+\1\)"), r"for (int \1 = 0; \1 <= \2; ++\1)"),
    ("a mask that leaves lanes out", re.compile(r"0xffffffffu?"), "0x7fffffffu"),
)


class Mutant(NamedTuple):
    units: tuple[str, ...]  # the kernels' files that have it, and the work that runs them
    file: str
    rule: str
    number: int  # of the places in the file where the rule applies

    @property
    def name(self) -> str:
        return f"{self.file}: {self.rule} #{self.number}"

    def text(self) -> str:
        source = (ROOT / self.file).read_text()
        _, pattern, replacement = next(rule for rule in RULES if rule[0] == self.rule)
        place = list(pattern.finditer(source))[self.number]
        return source[: place.start()] + place.expand(replacement) + source[place.end() :]


def files_of(source: Path) -> set[Path]:
    """The file, and what it includes from kernels/cuda."""
    found = {source}
    for header in re.findall(r'#include "(kernels/cuda/[\w/]+\.h)"', source.read_text()):
        found |= files_of(ROOT / header)
    return found


def mutants() -> Iterator[Mutant]:
    """Of a header, with every unit that includes it."""
    units: dict[Path, list[str]] = {}
    for unit in WORK:
        for source in sorted((ROOT / "kernels/cuda").glob("*.cu")):
            if re.fullmatch(rf"{unit}(_(backward|weight_gradient))?", source.stem):
                for file in files_of(source):
                    units.setdefault(file, []).append(unit)
    for file, users in sorted(units.items()):
        if file.name in ("cuda.h", "launch.h") or "primitives" in file.parts:
            continue
        text, seen = file.read_text(), set[str]()
        for rule, pattern, _ in RULES:
            for number in range(len(pattern.findall(text))):
                mutant = Mutant(tuple(dict.fromkeys(users)), str(file.relative_to(ROOT)), rule, number)
                if mutant.text() not in seen:
                    seen.add(mutant.text())
                    yield mutant


class Build:
    """A finished CMake build, to link again with objects of our own."""

    def __init__(self) -> None:
        directory = newest_build()
        if directory is None:
            raise SystemExit("mutate: no build under build/; run: pip install -e .")
        self.directory = directory
        entries = json.loads((directory / "compile_commands.json").read_text())
        self.commands = {words[words.index("-o") + 1]: words for words in (shlex.split(entry["command"]) for entry in entries)}

    def engine(self, mutant: Mutant, unit: str, folder: Path) -> Path | None:
        """The module with the fault in it; None where it does not compile."""
        (folder / mutant.file).parent.mkdir(parents=True, exist_ok=True)
        (folder / mutant.file).write_text(mutant.text())
        objects = []
        for target, command in self.commands.items():
            source = Path(command[command.index("-c") + 1])
            if "kernels_simulator.dir" not in target or not re.fullmatch(rf"{unit}(_(backward|weight_gradient))?", source.stem):
                continue
            relative = Path(os.path.normpath(self.directory / source)).relative_to(ROOT)
            words = [word for word in command if not word.endswith("ccache")]
            words[words.index("-c") + 1] = str(folder / relative if (folder / relative).exists() else ROOT / relative)
            words[words.index("-o") + 1] = str(folder / f"{source.stem}.o")
            first = next(i for i, word in enumerate(words) if word.startswith("-"))
            done = subprocess.run(
                [*words[:first], "-w", f"-I{folder}", *words[first:]], cwd=self.directory, capture_output=True, check=False
            )
            if done.returncode:
                return None
            objects.append(str(folder / f"{source.stem}.o"))
        bindings = [target for target in self.commands if target.startswith("CMakeFiles/_engine.dir/")]
        compiler = next(word for word in self.commands[bindings[0]] if not word.endswith("ccache"))
        module = folder / "_engine.so"
        command = [compiler, "-shared", "-fPIC", "-o", str(module), *bindings, *objects, "libengine.a", "-pthread"]
        subprocess.run(command, cwd=self.directory, check=True)
        return module


def outcome(unit: str, engine: Path | None) -> str:
    """What the work says: "silent", "reported: ...", or "failed: ..." for anything else."""
    loads = "import tests.other_engine, runpy; runpy.run_module('tests.simulator.workload', run_name='__main__')"
    command = [sys.executable, "-c", f"import sys; sys.argv[1:] = [{unit!r}]; {'' if engine is None else loads}"]
    if engine is None:
        command = [sys.executable, "-m", "tests.simulator.workload", unit]
    environment = {**os.environ, "OTHER": str(engine)}
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        return "failed: no end within 300 s"
    if done.returncode == 0:
        return "silent"
    return f"reported: {done.stdout.strip()}" if done.returncode == 3 else f"failed: {done.stderr.strip().splitlines()[-1:]}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--unit", action="append", help="this kernel's only; may be repeated")
    parser.add_argument("--rule", choices=[rule for rule, _, _ in RULES], help="faults of this kind only")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth mutant")
    arguments = parser.parse_args()
    harmless = tomllib.loads((Path(__file__).parent / "mutants.toml").read_text())["harmless"]
    chosen = [m for m in mutants() if arguments.unit is None or not {*arguments.unit}.isdisjoint(m.units)]
    chosen = [m for m in chosen if arguments.rule in (None, m.rule)][:: arguments.every]
    wrong = 0
    for unit in dict.fromkeys(unit for m in chosen for unit in m.units):
        said = outcome(unit, None)
        wrong += said != "silent"
        print(f"{'ok   ' if said == 'silent' else 'WRONG'}  {unit}: no fault: {said}", flush=True)
    build, caught = Build(), 0
    for mutant in chosen:
        if mutant.name in harmless:
            continue
        start = time.monotonic()
        said = ""
        for unit in mutant.units:
            with tempfile.TemporaryDirectory() as folder:
                engine = build.engine(mutant, unit, Path(folder))
                said = "does not compile" if engine is None else outcome(unit, engine)
            if said != "silent":
                break
        right = said.startswith("reported")
        caught += right
        wrong += not right
        print(f"{'ok   ' if right else 'WRONG'}  {mutant.name}  {time.monotonic() - start:4.0f} s  {said[:150]}", flush=True)
    print(f"{caught} faults reported, {wrong} wrong, {len(harmless)} listed as harmless")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
