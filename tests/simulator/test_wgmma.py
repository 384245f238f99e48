"""wgmma in the simulator: every layout of its operands, against matrices laid out in NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.builds import ROOT
from tests.simulator.build import run
from tests.simulator.floats import as_bf16, as_tf32, from_bf16

RNG = np.random.default_rng(3)
SPANS = (16, 32, 64, 128)
"""Bytes of a row of a tile under each swizzle."""


def factors(kind: str, rows: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Random numbers, K of them a row: as the device has them, and in double."""
    x = RNG.standard_normal((rows, 8 if kind == "tf32" else 16)).astype(np.float32)
    if kind == "bf16":
        return as_bf16(x), from_bf16(as_bf16(x))
    if kind == "f16":
        return x.astype(np.float16), x.astype(np.float16).astype(np.float64)
    return x, as_tf32(x).astype(np.float64)


class Operand:
    """A matrix (M or N, K) in shared memory, in tiles of 8 rows of a span; tiles that follow each other have room between them."""

    def __init__(self, matrix: np.ndarray[Any, Any], swizzle: int, along_mn: bool, start: int) -> None:
        span, size = SPANS[swizzle], matrix.itemsize
        tile = 8 * span
        (along, across) = matrix.shape if along_mn else matrix.shape[::-1]
        spans = max(1, along * size // span)
        self.next_span, self.next_rows = (2 * tile, 2 * tile * spans) if swizzle else (tile, tile * spans)
        swaps = along_mn and swizzle == 0
        self.leading, self.stride = (self.next_rows, self.next_span) if swaps else (self.next_span, self.next_rows)
        if not swizzle and not along_mn:
            self.leading, self.stride = self.next_span, self.next_rows
        self.start, self.swizzle = start, swizzle
        self.matrix = matrix.T if along_mn else matrix
        assert across % 8 == 0

    def write(self, image: np.ndarray[Any, Any]) -> None:
        span, size = SPANS[self.swizzle], self.matrix.itemsize
        for row in range(self.matrix.shape[0]):
            for i, value in enumerate(self.matrix[row]):
                which, inside = divmod(i * size, span)
                address = self.start + row // 8 * self.next_rows + which * self.next_span + row % 8 * span + inside
                address ^= (address >> 7 & (2**self.swizzle - 1)) << 4
                image[address : address + size] = np.frombuffer(value.tobytes(), np.uint8)

    def numbers(self) -> list[int]:
        return [self.start, self.swizzle, self.leading, self.stride]


def product(kind: str, n: int, majors: int, swizzles: tuple[int, int], in_registers: bool, step: int = 0) -> None:
    """One instruction, of which A begins `step` bytes into its first row."""
    (a, a_exact), (b, b_exact) = factors(kind, 64), factors(kind, n)
    operands = Operand(a, swizzles[0], bool(majors & 2), step), Operand(b, swizzles[1], bool(majors & 1), 49152)
    image = np.zeros(131072, np.uint8)
    for operand in operands:
        operand.write(image)
    d = RNG.standard_normal((64, n)).astype(np.float32)
    expected = (d + a_exact @ b_exact.T).astype(np.float32)
    numbers = np.array([x.numbers() for x in operands], np.uint32)
    assert run("wgmma", f"product_{kind}_{n}", in_registers, majors, image, image.nbytes, numbers, a, d) is None
    # The order of the sum in double differs from NumPy's: less than one rounding to float.
    np.testing.assert_allclose(d, expected, rtol=2**-23, atol=2**-40)


@pytest.mark.parametrize("majors", [0, 1, 2, 3])
@pytest.mark.parametrize("swizzle", [0, 1, 2, 3])
def test_operands_in_shared_memory(majors: int, swizzle: int) -> None:
    product("bf16", 64, majors, (swizzle, swizzle), False)


@pytest.mark.parametrize(
    ("kind", "n", "swizzles"), [("f16", 64, (3, 1)), ("f16", 8, (2, 0)), ("tf32", 24, (3, 3)), ("tf32", 24, (0, 1)), ("bf16", 256, (1, 3))]
)
@pytest.mark.parametrize("in_registers", [False, True])
def test_types_and_widths(kind: str, n: int, swizzles: tuple[int, int], in_registers: bool) -> None:
    product(kind, n, 0, swizzles, in_registers)


def test_b_along_n_with_a_in_registers() -> None:
    product("f16", 64, 1, (0, 3), True)


@pytest.mark.parametrize(("swizzle", "step"), [(2, 32), (3, 32), (3, 96)])
def test_a_step_along_k_begins_within_a_row(swizzle: int, step: int) -> None:
    product("bf16", 64, 0, (swizzle, 3), False, step)


def test_the_shapes_are_those_the_script_writes() -> None:
    path = ROOT / "kernels/cuda/primitives/wgmma_shapes.py"
    names: dict[str, Any] = {"__name__": "wgmma_shapes", "__file__": str(path)}
    exec(compile(path.read_text(), path, "exec"), names)
    assert Path(path.with_suffix(".h")).read_text() == names["header"]()
