"""Plants faults in copies of the CUDA kernels, one at a time, and requires the simulator to report each; and nothing in the originals.

    python -m tests.simulator.mutate [--unit NAME] [--file NAME] [--rule KIND] [--every N] [--jobs N]

A fault is a place in a kernel changed by one of the rules of mutants.py: a barrier removed, a wait weakened, a fence dropped, an index
past the edge, a phase not flipped, a swizzle off. What includes it is compiled again and linked with the objects of the newest build
under build/, or, for a kernel of tests/simulator/kernels, with the simulator, and the calls of workload.py run on it. Where a rule
changes nothing but what is computed, wrong values are enough; everywhere else the simulator must report. mutants.toml lists those that
are no faults, and why.
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
import tomllib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tests.builds import ROOT, newest_build
from tests.simulator.mutants import RULES, TEST_KERNELS, Mutant, files_of, mutants, sources_of
from tests.simulator.workload import REPORTED, WRONG_VALUES


class Build:
    """A finished CMake build, to link again with objects of our own."""

    def __init__(self) -> None:
        directory = newest_build()
        if directory is None:
            raise SystemExit("mutate: no build under build/; run: pip install -e .")
        self.directory = directory
        entries = json.loads((directory / "compile_commands.json").read_text())
        self.commands = {words[words.index("-o") + 1]: words for words in (shlex.split(entry["command"]) for entry in entries)}

    def command(self, source: Path, overlay: Path) -> list[str]:
        """What compiles a kernel for the simulator, with the overlay's files in the place of those of the same path."""
        target = next(t for t in self.commands if "kernels_simulator.dir" in t and t.endswith(f"/{source.name}.o"))
        words = [word for word in self.commands[target] if not word.endswith("ccache")]
        changed = overlay / source.relative_to(ROOT)
        words[words.index("-c") + 1] = str(changed if changed.exists() else source)
        words[words.index("-o") + 1] = str(overlay / f"{source.stem}.o")
        first = next(i for i, word in enumerate(words) if word.startswith("-"))
        return [*words[:first], "-w", f"-I{overlay}", *words[first:]]

    def engine(self, mutant: Mutant, unit: str, overlay: Path) -> Path | None:
        """The module with the fault in it; None where it does not compile."""
        sources = [source for source in sources_of(unit) if ROOT / mutant.file in files_of(source)]
        compilers = [subprocess.Popen(self.command(source, overlay), cwd=self.directory, stderr=subprocess.DEVNULL) for source in sources]
        statuses = [compiler.wait() for compiler in compilers]
        if any(statuses):
            return None
        bindings = [target for target in self.commands if target.startswith("CMakeFiles/_engine.dir/")]
        compiler = next(word for word in self.commands[bindings[0]] if not word.endswith("ccache"))
        module = overlay / "_engine.so"
        objects = [str(overlay / f"{source.stem}.o") for source in sources]
        command = [compiler, "-shared", "-fPIC", "-o", str(module), *bindings, *objects, "libengine.a", "-pthread"]
        subprocess.run(command, cwd=self.directory, check=True)
        return module


def outcome(unit: str, overlay: Path | None = None, engine: Path | None = None) -> str:
    """What the work says: "silent", "reported: ...", "wrong values: ...", or "failed: ..." for anything else."""
    command = [sys.executable, "-m", "tests.simulator.workload", unit]
    environment = dict(os.environ)
    if overlay is not None:
        environment["PYENGINE_TEST_OVERLAY"] = str(overlay)
    if engine is not None:
        run = "import tests.other_engine, runpy; runpy.run_module('tests.simulator.workload', run_name='__main__')"
        command = [sys.executable, "-c", f"import sys; sys.argv[1:] = [{unit!r}]; {run}"]
        environment["OTHER"] = str(engine)
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        return "failed: no end within 300 s"
    if reports := [line for line in done.stderr.splitlines() if line.startswith("simulator: ")]:  # and whatever came of it
        return f"reported: {reports[0]}"
    said = {0: "silent", REPORTED: f"reported: {done.stdout.strip()}", WRONG_VALUES: f"wrong values: {done.stdout.strip()}"}
    return said.get(done.returncode, f"failed: status {done.returncode}: {done.stderr.strip()[-200:]}")


def try_mutant(build: Build, mutant: Mutant) -> str:
    said = ""
    for unit in mutant.units:
        with tempfile.TemporaryDirectory() as folder:
            overlay = Path(folder)
            (overlay / mutant.file).parent.mkdir(parents=True)
            (overlay / mutant.file).write_text(mutant.text())
            if (TEST_KERNELS / f"{unit}.cu").exists():
                said = outcome(unit, overlay=overlay)
            else:
                engine = build.engine(mutant, unit, overlay)
                said = outcome(unit, engine=engine) if engine else "does not compile"
        if said != "silent":
            break
    return said


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--unit", action="append", help="this kernel's only; may be repeated")
    parser.add_argument("--rule", choices=[rule.name for rule in RULES], help="faults of this kind only")
    parser.add_argument("--file", action="append", help="faults in files of this name only; may be repeated")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth mutant")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N", help="mutants at once; all cores' worth by default")
    arguments = parser.parse_args()
    listed = tomllib.loads((Path(__file__).parent / "mutants.toml").read_text())["harmless"]
    every = list(mutants())
    harmless = {m.name for m in every if any((m.name, m.line) == (entry["name"], entry["line"]) for entry in listed)}
    if len(harmless) < len(listed):
        raise SystemExit("mutate: mutants.toml lists what is no mutant any more, or another line")
    chosen = [m for m in every if arguments.unit is None or not {*arguments.unit}.isdisjoint(m.units)]
    chosen = [m for m in chosen if arguments.file is None or Path(m.file).name in arguments.file]
    chosen = [m for m in chosen if arguments.rule in (None, m.rule.name)]
    chosen = [m for m in chosen if m.name not in harmless][:: arguments.every]
    wrong = 0
    for unit in dict.fromkeys(unit for m in chosen for unit in m.units):
        said = outcome(unit)
        wrong += said != "silent"
        print(f"{'ok   ' if said == 'silent' else 'WRONG'}  {unit}: no fault: {said}", flush=True)
    kinds = Counter[str]()
    with ThreadPoolExecutor(arguments.jobs) as jobs:
        for mutant, said in zip(chosen, jobs.map(partial(try_mutant, Build()), chosen), strict=True):
            right = said.startswith("reported") or (mutant.rule.changes_values and said.startswith("wrong values"))
            wrong += not right
            if right:
                kinds[re.split(": ", said.removeprefix("reported: ").removeprefix("simulator: "))[0]] += 1
            print(f"{'ok   ' if right else 'WRONG'}  {mutant.name}  {said[:250]}", flush=True)
    print("\n".join(f"{count:4} {kind}" for kind, count in kinds.most_common()))
    print(f"{kinds.total()} faults caught, {wrong} wrong, {len(harmless)} listed as harmless")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
