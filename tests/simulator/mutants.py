"""Faults that can be planted in copies of kernels: rules, and the places where they apply."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.builds import ROOT
from tests.simulator.workload import WORK

KERNELS, TEST_KERNELS = ROOT / "kernels/cuda", ROOT / "tests/simulator/kernels"
SIZES = "count|n|size|rows|columns|m|keys|queries|positions|width|total|outputs|steps"


class Rule(NamedTuple):
    name: str
    pattern: re.Pattern[str]
    replacement: str
    changes_values: bool = False
    """What the hardware does is defined then: wrong values are as good as a report."""


def rule(name: str, pattern: str, replacement: str = ";", changes_values: bool = False) -> Rule:
    return Rule(name, re.compile(pattern), replacement, changes_values)


RULES = (
    rule("barrier removed", r"__syncthreads\(\);|\bbarrier_sync\([^;]*\);|\bcluster_wait\(\);"),
    rule("barrier that a warp leaves out", r"__syncthreads\(\);", r"if (threadIdx.x >= 32) __syncthreads();"),
    rule("warp barrier removed", r"__syncwarp\(\);"),
    rule("memory fence dropped", r"__threadfence\(\);"),
    rule("wait weakened", r"\b(cp_async_wait|wgmma_wait|bulk_wait\w*)<([^<>;]+)>", r"\1<\2 + 1>"),
    rule("wait removed", r"\b(mbarrier_wait|cp_async_wait|wgmma_wait|bulk_wait)\w*(<[^<>;]*>)?\([^;]*\);"),
    rule("commit removed", r"\b(cp_async|wgmma|bulk)_commit\(\);"),
    rule("proxy fence dropped", r"\bfence_\w+\([^;]*\);"),
    rule("fence of wgmma dropped", r"\bwgmma_fence\([^;]*\);"),
    rule("arrival left out", r"\b(mbarrier_arrive\w*\([^;]*\)|cluster_arrive\(\));"),
    rule("mbarrier not initialised", r"\bmbarrier_init\([^;]*\);"),
    rule("one arrival too many expected", r"\b(mbarrier_init\([^;]*), ([^,;]+)\);", r"\1, \2 + 1);"),
    rule("one arrival too few expected", r"\b(mbarrier_init\([^;]*), ([^,;]+)\);", r"\1, \2 - 1);"),
    rule("more bytes expected", r"\b(mbarrier_arrive_expecting\([^;]*), ([^,;]+)\);", r"\1, \2 + 16);"),
    rule("fewer bytes expected", r"\b(mbarrier_arrive_expecting\([^;]*), ([^,;]+)\);", r"\1, \2 - 16);"),
    rule("phase not flipped", r"\bphase \^= 1;"),
    rule("phase begins wrong", r"\.phase = ([01])\b", r".phase = 1 - \1"),
    rule("swizzle halved", r"Swizzle::bytes128", r"Swizzle::bytes64"),
    rule("swizzle off", r"Swizzle::bytes128", r"Swizzle::none"),
    rule("stride of a descriptor off", r"\b(wgmma_operand\([^;]*), ([^,;]+)\);", r"\1, \2 + 16);"),
    rule("stride of a descriptor doubled", r"\b(wgmma_operand\([^;]*), ([^,;]+)\);", r"\1, 2 * \2);", changes_values=True),
    rule("operand off by a row", r"\boperand\(&([^;]*?)\[(\w+)\]\[(\w+)\]\)", r"operand(&\1[\2 + 1][\3])"),
    rule("too many registers taken", r"\btake_registers<(\d+)>", r"take_registers<\1 + 8>"),
    rule("too few registers given", r"\bgive_registers<(\d+)>", r"give_registers<\1 + 8>"),
    rule("more shared memory than there is", r"\b(stages|kStages) = (\d+)", r"\1 = 16 * \2"),
    rule("shared memory misaligned", r"dynamic_shared_memory<([^;()]+)>\(\)", r"reinterpret_cast<\1*>(dynamic_shared_memory<char>() + 2)"),
    rule(
        "global memory misaligned",
        r"\.data = static_cast<const (\w+)\*>\(([\w.]+)\);",
        r".data = reinterpret_cast<const \1*>(static_cast<const char*>(\2) + 1);",
    ),
    rule("tensor of a map misaligned", r"\.data = data;", r".data = static_cast<char*>(data) + 4;"),
    rule("an index past the edge", rf"\b(\w+) < ({SIZES})\b(?=[;)&| ])", r"\1 <= \2"),
    rule("a loop with one turn too many", r"\bfor \(int (\w+) = 0; \1 < (\w+); \+\+\1\)", r"for (int \1 = 0; \1 <= \2; ++\1)"),
    rule("a mask that leaves lanes out", r"0xffffffffu?", "0x7fffffffu"),
    rule("a block of the cluster left out", r"\b0b11\b", "0b01"),
)


class Mutant(NamedTuple):
    units: tuple[str, ...]  # the kernels' files that have it, and the work that runs them
    file: str
    rule: Rule
    number: int  # of the places in the file where the rule applies

    @property
    def name(self) -> str:
        return f"{self.file}: {self.rule.name} #{self.number}"

    @property
    def line(self) -> str:
        """The source's, where the place begins."""
        text = (ROOT / self.file).read_text()
        start = list(self.rule.pattern.finditer(text))[self.number].start()
        return text[text.rfind("\n", 0, start) + 1 :].partition("\n")[0].strip()

    def text(self) -> str:
        source = (ROOT / self.file).read_text()
        place = list(self.rule.pattern.finditer(source))[self.number]
        return source[: place.start()] + place.expand(self.rule.replacement) + source[place.end() :]


def files_of(source: Path) -> set[Path]:
    """The file, and what it includes of kernels."""
    found = {source}
    for header in re.findall(r'#include "((?:kernels/cuda|tests/simulator/kernels)/[\w/]+\.h)"', source.read_text()):
        found |= files_of(ROOT / header)
    return found


def sources_of(unit: str) -> list[Path]:
    """The unit's file, and those of its gradients."""
    sources = [*KERNELS.glob("*.cu"), TEST_KERNELS / f"{unit}.cu"]
    return sorted(path for path in sources if path.exists() and re.fullmatch(rf"{unit}(_(backward|weight_gradient))?", path.stem))


def mutants() -> Iterator[Mutant]:
    """Of a header, with every unit that includes it."""
    units: dict[Path, list[str]] = {}
    for unit in WORK:
        for source in sources_of(unit):
            for file in files_of(source):
                units.setdefault(file, []).append(unit)
    for file, users in sorted(units.items()):
        if file.name in ("cuda.h", "launch.h", "testing.h") or "primitives" in file.parts:
            continue
        text, seen = file.read_text(), set[str]()
        for each in RULES:
            for number in range(len(list(each.pattern.finditer(text)))):
                mutant = Mutant(tuple(dict.fromkeys(users)), str(file.relative_to(ROOT)), each, number)
                if mutant.text() not in seen:
                    seen.add(mutant.text())
                    yield mutant
