"""CUDA programs as the C++ compiler takes them: launches, dynamic shared memory, and a function to start each kernel by name."""

from __future__ import annotations

import json
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
    text = re.sub(r"extern\s+__shared__\s+(?:__align__\s*\(\w+\)\s*)?([\w: ]+?)\s+(\w+)\s*\[\s*\]\s*;", _shared_array, text)
    main = re.search(r"\bint\s+main\s*\(([^()]*)\)", text)
    text = re.sub(r"\bint\s+main\s*(?=\()", "static int program_main", text)
    starters = [_starter(name, parameters) for name, parameters in kernels.items()]
    lines = ['#include "kernels/simulator/program.h"', f"#line 1 {json.dumps(str(path.resolve()), ensure_ascii=False)}", text, *starters]
    return "\n".join([*lines, _main(path.name, main[1])] if main else lines) + "\n"


def _shared_array(found: re.Match[str]) -> str:
    """Dynamic shared memory: in a kernel a pointer, outside of all an object that gives each its own."""
    before = re.sub(r"//[^\n]*|/\*.*?\*/", " ", found.string[: found.start()], flags=re.DOTALL)
    if before.count("{") == before.count("}"):
        return f"static ::pyengine::simulator::DynamicShared<{found[1]}> {found[2]};"
    return f"auto* {found[2]} = static_cast<{found[1]}*>(::pyengine::simulator::shared_memory());"


_CAUGHT = 'catch (const std::exception& error) { std::snprintf(report, room, "%s", error.what()); return 1; }'


def _main(name: str, parameters: str) -> str:
    """Starts main, which sees its own name as its one argument, if it looks."""
    given = "" if parameters.strip() in ("", "void") else "1, arguments"
    return f"""extern "C" int pyengine_main(int* status, char* report, std::size_t room) {{
    static char name[] = {json.dumps(name, ensure_ascii=False)};
    [[maybe_unused]] static char* arguments[] = {{name, nullptr}};
    try {{ *status = program_main({given}); return 0; }} {_CAUGHT}
}}"""


def _starter(kernel: str, parameters: tuple[str, ...]) -> str:
    declared = "".join(f", {parameter}" for parameter in parameters)
    passed = "".join(", " + re.findall(r"\w+", parameter.partition("=")[0])[-1] for parameter in parameters)
    return f"""extern "C" int pyengine_start_{kernel}(const unsigned* size, std::size_t shared, char* report, std::size_t room{declared}) {{
    const ::pyengine::simulator::LaunchShape shape{{{{size[0], size[1], size[2]}}, {{size[3], size[4], size[5]}}, shared, {{}}}};
    try {{ ::pyengine::simulator::launch({kernel}, shape{passed}); return 0; }} {_CAUGHT}
}}"""
