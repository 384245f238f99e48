"""GPUs: streams, events, graphs, memory. Work on a GPU is asynchronous: what a call returns may still be computed.

Kernels and copies go to the thread's current stream on their GPU, the default one until :func:`stream` names another. All functions but
:func:`is_available` and :func:`device_count` raise RuntimeError where there is no GPU, saying why.

None of this has run on a GPU yet: docs/cuda.md.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pyengine import _engine
from pyengine.tensor import Tensor

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = [
    "Event",
    "Graph",
    "Stream",
    "captured",
    "current_stream",
    "default_stream",
    "device_count",
    "empty_cache",
    "get_device_properties",
    "graph",
    "is_available",
    "memory_stats",
    "pin_memory",
    "record_stream",
    "reset_peak_memory_stats",
    "stream",
    "synchronize",
]


def device_count() -> int:
    """How many GPUs the driver finds; 0 without a driver, or where the CUDA backend was not built."""
    return sum(name.startswith("cuda") for name in _engine.available_devices())


def is_available() -> bool:
    """Whether there is a GPU to use."""
    return device_count() > 0


def get_device_properties(device: int | str | None = None) -> dict[str, Any]:
    """name, compute_capability (major, minor), multiprocessors, memory in bytes."""
    index = _index("get_device_properties", device)
    return _engine.cuda_properties(index)


def synchronize(device: int | str | None = None) -> None:
    """Waits until the GPU has done all it was given."""
    index = _index("synchronize", device)
    _engine.cuda_synchronize(index)


def memory_stats(device: int | str | None = None) -> dict[str, int]:
    """Bytes: in_use by arrays, and by other streams' work on arrays that are gone (:func:`record_stream`); cached for the next arrays; the
    peak of in_use; and what the GPU has free and in total."""
    index = _index("memory_stats", device)
    return _engine.cuda_memory_stats(index)


def reset_peak_memory_stats(device: int | str | None = None) -> None:
    """The peak starts again from what is in use now."""
    index = _index("reset_peak_memory_stats", device)
    _engine.cuda_reset_peak(index)


def empty_cache(device: int | str | None = None) -> None:
    """Gives cached memory back to the driver, after waiting for the GPU."""
    index = _index("empty_cache", device)
    _engine.cuda_empty_cache(index)


def pin_memory(x: Tensor) -> Tensor:
    """A copy of a CPU tensor in pinned memory: ``x.to("cuda", non_blocking=True)`` then overlaps with what the CPU goes on to do."""
    _index("pin_memory", None)
    return Tensor(_engine.cuda_pinned(x._array))


# Streams and events -----------------------------------------------------------------------------------------------------------------------


class Stream:
    """An order of work on a GPU. What is given to one stream runs in order; streams run side by side unless events order them."""

    def __init__(self, device: int | str | None = None) -> None:
        index = _index("Stream", device)
        self._engine = _engine.CudaStream(index)

    @classmethod
    def _over(cls, engine: _engine.CudaStream) -> Self:
        """One that is there already."""
        self = cls.__new__(cls)
        self._engine = engine
        return self

    @property
    def cuda_stream(self) -> int:
        """Its address, as other libraries take it; 0 for the default stream."""
        return self._engine.address

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and (self.cuda_stream, self._engine.device) == (other.cuda_stream, other._engine.device)

    def __hash__(self) -> int:
        return hash((self.cuda_stream, self._engine.device))

    def synchronize(self) -> None:
        """Waits until all its work is done."""
        self._engine.synchronize()

    def query(self) -> bool:
        """Whether all its work is done."""
        return self._engine.query()

    def record_event(self, event: Event | None = None) -> Event:
        """An event that happens when the work given so far is done."""
        event = event or Event()
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """What is given to this stream later waits for the event."""
        self._engine.wait_event(event._engine)

    def wait_stream(self, other: Stream) -> None:
        """What is given to this stream later waits for what the other has been given so far."""
        self.wait_event(other.record_event())


class Event:
    """A place in a stream's work, to wait for, and with ``enable_timing=True`` to measure from."""

    def __init__(self, enable_timing: bool = False) -> None:
        _index("Event", None)
        self._engine = _engine.CudaEvent(enable_timing)

    def record(self, stream: Stream | None = None) -> None:
        """Happens when the work that the stream (the current one) has been given is done."""
        self._engine.record((stream or current_stream())._engine)

    def synchronize(self) -> None:
        """Waits for it."""
        self._engine.synchronize()

    def query(self) -> bool:
        """Whether it has happened."""
        return self._engine.query()

    def elapsed_time(self, end: Event) -> float:
        """Milliseconds from this event to ``end``; both need ``enable_timing=True``."""
        return end._engine.elapsed_since(self._engine)


def current_stream(device: int | str | None = None) -> Stream:
    """The stream that this thread's work on a GPU goes to: the default one outside of :func:`stream` and :class:`graph`."""
    index = _index("current_stream", device)
    return Stream._over(_engine.cuda_current_stream(index))


def default_stream(device: int | str | None = None) -> Stream:
    """The stream that work goes to where no other is named. No graph can record it."""
    index = _index("default_stream", device)
    return Stream._over(_engine.cuda_default_stream(index))


@contextmanager
def stream(chosen: Stream) -> Iterator[Stream]:
    """This thread's work on the stream's GPU goes to ``chosen`` inside; tensors that two streams use need :func:`record_stream`."""
    _index("stream", None)
    before = _engine.cuda_current_stream(chosen._engine.device)
    _engine.cuda_set_current_stream(chosen._engine)
    try:
        yield chosen
    finally:
        _engine.cuda_set_current_stream(before)


def record_stream(x: Tensor, used_on: Stream) -> None:
    """x is used on a stream it was not made on: its memory is kept until that work, too, is done. ValueError if it is not on its GPU."""
    _index("record_stream", None)
    _engine.cuda_record_stream(x._array, used_on._engine)


# Graphs -----------------------------------------------------------------------------------------------------------------------------------


class Graph:
    """Work recorded once, inside ``with pe.cuda.graph(g):``, to be given to the GPU again as a whole by :meth:`replay`.

    A replay reads and writes the same memory as the recording: write new inputs into the old tensors, and read results from the old ones.
    Nothing that waits for the GPU can be recorded, as ``item``, printing and indexing with booleans do. What Python computes is recorded as
    it was: a learning rate, the count of steps in an optimiser's state. Two things change all the same: each replay draws random numbers of
    its own, and Adam's bias correction goes on counting. An index or class out of range raises its IndexError when the CPU next waits, in
    :func:`synchronize`, ``item`` and their like; what that replay computed is of no use.

    Run the work once before, outside of the graph, as :func:`captured` does: the first launch of a kernel loads it, which the driver may
    refuse while it records. What an exception ends is thrown away: nothing was captured then.
    NVIDIA, CUDA C++ Programming Guide 13.0, section 6.2.8.7.
    """

    def __init__(self, device: int | str | None = None) -> None:
        self._device = _index("Graph", device)
        self._engine = _engine.CudaGraph()
        self._reads: object = None  # whose tensors must live as long

    def replay(self) -> None:
        """Gives the recorded work to the current stream."""
        self._engine.replay()


class graph:
    """``with pe.cuda.graph(g): step()`` records the work of ``step`` in ``g``, without running it."""

    def __init__(self, recorded: Graph) -> None:
        self._graph = recorded

    def __enter__(self) -> Self:
        gc.collect()  # so that nothing old is freed in the middle of it
        self._graph._engine.begin_capture(self._graph._device)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._graph._engine.end_capture(keep=error is None)


def captured(step: Callable[[], Any]) -> Callable[[], Any]:
    """``step`` recorded in a graph, after three runs that set up what is made on first use; calling the result replays it.

    Returns what ``step`` returned when it was recorded: tensors that every replay fills anew. Holds ``step``, and with it what it reads.
    """
    recorded = Graph()
    for _ in range(3):
        step()
    with graph(recorded):
        result = step()
    recorded._reads = step

    def replay() -> Any:
        recorded.replay()
        return result

    return replay


def _index(op: str, device: int | str | None) -> int:
    """The number of a GPU, 0 for None. RuntimeError where there is none."""
    count = device_count()
    if count == 0:
        raise RuntimeError(f"{op}: no GPU: {_engine.cuda_why_none()}; use device='cpu', or device='simulator' to run CUDA kernels")
    kind, _, number = device.partition(":") if isinstance(device, str) else ("cuda", "", device or 0)
    index = int(number or 0)
    if kind != "cuda" or not 0 <= index < count:
        raise ValueError(f"{op}: no such GPU: {device!r}; there are {count}, 'cuda:0' to 'cuda:{count - 1}'")
    return index
