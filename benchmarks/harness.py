"""What every benchmark shares: contenders timed in turn, where and with what it was measured, and results as JSON.

A benchmark first verifies that all contenders compute the same, then calls :func:`time_in_turn`, which gives each of them a turn of some
milliseconds, then the next, round after round: whatever else the machine does meets them all alike. A turn begins with calls that are not
counted, so that caches, and threads that another library left spinning, have come to rest.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import pyengine as pe
from pyengine import _engine

RESULTS = Path(__file__).parent / "results"

Call = Callable[[], Any]
Clock = Callable[[], float]


@dataclass
class Timing:
    """Seconds for one call: the median over the rounds, the quartiles, and the fastest."""

    median: float
    fastest: float
    quartiles: tuple[float, float]
    rounds: int

    @property
    def spread(self) -> float:
        """Distance of the quartiles, relative to the median."""
        return (self.quartiles[1] - self.quartiles[0]) / self.median


def time_in_turn(
    contenders: Mapping[str, Call], rounds: int = 11, turn: float = 0.02, clock: Clock = time.perf_counter
) -> dict[str, Timing]:
    """Times each contender in every round, as many calls as fill a turn of that many seconds.

    Where all run in one thread, ``clock=time.thread_time`` counts the time that thread had, and not what other processes took from it.
    """
    calls = {name: _calls_in(call, turn, clock) for name, call in contenders.items()}
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            time.sleep(turn / 10)
            for _ in range(min(calls[name], 3)):
                call()
            samples[name].append(_seconds(call, calls[name], clock))
    return {name: _timing(times) for name, times in samples.items()}


def _calls_in(call: Call, turn: float, clock: Clock) -> int:
    call()
    count = 1
    while (seconds := _seconds(call, count, clock)) * count < turn / 4:
        count *= 2
    return max(1, round(turn / seconds))


def _seconds(call: Call, count: int, clock: Clock) -> float:
    """Of one call, the mean of ``count`` in a row."""
    start = clock()
    for _ in range(count):
        call()
    return (clock() - start) / count


def _timing(times: Sequence[float]) -> Timing:
    low, _, high = quantiles(times, n=4) if len(times) > 1 else (times[0],) * 3
    return Timing(median(times), min(times), (low, high), len(times))


@contextmanager
def threads(count: int) -> Iterator[None]:
    """That many threads for pyengine and for every peer that is installed."""
    before = pe.get_num_threads()
    pe.set_num_threads(count)
    try:
        import torch

        torch.set_num_threads(count)
    except ImportError:
        pass
    try:
        from threadpoolctl import threadpool_limits  # NumPy's BLAS
    except ImportError as error:
        raise RuntimeError("benchmarks: threadpoolctl is needed to give NumPy's BLAS the same threads; install pyengine[bench]") from error
    with threadpool_limits(count):
        yield
    pe.set_num_threads(before)


def environment() -> dict[str, Any]:
    """Machine, compiler, commit, versions: what a number means nothing without."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "load": os.getloadavg()[0],
        "isa": _engine.isa(),
        "compiler": _engine.compiler,
        "commit": _git("rev-parse", "--short", "HEAD") + ("+changes" if _git("status", "--porcelain", "--untracked-files=no") else ""),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in ("numpy", "torch")},
        "date": time.strftime("%Y-%m-%d"),
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    fields = dict(line.split("\t: ", 1) for line in lines if "\t: " in line)
    fields = {name.strip(): value for name, value in fields.items()}
    return f"{fields.get('model name', platform.processor())} (family {fields.get('cpu family')}, model {fields.get('model')})"


def _git(*arguments: str) -> str:
    try:
        return subprocess.run(["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def row(case: Mapping[str, Any], timings: Mapping[str, Timing], work: float, unit: str) -> dict[str, Any]:
    """One line of results: ``work`` is what a call does (FLOP or bytes), ``unit`` names it, so that rates are work / median / 1e9.

    ``ratio`` is the speed of pyengine over that of the fastest peer: above 1 is faster.
    """
    peers = {name: t.median for name, t in timings.items() if name != "pyengine"}
    best = min(peers, key=lambda name: peers[name]) if peers else None
    return {
        **case,
        "unit": unit,
        "timings": {name: {**asdict(t), "spread": t.spread, "rate": work / t.median / 1e9} for name, t in timings.items()},
        "best_peer": best,
        "ratio": peers[best] / timings["pyengine"].median if best else None,
    }


def print_row(result: Mapping[str, Any], label: str) -> None:
    columns = [
        f"{name} {t['median'] * 1e6:10.1f} us {t['rate']:7.1f} {result['unit']} (spread {t['spread']:4.0%})"
        for name, t in result["timings"].items()
    ]
    ratio = "" if result["ratio"] is None else f"   x{result['ratio']:.2f} of {result['best_peer']}"
    print(f"{label:44}", "   ".join(columns) + ratio, flush=True)


def write(name: str, results: Sequence[Mapping[str, Any]]) -> Path:
    """Writes ``benchmarks/results/<name>.json`` and returns its path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"benchmark": name, "environment": environment(), "results": results}, indent=1) + "\n")
    return path
