"""Layers against plain NumPy formulae: outputs, parameters' shapes and first values, state keys, descriptions, errors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import pyengine as pe
from pyengine import nn
from tests.devices import DEVICE
from tests.gradients import check_gradients

Values = np.ndarray[Any, np.dtype[np.float64]]

rng = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def seeded() -> None:
    pe.manual_seed(0)


def values(x: pe.Tensor | None) -> Values:
    assert x is not None
    return x.detach().numpy().astype(np.float64)


def near(actual: Any, expected: Values) -> None:
    """Float64 layers, a hundred roundings at most on numbers of the size of the largest."""
    actual = values(actual)
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=0, atol=200 * np.finfo(np.float64).eps * max(1.0, np.abs(expected).max(initial=0)))


def within(parameter: pe.Tensor | None, bound: float) -> None:
    """All in [-bound, bound], and spread over it."""
    largest = np.abs(values(parameter)).max()
    assert largest <= bound * (1 + 1e-6)
    assert largest > 0.8 * bound


# Affine ----------------------------------------------------------------------------------------------------------------------------------


def test_linear() -> None:
    layer = nn.Linear(5, 7, dtype="float64")
    assert (layer.weight.shape, layer.bias.shape) == ((7, 5), (7,))  # type: ignore[union-attr]
    within(layer.weight, 1 / math.sqrt(5))
    within(layer.bias, 1 / math.sqrt(5))
    x = rng.standard_normal((2, 3, 5))
    near(layer(pe.asarray(x)), x @ values(layer.weight).T + values(layer.bias))
    assert list(nn.Linear(5, 7, bias=False).state_dict()) == ["weight"]
    assert repr(layer) == "Linear(in_features=5, out_features=7, bias=True)"
    assert nn.Linear(5, 7).weight.dtype is pe.float32
    assert nn.Linear(0, 3)(pe.ones((2, 0))).tolist() == [[0.0] * 3] * 2


def test_bilinear() -> None:
    layer = nn.Bilinear(3, 4, 5, dtype="float64")
    within(layer.weight, 1 / math.sqrt(3))
    x, y = rng.standard_normal((2, 3)), rng.standard_normal((2, 4))
    near(layer(pe.asarray(x), pe.asarray(y)), np.einsum("ni,kij,nj->nk", x, values(layer.weight), y) + values(layer.bias))


def test_identity_flatten_unflatten() -> None:
    x = pe.ones((2, 3, 4))
    assert nn.Identity(7, unused=True)(x) is x
    assert nn.Flatten()(x).shape == (2, 12)
    assert nn.Flatten(0, 1)(x).shape == (6, 4)
    assert nn.Unflatten(-1, (2, -1))(x).shape == (2, 3, 2, 2)


def test_embedding() -> None:
    layer = nn.Embedding(5, 3, padding_idx=-2, dtype="float64")
    assert layer.padding_idx == 3
    assert values(layer.weight)[3].tolist() == [0, 0, 0]
    assert np.all(values(layer.weight)[[0, 1, 2, 4]] != 0)
    indices = np.array([[0, 3], [4, 4]])
    near(layer(pe.asarray(indices)), values(layer.weight)[indices])
    pe.sum(layer(pe.asarray(indices))).backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.numpy()[:, 0].tolist() == [1, 0, 0, 0, 2]
    table = pe.ones((4, 2))
    frozen = nn.Embedding.from_pretrained(table)
    assert not frozen.weight.requires_grad
    if DEVICE == "cpu":
        assert np.shares_memory(frozen.weight.numpy(), table.numpy())
    assert repr(layer) == "Embedding(5, 3, padding_idx=3)"
    with pytest.raises(ValueError, match=r"Embedding: padding_idx out of range: 5; must be in \[-5, 5\)"):
        nn.Embedding(5, 3, padding_idx=5)


# Convolution -----------------------------------------------------------------------------------------------------------------------------


def convolve(x: Values, w: Values, stride: int, padding: tuple[int, int], dilation: int, groups: int) -> Values:
    """Cross-correlation of (N, C, *sizes) with (O, C / groups, *kernel), one output element at a time."""
    rank = x.ndim - 2
    x = np.pad(x, [(0, 0), (0, 0), *[padding] * rank])
    sizes = [(n - dilation * (k - 1) - 1) // stride + 1 for n, k in zip(x.shape[2:], w.shape[2:], strict=True)]
    out = np.zeros((len(x), len(w), *sizes))
    inputs, outputs = w.shape[1], len(w) // groups
    for at in np.ndindex(*sizes):
        window = tuple(slice(i * stride, i * stride + dilation * (k - 1) + 1, dilation) for i, k in zip(at, w.shape[2:], strict=True))
        for g in range(groups):
            part = x[(slice(None), slice(g * inputs, (g + 1) * inputs), *window)]
            weights = w[g * outputs : (g + 1) * outputs]
            out[(slice(None), slice(g * outputs, (g + 1) * outputs), *at)] = np.tensordot(part, weights, axes=[range(1, rank + 2)] * 2)
    return out


def by_channel(bias: Values, rank: int) -> Values:
    return bias.reshape(-1, *[1] * rank)


@pytest.mark.parametrize("layer", [nn.Conv2d, nn.ConvTranspose2d])
def test_a_padding_there_is_not(layer: type[nn.Conv2d]) -> None:
    with pytest.raises(ValueError, match=rf"^{layer.__name__}: no such padding: 'full'"):
        layer(1, 1, 3, padding="full")


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize(("stride", "padding", "dilation", "groups"), [(1, 0, 1, 1), (2, 1, 1, 2), (1, 2, 2, 1), (3, 1, 1, 4)])
def test_conv(rank: int, stride: int, padding: int, dilation: int, groups: int) -> None:
    layer = getattr(nn, f"Conv{rank}d")(4, 8, 3, stride, padding, dilation, groups, dtype="float64")
    assert layer.weight.shape == (8, 4 // groups, *[3] * rank)
    bound = 1 / math.sqrt(4 // groups * 3**rank)
    assert np.abs(values(layer.weight)).max() <= bound
    assert np.abs(values(layer.bias)).max() <= bound
    x = rng.standard_normal((2, 4, *[6, 7, 8][:rank]))
    expected = convolve(x, values(layer.weight), stride, (padding, padding), dilation, groups) + by_channel(values(layer.bias), rank)
    near(layer(pe.asarray(x)), expected)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2])
def test_same_padding_at_every_stride(stride: int, dilation: int) -> None:
    layer = nn.Conv2d(2, 3, 3, stride, "same", dilation, bias=False, dtype="float64")
    x = rng.standard_normal((1, 2, 7, 7))
    outputs = -(-7 // stride)
    total = max((outputs - 1) * stride + 2 * dilation + 1 - 7, 0)
    near(layer(pe.asarray(x)), convolve(x, values(layer.weight), stride, (total // 2, total - total // 2), dilation, 1))
    valid = nn.Conv2d(2, 3, 3, stride, "valid", dilation, bias=False, dtype="float64")
    near(valid(pe.asarray(x)), convolve(x, values(valid.weight), stride, (0, 0), dilation, 1))


@pytest.mark.parametrize(("mode", "numpy_mode"), [("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap")])
def test_padding_modes(mode: str, numpy_mode: Any) -> None:
    layer = nn.Conv2d(1, 2, 3, padding=(1, 2), padding_mode=mode, bias=False, dtype="float64")
    x = rng.standard_normal((1, 1, 5, 6))
    near(
        layer(pe.asarray(x)), convolve(np.pad(x, [(0, 0), (0, 0), (1, 1), (2, 2)], mode=numpy_mode), values(layer.weight), 1, (0, 0), 1, 1)
    )
    assert "padding_mode=" + mode in repr(layer)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_conv_transpose_is_the_adjoint(rank: int) -> None:
    layer = getattr(nn, f"ConvTranspose{rank}d")(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2, bias=False, dtype="float64")
    assert layer.weight.shape == (4, 3, *[3] * rank)
    within(layer.weight, 1 / math.sqrt(3 * 3**rank))
    y = rng.standard_normal((2, 4, *[3] * rank))
    result = layer(pe.asarray(y))
    assert result.shape == (2, 6, *[6] * rank)
    x = rng.standard_normal(result.shape)
    forward = convolve(x, values(layer.weight), 2, (1, 1), 1, 2)
    assert np.vdot(values(result), x) == pytest.approx(np.vdot(forward, y), rel=1e-12)


def test_conv_describes_itself() -> None:
    assert repr(nn.Conv2d(1, 2, 3)) == "Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1))"
    layer = nn.Conv2d(2, 4, (3, 5), 2, padding=(1, 2), dilation=2, groups=2, bias=False)
    assert repr(layer) == "Conv2d(2, 4, kernel_size=(3, 5), stride=(2, 2), padding=(1, 2), dilation=(2, 2), groups=2, bias=False)"
    assert repr(nn.Conv1d(1, 2, 3, padding="same")) == "Conv1d(1, 2, kernel_size=(3,), stride=(1,), padding=same)"
    assert repr(nn.ConvTranspose1d(1, 2, 3, output_padding=1, stride=2)).endswith("stride=(2,), output_padding=(1,))")


# Normalisation ---------------------------------------------------------------------------------------------------------------------------


def normal(x: Values, axes: tuple[int, ...], eps: float) -> Values:
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


def shift(layer: nn.Module) -> None:
    """Parameters that are no neutral elements."""
    with pe.no_grad():
        for parameter in layer.parameters():
            parameter[...] = pe.asarray(rng.standard_normal(parameter.shape))


def test_layer_norm() -> None:
    layer = nn.LayerNorm((3, 4), eps=0.1, dtype="float64")
    assert values(layer.weight).tolist() == np.ones((3, 4)).tolist()
    assert values(layer.bias).tolist() == np.zeros((3, 4)).tolist()
    shift(layer)
    x = rng.standard_normal((2, 3, 4))
    near(layer(pe.asarray(x)), normal(x, (1, 2), 0.1) * values(layer.weight) + values(layer.bias))
    assert list(nn.LayerNorm(4, bias=False).state_dict()) == ["weight"]
    assert list(nn.LayerNorm(4, elementwise_affine=False).state_dict()) == []
    assert repr(nn.LayerNorm(4)) == "LayerNorm((4,), eps=1e-05, elementwise_affine=True)"


def test_rms_norm() -> None:
    layer = nn.RMSNorm(4, dtype="float64")
    shift(layer)
    x = rng.standard_normal((2, 3, 4))
    near(layer(pe.asarray(x)), x / np.sqrt((x**2).mean(-1, keepdims=True) + np.finfo(np.float64).eps) * values(layer.weight))


def test_group_norm() -> None:
    layer = nn.GroupNorm(2, 6, dtype="float64")
    shift(layer)
    x = rng.standard_normal((3, 6, 4, 5))
    expected = normal(x.reshape(3, 2, 3, 4, 5), (2, 3, 4), 1e-5).reshape(x.shape)
    near(layer(pe.asarray(x)), expected * by_channel(values(layer.weight), 2) + by_channel(values(layer.bias), 2))
    with pytest.raises(ValueError, match="GroupNorm: groups do not fit: num_channels 6, num_groups 4"):
        nn.GroupNorm(4, 6)


@pytest.mark.parametrize(("rank", "sizes"), [(1, ()), (1, (4,)), (2, (4, 5)), (3, (2, 3, 4))])
@pytest.mark.parametrize("momentum", [0.3, None])
def test_batch_norm(rank: int, sizes: tuple[int, ...], momentum: float | None) -> None:
    layer = getattr(nn, f"BatchNorm{rank}d")(3, momentum=momentum, dtype="float64")
    shift(layer)
    mean, var = np.zeros(3), np.ones(3)
    scale, offset = by_channel(values(layer.weight), len(sizes)), by_channel(values(layer.bias), len(sizes))
    axes = (0, *range(2, 2 + len(sizes)))
    for step in range(1, 4):
        x = rng.standard_normal((5, 3, *sizes))
        near(layer(pe.asarray(x)), normal(x, axes, 1e-5) * scale + offset)
        share = 1 / step if momentum is None else momentum
        mean = (1 - share) * mean + share * x.mean(axes)
        var = (1 - share) * var + share * x.var(axes, ddof=1)
        near(layer.running_mean, mean)
        near(layer.running_var, var)
        assert layer.num_batches_tracked.item() == step
    layer.eval()
    expected = (x - by_channel(mean, len(sizes))) / np.sqrt(by_channel(var, len(sizes)) + 1e-5) * scale + offset
    near(layer(pe.asarray(x)), expected)
    assert layer.num_batches_tracked.item() == 3
    layer.reset_running_stats()
    assert values(layer.running_var).tolist() == [1, 1, 1]


def test_batch_norm_state_and_errors() -> None:
    keys = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    assert list(nn.BatchNorm2d(3).state_dict()) == keys
    plain = nn.BatchNorm1d(3, affine=False, track_running_stats=False, dtype="float64").eval()
    assert list(plain.state_dict()) == []
    x = rng.standard_normal((5, 3))
    near(plain(pe.asarray(x)), normal(x, (0,), 1e-5))
    with pytest.raises(ValueError, match=r"BatchNorm2d: rank does not fit: shape \(2, 3\); must have rank 4"):
        nn.BatchNorm2d(3)(pe.ones((2, 3)))
    assert repr(nn.BatchNorm2d(3)) == "BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)"


@pytest.mark.parametrize(("rank", "sizes"), [(1, (4,)), (2, (4, 5)), (3, (2, 3, 4))])
def test_instance_norm(rank: int, sizes: tuple[int, ...]) -> None:
    layer = getattr(nn, f"InstanceNorm{rank}d")(3, affine=True, track_running_stats=True, dtype="float64")
    shift(layer)
    x = rng.standard_normal((2, 3, *sizes))
    axes = tuple(range(2, 2 + rank))
    scale, offset = by_channel(values(layer.weight), rank), by_channel(values(layer.bias), rank)
    near(layer(pe.asarray(x)), normal(x, axes, 1e-5) * scale + offset)
    mean, var = 0.1 * x.mean(axes).mean(0), 0.9 + 0.1 * x.var(axes, ddof=1).mean(0)
    near(layer.running_mean, mean)
    near(layer.running_var, var)
    near(layer(pe.asarray(x[0])), normal(x[:1], axes, 1e-5)[0] * scale + offset)
    layer.eval()
    mean, var = values(layer.running_mean), values(layer.running_var)
    near(layer(pe.asarray(x)), (x - by_channel(mean, rank)) / np.sqrt(by_channel(var, rank) + 1e-5) * scale + offset)
    assert list(getattr(nn, f"InstanceNorm{rank}d")(3).state_dict()) == []


# Activations, dropout --------------------------------------------------------------------------------------------------------------------


def sigmoid(x: Values) -> Values:
    return 1 / (1 + np.exp(-x))


ACTIVATIONS: list[tuple[nn.Module, Any]] = [
    (nn.ReLU(), lambda x: np.maximum(x, 0)),
    (nn.LeakyReLU(0.2), lambda x: np.where(x > 0, x, 0.2 * x)),
    (nn.ELU(0.5), lambda x: np.where(x > 0, x, 0.5 * np.expm1(x))),
    (nn.GELU(), lambda x: x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2),
    (nn.GELU("tanh"), lambda x: x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2),
    (nn.SiLU(), lambda x: x * sigmoid(x)),
    (nn.Sigmoid(), sigmoid),
    (nn.LogSigmoid(), lambda x: np.log(sigmoid(x))),
    (nn.Tanh(), np.tanh),
    (nn.Softplus(2.0), lambda x: np.log1p(np.exp(2 * x)) / 2),
    (nn.Softmax(1), lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True)),
    (nn.LogSoftmax(1), lambda x: np.log(np.exp(x) / np.exp(x).sum(1, keepdims=True))),
]


@pytest.mark.parametrize(("layer", "formula"), ACTIVATIONS, ids=lambda value: repr(value) if isinstance(value, nn.Module) else "")
def test_activations(layer: nn.Module, formula: Any) -> None:
    x = rng.standard_normal((3, 4))
    near(layer(pe.asarray(x)), formula(x))
    check_gradients(layer, x)


def test_prelu_learns_its_slope() -> None:
    layer = nn.PReLU(3, dtype="float64")
    assert values(layer.weight).tolist() == [0.25] * 3
    x = rng.standard_normal((2, 3, 4))
    pe.sum(layer(pe.asarray(x))).backward()
    near(layer.weight.grad, np.minimum(x, 0).sum((0, 2)))


def test_dropout() -> None:
    x = pe.ones((1000, 30))
    layer = nn.Dropout(0.25)
    y = values(layer(x))
    assert set(np.unique(y)) == {0.0, float(np.float32(1 / 0.75))}
    assert abs((y == 0).mean() - 0.25) < 5 * math.sqrt(0.25 * 0.75 / y.size)
    assert not np.array_equal(values(layer(x)), y)
    assert layer.eval()(x).tolist() == x.tolist()
    assert pe.sum(nn.Dropout(1.0)(x)).item() == 0
    assert nn.Dropout(0.0)(x).tolist() == x.tolist()
    with pytest.raises(ValueError, match=r"Dropout: p out of range: 1.5; must be in \[0, 1\]"):
        nn.Dropout(1.5)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_dropout_of_channels(rank: int) -> None:
    layer = getattr(nn, f"Dropout{rank}d")(0.5)
    for shape in ((200, 7, *[3] * rank), (200, *[3] * rank)):
        y = values(layer(pe.ones(shape))).reshape(*shape[: len(shape) - rank], -1)
        assert np.all(y == y[..., :1])
        assert set(np.unique(y)) == {0.0, 2.0}
    with pytest.raises(ValueError, match=f"dropout{rank}d: rank does not fit"):
        layer(pe.ones((2,)))


# Pooling ---------------------------------------------------------------------------------------------------------------------------------


def windows(x: Values, rank: int, kernel: int, stride: int) -> Values:
    view = np.lib.stride_tricks.sliding_window_view(x, [kernel] * rank, axis=tuple(range(-rank, 0)))
    return view[(..., *[slice(None, None, stride)] * rank, *[slice(None)] * rank)]


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_pooling(rank: int) -> None:
    x = rng.standard_normal((2, 3, *[7] * rank))
    axes = tuple(range(-rank, 0))
    near(getattr(nn, f"MaxPool{rank}d")(3, 2)(pe.asarray(x)), windows(x, rank, 3, 2).max(axes))
    near(getattr(nn, f"AvgPool{rank}d")(2)(pe.asarray(x)), windows(x, rank, 2, 2).mean(axes))
    halves = [slice(0, 4), slice(3, 7)]  # ⌊7 i / 2⌋ to ⌈7 (i + 1) / 2⌉
    for name, reduce in (("Avg", np.mean), ("Max", np.max)):
        expected = np.zeros((2, 3, *[2] * rank))
        for at in np.ndindex(*[2] * rank):
            expected[(..., *at)] = reduce(x[(..., *[halves[i] for i in at])], axis=axes)
        near(getattr(nn, f"Adaptive{name}Pool{rank}d")(2)(pe.asarray(x)), expected)


def test_pooling_describes_itself() -> None:
    assert repr(nn.MaxPool2d(2)) == "MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)"
    assert repr(nn.AvgPool2d(2, 3, padding="same")) == "AvgPool2d(kernel_size=2, stride=3, padding=same)"
    assert repr(nn.AdaptiveAvgPool2d((None, 3))) == "AdaptiveAvgPool2d(output_size=(None, 3))"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: nn.Conv2d(3, 4, 3, groups=2),
            "Conv2d: groups do not fit: in_channels 3, out_channels 4, groups 2; groups must divide both",
        ),
        (lambda: nn.Conv2d(2, 4, (3, 3, 3)), r"Conv2d: kernel_size does not fit: \(3, 3, 3\); one number, or 2"),
        (lambda: nn.Conv2d(2, 4, 3, padding_mode="x"), "Conv2d: unknown padding_mode: 'x'"),
        (lambda: nn.Conv2d(2, 4, 3, padding="same", padding_mode="reflect"), "Conv2d: padding 'same' with padding_mode 'reflect'"),
    ],
)
def test_errors(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
