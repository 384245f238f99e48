#include "kernels/elementwise_unary.h"

#include "kernels/cpu/elementwise.h"
#include "kernels/cpu/simd_math.h"

namespace pyengine::kernels {
namespace {

struct Negative {
    template <typename T>
    static T apply(T x) {
        return static_cast<T>(-x);
    }
};

struct Exp {
    template <typename T>
    static Vec<T> apply(Vec<T> x) {
        return vexp<T>(x);
    }
};

struct Log {
    template <typename T>
    static Vec<T> apply(Vec<T> x) {
        return vlog<T>(x);
    }
};

struct Sqrt {
    static float apply(float x) { return __builtin_sqrtf(x); }
    static double apply(double x) { return __builtin_sqrt(x); }
};

// Which types an operation is for ----------------------------------------------------------------------------------------------------

template <typename Op>
Run floating(ElementType type) {
    switch (type) {
        case ElementType::float16:
        case ElementType::bfloat16:
        case ElementType::float32: return run_unary<Op, float, float>;
        case ElementType::float64: return run_unary<Op, double, double>;
        default: return nullptr;
    }
}

template <typename Op>
Run floating_vector(ElementType type) {
    switch (type) {
        case ElementType::float16:
        case ElementType::bfloat16:
        case ElementType::float32: return run_unary_vector<Op, float>;
        case ElementType::float64: return run_unary_vector<Op, double>;
        default: return nullptr;
    }
}

/// Integer arithmetic modulo 2^bits is the same for both signs.
template <typename Op>
Run numeric_wrapping(ElementType type) {
    switch (type) {
        case ElementType::boolean: return nullptr;
        case ElementType::int8:
        case ElementType::uint8: return run_unary<Op, std::uint8_t, std::uint8_t>;
        case ElementType::int16:
        case ElementType::uint16: return run_unary<Op, std::uint16_t, std::uint16_t>;
        case ElementType::int32:
        case ElementType::uint32: return run_unary<Op, std::uint32_t, std::uint32_t>;
        case ElementType::int64:
        case ElementType::uint64: return run_unary<Op, std::uint64_t, std::uint64_t>;
        default: return floating<Op>(type);
    }
}

Run find(UnaryOp op, ElementType type) {
    switch (op) {
        case UnaryOp::negative: return numeric_wrapping<Negative>(type);
        case UnaryOp::exp: return floating_vector<Exp>(type);
        case UnaryOp::log: return floating_vector<Log>(type);
        case UnaryOp::sqrt: return floating<Sqrt>(type);
    }
    return nullptr;
}

}  // namespace

template <>
bool has_unary<level>(UnaryOp op, ElementType type) {
    return find(op, type) != nullptr;
}

template <>
void unary<level>(UnaryOp op, const ElementwiseArgs& args) {
    elementwise<1>(find(op, args.in[0].type), args);
}

}  // namespace pyengine::kernels
