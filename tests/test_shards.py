"""Checkpoints in shards: what Hugging Face's tools write, what they read, what a crash leaves, and indexes that lie."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyengine as pe
from pyengine import files

INDEX = "model.safetensors.index.json"


def tensor(value: float, size: int = 10) -> pe.Tensor:
    return pe.asarray(np.full(size, value, np.float32))


def shards_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != INDEX)


def assert_same(found: dict[str, Any], given: dict[str, Any]) -> None:
    assert found.keys() == given.keys()
    for name, value in given.items():
        np.testing.assert_array_equal(found[name].numpy(), value.numpy())


def test_they_come_back_from_the_index_and_from_the_folder(tmp_path: Path) -> None:
    state = {name: tensor(i) for i, name in enumerate("abcdefg")}
    pe.save(state, tmp_path / INDEX, {"format": "pt"}, shard_size=100)
    assert [name[:20] for name in shards_in(tmp_path)] == [f"model-{i:05}-of-00004"[:20] for i in range(1, 5)]
    for path in (tmp_path / INDEX, tmp_path):
        assert_same(pe.load(path), state)
        assert pe.serialization.load_metadata(path)["format"] == "pt"
    index = json.loads((tmp_path / INDEX).read_text())
    assert index["metadata"]["total_size"] == 7 * 40
    assert all((tmp_path / shard).stat().st_size < 100 + 400 for shard in index["weight_map"].values())


def test_the_safetensors_library_reads_every_shard(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    state = {name: tensor(i) for i, name in enumerate("abc")}
    pe.save(state, tmp_path / INDEX, shard_size=80)
    for name, shard in json.loads((tmp_path / INDEX).read_text())["weight_map"].items():
        np.testing.assert_array_equal(library.load_file(tmp_path / shard)[name], state[name].numpy())


def test_shards_that_others_wrote_behind_links(tmp_path: Path) -> None:
    """Hugging Face's cache: a folder of links into a folder of blobs."""
    (tmp_path / "blobs").mkdir()
    (tmp_path / "snapshot").mkdir()
    weight_map = {}
    for i, name in enumerate("ab"):
        shard = f"model-0000{i + 1}-of-00002.safetensors"
        pe.save({name: tensor(i)}, tmp_path / "blobs" / str(i), {"format": "pt"})
        (tmp_path / "snapshot" / shard).symlink_to(Path("..", "blobs", str(i)))
        weight_map[name] = shard
    (tmp_path / "snapshot" / INDEX).write_text(json.dumps({"metadata": {"total_size": 80}, "weight_map": weight_map}))
    assert_same(pe.load(tmp_path / "snapshot"), {"a": tensor(0), "b": tensor(1)})


def test_a_nested_state_and_a_tensor_larger_than_a_shard(tmp_path: Path) -> None:
    state = {"model": {"w": tensor(1, 100), "b": tensor(2)}, "step": 3, "betas": (0.9, 0.999)}
    pe.save(state, tmp_path / INDEX, shard_size=1)
    found = pe.load(tmp_path)
    assert (found["step"], found["betas"], found["model"]["w"].shape) == (3, (0.9, 0.999), (100,))
    pe.save({}, tmp_path / INDEX, shard_size=1)
    assert pe.load(tmp_path) == {}


def test_the_same_state_gives_the_same_files_and_the_old_ones_go(tmp_path: Path) -> None:
    (tmp_path / "model-00001-of-00002.safetensors").write_bytes(b"not ours")
    first = {name: tensor(i) for i, name in enumerate("abc")}
    pe.save(first, tmp_path / INDEX, shard_size=80)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    pe.save(dict(reversed(first.items())), tmp_path / INDEX, shard_size=80)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    pe.save({"a": tensor(5)}, tmp_path / INDEX, shard_size=80)
    assert len(shards_in(tmp_path)) == 2
    assert (tmp_path / "model-00001-of-00002.safetensors").read_bytes() == b"not ours"


def test_after_an_error_there_is_the_old_checkpoint_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = {name: tensor(1) for name in "abc"}
    pe.save(old, tmp_path / INDEX, shard_size=80)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    calls = []

    def fail_at_the_third(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 5:  # each shard is flushed, and then its folder
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", fail_at_the_third)
    with pytest.raises(OSError, match="save: No space left on device; 120 bytes to write; what was there before is untouched"):
        pe.save({name: tensor(2) for name in "abc"}, tmp_path / INDEX, shard_size=40)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("moment", range(1, 9))
def test_a_process_killed_at_any_flush_leaves_the_old_checkpoint_or_the_new(tmp_path: Path, moment: int) -> None:
    pe.save({name: tensor(1) for name in "abc"}, tmp_path / INDEX, shard_size=40)
    script = f"""
import os, signal
import numpy as np, pyengine as pe
flush, calls = os.fsync, []
def fsync(descriptor):
    calls.append(descriptor)
    if len(calls) == {moment}:
        os.kill(os.getpid(), signal.SIGKILL)
    flush(descriptor)
os.fsync = fsync
pe.save({{name: np.full(10, 2, np.float32) for name in "abc"}}, {str(tmp_path / INDEX)!r}, shard_size=40)
"""
    subprocess.run([sys.executable, "-c", script])
    assert_same(pe.load(tmp_path / INDEX), {name: tensor(1 if moment <= 7 else 2) for name in "abc"})
    pe.save({"a": tensor(3)}, tmp_path / INDEX, shard_size=40)
    assert len([name for name in shards_in(tmp_path) if not name.startswith(".")]) == 1, "what the crash left is cleared away"


def test_what_cannot_be_sharded_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"save: not the name of an index: .*; with shard_size, path must end in"):
        pe.save({"a": tensor(1)}, tmp_path / "model.safetensors", shard_size=100)
    with pytest.raises(ValueError, match="save: shard_size out of range: 0; at least 1 byte"):
        pe.save({"a": tensor(1)}, tmp_path / INDEX, shard_size=0)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_must_hold_one_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"load: not one checkpoint: .* holds 0: "):
        pe.load(tmp_path)
    pe.save({"a": tensor(1)}, tmp_path / "one.safetensors")
    assert_same(pe.load(tmp_path), {"a": tensor(1)})
    pe.save({"a": tensor(2)}, tmp_path / INDEX, shard_size=100)
    with pytest.raises(ValueError, match=r"holds 2: \['model.safetensors.index.json', 'one.safetensors'\]; pass the file or the index"):
        pe.load(tmp_path)


def index(weight_map: Any, **more: Any) -> bytes:
    return json.dumps({"metadata": {}, "weight_map": weight_map, **more}).encode()


_HOSTILE = {
    "empty": b"",
    "a list": b"[]",
    "not UTF-8": b'{"weight_map": {"\xff": "x.safetensors"}}',
    "deep": b'{"weight_map":' + b"[" * 100_000,
    "no map": b"{}",
    "a map that is a list": index(["x.safetensors"]),
    "metadata a list": index({}, metadata=[]),
    "a key twice": b'{"weight_map": {"a": "x.safetensors", "a": "y.safetensors"}}',
    "a number for a name": index({"a": 1}),
    "NaN for a name": b'{"weight_map": {"a": NaN}}',
    "up and away": index({"a": "../../x.safetensors"}),
    "absolute": index({"a": "/tmp/x.safetensors"}),
    "below": index({"a": "sub/x.safetensors"}),
    "backslashes": index({"a": "..\\x.safetensors"}),
    "a drive": index({"a": "C:x.safetensors"}),
    "NUL": index({"a": "x\0.safetensors"}),
    "two dots": index({"a": ".."}),
    "no name": index({"a": ""}),
    "another type of file": index({"a": "x.json"}),
    "the index itself": index({"a": INDEX}),
    "a tensor the shard lacks": index({"a": "x.safetensors", "b": "x.safetensors"}),
    "a tensor the index lacks": index({"b": "y.safetensors"}),
    "a damaged shard": index({"a": "damaged.safetensors"}),
    "a tree without its tensor": index({}, metadata={"pyengine.tree": '{"tensor": "a"}'}),
}


@pytest.mark.parametrize("name", _HOSTILE)
def test_hostile_indexes_end_in_one_clear_error(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for outside in (tmp_path / "x.safetensors", folder / "x.safetensors"):
        pe.save({"a": tensor(1)}, outside)
    pe.save({"a": tensor(1), "b": tensor(1)}, folder / "y.safetensors")
    (folder / "damaged.safetensors").write_bytes(b"12345678")
    (folder / INDEX).write_bytes(_HOSTILE[name])
    with pytest.raises(ValueError, match=r"^load: not a valid checkpoint: ") as caught:
        pe.load(folder / INDEX)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_shard_that_is_missing_or_no_file(tmp_path: Path) -> None:
    (tmp_path / INDEX).write_bytes(index({"a": "x.safetensors"}))
    with pytest.raises(FileNotFoundError, match=r"load: No such file.*x\.safetensors"):
        pe.load(tmp_path)
    (tmp_path / "x.safetensors").mkdir()
    with pytest.raises(ValueError, match=r"load: not a regular file: .*x.safetensors' is a folder"):
        pe.load(tmp_path / INDEX)
    (tmp_path / "x.safetensors").rmdir()
    (tmp_path / "x.safetensors").symlink_to("x.safetensors")
    with pytest.raises(OSError, match="load: Too many levels of symbolic links"):
        pe.load(tmp_path / INDEX)
    if hasattr(os, "mkfifo"):
        (tmp_path / "x.safetensors").unlink()
        os.mkfifo(tmp_path / "x.safetensors")
        with pytest.raises(ValueError, match=r"load: not a regular file: .*x.safetensors' is a pipe"):
            pe.load(tmp_path / INDEX)


def test_an_index_cut_anywhere_is_refused(tmp_path: Path) -> None:
    pe.save({"a": tensor(1), "b": tensor(2)}, tmp_path / INDEX, shard_size=40)
    whole = (tmp_path / INDEX).read_bytes()
    for length in range(len(whole)):
        (tmp_path / INDEX).write_bytes(whole[:length])
        with pytest.raises(ValueError, match="not a valid checkpoint"):
            pe.load(tmp_path / INDEX)
