"""CUDA programs as the C++ compiler takes them: launches, dynamic shared memory, and a function to start each kernel by name."""

from __future__ import annotations

import re
from pathlib import Path


def kernels_of(source: str) -> dict[str, tuple[str, ...]]:
    """The kernels that can be started by name, with their parameters: those that are no templates."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/", " ", source, flags=re.DOTALL)
    text = re.sub(r"__launch_bounds__\s*\([^)]*\)", " ", text)
    found = re.findall(r"(template\s*<[^;{]*>\s*)?__global__\s+(?:static\s+)?void\s+(\w+)\s*\(([^)]*)\)\s*\{", text)
    return {
        name: tuple(" ".join(p.split()) for p in parameters.split(",") if p.strip()) for template, name, parameters in found if not template
    }


def rewritten(source: str, path: Path, kernels: dict[str, tuple[str, ...]]) -> str:
    """The program as the C++ compiler takes it; its lines keep their numbers."""
    text = re.sub(r"#include\s*[<\"](cuda\w*|device_launch_parameters)\.h[>\"]", "", source)
    text = re.sub(r"([\w:]+(?:<[^<>;]*>)?)\s*<<<(.*?)>>>\s*\(", r"::pyengine::simulator::configured(\1, \2)(", text, flags=re.DOTALL)
    text = re.sub(
        r"extern\s+__shared__\s+(?:__align__\s*\(\w+\)\s*)?([\w: ]+?)\s+(\w+)\s*\[\s*\]\s*;",
        r"auto* \2 = static_cast<\1*>(::pyengine::simulator::shared_memory());",
        text,
    )
    text, mains = re.subn(r"\bint\s+main\s*\(\s*(?:void)?\s*\)", "static int program_main()", text)
    starters = [_starter(name, parameters) for name, parameters in kernels.items()]
    lines = ['#include "kernels/simulator/program.h"', f'#line 1 "{path.resolve()}"', text, *starters, *([_MAIN] if mains else [])]
    return "\n".join(lines) + "\n"


_CAUGHT = 'catch (const std::exception& error) { std::snprintf(report, room, "%s", error.what()); return 1; }'
_MAIN = f"""extern "C" int pyengine_main(int* status, char* report, std::size_t room) {{
    try {{ *status = program_main(); return 0; }} {_CAUGHT}
}}"""


def _starter(kernel: str, parameters: tuple[str, ...]) -> str:
    declared = "".join(f", {parameter}" for parameter in parameters)
    passed = "".join(", " + re.findall(r"\w+", parameter)[-1] for parameter in parameters)
    return f"""extern "C" int pyengine_start_{kernel}(const unsigned* size, std::size_t shared, char* report, std::size_t room{declared}) {{
    const ::pyengine::simulator::LaunchShape shape{{{{size[0], size[1], size[2]}}, {{size[3], size[4], size[5]}}, shared, {{}}}};
    try {{ ::pyengine::simulator::launch({kernel}, shape{passed}); return 0; }} {_CAUGHT}
}}"""
