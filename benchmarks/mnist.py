"""MNIST, from the linear model to convolutions: test errors over several seeds, times beside PyTorch's, and the proof of equal bits.

    python benchmarks/mnist.py --data DIR            runs everything, writes benchmarks/results/mnist.json, prints the table
    python benchmarks/mnist.py --table               prints the table of the last results
    python benchmarks/mnist.py --data DIR --validate trains on 50,000 images and reports the error on the other 10,000

Hyper-parameters were chosen with --validate alone; the test set was used for the table and nothing else. Every run has a process of its
own, and the runs of an experiment go in turn (ours, PyTorch's, ours, ...), so that neither side gets the quieter minutes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import multiprocessing
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyengine.data import DataLoader, TensorDataset, datasets
from pyengine.data.transforms import RandomAffine

RESULTS = Path(__file__).parent / "results" / "mnist.json"


@dataclass(frozen=True)
class Recipe:
    """One experiment: stochastic gradient descent with Nesterov momentum, along a cosine from ``lr`` to 0 or at a constant rate."""

    model: str
    epochs: int
    batch: int
    lr: float
    momentum: float = 0.0
    weight_decay: float = 0.0
    cosine: bool = False
    augmentation: RandomAffine | None = None
    seeds: int = 5
    beside_torch: bool = False
    reference: str = ""

    def rate(self, step: int, steps: int) -> float:
        """With the cosine, the first tenth of the steps goes up in a straight line."""
        warm = steps // 10
        if not self.cosine:
            return self.lr
        return self.lr * ((step + 1) / warm if step < warm else 0.5 * (1 + math.cos(math.pi * (step - warm) / (steps - warm))))


RECIPES = {
    "softmax regression": Recipe("softmax", 10, 100, 0.2, reference="7.97 %"),
    "MLP 784-400-10": Recipe("mlp", 20, 100, 0.1, 0.9, 1e-4, cosine=True, beside_torch=True, reference="1.89 %"),
    "CNN, augmented": Recipe(
        "cnn", 10, 128, 0.05, 0.9, 5e-4, cosine=True, augmentation=RandomAffine(10, 0.07, (0.9, 1.1), 5), seeds=3, reference="0.50 %"
    ),
}


class Outcome(NamedTuple):
    """Wrong test images in %, seconds of training (the test set not counted), and a hash of the trained parameters."""

    error: float
    seconds: float
    digest: str


class Split(NamedTuple):
    train_images: npt.NDArray[np.float32]
    train_labels: npt.NDArray[np.int64]
    test_images: npt.NDArray[np.float32]
    test_labels: npt.NDArray[np.int64]


def load(folder: str, validate: bool) -> Split:
    parts = [tensor.numpy() for train in (True, False) for tensor in datasets.mnist(folder, train).tensors]
    if validate:
        images, labels = parts[:2]
        parts = [images[:50_000], labels[:50_000], images[50_000:], labels[50_000:]]
    return Split(*parts)


# One run, in our engine and in PyTorch: the same model, data, order, rates --------------------------------------------------------------


def train_ours(recipe: Recipe, split: Split, seed: int, threads: int) -> Outcome:
    import pyengine as pe
    from pyengine import nn, optim
    from pyengine.models import MODELS

    pe.set_num_threads(threads)
    pe.manual_seed(seed)
    model = MODELS[recipe.model]((1, 28, 28), 10)
    optimizer = optim.SGD(model.parameters(), recipe.lr, recipe.momentum, weight_decay=recipe.weight_decay, nesterov=recipe.momentum > 0)
    loader = _loader(recipe, split, seed)
    began = time.perf_counter()
    for epoch in range(recipe.epochs):
        for number, (images, labels) in enumerate(loader):
            optimizer.param_groups[0]["lr"] = recipe.rate(epoch * len(loader) + number, recipe.epochs * len(loader))
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()
    seconds = time.perf_counter() - began
    model.eval()
    with pe.no_grad():
        predicted = [model(images).numpy().argmax(axis=1) for images, _ in DataLoader(_test_set(split), 500)]
    digest = hashlib.sha256(b"".join(value.numpy().tobytes() for value in model.state_dict().values()))
    return Outcome(_error(predicted, split), seconds, digest.hexdigest()[:16])


def train_torch(recipe: Recipe, split: Split, seed: int, threads: int) -> Outcome:
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 400), torch.nn.ReLU(), torch.nn.Linear(400, 10))
    optimizer = torch.optim.SGD(
        model.parameters(), recipe.lr, recipe.momentum, weight_decay=recipe.weight_decay, nesterov=recipe.momentum > 0
    )
    train_images, train_labels = torch.from_numpy(split.train_images), torch.from_numpy(split.train_labels)
    loader = _loader(recipe, split, seed)
    began = time.perf_counter()
    for epoch in range(recipe.epochs):
        order = torch.from_numpy(loader.order(epoch))
        for number in range(len(loader)):
            chosen = order[number * recipe.batch : (number + 1) * recipe.batch]
            optimizer.param_groups[0]["lr"] = recipe.rate(epoch * len(loader) + number, recipe.epochs * len(loader))
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(train_images[chosen]), train_labels[chosen]).backward()
            optimizer.step()
    seconds = time.perf_counter() - began
    with torch.no_grad():
        predicted = [
            model(torch.from_numpy(split.test_images[i : i + 500])).numpy().argmax(axis=1) for i in range(0, len(split.test_images), 500)
        ]
    return Outcome(_error(predicted, split), seconds, "")


def _loader(recipe: Recipe, split: Split, seed: int) -> DataLoader:
    train_set = TensorDataset(split.train_images, split.train_labels)
    workers = 1 if recipe.augmentation else 0
    return DataLoader(train_set, recipe.batch, shuffle=True, seed=seed, drop_last=True, transform=recipe.augmentation, num_workers=workers)


def _test_set(split: Split) -> TensorDataset:
    return TensorDataset(split.test_images, split.test_labels)


def _error(predicted: list[npt.NDArray[np.int64]], split: Split) -> float:
    return 100 * float((np.concatenate(predicted) != split.test_labels).mean())


# The experiments ------------------------------------------------------------------------------------------------------------------------


def run(name: str, side: str, seed: int, threads: int, folder: str, validate: bool, epochs: int | None = None) -> Outcome:
    """One run in a fresh process, so that no run finds another's threads, caches or memory."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_run_here, name, side, seed, threads, folder, validate, epochs).result()


def _run_here(name: str, side: str, seed: int, threads: int, folder: str, validate: bool, epochs: int | None) -> Outcome:
    from dataclasses import replace

    recipe = RECIPES[name] if epochs is None else replace(RECIPES[name], epochs=epochs)
    train: dict[str, Callable[[Recipe, Split, int, int], Outcome]] = {"pyengine": train_ours, "torch": train_torch}
    return train[side](recipe, load(folder, validate), seed, threads)


def experiment(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    recipe = RECIPES[name]
    sides = ["pyengine"] + ["torch"] * (recipe.beside_torch and not arguments.no_torch)
    outcomes: dict[str, list[Outcome]] = {side: [] for side in sides}
    for seed in range(arguments.seeds or recipe.seeds):
        for side in sides:
            outcome = run(name, side, seed, arguments.threads, arguments.data, arguments.validate)
            outcomes[side].append(outcome)
            print(f"{name}: {side}, seed {seed}: error {outcome.error:.2f} %, {outcome.seconds:.1f} s", flush=True)
    result: dict[str, Any] = {side: [outcome._asdict() for outcome in found] for side, found in outcomes.items()}
    result |= {"machine": machine(), "threads": arguments.threads, "recipe": repr(recipe)}
    if not arguments.validate:
        digests = [run(name, "pyengine", 0, threads, arguments.data, False, epochs=1).digest for threads in (1, 1, 2)]
        print(f"{name}: parameters after one epoch, with 1, 1 and 2 threads: {', '.join(digests)}", flush=True)
        result["digests with 1, 1, 2 threads"] = digests
    return result


def machine() -> dict[str, Any]:
    import pyengine as pe
    from pyengine.config import config

    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), ""
    )
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=Path(__file__).parent
    ).stdout.strip()
    facts = {key: value for key, value in config().items() if key != "extras"}
    return {
        "cpu": model or platform.processor(),
        "date": time.strftime("%Y-%m-%d"),
        "commit": commit,
        "load": os.getloadavg()[0],
        **facts,
        "engine": pe.__version__,
    }


def table(results: dict[str, Any]) -> str:
    """Markdown. Errors: mean, and lowest to highest; times: median; ratio: PyTorch's median over ours."""
    lines = [
        "| model | test error | to beat | epochs | time | PyTorch's error | PyTorch's time | faster by | same bits |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, found in results["experiments"].items():
        errors, seconds = ([outcome[key] for outcome in found["pyengine"]] for key in ("error", "seconds"))
        peer = found.get("torch", [])
        cells = [name, _errors(errors), RECIPES[name].reference, str(RECIPES[name].epochs), f"{statistics.median(seconds):.1f} s"]
        if peer:
            other = statistics.median(outcome["seconds"] for outcome in peer)
            cells += [_errors([outcome["error"] for outcome in peer]), f"{other:.1f} s", f"{other / statistics.median(seconds):.2f}x"]
        else:
            cells += [""] * 3
        digests = found.get("digests with 1, 1, 2 threads")
        cells.append("" if digests is None else "yes" if len(set(digests)) == 1 else "NO")
        lines.append(f"| {' | '.join(cells)} |")
    places = [(found["machine"], found["threads"]) for found in results["experiments"].values()]
    notes = [f"{m['cpu']}, {threads} threads, {m['isa']}, {m['compiler']}; commit {m['commit']}, {m['date']}." for m, threads in places]
    return "\n".join([*lines, "", *dict.fromkeys(notes)])


def _errors(errors: list[float]) -> str:
    spread = f" ({min(errors):.2f} to {max(errors):.2f}, {len(errors)} seeds)" if len(errors) > 1 else ""
    return f"{statistics.mean(errors):.2f} %{spread}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("experiments", nargs="*", choices=[*RECIPES, []], help="default: all")
    parser.add_argument("--data", default=os.environ.get("PYENGINE_DATA", "data") + "/mnist", metavar="DIR")
    parser.add_argument("--seeds", type=int, metavar="N", help="seeds 0 to N - 1; default: as many as each experiment has")
    parser.add_argument("--threads", type=int, default=2, metavar="N")
    parser.add_argument("--validate", action="store_true", help="never look at the test set")
    parser.add_argument("--no-torch", action="store_true", help="leave PyTorch out")
    parser.add_argument("--table", action="store_true", help="print the table of the last results")
    arguments = parser.parse_args()
    if not arguments.table:
        found = {name: experiment(name, arguments) for name in arguments.experiments or RECIPES}
        if arguments.validate:
            return
        old = json.loads(RESULTS.read_text())["experiments"] if RESULTS.exists() else {}
        results = {"experiments": {**old, **found}}
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(table(json.loads(RESULTS.read_text())))


if __name__ == "__main__":
    main()
