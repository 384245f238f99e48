"""Whether a checkpoint is one that ``pyengine train`` could have written: it is a file, and may say anything."""

from __future__ import annotations

import math
from typing import Any

from pyengine.cli.tasks import TASKS
from pyengine.interop.safetensors import short
from pyengine.models import MODELS
from pyengine.tensor import Tensor

_FIGURES = {"epoch": int, "train_loss": float, "train_accuracy": float, "test_loss": float, "test_accuracy": float}
_MAX_INPUTS = 1 << 18
"""Values of an image that a network is made for: 512 x 512. The first layer of the largest takes 400 floats for each."""


class NotOurs(ValueError):
    """What a checkpoint has that ``pyengine train`` would not have written."""


def config_of(state: Any, optimizers: Any) -> dict[str, Any]:
    """The settings, each in its range."""
    config: dict[str, Any] = _fields(state, "config", dict)
    for name, choices in (("data", TASKS), ("model", MODELS), ("optimizer", optimizers)):
        chosen = config.get(name)
        _require(type(chosen) is str and chosen in choices, f"config.{name}", chosen, f"one of {', '.join(choices)}")
    for name, least in (("epochs", 1), ("batch_size", 1), ("seed", 0)):
        _require(_is_count(config.get(name), least, 2**63), f"config.{name}", config.get(name), f"an integer of at least {least}")
    rate = config.get("lr")
    _require(isinstance(rate, int | float) and 0 < rate < math.inf, "config.lr", rate, "a positive number")
    _require(type(config.get("augment")) is bool, "config.augment", config.get("augment"), "True or False")
    _require(len(config) == 8, "config", sorted(config), "8 settings")
    return config


def data_dir_of(state: Any) -> str | None:
    folder: str | None = _fields(state, "data_dir", str, type(None))
    return folder


def image_of(state: Any) -> tuple[int, int, int]:
    """Channels, height and width: small enough that a network for them is no burden."""
    image = _fields(state, "image", tuple)
    _require(len(image) == 3 and all(_is_count(size, 1, _MAX_INPUTS + 1) for size in image), "image", image, "three sizes")
    _require(math.prod(image) <= _MAX_INPUTS, "image", image, f"at most {_MAX_INPUTS} values")
    channels, height, width = image
    return channels, height, width


def check_progress(progress: Any, batches: int) -> None:
    """Whole epochs with a record each, and a place within the next."""
    _require(type(progress) is dict and len(progress) == 6, "progress", progress, "6 entries")
    for name in ("epoch", "batch", "seen", "correct"):
        _require(_is_count(progress.get(name), 0, 2**63), f"progress.{name}", progress.get(name), "a count")
    _require(type(progress.get("loss_sum")) is float, "progress.loss_sum", progress.get("loss_sum"), "a float")
    _require(progress["batch"] <= batches, "progress.batch", progress["batch"], f"at most {batches}")
    history = progress.get("history")
    _require(type(history) is list and len(history) == progress["epoch"], "progress.history", history, "one record for each epoch")
    for record in history:
        right = type(record) is dict and {name: type(value) for name, value in record.items()} == _FIGURES
        _require(right, "progress.history", record, f"{', '.join(_FIGURES)}")


def check_optimizer(given: Any, like: dict[str, Any]) -> None:
    """As ``check_like``; and the groups have the same parameters, by number."""
    check_like(given, like, "optimizer")
    for i, (group, like_group) in enumerate(zip(given["param_groups"], like["param_groups"], strict=True)):
        right = group["params"] == like_group["params"]
        _require(right, f"optimizer.param_groups.{i}.params", group["params"], f"{len(like_group['params'])} numbers in order")


def check_like(given: Any, like: Any, path: str) -> None:
    """The same structure, types, shapes and words; numbers may differ, counts stay in 64 bits."""
    if isinstance(like, Tensor):
        right = isinstance(given, Tensor) and (given.shape, given.dtype) == (like.shape, like.dtype)
        _require(right, path, given, f"a tensor {like.shape} of {like.dtype.name}")
    elif isinstance(like, dict):
        _require(type(given) is dict and given.keys() == like.keys(), path, given, f"the keys {list(like)}")
        for key in like:
            check_like(given[key], like[key], f"{path}.{key}")
    elif isinstance(like, list | tuple):
        _require(type(given) is type(like) and len(given) == len(like), path, given, f"{len(like)} items")
        for i, (item, like_item) in enumerate(zip(given, like, strict=True)):
            check_like(item, like_item, f"{path}.{i}")
    elif type(like) is int:
        _require(_is_count(given, 0, 2**64), path, given, "a count")
    else:
        right = type(given) is type(like) and (type(like) is float or given == like)
        _require(right, path, given, "a float" if type(like) is float else repr(like))


def _fields(state: Any, name: str, *types: type) -> Any:
    _require(type(state) is dict and name in state, name, sorted(state, key=str) if type(state) is dict else state, "an entry of that name")
    _require(type(state[name]) in types, name, state[name], f"a {types[0].__name__}")
    return state[name]


def _is_count(value: Any, least: int, below: int) -> bool:
    return type(value) is int and least <= value < below


def _require(right: bool, path: str, value: Any, rule: str) -> None:
    if not right:
        raise NotOurs(f"'{path}' is {_short(value)}; {rule} expected")


def _short(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor {value.shape} of {value.dtype.name}"
    return " ".join(short(value).split())
