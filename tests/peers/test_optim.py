"""Optimisers and schedules against PyTorch: trajectories over several steps, state dicts in both directions."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import pyengine as pe
from pyengine import optim
from tests.tolerance import assert_within, roundings

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no peer to compare optimisers with")

STEPS = 8
# About thirty operations a step, each rounded here and there; errors of earlier steps pass on undiminished.
ROUNDINGS = 2 * 32 * STEPS

CASES: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True}),
    ("Adam", {"lr": 0.1}),
    ("Adam", {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1, "amsgrad": True}),
    ("Adam", {"lr": 0.1, "maximize": True}),
    ("AdamW", {"lr": 0.1}),
    ("AdamW", {"lr": 0.1, "weight_decay": 0.5, "amsgrad": True}),
    ("RMSprop", {"lr": 0.1}),
    ("RMSprop", {"lr": 0.1, "alpha": 0.5, "momentum": 0.9, "centered": True, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.1, "momentum": 0.5, "maximize": True}),
]


class Pair:
    """The same parameters and gradients in both libraries."""

    def __init__(self, name: str, settings: dict[str, Any], dtype: str) -> None:
        self.rng = np.random.default_rng(7)
        values = [self.rng.standard_normal(shape).astype(dtype) for shape in ((5, 3), (7,))]
        self.dtype = dtype
        self.ours = [pe.asarray(v.copy(), requires_grad=True) for v in values]
        self.theirs = [torch.tensor(v, requires_grad=True) for v in values]
        self.make = lambda: getattr(optim, name)(_groups(self.ours), **settings)
        self.make_peer = lambda: getattr(torch.optim, name)(_groups(self.theirs), **settings)
        self.optimizer, self.peer = self.make(), self.make_peer()

    def step(self) -> None:
        for ours, theirs in zip(self.ours, self.theirs, strict=True):
            gradient = self.rng.standard_normal(ours.shape).astype(self.dtype)
            ours.grad, theirs.grad = pe.asarray(gradient), torch.tensor(gradient)
        self.optimizer.step()
        self.peer.step()

    def check(self) -> None:
        for ours, theirs in zip(self.ours, self.theirs, strict=True):
            close(ours.detach(), theirs)
        state, peer_state = self.optimizer.state_dict()["state"], self.peer.state_dict()["state"]
        for number, kept in peer_state.items():
            assert set(state[number]) == {name for name, value in kept.items() if value is not None}
            for name in state[number]:
                close(state[number][name], kept[name])


def _groups(parameters: list[Any]) -> list[dict[str, Any]]:
    return [{"params": parameters[:1]}, {"params": parameters[1:], "lr": 0.05}]


def close(ours: Any, theirs: Any) -> None:
    actual, expected = np.asarray(ours), theirs.detach().numpy()
    bound = roundings(np.maximum(np.abs(expected), 1), expected, ROUNDINGS, expected.dtype)
    assert_within(actual, expected, bound, expected.dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "settings"), CASES)
def test_trajectories(name: str, settings: dict[str, Any], dtype: str) -> None:
    pair = Pair(name, settings, dtype)
    for _ in range(STEPS):
        pair.step()
        pair.check()


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_a_state_of_pytorch_goes_on_here(name: str, settings: dict[str, Any]) -> None:
    pair = Pair(name, settings, "float64")
    for _ in range(STEPS // 2):
        pair.step()
    pair.optimizer = pair.make()
    pair.optimizer.load_state_dict(pair.peer.state_dict())
    for _ in range(STEPS // 2):
        pair.step()
        pair.check()


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_a_state_of_ours_goes_on_there(name: str, settings: dict[str, Any]) -> None:
    pair = Pair(name, settings, "float64")
    for _ in range(STEPS // 2):
        pair.step()
    own, peer = pair.optimizer.state_dict(), pair.peer.state_dict()
    for kept in own["state"].values():
        kept.update({key: torch.tensor(np.array(value, np.float32 if key == "step" else np.float64)) for key, value in kept.items()})
    for group, peer_group in zip(own["param_groups"], peer["param_groups"], strict=True):
        assert set(group) <= set(peer_group)
        peer_group.update(group)
    pair.peer = pair.make_peer()
    pair.peer.load_state_dict({"state": own["state"], "param_groups": peer["param_groups"]})
    for _ in range(STEPS // 2):
        pair.step()
        pair.check()


@pytest.mark.parametrize("settings", [{}, {"nesterov": False, "adjust_lr_fn": "match_rms_adamw"}])
@pytest.mark.parametrize("shape", [(4, 6), (6, 4), (5, 5)])
def test_muon(settings: dict[str, Any], shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    start, gradient = rng.standard_normal((2, *shape)).astype(np.float32)
    ours, theirs = pe.asarray(start.copy(), requires_grad=True), torch.tensor(start, requires_grad=True)
    ours.grad, theirs.grad = pe.asarray(gradient), torch.tensor(gradient)
    optim.Muon([ours], lr=0.1, **settings).step()
    torch.optim.Muon([theirs], lr=0.1, **settings).step()
    moved = np.abs(theirs.detach().numpy() - start).max()
    # PyTorch iterates in bfloat16: five times three products, rounded to 8 bits; ours, in float32, is the exact one beside it.
    assert np.abs(ours.detach().numpy() - theirs.detach().numpy()).max() <= 15 * 2.0**-8 * moved


SCHEDULES: list[tuple[str, dict[str, Any]]] = [
    ("StepLR", {"step_size": 3, "gamma": 0.5}),
    ("MultiStepLR", {"milestones": [2, 5, 5], "gamma": 0.3}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("ConstantLR", {"factor": 0.3, "total_iters": 4}),
    ("LinearLR", {"start_factor": 0.1, "end_factor": 0.7, "total_iters": 6}),
    ("PolynomialLR", {"total_iters": 9, "power": 1.5}),
    ("CosineAnnealingLR", {"T_max": 7, "eta_min": 0.01}),
    ("LambdaLR", {"lr_lambda": lambda t: 0.95**t}),
    ("OneCycleLR", {"max_lr": [0.5, 2.0], "total_steps": 21}),
    ("OneCycleLR", {"max_lr": 0.5, "epochs": 3, "steps_per_epoch": 7, "anneal_strategy": "linear", "three_phase": True, "pct_start": 0.4}),
]


@pytest.mark.parametrize(("name", "settings"), SCHEDULES)
def test_schedules(name: str, settings: dict[str, Any]) -> None:
    pair = Pair("SGD", {"lr": 0.1, "momentum": 0.9}, "float64")
    ours = getattr(optim.lr_scheduler, name)(pair.optimizer, **settings)
    theirs = getattr(torch.optim.lr_scheduler, name)(pair.peer, **settings)
    check_curves(pair, ours, theirs)


def test_sequential_schedule() -> None:
    pair = Pair("AdamW", {"lr": 0.1}, "float64")
    check_curves(pair, sequence(optim.lr_scheduler, pair.optimizer), sequence(torch.optim.lr_scheduler, pair.peer))


def sequence(schedules: Any, optimizer: Any) -> Any:
    parts = [schedules.LinearLR(optimizer, 0.1, 1.0, 5), schedules.CosineAnnealingLR(optimizer, 8), schedules.ExponentialLR(optimizer, 0.9)]
    return schedules.SequentialLR(optimizer, parts, [5, 12])


def check_curves(pair: Pair, ours: Any, theirs: Any, steps: int = 20) -> None:
    for _ in range(steps):
        for group, peer_group in zip(pair.optimizer.param_groups, pair.peer.param_groups, strict=True):
            for setting in ("lr", "momentum", "betas"):
                if setting in group:  # PyTorch multiplies step by step where ours has a closed formula
                    assert group[setting] == pytest.approx(peer_group[setting], rel=1e-12, abs=1e-15), setting
        pair.step()
        ours.step()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SequentialLR calls what PyTorch itself deprecates
            theirs.step()
