"""Streams, events and graphs on a GPU."""

from __future__ import annotations

from collections.abc import Callable

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
        assert pe.cuda.current_stream() == first
        y = x
        for _ in range(50):
            y = y + 1
    assert pe.cuda.current_stream() == pe.cuda.default_stream()
    second.wait_stream(first)
    with pe.cuda.stream(second):
        z = y * 2
    pe.cuda.record_stream(y, second)
    second.synchronize()
    assert second.query()
    assert first.query()
    np.testing.assert_array_equal(on_cpu(z), (expected + 50) * 2)


def test_the_default_stream_waits_and_is_recorded_like_any_other() -> None:
    x, expected = counted(1 << 20)
    side, default = pe.cuda.Stream(), pe.cuda.default_stream()
    assert default.cuda_stream == 0
    side.wait_stream(default)
    with pe.cuda.stream(side):
        y = x
        for _ in range(50):
            y = y + 1
        default.wait_stream(side)
        with pe.cuda.stream(default):
            z = y * 2
        pe.cuda.record_stream(y, default)
        del y
        pe.full((1 << 20,), 7, device="cuda", dtype="float32")
    np.testing.assert_array_equal(on_cpu(z), (expected + 50) * 2)
    with pytest.raises(ValueError, match="record_stream: not on the stream's GPU: cpu; the stream is on cuda"):
        pe.cuda.record_stream(pe.ones((3,), device="cpu"), default)


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


def test_every_replay_of_adam_is_one_more_step() -> None:
    def steps(run: Callable[[Callable[[], None]], None]) -> list[pe.Tensor]:
        weight = pe.asarray(np.linspace(-1, 1, 7, dtype=np.float32), device="cuda").requires_grad_()
        optimizer = pe.optim.Adam([weight], lr=0.1)

        def step() -> None:
            optimizer.zero_grad()
            (weight * weight).sum().backward()
            optimizer.step()

        run(step)
        return [weight]

    def replayed(step: Callable[[], None]) -> None:
        replay = pe.cuda.captured(step)  # three steps before it is recorded
        for _ in range(5):
            replay()

    def called(step: Callable[[], None]) -> None:
        for _ in range(8):
            step()

    np.testing.assert_allclose(on_cpu(steps(replayed)[0]), on_cpu(steps(called)[0]), rtol=1e-6)


def test_every_replay_of_attention_drops_other_weights() -> None:
    q = pe.ones((1, 2, 16, 64), device="cuda", dtype="float16")
    replay = pe.cuda.captured(lambda: pe.nn.functional.scaled_dot_product_attention(q, q, q, dropout_p=0.5))
    assert not np.array_equal(on_cpu(replay()), on_cpu(replay()))


def test_every_replay_draws_numbers_of_its_own() -> None:
    x = pe.ones((1000,), device="cuda")
    replay = pe.cuda.captured(lambda: pe.nn.functional.dropout(x, 0.5))
    first, second = on_cpu(replay()), on_cpu(replay())
    assert not np.array_equal(first, second)
    for drawn in (first, second):
        assert set(np.unique(drawn)) == {0.0, 2.0}
        assert 400 < np.count_nonzero(drawn) < 600


def test_what_a_replay_finds_wrong_is_raised_when_the_cpu_waits() -> None:
    logits, target = pe.ones((4, 3), device="cuda"), pe.zeros((4,), dtype="int64", device="cuda")
    loss = pe.cuda.captured(lambda: pe.nn.functional.cross_entropy(logits, target))
    rows = pe.cuda.captured(lambda: pe.take(logits, target, axis=0))
    np.testing.assert_allclose(on_cpu(loss()), np.log(3), rtol=1e-6)
    target[2] = 7
    loss()
    with pytest.raises(IndexError, match="class out of range: 7 at position 2"):
        pe.cuda.synchronize()
    pe.cuda.synchronize()
    loss()
    target[2] = 0
    loss()  # the first fault is kept until somebody waits
    with pytest.raises(IndexError, match="class out of range"):
        pe.cuda.synchronize()
    target[2] = 7
    rows()
    with pytest.raises(IndexError, match="take: index out of range: 7 on axis 0 of size 4"):
        pe.cuda.synchronize()
    target[2] = 1
    np.testing.assert_array_equal(on_cpu(rows()), np.ones((4, 3)))


def test_waiting_inside_a_graph_is_an_error_and_capture_ends() -> None:
    x, expected = counted(10)
    graph = pe.cuda.Graph()
    with pytest.raises(RuntimeError), pe.cuda.graph(graph):
        (x + 1).sum().item()
    with pytest.raises(ValueError, match="nothing was captured"):
        graph.replay()
    np.testing.assert_array_equal(on_cpu(x + 1), expected + 1)
