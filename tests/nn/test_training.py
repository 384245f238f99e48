"""All together: networks learn, to the same bits every time, and go on from a checkpoint as if nothing had happened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyengine as pe
from pyengine import _engine, nn, optim

XOR = (np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32), np.array([0, 1, 1, 0]))


def fit(model: nn.Module, optimizer: optim.Optimizer, x: Any, y: Any, steps: int) -> list[float]:
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(pe.asarray(x)), pe.asarray(y))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def perceptron() -> nn.Module:
    pe.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Dropout(0.1), nn.Linear(16, 2))


@pytest.mark.parametrize(
    "make",
    [
        lambda p: optim.SGD(p, lr=0.5, momentum=0.9),
        lambda p: optim.Adam(p, lr=0.05),
        lambda p: optim.AdamW(p, lr=0.05),
        lambda p: optim.RMSprop(p, lr=0.02),
    ],
)
def test_every_optimiser_learns_xor(make: Any) -> None:
    model = perceptron()
    assert fit(model, make(model.parameters()), *XOR, 150)[-1] < 0.1
    model.eval()
    np.testing.assert_array_equal(pe.argmax(model(pe.asarray(XOR[0])), axis=1).numpy(), XOR[1])


def test_muon_and_adamw_share_a_network() -> None:
    model = perceptron()
    matrices, rest = [p for p in model.parameters() if p.ndim == 2], [p for p in model.parameters() if p.ndim != 2]
    muon, adamw = optim.Muon(matrices, lr=0.05), optim.AdamW(rest, lr=0.05)
    for _ in range(150):
        model.zero_grad()
        loss = nn.functional.cross_entropy(model(pe.asarray(XOR[0])), pe.asarray(XOR[1]))
        loss.backward()
        muon.step()
        adamw.step()
    assert loss.item() < 0.1


def network() -> nn.Module:
    pe.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, stride=2, padding="same"),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(16, 3),
    )


def images(seed: int) -> tuple[Any, Any]:
    """Bars: upright, level, slanting."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 3, 32)
    place = rng.integers(0, 8, 32)
    x = 0.1 * rng.standard_normal((32, 1, 8, 8))
    for image, kind, at in zip(x, kinds, place, strict=True):
        across, down = (at, np.arange(8)) if kind == 0 else (np.arange(8), at) if kind == 1 else (np.arange(8), np.arange(8))
        image[0, down, across] += 1
    return x.astype(np.float32), kinds


def test_a_convolutional_network_learns_bars() -> None:
    model = network()
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    for seed in range(60):
        fit(model, optimizer, *images(seed), 1)
    model.eval()
    x, kinds = images(1000)
    assert (pe.argmax(model(pe.asarray(x)), axis=1).numpy() == kinds).mean() > 0.9


def test_bits_do_not_depend_on_threads() -> None:
    results = set()
    for threads in (1, 2, 3):
        _engine.set_thread_count(threads)
        model = network()
        fit(model, optim.Adam(model.parameters()), *images(0), 3)
        results.add(nn.utils.parameters_to_vector(model.parameters()).detach().numpy().tobytes())
    assert len(results) == 1


def test_going_on_from_a_checkpoint(tmp_path: Path) -> None:
    straight = network().eval()  # without random numbers
    optimizer = optim.SGD(straight.parameters(), lr=0.1)
    fit(straight, optimizer, *images(0), 2)
    pe.save(straight.state_dict(), tmp_path / "model.safetensors")
    expected = fit(straight, optimizer, *images(0), 2)
    resumed = network().eval()
    resumed.load_state_dict(pe.load(tmp_path / "model.safetensors"))
    assert fit(resumed, optim.SGD(resumed.parameters(), lr=0.1), *images(0), 2) == expected


def test_a_transformer_learns_to_reverse() -> None:
    pe.manual_seed(0)
    embed, place = nn.Embedding(5, 16), nn.Parameter(pe.randn(1, 6, 16))
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True, norm_first=True), 1)
    head = nn.Linear(16, 5)
    model = nn.ModuleList([embed, encoder, head])
    optimizer = optim.AdamW([*model.parameters(), place], lr=0.01)
    rng = np.random.default_rng(0)
    for _ in range(150):
        tokens = rng.integers(0, 5, (32, 6))
        optimizer.zero_grad()
        logits = head(encoder(embed(pe.asarray(tokens)) + place))
        loss = nn.functional.cross_entropy(logits.reshape(-1, 5), pe.asarray(tokens[:, ::-1].copy()).reshape(-1))
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    assert loss.item() < 0.1
