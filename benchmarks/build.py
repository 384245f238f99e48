"""How long a build of the package takes, and how large it is: ``python -m benchmarks.build --out FILE``.

Builds a wheel of this checkout in a folder of its own, without a compiler cache, with the CUDA backend by NVIDIA's wheels unless
PYENGINE_CUDA says otherwise. The time that counts is that of the processors: a clock's depends on their number, and on what else they do.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def build(folder: Path) -> dict[str, object]:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", f"-Cbuild-dir={folder / 'build'}"]
    cuda = os.environ.get("PYENGINE_CUDA", "WHEELS")
    start = time.monotonic()
    subprocess.run(
        [*command, "--wheel-dir", str(folder), str(ROOT)], check=True, env={**os.environ, "PYENGINE_CUDA": cuda, "CCACHE_DISABLE": "1"}
    )
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    wheel = next(folder.glob("*.whl"))
    with zipfile.ZipFile(wheel) as files:
        module = next(file for file in files.infolist() if Path(file.filename).name.startswith("_engine."))
    return {
        "benchmark": "build",
        "cuda": cuda,
        "processor_minutes": round((used.ru_utime + used.ru_stime) / 60, 1),
        "clock_minutes": round((time.monotonic() - start) / 60, 1),
        "processors": os.cpu_count(),
        "load": round(os.getloadavg()[2], 1),
        "wheel_megabytes": round(wheel.stat().st_size / 1e6, 1),
        "module_megabytes": round(module.file_size / 1e6, 1),
        "commit": subprocess.check_output(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], text=True).strip(),
        "date": time.strftime("%Y-%m-%d"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    with tempfile.TemporaryDirectory() as folder:
        result = build(Path(folder))
    out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
