"""benchmarks/gpu_check.py where there is no GPU: its runner, and a dry run on the simulator."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import gpu_check, gpu_compare
from benchmarks.gpu_check import Step


def step(name: str, code: str, limit: float = 20.0, **rest: Any) -> Step:
    return Step(name, [sys.executable, "-c", code], limit, **rest)


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


def test_the_total_is_bounded(tmp_path: Path) -> None:
    outcomes = gpu_check.run_all([step("long", "import time; time.sleep(60)")] * 3, tmp_path, 1.0, tmp_path, {})
    assert [o.outcome for o in outcomes] == ["timed out", "skipped", "skipped"]
    assert outcomes[2].last == "no time was left"


@pytest.mark.skipif(sys.platform != "linux", reason="/proc says which processes there are")
def test_a_step_that_hangs_ends_with_all_it_started(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    code = f"import subprocess, time; open({str(pid)!r}, 'w').write(str(subprocess.Popen(['sleep', '60']).pid)); time.sleep(60)"
    gpu_check.run_all([step("parent", code, 3)], tmp_path / "out", 60, tmp_path, {})
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


def test_all_limits_fit_where_steps_end_early() -> None:
    names = [s.name for s in gpu_check.steps(Path("work"), dry=False)]
    assert names[:2] == ["device", "install"]
    assert len(set(names)) == len(names)
    assert gpu_check.TOTAL < 540


def test_unknown_steps_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        gpu_check.main(["--out", str(tmp_path), "--only", "nothing"])
    assert "no such steps: nothing; there are device, install" in capsys.readouterr().err


def test_a_dry_run_compares_on_the_simulator(tmp_path: Path) -> None:
    assert gpu_check.main(["--out", str(tmp_path), "--dry", "--only", "device", "compare", "memcheck"]) == 0
    steps = {s["name"]: s for s in record_of(tmp_path)["steps"]}
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


def test_tests_are_copied_without_the_package(tmp_path: Path) -> None:
    gpu_check.copy_tests(tmp_path)
    assert (tmp_path / "tests" / "ops" / "test_attention.py").exists()
    assert (tmp_path / "pyproject.toml").exists()
    assert not (tmp_path / "pyengine").exists()
