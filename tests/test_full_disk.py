"""Checkpoints on a disk that is really full: a small tmpfs, mounted in a namespace of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", 'mount -t tmpfs -o size=4m tmpfs "$0" && exec "$@"']
Script = Callable[[str], None]


@pytest.fixture
def on_small_disk(tmp_path: Path) -> Script:
    """Runs a script of Python with a disk of 4 MB as its working directory."""
    try:
        probe = subprocess.run([*NAMESPACE, str(tmp_path), "true"], capture_output=True, text=True)
    except OSError as error:
        pytest.skip(f"a full disk needs Linux's unshare: {error}")
    if probe.returncode != 0:
        pytest.skip(f"a full disk needs user and mount namespaces, which this machine refuses: {probe.stderr.strip()}")

    def run(script: str) -> None:
        paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
        command = [*NAMESPACE, str(tmp_path), sys.executable, "-c", f"import os\nos.chdir({str(tmp_path)!r})\n{script}"]
        result = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr

    return run


def test_save_leaves_the_old_file_and_no_other(on_small_disk: Script) -> None:
    on_small_disk("""
import errno
import numpy as np, pyengine as pe
pe.save({"x": np.zeros(4, np.float32)}, "x")
before = open("x", "rb").read()
try:
    pe.save({"x": np.ones(2_000_000, np.float32)}, "x")
except OSError as error:
    assert error.errno == errno.ENOSPC, error
    assert "save: No space left on device; 8,000,000 bytes to write" in str(error), error
else:
    raise AssertionError("the disk was not full")
assert os.listdir() == ["x"]
assert open("x", "rb").read() == before
pe.save({"x": np.ones(500_000, np.float32)}, "x")
""")


def test_a_run_survives_it_and_goes_on(on_small_disk: Script) -> None:
    for package in ("rich", "matplotlib", "sklearn"):
        pytest.importorskip(package)
    on_small_disk("""
from contextlib import redirect_stderr, suppress
from io import StringIO
from pathlib import Path
from pyengine.cli import main
assert main(["train", "--epochs", "1", "--out", "run"]) == 0
before = {path.name: path.read_bytes() for path in Path("run").iterdir()}
with suppress(OSError), open("filler", "wb", buffering=0) as filler:
    while True:
        filler.write(bytes(4096))
with redirect_stderr(StringIO()) as err:
    assert main(["train", "--resume", "run", "--epochs", "2"]) == 1
assert err.getvalue().count("\\n") == 1 and "No space left on device" in err.getvalue(), err.getvalue()
assert {path.name: path.read_bytes() for path in Path("run").iterdir()} == before
os.remove("filler")
assert main(["train", "--resume", "run", "--epochs", "2"]) == 0
""")
