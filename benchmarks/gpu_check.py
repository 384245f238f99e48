"""Everything there is to learn from one GPU, in one command that needs no network and ends in under nine minutes:

python -m benchmarks.gpu_check --out FOLDER          install, tests, compute-sanitizer, simulator against hardware, timings against PyTorch
python -m benchmarks.gpu_check --out FOLDER --dry    the same steps, where they can run, on the simulator

The package is built from this checkout into a temporary folder, and the tests run from a copy beside it, so that nothing here is changed or
imported. Every step is a process of its own and has its share of the time that is left: one that fails or hangs is written down, and the
next one runs. FOLDER gets gpu_check.json (device, driver, commit, versions, each step's outcome, seconds and findings) and gpu_check.log
(what the steps printed); both are written after each step. Of a dry run the JSON says "dry": true, and "simulator" for the device.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
TOTAL = 520.0
"""Seconds for all steps together."""


@dataclass
class Step:
    """A command, its share of the time, and the file it writes its findings to, if it does.

    A step may take ``share`` over the sum of its own and the later ones' of what is left: never less than its part of the whole, whatever
    becomes of those before it, and more where they end early.
    """

    name: str
    command: Sequence[str]
    share: float
    environment: Mapping[str, str] = field(default_factory=dict)
    findings: Path | None = None
    skip: str = ""
    needs: str = ""
    """A step without whose success this one would speak of something else."""


@dataclass
class Outcome:
    """``outcome`` is passed, failed, timed out or skipped (of tests: all of them); ``last`` is the last line that the step printed."""

    name: str
    outcome: str
    seconds: float
    last: str
    findings: Any = None


def run(step: Step, log: Path, limit: float, folder: Path) -> Outcome:
    """Runs a step for at most ``limit`` seconds, then ends it with all processes that it started."""
    if step.skip or limit <= 0:
        return Outcome(step.name, "skipped", 0.0, step.skip or "no time was left")
    start = time.monotonic()
    with log.open("ab") as out:
        out.write(f"\n=== {step.name}: {' '.join(step.command)}\n".encode())
        out.flush()
        place = out.tell()
        try:
            process = subprocess.Popen(
                step.command, stdout=out, stderr=out, cwd=folder, env={**os.environ, **step.environment}, start_new_session=True
            )
        except OSError as error:
            return Outcome(step.name, "failed", 0.0, str(error))
        try:
            outcome = "failed" if process.wait(limit) else "passed"
        except subprocess.TimeoutExpired:
            outcome = "timed out"
            process.send_signal(signal.SIGINT)  # pytest then says what it has found
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
        finally:
            _end(process)
    last = (log.read_bytes()[place:].decode(errors="replace").strip().splitlines() or [""])[-1]
    if outcome == "passed" and re.match(r"\d+ skipped", last):
        outcome = "skipped"
    return Outcome(step.name, outcome, round(time.monotonic() - start, 2), last, _read(step.findings))


def _end(process: subprocess.Popen[bytes]) -> None:
    """The step and whatever it left running: it leads a process group of its own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _read(findings: Path | None) -> Any:
    try:
        return json.loads(findings.read_text()) if findings else None
    except (OSError, ValueError):
        return None


def run_all(steps: Sequence[Step], out: Path, total: float, folder: Path, about: Mapping[str, Any]) -> list[Outcome]:
    """One after the other, whatever becomes of them; no longer than ``total`` seconds together, each with its share."""
    out.mkdir(parents=True, exist_ok=True)
    log = out / "gpu_check.log"
    log.write_bytes(b"")
    end = time.monotonic() + total
    outcomes: list[Outcome] = []
    for i, step in enumerate(steps):
        limit = (end - time.monotonic()) * step.share / sum(later.share for later in steps[i:])
        if any(earlier.name == step.needs and earlier.outcome not in ("passed", "skipped") for earlier in outcomes):
            step = replace(step, skip=f"{step.needs} did not pass")
        outcomes.append(run(step, log, limit, folder))
        print(f"{outcomes[-1].name:12} {outcomes[-1].outcome:10} {outcomes[-1].seconds:7.1f} s  {outcomes[-1].last}", flush=True)
        record = {"check": "gpu", **about, "steps": [asdict(outcome) for outcome in outcomes]}
        (out / "gpu_check.json").write_text(json.dumps(record, indent=1, allow_nan=False) + "\n")
    return outcomes


# The steps ------------------------------------------------------------------------------------------------------------------------------


def steps(work: Path, dry: bool) -> list[Step]:
    """In the order of what is worth most, should the time run out; shares in seconds of TOTAL. ``work`` holds the copy of the tests."""
    device = "simulator" if dry else "cuda"
    python = sys.executable
    in_place = dry and any((ROOT / "pyengine").glob("_engine*.so"))  # else what is installed
    found = {"HYPOTHESIS_PROFILE": "quick"} | ({"PYTHONPATH": str(ROOT if dry else work / "site")} if in_place or not dry else {})
    pytest = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "default"]  # other versions there warn of other things
    module = [python, "-m"]
    install = [python, "-m", "pip", "install", "--no-build-isolation", "--no-deps", "--no-index", "--target", str(work / "site"), "-v"]
    settings = [
        "-Ccmake.define.PYENGINE_CUDA=ON",
        f"-Ccmake.define.PYENGINE_CUDA_ARCHITECTURES={architecture()}",
        "-Ccmake.define.PYENGINE_LEVELS=avx2",  # the CPU's kernels are not what is checked
        "-Ccmake.define.CMAKE_CUDA_FLAGS=-lineinfo",
        f"-Cbuild-dir={work / 'build'}",
    ]
    only_device = "a dry run has no GPU" if dry else ""

    def findings(name: str, share: float, *arguments: str) -> Step:
        out = work / f"{name}.json"
        return Step(name, [*module, f"benchmarks.gpu_{name}", "--device", device, "--out", str(out), *arguments], share, found, out)

    def sanitizer(tool: str, share: float) -> Step:
        command = [
            "compute-sanitizer",
            "--tool",
            tool,
            "--error-exitcode",
            "9",
            *module,
            "benchmarks.gpu_compare",
            "--exercise",
            "--device",
            device,
        ]
        return Step(tool, command, share, {**found, "PYENGINE_CUDA_CACHE": "OFF"}, skip=only_device)

    after_install = [
        findings("compare", 45),
        sanitizer("memcheck", 40),
        sanitizer("racecheck", 40),
        sanitizer("synccheck", 30),
        Step("cuda", [*pytest, "tests/cuda", "--ignore=tests/cuda/test_runtime.py"], 25, found),
        Step("tests", [*pytest, *([] if dry else ["-n", "8"]), *tested(dry)], 50, {**found, "PYENGINE_TEST_DEVICE": device}),
        findings("time", 30, *(["--small"] if dry else [])),
    ]
    return [
        Step("device", ["nvidia-smi"], 10, skip=only_device),
        Step("install", [*install, *settings, str(ROOT)], 250, skip="a dry run uses the package in place" if dry else ""),
        *(replace(step, needs="install") for step in after_install),
    ]


def architecture() -> str:
    """Of the GPU that is there, for CMake: 90a-real of Hopper."""
    number = _output("nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader").partition("\n")[0].replace(".", "")
    return "90a-real" if number in ("", "90") else f"{number}-real"


def tested(dry: bool) -> list[str]:
    """The tests that make their tensors on any device (tests/devices.py). The others are of the CPU's memory, files, or the interpreter."""
    if dry:
        return ["tests/ops/test_cast.py"]
    files = ("autograd", "dtypes", "gradients", "mapping", "serialization", "shards", "tensors_elsewhere")
    return ["tests/ops", "tests/optim", "tests/nn", *(f"tests/test_{name}.py" for name in files), "tests/peers"]


def copy_tests(work: Path) -> None:
    """Python finds the package that was installed, not the folder of this checkout, which has no engine."""
    ignored = shutil.ignore_patterns("__pycache__", "results")
    for name in ("tests", "benchmarks"):
        shutil.copytree(ROOT / name, work / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", work)


def about(commit: str, dry: bool) -> dict[str, Any]:
    """What results mean nothing without. pip checks none of what building needs (--no-build-isolation): pybind11 >= 3.0, Python.h."""
    names = ("numpy", "torch", "cupy-cuda13x", "numba", "pytest", "hypothesis", "pybind11", "scikit-build-core")
    return {
        "dry": dry,
        "device": "simulator" if dry else _output("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"),
        "nvcc": _output("nvcc", "--version").rpartition("\n")[2],
        "commit": commit,
        "python": platform.python_version(),
        "Python.h": Path(sysconfig.get_path("include"), "Python.h").exists(),
        "versions": {name: _version(name) for name in names},
        "cores": os.cpu_count(),
        "date": time.strftime("%Y-%m-%d"),
    }


def known_commit() -> str:
    """What git says of this checkout, whoever owns it; nothing where there is no git, or no repository."""
    return _output("git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT), "describe", "--always", "--dirty")


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=15).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="where gpu_check.json and gpu_check.log go")
    parser.add_argument("--dry", action="store_true", help="on the simulator, with the package in place")
    parser.add_argument("--only", nargs="+", default=[], help="steps to run, beside the installation")
    parser.add_argument("--total", type=float, default=TOTAL, help="seconds for all steps together")
    parser.add_argument("--commit", help="of this checkout, where git does not know it")
    options = parser.parse_args(arguments)
    commit = options.commit or known_commit()
    if not commit:
        parser.error(f"the commit is not known: git says nothing of {ROOT}; name it with --commit")
    facts = about(commit, options.dry)
    print(json.dumps(facts, indent=1), flush=True)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        chosen = steps(work, options.dry)
        unknown = set(options.only) - {step.name for step in chosen}
        if unknown:
            parser.error(f"no such steps: {', '.join(sorted(unknown))}; there are {', '.join(step.name for step in chosen)}")
        copy_tests(work)
        wanted = [s for s in chosen if not options.only or s.name in ("install", *options.only)]
        outcomes = run_all(wanted, options.out, options.total, work, facts)
    return int(any(outcome.outcome in ("failed", "timed out") for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
