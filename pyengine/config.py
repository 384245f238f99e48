"""What was built, and what is in use: the first thing to put into a bug report."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Any

import numpy as np

from pyengine import _engine
from pyengine.device import available_devices

__all__ = ["show_config"]

# importlib.metadata and tomllib are imported where they are used: pyengine itself should be imported in no time.


def config() -> dict[str, Any]:
    """Version, build, instruction sets, threads, devices, and the optional packages found (with version) or missing (None)."""
    return {
        "pyengine": _engine.version,
        "compiler": _engine.compiler,
        "isa": _engine.isa(),
        "isas available": _engine.available_isas(),
        "threads": _engine.thread_count(),
        "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "devices": list(available_devices()),
        "cuda": _cuda(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "extras": _extras(),
    }


def _cuda() -> str:
    """The GPUs, or why there are none."""
    count = sum(name.startswith("cuda") for name in available_devices())
    if count == 0:
        return f"off: {_engine.cuda_why_none()}"
    found = (_engine.cuda_properties(index) for index in range(count))
    return ", ".join(f"{gpu['name']} (compute capability {'.'.join(map(str, gpu['compute_capability']))})" for gpu in found)


def show_config() -> None:
    """Prints :func:`config`, one fact a line."""
    for name, value in config().items():
        if name != "extras":
            print(f"{name:15} {', '.join(value) if isinstance(value, list) else value}")
            continue
        for extra, packages in value.items():
            found = [f"{package} {version or 'missing'}" for package, version in packages.items()]
            hint = f"   pip install 'pyengine[{extra}]'" if None in packages.values() else ""
            print(f"{'extra ' + extra:15} {', '.join(found)}{hint}")


def _extras() -> dict[str, dict[str, str | None]]:
    """The packages that each extra names, as far as they are not ours."""
    return {extra: {name: _version(name) for name in names if name != "pyengine"} for extra, names in sorted(_optional_packages().items())}


def _optional_packages() -> dict[str, list[str]]:
    """From the metadata of the installed package, or from pyproject.toml where it runs from its sources."""
    import tomllib
    from importlib import metadata

    project = Path(__file__).parents[1] / "pyproject.toml"
    if project.exists():
        extras = tomllib.loads(project.read_text())["project"]["optional-dependencies"]
        return {extra: [_package(requirement) for requirement in requirements] for extra, requirements in extras.items()}
    result: dict[str, list[str]] = {}
    for requirement in metadata.requires("pyengine") or []:
        if extra := re.search(r"extra == ['\"](.+?)['\"]", requirement):
            result.setdefault(extra[1], []).append(_package(requirement))
    return result


def _package(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0]


def _version(package: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
