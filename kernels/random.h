// random: out[i] = a random number that depends on (seed, offset + i), distribution and element type alone: the same bits at every level,
// on every device and for any number of threads. Words come from kernels/philox.h, what is made of them is in kernels/distributions.h.
//
//   uniform    [0, 1), multiples of 2^-24, 2^-53, 2^-11, 2^-8 for float32, float64, float16, bfloat16
//   normal     mean 0, variance 1; float16 and bfloat16 are rounded from float32
//   integers   low + [0, range), range 0 meaning 2^64; any integer type, to which the sum is cut
//   bernoulli  `value` with probability `threshold` / 2^32, else 0; any type but integers of more than 32 bits
//
//   uniform, normal: floating types. out: `count` elements, contiguous, overwritten.
#pragma once

#include "kernels/element_type.h"
#include "kernels/isa.h"
#include "kernels/philox.h"

namespace pyengine::kernels {

enum class Distribution { uniform, normal, integers, bernoulli };

struct RandomArgs {
    Distribution distribution{};
    ElementType type{};
    std::uint64_t seed = 0, offset = 0;
    std::int64_t count = 0;
    void* out = nullptr;
    std::uint64_t low = 0, range = 0;       // integers
    std::uint64_t threshold = 0;            // bernoulli
    double value = 0;                       // of a hit
    const std::int64_t* replays = nullptr;  // in a CUDA graph: how many replays there were before this one
};

template <Isa isa>
void random(const RandomArgs& args);

}  // namespace pyengine::kernels
