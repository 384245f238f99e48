"""What the tests of this folder share: they need a GPU, and are skipped with the reason where there is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pyengine as pe
from pyengine import _engine

needs_gpu = pytest.mark.skipif(not pe.cuda.is_available(), reason=f"no GPU: {_engine.cuda_why_none()}")


def counted(*shape: int, dtype: str = "float32") -> tuple[pe.Tensor, np.ndarray[Any, Any]]:
    """0, 1, 2, ... on the GPU, and in NumPy."""
    expected = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    return pe.asarray(expected).to("cuda"), expected


def on_cpu(x: Any) -> np.ndarray[Any, Any]:
    return np.asarray(x.detach().to("cpu").numpy())
