#include "kernels/cuda/primitives/wgmma.h"

using namespace pyengine::kernels;
using pyengine::bfloat16, pyengine::float16;

__global__ void __launch_bounds__(128) products(float* out) {
    auto* tiles = dynamic_shared_memory<std::uint32_t>();
    const std::uint64_t a = wgmma_operand(tiles, Swizzle::bytes128, 0, 1024), b = wgmma_operand(tiles, Swizzle::none, 128, 256);
    float d[64] = {}, e[4] = {};
    const std::uint32_t words[4] = {};
    wgmma_fence(d, e);
    wgmma<bfloat16>(d, a, b, false);
    wgmma<float16, Major::mn, Major::k>(d, a, b, true);
    wgmma<bfloat16, Major::mn, Major::mn>(d, a, b, true);
    wgmma<float>(d, a, b, true);
    wgmma<bfloat16>(e, words, b, true);
    wgmma<float16, Major::mn>(e, words, b, true);
    wgmma<float>(e, words, b, true);
    wgmma_commit();
    wgmma_wait<0>(d, e);
    for (float x : d) out[0] += x;
    out[1] = e[0];
}
