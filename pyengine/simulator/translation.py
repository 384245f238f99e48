"""CUDA programs as the C++ compiler takes them: launches, shared memory, variables of the device, and a function to start each kernel."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

Edit = tuple[int, int, str]
"""What the text from one place to another becomes; of two at one place, the first comes first."""


@dataclass(frozen=True)
class KernelText:
    """A kernel as the program defines it."""

    name: str
    """With its namespaces, but for those without a name."""
    parameters: tuple[str, ...]
    template: tuple[str, ...] | None
    """The template's parameters; None where it is none."""
    namespaces: tuple[str, ...]
    end: int
    """The place after its last brace."""

    @property
    def has_starter(self) -> bool:
        return self.template is None

    @property
    def starter(self) -> str:
        return f"pyengine_start_{self.name.replace('::', '__')}"


_UNREAD = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<!\w)\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
_BOUNDS = re.compile(r"__launch_bounds__\s*\((?:[^()]|\([^()]*\))*\)")
_KERNEL = re.compile(
    r"(?:template\s*<([^;{]*)>\s*)?(?:(?:static|inline|extern)\s+)*(?:__global__\s+(?:static\s+)?void|void\s+__global__)\s+(\w+)\s*"
    r"\(([^)]*)\)\s*\{"
)
_ALIGNMENT = r"(?:__align__|alignas)\s*\((?:[^()]|\([^()]*\))*\)"
_DYNAMIC = re.compile(rf"(?:extern\s+__shared__|__shared__\s+extern)\s+(?:{_ALIGNMENT}\s*)*([\w:<>, ]+?)\s+(\w+)\s*\[\s*\]\s*;")
_VARIABLE = re.compile(rf"\b__(device|constant|managed)__\b((?:{_ALIGNMENT}|[^()\[\]{{}};=])*\w\s*)(?=[;=\[{{])")
_LATE_ALIGNMENT = re.compile(r"\b__(?:shared|device|constant)__\s+(?:\w+\s+)*?(alignas\s*\((?:[^()]|\([^()]*\))*\))")


def code_of(source: str) -> str:
    """The program with blanks for comments, literals and launch bounds: everything stays in its place."""

    def blank(found: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", found[0])

    return _BOUNDS.sub(blank, _UNREAD.sub(blank, source))


def kernels_of(source: str) -> list[KernelText]:
    """The kernels that a program defines."""
    code = code_of(source)
    kernels = []
    for found in _KERNEL.finditer(code):
        namespaces = tuple(filter(None, _scopes(code[: found.start()])))
        name = "::".join([*namespaces, found[2]])
        template = None if found[1] is None else tuple(_parts(found[1]))
        kernels.append(KernelText(name, tuple(_parts(found[3])), template, namespaces, _closing(code, found.end())))
    return kernels


def rewritten(source: str, path: Path, kernels: list[KernelText]) -> str:
    """The program as the C++ compiler takes it; its lines keep their numbers."""
    code = code_of(source)
    mains = list(re.finditer(r"\bint\s+main\s*\([^()]*\)", code))
    edits = [*_cuda_headers(source, path), *_launches(code, kernels), *_variables(code), *_shared_arrays(code)]
    edits += [(k.end, k.end, _deduction(k)) for k in kernels if not k.has_starter]
    for main in mains:  # stays main, whose end returns 0, under another name for the linker
        edits.append((main.start(), main.start(), f'{" ".join(main[0].split())} __asm__("program_main"); '))
    text = source
    for begin, end, _, new in sorted(((*edit[:2], i, edit[2]) for i, edit in enumerate(edits)), reverse=True):
        text = text[:begin] + new + "\n" * text.count("\n", begin, end) + text[end:]
    lines = ['#include "kernels/simulator/program.h"', f"#line 1 {json.dumps(str(path.resolve()), ensure_ascii=False)}", text]
    lines += [_starter(k) for k in kernels if k.has_starter]
    return "\n".join([*lines, _main(path.name)] if mains else lines) + "\n"


def _parts(text: str) -> list[str]:
    """What the commas outside of brackets separate."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "(<[{") - (letter in ")>]}")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [" ".join(part.split()) for part in parts if part.strip()]


def _closing(code: str, at: int) -> int:
    """The place after the brace that closes the one just before ``at``."""
    depth = 1
    while depth and at < len(code):
        depth += (code[at] == "{") - (code[at] == "}")
        at += 1
    return at


def _scopes(before: str) -> list[str | None]:
    """What is open at the end of a text: names of namespaces, "" for one without a name, None for other braces."""
    scopes: list[str | None] = []
    for found in re.finditer(r"\bnamespace\s*([\w:]*)\s*\{|[{}]", before):
        if found[0] == "}":
            del scopes[-1:]
        else:
            scopes.append(found[1])
    return scopes


def _statement(code: str, at: int) -> int:
    """Where the declaration that goes on at a place begins."""
    before = re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", lambda directive: ";" * len(directive[0]), code[:at], flags=re.MULTILINE)
    begin = max(before.rfind(letter) for letter in ";{}") + 1
    return begin + len(before[begin:]) - len(before[begin:].lstrip())


def _cuda_headers(source: str, path: Path) -> Iterator[Edit]:
    for found in re.finditer(r"#include\s*[<\"]((?:cuda\w*|device_launch_parameters)\.h)[>\"]", source):
        if not (path.parent / found[1]).exists():
            yield found.start(), found.end(), ""


def _launches(code: str, kernels: list[KernelText]) -> Iterator[Edit]:
    """name<<<grid, block>>>(...) becomes configured(name, grid, block)(...); of a template with arguments left open, deduced(...)."""
    templates = {k.name.rpartition("::")[2]: k.template for k in kernels if k.template is not None}
    for found in re.finditer("<<<", code):
        begin, end = _begin_of_name(code, found.start()), _end_of_shape(code, found.end())
        name = re.search(r"(\w+)\s*(?:<(.*)>)?\s*$", code[begin : found.start()], re.DOTALL)
        if end is None or name is None:
            continue
        given, wanted = _parts(name[2] or ""), templates.get(name[1], ())
        yield end, end + 3, ")"
        if len(given) >= len(wanted):
            yield begin, begin, "::pyengine::simulator::configured("
            yield found.start(), found.end(), ", "
        else:
            yield begin, begin, "::pyengine::simulator::deduced([&](auto... arguments) { return "
            yield begin + name.start(), begin + name.start(), "pyengine_kernel_"
            yield found.start(), found.end(), "(arguments...); }, "


def _begin_of_name(code: str, at: int) -> int:
    """Of the name, with its namespaces and template arguments, that ends there."""
    at = len(code[:at].rstrip())
    depth = 0
    while at and (depth or code[at - 1] == ">"):
        at -= 1
        depth += (code[at] == ">") - (code[at] == "<")
        if depth == 0:
            at = len(code[:at].rstrip())
    while at and (code[at - 1].isalnum() or code[at - 1] in "_:"):
        at -= 1
    return at


def _end_of_shape(code: str, at: int) -> int | None:
    """Of the launch's grid and block: the >>> outside of brackets."""
    depth = 0
    for i in range(at, len(code)):
        if depth == 0 and code.startswith(">>>", i):
            return i
        depth += (code[i] in "([{") - (code[i] in ")]}")
    return None


def _deduction(kernel: KernelText) -> str:
    """A function that gives the kernel of a template for arguments of a launch."""
    assert kernel.template is not None
    name = kernel.name.rpartition("::")[2]
    heads = [parameter.partition("=")[0].rstrip() for parameter in kernel.template]
    given = [re.split(r"\W+", head)[-1] + "..." * ("..." in head) for head in heads]
    return (
        f" template <{', '.join(kernel.template)}> auto pyengine_kernel_{name}({', '.join(kernel.parameters)})"
        f" {{ return &{name}<{', '.join(given)}>; }}"
    )


def _shared_arrays(code: str) -> Iterator[Edit]:
    """Dynamic shared memory is a pointer in kernels, and outside of them an object that gives each its own; alignas goes to the front."""
    for found in _DYNAMIC.finditer(code):
        inside = None in _scopes(code[: found.start()])
        pointer = f"auto* {found[2]} = static_cast<{found[1]}*>(::pyengine::simulator::shared_memory());"
        yield *found.span(), pointer if inside else f"static ::pyengine::simulator::DynamicShared<{found[1]}> {found[2]};"
    for found in _LATE_ALIGNMENT.finditer(code):
        begin = _statement(code, found.start())
        if not code.startswith("extern", begin):
            yield begin, begin, found[1] + " "
            yield *found.span(1), ""


def _variables(code: str) -> Iterator[Edit]:
    """Variables of the device are in sections, by which the simulator knows them, each after a gap that belongs to none."""
    gaps = 0
    for found in _VARIABLE.finditer(code):
        begin = _statement(code, found.start())
        fixed = re.search(r"\bconstexpr\b", found[2]) or re.search(r"\bconst\b", found[2].rpartition("*")[2])
        if fixed or re.search(r"\boperator\b", found[2]) or code.startswith("template", begin):
            continue
        constant = found[1] == "constant" or "__constant__" in found[2]
        place = f'section("pyengine_{"constant" if constant else "device"}"), no_reorder, used'
        gaps += 1
        yield begin, begin, f"static __attribute__(({place})) char pyengine_gap_{gaps}[64]; "
        yield found.start(), found.start(2), f"__attribute__(({place}))"


_CAUGHT = 'catch (const std::exception& error) { std::snprintf(report, room, "%s", error.what()); return 1; }'


def _main(name: str) -> str:
    """Starts main, which sees its own name as its one argument, if it looks."""
    return f"""extern "C" int program_main(int, char**);
extern "C" int pyengine_main(int* status, char* report, std::size_t room) {{
    static char name[] = {json.dumps(name, ensure_ascii=False)};
    static char* arguments[] = {{name, nullptr}};
    try {{ *status = program_main(1, arguments); return 0; }} {_CAUGHT}
}}"""


def _starter(kernel: KernelText) -> str:
    declared = "".join(f", {parameter}" for parameter in kernel.parameters)
    passed = "".join(", " + re.findall(r"\w+", parameter.partition("=")[0])[-1] for parameter in kernel.parameters)
    arguments = f"const unsigned* size, std::size_t shared, char* report, std::size_t room{declared}"
    text = f"""extern "C" int {kernel.starter}({arguments}) {{
    const ::pyengine::simulator::LaunchShape shape{{{{size[0], size[1], size[2]}}, {{size[3], size[4], size[5]}}, shared, {{}}}};
    try {{ ::pyengine::simulator::launch({kernel.name.rpartition("::")[2]}, shape{passed}); return 0; }} {_CAUGHT}
}}"""
    return "".join(f"namespace {name} {{ " for name in kernel.namespaces) + text + " }" * len(kernel.namespaces)
