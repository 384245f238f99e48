#include "kernels/where.h"

#include "kernels/cpu/elementwise.h"

namespace pyengine::kernels {
namespace {

template <typename Bits>
void select(std::int64_t n, void* out, const void* const* in) {
    const std::uint8_t* condition = static_cast<const std::uint8_t*>(in[0]);
    const Bits* a = static_cast<const Bits*>(in[1]);
    const Bits* b = static_cast<const Bits*>(in[2]);
    Bits* y = static_cast<Bits*>(out);
#pragma GCC ivdep
    for (std::int64_t i = 0; i < n; ++i) y[i] = condition[i] ? a[i] : b[i];
}

}  // namespace

template <>
void where<level>(const ElementwiseArgs& args) {
    const ElementwiseArgs bits = as_bits(args);
    switch (bytes_of(args.out.type)) {
        case 1: return elementwise<3>(select<std::uint8_t>, bits);
        case 2: return elementwise<3>(select<std::uint16_t>, bits);
        case 4: return elementwise<3>(select<std::uint32_t>, bits);
        default: return elementwise<3>(select<std::uint64_t>, bits);
    }
}

}  // namespace pyengine::kernels
