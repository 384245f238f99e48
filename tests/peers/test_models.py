"""ResNet-18, GPT-2 and the vision transformer against their like in plain PyTorch: weights through files both ways, outputs, gradients.

Tolerances. A layer's sums of K products have a relative error of gamma(K) each, on the scale of the largest element; normalisation keeps
the scale, so those of the layers add up. The gradient's path is as long again twice (for inputs and for weights, whose sums run over
batch and places). Both libraries round, so the bound counts twice: 2 gamma(3 ΣK) of the largest element.
In bfloat16 that bound is void. There the project's rule for kernels holds: our error, against float64, is at most twice PyTorch's.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import pyengine as pe
from pyengine import models
from tests.tolerance import gamma

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no peer to compare models with")
library = pytest.importorskip("safetensors.torch", reason="safetensors is not installed: PyTorch has no file to read")
F, Module = torch.nn.functional, torch.nn.Module
rng = np.random.default_rng(0)


# The same three in torch.nn -----------------------------------------------------------------------------------------------------------


def conv(channels: int, filters: int, size: int, stride: int) -> Any:
    return torch.nn.Conv2d(channels, filters, size, stride, size // 2, bias=False)


class TorchBlock(Module):  # type: ignore[misc, valid-type]
    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv(channels, filters, 3, stride), torch.nn.BatchNorm2d(filters)
        self.conv2, self.bn2 = conv(filters, filters, 3, 1), torch.nn.BatchNorm2d(filters)
        if stride != 1:
            self.downsample = torch.nn.Sequential(conv(channels, filters, 1, stride), torch.nn.BatchNorm2d(filters))

    def forward(self, x: Any) -> Any:
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + (self.downsample(x) if hasattr(self, "downsample") else x))


class TorchResNet(Module):  # type: ignore[misc, valid-type]
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv(3, 64, 7, 2), torch.nn.BatchNorm2d(64)
        for i, (before, after) in enumerate([(64, 64), (64, 128), (128, 256), (256, 512)], 1):
            setattr(self, f"layer{i}", torch.nn.Sequential(TorchBlock(before, after, 1 + (i > 1)), TorchBlock(after, after, 1)))
        self.fc = torch.nn.Linear(512, 1000)

    def forward(self, x: Any) -> Any:
        x = F.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        return self.fc(self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean((2, 3)))


class TorchAffine(Module):  # type: ignore[misc, valid-type]
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(inputs, outputs) * 0.2)
        self.bias = torch.nn.Parameter(torch.randn(outputs) * 0.2)

    def forward(self, x: Any) -> Any:
        return F.linear(x, self.weight.T, self.bias)


VOCABULARY, CONTEXT, WIDTH, DEPTH, HEADS = 101, 24, 48, 3, 4


class TorchGPT2(Module):  # type: ignore[misc, valid-type]
    def __init__(self) -> None:
        super().__init__()
        self.transformer = Module()
        self.transformer.wte = torch.nn.Embedding(VOCABULARY, WIDTH)
        self.transformer.wpe = torch.nn.Embedding(CONTEXT, WIDTH)
        self.transformer.h = torch.nn.ModuleList(Module() for _ in range(DEPTH))
        for block in self.transformer.h:
            block.ln_1, block.ln_2, block.attn, block.mlp = torch.nn.LayerNorm(WIDTH), torch.nn.LayerNorm(WIDTH), Module(), Module()
            block.attn.c_attn, block.attn.c_proj = TorchAffine(WIDTH, 3 * WIDTH), TorchAffine(WIDTH, WIDTH)
            block.mlp.c_fc, block.mlp.c_proj = TorchAffine(WIDTH, 4 * WIDTH), TorchAffine(4 * WIDTH, WIDTH)
        self.transformer.ln_f = torch.nn.LayerNorm(WIDTH)
        self.lm_head = torch.nn.Linear(WIDTH, VOCABULARY, bias=False)
        self.lm_head.weight = self.transformer.wte.weight

    def forward(self, tokens: Any) -> Any:
        n, length = tokens.shape
        x = self.transformer.wte(tokens) + self.transformer.wpe.weight[:length]
        future = torch.ones(length, length).triu(1).bool()
        for block in self.transformer.h:
            parts = block.attn.c_attn(block.ln_1(x)).reshape(n, length, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
            scores = (parts[0] @ parts[1].mT / parts[0].shape[-1] ** 0.5).masked_fill(future, -torch.inf)
            x = x + block.attn.c_proj((scores.softmax(-1) @ parts[2]).transpose(1, 2).reshape(n, length, WIDTH))
            x = x + block.mlp.c_proj(F.gelu(block.mlp.c_fc(block.ln_2(x)), approximate="tanh"))
        return self.lm_head(self.transformer.ln_f(x))


class TorchViT(Module):  # type: ignore[misc, valid-type]
    def __init__(self) -> None:
        super().__init__()
        self.class_token = torch.nn.Parameter(torch.randn(1, 1, WIDTH))
        self.conv_proj = torch.nn.Conv2d(3, WIDTH, 8, 8)
        self.encoder, self.heads = Module(), Module()
        self.encoder.pos_embedding = torch.nn.Parameter(torch.randn(1, 17, WIDTH))
        self.encoder.layers = torch.nn.ModuleDict({f"encoder_layer_{i}": Module() for i in range(DEPTH)})
        for layer in self.encoder.layers.values():
            layer.ln_1, layer.ln_2 = torch.nn.LayerNorm(WIDTH, 1e-6), torch.nn.LayerNorm(WIDTH, 1e-6)
            layer.self_attention = torch.nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
            layer.mlp = torch.nn.Sequential(
                torch.nn.Linear(WIDTH, 96), torch.nn.GELU(), torch.nn.Dropout(0), torch.nn.Linear(96, WIDTH), torch.nn.Dropout(0)
            )
        self.encoder.ln = torch.nn.LayerNorm(WIDTH, 1e-6)
        self.heads.head = torch.nn.Linear(WIDTH, 10)

    def forward(self, x: Any) -> Any:
        patches = self.conv_proj(x).flatten(2).mT
        x = torch.cat([self.class_token.expand(len(x), 1, -1), patches], 1) + self.encoder.pos_embedding
        for layer in self.encoder.layers.values():
            h = layer.ln_1(x)
            x = x + layer.self_attention(h, h, h, need_weights=False)[0]
            x = x + layer.mlp(layer.ln_2(x))
        return self.heads.head(self.encoder.ln(x)[:, 0])


class Pair(NamedTuple):
    ours: Callable[[], Any]
    theirs: Callable[[], Any]
    inputs: Callable[[], Any]
    products: int
    """ΣK over the layers, and of the gradients' sums over batch and places."""
    parameters: tuple[Callable[[], Any], int]
    """The model at full size, and how many parameters the published one has."""


def image(size: int) -> Any:
    return rng.standard_normal((2, 3, size, size))


_BLOCK = WIDTH + CONTEXT + WIDTH + WIDTH + 4 * WIDTH + 4 * WIDTH  # q k v, scores and values, out, in, back, norms
PAIRS = {
    "resnet18": Pair(
        models.resnet18,
        TorchResNet,
        lambda: image(64),
        147 + 4 * 576 + 576 + 3 * 1152 + 1152 + 3 * 2304 + 2304 + 3 * 4608 + 512 + 2 * 32 * 32,
        (models.resnet18, 11_689_512),
    ),
    "gpt2": Pair(
        lambda: models.gpt2(VOCABULARY, CONTEXT, WIDTH, DEPTH, HEADS),
        TorchGPT2,
        lambda: rng.integers(0, VOCABULARY, (2, CONTEXT)),
        DEPTH * _BLOCK + 2 * WIDTH + VOCABULARY + 2 * CONTEXT,
        (models.gpt2, 124_439_808),
    ),
    "vit": Pair(
        lambda: models.vit(32, 8, WIDTH, DEPTH, HEADS, 96, 10),
        TorchViT,
        lambda: image(32),
        192 + DEPTH * _BLOCK + 2 * WIDTH + 2 * 17,
        (models.vit, 86_567_656),
    ),
}


# Comparing ----------------------------------------------------------------------------------------------------------------------------


def float64(values: Any) -> Any:
    return values.detach().double().numpy() if isinstance(values, torch.Tensor) else values.detach().to(pe.float64).numpy()


def error(found: Any, exact: Any) -> float:
    return float(np.abs(float64(found) - float64(exact)).max(initial=0))


def results(model: Any, x: Any, weights: Any) -> tuple[Any, dict[str, Any]]:
    """The output, and the gradients of a weighted sum of it."""
    y = model(x)
    (y * weights).sum().backward()
    return y, {name: parameter.grad for name, parameter in model.named_parameters()}


def perturbed(peer: Any) -> Any:
    """No parameter and no statistic at a neutral value, which would hide that it is left out."""
    with torch.no_grad():
        for name, value in peer.state_dict().items():
            if value.ndim == 1 and value.is_floating_point():
                value += 0.1 * torch.randn_like(value).abs() if name.endswith("var") else 0.1 * torch.randn_like(value)
    return peer


def exchange(name: str, direction: str, folder: Path) -> tuple[Any, Any]:
    """Our model and PyTorch's, one with its own weights, the other with what it read from the first one's file."""
    pair = PAIRS[name]
    torch.manual_seed(0)
    pe.manual_seed(0)
    ours, theirs = pair.ours(), perturbed(pair.theirs())
    path = folder / "m.safetensors"
    tied = {"lm_head.weight"} if name == "gpt2" else set()
    if direction == "ours to theirs":
        ours.load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
        index = folder / "m.safetensors.index.json"
        pe.save(ours.state_dict(), path)
        pe.save(ours.state_dict(), index, shard_size=1 << 20)
        theirs = pair.theirs()
        theirs.load_state_dict(library.load_file(path))
        for shard in folder.glob("m-*.safetensors"):
            for key, value in library.load_file(shard).items():
                assert torch.equal(value, theirs.state_dict()[key])
    else:
        state = theirs.state_dict()
        library.save_file({key: value for key, value in state.items() if key not in tied}, path, {"format": "pt"})
        read = ours.load_state_dict(pe.load(path), strict=not tied)
        assert set(read.missing_keys) == tied
        assert not read.unexpected_keys
    assert {key: value.shape for key, value in ours.state_dict().items()} == {
        key: tuple(value.shape) for key, value in theirs.state_dict().items()
    }
    return ours.eval(), theirs.eval()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("direction", ["ours to theirs", "theirs to ours"])
@pytest.mark.parametrize("name", PAIRS)
def test_one_checkpoint_gives_one_function_and_its_gradients(tmp_path: Path, name: str, direction: str, dtype: str) -> None:
    ours, theirs = exchange(name, direction, tmp_path)
    x = PAIRS[name].inputs()
    x = x.astype(dtype) if x.dtype.kind == "f" else x
    ours, theirs = ours.to(dtype), theirs.to(getattr(torch, dtype))
    weights = rng.standard_normal(theirs(torch.tensor(x)).shape).astype(dtype)
    y, gradients = results(ours, pe.asarray(x), pe.asarray(weights))
    z, wanted = results(theirs, torch.tensor(x), torch.tensor(weights))
    bound = 2 * gamma(3 * PAIRS[name].products, dtype)
    assert error(y, z) <= bound * np.abs(float64(z)).max()
    assert gradients.keys() == wanted.keys()
    for key, gradient in wanted.items():
        assert error(gradients[key], gradient) <= bound * np.abs(float64(gradient)).max(), key


@pytest.mark.parametrize("name", PAIRS)
def test_in_bfloat16_our_error_is_at_most_twice_pytorchs(tmp_path: Path, name: str) -> None:
    """Through a bfloat16 file: the weights are the same to the bit, whoever rounded them."""
    ours, theirs = exchange(name, "theirs to ours", tmp_path)
    pe.save(ours.to(pe.bfloat16).state_dict(), tmp_path / "bf16.safetensors")
    theirs.load_state_dict(library.load_file(tmp_path / "bf16.safetensors"))
    exact = theirs.double()
    x = PAIRS[name].inputs()
    inputs = torch.tensor(x).bfloat16() if x.dtype.kind == "f" else torch.tensor(x)
    with torch.no_grad():
        z = exact(inputs.double() if inputs.is_floating_point() else inputs)
        rounded = theirs.bfloat16()(inputs)
    y = ours(pe.from_dlpack(inputs).to(pe.get_default_device()))
    assert y.dtype == pe.bfloat16
    assert error(y, z) <= 2 * error(rounded, z) + 2.0**-8 * np.abs(float64(z)).max()


@pytest.mark.parametrize("name", PAIRS)
def test_at_full_size_there_are_as_many_parameters_as_published(name: str) -> None:
    model, count = PAIRS[name].parameters
    assert sum(parameter.size for parameter in model().parameters()) == count
