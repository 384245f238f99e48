"""Multi-head attention and the Transformer's layers against NumPy formulae; masks, layouts, state keys, errors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import pyengine as pe
from pyengine import nn
from tests.gradients import check_gradients

Values = np.ndarray[Any, np.dtype[np.float64]]

rng = np.random.default_rng(0)
N, L, S, E, H = 2, 3, 5, 8, 4


@pytest.fixture(autouse=True)
def seeded() -> None:
    pe.manual_seed(0)


def values(x: pe.Tensor | None) -> Values:
    assert x is not None
    return x.detach().numpy().astype(np.float64)


def near(actual: pe.Tensor, expected: Values, factor: int = 1) -> None:
    """Float64, some hundred roundings on numbers of order one; more through a stack of layers."""
    assert actual.shape == expected.shape
    np.testing.assert_allclose(values(actual), expected, rtol=0, atol=factor * 500 * np.finfo(np.float64).eps)


def randomize(layer: nn.Module) -> None:
    """Biases and gains that are no neutral elements."""
    with pe.no_grad():
        for parameter in layer.parameters():
            if parameter.ndim == 1:
                parameter[...] = pe.asarray(rng.standard_normal(parameter.shape))


def softmax(x: Values) -> Values:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)  # type: ignore[no-any-return]


def projections(layer: nn.MultiheadAttention) -> list[Values]:
    if layer.in_proj_weight is not None:
        return np.split(values(layer.in_proj_weight), 3)
    return [values(getattr(layer, f"{name}_proj_weight")) for name in "qkv"]


def attend(layer: nn.MultiheadAttention, query: Values, key: Values, value: Values, added: Any = 0.0) -> tuple[Values, Values]:
    """Batch first. ``added`` broadcasts to (N, H, L, S)."""
    biases = np.split(values(layer.in_proj_bias), 3)
    q, k, v = (
        (x @ w.T + b).reshape(*x.shape[:2], H, E // H).swapaxes(1, 2)
        for x, w, b in zip((query, key, value), projections(layer), biases, strict=True)
    )
    weights = softmax(q @ k.swapaxes(-1, -2) / math.sqrt(E / H) + added)
    joined = (weights @ v).swapaxes(1, 2).reshape(*query.shape[:2], E)
    return joined @ values(layer.out_proj.weight).T + values(layer.out_proj.bias), weights


def inputs(kdim: int = E, vdim: int = E) -> list[Values]:
    return [rng.standard_normal(shape) for shape in ((N, L, E), (N, S, kdim), (N, S, vdim))]


@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize(("kdim", "vdim"), [(E, E), (5, 6)])
def test_cross_attention(need_weights: bool, kdim: int, vdim: int) -> None:
    layer = nn.MultiheadAttention(E, H, kdim=kdim, vdim=vdim, batch_first=True, dtype="float64")
    randomize(layer)
    arrays = inputs(kdim, vdim)
    result, weights = layer(*map(pe.asarray, arrays), need_weights=need_weights)
    expected, expected_weights = attend(layer, *arrays)
    near(result, expected)
    if need_weights:
        near(weights, expected_weights.mean(1))
        near(layer(*map(pe.asarray, arrays), average_attn_weights=False)[1], expected_weights)
    else:
        assert weights is None


@pytest.mark.parametrize("need_weights", [True, False])
def test_self_attention_and_layouts(need_weights: bool) -> None:
    first, second = (nn.MultiheadAttention(E, H, batch_first=batch_first, dtype="float64") for batch_first in (True, False))
    randomize(first)
    second.load_state_dict(first.state_dict())
    x = rng.standard_normal((N, L, E))
    expected, expected_weights = attend(first, x, x, x)
    t = pe.asarray(x)
    near(first(t, t, t, need_weights=need_weights)[0], expected)
    swapped = pe.asarray(x.swapaxes(0, 1))
    near(second(swapped, swapped, swapped, need_weights=need_weights)[0], expected.swapaxes(0, 1))
    single = first(t[0], t[0], t[0], need_weights=need_weights)
    near(single[0], expected[0])
    if need_weights:
        near(single[1], expected_weights.mean(1)[0])


@pytest.mark.parametrize("need_weights", [True, False])
def test_masks(need_weights: bool) -> None:
    layer = nn.MultiheadAttention(E, H, batch_first=True, dtype="float64")
    randomize(layer)
    arrays = inputs()
    tensors = [pe.asarray(x) for x in arrays]
    padding = np.array([[False, False, True, False, True], [True, False, False, False, False]])
    forbidden = np.zeros((L, S), bool)
    forbidden[0, 1:3] = True
    scores = rng.standard_normal((N * H, L, S))
    cases: list[tuple[dict[str, Any], Any]] = [
        ({"key_padding_mask": padding}, np.where(padding, -np.inf, 0)[:, None, None]),
        ({"attn_mask": forbidden}, np.where(forbidden, -np.inf, 0)),
        ({"attn_mask": scores}, scores.reshape(N, H, L, S)),
        ({"attn_mask": forbidden, "key_padding_mask": padding}, np.where(forbidden | padding[:, None, None], -np.inf, 0)),
        ({"is_causal": True}, np.where(np.triu(np.ones((L, S), bool), 1), -np.inf, 0)),
        ({"is_causal": True, "attn_mask": scores}, scores.reshape(N, H, L, S) + np.where(np.triu(np.ones((L, S), bool), 1), -np.inf, 0)),
    ]
    for masks, added in cases:
        given = {name: mask if isinstance(mask, bool) else pe.asarray(mask) for name, mask in masks.items()}
        near(layer(*tensors, need_weights=need_weights, **given)[0], attend(layer, *arrays, added)[0])


@pytest.mark.parametrize("need_weights", [True, False])
def test_a_query_that_sees_no_key_attends_to_nothing(need_weights: bool) -> None:
    layer = nn.MultiheadAttention(E, H, batch_first=True, dtype="float64")
    randomize(layer)
    tensors = [pe.asarray(x, requires_grad=True) for x in inputs()]
    forbidden = np.zeros((L, S), bool)
    forbidden[1] = True
    result, _ = layer(*tensors, attn_mask=pe.asarray(forbidden), need_weights=need_weights)
    near(result[:, 1], np.broadcast_to(values(layer.out_proj.bias), (N, E)))
    pe.sum(result).backward()
    assert all(t.grad is not None and pe.all(pe.isfinite(t.grad)) for t in tensors)


@pytest.mark.parametrize("need_weights", [True, False])
def test_gradients(need_weights: bool) -> None:
    layer = nn.MultiheadAttention(E, H, batch_first=True, dtype="float64")
    check_gradients(lambda q, k, v: layer(q, k, v, need_weights=need_weights)[0], *inputs())


def test_parameters() -> None:
    layer = nn.MultiheadAttention(E, H)
    assert list(layer.state_dict()) == ["in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"]
    assert layer.in_proj_weight is not None
    bound = math.sqrt(6 / (E + 3 * E))
    assert 0.8 * bound < np.abs(values(layer.in_proj_weight)).max() <= bound * (1 + 1e-6)
    assert not values(layer.in_proj_bias).any()
    assert not values(layer.out_proj.bias).any()
    separate = nn.MultiheadAttention(E, H, kdim=5, bias=False)
    assert list(separate.state_dict()) == ["q_proj_weight", "k_proj_weight", "v_proj_weight", "out_proj.weight"]
    assert separate.get_submodule("out_proj").weight.shape == (E, E)


def test_dropout_acts_on_weights_in_training() -> None:
    layer = nn.MultiheadAttention(E, H, dropout=0.5, batch_first=True)
    x = pe.asarray(rng.standard_normal((N, L, E)), dtype="float32")
    for need_weights in (True, False):
        layer.train()
        first, second = (values(layer(x, x, x, need_weights=need_weights)[0]) for _ in range(2))
        assert not np.array_equal(first, second)
        layer.eval()
        first, second = (values(layer(x, x, x, need_weights=need_weights)[0]) for _ in range(2))
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda x: nn.MultiheadAttention(8, 3),
            "MultiheadAttention: heads do not fit: embed_dim 8, num_heads 3; num_heads must divide embed_dim",
        ),
        (
            lambda x: nn.MultiheadAttention(E, H)(x, x, x, attn_mask=pe.zeros((L, L + 1))),
            r"attn_mask does not fit: \(3, 4\); must be \(3, 3\) or \(8, 3, 3\)",
        ),
        (
            lambda x: nn.MultiheadAttention(E, H)(x, x, x, key_padding_mask=pe.zeros((L, N), "bool")),
            r"key_padding_mask does not fit: \(3, 2\); must be \(2, 3\)",
        ),
    ],
)
def test_errors(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(pe.zeros((L, N, E)))


# Transformer -----------------------------------------------------------------------------------------------------------------------------


def norm(layer: nn.LayerNorm, x: Values) -> Values:
    y = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + layer.eps)
    return y * values(layer.weight) + values(layer.bias)  # type: ignore[no-any-return]


def feed_forward(layer: Any, x: Values) -> Values:
    hidden = np.maximum(x @ values(layer.linear1.weight).T + values(layer.linear1.bias), 0)
    return hidden @ values(layer.linear2.weight).T + values(layer.linear2.bias)


def residual(layer: Any, number: int, x: Values, branch: Any) -> Values:
    its = getattr(layer, f"norm{number}")
    return x + branch(norm(its, x)) if layer.norm_first else norm(its, x + branch(x))


def encode(layer: Any, x: Values, added: Any = 0.0) -> Values:
    x = residual(layer, 1, x, lambda x: attend(layer.self_attn, x, x, x, added)[0])
    return residual(layer, 2, x, lambda x: feed_forward(layer, x))


@pytest.mark.parametrize("norm_first", [False, True])
def test_encoder_layer(norm_first: bool) -> None:
    layer = nn.TransformerEncoderLayer(E, H, 16, dropout=0.0, batch_first=True, norm_first=norm_first, dtype="float64")
    randomize(layer)
    x = rng.standard_normal((N, L, E))
    near(layer(pe.asarray(x)), encode(layer, x), 10)
    mask = nn.generate_square_subsequent_mask(L)
    near(layer(pe.asarray(x), mask), encode(layer, x, np.triu(np.full((L, L), -np.inf), 1)), 10)
    near(layer(pe.asarray(x), is_causal=True), values(layer(pe.asarray(x), mask)), 10)


@pytest.mark.parametrize("norm_first", [False, True])
def test_decoder_layer(norm_first: bool) -> None:
    layer: Any = nn.TransformerDecoderLayer(E, H, 16, dropout=0.0, batch_first=True, norm_first=norm_first, dtype="float64")
    randomize(layer)
    x, memory = rng.standard_normal((N, L, E)), rng.standard_normal((N, S, E))
    expected = residual(layer, 1, x, lambda x: attend(layer.self_attn, x, x, x)[0])
    expected = residual(layer, 2, expected, lambda x: attend(layer.multihead_attn, x, memory, memory)[0])
    expected = residual(layer, 3, expected, lambda x: feed_forward(layer, x))
    near(layer(pe.asarray(x), pe.asarray(memory)), expected, 10)


def test_stacks() -> None:
    layer = nn.TransformerEncoderLayer(E, H, 16, dropout=0.0, dtype="float64")
    encoder = nn.TransformerEncoder(layer, 2, nn.LayerNorm(E, dtype="float64"))
    assert encoder.layers[0] is not layer
    randomize(encoder)
    x = rng.standard_normal((L, N, E))
    expected = x.swapaxes(0, 1)
    for part in encoder.layers:
        expected = encode(part, expected)
    assert isinstance(encoder.norm, nn.LayerNorm)
    near(encoder(pe.asarray(x)), norm(encoder.norm, expected).swapaxes(0, 1), 100)
    decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(E, H, 16, dtype="float64"), 2).eval()
    memory = pe.asarray(rng.standard_normal((S, N, E)))
    expected_tensor = pe.asarray(x)
    for part in decoder.layers:
        expected_tensor = part(expected_tensor, memory)
    near(decoder(pe.asarray(x), memory), values(expected_tensor))


def test_dropout_follows_the_mode() -> None:
    layer = nn.TransformerEncoderLayer(E, H, 16)
    x = pe.ones((L, N, E))
    assert not np.array_equal(values(layer(x)), values(layer(x)))
    layer.eval()
    np.testing.assert_array_equal(values(layer(x)), values(layer(x)))


def test_activations() -> None:
    assert nn.TransformerEncoderLayer(E, H, activation="gelu").activation is pe.gelu
    assert nn.TransformerEncoderLayer(E, H, activation=pe.silu).activation is pe.silu
    with pytest.raises(ValueError, match="TransformerEncoderLayer: unknown activation: 'swish'; must be 'relu', 'gelu' or a function"):
        nn.TransformerEncoderLayer(E, H, activation="swish")
