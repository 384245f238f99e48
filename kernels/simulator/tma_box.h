// What a TMA copy touches: rows in global memory, and a box in shared memory, whose 16-byte pieces may be swizzled.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/simulator/layouts.h"

namespace pyengine::simulator {

/// Of a copy: where in the tensor, and for im2col where in the filter.
struct Coordinates {
    int rank;
    const int* at;
    const std::uint16_t* by;
};

struct BoxRow {
    std::size_t offset;  // in the box
    std::byte* data;     // in global memory
    std::size_t bytes;
};

struct Box {
    std::vector<BoxRow> rows;  // what lies inside the tensor
    std::size_t bytes;
    Swizzle swizzle = Swizzle::none;
};

Box box_of(const kernels::TensorLayout& map, const Coordinates& at);

/// Where the byte at this offset of the block's shared memory lies under a swizzle: bits 4... ^= bits 7...
constexpr std::size_t swizzled(Swizzle swizzle, std::size_t offset) {
    const std::size_t mask = (std::size_t{1} << static_cast<int>(swizzle)) - 1;
    return offset ^ (offset >> 7 & mask) << 4;
}

/// Global to shared memory, and to and from a copy of the box.
void load_box(const Box& box, std::byte* shared, std::size_t offset);
std::vector<std::byte> read_box(const Box& box, const std::byte* shared, std::size_t offset);

}  // namespace pyengine::simulator
