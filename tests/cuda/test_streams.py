"""Streams, events and graphs on a GPU."""

from __future__ import annotations

import numpy as np
import pytest

import pyengine as pe
from tests.cuda.gpu import counted, needs_gpu, on_cpu

pytestmark = needs_gpu


def test_streams_order_their_work_and_wait_for_each_other() -> None:
    x, expected = counted(1 << 20)
    first, second = pe.cuda.Stream(), pe.cuda.Stream()
    assert first.cuda_stream != second.cuda_stream
    for stream in (first, second):
        stream.wait_event(_recorded())
    with pe.cuda.stream(first):
        assert pe.cuda.current_stream() == first.cuda_stream
        y = x
        for _ in range(50):
            y = y + 1
    assert pe.cuda.current_stream() == 0
    second.wait_stream(first)
    with pe.cuda.stream(second):
        z = y * 2
    pe.cuda.record_stream(y, second)
    second.synchronize()
    assert second.query()
    assert first.query()
    np.testing.assert_array_equal(on_cpu(z), (expected + 50) * 2)


def _recorded() -> pe.cuda.Event:
    event = pe.cuda.Event()
    event.record()
    return event


def test_events_measure_what_lies_between_them() -> None:
    x, _ = counted(1 << 22)
    start, end = (pe.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(20):
        x = x + 1
    end.record()
    end.synchronize()
    assert start.query()
    assert 0 < start.elapsed_time(end) < 1000


def test_memory_of_another_stream_is_not_reused_before_its_work_is_done() -> None:
    side = pe.cuda.Stream()
    x, expected = counted(1 << 22)
    side.wait_event(_recorded())
    with pe.cuda.stream(side):
        y = x
        for _ in range(100):
            y = y + 1
    pe.cuda.record_stream(x, side)
    del x
    for value in range(10):
        pe.full((1 << 22,), value, device="cuda", dtype="float32")
    side.synchronize()
    np.testing.assert_array_equal(on_cpu(y), expected + 100)


def test_a_graph_computes_with_what_stands_in_its_inputs() -> None:
    x, expected = counted(1000)
    step = pe.cuda.captured(lambda: x * 3 + 1)
    y = step()
    pe.cuda.synchronize()
    np.testing.assert_array_equal(on_cpu(y), expected * 3 + 1)
    x += 5
    assert step() is y
    pe.cuda.synchronize()
    np.testing.assert_array_equal(on_cpu(y), (expected + 5) * 3 + 1)


def test_a_captured_training_step_trains() -> None:
    layer = pe.nn.Linear(8, 1).to("cuda")
    optimizer = pe.optim.SGD(layer.parameters(), lr=0.05)
    x, target = pe.ones((4, 8), device="cuda"), pe.ones((4, 1), device="cuda")

    def step() -> pe.Tensor:
        optimizer.zero_grad()
        loss = pe.nn.functional.mse_loss(layer(x), target)
        loss.backward()
        optimizer.step()
        return loss.detach()

    replay = pe.cuda.captured(step)
    losses = []
    for _ in range(20):
        loss = replay()
        pe.cuda.synchronize()
        losses.append(float(on_cpu(loss)))
    assert losses[-1] < losses[0] or losses[0] < 1e-9


def test_waiting_inside_a_graph_is_an_error_and_capture_ends() -> None:
    x, expected = counted(10)
    with pytest.raises(RuntimeError), pe.cuda.graph(pe.cuda.Graph()):
        (x + 1).sum().item()
    np.testing.assert_array_equal(on_cpu(x + 1), expected + 1)
