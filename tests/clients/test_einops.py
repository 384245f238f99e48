"""einops: its own suite with our backend, ``einops.array_api``, and the layers."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest

import pyengine as pe
from tests.clients import suites

einops = pytest.importorskip("einops")
layers = pytest.importorskip("pyengine.interop.einops_layers")


def test_their_suite() -> None:
    outcome = suites.run("einops")
    assert outcome.failures == []
    assert outcome.passed >= 55


@pytest.mark.parametrize("order", [("pyengine", "einops"), ("einops", "pyengine")])
def test_either_may_come_first(order: tuple[str, str]) -> None:
    code = f"import {order[0]}, {order[1]}\nprint(einops.rearrange(pyengine.ones((2, 3, 4)), 'a b c -> (c a) b').shape)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "(8, 3)\n"


def test_pyengine_does_not_import_it() -> None:
    subprocess.run([sys.executable, "-c", "import pyengine, sys; assert 'einops' not in sys.modules"], check=True)


def test_the_array_api_flavour() -> None:
    from einops import array_api

    x = np.arange(2 * 3 * 4.0).reshape(2, 3, 4)
    for pattern in ("a b c -> c b a", "a b c -> (a c) b", "a b c -> a () (b c)", "... c -> c ..."):
        np.testing.assert_array_equal(array_api.rearrange(pe.asarray(x), pattern).numpy(), einops.rearrange(x, pattern))
    for operation in ("min", "max", "sum", "mean", "prod"):
        ours = array_api.reduce(pe.asarray(x), "a b c -> b", operation).numpy()
        np.testing.assert_allclose(ours, einops.reduce(x, "a b c -> b", operation), rtol=24 * np.finfo(np.float64).eps)
    np.testing.assert_array_equal(array_api.repeat(pe.asarray(x), "a b c -> a (2 b) c").numpy(), einops.repeat(x, "a b c -> a (2 b) c"))
    packed, shapes = array_api.pack([pe.ones((2, 3)), pe.ones((2, 4, 3))], "i * j")
    assert packed.shape == (2, 5, 3)
    assert [part.shape for part in array_api.unpack(packed, shapes, "i * j")] == [(2, 3), (2, 4, 3)]


def test_gradients_pass() -> None:
    x = pe.ones((2, 4), requires_grad=True)
    einops.reduce(x, "a (b c) -> b", "mean", c=2).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[0.25] * 4] * 2


def test_einmix_is_a_linear_layer() -> None:
    layer = layers.EinMix("n t c -> n t d", weight_shape="c d", bias_shape="d", c=3, d=5)
    x = pe.randn(2, 4, 3)
    expected = np.einsum("ntc,cd->ntd", x.numpy(), layer.weight.detach().numpy()) + layer.bias.detach().numpy()
    np.testing.assert_allclose(layer(x).detach().numpy(), expected, rtol=0, atol=8 * np.finfo(np.float32).eps * 4)
    assert sorted(layer.state_dict()) == ["bias", "weight"]
    assert float(pe.max(pe.abs(layer.weight.detach()))) <= 1.0  # sqrt(3 / 3)


def test_einmix_packs_and_unpacks_axes() -> None:
    layer = layers.EinMix("(n t) c -> n (d t)", weight_shape="c d", c=3, d=5, t=4)
    assert layer(pe.randn(8, 3)).shape == (2, 20)


def test_layers_are_modules() -> None:
    model = pe.nn.Sequential(layers.Reduce("b (h k) -> b h", "max", k=2), layers.Rearrange("b h -> h b"))
    assert model(pe.ones((3, 8))).shape == (4, 3)
    again = pickle.loads(pickle.dumps(model[0]))
    assert repr(again) == repr(model[0]) == "Reduce('b (h k) -> b h', 'max', k=2)"
    assert again(pe.ones((3, 8))).shape == (3, 4)
