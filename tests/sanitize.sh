#!/usr/bin/env bash
# Builds the engine with AddressSanitizer and UndefinedBehaviorSanitizer, and runs the tests of ops and interoperation on it. Needs what
# `pip install -e ".[dev]"` installs. Further arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."

build=build/sanitize
cmake -S . -B "$build" -G Ninja -DPYENGINE_SANITIZE=ON -DPython_EXECUTABLE="$(command -v python)" \
    -Dpybind11_DIR="$(python -m pybind11 --cmakedir)" >/dev/null
cmake --build "$build" --parallel 2

export ENGINE
ENGINE=$(echo "$build"/_engine*.so)
# The interpreter itself is not instrumented: the runtime comes first, and libstdc++ with it, whose exceptions it wraps. Python never frees
# everything, so leaks are not looked for.
cxx=$(sed -n 's/^CMAKE_CXX_COMPILER:[^=]*=//p' "$build/CMakeCache.txt")
export LD_PRELOAD="$("$cxx" -print-file-name=libasan.so) $("$cxx" -print-file-name=libstdc++.so)"
export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 PYTHONMALLOC=malloc
export HYPOTHESIS_PROFILE=quick
exec python -m pytest -p tests.other_engine -p no:cacheprovider tests/ops tests/interop "$@"
