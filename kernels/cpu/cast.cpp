#include "kernels/cast.h"

#include "kernels/cpu/elementwise.h"
#include "kernels/round_odd.h"

namespace pyengine::kernels {
namespace {

template <typename T>
constexpr bool is_floating = static_cast<T>(0.5) != 0;
template <typename T>
constexpr bool is_signed = static_cast<T>(-1) < 0;

/// 2^bits as a double, where bits counts the value bits of T: one past the greatest value.
template <typename Int>
constexpr double range_end = 2.0 * static_cast<double>(std::uint64_t{1} << (8 * sizeof(Int) - 1 - (is_signed<Int> ? 1 : 0)));
template <typename Int>
constexpr Int greatest =
    is_signed<Int> ? static_cast<Int>((std::uint64_t{1} << (8 * sizeof(Int) - 1)) - 1) : static_cast<Int>(~std::uint64_t{0});
template <typename Int>
constexpr Int least = is_signed<Int> ? static_cast<Int>(-greatest<Int> - 1) : Int{0};

template <typename Out>
struct Convert {
    template <typename In>
    static Out apply(In x) {
        if constexpr (is_floating<In> && !is_floating<Out>) {
            constexpr In end = static_cast<In>(range_end<Out>), begin = is_signed<Out> ? -end : In{0};
            return x >= end ? greatest<Out> : x > begin ? static_cast<Out>(x) : x <= begin ? least<Out> : Out{0};
        } else {
            return static_cast<Out>(x);
        }
    }
};

struct ToBoolean {
    template <typename In>
    static std::uint8_t apply(In x) {
        return x != In{0};
    }
};

/// On the way to a 16-bit float.
struct ToHalf {
    static float apply(double x) { return round_odd(x); }
    static float apply(std::uint64_t x) { return round_odd(x); }
    static float apply(std::int64_t x) { return round_odd(x); }
    static float apply(std::int32_t x) { return round_odd(static_cast<double>(x)); }
    static float apply(std::uint32_t x) { return round_odd(static_cast<double>(x)); }
    template <typename In>
    static float apply(In x) {
        return static_cast<float>(x);
    }
};

template <typename In>
Run cast_from(ElementType out) {
    switch (out) {
        case ElementType::boolean: return run_unary<ToBoolean, In, std::uint8_t>;
        case ElementType::int8: return run_unary<Convert<std::int8_t>, In, std::int8_t>;
        case ElementType::int16: return run_unary<Convert<std::int16_t>, In, std::int16_t>;
        case ElementType::int32: return run_unary<Convert<std::int32_t>, In, std::int32_t>;
        case ElementType::int64: return run_unary<Convert<std::int64_t>, In, std::int64_t>;
        case ElementType::uint8: return run_unary<Convert<std::uint8_t>, In, std::uint8_t>;
        case ElementType::uint16: return run_unary<Convert<std::uint16_t>, In, std::uint16_t>;
        case ElementType::uint32: return run_unary<Convert<std::uint32_t>, In, std::uint32_t>;
        case ElementType::uint64: return run_unary<Convert<std::uint64_t>, In, std::uint64_t>;
        case ElementType::float16:
        case ElementType::bfloat16: return run_unary<ToHalf, In, float>;
        case ElementType::float32: return run_unary<Convert<float>, In, float>;
        default: return run_unary<Convert<double>, In, double>;
    }
}

Run find(ElementType in, ElementType out) {
    switch (in) {
        case ElementType::boolean:
        case ElementType::uint8: return cast_from<std::uint8_t>(out);
        case ElementType::int8: return cast_from<std::int8_t>(out);
        case ElementType::int16: return cast_from<std::int16_t>(out);
        case ElementType::int32: return cast_from<std::int32_t>(out);
        case ElementType::int64: return cast_from<std::int64_t>(out);
        case ElementType::uint16: return cast_from<std::uint16_t>(out);
        case ElementType::uint32: return cast_from<std::uint32_t>(out);
        case ElementType::uint64: return cast_from<std::uint64_t>(out);
        case ElementType::float16:
        case ElementType::bfloat16:
        case ElementType::float32: return cast_from<float>(out);
        default: return cast_from<double>(out);
    }
}

template <std::int64_t size>
void copy(std::int64_t n, void* out, const void* const* in) {
    std::memcpy(out, in[0], static_cast<std::size_t>(n * size));
}

}  // namespace

template <>
void cast<level>(const ElementwiseArgs& args) {
    if (args.out.type != args.in[0].type) return elementwise<1>(find(args.in[0].type, args.out.type), args);
    const ElementwiseArgs bits = as_bits(args);
    switch (bytes_of(args.out.type)) {
        case 1: return elementwise<1>(copy<1>, bits);
        case 2: return elementwise<1>(copy<2>, bits);
        case 4: return elementwise<1>(copy<4>, bits);
        default: return elementwise<1>(copy<8>, bits);
    }
}

}  // namespace pyengine::kernels
