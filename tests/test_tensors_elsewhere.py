"""Tensors that are not in the CPU's memory: how they print, travel and are stepped by optimisers, the default device being the CPU."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest

import pyengine as pe
from pyengine import _engine

DEVICES = pe.available_devices()[1:]


@pytest.mark.parametrize("device", DEVICES)
def test_prints_its_values_and_where_they_are(device: str) -> None:
    x = pe.asarray([1.5, 2.0], device=device, requires_grad=True)
    assert repr(x) == f"tensor([1.5, 2. ], device='{device}', requires_grad=True)"
    assert str(x) == "[1.5 2. ]"
    assert x.tolist() == [1.5, 2.0]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "complex64", "bool"])
def test_travels_and_comes_back(device: str, dtype: str, tmp_path: Path) -> None:
    x = pe.asarray([1.0, 0.0], dtype=dtype, device=device)
    pe.save({"x": x}, tmp_path / "x.safetensors")
    loaded = pe.load(tmp_path / "x.safetensors", device=device)["x"]
    for y in (pickle.loads(pickle.dumps(x)), copy.deepcopy(x), loaded):
        assert (y.device, y.dtype, y.tolist()) == (device, x.dtype, x.tolist())


@pytest.mark.parametrize("device", DEVICES)
def test_a_missing_device_is_named(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = pickle.dumps(pe.ones((2,), device=device))
    monkeypatch.setattr(_engine, "available_devices", lambda: ["cpu"])
    with pytest.raises(ValueError, match=f"unpickle: device not available: '{device}'; this build and machine have 'cpu'"):
        pickle.loads(data)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop"])
def test_optimisers_step_where_the_parameters_are(name: str, device: str) -> None:
    results = []
    for where in ("cpu", device):
        p = pe.nn.Parameter(pe.asarray(np.linspace(-1, 1, 7, dtype=np.float32), device=where))
        optimiser = getattr(pe.optim, name)([p], lr=0.1)
        for _ in range(3):
            p.grad = pe.asarray(np.linspace(2, -3, 7, dtype=np.float32), device=where)
            optimiser.step()
            optimiser.load_state_dict(optimiser.state_dict())
        results.append(np.asarray(p.tolist()))
    # Three steps of a few roundings each, fused or not, of numbers below 2.
    np.testing.assert_allclose(results[1], results[0], atol=3 * 8 * 2.0**-24 * 2, rtol=0)
