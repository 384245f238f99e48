"""Training that can stop after any batch and go on later as if it never had."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pyengine import nn, optim
from pyengine.autograd import no_grad
from pyengine.cli.checkpoint import check_like, check_optimizer, check_progress, image_of
from pyengine.cli.tasks import TASKS
from pyengine.creation import zeros_like
from pyengine.data import DataLoader, TensorDataset
from pyengine.models import MODELS
from pyengine.ops.random import default_generator, manual_seed
from pyengine.tensor import Tensor

OPTIMIZERS: dict[str, tuple[Callable[..., Any], float]] = {
    "sgd": (lambda parameters, lr: optim.SGD(parameters, lr=lr, momentum=0.9, weight_decay=5e-4, nesterov=True), 0.05),
    "adamw": (lambda parameters, lr: optim.AdamW(parameters, lr=lr, weight_decay=0.01), 2e-3),
}
"""How each is made, and its usual learning rate."""


def usual_rate(optimizer: str, model: str) -> float:
    """The linear model, whose loss is convex, stands ten times the rate of the others."""
    return OPTIMIZERS[optimizer][1] * (10 if model == "softmax" else 1)


@dataclass(frozen=True)
class Config:
    """All that decides the bits of a trained model, besides the data."""

    data: str
    model: str
    epochs: int
    batch_size: int
    optimizer: str
    lr: float
    seed: int
    augment: bool


@dataclass
class Progress:
    """How far training is: whole epochs, batches of the current one, and its sums so far."""

    epoch: int = 0
    batch: int = 0
    seen: int = 0
    correct: int = 0
    loss_sum: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)

    @property
    def loss(self) -> float:
        return self.loss_sum / max(self.seen, 1)

    @property
    def accuracy(self) -> float:
        return self.correct / max(self.seen, 1)


class Trainer:
    """A model, its optimiser and its data; ``state`` is all there is to save between two batches."""

    def __init__(self, config: Config, train_set: TensorDataset, test_set: TensorDataset, device: str = "cpu") -> None:
        manual_seed(config.seed)
        self.config, self.device, self.test_set = config, device, test_set
        _, *image = train_set.tensors[0].shape
        self.image = image[0], image[1], image[2]
        self.model = MODELS[config.model](self.image, len(TASKS[config.data].classes)).to(device)
        self.optimizer = OPTIMIZERS[config.optimizer][0](self.model.parameters(), config.lr)
        self.loader = DataLoader(
            train_set,
            batch_size=min(config.batch_size, len(train_set)),
            shuffle=True,
            seed=config.seed,
            drop_last=True,
            transform=TASKS[config.data].augmentation if config.augment else None,
            num_workers=1,
            device=device,
        )
        self.progress = Progress()

    def run_epoch(self, after_batch: Callable[[], bool]) -> bool:
        """Trains to the end of the epoch, or until ``after_batch`` returns False; whether it came to the end."""
        self.model.train()
        p = self.progress
        for images, labels in self.loader.batches(p.epoch, p.batch):
            self._step(images, labels)
            if not after_batch():
                break
        if p.batch < len(self.loader):
            return False
        test_loss, test_accuracy = self.evaluate()
        record = {
            "epoch": p.epoch + 1,
            "train_loss": p.loss,
            "train_accuracy": p.accuracy,
            "test_loss": test_loss,
            "test_accuracy": test_accuracy,
        }
        self.progress = Progress(epoch=p.epoch + 1, history=[*p.history, record])
        return True

    def _step(self, images: Tensor, labels: Tensor) -> None:
        p = self.progress
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.lr * _schedule(p.epoch * len(self.loader) + p.batch, self.config.epochs * len(self.loader))
        self.optimizer.zero_grad()
        logits = self.model(images)
        loss = nn.functional.cross_entropy(logits, labels)
        loss.backward()
        self.optimizer.step()
        p.batch += 1
        p.seen += len(labels)
        p.loss_sum += loss.item() * len(labels)
        p.correct += int((logits.detach().argmax(axis=1) == labels).sum().item())
        if not math.isfinite(p.loss_sum):
            raise ValueError(
                f"train: diverged: the loss is {loss.item()} in epoch {p.epoch + 1}, batch {p.batch}; "
                f"choose an --lr below {self.config.lr:g}"
            )

    def evaluate(self) -> tuple[float, float]:
        """Mean cross-entropy and accuracy on the test images."""
        probabilities, labels = self.predict()
        own = probabilities[np.arange(len(labels)), labels]
        return float(-np.log(np.maximum(own, 1e-30)).mean()), float((probabilities.argmax(axis=1) == labels).mean())

    def predict(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Probabilities (n, classes) and labels (n,) of the test images."""
        self.model.eval()
        probabilities, labels = [], []
        with no_grad():
            for x, y in DataLoader(self.test_set, 500, device=self.device):
                probabilities.append(nn.functional.softmax(self.model(x), -1).to("cpu").numpy())
                labels.append(y.to("cpu").numpy())
        return np.concatenate(probabilities), np.concatenate(labels)

    def state(self) -> dict[str, Any]:
        return {
            "config": asdict(self.config),
            "image": self.image,
            "progress": asdict(self.progress),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "random": default_generator.get_state(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes on from there. Raises ValueError where a run like this one could not have saved that; then nothing was changed."""
        if (image := image_of(state)) != self.image:
            raise ValueError(f"train: images differ: the checkpoint was trained on {image}, the data have {self.image}")
        check_progress(state.get("progress"), len(self.loader))
        like = {"model": self.model.state_dict(), "random": default_generator.get_state()}
        check_like({name: state.get(name) for name in like}, like, "state")
        check_optimizer(state.get("optimizer"), self._optimizer_state(state.get("optimizer")))
        self.progress = Progress(**state["progress"])
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        default_generator.set_state(state["random"])

    def _optimizer_state(self, given: Any) -> dict[str, Any]:
        """As it is before the first step, if the one given is, or else after one, of another of its kind."""
        if isinstance(given, dict) and given.get("state") == {}:
            empty: dict[str, Any] = self.optimizer.state_dict()
            return empty
        parameters = [zeros_like(parameter).requires_grad_() for parameter in self.model.parameters()]
        other = OPTIMIZERS[self.config.optimizer][0](parameters, self.config.lr)
        for parameter in parameters:
            parameter.grad = zeros_like(parameter).detach()
        other.step()
        result: dict[str, Any] = other.state_dict()
        return result


def _schedule(step: int, steps: int) -> float:
    """The share of the learning rate at a step: up in a straight line for the first tenth, then down along a cosine.

    Source: I. Loshchilov, F. Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, equation 5 without restarts.
    """
    warm = max(steps // 10, 1)
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(steps - warm, 1)))
