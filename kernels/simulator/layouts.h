// Which parts of a block's shared memory TMA laid out, and under which swizzle: what wgmma reads there must be as its descriptor says.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "kernels/cuda/primitives/tensor_layout.h"

namespace pyengine::simulator {

using kernels::Swizzle;

class Layouts {
public:
    void set(std::size_t offset, std::size_t bytes, Swizzle swizzle) {
        const std::size_t end = (offset + bytes) / piece;
        if (pieces_.size() < end) pieces_.resize(end);
        std::fill(pieces_.begin() + offset / piece, pieces_.begin() + end, 1 + static_cast<std::uint8_t>(swizzle));
    }

    /// Written by somebody else, who may lay out what he likes.
    void forget(std::size_t offset, std::size_t bytes) {
        for (std::size_t i = offset / piece; i < pieces_.size() && i * piece < offset + bytes; ++i) pieces_[i] = 0;
    }

    std::optional<Swizzle> at(std::size_t offset) const {
        if (offset / piece >= pieces_.size() || pieces_[offset / piece] == 0) return {};
        return static_cast<Swizzle>(pieces_[offset / piece] - 1);
    }

private:
    static constexpr std::size_t piece = 16;  // bytes that stay together

    std::vector<std::uint8_t> pieces_;  // 0, or 1 + the swizzle
};

}  // namespace pyengine::simulator
