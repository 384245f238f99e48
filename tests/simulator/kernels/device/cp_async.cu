#include "kernels/cuda/primitives/cp_async.h"

using namespace pyengine::kernels;

__global__ void copies(const char* in, char* out) {
    __shared__ __align__(16) char buffer[64];
    cp_async<4>(buffer, in, 3);
    cp_async<8>(buffer + 16, in);
    cp_async<16>(buffer + 32, in, 0);
    cp_async_commit();
    cp_async_wait<1>();
    cp_async_wait<0>();
    out[0] = buffer[0];
}
