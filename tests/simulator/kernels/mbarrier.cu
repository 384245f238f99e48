#include "kernels/cuda/primitives/fence.h"
#include "kernels/cuda/primitives/mbarrier.h"
#include "tests/simulator/kernels/testing.h"

namespace pyengine::kernels {
namespace {

/// A ring of one slot: thread 0 writes `rounds` numbers, thread 32 reads them.
template <bool spins>
__global__ void ring(int* out, int rounds) {
    __shared__ Mbarrier full, empty;
    __shared__ int slot;
    if (threadIdx.x == 0) {
        mbarrier_init(&full, 1);
        mbarrier_init(&empty, 1);
    }
    __syncthreads();
    for (int i = 0; i < rounds; ++i) {
        if (threadIdx.x == 0) {
            mbarrier_wait(&empty, (i & 1) ^ 1);
            slot = 10 * i;
            mbarrier_arrive(&full);
        }
        if (threadIdx.x == 32) {
            if constexpr (spins)
                while (!mbarrier_try_wait(&full, i & 1)) {
                }
            else
                mbarrier_wait(&full, i & 1);
            out[i] = slot;
            mbarrier_arrive(&empty);
        }
    }
}

/// The parities that pass on a new barrier, then after each arrival of two.
__global__ void parities(int* out) {
    __shared__ Mbarrier barrier;
    mbarrier_init(&barrier, 2);
    for (int arrivals = 0; arrivals <= 4; ++arrivals) {
        if (arrivals > 0) mbarrier_arrive(&barrier);
        for (int parity = 0; parity < 2; ++parity) out[2 * arrivals + parity] = mbarrier_try_wait(&barrier, parity);
    }
    mbarrier_invalidate(&barrier);
    mbarrier_init(&barrier, 1);
    out[10] = mbarrier_try_wait(&barrier, 1);
}

/// Every block of a cluster sends its rank to the next one.
__global__ void send(int* out, int fenced) {
    auto* barrier = dynamic_shared_memory<Mbarrier>();
    int* slot = reinterpret_cast<int*>(barrier + 1);
    mbarrier_init(barrier, 1);
    if (fenced) fence_mbarrier_init();
    cluster_arrive();
    cluster_wait();
    const unsigned next = (cluster_rank() + 1) % cluster_size();
    *map_to_rank(slot, next) = static_cast<int>(cluster_rank());
    mbarrier_arrive_at_rank(barrier, next);
    mbarrier_wait(barrier, 0);
    out[blockIdx.x] = *slot;
    cluster_arrive_relaxed();
    cluster_wait();
}

enum Fault {
    never_initialised,
    no_barrier,
    twice,
    over_arrival,
    no_arrival,
    missing_bytes,
    wrong_parity,
    overwritten,
    static_remote,
    no_wait
};

__global__ void faulty(int fault, int* out) {
    __shared__ Mbarrier barrier;
    __shared__ int slot;
    if (threadIdx.x == 0) {
        slot = 0;
        if (fault != never_initialised) mbarrier_init(&barrier, 1);
        if (fault == twice) mbarrier_init(&barrier, 1);
    }
    if (fault != no_barrier) __syncthreads();
    if (fault == over_arrival) mbarrier_expect_bytes(&barrier, 64);
    if (fault == missing_bytes && threadIdx.x == 0) mbarrier_arrive_expecting(&barrier, 128);
    if (fault == overwritten && threadIdx.x == 0) reinterpret_cast<int*>(&barrier)[0] = 7;
    if (fault == no_wait && threadIdx.x == 0) {
        slot = 1;
        mbarrier_arrive(&barrier);
    }
    if (fault == no_wait && threadIdx.x == 32) slot = 2;
    if (fault == never_initialised || fault == over_arrival || (fault == no_barrier && threadIdx.x == 1)) mbarrier_arrive(&barrier);
    if (fault == no_arrival) mbarrier_wait(&barrier, 0);
    if (fault == missing_bytes || fault == overwritten) mbarrier_wait(&barrier, 0);
    if (fault == wrong_parity) mbarrier_wait(&barrier, 2);
    if (fault == static_remote) mbarrier_arrive_at_rank(&barrier, 0);
    out[threadIdx.x] = slot;
}

}  // namespace

extern "C" {
const char* ring_waits(int* out, int rounds) { return report_of(ring<false>, {{1}, {64}}, out, rounds); }
const char* ring_spins(int* out, int rounds) { return report_of(ring<true>, {{1}, {64}}, out, rounds); }
const char* which_parities(int* out) { return report_of(parities, {{1}, {1}}, out); }
const char* send_around(int* out, int fenced) { return report_of(send, {{8}, {1}, 16, {4}}, out, fenced); }
const char* fault(int* out, int which) { return report_of(faulty, {{1}, {64}}, which, out); }
}
}  // namespace pyengine::kernels
