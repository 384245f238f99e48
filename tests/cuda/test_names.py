"""pe.cuda over an engine that only remembers what it is told: no GPU is needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

import pyengine as pe
from pyengine import _engine


@dataclass
class FakeStream:
    device: int
    address: int = 5


class FakeEngine:
    """What _engine has where the CUDA backend was built."""

    def __init__(self) -> None:
        self.current = FakeStream(0, 0)
        self.told: list[tuple[Any, ...]] = []

    def CudaStream(self, device: int) -> FakeStream:
        return FakeStream(device)

    def CudaEvent(self, timing: bool) -> FakeEngine:
        return self

    def CudaGraph(self) -> FakeEngine:
        return self

    def record(self, stream: FakeStream) -> None:
        self.told.append(("record", stream))

    def begin_capture(self, device: int) -> None:
        self.told.append(("begin", device))

    def end_capture(self, keep: bool) -> None:
        self.told.append(("end", keep))

    def cuda_default_stream(self, device: int) -> FakeStream:
        return FakeStream(device, 0)

    def cuda_current_stream(self, device: int) -> FakeStream:
        return self.current if device == self.current.device else FakeStream(device, 0)

    def cuda_set_current_stream(self, stream: FakeStream) -> None:
        self.current = stream

    def cuda_record_stream(self, x: Any, stream: FakeStream) -> None:
        self.told.append(("keep", stream))

    def available_devices(self) -> list[str]:
        return ["cpu", "cuda", "cuda:1"]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    fake = FakeEngine()
    for name in dir(fake):
        if name.startswith(("cuda_", "Cuda", "available")):
            monkeypatch.setattr(_engine, name, getattr(fake, name), raising=False)
    return fake


def test_the_current_stream_is_a_stream(engine: FakeEngine) -> None:
    default, side = pe.cuda.default_stream(), pe.cuda.Stream()
    assert pe.cuda.current_stream() == default != side
    assert default.cuda_stream == 0
    assert default != pe.cuda.default_stream(1)
    with pe.cuda.stream(side):
        assert pe.cuda.current_stream() == side
        assert pe.cuda.current_stream("cuda:1") == pe.cuda.default_stream(1)
        with pe.cuda.stream(default):
            assert pe.cuda.current_stream() == default
        assert len({side, pe.cuda.current_stream(), default}) == 2
    assert pe.cuda.current_stream() == default
    pe.cuda.Event().record()
    pe.cuda.record_stream(pe.ones((1,), device="cpu"), default)
    assert engine.told == [("record", FakeStream(0, 0)), ("keep", FakeStream(0, 0))]


def test_what_an_exception_ends_is_no_graph(engine: FakeEngine) -> None:
    graph = pe.cuda.Graph("cuda:1")
    with pe.cuda.graph(graph):
        pass
    with pytest.raises(KeyError), pe.cuda.graph(graph):
        raise KeyError
    assert engine.told == [("begin", 1), ("end", True), ("begin", 1), ("end", False)]
