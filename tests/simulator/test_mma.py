"""mma, ldmatrix and stmatrix in the simulator."""

import numpy as np
import pytest

from tests.simulator.build import run, unwritten
from tests.simulator.floats import as_bf16, as_tf32, from_bf16
from tests.simulator.reports import assert_reports

RNG = np.random.default_rng(0)


def factors(kind: str, rows: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Random numbers of a type: as the device has them, and in double."""
    x = RNG.standard_normal((rows, k)).astype(np.float32)
    if kind == "bf16":
        bits = as_bf16(x)
        return bits, from_bf16(bits)
    if kind == "f16":
        return x.astype(np.float16), x.astype(np.float16).astype(np.float64)
    return x, as_tf32(x).astype(np.float64)


@pytest.mark.parametrize(("name", "kind", "k"), [("bf16", "bf16", 16), ("f16", "f16", 16), ("f16_k8", "f16", 8), ("tf32", "tf32", 8)])
def test_a_product_is_rounded_once(name: str, kind: str, k: int) -> None:
    (a, a_exact), (b, b_exact) = factors(kind, 16, k), factors(kind, 8, k)
    start = RNG.standard_normal((16, 8)).astype(np.float32)
    d = start.copy()
    assert run("mma", f"product_{name}", a, b, d) is None
    np.testing.assert_array_equal(d, (start + a_exact @ b_exact.T).astype(np.float32))


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("transposed_load", [False, True])
@pytest.mark.parametrize("transposed_store", [False, True])
def test_matrices_move(count: int, transposed_load: bool, transposed_store: bool) -> None:
    matrices = RNG.integers(0, 2**16, (4, 8, 8)).astype(np.uint16)
    out = unwritten((4, 8, 8), np.uint16)
    assert run("mma", "move_matrices", matrices, out, count, transposed_load, transposed_store) is None
    moved = matrices.swapaxes(1, 2) if transposed_load != transposed_store else matrices
    np.testing.assert_array_equal(out[:count], moved[:count])
    assert not out[count:].any()


def test_a_product_needs_the_whole_warp() -> None:
    message = run("mma", "fault_half_a_warp", unwritten(32))
    assert_reports(message, "divergent warp", "half_a_warp", "mma.cu", "needs all 32 lanes")


def test_rows_are_aligned() -> None:
    assert_reports(run("mma", "fault_misaligned_row", unwritten(32, np.uint32)), "misaligned access", "misaligned_row", "multiple of 16")


def test_a_lane_reads_what_others_wrote_after_a_barrier() -> None:
    assert_reports(run("mma", "fault_no_barrier", unwritten(32, np.uint32)), "race", "no_barrier", "mma.cu", "no barrier or fence")
