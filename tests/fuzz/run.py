"""Coverage-guided fuzzing of every reader, with atheris: ``python -m tests.fuzz.run --runs 100000``.

Each reader runs in a process of its own, whose memory is bounded. An input must be read, or refused with one ValueError or OSError of one
line; anything else, and any hang or crash, is a finding: its input is kept in ``--keep``. ``--json`` writes what the runs came to.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import Any

MEMORY = 2048  # MB that libFuzzer lets a process have
SECONDS = 20  # that one input may take


def fuzz(name: str, runs: int, seconds: int, scratch: Path, keep: Path) -> None:
    """In a process of its own: does not return."""
    import atheris

    with atheris.instrument_imports(include=["pyengine", "PIL"]):
        from PIL import Image

        from tests.fuzz.targets import TARGETS

        Image.init()
    target = TARGETS[name]
    corpus = scratch / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(target.seeds()):
        (corpus / str(number)).write_bytes(seed)
    outcomes: Counter[str] = Counter()
    prefix = target.name.partition("-")[0]

    def one(data: bytes) -> None:
        path = target.write(scratch, data)
        try:
            target.read(path)
            outcomes["read"] += 1
        except (ValueError, OSError) as error:
            text = str(error)
            if "\n" in text or len(text) > 1000 or (f"{prefix}: " not in text and not text.startswith("load: ")):
                raise AssertionError(f"not one clear line: {text[:1000]!r}") from error
            outcomes["refused"] += 1
        if sum(outcomes.values()) % 1000 == 0:
            (scratch / "outcomes.json").write_text(json.dumps(outcomes))

    options = [f"-runs={runs}", f"-max_total_time={seconds}", f"-rss_limit_mb={MEMORY}", f"-timeout={SECONDS}", "-max_len=8192", "-seed=1"]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={keep}/{name}-", str(corpus)], one)
    atheris.Fuzz()


def run(name: str, runs: int, seconds: int, keep: Path) -> dict[str, Any]:
    """One reader's run in a child process, and what came of it."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as scratch:
        began = time.perf_counter()
        command = [sys.executable, "-m", "tests.fuzz.run", "--child", scratch, "--keep", str(keep), "--runs", str(runs)]
        result = subprocess.run([*command, "--seconds", str(seconds), name], capture_output=True, text=True, errors="replace")
        took = time.perf_counter() - began
        outcomes = Path(scratch, "outcomes.json")
        counts = json.loads(outcomes.read_text()) if outcomes.exists() else {}
    log = result.stderr
    covered = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", log)
    memory = re.findall(r"rss: (\d+)Mb", log)
    done = re.findall(r"^#(\d+)\s", log, re.MULTILINE)
    report = {
        "reader": name,
        "runs": int(done[-1]) if done else 0,
        "seconds": round(took, 1),
        "edges": int(covered[-1][0]) if covered else 0,
        "inputs_kept": int(covered[-1][2]) if covered else 0,
        "memory_mb": max(map(int, memory), default=0),
        "finding": None if result.returncode == 0 else _finding(result.stdout + log),
    }
    return report | {outcome: counts.get(outcome, 0) for outcome in ("read", "refused")}


def _finding(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if re.search(r"Error|Exception|ERROR|SUMMARY|Warning|No module", line)]
    return " | ".join(lines[-4:])[:600] or log[-600:]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("readers", nargs="*", help="default: all")
    parser.add_argument("--runs", type=int, default=100_000, help="inputs for each reader; default: 100,000")
    parser.add_argument("--seconds", type=int, default=0, help="at most, for each reader; default: no limit")
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"), help="where inputs that find something are kept")
    parser.add_argument("--json", type=Path, help="where to write the numbers, in the place of those of earlier runs of the same readers")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        fuzz(given.readers[0], given.runs, given.seconds, given.child, given.keep)
    from pyengine.extras import MissingExtraError, require

    try:
        require("atheris", "pyengine[fuzz]", "fuzzing")
    except MissingExtraError as error:
        print(error, file=sys.stderr)
        return 2
    from tests.fuzz.targets import TARGETS

    given.keep.mkdir(parents=True, exist_ok=True)
    reports = []
    for name in given.readers or TARGETS:
        reports.append(run(name, given.runs, given.seconds, given.keep))
        print(json.dumps(reports[-1]), flush=True)
    if given.json:
        known = json.loads(given.json.read_text())["readers"] if given.json.exists() else []
        reports = [*(report for report in known if report["reader"] not in {new["reader"] for new in reports}), *reports]
        versions = {package: metadata.version(package) for package in ("atheris", "numpy", "pillow", "safetensors")}
        machine = {"python": platform.python_version(), "machine": platform.machine(), **versions}
        given.json.write_text(json.dumps({"machine": machine, "readers": reports}, indent=1) + "\n")
    return int(any(report["finding"] for report in reports))


if __name__ == "__main__":
    sys.exit(main())
