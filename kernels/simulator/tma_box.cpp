#include "kernels/simulator/tma_box.h"

#include <algorithm>
#include <cstring>

namespace pyengine::simulator {
namespace {

constexpr std::size_t piece = 16;  // bytes that stay together

using kernels::TensorLayout;

/// The part of a row of `elements` from `at` on that lies inside, if the other coordinates do.
void add_row(Box& box, const TensorLayout& map, const std::int64_t (&at)[5], std::int64_t elements, std::size_t row) {
    const auto size = static_cast<std::int64_t>(kernels::element_bytes(map.type));
    std::byte* data = static_cast<std::byte*>(map.data);
    for (int axis = 1; axis < map.rank; ++axis) {
        if (at[axis] < 0 || at[axis] >= static_cast<std::int64_t>(map.sizes[axis])) return;
        data += at[axis] * static_cast<std::int64_t>(map.strides[axis]);
    }
    const std::int64_t first = std::max<std::int64_t>(at[0], 0), end = std::min<std::int64_t>(at[0] + elements, map.sizes[0]);
    if (first >= end) return;
    const auto offset = row * static_cast<std::size_t>(elements * size) + static_cast<std::size_t>((first - at[0]) * size);
    box.rows.push_back({offset, data + first * size, static_cast<std::size_t>((end - first) * size)});
}

void add_tile(Box& box, const TensorLayout& map, const Coordinates& start) {
    std::size_t rows = 1;
    for (int axis = 1; axis < map.rank; ++axis) rows *= map.box[axis];
    for (std::size_t row = 0; row < rows; ++row) {
        std::int64_t at[5] = {start.at[0]};
        std::size_t rest = row;
        for (int axis = 1; axis < map.rank; ++axis) {
            at[axis] = start.at[axis] + static_cast<std::int64_t>(rest % map.box[axis]);
            rest /= map.box[axis];
        }
        add_row(box, map, at, map.box[0], row);
    }
}

/// The next pixel of the bounding box; past its end, that of the next image.
void step(const TensorLayout& map, std::int64_t (&pixel)[5]) {
    const int image = map.rank - 1;
    for (int axis = 1; axis < image; ++axis) {
        pixel[axis] += map.steps[axis - 1];
        if (pixel[axis] < static_cast<std::int64_t>(map.sizes[axis]) + map.upper[axis - 1]) return;
        pixel[axis] = map.lower[axis - 1];
    }
    ++pixel[image];
}

void add_pixels(Box& box, const TensorLayout& map, const Coordinates& start) {
    std::int64_t pixel[5] = {};
    std::copy(start.at, start.at + map.rank, pixel);
    for (std::size_t i = 0; i < map.pixels; ++i, step(map, pixel)) {
        std::int64_t at[5];
        std::copy(pixel, pixel + 5, at);
        for (int axis = 1; axis < map.rank - 1; ++axis) at[axis] += start.by[axis - 1];
        add_row(box, map, at, map.channels, i);
    }
}

/// Calls move(piece of the box, where it lies in shared memory).
template <typename Move>
void each_piece(const Box& box, std::size_t offset, Move move) {
    for (std::size_t at = 0; at < box.bytes; at += piece) move(at, swizzled(box.swizzle, offset + at));
}

}  // namespace

Box box_of(const TensorLayout& map, const Coordinates& at) {
    Box box{{}, kernels::copied_bytes(map), map.swizzle};
    map.im2col ? add_pixels(box, map, at) : add_tile(box, map, at);
    return box;
}

void load_box(const Box& box, std::byte* shared, std::size_t offset) {
    std::vector<std::byte> content(box.bytes);
    for (const BoxRow& row : box.rows) std::memcpy(content.data() + row.offset, row.data, row.bytes);
    each_piece(box, offset, [&](std::size_t from, std::size_t to) { std::memcpy(shared + to, content.data() + from, piece); });
}

std::vector<std::byte> read_box(const Box& box, const std::byte* shared, std::size_t offset) {
    std::vector<std::byte> content(box.bytes);
    each_piece(box, offset, [&](std::size_t to, std::size_t from) { std::memcpy(content.data() + to, shared + from, piece); });
    return content;
}

}  // namespace pyengine::simulator
