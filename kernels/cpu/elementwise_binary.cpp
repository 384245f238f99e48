#include "kernels/elementwise_binary.h"

#include "kernels/cpu/elementwise.h"

namespace pyengine::kernels {
namespace {

// `1u *` and `1u -` keep 16-bit operands from being promoted to int, whose overflow is undefined.
template <typename T>
constexpr bool narrower_than_int = sizeof(T) < sizeof(int);

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
        if constexpr (narrower_than_int<T>)
            return static_cast<T>(1u * a * b);
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

struct Or {
    template <typename T>
    static T apply(T a, T b) {
        return a | b;
    }
};

struct And {
    template <typename T>
    static T apply(T a, T b) {
        return a & b;
    }
};

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

struct Greater {
    template <typename T>
    static std::uint8_t apply(T a, T b) {
        return a > b;
    }
};

struct GreaterEqual {
    template <typename T>
    static std::uint8_t apply(T a, T b) {
        return a >= b;
    }
};

// Which types an operation is for ----------------------------------------------------------------------------------------------------

template <typename Op>
Run floating(ElementType type) {
    switch (type) {
        case ElementType::float16:
        case ElementType::bfloat16:
        case ElementType::float32: return run_binary<Op, float, float>;
        case ElementType::float64: return run_binary<Op, double, double>;
        default: return nullptr;
    }
}

/// Integer arithmetic modulo 2^bits is the same for both signs.
template <typename Op>
Run integer_wrapping(ElementType type) {
    switch (type) {
        case ElementType::int8:
        case ElementType::uint8: return run_binary<Op, std::uint8_t, std::uint8_t>;
        case ElementType::int16:
        case ElementType::uint16: return run_binary<Op, std::uint16_t, std::uint16_t>;
        case ElementType::int32:
        case ElementType::uint32: return run_binary<Op, std::uint32_t, std::uint32_t>;
        case ElementType::int64:
        case ElementType::uint64: return run_binary<Op, std::uint64_t, std::uint64_t>;
        default: return nullptr;
    }
}

template <typename Op>
Run numeric_wrapping(ElementType type) {
    const Run run = integer_wrapping<Op>(type);
    return run ? run : floating<Op>(type);
}

template <typename Op>
Run boolean(ElementType type) {
    return type == ElementType::boolean ? run_binary<Op, std::uint8_t, std::uint8_t> : nullptr;
}

template <typename Op>
Run comparison(ElementType type) {
    switch (type) {
        case ElementType::boolean:
        case ElementType::uint8: return run_binary<Op, std::uint8_t, std::uint8_t>;
        case ElementType::int8: return run_binary<Op, std::int8_t, std::uint8_t>;
        case ElementType::int16: return run_binary<Op, std::int16_t, std::uint8_t>;
        case ElementType::int32: return run_binary<Op, std::int32_t, std::uint8_t>;
        case ElementType::int64: return run_binary<Op, std::int64_t, std::uint8_t>;
        case ElementType::uint16: return run_binary<Op, std::uint16_t, std::uint8_t>;
        case ElementType::uint32: return run_binary<Op, std::uint32_t, std::uint8_t>;
        case ElementType::uint64: return run_binary<Op, std::uint64_t, std::uint8_t>;
        case ElementType::float16:
        case ElementType::bfloat16:
        case ElementType::float32: return run_binary<Op, float, std::uint8_t>;
        case ElementType::float64: return run_binary<Op, double, std::uint8_t>;
    }
    return nullptr;
}

Run find(BinaryOp op, ElementType type) {
    const bool is_boolean = type == ElementType::boolean;
    switch (op) {
        case BinaryOp::add: return is_boolean ? boolean<Or>(type) : numeric_wrapping<Add>(type);
        case BinaryOp::subtract: return numeric_wrapping<Subtract>(type);
        case BinaryOp::multiply: return is_boolean ? boolean<And>(type) : numeric_wrapping<Multiply>(type);
        case BinaryOp::divide: return floating<Divide>(type);
        case BinaryOp::equal: return comparison<Equal>(type);
        case BinaryOp::not_equal: return comparison<NotEqual>(type);
        case BinaryOp::less: return comparison<Less>(type);
        case BinaryOp::less_equal: return comparison<LessEqual>(type);
        case BinaryOp::greater: return comparison<Greater>(type);
        case BinaryOp::greater_equal: return comparison<GreaterEqual>(type);
    }
    return nullptr;
}

}  // namespace

template <>
bool has_binary<level>(BinaryOp op, ElementType type) {
    return find(op, type) != nullptr;
}

template <>
void binary<level>(BinaryOp op, const ElementwiseArgs& args) {
    elementwise<2>(find(op, args.in[0].type), args);
}

}  // namespace pyengine::kernels
