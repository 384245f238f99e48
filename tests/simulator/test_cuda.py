"""CUDA C++ and its runtime as programs use them: launches, declarations, variables of the device, copies, types of arguments."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pyengine as pe
from pyengine.simulator.translation import kernels_of
from tests.devices import needs_simulator
from tests.simulator.test_programs import loaded

pytestmark = needs_simulator

LAUNCHES = """\
#include <cstdio>
#include <cstdlib>
// int main() { } and k<<<1, 2>>>() in a comment change nothing
namespace app {
struct Scale { float by; };
__global__ void scale(float* x, Scale s) { x[threadIdx.x] *= s.by; }
namespace {
__global__ void hidden(float* x) { x[threadIdx.x] += 1; }
}
}
template <typename T> struct Box { using type = T; static constexpr int n = 2; };
template <typename T, int N = 1> __global__ void add(T* x, const T* by) {
    if (threadIdx.x < 32) { x[threadIdx.x] += N * by[threadIdx.x]; }
}
template <int N, typename T> __global__ void fill(T* x, T value) { x[threadIdx.x] = N * value; }
#define LAUNCH(kernel, grid, ...) kernel<<<grid, \\
    32>>>(__VA_ARGS__)
int main(
    int argc, char** argv) {
    float *x, *y, h[32];
    cudaStream_t stream;
    cudaStreamCreate(&stream);
    cudaMalloc(&x, sizeof h);
    cudaMalloc(&y, sizeof h);
    fill<1><<<dim3(1), (128 >> 2), 0, stream>>>(x, 1.0f);                     // 1
    fill<2, typename Box<Box<float>>::type::type><<<1, 32>>>(y, 2.0f);         // 4
    add<<<1, 32>>>(x, y);                                                      // 5
    add<Box<float>::type, Box<Box<float>>::n><<<1, 32>>>(x, y);                // 13
    ::app::scale<<<1, 32>>>(x, {2});                                           // 26
    LAUNCH(app::hidden, 1, x);                                                 // 27
    cudaStreamSynchronize(stream);
    cudaMemcpy(h, x, sizeof h, cudaMemcpyDeviceToHost);
    printf("<<<%g>>> \\" int main() \\n", h[31]);
    if (h[0] != 27 || h[31] != 27 || argc != 1) abort();
}
"""


def test_forms_of_launches_and_a_main_without_return(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    program = loaded(tmp_path, LAUNCHES)
    assert program.main() == 0
    assert '<<<27>>> " int main() ' in capfd.readouterr().out
    assert list(program) == ["app::scale", "app::hidden"]
    x = pe.ones(4, device="simulator")
    program["app::hidden"](1, 4)(x)
    assert x.tolist() == [2.0] * 4
    with pytest.raises(pe.simulator.SimulatorError, match=r"out of bounds: kernel app::hidden, .*program\.cu:8"):
        program["app::hidden"](1, 5)(x)


def test_lines_keep_their_numbers(tmp_path: Path) -> None:
    text = (
        "extern __shared__\n    float held[];\ntemplate <typename T>\n__global__ void fill(T* x,\n    int n) {\n    x[n] = 1;\n}\n"
        "int main() {\n    float* x;\n    cudaMalloc(&x, 4);\n    fill\n    <<<1,\n    1>>>\n    (x, 1);\n}\n"
    )
    with pytest.raises(pe.simulator.SimulatorError, match=r"out of bounds: kernel .*fill.*program\.cu:6"):
        loaded(tmp_path, text).main()


def test_shared_arrays_with_an_alignment(tmp_path: Path) -> None:
    for declaration in (
        "__shared__ alignas(16) float s[32];",
        "static __shared__ alignas(float4) float s[32];",
        "extern __shared__ alignas(16) float s[];",
        "__shared__ extern float s[];",
        "extern __shared__ __align__(16) float s[];",
    ):
        text = f"__global__ void reverse(float* x) {{ {declaration}\n    s[threadIdx.x] = x[threadIdx.x]; __syncthreads();\n"
        kernel = loaded(tmp_path, text + "    x[threadIdx.x] = s[31 - threadIdx.x];\n}\n")["reverse"]
        x = pe.arange(32, dtype="float32", device="simulator")
        kernel(1, 32, 128)(x)
        assert x.tolist() == list(range(32))[::-1], declaration


VARIABLES = """\
struct Pair { int a, b; };
__device__ unsigned count = 0;
__device__ int histogram[4];
static __device__ Pair pair;
namespace app { __device__ alignas(16) float table[4] = {1, 2, 3, 4}; }
__constant__ float weights[4];
__device__ const float fixed[2] = {5, 6};
__device__ constexpr int two = 2;
__device__ float* where;
struct Number {
    int n;
    __device__ bool operator==(const Number& other) const { return n == other.n; }
    __device__ int& operator[](int) { return n; }
};
int of_cpu[4] = {1, 2, 3, 4};

__device__ void add_at(int* data, int i) { atomicAdd(data + i, 1); }

__global__ void work(int* out, float* sums) {
    const int t = blockIdx.x * blockDim.x + threadIdx.x;
    out[t] = atomicAdd(&count, 1);
    add_at(histogram, t % 4);
    sums[t] = app::table[t % 4] + weights[t % 4] + fixed[t % two];
}
__global__ void past(int i) { add_at(histogram, i); }
__global__ void races() { pair.b = threadIdx.x; }
__global__ void writes_constant(int i) { weights[i] = 1; }
__global__ void reads(const int* x, int* y) { y[0] = x[0]; }

int main() {
    float given[4] = {10, 20, 30, 40}, sums[8];
    int *out, counts[4];
    float* result;
    cudaMemcpyToSymbol(weights, given, sizeof given);
    cudaMalloc(&out, 32);
    cudaMalloc(&result, 32);
    work<<<2, 4>>>(out, result);
    unsigned total;
    cudaMemcpyFromSymbol(&total, count, sizeof total);
    cudaMemcpyFromSymbol(counts, histogram, sizeof counts);
    cudaMemcpy(sums, result, 32, cudaMemcpyDeviceToHost);
    if (total != 8 || counts[3] != 2 || sums[0] != 16 || sums[7] != 50) return 1;
    FAULT;
    return 0;
}
"""


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("", None),
        ("past<<<1, 1>>>(4)", r"out of bounds: kernel past, .*program\.cu:17.* past the end of an array of 16 bytes"),
        ("past<<<1, 1>>>(-1)", r"out of bounds: kernel past, .*program\.cu:17.* before an array of 16 bytes"),
        ("races<<<1, 2>>>()", r"race: kernel races, .*program\.cu:26"),
        ("writes_constant<<<1, 1>>>(0)", r"read-only memory: kernel writes_constant, .*program\.cu:27.* declared __constant__"),
        ("reads<<<1, 1>>>(of_cpu, out)", r"out of bounds: kernel reads, .*program\.cu:28, in a variable of the CPU"),
        ("cudaMemcpyToSymbol(weights, given, 16, 4)", "out of bounds: cudaMemcpyToSymbol of 20 bytes"),
        ("cudaMemcpyToSymbol(of_cpu, given, 16)", "not in the device's memory: cudaMemcpyToSymbol"),
        ("cudaFree(histogram)", "not in the device's memory: cudaFree"),
    ],
)
def test_variables_of_the_device(fault: str, message: str | None, tmp_path: Path) -> None:
    program = loaded(tmp_path, VARIABLES.replace("FAULT", fault))
    if message is None:
        assert program.main() == 0
    else:
        with pytest.raises(pe.simulator.SimulatorError, match=message):
            program.main()


COPIES = """\
struct Padded { char c; int n; };
__global__ void write(int* x, int n) { if (threadIdx.x < n) x[threadIdx.x] = 1; }
__global__ void pad(Padded* x) { x[threadIdx.x].c = 1; x[threadIdx.x].n = 2; }
int main() {
    int *x, *y, *managed, h[8];
    Padded *z, p[2];
    cudaMalloc(&x, 32); cudaMalloc(&y, 32); cudaMalloc(&z, sizeof p);
    pad<<<1, 2>>>(z);
    cudaMemcpy(p, z, sizeof p, cudaMemcpyDeviceToHost);
    cudaMallocManaged(&managed, 32);
    managed[7] = 3;
    write<<<1, 8>>>(managed, 7);
    cudaDeviceSynchronize();
    if (managed[6] + managed[7] != 4) return 1;
    write<<<1, 8>>>(x, WRITTEN);
    COPY;
    return 0;
}
"""


@pytest.mark.parametrize(
    ("written", "copy", "byte"),
    [
        (8, "cudaMemcpy(h, x, 32, cudaMemcpyDeviceToHost)", None),
        (7, "cudaMemcpy(h, x, 28, cudaMemcpyDeviceToHost)", None),
        (7, "cudaMemcpy(h, x, 32, cudaMemcpyDeviceToHost)", 28),
        (7, "cudaMemcpy(h, x, 32, cudaMemcpyDefault)", 28),
        (7, "cudaMemcpy(y, x, 32, cudaMemcpyDeviceToDevice); cudaMemcpy(h, y, 28, cudaMemcpyDeviceToHost)", None),
        (7, "cudaMemcpy(y, x, 32, cudaMemcpyDeviceToDevice); cudaMemcpy(h, y, 32, cudaMemcpyDeviceToHost)", 28),
        (7, "cudaMemset(x + 7, 0, 4); cudaMemcpy(h, x, 32, cudaMemcpyDeviceToHost)", None),
    ],
)
def test_copies_of_what_nothing_has_written(written: int, copy: str, byte: int | None, tmp_path: Path) -> None:
    program = loaded(tmp_path, COPIES.replace("WRITTEN", str(written)).replace("COPY", copy))
    if byte is None:
        assert program.main() == 0
    else:
        with pytest.raises(pe.simulator.SimulatorError, match=f"uninitialised memory: cudaMemcpy of 32 bytes to the CPU: byte {byte} of"):
            program.main()


FUNCTIONS = """\
#include <cuda_runtime.h>
#include <cstdio>
#define CHECK(call) if (cudaError_t error = call; error != cudaSuccess) { printf("%s\\n", cudaGetErrorString(error)); return 1; }
__global__ void vectors(uchar4* bytes, float3* points, double4* wide, short2* pairs) {
    const uchar4 b = bytes[threadIdx.x];
    points[threadIdx.x] = make_float3(b.x, b.y, b.z);
    wide[threadIdx.x] = make_double4(b.w, 0, 0, 1);
    pairs[threadIdx.x] = short2{1, 2};
}
__global__ void numbers(float* y, unsigned* wrap, unsigned* bits, int* whole) {
    const float x = 0.5f;
    float s, c;
    __sincosf(x, &s, &c);
    y[0] = s - __sinf(x) + c - __cosf(x);
    y[1] = __expf(__logf(2.0f));
    y[2] = __powf(3.0f, 2.0f);
    y[3] = __fdividef(1.0f, 4.0f);
    y[4] = __fmaf_rn(2.0f, 3.0f, 1.0f);
    y[5] = __saturatef(-1.0f) + __saturatef(0.25f) + __saturatef(7.0f);
    y[6] = __fsqrt_rn(16.0f) + __frcp_rn(4.0f) + sinpif(0.5f);
    whole[0] = __float2int_rn(2.5f);
    whole[1] = __float2int_rz(-2.5f);
    whole[2] = __float2int_rn(1e20f);
    whole[3] = __mulhi(1 << 30, 8) + __dp4a(0x01010101, 0x02020202, 1);
    const long long before = clock64();
    whole[4] = clock64() >= before;
    for (int i = 0; i < 5; ++i) atomicInc(wrap, 2);
    atomicDec(wrap + 1, 9);
    atomicXor(wrap + 2, 5);
    bits[0] = __brev(1);
    bits[1] = __byte_perm(0x33221100, 0x77665544, 0x7410);
    bits[2] = __funnelshift_l(0x80000000, 1, 1);
    bits[3] = __reduce_or_sync(1, 6);
}
int main() {
    static_assert(sizeof(float3) == 12 && alignof(float4) == 16 && alignof(short2) == 4 && alignof(double4) == 16);
    cudaDeviceProp properties;
    CHECK(cudaGetDeviceProperties(&properties, 0));
    CHECK(cudaFuncSetAttribute(numbers, cudaFuncAttributeMaxDynamicSharedMemorySize, 100000));
    CHECK(cudaPeekAtLastError());
    if (cudaGetErrorName(cudaErrorNotReady) != std::string("cudaErrorNotReady")) return 3;
    if (cudaGetErrorString(cudaErrorInvalidConfiguration) != std::string("invalid configuration argument")) return 4;
    uchar4* bytes; float3* points; double4* wide; short2* pairs;
    cudaMallocManaged(&bytes, 8); cudaMallocManaged(&points, 24); cudaMallocManaged(&wide, 64); cudaMallocManaged(&pairs, 8);
    bytes[1] = {1, 2, 3, 4};
    vectors<<<1, 2>>>(bytes, points, wide, pairs);
    CHECK(cudaDeviceSynchronize());
    return points[1].z == 3 && wide[1].x == 4 && wide[1].w == 1 && pairs[0].y == 2 && properties.warpSize == 32 ? 0 : 2;
}
"""


def test_functions_of_the_language_and_the_runtime(tmp_path: Path) -> None:
    program = loaded(tmp_path, FUNCTIONS)
    assert program.main() == 0
    y, wrap = pe.zeros(7, device="simulator"), pe.zeros(3, dtype="uint32", device="simulator")
    bits, whole = pe.zeros(4, dtype="uint32", device="simulator"), pe.zeros(5, dtype="int32", device="simulator")
    program["numbers"](1, 1)(y, wrap, bits, whole)
    np.testing.assert_allclose(y.to("cpu").numpy(), [0, 2, 9, 0.25, 7, 1.25, 5.25], rtol=1e-6)
    assert wrap.tolist() == [2, 9, 5]
    assert bits.tolist() == [1 << 31, 0x77441100, 3, 6]
    assert whole.tolist() == [2, -2, 2**31 - 1, 2 + 9, 1]


INTEGERS = {
    "bool": 1,
    "char": -128,
    "signed char": -128,
    "unsigned char": 255,
    "short": -(2**15),
    "unsigned short int": 2**16 - 1,
    "int": -(2**31),
    "unsigned": 2**32 - 1,
    "long int": -(2**63),
    "long long": -(2**63),
    "unsigned long": 2**64 - 1,
    "unsigned long long int": 2**64 - 1,
    "long unsigned": 2**64 - 1,
    "size_t": 2**64 - 1,
    "ptrdiff_t": -(2**63),
    "uint8_t": 255,
    "std::int16_t": -(2**15),
    "uint64_t": 2**64 - 1,
}


DTYPES = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]


def test_every_integer_type_as_a_parameter(tmp_path: Path) -> None:
    kernels = "".join(f"__global__ void k{i}(const {type_} v, {type_} *out) {{ out[0] = v; }}\n" for i, type_ in enumerate(INTEGERS))
    program = loaded(tmp_path, "#include <cstdint>\n" + kernels)
    for i, (type_, value) in enumerate(INTEGERS.items()):
        dtype = "bool" if type_ == "bool" else next(dtype for dtype in DTYPES if value in limits(dtype))
        out = pe.zeros(1, dtype=dtype, device="simulator")
        program[f"k{i}"](1, 1)(value, out)
        assert out.tolist() == [value], type_
        if type_ != "bool":
            with pytest.raises(OverflowError):
                program[f"k{i}"](1, 1)(value + (1 if value > 0 else -1), out)


def limits(dtype: str) -> tuple[int, int]:
    return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)


def test_kernels_of_a_text() -> None:
    text = (
        '/* __global__ void a() {} */ const char* s = "__global__ void b() {";\n'
        'extern "C" __global__ void __launch_bounds__(2 * (3)) c(int n) {}\n__global__ void d(int n);\n'
    )
    assert [(k.name, k.parameters) for k in kernels_of(text)] == [("c", ("int n",))]
