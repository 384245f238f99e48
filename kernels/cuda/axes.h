// Axes as kernels take them: by value, since sizes and strides are the CPU's memory.
#pragma once

#include <algorithm>

#include "kernels/axes.h"
#include "kernels/cuda/cuda.h"

namespace pyengine::kernels {
namespace {

struct Split {
    std::int64_t quotient, remainder;
};

/// index / size and index % size, neither negative. GPUs divide 32 bits several times faster than 64.
__device__ inline Split split(std::int64_t index, std::int64_t size) {
    if ((index | size) >> 32 == 0) {
        const auto quotient = static_cast<std::uint32_t>(index) / static_cast<std::uint32_t>(size);
        return {quotient, static_cast<std::int64_t>(static_cast<std::uint32_t>(index) - quotient * static_cast<std::uint32_t>(size))};
    }
    return {index / size, index % size};
}

struct AxisList {
    static constexpr int max_rank = 64;  // without axes of size 1 no array has more

    int rank;
    std::int64_t sizes[max_rank], strides[max_rank];

    AxisList(std::int64_t rank, const std::int64_t* from_sizes, const std::int64_t* from_strides) : rank(static_cast<int>(rank)) {
        std::copy_n(from_sizes, rank, sizes);
        std::copy_n(from_strides, rank, strides);
    }
    explicit AxisList(const Axes& axes) : AxisList(axes.rank, axes.sizes, axes.strides) {}

    /// Where the element number `index`, counted with the last axis fastest, lies.
    __device__ std::int64_t offset(std::int64_t index) const {
        if (rank > 1) return offset_along_axes(index);
        return rank == 1 ? index * strides[0] : 0;
    }

private:
    /// Not inlined, so that compilers need not unroll it everywhere.
    __device__ __attribute__((noinline)) std::int64_t offset_along_axes(std::int64_t index) const {
        std::int64_t offset = 0;
        for (int axis = rank - 1; axis > 0; --axis) {
            const Split at = split(index, sizes[axis]);
            offset += at.remainder * strides[axis];
            index = at.quotient;
        }
        return offset + index * strides[0];
    }
};

}  // namespace
}  // namespace pyengine::kernels
