"""benchmarks/gpu_check.py where there is no GPU: its runner, and a dry run on the simulator."""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import gpu_check, gpu_compare, gpu_time
from benchmarks.gpu_check import Step


def step(name: str, code: str, share: float = 20.0, **rest: Any) -> Step:
    return Step(name, [sys.executable, "-c", code], share, **rest)


def record_of(out: Path) -> dict[str, Any]:
    return dict(json.loads((out / "gpu_check.json").read_text()))


def test_a_failing_step_stops_nothing(tmp_path: Path) -> None:
    findings = tmp_path / "found.json"
    code = f"import os; open({str(findings)!r}, 'w').write('[1]'); print(os.environ['COLOUR'])"
    steps = [
        step("fails", "print('first'); raise SystemExit('it broke')"),
        Step("missing", ["no such program"], 5),
        step("hangs", "import time; time.sleep(60)", 0.5),
        step("skipped", "", skip="not here"),
        step("passes", code, environment={"COLOUR": "blue"}, findings=findings),
    ]
    gpu_check.run_all(steps, tmp_path / "out", 60, tmp_path, {"device": "none"})
    record = record_of(tmp_path / "out")
    assert record["device"] == "none"
    assert [s["outcome"] for s in record["steps"]] == ["failed", "failed", "timed out", "skipped", "passed"]
    assert record["steps"][0]["last"] == "it broke"
    assert 0.4 < record["steps"][2]["seconds"] < 10
    assert record["steps"][4]["last"] == "blue"
    assert record["steps"][4]["findings"] == [1]
    assert "first" in (tmp_path / "out" / "gpu_check.log").read_text()


def test_what_needs_a_failed_step_is_skipped_and_so_are_tests_that_all_were(tmp_path: Path) -> None:
    steps = [
        step("install", "raise SystemExit(1)"),
        step("tests", "print('never')", needs="install"),
        step("other", "print('3 passed, 2 skipped in 1.00s')"),
        step("no GPU", "print('35 skipped in 0.20s')"),
    ]
    outcomes = gpu_check.run_all(steps, tmp_path, 60, tmp_path, {})
    assert [o.outcome for o in outcomes] == ["failed", "skipped", "passed", "skipped"]
    assert outcomes[1].last == "install did not pass"


@pytest.mark.parametrize(("said", "expected"), [("", "90a-real"), ("9.0", "90a-real"), ("8.6\n8.6", "86-real"), ("12.0", "120-real")])
def test_the_architecture_is_that_of_the_gpu(said: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_check, "_output", lambda *_: said)
    assert gpu_check.architecture() == expected


def test_the_total_is_bounded(tmp_path: Path) -> None:
    start = time.monotonic()
    outcomes = gpu_check.run_all([step("long", "import time; time.sleep(60)")] * 3, tmp_path, 1.0, tmp_path, {})
    assert [o.outcome for o in outcomes] == ["timed out"] * 3
    assert time.monotonic() - start < 10
    assert gpu_check.run_all([step("late", "")], tmp_path, 0.0, tmp_path, {})[0].last == "no time was left"


def test_a_step_that_hangs_leaves_the_others_their_share_and_a_short_one_what_it_saves(tmp_path: Path) -> None:
    limits = {}
    seconds = {"short": 1.0, "hangs": math.inf, "last": 0.0}
    now = 0.0

    def run(step: Step, _log: Path, limit: float, _folder: Path) -> gpu_check.Outcome:
        nonlocal now
        limits[step.name] = limit
        now += min(limit, seconds[step.name])
        return gpu_check.Outcome(step.name, "passed", 0.0, "")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gpu_check, "run", run)
        patch.setattr(time, "monotonic", lambda: now)
        gpu_check.run_all([step("short", "", 30), step("hangs", "", 20), step("last", "", 10)], tmp_path, 60, tmp_path, {})
    assert limits == pytest.approx({"short": 30, "hangs": 59 * 20 / 30, "last": 59 * 10 / 30})


@pytest.mark.skipif(sys.platform != "linux", reason="/proc says which processes there are")
def test_a_step_that_hangs_ends_with_all_it_started(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    code = f"import subprocess, time; open({str(pid)!r}, 'w').write(str(subprocess.Popen(['sleep', '60']).pid)); time.sleep(60)"
    gpu_check.run_all([step("parent", code)], tmp_path / "out", 3, tmp_path, {})
    for _ in range(50):
        if not _runs(int(pid.read_text())):
            break
        time.sleep(0.1)
    assert not _runs(int(pid.read_text()))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_what_is_worth_most_comes_first_and_all_of_it_fits() -> None:
    steps = gpu_check.steps(Path("work"), dry=False)
    assert [s.name for s in steps] == ["device", "install", "compare", "memcheck", "racecheck", "synccheck", "cuda", "tests", "time"]
    assert sum(s.share for s in steps) == gpu_check.TOTAL < 540


def test_the_tests_named_are_there() -> None:
    for dry in (False, True):
        assert all((gpu_check.ROOT / name).exists() for name in gpu_check.tested(dry))


def test_the_commit_must_be_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(gpu_check, "ROOT", tmp_path)  # no repository
    with pytest.raises(SystemExit):
        gpu_check.main(["--out", str(tmp_path), "--dry"])
    assert "the commit is not known" in capsys.readouterr().err
    assert not (tmp_path / "gpu_check.json").exists()


def test_unknown_steps_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        gpu_check.main(["--out", str(tmp_path), "--only", "nothing"])
    assert "no such steps: nothing; there are device, install" in capsys.readouterr().err


def test_a_dry_run_compares_on_the_simulator(tmp_path: Path) -> None:
    assert gpu_check.main(["--out", str(tmp_path), "--commit", "abc", "--dry", "--only", "device", "compare", "memcheck"]) == 0
    record = record_of(tmp_path)
    assert (record["dry"], record["device"], record["commit"]) == (True, "simulator", "abc")
    assert record["Python.h"] in (True, False)
    steps = {s["name"]: s for s in record["steps"]}
    assert steps["device"]["outcome"] == steps["memcheck"]["outcome"] == "skipped"
    assert [(c["case"], c["outcome"], c["why"]) for c in steps["compare"]["findings"]] == [
        (c.name, "agrees", "") for c in gpu_compare.CASES
    ]


@pytest.mark.parametrize("roundings", [0, 4])
def test_a_difference_is_found(roundings: int) -> None:
    case = gpu_compare.Case("x", dict, roundings)
    x = np.linspace(1, 2, 10)
    assert not gpu_compare.difference(case, {"y": x}, {"y": x}, {"y": "float32"})
    wrong = x + 1e-5 * (np.arange(10) == 3)
    assert gpu_compare.difference(case, {"y": wrong}, {"y": x}, {"y": "float32"}).startswith("y: ")
    assert gpu_compare.difference(case, {"y": x * np.nan}, {"y": x}, {"y": "float32"})


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(("wrong", "outcome"), [(0.0, "timed"), (3.0, "differs"), (math.nan, "differs")])
def test_what_computes_something_else_is_not_timed(dtype: str, wrong: float, outcome: str) -> None:
    torch = pytest.importorskip("torch")
    case = gpu_time.Timed("double", dtype, ((50,),), lambda nn, x: x * (2 if nn is torch.nn else factor), 50.0, "GB/s", 1)
    factor = 2 + 2 * wrong * case.bound()
    found = gpu_time._timed(case, "cpu", time.perf_counter, rounds=1)
    json.dumps(found, allow_nan=False)
    assert found["outcome"] == outcome
    assert ("timings" in found) == (outcome == "timed")


def test_tests_are_copied_without_the_package(tmp_path: Path) -> None:
    gpu_check.copy_tests(tmp_path)
    assert (tmp_path / "tests" / "ops" / "test_attention.py").exists()
    assert (tmp_path / "pyproject.toml").exists()
    assert not (tmp_path / "pyengine").exists()
