#!/usr/bin/env bash
# Builds the engine for AArch64 and compares its NEON kernels with the reference, under qemu where this is another machine.
set -euo pipefail
cd "$(dirname "$0")/../.."

build=build/neon
options=(-DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++)
emulator=qemu-aarch64
if [ "$(uname -m)" = aarch64 ]; then
    options=()
    emulator=
fi
for tool in cmake ${options[0]+aarch64-linux-gnu-g++} $emulator; do
    command -v "$tool" >/dev/null || { echo "neon: $tool is missing; apt install cmake g++-aarch64-linux-gnu qemu-user" >&2; exit 3; }
done
cmake -S tests/neon -B "$build" "${options[@]}" >/dev/null
cmake --build "$build" --parallel 2
$emulator "$build/compare" neon
