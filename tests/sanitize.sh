#!/usr/bin/env bash
# Builds the engine with AddressSanitizer and UndefinedBehaviorSanitizer, and runs the tests of ops, optimiser steps, interoperation and
# DLPack on it. Needs what `pip install -e ".[dev]"` installs. Further arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."

build=build/sanitize
# The levels of this machine with the narrowest and the widest vectors: those between run the same lines, and take minutes to build.
levels=$(python -c 'from pyengine import _engine; *levels, _ = _engine.available_isas(); print(";".join(dict.fromkeys([levels[-1], levels[0]])))')
cmake -S . -B "$build" -G Ninja -DPYENGINE_SANITIZE=ON "-DPYENGINE_LEVELS=$levels" -DPython_EXECUTABLE="$(command -v python)" \
    -Dpybind11_DIR="$(python -m pybind11 --cmakedir)" >/dev/null
cmake --build "$build" --parallel 2

export OTHER
OTHER=$(echo "$build"/_engine*.so)
# The interpreter itself is not instrumented: the runtime comes first, and libstdc++ with it, whose exceptions it wraps. Python never frees
# everything, so leaks are not looked for.
cxx=$(sed -n 's/^CMAKE_CXX_COMPILER:[^=]*=//p' "$build/CMakeCache.txt")
export LD_PRELOAD="$("$cxx" -print-file-name=libasan.so) $("$cxx" -print-file-name=libstdc++.so)"
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1 PYTHONMALLOC=malloc
export HYPOTHESIS_PROFILE=quick
# Not captured by pytest, what the sanitizers say outlives the process that they end.
exec python -m pytest -p tests.other_engine -p no:cacheprovider -n auto --capture=sys \
    tests/ops tests/interop tests/optim/test_optimizer_step.py tests/clients/test_dlpack.py "$@"
