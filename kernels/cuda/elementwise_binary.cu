#include "kernels/cuda/elementwise.h"
#include "kernels/elementwise_binary.h"

namespace pyengine::kernels {
namespace {

template <typename T>
constexpr bool is_signed = static_cast<T>(-1) < T{0};
template <typename T>
constexpr T width = static_cast<T>(8 * sizeof(T));

// Arithmetic -------------------------------------------------------------------------------------------------------------------------

struct Add {
    template <typename T>
    __device__ T operator()(T a, T b) const {
        return static_cast<T>(a + b);
    }
};

struct Subtract {
    template <typename T>
    __device__ T operator()(T a, T b) const {
        return static_cast<T>(a - b);
    }
};

struct Multiply {
    template <typename T>
    __device__ T operator()(T a, T b) const {
        return wrapping_multiply(a, b);
    }
};

struct Divide {
    template <typename T>
    __device__ T operator()(T a, T b) const {
        return a / b;
    }
};

/// Has the sign of b.
struct Remainder {
    template <typename T>
    __device__ T operator()(T a, T b) const {
        if constexpr (is_real<T>) {
            const T rest = fmod(a, b);
            if (rest == 0) return copysign(T{0}, b);
            return (rest < 0) != (b < 0) ? rest + b : rest;
        } else if constexpr (is_signed<T>) {
            if (b == 0 || b == -1) return 0;  // the least integer by -1 overflows inside the division
            const T rest = static_cast<T>(a % b);
            return rest != 0 && (rest < 0) != (b < 0) ? static_cast<T>(rest + b) : rest;
        } else {
            return b == 0 ? T{0} : static_cast<T>(a % b);
        }
    }
};

struct FloorDivide {
    /// In double, where the multiple of b below is exact.
    __device__ float operator()(float a, float b) const { return static_cast<float>(operator()<double>(a, b)); }
    template <typename T>
    __device__ T operator()(T a, T b) const {
        if constexpr (is_real<T>) {
            const T ratio = a / b;
            if (b == 0 || isinf(a) || isinf(b) || ratio != ratio) return ratio;
            const T rest = fmod(a, b);  // a - rest is a multiple of b: dividing it gives an integer, where floor(ratio) may be one too high
            const T quotient = rint((a - rest) / b) - (rest != 0 && (a < 0) != (b < 0) ? T{1} : T{0});
            return quotient == 0 ? copysign(T{0}, ratio) : quotient;
        } else if constexpr (is_signed<T>) {
            if (b == 0) return 0;
            if (b == -1) return static_cast<T>(std::uint64_t{0} - static_cast<std::uint64_t>(a));  // wraps
            const T quotient = static_cast<T>(a / b);
            return a % b != 0 && (a < 0) != (b < 0) ? static_cast<T>(quotient - 1) : quotient;
        } else {
            return b == 0 ? T{0} : static_cast<T>(a / b);
        }
    }
};

struct Pow {
    template <typename T>
    __device__ T operator()(T a, T b) const {
        if constexpr (is_real<T>) {
            return pow(a, b);
        } else {
            if constexpr (is_signed<T>)
                if (b < 0) return a == 1 ? T{1} : a == static_cast<T>(-1) ? static_cast<T>(b % 2 ? -1 : 1) : T{0};
            std::uint64_t power = 1, square = static_cast<std::uint64_t>(a);
            for (std::uint64_t rest = static_cast<std::uint64_t>(b); rest != 0; rest >>= 1, square *= square)
                if (rest & 1) power *= square;
            return static_cast<T>(power);
        }
    }
};

struct Maximum {
    template <typename T>
    __device__ T operator()(T a, T b) const {
        return a > b || a != a ? a : b;
    }
};

struct Minimum {
    template <typename T>
    __device__ T operator()(T a, T b) const {
        return a < b || a != a ? a : b;
    }
};

struct Atan2 {
    template <typename T>
    __device__ T operator()(T y, T x) const {
        return atan2(y, x);
    }
};

struct Hypot {
    template <typename T>
    __device__ T operator()(T a, T b) const {
        return hypot(a, b);
    }
};

struct Copysign {
    template <typename T>
    __device__ T operator()(T a, T b) const {
        return copysign(a, b);
    }
};

/// log(exp(a) + exp(b)) = max + log1p(exp(-|a - b|)).
struct Logaddexp {
    template <typename T>
    __device__ T operator()(T a, T b) const {
        const T distance = a == b ? T{0} : fabs(a - b);  // equal infinities are no distance apart
        return Maximum()(a, b) + log1p(exp(-distance));
    }
};

/// On the bits: with the sign set apart, neighbours are consecutive integers.
template <typename Bits, Bits infinity>
struct Nextafter {
    __device__ Bits operator()(Bits a, Bits b) const {
        constexpr Bits sign = static_cast<Bits>(Bits{1} << (width<Bits> - 1));
        const Bits a_size = a & static_cast<Bits>(~sign), b_size = b & static_cast<Bits>(~sign);
        if (a_size > infinity) return a;
        if (b_size > infinity || a == b || (a_size | b_size) == 0) return b;
        if (a_size == 0) return static_cast<Bits>((b & sign) | 1u);
        const bool grows = ((a ^ b) & sign) == 0 && a_size < b_size;
        return static_cast<Bits>(grows ? a + 1u : a - 1u);
    }
};

// Comparisons and bits -----------------------------------------------------------------------------------------------------------------

struct Equal {
    template <typename T>
    __device__ bool operator()(T a, T b) const {
        return a == b;
    }
};

struct NotEqual {
    template <typename T>
    __device__ bool operator()(T a, T b) const {
        return a != b;
    }
};

struct Less {
    template <typename T>
    __device__ bool operator()(T a, T b) const {
        return a < b;
    }
};

struct LessEqual {
    template <typename T>
    __device__ bool operator()(T a, T b) const {
        return a <= b;
    }
};

/// A number is true if it is not 0.
struct LogicalAnd {
    template <typename T>
    __device__ bool operator()(T a, T b) const {
        return a != 0 && b != 0;
    }
};

struct LogicalOr {
    template <typename T>
    __device__ bool operator()(T a, T b) const {
        return a != 0 || b != 0;
    }
};

struct LogicalXor {
    template <typename T>
    __device__ bool operator()(T a, T b) const {
        return (a != 0) != (b != 0);
    }
};

struct And {
    template <typename T>
    __device__ T operator()(T a, T b) const {
        return a & b;
    }
};

struct Or {
    template <typename T>
    __device__ T operator()(T a, T b) const {
        return a | b;
    }
};

struct Xor {
    template <typename T>
    __device__ T operator()(T a, T b) const {
        return a ^ b;
    }
};

struct LeftShift {
    template <typename T>
    __device__ T operator()(T a, T b) const {
        return b < width<T> ? static_cast<T>(std::uint64_t{a} << b) : T{0};
    }
};

struct RightShift {
    template <typename T>
    __device__ T operator()(T a, T b) const {
        if (static_cast<std::uint64_t>(b) < width<T>) return static_cast<T>(a >> b);  // a negative count is a huge one
        if constexpr (is_signed<T>) return static_cast<T>(a < 0 ? -1 : 0);
        return 0;
    }
};

// Which are meant ----------------------------------------------------------------------------------------------------------------------

template <typename F>
void floats(const ElementwiseArgs& args) {
    with_float_type(args.out.type, [&]<typename T> { map<T, T, T>(args, Computed<T, F>()); });
}

template <typename F>
void numbers(const ElementwiseArgs& args) {
    with_number_type(args.out.type, [&]<typename T> { map<T, T, T>(args, Computed<T, F>()); });
}

template <typename F>
void wrapping_numbers(const ElementwiseArgs& args) {
    with_wrapping_type(args.out.type, [&]<typename T> { map<T, T, T>(args, Computed<T, F>()); });
}

template <typename F>
void bits(const ElementwiseArgs& args) {
    with_size(args.out.type, [&]<typename T> { map<T, T, T>(args, Computed<T, F>()); });
}

template <typename F>
void to_boolean(const ElementwiseArgs& args) {
    with_wrapping_type(args.in[0].type, [&]<typename T> { map<bool, T, T>(args, Computed<bool, F>()); });
}

template <typename F>
void order_to_boolean(const ElementwiseArgs& args) {
    with_number_type(args.in[0].type, [&]<typename T> { map<bool, T, T>(args, Computed<bool, F>()); });
}

template <typename Bits, Bits infinity>
void nextafter_of(const ElementwiseArgs& args) {
    map<Bits, Bits, Bits>(args, Nextafter<Bits, infinity>());
}

void nextafter_of(const ElementwiseArgs& args) {
    switch (args.out.type) {
        case ElementType::float16: return nextafter_of<std::uint16_t, 0x7c00>(args);
        case ElementType::bfloat16: return nextafter_of<std::uint16_t, 0x7f80>(args);
        case ElementType::float32: return nextafter_of<std::uint32_t, 0x7f800000>(args);
        default: return nextafter_of<std::uint64_t, 0x7ff0000000000000>(args);
    }
}

ElementwiseArgs swapped(ElementwiseArgs args) {
    const Operand first = args.in[0];
    args.in[0] = args.in[1];
    args.in[1] = first;
    return args;
}

}  // namespace

template <>
void binary<level>(BinaryOp op, const ElementwiseArgs& args) {
    const bool boolean = args.in[0].type == ElementType::boolean;
    switch (op) {
        case BinaryOp::add: return boolean ? bits<Or>(args) : wrapping_numbers<Add>(args);
        case BinaryOp::subtract: return wrapping_numbers<Subtract>(args);
        case BinaryOp::multiply: return boolean ? bits<And>(args) : wrapping_numbers<Multiply>(args);
        case BinaryOp::floor_divide: return numbers<FloorDivide>(args);
        case BinaryOp::remainder: return numbers<Remainder>(args);
        case BinaryOp::pow: return numbers<Pow>(args);
        case BinaryOp::maximum: return numbers<Maximum>(args);
        case BinaryOp::minimum: return numbers<Minimum>(args);
        case BinaryOp::divide: return floats<Divide>(args);
        case BinaryOp::atan2: return floats<Atan2>(args);
        case BinaryOp::hypot: return floats<Hypot>(args);
        case BinaryOp::copysign: return floats<Copysign>(args);
        case BinaryOp::nextafter: return nextafter_of(args);
        case BinaryOp::logaddexp: return floats<Logaddexp>(args);
        case BinaryOp::equal: return to_boolean<Equal>(args);
        case BinaryOp::not_equal: return to_boolean<NotEqual>(args);
        case BinaryOp::less: return order_to_boolean<Less>(args);
        case BinaryOp::less_equal: return order_to_boolean<LessEqual>(args);
        case BinaryOp::greater: return order_to_boolean<Less>(swapped(args));
        case BinaryOp::greater_equal: return order_to_boolean<LessEqual>(swapped(args));
        case BinaryOp::logical_and: return to_boolean<LogicalAnd>(args);
        case BinaryOp::bitwise_and: return bits<And>(args);
        case BinaryOp::logical_or: return to_boolean<LogicalOr>(args);
        case BinaryOp::bitwise_or: return bits<Or>(args);
        case BinaryOp::logical_xor: return to_boolean<LogicalXor>(args);
        case BinaryOp::bitwise_xor: return bits<Xor>(args);
        case BinaryOp::bitwise_left_shift:
            return with_size(args.out.type, [&]<typename T> {
                if constexpr (!std::is_same_v<T, bool>) map<T, T, T>(args, LeftShift());
            });
        case BinaryOp::bitwise_right_shift: return with_integer_type(args.out.type, [&]<typename T> { map<T, T, T>(args, RightShift()); });
    }
}

}  // namespace pyengine::kernels
