#include "kernels/matmul.h"

#include <type_traits>

#include "kernels/half.h"

namespace pyengine::kernels {
namespace {

template <typename E>
auto widened(E x) {
    if constexpr (std::is_integral_v<E>)
        return static_cast<std::uint64_t>(x);  // wraps; what the narrow type keeps of the sum is the sum in the narrow type
    else if constexpr (sizeof(E) == 2)
        return to_float(x);
    else
        return x;
}

template <typename E, typename T>
E narrowed(T x) {
    if constexpr (std::is_same_v<E, bfloat16>)
        return to_bfloat16(x);
    else if constexpr (std::is_same_v<E, float16>)
        return to_float16(x);
    else
        return static_cast<E>(x);
}

template <typename E>
void multiply(const MatmulArgs& args) {
    for (std::int64_t item = 0; item < args.batch; ++item) {
        const E* a = static_cast<const E*>(args.a) + args.a_offsets[item];
        const E* b = static_cast<const E*>(args.b) + args.b_offsets[item];
        const E* bias = static_cast<const E*>(args.bias);
        E* c = static_cast<E*>(args.c) + item * args.m * args.n;
        for (std::int64_t i = 0; i < args.m; ++i)
            for (std::int64_t j = 0; j < args.n; ++j) {
                auto sum = bias ? widened(bias[j]) : decltype(widened(E{})){};
                for (std::int64_t p = 0; p < args.k; ++p)
                    sum += widened(a[i * args.a_strides[0] + p * args.a_strides[1]]) *
                           widened(b[p * args.b_strides[0] + j * args.b_strides[1]]);
                c[i * args.n + j] = narrowed<E>(sum);
            }
    }
}

}  // namespace

template <>
std::size_t matmul_workspace<Isa::reference>(const MatmulArgs&) {
    return 0;
}

template <>
void matmul<Isa::reference>(const MatmulArgs& args) {
    switch (args.type) {
        default: return;  // the caller lets numbers through alone
        case ElementType::int8: return multiply<std::int8_t>(args);
        case ElementType::int16: return multiply<std::int16_t>(args);
        case ElementType::int32: return multiply<std::int32_t>(args);
        case ElementType::int64: return multiply<std::int64_t>(args);
        case ElementType::uint8: return multiply<std::uint8_t>(args);
        case ElementType::uint16: return multiply<std::uint16_t>(args);
        case ElementType::uint32: return multiply<std::uint32_t>(args);
        case ElementType::uint64: return multiply<std::uint64_t>(args);
        case ElementType::float16: return multiply<float16>(args);
        case ElementType::bfloat16: return multiply<bfloat16>(args);
        case ElementType::float32: return multiply<float>(args);
        case ElementType::float64: return multiply<double>(args);
    }
}

}  // namespace pyengine::kernels
