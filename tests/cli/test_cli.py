"""The command line as a user has it: a run in a folder, Ctrl-C and on to the same bits, and every mistake answered in one line."""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyengine as pe
from pyengine.cli import main, report

MISSING = [package for package in ("rich", "matplotlib", "sklearn", "PIL") if importlib.util.find_spec(package) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
ROOT = Path(__file__).parents[2]


def start(*arguments: str, cwd: Path, **environment: str) -> subprocess.Popen[str]:
    paths = os.pathsep.join(filter(None, [environment.pop("PYTHONPATH", ""), str(ROOT), os.environ.get("PYTHONPATH", "")]))
    settings = {**os.environ, "PYTHONPATH": paths, "PYTHONUNBUFFERED": "1", **environment}
    return subprocess.Popen(
        [sys.executable, "-m", "pyengine", *arguments], cwd=cwd, env=settings, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def idx(array: Any) -> bytes:
    return gzip.compress(struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes())


def save_picture(path: Path, pixels: Any) -> None:
    from PIL import Image

    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)


@pytest.fixture
def small_mnist(tmp_path: Path) -> Path:
    """Bright squares in ten places, as the four files of MNIST."""
    folder = tmp_path / "mnist"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for part, count in (("train", 640), ("t10k", 100)):
        labels = rng.integers(0, 10, count)
        images = rng.integers(0, 60, (count, 28, 28))
        for image, label in zip(images, labels, strict=True):
            image[5 + 4 * (label // 3) : 9 + 4 * (label // 3), 8 + 4 * (label % 3) : 12 + 4 * (label % 3)] += 150
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(idx(images))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(idx(labels))
    return folder


# A run ----------------------------------------------------------------------------------------------------------------------------------


def test_train_by_default_learns_the_digits_and_leaves_checkpoint_log_and_picture(tmp_path: Path) -> None:
    from PIL import Image

    code, out, err = finish(start("train", cwd=tmp_path))
    assert (code, err) == (0, "")
    folder = tmp_path / "runs" / "digits-mlp"
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoint.safetensors", "log.json", "report.png"]
    log = json.loads((folder / "log.json").read_text())
    assert [record["epoch"] for record in log["epochs"]] == list(range(1, log["config"]["epochs"] + 1))
    assert all(record["seconds"] > 0 for record in log["epochs"])
    assert log["epochs"][-1]["test_accuracy"] > 0.96
    with Image.open(folder / "report.png") as picture:
        assert picture.size[0] > 1000
        assert np.asarray(picture.convert("L")).std() > 10, "a picture that is not empty"
    assert "test accuracy" in out
    assert str(Path("runs/digits-mlp/report.png")) in out
    assert "\x1b" not in out, "no colours where no terminal is"


def test_ticks_of_a_single_epoch_are_whole() -> None:
    figure = pytest.importorskip("matplotlib.figure", reason="matplotlib is not installed")
    axes = figure.Figure().add_subplot()
    report._curves(axes, [{"epoch": 1, "train_loss": 0.4, "test_loss": 0.3}], "loss", "")
    low, high = axes.get_xlim()
    assert [tick for tick in axes.get_xticks() if low <= tick <= high] == [1]


def test_a_second_run_takes_a_new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert main(["train", "--epochs", "1"]) == 0
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["digits-mlp", "digits-mlp-2"]


@pytest.mark.parametrize("model", ["softmax", "mlp", "cnn", "vit"])
def test_every_model_learns_and_its_bits_do_not_depend_on_the_threads(
    model: str, small_mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["train", "--data", "mnist", "--data-dir", str(small_mnist), "--model", model, "--epochs", "3", "--augment", "--lr", "0.004"]
    for threads in ("1", "2"):
        assert main([*options, "--threads", threads, "--out", threads]) == 0
    assert (tmp_path / "1" / "checkpoint.safetensors").read_bytes() == (tmp_path / "2" / "checkpoint.safetensors").read_bytes()
    losses = [record["train_loss"] for record in json.loads((tmp_path / "1" / "log.json").read_text())["epochs"]]
    assert losses[-1] < losses[0]


def test_the_seed_decides_the_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for out, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert main(["train", "--epochs", "1", "--seed", seed, "--out", out]) == 0
    a, b, c = ((tmp_path / out / "checkpoint.safetensors").read_bytes() for out in "abc")
    assert a == b
    assert a != c


# Ctrl-C ---------------------------------------------------------------------------------------------------------------------------------


def interrupt(process: subprocess.Popen[str], rows: int, delay: float) -> tuple[int, str, str]:
    """Ctrl-C after so many rows of the table and ``delay`` seconds more."""
    assert process.stdout is not None
    seen = [process.stdout.readline() for _ in range(2 + rows)]
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    code, out, err = finish(process)
    return code, "".join(seen) + out, err


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_ctrl_c_saves_and_the_command_it_prints_goes_on_to_the_same_bits(tmp_path: Path, optimizer: str) -> None:
    options = ["train", "--model", "cnn", "--epochs", "4", "--augment", "--optimizer", optimizer]
    assert finish(start(*options, "--out", "whole", cwd=tmp_path))[0] == 0
    folder = tmp_path / "in parts"
    code, out, err = interrupt(start(*options, "--out", "in parts", cwd=tmp_path), rows=1, delay=0.03)
    assert (code, err) == (130, "")
    assert out.strip().splitlines()[-1].strip() == "pyengine train --resume 'in parts'"
    assert not (folder / "report.png").exists()
    code, out, err = interrupt(start("train", "--resume", "in parts", cwd=tmp_path), rows=2, delay=0.01)
    assert (code, err) == (130, "")
    code, out, err = finish(start("train", "--resume", "in parts", cwd=tmp_path))
    assert (code, err) == (0, "")
    assert (folder / "checkpoint.safetensors").read_bytes() == (tmp_path / "whole" / "checkpoint.safetensors").read_bytes()
    logs = [json.loads((tmp_path / name / "log.json").read_text())["epochs"] for name in ("whole", "in parts")]
    for record in (*logs[0], *logs[1]):
        assert record.pop("seconds") > 0
    assert logs[0] == logs[1]


def test_every_batch_is_a_place_to_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one process: stop after each of the batches in turn, save, load, go on."""
    from pyengine.cli import train

    monkeypatch.chdir(tmp_path)
    given = {"model": "mlp", "epochs": 2, "batch_size": 400, "augment": True}
    whole = train._begun({**given, "out": "whole"})
    assert train._train(whole)
    part = train._begun({**given, "out": "part"})
    part.save()
    while part.trainer.progress.epoch < 2:
        part.trainer.run_epoch(lambda: False)
        part.save()
        part = train._resumed({"resume": "part"})
    assert (tmp_path / "part" / train.CHECKPOINT).read_bytes() == (tmp_path / "whole" / train.CHECKPOINT).read_bytes()


def test_a_finished_run_can_be_given_more_epochs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--epochs", "1", "--out", "x"]) == 0
    assert main(["train", "--resume", "x", "--epochs", "2"]) == 0
    assert len(json.loads((tmp_path / "x" / "log.json").read_text())["epochs"]) == 2


# Mistakes -------------------------------------------------------------------------------------------------------------------------------


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    err = capsys.readouterr().err
    assert err.endswith("\n")
    assert err.count("\n") == 1
    assert err.startswith("pyengine")
    return err


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "required: COMMAND"),
        (["fly"], "invalid choice: 'fly'"),
        (["train", "--data", "imagenet"], "invalid choice: 'imagenet'"),
        (["train", "--epochs", "0"], "not a positive whole number: '0'"),
        (["train", "--epochs", "ten"], "not a positive whole number: 'ten'"),
        (["train", "--lr", "nan"], "not a positive number: 'nan'"),
        (["train", "--lr", "-1"], "--lr"),
        (["train", "--seed", "-1"], "--seed"),
        (["train", "--batch-size"], "expected one argument"),
        (["train", "--no-such"], "unrecognized arguments: --no-such"),
        (["predict"], "required: IMAGE"),
        (["predict", "x.png", "--top", "0"], "not a positive whole number: '0'"),
    ],
)
def test_bad_arguments(arguments: list[str], word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert word in one_line(capsys)


@pytest.fixture
def folder_of_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with files that must not be touched."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "checkpoint.safetensors").write_text("precious")
    (tmp_path / "file").write_text("precious")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--out", "used"], "'used' is not empty"),
        (["--out", "file"], "'file' is a file"),
        (["--out", "."], "choose another --out\n"),
        (["--data-dir", "used"], "digits has no use for --data-dir"),
        (["--data", "mnist", "--data-dir", "nowhere"], "no file 'train-images-idx3-ubyte.gz' in '"),
        (["--data", "cifar10", "--data-dir", "used"], "cifar10: no file"),
        (["--resume", "nowhere"], "No such file or directory: 'nowhere/checkpoint.safetensors'"),
        (["--resume", "used"], "not a valid checkpoint"),
        (["--resume", "used", "--lr", "1"], "--lr cannot be given with --resume"),
        (["--device", "cuda:9"], "device not available: 'cuda:9'"),
        (["--device", "abacus"], "device not available: 'abacus'"),
        (["--lr", "1e30", "--optimizer", "sgd"], "diverged"),
    ],
)
def test_runs_that_cannot_be(arguments: list[str], word: str, folder_of_another_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *([] if "--resume" in arguments else ["--epochs", "1"]), *arguments]) == 1
    assert word in one_line(capsys)
    assert (folder_of_another_run / "used" / "checkpoint.safetensors").read_text() == "precious"
    assert (folder_of_another_run / "file").read_text() == "precious"


def test_damaged_data(small_mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["train", "--data", "mnist", "--data-dir", str(small_mnist), "--epochs", "1"]
    images, labels = small_mnist / "train-images-idx3-ubyte.gz", small_mnist / "train-labels-idx1-ubyte.gz"
    whole = images.read_bytes()
    for content, word in [
        (whole[:-5000], "damaged gzip file"),
        (b"", "not an IDX file"),
        (idx(np.zeros((640, 28))), "do not fit"),
        (idx(np.zeros((639, 28, 28))), "do not fit"),
    ]:
        images.write_bytes(content)
        assert main(options) == 1
        assert word in one_line(capsys)
        assert not (tmp_path / "runs").exists(), "a run that cannot begin leaves nothing"
    images.write_bytes(whole)
    labels.write_bytes(idx(np.full(640, 10)))
    assert main(options) == 1
    assert "label out of range: 10" in one_line(capsys)


def test_data_of_another_shape_than_the_checkpoint(
    small_mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--data", "mnist", "--data-dir", str(small_mnist), "--epochs", "1", "--out", "x"]) == 0
    for part, count in (("train", 640), ("t10k", 100)):
        (small_mnist / f"{part}-images-idx3-ubyte.gz").write_bytes(idx(np.zeros((count, 20, 20))))
    capsys.readouterr()
    before = (tmp_path / "x" / "checkpoint.safetensors").read_bytes()
    assert main(["train", "--resume", "x", "--epochs", "2"]) == 1
    assert "images differ" in one_line(capsys)
    assert (tmp_path / "x" / "checkpoint.safetensors").read_bytes() == before


@pytest.mark.parametrize("package", ["rich", "matplotlib", "sklearn", "PIL"])
def test_a_missing_extra_is_named_with_its_pip_command(tmp_path: Path, package: str) -> None:
    (tmp_path / "stub" / package).mkdir(parents=True)
    (tmp_path / "stub" / package / "__init__.py").write_text(f"raise ModuleNotFoundError('No module named {package}')")
    arguments = ["predict", "x.png", "--checkpoint", "run"] if package == "PIL" else ["train", "--epochs", "1"]
    if package == "PIL":
        assert finish(start("train", "--epochs", "1", "--out", "run", cwd=tmp_path))[0] == 0
        (tmp_path / "x.png").touch()
    code, _, err = finish(start(*arguments, cwd=tmp_path, PYTHONPATH=str(tmp_path / "stub")))
    assert code == 1
    assert err.count("\n") == 1
    assert f"needs {package}, which is not installed" in err
    assert "pip install" in err


# Predict and info -----------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "run"
    assert main(["train", "--model", "cnn", "--augment", "--out", str(folder)]) == 0
    return folder


@pytest.mark.parametrize("inverted", [False, True])
def test_predict_reads_pictures_of_digits(trained: Path, tmp_path: Path, inverted: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Digits of the test set as large pictures in colour, off the centre: light on dark, and dark on light."""
    from pyengine.data.datasets import digits

    images, labels = (tensor.numpy() for tensor in digits(train=False).tensors)
    files, right = [], 0
    for i in range(30):
        canvas = np.pad(np.kron(images[i, 0], np.ones((20, 20))), ((10, 90), (70, 30))) * 200 + 20
        files.append(str(tmp_path / f"{i}.png"))
        save_picture(Path(files[-1]), np.stack([255 - canvas if inverted else canvas] * 3, axis=-1))
    capsys.readouterr()
    assert main(["predict", *files, "--checkpoint", str(trained), "--top", "2"]) == 0
    blocks = capsys.readouterr().out.strip().split("\n\n")[1:]
    assert [block.splitlines()[0] for block in blocks] == files
    for block, label in zip(blocks, labels, strict=False):
        rows = [line.split() for line in block.splitlines()[1:]]
        assert len(rows) == 2
        assert float(rows[0][1].rstrip("%")) >= float(rows[1][1].rstrip("%"))
        right += int(rows[0][0]) == label
    assert right >= 26


def test_predict_finds_the_newest_run(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    save_picture(Path("one.png"), np.pad(np.full((20, 8), 255), 10))
    assert main(["predict", "one.png"]) == 1
    assert "no trained network in runs" in one_line(capsys)
    shutil.copytree(trained, tmp_path / "runs" / "x")
    assert main(["predict", "one.png"]) == 0
    assert "runs/x/checkpoint.safetensors" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "word"),
    [(b"no image", "not a readable image: 'x.png': none of BMP, "), (None, "No such file or directory: 'x.png'")],
)
def test_predict_of_what_is_no_picture(
    content: bytes | None, word: str, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    if content is not None:
        Path("x.png").write_bytes(content)
    assert main(["predict", "x.png", "--checkpoint", str(trained)]) == 1
    assert word in one_line(capsys)


def test_predict_of_an_empty_picture(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    save_picture(tmp_path / "x.png", np.full((50, 50), 128))
    assert main(["predict", str(tmp_path / "x.png"), "--checkpoint", str(trained)]) == 1
    assert "nothing to see" in one_line(capsys)


def test_info(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    for fact in (pe.__version__, pe._engine.isa(), pe._engine.compiler, "devices", "cpu", np.__version__, "rich"):
        assert fact in out
