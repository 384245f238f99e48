"""``pyengine train``: trains a network, shows how it goes, and leaves a checkpoint, a log and a picture."""

from __future__ import annotations

import argparse
import itertools
import json
import math
import shlex
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

from pyengine import _engine
from pyengine.cli.checkpoint import NotOurs, config_of, data_dir_of
from pyengine.cli.display import Display
from pyengine.cli.tasks import TASKS, data_folder
from pyengine.cli.trainer import OPTIMIZERS, Config, Trainer, usual_rate
from pyengine.device import as_device
from pyengine.extras import require
from pyengine.files import atomic_write, open_regular
from pyengine.models import MODELS
from pyengine.serialization import load, save

CHECKPOINT, LOG, PICTURE = "checkpoint.safetensors", "log.json", "report.png"
_MAX_LOG = 1 << 24  # bytes: 100,000 epochs
_CHANGEABLE = {"epochs", "device", "threads", "data_dir", "download"}


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "train",
        help="train a network on real data",
        description="Trains a network, shows how it goes, and leaves a checkpoint, a log and a picture.",
        argument_default=argparse.SUPPRESS,
        epilog="Ctrl-C saves and says how to go on. The same options and seed give the same bits, on any number of threads.",
    )
    parser.add_argument("--data", choices=list(TASKS), help="default: digits, which scikit-learn carries")
    parser.add_argument("--data-dir", metavar="DIR", help="folder of the data's files; default: $PYENGINE_DATA/<data>, or data/<data>")
    parser.add_argument("--download", action="store_true", help="get missing files from the web")
    parser.add_argument("--model", choices=list(MODELS), help="default: mlp")
    parser.add_argument("--epochs", type=positive, metavar="N", help="passes over the training data; default: what suits the data")
    parser.add_argument("--batch-size", type=positive, metavar="N", help="images in a step; default: 64")
    parser.add_argument("--optimizer", choices=list(OPTIMIZERS), help="default: adamw")
    parser.add_argument("--lr", type=_rate, metavar="RATE", help="peak learning rate; default: what suits the optimiser")
    parser.add_argument("--augment", action="store_true", help="shift, turn, flip the training images at random, as suits the data")
    parser.add_argument("--seed", type=_seed, metavar="N", help="of everything random; default: 0")
    parser.add_argument("--device", metavar="NAME", help="cpu, or what 'pyengine info' lists; default: cpu")
    parser.add_argument("--threads", type=positive, metavar="N", help="default: all processors this process may use")
    parser.add_argument("--out", metavar="DIR", help="where to leave the results; default: a new folder in runs")
    parser.add_argument("--resume", metavar="DIR", help="go on with the run in this folder; only --epochs and where it runs can be changed")
    parser.set_defaults(run=run)


@dataclass
class Run:
    """A training in its folder."""

    trainer: Trainer
    folder: Path
    data_dir: str | None
    seconds: dict[int, float]
    """What each epoch took."""

    def save(self) -> None:
        """The checkpoint, then the log; each is whole at any moment."""
        save({**self.trainer.state(), "data_dir": self.data_dir}, self.folder / CHECKPOINT)
        epochs = [{**record, "seconds": self.seconds.get(int(record["epoch"]))} for record in self.trainer.progress.history]
        log = {"pyengine": _engine.version, "config": asdict(self.trainer.config), "epochs": epochs}
        with atomic_write(self.folder / LOG) as file:
            file.write(json.dumps(log, indent=1).encode())


def run(arguments: argparse.Namespace) -> int:
    given = {name: value for name, value in vars(arguments).items() if name != "run"}
    if "data_dir" in given:
        given["data_dir"] = str(Path(given["data_dir"]).resolve())
    for module, purpose in (("rich", "the progress bar"), ("matplotlib", "the picture of the results")):
        require(module, "pyengine[train]", purpose)
    if "threads" in given:
        _engine.set_thread_count(given["threads"])
    run = _resumed(given) if "resume" in given else _begun(given)
    began = time.perf_counter()
    if not _train(run):
        print(f"interrupted; saved after {_position(run.trainer)}; go on with:\n  pyengine train --resume {shlex.quote(str(run.folder))}")
        return 130
    accuracy = run.trainer.progress.history[-1]["test_accuracy"]
    _draw(run, accuracy)
    print(f"test accuracy {accuracy:.2%}, error {1 - accuracy:.2%}; {time.perf_counter() - began:.1f} s in all")
    print("\n".join(str(run.folder / name) for name in (CHECKPOINT, LOG, PICTURE)))
    return 0


def _draw(run: Run, accuracy: float) -> None:
    from pyengine.cli.report import draw

    trainer, config = run.trainer, run.trainer.config
    draw(
        run.folder / PICTURE,
        f"{config.model} on {config.data}: {accuracy:.2%} of the test images right",
        trainer.progress.history,
        *trainer.predict(),
        trainer.test_set.tensors[0].numpy(),
        TASKS[config.data].classes,
    )


def _train(run: Run) -> bool:
    """Trains to the last epoch, saving after each; False if Ctrl-C came first."""
    trainer = run.trainer
    with _interrupt_noted() as interrupted, Display(trainer) as display:

        def after_batch() -> bool:
            display.batch()
            return not interrupted

        while trainer.progress.epoch < trainer.config.epochs:
            began = time.perf_counter()
            ended = trainer.run_epoch(after_batch)
            took = time.perf_counter() - began
            number = trainer.progress.epoch + (not ended)
            run.seconds[number] = run.seconds.get(number, 0.0) + took
            if ended:
                display.epoch(took)
            run.save()
            if interrupted:
                return False
    return True


@contextmanager
def _interrupt_noted() -> Iterator[list[int]]:
    """A list that fills at Ctrl-C, so that the batch under way can be finished; a second Ctrl-C stops at once."""
    noted: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)


def _position(trainer: Trainer) -> str:
    p = trainer.progress
    whole = f"epoch {p.epoch} of {trainer.config.epochs}"
    return f"batch {p.batch} of epoch {p.epoch + 1}" if p.batch else whole


# A run's beginning ------------------------------------------------------------------------------------------------------------------


def _begun(given: dict[str, Any]) -> Run:
    data, model, optimizer = given.get("data", "digits"), given.get("model", "mlp"), given.get("optimizer", "adamw")
    if TASKS[data].carried and "data_dir" in given:
        raise ValueError(f"train: {data} has no use for --data-dir, as scikit-learn carries it; say with --data what is in the folder")
    config = Config(
        data=data,
        model=model,
        epochs=given.get("epochs", TASKS[data].epochs),
        batch_size=given.get("batch_size", 64),
        optimizer=optimizer,
        lr=given.get("lr", usual_rate(optimizer, model)),
        seed=given.get("seed", 0),
        augment=given.get("augment", False),
    )
    if "out" in given:
        _require_unused(Path(given["out"]))
    trainer = _trainer(config, given)
    return Run(trainer, _new_folder(given.get("out"), f"{data}-{model}"), given.get("data_dir"), {})


def _resumed(given: dict[str, Any]) -> Run:
    if refused := sorted(set(given) - _CHANGEABLE - {"resume"}):
        raise ValueError(f"train: --{refused[0].replace('_', '-')} cannot be given with --resume; the run goes on as it began")
    folder = Path(given["resume"])
    state = load(folder / CHECKPOINT)
    try:
        config = replace(Config(**config_of(state, OPTIMIZERS)), **({"epochs": given["epochs"]} if "epochs" in given else {}))
        data_dir = given.get("data_dir", data_dir_of(state))
        trainer = _trainer(config, {**given, "data_dir": data_dir})
        trainer.load_state(state)
    except NotOurs as fault:
        raise ValueError(f"train: '{folder / CHECKPOINT}' was not written by 'pyengine train': {fault}") from None
    return Run(trainer, folder, data_dir, _seconds_so_far(folder / LOG))


def _trainer(config: Config, given: dict[str, Any]) -> Trainer:
    device = as_device("train", given.get("device", "cpu"))
    folder = data_folder(config.data, given.get("data_dir"))
    load = TASKS[config.data].load
    train_set, test_set = (load(folder, part, given.get("download", False)) for part in (True, False))
    return Trainer(config, train_set, test_set, device)


def _seconds_so_far(log: Path) -> dict[int, float]:
    """From the log of the run that is resumed; nothing depends on it, so a damaged one is only less to show."""
    try:
        with open_regular("train", log) as file:
            records = json.loads(file.read(_MAX_LOG))["epochs"]
        return {record["epoch"]: float(record["seconds"]) for record in records if record["seconds"] is not None}
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return {}


def _require_unused(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ValueError(f"train: '{folder}' is a file; --out must be a folder, new or empty")
    if any(folder.iterdir()):
        go_on = f", or go on with the run in it: pyengine train --resume {shlex.quote(str(folder))}"
        raise ValueError(f"train: '{folder}' is not empty; choose another --out{go_on if (folder / CHECKPOINT).exists() else ''}")


def _new_folder(chosen: str | None, name: str) -> Path:
    """The folder asked for, or the first free one of runs/<name>, runs/<name>-2, ..."""
    if chosen is not None:
        Path(chosen).mkdir(parents=True, exist_ok=True)
        return Path(chosen)
    for number in itertools.count(1):
        folder = Path("runs", name if number == 1 else f"{name}-{number}")
        with suppress(FileExistsError):
            folder.mkdir(parents=True)
            return folder
    raise AssertionError("unreachable")


# Types of options -------------------------------------------------------------------------------------------------------------------


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"not a positive whole number: '{text}'")
    return int(text)


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**63:
        raise argparse.ArgumentTypeError(f"not a whole number from 0 to 2**63 - 1: '{text}'")
    return int(text)


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not 0 < rate < math.inf:
        raise argparse.ArgumentTypeError(f"not a positive number: '{text}'")
    return rate
