#include "kernels/cuda/primitives/wgmma.h"

using namespace pyengine::kernels;

template <int count>
__device__ float both(std::uint64_t a, std::uint64_t b) {
    float d[count] = {};
    std::uint32_t words[4] = {};
    wgmma_fence(d);
    wgmma<pyengine::bfloat16>(d, a, b, true);
    wgmma<pyengine::float16>(d, words, b, true);
    wgmma_commit();
    wgmma_wait<0>(d);
    return d[0];
}

__global__ void __launch_bounds__(128) all(std::uint64_t a, std::uint64_t b, float* out) {
    out[0] = both<4>(a, b) + both<8>(a, b) + both<12>(a, b) + both<16>(a, b) + both<20>(a, b) + both<24>(a, b) + both<28>(a, b);
    out[1] = both<32>(a, b) + both<36>(a, b) + both<40>(a, b) + both<44>(a, b) + both<48>(a, b) + both<52>(a, b) + both<56>(a, b);
    out[2] = both<60>(a, b) + both<64>(a, b) + both<68>(a, b) + both<72>(a, b) + both<76>(a, b) + both<80>(a, b) + both<84>(a, b);
    out[3] = both<88>(a, b) + both<92>(a, b) + both<96>(a, b) + both<100>(a, b) + both<104>(a, b) + both<108>(a, b);
    out[4] = both<112>(a, b) + both<116>(a, b) + both<120>(a, b) + both<124>(a, b) + both<128>(a, b);
}
