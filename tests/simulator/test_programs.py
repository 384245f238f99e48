"""Kernels and programs of users in the simulator: translation, arguments, reports, pictures."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import pyengine as pe
from pyengine.simulator import pictures
from tests.devices import needs_simulator

pytestmark = needs_simulator

KERNELS = """\
__global__ void square(const float* __restrict__ x, float* y, int n) {  // y[i] = x[i]^2
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = x[i] * x[i];
}

__global__ void __launch_bounds__(256) reverse(const int* x, int* y) {
    __shared__ int tile[256];
    tile[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = tile[255 - threadIdx.x];
}

__global__ void transpose(const float* x, float* y) {
    extern __shared__ float tile[];
    tile[threadIdx.y * 33 + threadIdx.x] = x[threadIdx.y * 32 + threadIdx.x];
    __syncthreads();
    y[threadIdx.y * 32 + threadIdx.x] = tile[threadIdx.x * 33 + threadIdx.y];
}

template <typename T>
__global__ void unused(T* x) { x[0] = 0; }

__global__ void without_barrier(const int* x, int* y) {
    __shared__ int tile[256];
    tile[threadIdx.x] = 0;
    __syncthreads();
    tile[threadIdx.x] = x[threadIdx.x];
    y[threadIdx.x] = tile[255 - threadIdx.x];
}
"""

PROGRAM = """\
#include <cuda_runtime.h>
#include <cstdio>

__global__ void fill(float* x, int n, float value) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < LIMIT) x[i] = value;
}

int main() {
    float* x;
    cudaMalloc(&x, 100 * sizeof(float));
    fill<<<dim3(1), 128>>>(x, 100, 2.5f);
    float y[100];
    cudaMemcpy(y, x, sizeof y, cudaMemcpyDeviceToHost);
    cudaFree(x);
    printf("%g %g\\n", y[0], y[99]);
    return 3;
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> pe.simulator.Program:
    path = tmp_path_factory.mktemp("programs") / "lesson.cu"
    path.write_text(KERNELS)
    return pe.simulator.load(path)


def on_simulator(values: object, dtype: object) -> pe.Tensor:
    return pe.asarray(values, dtype=dtype, device="simulator")


def test_kernels_by_name(program: pe.simulator.Program) -> None:
    assert list(program) == ["square", "reverse", "transpose", "without_barrier"]
    assert program["square"].parameters == ("const float* __restrict__ x", "float* y", "int n")


def test_results(program: pe.simulator.Program) -> None:
    x, y = on_simulator(np.arange(1000), pe.float32), pe.zeros(1000, device="simulator")
    program["square"](grid=4, block=256)(x, y, 1000)
    np.testing.assert_array_equal(y.to("cpu").numpy(), np.arange(1000.0) ** 2)
    a, b = on_simulator(np.arange(256), pe.int32), pe.zeros(256, dtype=pe.int32, device="simulator")
    program["reverse"](1, 256)(a, b)
    np.testing.assert_array_equal(b.to("cpu").numpy(), np.arange(256)[::-1])


def test_dynamic_shared_memory_and_its_trace(program: pe.simulator.Program, tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((32, 32)).astype(np.float32)
    x, y = on_simulator(values, pe.float32), pe.zeros((32, 32), device="simulator")
    with pe.simulator.trace() as touches:
        program["transpose"](1, (32, 32), 32 * 33 * 4)(x, y)
    np.testing.assert_array_equal(y.to("cpu").numpy(), values.T)
    assert touches.table.shape == (2048, 5)
    written = touches.table[touches.table[:, 4] == 1]
    np.testing.assert_array_equal(np.sort(written[:, 1]), np.arange(1024))
    np.testing.assert_array_equal(written[:, 2], 4 * (written[:, 1] // 32 * 33 + written[:, 1] % 32))
    touches.draw(tmp_path / "shared.png")
    pe.simulator.draw_fragment(tmp_path / "fragment.png")
    assert (tmp_path / "shared.png").read_bytes()[:4] == (tmp_path / "fragment.png").read_bytes()[:4] == b"\x89PNG"


def test_pictures_of_many_warps_and_of_nothing(program: pe.simulator.Program, tmp_path: Path) -> None:
    x = pe.zeros((32, 32), device="simulator")
    with pe.simulator.trace() as touches:
        program["transpose"](1, (32, 32), 32 * 33 * 4)(x, x)
    touches.draw(tmp_path / "shared.png", rows=3)
    assert len(np.unique(pictures._WARP_COLOURS, axis=0)) == 32
    for draw in (lambda: touches.draw(tmp_path / "none.png", block=7), lambda: pe.simulator.Touches().draw(tmp_path / "none.png")):
        with pytest.raises(ValueError, match=r"draw: no shared memory written by block \d; the trace has blocks (0|none)"):
            draw()
    assert not (tmp_path / "none.png").exists()


def test_too_little_shared_memory(program: pe.simulator.Program) -> None:
    x = pe.zeros((32, 32), device="simulator")
    with pytest.raises(pe.simulator.SimulatorError, match=r"out of bounds: kernel transpose.*lesson\.cu:15.*of the block's 4096 bytes"):
        program["transpose"](1, (32, 32), 4096)(x, x)


def test_a_missing_barrier_is_a_race(program: pe.simulator.Program) -> None:
    x, y = pe.zeros(256, dtype=pe.int32, device="simulator"), pe.zeros(256, dtype=pe.int32, device="simulator")
    with pytest.raises(pe.simulator.SimulatorError, match=r"race: kernel without_barrier.*lesson\.cu:2[78].*lesson\.cu:2[578]"):
        program["without_barrier"](1, 256)(x, y)
    program["reverse"](1, 256)(x, y)  # and the next launch is none the worse


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((), TypeError, "wrong number of arguments: 0; must be 3"),
        (("cpu", "cpu", 1), TypeError, "no tensor on the simulator"),
        ((1, 2, 3), TypeError, "no tensor on the simulator: int"),
        (("float64", "simulator", 1), TypeError, "wrong dtype for const float\\* __restrict__ x: float64; must be float32"),
        (("strided", "simulator", 1), ValueError, "not contiguous"),
        (("simulator", "simulator", "many"), TypeError, "square: wrong argument for int n: str"),
        (("simulator", "simulator", 8.0), TypeError, "square: wrong argument for int n: float 8.0"),
        (("simulator", "simulator", 2**32 + 8), OverflowError, "square: int n cannot hold 4294967304; 32 bits"),
    ],
)
def test_wrong_arguments(program: pe.simulator.Program, arguments: tuple[object, ...], error: type[Exception], message: str) -> None:
    tensors = {
        "cpu": pe.zeros(8),
        "simulator": pe.zeros(8, device="simulator"),
        "float64": pe.zeros(8, dtype=pe.float64, device="simulator"),
        "strided": pe.zeros(16, device="simulator")[::2],
    }
    with pytest.raises(error, match=message):
        program["square"](1, 8)(*(tensors.get(a, a) if isinstance(a, str) else a for a in arguments))


@pytest.mark.parametrize("size", [0, -1, (1, 2, 3, 4), (), 2**31, "4", 4.0, pe.ones(3)])
def test_wrong_sizes(program: pe.simulator.Program, size: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        program["square"](size, 8)  # type: ignore[arg-type]  # that is the point


def test_more_threads_than_a_block_can_have(program: pe.simulator.Program) -> None:
    x = pe.zeros(8, device="simulator")
    with pytest.raises(pe.simulator.SimulatorError, match="more than 1024 threads"):
        program["square"](1, 2048)(x, x, 8)


def test_a_program_with_main(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.cu", tmp_path / "bad.cu"
    good.write_text(PROGRAM.replace("LIMIT", "n"))
    bad.write_text(PROGRAM.replace("LIMIT", "n + 1"))
    run = [sys.executable, "-m", "pyengine", "simulate"]
    done = subprocess.run([*run, str(good)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "2.5 2.5\n"), done.stderr
    done = subprocess.run([*run, str(bad)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "out of bounds: kernel fill, block (0, 0, 0), thread (100, 0, 0): writes 4 bytes at bad.cu:6, 0 bytes past" in done.stderr


def test_what_does_not_compile_or_has_no_main(tmp_path: Path, program: pe.simulator.Program) -> None:
    path = tmp_path / "broken.cu"
    path.write_text("__global__ void f(float* x) { x[0] = undefined_name; }")
    with pytest.raises(RuntimeError, match=r"does not compile:(.|\n)*undefined_name"):
        pe.simulator.load(path)
    with pytest.raises(ValueError, match="no main"):
        program.main()
    with pytest.raises(FileNotFoundError):
        pe.simulator.load(tmp_path / "missing.cu")


@pytest.mark.parametrize("body", ["while (true) x[0] += 1;", "while (atomicAdd(x, 2) != 1) continue;"], ids=["works", "waits"])
def test_ctrl_c_ends_a_kernel(body: str, tmp_path: Path) -> None:
    (tmp_path / "spin.cu").write_text(f"__global__ void spin(int* x) {{\n    {body}\n}}\n")
    script = (
        "import signal, pyengine as pe\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"spin = pe.simulator.load({str(tmp_path / 'spin.cu')!r})['spin']\n"
        "print('ready', flush=True)\n"
        "spin(grid=1, block=1)(pe.zeros(1, dtype='int32', device='simulator'))\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=30)[1]
    assert process.returncode not in (0, -signal.SIGKILL)
    assert "KeyboardInterrupt: simulator: interrupted: kernel spin" in said


def loaded(tmp_path: Path, text: str) -> pe.simulator.Program:
    (tmp_path / "program.cu").write_text(text)
    return pe.simulator.load(tmp_path / "program.cu")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("cudaMemcpy(d, h, 80, cudaMemcpyHostToDevice)", "out of bounds: cudaMemcpy of 80 bytes, with 40 left in the array"),
        ("cudaMemcpy(h, d + 2, 40, cudaMemcpyDeviceToHost)", "out of bounds: cudaMemcpy of 40 bytes, with 32 left"),
        ("cudaMemcpy(d, h, 40, cudaMemcpyDeviceToHost)", "not in the CPU's memory: cudaMemcpy"),
        ("cudaMemcpy(h, h, 40, cudaMemcpyDeviceToHost)", "not in the device's memory: cudaMemcpy"),
        ("cudaMemset(d, 0, 44)", "out of bounds: cudaMemset of 44 bytes"),
        ("cudaFree(d); cudaFree(d)", "not in the device's memory: cudaFree"),
    ],
)
def test_copies_are_checked(call: str, message: str, tmp_path: Path) -> None:
    source = f"int main() {{ float h[20] = {{}}; float* d; cudaMalloc(&d, 40); {call}; return 0; }}"
    with pytest.raises(pe.simulator.SimulatorError, match=message):
        loaded(tmp_path, source).main()


def test_a_failed_assertion_is_a_report(tmp_path: Path) -> None:
    kernel = loaded(tmp_path, "__global__ void check(const int* x) {\n    assert(x[threadIdx.x] < 2);\n}\n")["check"]
    with pytest.raises(pe.simulator.SimulatorError, match=r"assertion failed: kernel check, .*thread \(2, 0, 0\): .* < 2, at program.cu:2"):
        kernel(grid=1, block=4)(pe.arange(4, dtype="int32", device="simulator"))


@pytest.mark.parametrize(
    ("body", "bytes_"),
    [
        ("const float4* p = (const float4*)(x + 1);\n    float4 v = *p;\n    x[4 * threadIdx.x] = v.x + v.w;", 16),
        ("float2 v = ((float2*)(x + 1))[threadIdx.x];\n    x[threadIdx.x] = v.y;", 8),
        (
            "__shared__ __align__(16) char s[64];\n    *(int*)(s + 4 * threadIdx.x + 2) = 3;\n    x[threadIdx.x] = s[4 * threadIdx.x + 2];",
            4,
        ),
    ],
    ids=["float4", "float2", "shared"],
)
def test_misaligned_vectors(body: str, bytes_: int, tmp_path: Path) -> None:
    """Of which the compiler would make smaller accesses."""
    kernel = loaded(tmp_path, f"__global__ void read(float* x) {{\n    {body}\n}}\n")["read"]
    with pytest.raises(
        pe.simulator.SimulatorError, match=f"misaligned access: kernel read, .*program.cu:[23].* must be a multiple of {bytes_}"
    ):
        kernel(grid=1, block=2)(pe.ones(64, device="simulator"))


@pytest.mark.parametrize(
    ("kernel", "floats", "dynamic", "message"),
    [
        ("__global__ void fill", 12289, 0, "more than 49152 bytes of static shared memory; .* 49156 of static"),
        ('extern "C" __global__ void fill', 12289, 0, "more than 49152 bytes of static shared memory"),
        ("__global__ void fill", 12288, 183297, "more than 232448 bytes of shared memory"),
        ("__global__ void fill", 1, 2**64 - 4, "more than 232448 bytes of shared memory"),
        ("__global__ void fill", 12288, 183296, None),
    ],
)
def test_shared_memory_over_the_limit(kernel: str, floats: int, dynamic: int, message: str | None, tmp_path: Path) -> None:
    text = f"{kernel}(float* x) {{\n    __shared__ float s[{floats}];\n    s[threadIdx.x] = 7;\n    x[threadIdx.x] = s[threadIdx.x];\n}}\n"
    launch = partial(loaded(tmp_path, text)["fill"](grid=1, block=1, shared_bytes=dynamic), pe.ones(1, device="simulator"))
    if message is None:
        launch()
        return
    with pytest.raises(pe.simulator.SimulatorError, match=f"simulator: launch of kernel fill: a block has {message}"):
        launch()


@pytest.mark.parametrize(
    ("asked", "launched", "allowed"), [(0, 49152, True), (0, 49153, False), (60000, 60000, True), (60000, 60004, False)]
)
def test_a_program_asks_for_more_shared_memory(asked: int, launched: int, allowed: bool, tmp_path: Path) -> None:
    text = (
        "__global__ void fill(float* x) {\n    extern __shared__ float s[];\n    s[0] = 7;\n    x[0] = s[0];\n}\n"
        "int main() {\n    float* x;\n    cudaMalloc(&x, 4);\n"
        f"    if ({asked}) cudaFuncSetAttribute(fill, cudaFuncAttributeMaxDynamicSharedMemorySize, {asked});\n"
        f"    fill<<<1, 1, {launched}>>>(x);\n    cudaDeviceSynchronize();\n}}\n"
    )
    program = loaded(tmp_path, text)
    if allowed:
        assert program.main() == 0
        return
    with pytest.raises(
        pe.simulator.SimulatorError, match=r"fill: more than (49152|60000) bytes of dynamic shared memory; ask for them with"
    ):
        program.main()


def test_dynamic_shared_memory_declared_outside_of_kernels(tmp_path: Path) -> None:
    text = (
        "extern __shared__ int held[];\n__global__ void reverse(int* x) {\n    held[threadIdx.x] = x[threadIdx.x];\n    __syncthreads();\n"
    )
    kernel = loaded(tmp_path, text + "    x[threadIdx.x] = held[blockDim.x - 1 - threadIdx.x];\n}\n")["reverse"]
    x = pe.arange(8, dtype="int32", device="simulator")
    kernel(grid=1, block=8, shared_bytes=32)(x)
    assert x.tolist() == list(range(8))[::-1]


def test_headers_beside_a_program_and_arguments_of_main(tmp_path: Path) -> None:
    text = "#include \"status.h\"\nint main(int argc, char** argv) { return argc + STATUS + (argv[0][0] == 'p'); }"
    for status in (3, 5):
        (tmp_path / "status.h").write_text(f"#define STATUS {status}\n")
        assert loaded(tmp_path, text).main() == status + 2


def test_names_of_kernels(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="no kernel 'sqare'; there are square"):
        loaded(tmp_path, "__global__ void square(int* x) {}\n")["sqare"]


def test_arrays_and_defaults_as_parameters(tmp_path: Path) -> None:
    kernel = loaded(tmp_path, "__global__ void fill(float x[], int n = 4) {\n    if (threadIdx.x < n) x[threadIdx.x] = 7;\n}\n")["fill"]
    x = pe.zeros(4, device="simulator")
    kernel(grid=np.int64(1), block=8)(x, 3)
    assert x.tolist() == [7.0, 7.0, 7.0, 0.0]
