#include "kernels/cuda/primitives/mbarrier.h"

using namespace pyengine::kernels;

__global__ void barriers(unsigned* out) {
    __shared__ Mbarrier barrier;
    mbarrier_init(&barrier, 2);
    mbarrier_arrive(&barrier);
    mbarrier_arrive_at_rank(&barrier, 1);
    mbarrier_expect_bytes(&barrier, 16);
    mbarrier_arrive_expecting(&barrier, 16);
    out[0] = mbarrier_try_wait(&barrier, 0);
    mbarrier_wait(&barrier, 1);
    mbarrier_invalidate(&barrier);
}
