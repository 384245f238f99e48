// See kernels/cuda/primitives/wgmma.h. Products are computed at the wait, as those of mma.h are: from exact products, with one rounding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>

#include "kernels/half.h"
#include "kernels/simulator/fence.h"
#include "kernels/simulator/mma.h"

namespace pyengine::simulator {

struct Thread;

template <typename T>
constexpr Factor factor_type = std::is_same_v<T, bfloat16>  ? Factor::bfloat16
                               : std::is_same_v<T, float16> ? Factor::float16
                                                            : Factor::tf32;

/// One instruction, as one thread issues it.
struct Wgmma {
    float* d;
    int n;
    Factor type;
    const std::uint32_t* a_registers;  // null: A is in shared memory
    std::uint64_t a, b;                // operands in shared memory
    bool a_along_m, b_along_n;
    bool adds;
};

void wgmma(const Wgmma& product);
void wgmma_fence();
void wgmma_commit();
void wgmma_wait(int groups);

/// A thread that has used wgmma touches its local memory: not what is in use.
void touch_registers(Thread& self, const void* address, std::size_t bytes, const void* code);

/// What is wrong if a thread that has ended has not waited for its products.
std::optional<std::string> unfinished_products(const Thread& thread);

}  // namespace pyengine::simulator
