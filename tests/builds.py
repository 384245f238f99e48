"""Where the engine was built: a CMake build tree, for the tests that look into object files or link them again."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def newest_build() -> Path | None:
    """The build tree under build/ with the newest module; ``pip install`` leaves one there. Not the one with sanitizers."""
    modules = [path for path in (ROOT / "build").glob("**/_engine*.so") if "sanitize" not in path.parts]
    return max(modules, key=lambda path: path.stat().st_mtime).parent if modules else None
