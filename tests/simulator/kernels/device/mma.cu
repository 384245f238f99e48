#include "kernels/cuda/primitives/mma.h"

using namespace pyengine::kernels;

template <bool transposed, int count>
__device__ void move(unsigned* memory) {
    unsigned words[count];
    load_matrices<transposed>(words, memory);
    store_matrices<transposed>(memory, words);
}

__global__ void products(float* out) {
    __shared__ __align__(16) unsigned memory[128];
    move<false, 1>(memory), move<false, 2>(memory), move<false, 4>(memory);
    move<true, 1>(memory), move<true, 2>(memory), move<true, 4>(memory);
    unsigned a[4] = {to_tf32(out[0])}, half_a[2] = {}, b[2] = {}, half_b[1] = {};
    float d[4] = {};
    mma_m16n8k16<pyengine::bfloat16>(d, a, b);
    mma_m16n8k16<pyengine::float16>(d, a, b);
    mma_m16n8k8_f16(d, half_a, half_b);
    mma_m16n8k8_tf32(d, a, b);
    out[0] = d[0] + memory[0];
}
