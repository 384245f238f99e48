"""Writes ``wgmma_shapes.h``: one function for every width of ``wgmma.mma_async``, whose operand lists C++ cannot write itself."""

from pathlib import Path

HEAD = """// Written by wgmma_shapes.py. D (64 x N) += A B for N = 8, 16, ..., 256: an instruction lists N / 2 registers by name, so each N
// needs its own text. Operation holds what comes after the N in the name, and after the operands. PTX ISA 8.5, section 9.7.15.5.
// clang-format off
#pragma once

#include <cstdint>

namespace pyengine::kernels {
namespace {
"""
TAIL = """
}  // namespace
}  // namespace pyengine::kernels
"""
WIDTH = 140


def filled(items: list[str], indent: str, separator: str = " ") -> str:
    """Items in lines as long as the file's."""
    lines = [""]
    for item in items:
        if lines[-1] and len(indent) + len(lines[-1]) + len(item) + 2 > WIDTH:
            lines.append("")
        lines[-1] += (separator if lines[-1] else "") + item
    return ("\n" + indent).join(lines)


def text(parts: list[str], indent: str) -> str:
    """String literals, side by side, that are one text."""
    return filled([f'"{part}"' for part in parts], indent)


def function(n: int, in_registers: bool) -> str:
    registers = n // 2
    last = registers + (5 if in_registers else 2)  # the operand that says whether D is added to
    first = "{" + ", ".join(f"%{registers + i}" for i in range(4)) + "}" if in_registers else f"%{registers}"
    names = [f"%{i}, " for i in range(registers - 1)] + [f"%{registers - 1}"]
    groups = ["".join(names[i : i + 16]) for i in range(0, registers, 16)]
    start = f"{{\\n.reg .pred adds;\\nsetp.ne.b32 adds, %{last}, 0;\\nwgmma.mma_async.sync.aligned.m64n{n}%{last + 1} {{"
    end = f"}}, {first}, %{last - 1}, adds%{last + 2};\\n}}"
    indent = " " * 8
    outputs = filled([f'"+f"(d[{i}])' + ("," if i < registers - 1 else "") for i in range(registers)], indent + "  ")
    words = ", ".join(f'"r"(a[{i}])' for i in range(4))
    inputs = f'{words if in_registers else chr(34) + "l" + chr(34) + "(a)"}, "l"(b), "r"(adds), "C"(Operation::kind), "C"(Operation::signs)'
    factor = "const std::uint32_t (&a)[4]" if in_registers else "std::uint64_t a"
    return f"""
template <typename Operation>
__device__ __forceinline__ void wgmma_issue(float (&d)[{registers}], {factor}, std::uint64_t b, int adds) {{
    asm volatile(
        {text([start, *groups, end], indent)}
        : {outputs}
        : {inputs}
        : "memory");
}}
"""


def header() -> str:
    return HEAD + "".join(function(n, in_registers) for n in range(8, 257, 8) for in_registers in (False, True)) + TAIL


if __name__ == "__main__":
    Path(__file__).with_suffix(".h").write_text(header())
