"""The tests of ops on another device: ``PYENGINE_TEST_DEVICE=simulator python -m pytest tests/ops`` runs them unchanged.

Tensors are then made there, and what tests ask of NumPy they are given through a copy on the CPU.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import pyengine as pe
from pyengine.interop import numpy as interop_numpy

DEVICE = os.environ.get("PYENGINE_TEST_DEVICE", "cpu")
KERNEL_DEVICE = "simulator" if DEVICE == "cpu" else DEVICE
"""What runs CUDA kernels, for tests of what only those do."""

needs_simulator = pytest.mark.skipif(
    "simulator" not in pe.available_devices(),
    reason="built with PYENGINE_SIMULATOR=OFF; .ci/run builds with it, and fails without: its step PYENGINE_TEST_DEVICE=simulator needs it",
)
"""Of programs that users run in it."""

needs_cuda_kernels = pytest.mark.skipif(
    KERNEL_DEVICE not in pe.available_devices(),
    reason="nothing runs CUDA kernels: no GPU, and a build without the simulator, which the sanitizers exclude: both are instrumentation",
)


def cpu_only(reason: str) -> pytest.MarkDecorator:
    """Marks what holds on the CPU alone, such as memory that NumPy shares."""
    return pytest.mark.skipif(DEVICE != "cpu", reason=reason)


@contextmanager
def elsewhere(monkeypatch: pytest.MonkeyPatch, device: str = DEVICE) -> Iterator[None]:
    """Makes a device the default, and lets tensors out to NumPy through a copy."""
    to_numpy, before = interop_numpy.to_numpy, pe.get_default_device()

    def copied(x: pe.Tensor) -> np.ndarray[Any, Any]:
        return to_numpy(x if x.device == "cpu" else x.to("cpu"))

    for module in (interop_numpy, pe.interop):
        monkeypatch.setattr(module, "to_numpy", copied)
    pe.set_default_device(device)
    yield
    pe.set_default_device(before)
