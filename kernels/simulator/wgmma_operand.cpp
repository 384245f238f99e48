#include "kernels/simulator/wgmma_operand.h"

#include <cstring>

#include "kernels/simulator/report.h"

namespace pyengine::simulator {
namespace {

constexpr std::size_t piece_bytes = 16;
constexpr int k_bytes = 32;  // of one instruction

constexpr std::uint64_t fields = 0xc0003fff3fff3fffull;  // of a descriptor: start, leading, stride, layout

Swizzle swizzle_of(std::uint64_t descriptor) {
    constexpr Swizzle layouts[] = {Swizzle::none, Swizzle::bytes128, Swizzle::bytes64, Swizzle::bytes32};
    return layouts[descriptor >> 62];
}

}  // namespace

WgmmaOperand::WgmmaOperand(std::uint64_t descriptor, bool along_mn)
    : start((descriptor & 0x3fff) << 4),
      leading((descriptor >> 16 & 0x3fff) << 4),
      stride((descriptor >> 32 & 0x3fff) << 4),
      swizzle(swizzle_of(descriptor)),
      along_mn(along_mn),
      descriptor(descriptor) {}

std::string WgmmaOperand::fault() const {
    if (descriptor & ~fields) return "sets bits that have no meaning, or a base offset, which is not modelled";
    if (swizzle == Swizzle::none) return {};
    const std::size_t pattern = 8 * kernels::swizzle_span(swizzle), into = start % pattern;
    if (into >= (along_mn ? piece_bytes : 128))  // along K a later step begins within the first row
        return text("begins ", into, " bytes into the swizzle's pattern, which begins at multiples of ", pattern);
    const auto off = [&](std::size_t distance) { return distance % pattern != 0; };
    if (off(stride) || (along_mn && off(leading)))
        return text("goes on after ", off(stride) ? stride : leading, " bytes; must be a multiple of the swizzle's pattern of ", pattern);
    return {};
}

std::vector<std::size_t> WgmmaOperand::pieces(int extent) const {
    const std::size_t rows = along_mn ? 16 : static_cast<std::size_t>(extent);
    const std::size_t across = along_mn ? static_cast<std::size_t>(extent) / 8 : k_bytes / piece_bytes;
    const bool plain = swizzle == Swizzle::none;
    const std::size_t span = plain ? piece_bytes : kernels::swizzle_span(swizzle), per_span = span / piece_bytes;
    const std::size_t down = plain && along_mn ? leading : stride;  // from 8 rows to the next 8
    const std::size_t aside = plain && along_mn ? stride : leading;
    std::vector<std::size_t> offsets;
    for (std::size_t row = 0; row < rows; ++row)
        for (std::size_t i = 0; i < across; ++i) {
            const std::size_t inside = !plain && !along_mn ? i * piece_bytes : i % per_span * piece_bytes + i / per_span * aside;
            offsets.push_back(swizzled(swizzle, start + row / 8 * down + row % 8 * span + inside));
        }
    return offsets;
}

std::vector<double> WgmmaOperand::elements(int extent, Factor type, const std::byte* shared) const {
    const int per_piece = type == Factor::tf32 ? 4 : 8, ks = 2 * per_piece, across = along_mn ? extent / 8 : 2;
    std::vector<double> matrix(static_cast<std::size_t>(extent) * ks);
    const std::vector<std::size_t> offsets = pieces(extent);
    for (std::size_t piece = 0; piece < offsets.size(); ++piece) {
        std::uint32_t words[4];
        std::memcpy(words, shared + offsets[piece], piece_bytes);
        const int row = static_cast<int>(piece) / across, first = static_cast<int>(piece) % across * per_piece;
        for (int i = 0; i < per_piece; ++i)
            matrix[static_cast<std::size_t>(along_mn ? (first + i) * ks + row : row * ks + first + i)] = factor(type, words, i);
    }
    return matrix;
}

}  // namespace pyengine::simulator
