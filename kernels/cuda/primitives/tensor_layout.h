// What TMA is told of a tensor in global memory, and the rules for it. CUDA driver API 13.0, cuTensorMapEncodeTiled, cuTensorMapEncodeIm2col.
#pragma once

#include <cstdint>
#include <sstream>
#include <stdexcept>

#include "kernels/element_type.h"

namespace pyengine::kernels {

/// In shared memory, bits 4 to 6 of an address are exclusive-ored with bits 7 to 9: all three, two or one of them.
enum class Swizzle : std::uint8_t { none, bytes32, bytes64, bytes128 };

/// Dimension 0 is the contiguous one.
struct alignas(64) TensorLayout {
    ElementType type = ElementType::float32;
    int rank = 1;
    void* data = nullptr;
    std::uint64_t sizes[5] = {1, 1, 1, 1, 1};
    std::uint64_t strides[5] = {};  // in bytes; of dimension 0 it is given by the type
    std::uint32_t box[5] = {1, 1, 1, 1, 1};
    Swizzle swizzle = Swizzle::none;

    // Convolution: dimensions are channels, 1 to 3 spatial ones (width first), images. Instead of a box, `pixels` pixels of `channels` each
    // are copied, from positions lower, lower + steps, ..., size - 1 + upper of every spatial dimension, width fastest.
    bool im2col = false;
    std::int32_t lower[3] = {}, upper[3] = {};
    std::uint32_t steps[3] = {1, 1, 1};
    std::uint32_t channels = 0, pixels = 0;
};

namespace {

constexpr std::uint32_t element_bytes(ElementType type) {
    switch (type) {
        case ElementType::uint8: return 1;
        case ElementType::uint16:
        case ElementType::float16:
        case ElementType::bfloat16: return 2;
        case ElementType::int32:
        case ElementType::uint32:
        case ElementType::float32: return 4;
        case ElementType::int64:
        case ElementType::uint64:
        case ElementType::float64: return 8;
        default: return 0;
    }
}

/// Of a row that repeats the swizzle's pattern; 0 without one.
constexpr std::uint32_t swizzle_span(Swizzle swizzle) { return swizzle == Swizzle::none ? 0 : 16u << static_cast<int>(swizzle); }

/// What one copy brings to shared memory.
[[maybe_unused]] std::uint32_t copied_bytes(const TensorLayout& t) {
    if (t.im2col) return t.channels * t.pixels * element_bytes(t.type);
    std::uint32_t bytes = element_bytes(t.type);
    for (int i = 0; i < t.rank; ++i) bytes *= t.box[i];
    return bytes;
}

template <typename... Parts>
[[noreturn]] void refuse_layout(const Parts&... parts) {
    std::ostringstream message;
    message << "tensor map: ";
    (message << ... << parts);
    throw std::invalid_argument(message.str());
}

inline void check_row(const TensorLayout& t, std::uint32_t elements) {
    const std::uint32_t bytes = elements * element_bytes(t.type), span = swizzle_span(t.swizzle);
    if (bytes % 16 != 0) refuse_layout("a row of the box has ", bytes, " bytes; must be a multiple of 16");
    // The driver also takes shorter rows; where their bytes come to lie is not documented.
    if (span != 0 && bytes != span) refuse_layout("a row of the box has ", bytes, " bytes; must have the ", span, " of the swizzle");
}

inline void check_im2col(const TensorLayout& t) {
    if (t.rank < 3) refuse_layout("im2col of rank ", t.rank, "; must be 3 to 5");
    if (t.channels == 0 || t.channels > 256) refuse_layout(t.channels, " channels a pixel; must be 1 to 256");
    if (t.pixels == 0 || t.pixels > 1024) refuse_layout(t.pixels, " pixels; must be 1 to 1024");
    const int bits = t.rank == 3 ? 16 : t.rank == 4 ? 8 : 5, most = (1 << (bits - 1)) - 1;
    for (int i = 0; i < t.rank - 2; ++i) {
        if (t.lower[i] < -most - 1 || t.lower[i] > most || t.upper[i] < -most - 1 || t.upper[i] > most)
            refuse_layout("corners ", t.lower[i], " and ", t.upper[i], "; must be ", -most - 1, " to ", most, " for rank ", t.rank);
        if (t.steps[i] == 0 || t.steps[i] > 8) refuse_layout("a step of ", t.steps[i], " pixels; must be 1 to 8");
    }
    check_row(t, t.channels);
}

/// Raises std::invalid_argument where the driver would refuse, but says why.
[[maybe_unused]] void check_layout(const TensorLayout& t) {
    if (element_bytes(t.type) == 0) refuse_layout("element type ", static_cast<int>(t.type), " is not one of TMA's");
    if (t.rank < 1 || t.rank > 5) refuse_layout("rank ", t.rank, "; must be 1 to 5");
    if (reinterpret_cast<std::uintptr_t>(t.data) % 16 != 0) refuse_layout("data at ", t.data, "; must be a multiple of 16");
    for (int i = 0; i < t.rank; ++i) {
        if (t.sizes[i] == 0 || t.sizes[i] > std::uint64_t{1} << 32)
            refuse_layout("dimension ", i, " has size ", t.sizes[i], "; must be 1 to 2^32");
        if (i > 0 && (t.strides[i] % 16 != 0 || t.strides[i] >= std::uint64_t{1} << 40))
            refuse_layout("dimension ", i, " has stride ", t.strides[i], " bytes; must be a multiple of 16, below 2^40");
        if (!t.im2col && (t.box[i] == 0 || t.box[i] > 256))
            refuse_layout("dimension ", i, " of the box has size ", t.box[i], "; must be 1 to 256");
    }
    t.im2col ? check_im2col(t) : check_row(t, t.box[0]);
}

}  // namespace
}  // namespace pyengine::kernels
