"""Programs that use kernels/cuda/primitives: mbarriers, named barriers, TMA, wgmma; each as it should be, and with a fault."""

from __future__ import annotations

from pathlib import Path

import pytest

import pyengine as pe
from tests.devices import needs_simulator
from tests.simulator.test_programs import loaded

pytestmark = needs_simulator

MBARRIER = """\
#include "kernels/cuda/primitives/mbarrier.h"
using namespace pyengine::kernels;
__global__ void k(const float* x, float* y) {
    __shared__ float s[32];
    __shared__ Mbarrier full;
    const int t = threadIdx.x;
    if (t == 0) mbarrier_init(&full, 32);
    __syncthreads();
    if (t < 32) {
        s[t] = x[t];
        mbarrier_arrive(&full);
    } else {
        mbarrier_wait(&full, 0);
        y[t - 32] = s[63 - t];
    }
}
"""

NAMED_BARRIER = """\
#include "kernels/cuda/primitives/fence.h"
using namespace pyengine::kernels;
__global__ void k(const float* x, float* y) {
    __shared__ float s[32];
    const int t = threadIdx.x;
    if (t < 32) {
        s[t] = x[t];
        barrier_arrive(1, 64);
    } else {
        barrier_sync(1, 64);
        y[t - 32] = s[63 - t];
    }
}
"""

COPY = """\
#include "kernels/cuda/primitives/fence.h"
#include "kernels/cuda/primitives/tma.h"
using namespace pyengine::kernels;
__global__ void k(const float* x, float* y) {
    extern __shared__ alignas(128) float s[];
    __shared__ Mbarrier full;
    const int t = threadIdx.x;
    if (t == 0) {
        mbarrier_init(&full, 1);
        fence_mbarrier_init();
        mbarrier_arrive_expecting(&full, 128);
        bulk_load(s, x, 128, &full);
    }
    __syncthreads();
    mbarrier_wait(&full, 0);
    if (t < 32) y[t] = s[31 - t];
}
"""

TMA = """\
#include "kernels/cuda/primitives/fence.h"
#include "kernels/cuda/primitives/tma.h"
using namespace pyengine;
using namespace pyengine::kernels;
__global__ void k(const __grid_constant__ TensorMap map, float* y) {
    extern __shared__ __align__(128) float s[];
    auto* full = reinterpret_cast<Mbarrier*>(s + 64);
    if (threadIdx.x == 0) {
        mbarrier_init(full, 1);
        fence_mbarrier_init();
        mbarrier_arrive_expecting(full, 256);
        tma_load(s, map, full, {4, 1});
    }
    __syncthreads();
    mbarrier_wait(full, 0);
    y[threadIdx.x] = s[threadIdx.x];
}
int main() {
    float h[16 * 16], *x, *y;
    for (int i = 0; i < 256; ++i) h[i] = i;
    cudaMalloc(&x, sizeof h);
    cudaMalloc(&y, 256);
    cudaMemcpy(x, h, sizeof h, cudaMemcpyHostToDevice);
    TensorLayout layout;
    layout.data = x;
    layout.type = ElementType::float32;
    layout.rank = 2;
    layout.sizes[0] = layout.sizes[1] = 16;
    layout.strides[0] = 4;
    layout.strides[1] = 64;
    layout.box[0] = layout.box[1] = 8;
    k<<<1, 64, 256 + 8>>>(make_tensor_map(layout), y);
    cudaMemcpy(h, y, 256, cudaMemcpyDeviceToHost);
    for (int i = 0; i < 64; ++i)
        if (h[i] != 16 * (i / 8 + 1) + i % 8 + 4) return 1;
}
"""

WGMMA = """\
#include "kernels/cuda/primitives/fence.h"
#include "kernels/cuda/primitives/wgmma.h"
using namespace pyengine;
using namespace pyengine::kernels;
__global__ void k(float* y) {  // a 64 x 16 times b 16 x 8, all ones: tiles of 8 rows of 16 bytes
    extern __shared__ __align__(1024) bfloat16 s[];
    for (int i = threadIdx.x; i < 72 * 16; i += 128) s[i].bits = 0x3f80;
    fence_proxy_async_shared();
    __syncthreads();
    float d[4];
    for (float& value : d) value = 0;
    wgmma_fence(d);
    wgmma<bfloat16>(d, wgmma_operand(s, Swizzle::none, 1024, 128), wgmma_operand(s + 64 * 16, Swizzle::none, 128, 128), true);
    wgmma_commit();
    wgmma_wait<0>(d);
    for (int i = 0; i < 4; ++i) y[4 * threadIdx.x + i] = d[i];
}
int main() {
    float h[512], *y;
    cudaMalloc(&y, sizeof h);
    k<<<1, 128, 72 * 32>>>(y);
    cudaMemcpy(h, y, sizeof h, cudaMemcpyDeviceToHost);
    for (float value : h)
        if (value != 16) return 1;
}
"""


@pytest.mark.parametrize(
    ("text", "threads", "right", "wrong", "message"),
    [
        (MBARRIER, 64, "        mbarrier_wait(&full, 0);\n", "", r"(race|uninitialised memory): kernel k, .*program\.cu"),
        (MBARRIER, 64, "(&full, 32)", "(&full, 33)", "deadlock: kernel k"),
        (NAMED_BARRIER, 64, "barrier_sync(1, 64)", "barrier_sync(2, 32)", r"(race|uninitialised memory): kernel k, .*program\.cu"),
        (NAMED_BARRIER, 64, "barrier_sync(1, 64)", "barrier_sync(1, 96)", r"kernel k.*barrier"),
        (COPY, 32, "    mbarrier_wait(&full, 0);\n", "", r"(race|missing wait|uninitialised memory): kernel k, .*program\.cu"),
        (COPY, 32, "expecting(&full, 128)", "expecting(&full, 144)", "deadlock: kernel k"),
    ],
)
def test_kernels_with_primitives(text: str, threads: int, right: str, wrong: str, message: str, tmp_path: Path) -> None:
    x, y = pe.arange(32, dtype="float32", device="simulator"), pe.zeros(32, device="simulator")
    loaded(tmp_path, text)["k"](1, threads, 136)(x, y)
    assert y.tolist() == list(range(32))[::-1]
    assert text.count(right) == 1
    with pytest.raises(pe.simulator.SimulatorError, match=message):
        loaded(tmp_path, text.replace(right, wrong))["k"](1, threads, 136)(x, y)


@pytest.mark.parametrize(
    ("text", "right", "wrong", "message"),
    [
        (TMA, "    mbarrier_wait(full, 0);\n", "", r"(race|missing wait|uninitialised memory): kernel k, .*program\.cu"),
        (WGMMA, "    fence_proxy_async_shared();\n", "", r"missing proxy fence: kernel k, .*program\.cu"),
        (WGMMA, "    wgmma_wait<0>(d);\n", "", r"kernel k, .*program\.cu"),
    ],
)
def test_programs_with_primitives(text: str, right: str, wrong: str, message: str, tmp_path: Path) -> None:
    assert loaded(tmp_path, text).main() == 0
    assert text.count(right) == 1
    with pytest.raises(pe.simulator.SimulatorError, match=message):
        loaded(tmp_path, text.replace(right, wrong)).main()
