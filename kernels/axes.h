// Some axes of a strided array, outermost first: how often to step along each, and how far in elements.
#pragma once

#include <cstdint>

namespace pyengine::kernels {

struct Axes {
    std::int64_t rank;
    const std::int64_t* sizes;
    const std::int64_t* strides;
};

[[maybe_unused]] static constexpr std::int64_t count_of(const Axes& axes) {
    std::int64_t count = 1;
    for (std::int64_t i = 0; i < axes.rank; ++i) count *= axes.sizes[i];
    return count;
}

/// Where the element number `index`, counted with the last axis fastest, lies.
[[maybe_unused]] static constexpr std::int64_t offset_of(const Axes& axes, std::int64_t index) {
    std::int64_t offset = 0;
    for (std::int64_t i = axes.rank - 1; i > 0; --i) {
        offset += index % axes.sizes[i] * axes.strides[i];
        index /= axes.sizes[i];
    }
    return axes.rank > 0 ? offset + index * axes.strides[0] : offset;
}

/// All axes but the last.
[[maybe_unused]] static constexpr Axes outer_axes(const Axes& axes) {
    return {axes.rank > 0 ? axes.rank - 1 : 0, axes.sizes, axes.strides};
}

}  // namespace pyengine::kernels
