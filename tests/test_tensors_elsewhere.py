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


@pytest.mark.parametrize("device", DEVICES)
def test_gradients_are_made_where_the_output_is(device: str) -> None:
    x = pe.asarray([1.0, 2.0], device=device, requires_grad=True)
    x.sum().backward()
    assert x.grad.device == device
    largest, _ = pe.checkpoint(lambda y: (y * 2, y * 3))(x)  # the second output's gradient is zeros
    x.grad = None
    largest.sum().backward()
    assert (x.grad.device, x.grad.tolist()) == (device, [2.0, 2.0])


F = pe.nn.functional
MAKE_CONSTANTS = {
    "attention": lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True),
    "dropout2d": lambda x: F.dropout2d(x, 0.5),
    "interpolate": lambda x: F.interpolate(x, 5),
    "pad": lambda x: F.pad(x, (1, 2), "circular"),
    "one_hot": lambda x: F.one_hot((x * 0).astype("int64"), 3),
    "windows": lambda x: pe.lib.sliding_window_view(x, 2, -1),
    "norm": lambda x: pe.nn.utils.get_total_norm([x, x[:0]], float("inf")),
    "mask": lambda x: pe.nn.transformer.generate_square_subsequent_mask(3, x.device),
}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", MAKE_CONSTANTS)
def test_constants_are_made_beside_their_operands(name: str, device: str) -> None:
    results = []
    for where in ("cpu", device):
        pe.manual_seed(1)
        result = MAKE_CONSTANTS[name](pe.asarray(np.linspace(-1, 1, 24).reshape(1, 2, 3, 4), device=where))
        assert result.device == where
        results.append(np.asarray(result.tolist()))
    np.testing.assert_allclose(results[1], results[0], rtol=2.0**-48)  # some roundings of float64
