"""Where the engine was built: a CMake build tree, for the tests that look into object files or link them again."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def newest_build() -> Path | None:
    """The build tree under build/ with the newest module; ``pip install`` leaves one there. Not those with sanitizers or CUDA."""
    modules = [path for path in (ROOT / "build").glob("**/_engine*.so") if not {"sanitize", "cuda"} & set(path.parts)]
    return max(modules, key=lambda path: path.stat().st_mtime).parent if modules else None
