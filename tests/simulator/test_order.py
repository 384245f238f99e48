"""Order between threads in the simulator: what fences, atomics and barriers pass on together, and threads that wait in loops."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import pyengine as pe
from tests.devices import needs_simulator

pytestmark = needs_simulator

KERNELS = """\
// The block that is the last to count itself takes what all have written.
__global__ void last_block(int* parts, int* count, int* out, int writer_fences, int reader_fences) {
    __shared__ bool last;
    if (threadIdx.x == 0) {
        parts[blockIdx.x] = blockIdx.x;
        if (writer_fences) __threadfence();
        last = atomicAdd(count, 1) == gridDim.x - 1;
    }
    __syncthreads();
    if (!last) return;
    if (reader_fences) __threadfence();
    out[threadIdx.x] = parts[threadIdx.x];
}

// The same, where each thread writes.
__global__ void last_of_all(int* parts, int* count, int* out, int writer_fences, int reader_fences) {
    __shared__ bool last;
    parts[blockIdx.x * blockDim.x + threadIdx.x] = threadIdx.x;
    if (writer_fences) __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) last = atomicAdd(count, 1) == gridDim.x - 1;
    __syncthreads();
    if (!last) return;
    if (reader_fences) __threadfence();
    out[threadIdx.x] = parts[(threadIdx.x + 1) % gridDim.x * blockDim.x + threadIdx.x];
}

__global__ void wait_volatile(volatile int* flag) {
    while (*flag == 0) {
    }
}

__global__ void wait_told(int* flag) {
    __threadfence();
    while (atomicAdd(flag, 0) == 0) {
    }
}

__global__ void lock_twice(int* lock) {
    while (atomicCAS(lock, 0, 1) != 0) {
    }
    while (atomicCAS(lock, 0, 1) != 0) {
    }
}

__global__ void barrier_and_wait(volatile int* flag) {
    if (threadIdx.x == 0)
        while (*flag == 0) {
        }
    __syncthreads();
}

__global__ void wait_plain(int* flag) {
    if (threadIdx.x == 1) flag[0] = 1;
    if (threadIdx.x == 0)
        while (flag[0] == 0) {
        }
}

__global__ void count_locked(int* lock, int* total) {
    for (bool done = false; !done;) {
        if (atomicCAS(lock, 0, 1) != 0) continue;
        __threadfence();
        *total = *total + 1;
        __threadfence();
        atomicExch(lock, 0);
        done = true;
    }
}

// Each block waits for the next one, the first for all.
__global__ void chain(volatile int* flags, int* out) {
    if (blockIdx.x + 1 < gridDim.x)
        while (flags[blockIdx.x + 1] == 0) {
        }
    __threadfence();
    out[blockIdx.x] = blockIdx.x + 1 < gridDim.x ? out[blockIdx.x + 1] + 1 : 0;
    __threadfence();
    flags[blockIdx.x] = 1;
}

__global__ void two_readers(int* x, int* out) {
    out[threadIdx.x] = threadIdx.x == 0 ? *static_cast<volatile int*>(x) : *x;
}

__global__ void reader_and_writer(int* x, int* out) {
    if (threadIdx.x == 0)
        out[0] = *static_cast<volatile int*>(x);
    else
        *x = 1;
}

// The reduction of a warp that ran in step, on GPUs before Volta.
__global__ void in_step(const int* x, int* out, int syncs) {
    __shared__ volatile int s[64];
    s[threadIdx.x] = x[threadIdx.x];
    s[threadIdx.x + 32] = x[threadIdx.x];
    __syncwarp();
    for (int n = 32; n > 0; n /= 2) {
        const int other = s[threadIdx.x + n];
        if (syncs) __syncwarp();
        s[threadIdx.x] = s[threadIdx.x] + other;
        if (syncs) __syncwarp();
    }
    if (threadIdx.x == 0) *out = s[0];
}

// One lane hands numbers to the next through a flag; any lane may end the search.
__global__ void flags_of_a_warp(int* out) {
    __shared__ volatile int full, found;
    __shared__ int number;
    if (threadIdx.x == 0) full = found = 0;
    __syncwarp();
    for (int i = 0; i < 10; ++i) {
        if (threadIdx.x == 0) {
            while (full == 1) {
            }
            __threadfence_block();
            number = i;
            __threadfence_block();
            full = 1;
        }
        if (threadIdx.x == 1) {
            while (full == 0) {
            }
            __threadfence_block();
            out[i] = number;
            __threadfence_block();
            full = 0;
        }
    }
    __syncwarp();
    for (int i = 0; i < 10 && !found; ++i)
        if (out[i] == static_cast<int>(threadIdx.x)) found = 1;
}

__global__ void two_blocks(int* x) { x[threadIdx.x] = blockIdx.x; }
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> pe.simulator.Program:
    path = tmp_path_factory.mktemp("order") / "order.cu"
    path.write_text(KERNELS)
    return pe.simulator.load(path)


@pytest.fixture(autouse=True)
def in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports name the thread that comes first."""
    monkeypatch.delenv("PYENGINE_SIMULATOR_SEED", raising=False)


@pytest.fixture(params=[1, 2])
def machine_threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = pe.get_num_threads()
    pe.set_num_threads(request.param)
    yield request.param
    pe.set_num_threads(before)


def zeros(n: int) -> pe.Tensor:
    return pe.zeros(n, dtype="int32", device="simulator")


@pytest.mark.parametrize("name", ["last_block", "last_of_all"])
@pytest.mark.parametrize("reader_fences", [0, 1])
def test_what_one_thread_heard_a_barrier_tells_the_others(program: pe.simulator.Program, name: str, reader_fences: int) -> None:
    out = zeros(32)
    program[name](grid=32, block=32)(pe.empty(1024, dtype="int32", device="simulator"), zeros(1), out, 1, reader_fences)
    assert out.tolist() == list(range(32))
    with pytest.raises(
        pe.simulator.SimulatorError, match=rf"race: kernel {name}, .* reads global memory .* block \(\d+, 0, 0\), thread .* wrote"
    ):
        program[name](grid=32, block=32)(zeros(1024), zeros(1), zeros(32), 0, reader_fences)


@pytest.mark.parametrize(
    ("name", "grid", "block", "waiting"),
    [
        ("wait_volatile", 1, 1, r"1 threads wait for memory that nobody writes, at order.cu:29: block \(0, 0, 0\), thread \(0, 0, 0\);"),
        ("wait_told", 4, 64, r"64 threads wait for memory that nobody writes, at order.cu:35: block \(0, 0, 0\)"),
        ("lock_twice", 1, 2, r"memory that nobody writes, at order.cu:42"),
        ("barrier_and_wait", 1, 64, r"63 threads wait for __syncthreads.*1 threads wait for memory that nobody writes"),
    ],
)
def test_loops_that_never_end_are_deadlocks(
    program: pe.simulator.Program, machine_threads: int, name: str, grid: int, block: int, waiting: str
) -> None:
    with pytest.raises(pe.simulator.SimulatorError, match=rf"deadlock: kernel {name}: .*{waiting}"):
        program[name](grid, block)(zeros(1))


def test_a_loop_over_an_ordinary_variable_lets_others_go_on(program: pe.simulator.Program) -> None:
    with pytest.raises(
        pe.simulator.SimulatorError, match=r"race: kernel wait_plain, .*thread \(1, 0, 0\): writes .*thread \(0, 0, 0\) read"
    ):
        program["wait_plain"](1, 2)(zeros(1))


def test_loops_that_end(program: pe.simulator.Program, machine_threads: int) -> None:
    total, out = zeros(1), zeros(40)
    program["count_locked"](4, 64)(zeros(1), total)
    assert total.tolist() == [256]
    program["chain"](40, 1)(zeros(40), out)
    assert out.tolist() == list(range(40))[::-1]


def test_a_volatile_read_is_a_read(program: pe.simulator.Program) -> None:
    program["two_readers"](1, 2)(zeros(1), zeros(2))
    with pytest.raises(
        pe.simulator.SimulatorError, match=r"thread \(0, 0, 0\) read as atomic or volatile at .*; .*one is an ordinary access"
    ):
        program["reader_and_writer"](1, 2)(zeros(1), zeros(2))


def test_both_sides_of_a_race_between_blocks_are_named(program: pe.simulator.Program) -> None:
    with pytest.raises(
        pe.simulator.SimulatorError, match=r"block \(([01]), 0, 0\), .*, which block \((?!\1)[01], 0, 0\), thread \(\d, 0, 0\) wrote"
    ):
        program["two_blocks"](2, 8)(zeros(8))


def test_lanes_that_rely_on_running_in_step(program: pe.simulator.Program) -> None:
    x, out = pe.ones(32, dtype="int32", device="simulator"), zeros(1)
    program["in_step"](1, 32)(x, out, 1)
    assert out.tolist() == [64]
    with pytest.raises(
        pe.simulator.SimulatorError, match=r"race: kernel in_step, .* writes as volatile .*do not run in step, and no __syncwarp"
    ):
        program["in_step"](1, 32)(x, out, 0)
    numbers = zeros(10)
    program["flags_of_a_warp"](1, 32)(numbers)
    assert numbers.tolist() == list(range(10))
