"""Layers against PyTorch: state keys and shapes, outputs, gradients of input and parameters, running statistics, first values'
distributions."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest

import pyengine as pe
from pyengine import nn

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no peer to compare layers with")

rng = np.random.default_rng(0)
EPS = float(np.finfo(np.float64).eps)


def normal(*shape: int) -> np.ndarray[Any, Any]:
    return rng.standard_normal(shape)


def classes(*shape: int) -> np.ndarray[Any, Any]:
    return rng.integers(0, 6, shape)


def case(name: str, *args: Any, inputs: list[Any], eval: bool = False, **settings: Any) -> Any:
    text = ", ".join([*map(repr, args), *(f"{k}={v!r}" for k, v in settings.items())])
    return pytest.param(name, args, settings, inputs, eval, id=f"{name}({text})")


IMAGE, VOLUME, SEQUENCE = normal(2, 4, 9, 8), normal(2, 4, 5, 6, 7), normal(2, 4, 11)
TOKENS = normal(5, 2, 8)

LAYERS = [
    case("Linear", 5, 7, inputs=[normal(2, 3, 5)]),
    case("Linear", 5, 7, bias=False, inputs=[normal(5)]),
    case("Bilinear", 3, 4, 5, inputs=[normal(2, 3), normal(2, 4)]),
    case("Embedding", 6, 3, padding_idx=2, inputs=[classes(3, 4)]),
    case("Conv1d", 4, 6, 3, stride=2, padding=1, groups=2, inputs=[SEQUENCE]),
    case("Conv1d", 4, 6, 4, padding="same", dilation=2, inputs=[SEQUENCE]),
    case("Conv2d", 4, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), inputs=[IMAGE]),
    case("Conv2d", 4, 4, 3, padding=1, groups=4, padding_mode="reflect", bias=False, inputs=[IMAGE]),
    case("Conv2d", 4, 4, 3, padding=2, padding_mode="circular", inputs=[IMAGE]),
    case("Conv2d", 4, 4, 3, padding="valid", inputs=[IMAGE]),
    case("Conv2d", 4, 4, 3, inputs=[IMAGE[0]]),
    case("Conv3d", 4, 6, 3, stride=2, padding=1, inputs=[VOLUME]),
    case("ConvTranspose1d", 4, 6, 3, stride=2, padding=1, output_padding=1, groups=2, inputs=[SEQUENCE]),
    case("ConvTranspose2d", 4, 6, (3, 4), stride=(1, 3), padding=(0, 1), output_padding=(0, 2), dilation=(2, 1), inputs=[IMAGE]),
    case("ConvTranspose3d", 4, 2, 2, stride=2, bias=False, inputs=[VOLUME]),
    case("MaxPool1d", 3, 2, 1, return_indices=True, inputs=[SEQUENCE]),
    case("MaxPool2d", (3, 2), stride=2, dilation=(1, 2), ceil_mode=True, inputs=[IMAGE]),
    case("MaxPool3d", 2, inputs=[VOLUME]),
    case("AvgPool1d", 3, 2, 1, inputs=[SEQUENCE]),
    case("AvgPool2d", 3, 2, 1, ceil_mode=True, count_include_pad=False, inputs=[IMAGE]),
    case("AvgPool2d", (3, 2), inputs=[IMAGE]),
    case("AvgPool3d", 2, 2, 1, inputs=[VOLUME]),
    case("AdaptiveAvgPool1d", 4, inputs=[SEQUENCE]),
    case("AdaptiveAvgPool2d", (None, 3), inputs=[IMAGE]),
    case("AdaptiveAvgPool3d", (2, 3, 7), inputs=[VOLUME]),
    case("AdaptiveMaxPool1d", 4, inputs=[SEQUENCE]),
    case("AdaptiveMaxPool2d", 4, return_indices=True, inputs=[IMAGE]),
    case("AdaptiveMaxPool3d", (2, 3, 7), inputs=[VOLUME]),
    case("BatchNorm1d", 4, inputs=[normal(7, 4)]),
    case("BatchNorm1d", 4, momentum=None, eps=0.1, inputs=[SEQUENCE]),
    case("BatchNorm2d", 4, inputs=[IMAGE]),
    case("BatchNorm2d", 4, eval=True, inputs=[IMAGE]),
    case("BatchNorm2d", 4, affine=False, track_running_stats=False, inputs=[IMAGE]),
    case("BatchNorm3d", 4, momentum=0.3, inputs=[VOLUME]),
    case("InstanceNorm1d", 4, inputs=[SEQUENCE]),
    case("InstanceNorm2d", 4, affine=True, track_running_stats=True, inputs=[IMAGE]),
    case("InstanceNorm2d", 4, affine=True, track_running_stats=True, eval=True, inputs=[IMAGE]),
    case("InstanceNorm3d", 4, affine=True, inputs=[VOLUME[0]]),
    case("LayerNorm", (9, 8), inputs=[IMAGE]),
    case("LayerNorm", 8, bias=False, eps=0.1, inputs=[IMAGE]),
    case("LayerNorm", 8, elementwise_affine=False, inputs=[IMAGE]),
    case("RMSNorm", 8, inputs=[IMAGE]),
    case("RMSNorm", (9, 8), eps=0.1, inputs=[IMAGE]),
    case("GroupNorm", 2, 4, inputs=[IMAGE]),
    case("GroupNorm", 4, 4, affine=False, inputs=[SEQUENCE]),
    case("ReLU", inputs=[IMAGE]),
    case("LeakyReLU", 0.3, inputs=[IMAGE]),
    case("PReLU", 4, inputs=[IMAGE]),
    case("ELU", 0.7, inputs=[IMAGE]),
    case("GELU", inputs=[IMAGE]),
    case("GELU", approximate="tanh", inputs=[IMAGE]),
    case("SiLU", inputs=[IMAGE]),
    case("Tanh", inputs=[IMAGE]),
    case("Sigmoid", inputs=[IMAGE]),
    case("LogSigmoid", inputs=[IMAGE]),
    case("Softplus", 2.0, inputs=[IMAGE]),
    case("Softmax", dim=1, inputs=[IMAGE]),
    case("LogSoftmax", dim=-1, inputs=[IMAGE]),
    case("Flatten", inputs=[IMAGE]),
    case("Unflatten", 1, (2, 2), inputs=[IMAGE]),
    case("Identity", inputs=[IMAGE]),
    case("Upsample", scale_factor=2, inputs=[IMAGE]),
    case("Upsample", size=(5, 12), inputs=[IMAGE]),
    case("Upsample", size=7, mode="linear", align_corners=True, inputs=[SEQUENCE]),
    case("Upsample", scale_factor=(2, 0.5), mode="bilinear", inputs=[IMAGE]),
    case("Upsample", size=(4, 9, 7), mode="trilinear", inputs=[VOLUME]),
    case("Dropout", 0.5, eval=True, inputs=[IMAGE]),
    case("MultiheadAttention", 8, 2, inputs=[TOKENS, normal(4, 2, 8), normal(4, 2, 8)]),
    case(
        "MultiheadAttention", 8, 2, kdim=3, vdim=5, bias=False, batch_first=True, inputs=[normal(2, 5, 8), normal(2, 4, 3), normal(2, 4, 5)]
    ),
    case("TransformerEncoderLayer", 8, 2, 12, dropout=0.0, inputs=[TOKENS]),
    case(
        "TransformerEncoderLayer", 8, 2, 12, dropout=0.0, activation="gelu", norm_first=True, bias=False, batch_first=True, inputs=[TOKENS]
    ),
    case("TransformerDecoderLayer", 8, 2, 12, dropout=0.0, inputs=[TOKENS, normal(4, 2, 8)]),
]


def outputs(result: Any) -> list[Any]:
    return list(result) if isinstance(result, tuple) else [result]


def copy_state(layer: Any, peer: Any) -> None:
    """The same values, none of them neutral, in both; keys, shapes and order must be PyTorch's."""
    state, peer_state = layer.state_dict(), peer.state_dict()
    assert list(state) == list(peer_state)
    for name, value in peer_state.items():
        assert state[name].shape == tuple(value.shape), name
        if value.is_floating_point():
            value.copy_(torch.tensor(np.abs(normal(*value.shape)) + 0.5 if name.endswith("var") else normal(*value.shape)))
    layer.load_state_dict({name: value.numpy() for name, value in peer_state.items()})


def close(actual: Any, expected: Any, what: str) -> None:
    """Two correct float64 results, thousands of roundings apart at most, on the scale of the largest element."""
    actual, expected = np.asarray(actual.detach()), expected.detach().numpy()
    assert actual.shape == expected.shape, what
    scale = max(1.0, float(np.abs(expected).max(initial=0)))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=4096 * EPS * scale, err_msg=what)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize(("name", "args", "settings", "inputs", "eval"), LAYERS)
def test_layers(name: str, args: tuple[Any, ...], settings: dict[str, Any], inputs: list[Any], eval: bool) -> None:
    layer: Any = getattr(nn, name)(*args, **settings).to("float64")
    peer = getattr(torch.nn, name)(*args, **settings).to(torch.float64)
    copy_state(layer, peer)
    if eval:
        layer.eval()
        peer.eval()
    ours = [pe.asarray(x, requires_grad=x.dtype == np.float64) for x in inputs]
    theirs = [torch.tensor(x, requires_grad=x.dtype == np.float64) for x in inputs]
    results, expected = outputs(layer(*ours)), outputs(peer(*theirs))
    total, peer_total = pe.zeros((), "float64"), torch.zeros((), dtype=torch.float64)
    for y, z in zip(results, expected, strict=True):
        close(y, z, "output")
        if not z.is_floating_point():
            continue
        weights = normal(*y.shape)
        total, peer_total = total + pe.sum(y * pe.asarray(weights)), peer_total + (z * torch.tensor(weights)).sum()
    if not total.requires_grad:
        return
    total.backward()
    peer_total.backward()
    for i, (x, z) in enumerate(zip(ours, theirs, strict=True)):
        if z.grad is not None:
            close(x.grad, z.grad, f"gradient of input {i}")
    gradients = {name: parameter.grad for name, parameter in layer.named_parameters()}
    for key, parameter in peer.named_parameters():
        close(gradients[key], parameter.grad, f"gradient of {key}")
    for key, buffer in peer.named_buffers():
        close(layer.state_dict()[key], buffer, f"buffer {key}")


@pytest.mark.parametrize(("need_weights", "average"), [(False, True), (True, True), (True, False)])
@pytest.mark.parametrize("masks", ["padding", "boolean", "floating", "batched", "both"])
def test_attention_masks(masks: str, need_weights: bool, average: bool) -> None:
    layer, peer = nn.MultiheadAttention(8, 2).to("float64"), torch.nn.MultiheadAttention(8, 2).to(torch.float64)
    copy_state(layer, peer)
    given: dict[str, Any] = {}
    if masks in ("padding", "both"):
        given["key_padding_mask"] = np.array([[False, True, False, False], [False, False, False, True]])
    if masks in ("boolean", "both"):
        given["attn_mask"] = np.triu(np.ones((5, 4), bool), 2)
    if masks in ("floating", "batched"):
        given["attn_mask"] = normal(5, 4) if masks == "floating" else normal(4, 5, 4)
    arrays = [TOKENS, normal(4, 2, 8), normal(4, 2, 8)]
    settings = {"need_weights": need_weights, "average_attn_weights": average}
    result, weights = layer(*map(pe.asarray, arrays), **{k: pe.asarray(v) for k, v in given.items()}, **settings)
    expected, expected_weights = peer(*map(torch.tensor, arrays), **{k: torch.tensor(v) for k, v in given.items()}, **settings)
    close(result, expected, "output")
    assert (weights is None) == (expected_weights is None)
    if weights is not None:
        close(weights, expected_weights, "weights")


@pytest.mark.parametrize("name", ["TransformerEncoder", "TransformerDecoder"])
def test_stacks(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that PyTorch's fast path for nested tensors is off
        peer = getattr(torch.nn, name)(getattr(torch.nn, f"{name}Layer")(8, 2, 12, dropout=0.0), 2, torch.nn.LayerNorm(8)).to(torch.float64)
    layer = getattr(nn, name)(getattr(nn, f"{name}Layer")(8, 2, 12, dropout=0.0), 2, nn.LayerNorm(8)).to("float64")
    copy_state(layer, peer)
    arrays = [TOKENS] if name == "TransformerEncoder" else [TOKENS, normal(4, 2, 8)]
    mask = np.triu(np.full((5, 5), -np.inf), 1)
    close(layer(*map(pe.asarray, arrays), pe.asarray(mask)), peer(*map(torch.tensor, arrays), torch.tensor(mask)), "output")


INITIALISED = [
    ("Linear", (300, 200), {}),
    ("Bilinear", (30, 20, 40), {}),
    ("Embedding", (200, 100), {"padding_idx": 3}),
    ("Conv1d", (40, 60, 5), {"groups": 2}),
    ("Conv2d", (20, 40, 3), {}),
    ("Conv3d", (8, 12, 3), {}),
    ("ConvTranspose1d", (40, 60, 5), {"groups": 2}),
    ("ConvTranspose2d", (20, 40, 3), {}),
    ("ConvTranspose3d", (8, 12, 3), {}),
    ("BatchNorm2d", (7,), {}),
    ("LayerNorm", (7,), {}),
    ("GroupNorm", (1, 7), {}),
    ("PReLU", (3,), {}),
    ("MultiheadAttention", (64, 4), {}),
    ("MultiheadAttention", (64, 4), {"kdim": 30, "vdim": 50}),
    ("TransformerEncoderLayer", (32, 4, 100), {}),
]


@pytest.mark.parametrize(("name", "args", "settings"), INITIALISED)
def test_first_values_have_the_same_distribution(name: str, args: tuple[Any, ...], settings: dict[str, Any]) -> None:
    pe.manual_seed(0)
    torch.manual_seed(0)
    ours, theirs = getattr(nn, name)(*args, **settings).state_dict(), getattr(torch.nn, name)(*args, **settings).state_dict()
    for key, value in theirs.items():
        a, b = np.sort(np.asarray(ours[key], np.float64).reshape(-1)), np.sort(value.numpy().astype(np.float64).reshape(-1))
        # Kolmogorov-Smirnov for two samples of n: beyond 3.5 √(2 / n) with probability 2 exp(-2 · 3.5²) = 5e-11
        gap = np.abs(np.searchsorted(a, b, side="right") - np.searchsorted(b, b, side="right")).max() / a.size
        assert gap <= 3.5 * math.sqrt(2 / a.size), key
        assert np.abs(a).max() == pytest.approx(np.abs(b).max(), rel=0.35 if name == "Embedding" else 20 / a.size + 1e-6), key


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize(
    ("name", "settings", "target"),
    [
        ("MSELoss", {}, normal(5, 3)),
        ("L1Loss", {}, normal(5, 3)),
        ("HuberLoss", {"delta": 0.5}, normal(5, 3)),
        ("SmoothL1Loss", {"beta": 0.5}, normal(5, 3)),
        ("KLDivLoss", {}, rng.uniform(0, 1, (5, 3))),
        ("KLDivLoss", {"log_target": True}, normal(5, 3)),
        ("BCEWithLogitsLoss", {"pos_weight": normal(3)}, rng.uniform(0, 1, (5, 3))),
        ("NLLLoss", {"weight": rng.uniform(0.5, 2, 3), "ignore_index": 1}, np.array([0, 1, 2, 2, 0])),
        ("CrossEntropyLoss", {"weight": rng.uniform(0.5, 2, 3), "label_smoothing": 0.1}, np.array([0, 1, 2, 2, 0])),
    ],
)
def test_losses(name: str, settings: dict[str, Any], target: np.ndarray[Any, Any], reduction: str) -> None:
    x = normal(5, 3)
    arrays = {key: value for key, value in settings.items() if isinstance(value, np.ndarray)}
    loss = getattr(nn, name)(reduction=reduction, **{**settings, **{key: pe.asarray(value) for key, value in arrays.items()}})
    peer = getattr(torch.nn, name)(reduction=reduction, **{**settings, **{key: torch.tensor(value) for key, value in arrays.items()}})
    ours, theirs = pe.asarray(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # KLDivLoss: that 'mean' divides by all elements
        result, expected = loss(ours, pe.asarray(target)), peer(theirs, torch.tensor(target))
    close(result, expected, "loss")
    pe.sum(result).backward()
    expected.sum().backward()
    close(ours.grad, theirs.grad, "gradient")


def test_binary_cross_entropy_of_probabilities() -> None:
    p, y = rng.uniform(0.01, 0.99, (2, 5, 3))
    p[0, 0], p[0, 1] = 0.0, 1.0
    close(nn.BCELoss()(pe.asarray(p), pe.asarray(y)), torch.nn.BCELoss()(torch.tensor(p), torch.tensor(y)), "loss")


@pytest.mark.parametrize(("norm_type", "max_norm"), [(2.0, 1.0), (1.0, 0.5), (math.inf, 0.1), (2.0, 1e6)])
def test_clipping(norm_type: float, max_norm: float) -> None:
    ours, theirs = [], []
    for shape in ((3, 4), (5,)):
        g = normal(*shape)
        ours.append(nn.Parameter(pe.zeros(shape, "float64")))
        theirs.append(torch.nn.Parameter(torch.zeros(shape, dtype=torch.float64)))
        ours[-1].grad, theirs[-1].grad = pe.asarray(g), torch.tensor(g)
    total = nn.utils.clip_grad_norm_(ours, max_norm, norm_type)
    expected = torch.nn.utils.clip_grad_norm_(theirs, max_norm, norm_type)
    close(total, expected, "norm")
    for a, b in zip(ours, theirs, strict=True):
        close(a.grad, b.grad, "clipped by norm")
    nn.utils.clip_grad_value_(ours, 0.05)
    torch.nn.utils.clip_grad_value_(theirs, 0.05)
    for a, b in zip(ours, theirs, strict=True):
        close(a.grad, b.grad, "clipped by value")
    close(nn.utils.parameters_to_vector(ours), torch.nn.utils.parameters_to_vector(theirs), "vector")


PADS = [
    ("constant", (1, 2, 0, 3)),
    ("constant", (-1, 2)),
    ("reflect", (2, 1, 1, 2)),
    ("replicate", (2, 1, 0, 4)),
    ("circular", (2, 1, 1, 0)),
]


@pytest.mark.parametrize(("mode", "widths"), PADS)
def test_pad(mode: str, widths: tuple[int, ...]) -> None:
    value = 3.0 if mode == "constant" else None
    settings = {} if value is None else {"value": value}
    close(
        nn.functional.pad(pe.asarray(IMAGE), widths, mode, **settings),
        torch.nn.functional.pad(torch.tensor(IMAGE), widths, mode, value),
        mode,
    )
