"""A checkpoint that says anything: ``--resume`` and ``predict`` go on with what a training could have saved, and refuse all else."""

from __future__ import annotations

import copy
import importlib.util
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyengine as pe
from pyengine.cli import main, predict, train

MISSING = [package for package in ("rich", "matplotlib", "sklearn", "PIL") if importlib.util.find_spec(package) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

State = dict[str, Any]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> State:
    """The state of a run after one epoch and a batch."""
    folder = tmp_path_factory.mktemp("run") / "x"
    run = train._begun({"model": "softmax", "epochs": 2, "batch_size": 500, "out": folder})
    assert run.trainer.run_epoch(lambda: True)
    run.trainer.run_epoch(lambda: False)
    run.save()
    state: State = copy.deepcopy(pe.load(folder / train.CHECKPOINT))
    return state


def put(path: str, value: Any) -> Callable[[State], None]:
    def change(state: Any) -> None:
        *parents, last = (int(key) if key.isdigit() else key for key in path.split("/"))
        for key in parents:
            state = state[key]
        state[last] = value

    return change


def drop(path: str) -> Callable[[State], None]:
    def change(state: Any) -> None:
        *parents, last = (int(key) if key.isdigit() else key for key in path.split("/"))
        for key in parents:
            state = state[key]
        del state[last]

    return change


TENSOR = np.zeros(3, np.float32)
HOSTILE = {
    "no settings": drop("config"),
    "settings a tensor": put("config", TENSOR),
    "an unknown data set": put("config/data", "../../etc"),
    "a list for a model": put("config/model", ["mlp"]),
    "a tensor for a model": put("config/model", TENSOR),
    "negative epochs": put("config/epochs", -1),
    "epochs True": put("config/epochs", True),
    "a batch of nothing": put("config/batch_size", 0),
    "a huge seed": put("config/seed", 2**70),
    "a rate of NaN": put("config/lr", math.nan),
    "a rate in words": put("config/lr", "0.1"),
    "augment in words": put("config/augment", "no"),
    "a setting too many": put("config/command", "x"),
    "a folder that is a number": put("data_dir", 3),
    "an image of two sizes": put("image", (8, 8)),
    "an image of words": put("image", ("1", "8", "8")),
    "a negative image": put("image", (1, -8, -8)),
    "no progress": drop("progress"),
    "a batch beyond the epoch": put("progress/batch", 10**6),
    "a negative epoch": put("progress/epoch", -1),
    "an epoch without its record": put("progress/epoch", 2),
    "a record of words": put("progress/history/0/test_accuracy", "all"),
    "a record without its accuracy": drop("progress/history/0/test_accuracy"),
    "a sum that is none": put("progress/loss_sum", None),
    "no model": drop("model"),
    "a model without its bias": drop("model/1.bias"),
    "a bias of another shape": put("model/1.bias", TENSOR),
    "a bias that is complex": put("model/1.bias", np.zeros(10, np.complex64)),
    "a bias that is a number": put("model/1.bias", 1.0),
    "no optimiser": drop("optimizer"),
    "an optimiser that is a list": put("optimizer", []),
    "groups that are a dict": put("optimizer/param_groups", {}),
    "parameters of other numbers": put("optimizer/param_groups/0/params", [5, 6]),
    "one parameter twice": put("optimizer/param_groups/0/params", [0, 0]),
    "betas in words": put("optimizer/param_groups/0/betas", ("a", "b")),
    "one beta": put("optimizer/param_groups/0/betas", (0.9,)),
    "amsgrad switched on": put("optimizer/param_groups/0/amsgrad", True),
    "moments of nobody": put("optimizer/state/7", {}),
    "a moment missing": drop("optimizer/state/0/exp_avg"),
    "a moment that is a word": put("optimizer/state/0/exp_avg", "x"),
    "a moment of another shape": put("optimizer/state/0/exp_avg", TENSOR),
    "a negative step": put("optimizer/state/0/step", -5),
    "a step without end": put("optimizer/state/0/step", 10**400),
    "random numbers of words": put("random", ("a", "b")),
    "random numbers of one": put("random", (1,)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_checkpoints_end_in_one_line(
    saved: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x").mkdir()
    state = copy.deepcopy(saved)
    HOSTILE[name](state)
    pe.save(state, Path("x", train.CHECKPOINT))
    before = Path("x", train.CHECKPOINT).read_bytes()
    assert main(["train", "--resume", "x"]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "was not written by 'pyengine train': " in err
    assert "Traceback" not in err
    assert [path.name for path in Path("x").iterdir()] == [train.CHECKPOINT]
    assert Path("x", train.CHECKPOINT).read_bytes() == before


@pytest.mark.parametrize("state", [[], "text", 5, TENSOR, {}], ids=repr)
def test_what_is_no_state_of_a_run(tmp_path: Path, state: Any) -> None:
    pe.save(state, tmp_path / train.CHECKPOINT)
    with pytest.raises(ValueError, match=r"^train: .* was not written by 'pyengine train'"):
        train._resumed({"resume": tmp_path})
    with pytest.raises(ValueError, match=r"^predict: .* was not written by 'pyengine train'"):
        predict._load(tmp_path / train.CHECKPOINT)


@pytest.mark.parametrize(
    ("image", "rule"), [((1, 1000, 1000), "at most 262144 values"), ((1, 0, 8), "three sizes"), ((1, 9, 8), "a tensor")]
)
def test_predict_makes_no_network_that_the_checkpoint_does_not_hold(saved: State, tmp_path: Path, image: Any, rule: str) -> None:
    pe.save({**saved, "image": image}, tmp_path / "x")
    with pytest.raises(ValueError, match=rf"^predict: .* was not written by 'pyengine train': .*{rule}"):
        predict._load(tmp_path / "x")


@pytest.mark.parametrize("log", [b"[" * 100_000, b'{"epochs": [{"epoch": [], "seconds": 1}]}', b"\xff", b'{"epochs": 5}', None])
def test_a_damaged_log_is_only_less_to_show(saved: State, tmp_path: Path, log: bytes | None) -> None:
    pe.save(saved, tmp_path / train.CHECKPOINT)
    if log is None:
        os.mkfifo(tmp_path / train.LOG)
    else:
        (tmp_path / train.LOG).write_bytes(log)
    assert train._resumed({"resume": tmp_path}).seconds == {}


def test_the_state_itself_goes_on(saved: State, tmp_path: Path) -> None:
    """What the cases above differ from is right."""
    pe.save(saved, tmp_path / train.CHECKPOINT)
    run = train._resumed({"resume": tmp_path})
    assert (run.trainer.progress.epoch, run.trainer.progress.batch) == (1, 1)
    assert run.trainer.run_epoch(lambda: True)


def test_a_train_of_images_of_three_rows_makes_a_transformer() -> None:
    from pyengine.models import MODELS

    assert MODELS["vit"]((1, 3, 3), 10)(pe.zeros((2, 1, 3, 3))).shape == (2, 10)
