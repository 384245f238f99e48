"""``pyengine predict``: what a trained network sees in an image."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pyengine.autograd import no_grad
from pyengine.cli.checkpoint import NotOurs, check_like, config_of, image_of
from pyengine.cli.tasks import TASKS, Task
from pyengine.cli.train import CHECKPOINT, positive
from pyengine.cli.trainer import OPTIMIZERS
from pyengine.creation import asarray
from pyengine.data import read_image
from pyengine.extras import require
from pyengine.models import MODELS
from pyengine.nn.functional import softmax
from pyengine.serialization import load

_BAR = 30


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "predict", help="classify images with a trained network", description="Says what a trained network sees in images."
    )
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="an image file: PNG, JPEG, ...")
    parser.add_argument("--checkpoint", metavar="PATH", help="a run's folder, or its checkpoint; default: the newest in runs")
    parser.add_argument("--top", type=positive, default=3, metavar="N", help="how many classes to show; default: 3")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    path = _checkpoint(arguments.checkpoint)
    model, task, shape = _load(path)
    inputs = [prepare(image, task, shape) for image in arguments.images]
    with no_grad():
        probabilities = softmax(model(asarray(np.stack(inputs))), -1).numpy()
    print(f"{path}")
    for image, p in zip(arguments.images, probabilities, strict=True):
        print(f"\n{image}")
        for place in np.argsort(-p, kind="stable")[: arguments.top]:
            print(f"  {task.classes[place]:<12} {p[place]:7.2%}  {'█' * round(_BAR * float(p[place])) or '▏'}")
    return 0


def _checkpoint(given: str | None) -> Path:
    if given is not None:
        return Path(given, CHECKPOINT) if Path(given).is_dir() else Path(given)
    found = sorted(Path("runs").glob(f"*/{CHECKPOINT}"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise FileNotFoundError("predict: no trained network in runs; run 'pyengine train' first, or pass --checkpoint")
    return found[-1]


def _load(path: Path) -> tuple[Any, Task, tuple[int, int, int]]:
    state = load(path)
    try:
        config, shape = config_of(state, OPTIMIZERS), image_of(state)
        task = TASKS[config["data"]]
        model = MODELS[config["model"]](shape, len(task.classes))
        check_like(state.get("model"), model.state_dict(), "model")
    except NotOurs as fault:
        raise ValueError(f"predict: '{path}' was not written by 'pyengine train': {fault}") from None
    model.load_state_dict(state["model"])
    model.eval()
    return model, task, shape


def prepare(path: str, task: Task, shape: tuple[int, int, int]) -> npt.NDArray[np.float32]:
    """The image file as the network's input (C, H, W) in [0, 1]."""
    size = shape[1], shape[2]
    if task.digit_box is None:
        return read_image(path, size, grey=shape[0] == 1)
    return _digit(path, read_image(path, grey=True)[0], size, task.digit_box)[None]


def _digit(path: str, image: npt.NDArray[np.float32], size: tuple[int, int], box: float) -> npt.NDArray[np.float32]:
    """A photograph or drawing of a digit as MNIST has it: light on dark, scaled into a box, its centre of mass in the middle.

    Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits": 20 x 20 pixels in the middle of 28 x 28.
    """
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    ink = np.abs(image - np.median(border))
    if ink.max() < 0.1:
        raise ValueError(f"predict: nothing to see: '{path}' has no contrast; a digit on a plain background expected")
    ink = np.clip((ink / ink.max() - 0.15) / 0.7, 0, 1)
    rows, columns = np.flatnonzero(ink.max(axis=1) > 0.3), np.flatnonzero(ink.max(axis=0) > 0.3)
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = box * min(size[0] / cut.shape[0], size[1] / cut.shape[1])
    small = _resize(cut, max(round(cut.shape[0] * scale), 1), max(round(cut.shape[1] * scale), 1))
    mass = small.sum()
    top = round(size[0] / 2 - float((small.sum(axis=1) * (np.arange(small.shape[0]) + 0.5)).sum() / mass))
    left = round(size[1] / 2 - float((small.sum(axis=0) * (np.arange(small.shape[1]) + 0.5)).sum() / mass))
    top, left = (min(max(place, 0), whole - part) for place, whole, part in zip((top, left), size, small.shape, strict=True))
    result = np.zeros(size, np.float32)
    result[top : top + small.shape[0], left : left + small.shape[1]] = small
    return result


def _resize(image: npt.NDArray[np.float32], height: int, width: int) -> npt.NDArray[np.float32]:
    pillow = require("PIL.Image", "pyengine[train]", "reading images")
    resized = pillow.fromarray(np.rint(255 * image).astype(np.uint8)).resize((width, height), pillow.Resampling.LANCZOS)
    return np.asarray(resized, np.float32) / np.float32(255)
