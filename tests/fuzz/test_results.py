"""The document has the numbers of the run; the harness works where atheris is, and says so where it is not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_document_has_the_numbers_of_the_run() -> None:
    reports = json.loads((ROOT / "tests/fuzz/results.json").read_text())["readers"]
    rows = [
        f"| {r['reader']} | {r['runs']:,} | {r['read']:,} | {r['refused']:,} | {r['edges']:,} | {r['memory_mb']} | {r['seconds']:.0f} | "
        f"{r['finding'] or 'none'} |"
        for r in reports
    ]
    text = (ROOT / "docs/fuzzing.md").read_text()
    table = text.partition("|---|---|---|---|---|---|---|---|\n")[2].partition("\n\n")[0]
    assert table == "\n".join(rows)
    assert all(report["runs"] >= 100_000 and report["finding"] is None for report in reports)


def test_every_reader_was_run() -> None:
    pytest.importorskip("safetensors", reason="safetensors is not installed: the targets compare with it")
    pytest.importorskip("PIL", reason="Pillow is not installed: the targets read images")
    from tests.fuzz.targets import TARGETS

    reports = json.loads((ROOT / "tests/fuzz/results.json").read_text())["readers"]
    assert {report["reader"] for report in reports} == set(TARGETS)


def test_seeds_are_inputs_of_their_reader(tmp_path: Path) -> None:
    """Each target has seeds that are read, and none that is more than refused: what a fuzzer would start from."""
    for package in ("safetensors", "PIL", "sklearn"):
        pytest.importorskip(package, reason=f"{package} is not installed: the targets need it")
    from tests.fuzz.targets import TARGETS

    for target in TARGETS.values():
        read, refused = 0, []
        for seed in target.seeds():
            try:
                target.read(target.write(tmp_path, seed))
                read += 1
            except (ValueError, OSError) as error:
                refused.append(str(error))
        assert read > 0, target.name
        assert not any("\n" in text for text in refused)


def test_a_missing_atheris_is_named() -> None:
    script = "import sys; sys.modules['atheris'] = None; sys.argv = ['run']; from tests.fuzz import run; sys.exit(run.main())"
    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 2
    assert "fuzzing needs atheris, which is not installed" in result.stderr
    assert "pip install 'pyengine[fuzz]'" in result.stderr


def test_a_reader_that_fails_is_found(tmp_path: Path) -> None:
    """The harness itself must be able to fail: a reader that raises KeyError at a certain word."""
    pytest.importorskip("atheris", reason="atheris is not installed: it needs CPython up to 3.13 on Linux")
    script = """
import sys
from pathlib import Path
from tests.fuzz import run, targets
def read(path):
    if b"7" in path.read_bytes():
        raise KeyError("planted")
targets.TARGETS["read_text"] = targets.TARGETS["read_text"]._replace(read=read)
run.fuzz("read_text", 5000, 60, Path(sys.argv[1]), Path(sys.argv[1]))
"""
    result = subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, errors="replace")
    assert result.returncode != 0
    assert "planted" in result.stdout + result.stderr
    assert list(tmp_path.glob("read_text-crash-*"))
