#include "kernels/cuda/primitives/shared.h"

__global__ void addresses(unsigned* out) {
    __shared__ int word;
    out[0] = pyengine::kernels::shared_address(&word);
}
