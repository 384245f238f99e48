"""A matmul with all that Hopper has for it, in the simulator: TMA, multicast, mbarriers, setmaxnreg, wgmma, a TMA store."""

from __future__ import annotations

import os

import numpy as np
import pytest

from tests.simulator.build import run, unwritten
from tests.simulator.floats import as_bf16, from_bf16

RNG = np.random.default_rng(5)


@pytest.mark.parametrize(("rows", "columns", "k"), [(256, 128, 64), (300, 132, 328), (1, 4, 8), (128, 260, 520)])
def test_against_numpy(rows: int, columns: int, k: int) -> None:
    """One cluster and several, edges that tiles do not divide, more steps than stages."""
    a, b = (as_bf16(RNG.standard_normal((n, k)).astype(np.float32)) for n in (rows, columns))
    c = unwritten((rows, columns))
    assert run("hopper_matmul", "multiply_bf16", a, b, c, rows, columns, k) is None
    exact = from_bf16(a) @ from_bf16(b).T
    # One rounding for each instruction, of sums below |a| |b|.
    bound = (k // 16 + 1) * 2.0**-24 * (np.abs(from_bf16(a)) @ np.abs(from_bf16(b)).T)
    assert (np.abs(c - exact) <= bound).all()


@pytest.mark.parametrize("seed", [0, 1])
def test_in_any_order(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "PYENGINE_SIMULATOR_SEED", str(seed))
    test_against_numpy(300, 132, 328)
