#include "kernels/elementwise_binary.h"

#include <math.h>

#include "kernels/cpu/simd_inverse_trigonometric.h"
#include "kernels/cpu/simd_power.h"
#include "kernels/cpu/types.h"

namespace pyengine::kernels {
namespace {

template <typename T>
constexpr bool is_floating = static_cast<T>(0.5) != 0;
template <typename T>
constexpr bool is_signed = static_cast<T>(-1) < 0;
template <typename T>
constexpr T width = static_cast<T>(8 * sizeof(T));

// Arithmetic -------------------------------------------------------------------------------------------------------------------------

struct Add {
    template <typename T>
    static T apply(T a, T b) {
        return static_cast<T>(a + b);
    }
};

struct Subtract {
    template <typename T>
    static T apply(T a, T b) {
        return static_cast<T>(a - b);
    }
};

struct Multiply {
    template <typename T>
    static T apply(T a, T b) {
        if constexpr (sizeof(T) < sizeof(int))
            return static_cast<T>(1u * a * b);  // 16-bit operands would be promoted to int, whose overflow is undefined
        else
            return a * b;
    }
};

struct Divide {
    template <typename T>
    static T apply(T a, T b) {
        return a / b;
    }
};

inline float fmod_of(float a, float b) { return fmodf(a, b); }
inline double fmod_of(double a, double b) { return fmod(a, b); }

/// Has the sign of b.
struct Remainder {
    template <typename T>
    static T apply(T a, T b) {
        if constexpr (is_floating<T>) {
            const T r = fmod_of(a, b);
            if (r == 0) return static_cast<T>(__builtin_copysign(0.0, b));
            return (r < 0) != (b < 0) ? r + b : r;
        } else if constexpr (is_signed<T>) {
            if (b == 0 || b == -1) return 0;  // the least integer by -1 overflows inside the division
            const T r = static_cast<T>(a % b);
            return r != 0 && (r < 0) != (b < 0) ? static_cast<T>(r + b) : r;
        } else {
            return b == 0 ? T{0} : static_cast<T>(a % b);
        }
    }
};

struct FloorDivide {
    /// In double, where the multiple of b below is exact.
    static float apply(float a, float b) { return static_cast<float>(apply<double>(a, b)); }
    template <typename T>
    static T apply(T a, T b) {
        if constexpr (is_floating<T>) {
            const T ratio = a / b;
            if (b == 0 || __builtin_isinf(a) || __builtin_isinf(b) || ratio != ratio) return ratio;
            const bool same_sign = (a < 0) == (b < 0);
            const T r = fmod_of(a, b);  // a - r is a multiple of b: dividing it gives an integer, where floor(ratio) may be one too high
            const T quotient = static_cast<T>(__builtin_rint((a - r) / b)) - (r != 0 && !same_sign ? T{1} : T{0});
            return quotient == 0 ? static_cast<T>(__builtin_copysign(0.0, ratio)) : quotient;
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
    static float apply(float a, float b) { return powf(a, b); }
    static double apply(double a, double b) { return pow(a, b); }
    template <typename Int>
    static Int apply(Int a, Int b) {
        if (is_signed<Int> && b < 0) return a == 1 ? Int{1} : a == static_cast<Int>(-1) ? static_cast<Int>(b % 2 ? -1 : 1) : Int{0};
        std::uint64_t power = 1, square = static_cast<std::uint64_t>(a);
        for (std::uint64_t rest = static_cast<std::uint64_t>(b); rest != 0; rest >>= 1, square *= square)
            if (rest & 1) power *= square;
        return static_cast<Int>(power);
    }
};

struct Maximum {
    template <typename T>
    static T apply(T a, T b) {
        return a > b || a != a ? a : b;
    }
};

struct Minimum {
    template <typename T>
    static T apply(T a, T b) {
        return a < b || a != a ? a : b;
    }
};

struct Copysign {
    static float apply(float a, float b) { return __builtin_copysignf(a, b); }
    static double apply(double a, double b) { return __builtin_copysign(a, b); }
};

/// log(exp(a) + exp(b)) = max + log1p(exp(-|a - b|)).
struct Logaddexp {
    template <typename T>
    static Vec<T> apply(Vec<T> a, Vec<T> b) {
        const Vec<T> distance = a == b ? Vec<T>{} : vabs<T>(a - b);  // equal infinities are no distance apart
        return vmax<T>(a, b) + vlog1p<T>(vexp<T>(-distance));
    }
};

struct Atan2 {
    template <typename T>
    static Vec<T> apply(Vec<T> y, Vec<T> x) {
        return vatan2<T>(y, x);
    }
};

struct Power {
    template <typename T>
    static Vec<T> apply(Vec<T> x, Vec<T> y) {
        return vpow<T>(x, y);
    }
};

/// On the bits: with the sign set apart, neighbours are consecutive integers.
template <typename Bits, Bits infinity>
struct Nextafter {
    static Bits apply(Bits a, Bits b) {
        constexpr Bits sign = static_cast<Bits>(Bits{1} << (width<Bits> - 1));
        const Bits a_size = a & static_cast<Bits>(~sign), b_size = b & static_cast<Bits>(~sign);
        if (a_size > infinity) return a;
        if (b_size > infinity || a == b || (a_size | b_size) == 0) return b;
        if (a_size == 0) return static_cast<Bits>((b & sign) | 1u);
        const bool grows = ((a ^ b) & sign) == 0 && a_size < b_size;
        return static_cast<Bits>(grows ? a + 1u : a - 1u);
    }
};

template <float (*single)(float, float), double (*twice)(double, double)>
struct Library {
    static float apply(float a, float b) { return single(a, b); }
    static double apply(double a, double b) { return twice(a, b); }
};

// Comparisons and bits -----------------------------------------------------------------------------------------------------------------

struct Equal {
    template <typename T>
    static std::uint8_t apply(T a, T b) {
        return a == b;
    }
};

struct NotEqual {
    template <typename T>
    static std::uint8_t apply(T a, T b) {
        return a != b;
    }
};

struct Less {
    template <typename T>
    static std::uint8_t apply(T a, T b) {
        return a < b;
    }
};

struct LessEqual {
    template <typename T>
    static std::uint8_t apply(T a, T b) {
        return a <= b;
    }
};

struct And {
    template <typename T>
    static T apply(T a, T b) {
        return a & b;
    }
};

struct Or {
    template <typename T>
    static T apply(T a, T b) {
        return a | b;
    }
};

struct Xor {
    template <typename T>
    static T apply(T a, T b) {
        return a ^ b;
    }
};

struct LogicalAnd {
    template <typename T>
    static std::uint8_t apply(T a, T b) {
        return (a != T{0}) & (b != T{0});
    }
};

struct LogicalOr {
    template <typename T>
    static std::uint8_t apply(T a, T b) {
        return (a != T{0}) | (b != T{0});
    }
};

struct LogicalXor {
    template <typename T>
    static std::uint8_t apply(T a, T b) {
        return (a != T{0}) != (b != T{0});
    }
};

struct LeftShift {
    template <typename T>
    static T apply(T a, T b) {
        return b < width<T> ? static_cast<T>(std::uint64_t{a} << b) : T{0};
    }
};

struct RightShift {
    template <typename T>
    static T apply(T a, T b) {
        const bool within = b >= 0 && b < width<T>;
        return within ? static_cast<T>(a >> b) : a < 0 ? static_cast<T>(-1) : T{0};
    }
};

// Which run ----------------------------------------------------------------------------------------------------------------------------

template <typename Op>
Run floats(ElementType type) {
    return for_floats(type, []<typename T>() -> Run { return run_binary<Op, T, T>; });
}

template <typename Op>
Run vectors(ElementType type) {
    return for_floats(type, []<typename T>() -> Run { return run_binary_vector<Op, T>; });
}

template <typename Op>
Run wrapping_numbers(ElementType type) {
    return for_wrapping_numbers(type, []<typename T>() -> Run { return run_binary<Op, T, T>; });
}

template <typename Op>
Run numbers(ElementType type) {
    return for_numbers(type, []<typename T>() -> Run { return run_binary<Op, T, T>; });
}

template <typename Op>
Run all(ElementType type) {
    return for_all(type, []<typename T>() -> Run { return run_binary<Op, T, T>; });
}

template <typename Op>
Run bits(ElementType type) {
    if (type == ElementType::boolean) type = ElementType::uint8;
    return for_wrapping_integers(type, []<typename T>() -> Run { return run_binary<Op, T, T>; });
}

template <typename Op>
Run comparison(ElementType type) {
    return for_all(type, []<typename T>() -> Run { return run_binary<Op, T, std::uint8_t>; });
}

Run pow_run(ElementType type) {
    const Run run = has_fma ? vectors<Power>(type) : nullptr;
    return run ? run : numbers<Pow>(type);
}

Run nextafter_run(ElementType type) {
    switch (type) {
        case ElementType::float16: return run_binary<Nextafter<std::uint16_t, 0x7c00>, std::uint16_t, std::uint16_t>;
        case ElementType::bfloat16: return run_binary<Nextafter<std::uint16_t, 0x7f80>, std::uint16_t, std::uint16_t>;
        case ElementType::float32: return run_binary<Nextafter<std::uint32_t, 0x7f800000>, std::uint32_t, std::uint32_t>;
        default: return run_binary<Nextafter<std::uint64_t, 0x7ff0000000000000>, std::uint64_t, std::uint64_t>;
    }
}

Run find(BinaryOp op, ElementType type) {
    const bool boolean = type == ElementType::boolean;
    switch (op) {
        case BinaryOp::add: return boolean ? bits<Or>(type) : wrapping_numbers<Add>(type);
        case BinaryOp::subtract: return wrapping_numbers<Subtract>(type);
        case BinaryOp::multiply: return boolean ? bits<And>(type) : wrapping_numbers<Multiply>(type);
        case BinaryOp::floor_divide: return numbers<FloorDivide>(type);
        case BinaryOp::remainder: return numbers<Remainder>(type);
        case BinaryOp::pow: return pow_run(type);
        case BinaryOp::maximum: return all<Maximum>(type);
        case BinaryOp::minimum: return all<Minimum>(type);
        case BinaryOp::divide: return floats<Divide>(type);
        case BinaryOp::atan2: return has_fma ? vectors<Atan2>(type) : floats<Library<atan2f, atan2>>(type);
        case BinaryOp::hypot: return floats<Library<hypotf, hypot>>(type);
        case BinaryOp::copysign: return floats<Copysign>(type);
        case BinaryOp::logaddexp: return vectors<Logaddexp>(type);
        case BinaryOp::equal: return comparison<Equal>(type);
        case BinaryOp::not_equal: return comparison<NotEqual>(type);
        case BinaryOp::less: return comparison<Less>(type);
        case BinaryOp::less_equal: return comparison<LessEqual>(type);
        case BinaryOp::logical_and: return boolean ? bits<And>(type) : comparison<LogicalAnd>(type);
        case BinaryOp::bitwise_and: return bits<And>(type);
        case BinaryOp::logical_or: return boolean ? bits<Or>(type) : comparison<LogicalOr>(type);
        case BinaryOp::bitwise_or: return bits<Or>(type);
        case BinaryOp::logical_xor: return boolean ? bits<Xor>(type) : comparison<LogicalXor>(type);
        case BinaryOp::bitwise_xor: return bits<Xor>(type);
        case BinaryOp::bitwise_left_shift:
            return for_wrapping_integers(type, []<typename T>() -> Run { return run_binary<LeftShift, T, T>; });
        case BinaryOp::bitwise_right_shift: return for_integers(type, []<typename T>() -> Run { return run_binary<RightShift, T, T>; });
        default: return nullptr;
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
    const ElementType type = args.in[0].type;
    if (op == BinaryOp::nextafter) return elementwise<2>(nextafter_run(type), as_bits(args));
    if (op == BinaryOp::greater) return elementwise<2>(comparison<Less>(type), swapped(args));
    if (op == BinaryOp::greater_equal) return elementwise<2>(comparison<LessEqual>(type), swapped(args));
    elementwise<2>(find(op, type), args);
}

}  // namespace pyengine::kernels
