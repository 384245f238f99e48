"""Training as it goes: a live bar in a terminal, a line for each epoch everywhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pyengine.cli.trainer import Trainer

_ROW = "{:>5}  {:>9}  {:>8}  {:>9}  {:>8}  {:>9}"


class Display:
    """Shows loss, accuracy and speed; a context manager."""

    def __init__(self, trainer: Trainer) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self.trainer = trainer
        self.console = Console(highlight=False, soft_wrap=True)
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.4f}  accuracy {task.fields[accuracy]:.2%}  {task.fields[speed]:,.0f} images/s"),
            TimeRemainingColumn(compact=True),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        config = trainer.config
        total = (config.epochs - trainer.progress.epoch) * len(trainer.loader) - trainer.progress.batch
        self.task = self.bar.add_task("", total=total, loss=0.0, accuracy=0.0, speed=0.0)
        self.began = time.perf_counter()
        self.seen = 0

    def __enter__(self) -> Self:
        self.console.print(self._title(), style="bold")
        self.console.print(_ROW.format("epoch", "loss", "accuracy", "test loss", "accuracy", "images/s"), style="dim")
        for record in self.trainer.progress.history:
            self._row(record, None)
        self.bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.bar.stop()

    def batch(self) -> None:
        """Called after every batch."""
        p, config = self.trainer.progress, self.trainer.config
        self.seen += self.trainer.loader.batch_size
        self.bar.update(
            self.task,
            advance=1,
            description=f"epoch {p.epoch + 1}/{config.epochs}",
            loss=p.loss,
            accuracy=p.accuracy,
            speed=self.seen / (time.perf_counter() - self.began),
        )

    def epoch(self, seconds: float) -> None:
        """Called after every epoch, with what it took."""
        self._row(self.trainer.progress.history[-1], len(self.trainer.loader) * self.trainer.loader.batch_size / seconds)

    def _row(self, record: dict[str, float], speed: float | None) -> None:
        self.console.print(
            _ROW.format(
                int(record["epoch"]),
                f"{record['train_loss']:.4f}",
                f"{record['train_accuracy']:.2%}",
                f"{record['test_loss']:.4f}",
                f"{record['test_accuracy']:.2%}",
                "" if speed is None else f"{speed:,.0f}",
            )
        )

    def _title(self) -> str:
        config, trainer = self.trainer.config, self.trainer
        count = sum(parameter.size for parameter in trainer.model.parameters())
        return (
            f"{config.model} with {count:,} parameters on {config.data}: "
            f"{len(trainer.loader.dataset):,} images to train on, {len(trainer.test_set):,} to test; "
            f"{config.optimizer}, lr {config.lr:g}, batch {config.batch_size}, seed {config.seed}"
        )
