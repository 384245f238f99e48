// A matrix in shared memory as wgmma's descriptors tell of it. Layouts: kernels/cuda/primitives/wgmma.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/simulator/mma.h"
#include "kernels/simulator/tma_box.h"

namespace pyengine::simulator {

struct WgmmaOperand {
    std::size_t start, leading, stride;  // bytes
    Swizzle swizzle;
    bool along_mn;
    std::uint64_t descriptor;

    WgmmaOperand(std::uint64_t descriptor, bool along_mn);

    /// What is wrong with the descriptor; empty if nothing is.
    std::string fault() const;

    /// Offsets in shared memory of all its pieces of 16 bytes, for `extent` rows of A or columns of B: those of one k (along_mn), or of one
    /// row or column, one after the other.
    std::vector<std::size_t> pieces(int extent) const;

    /// Element (i, k) at i * ks + k, ks being 16, for tf32 8.
    std::vector<double> elements(int extent, Factor type, const std::byte* shared) const;
};

}  // namespace pyengine::simulator
