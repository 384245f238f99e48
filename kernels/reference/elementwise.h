// What the reference elementwise kernels share. Every value is widened to double, int64 or uint64, and narrowed once, when it is stored.
#pragma once

#include <cmath>
#include <limits>

#include "kernels/elementwise.h"
#include "kernels/half.h"
#include "kernels/round_odd.h"

namespace pyengine::kernels {
namespace {

enum class Domain { floating, signed_integer, unsigned_integer };

[[maybe_unused]] Domain domain_of(ElementType type) {
    switch (type) {
        case ElementType::float16:
        case ElementType::bfloat16:
        case ElementType::float32:
        case ElementType::float64: return Domain::floating;
        case ElementType::int8:
        case ElementType::int16:
        case ElementType::int32:
        case ElementType::int64: return Domain::signed_integer;
        default: return Domain::unsigned_integer;
    }
}

template <typename Wide>
Wide load(const Operand& x, std::int64_t i) {
    switch (x.type) {
        case ElementType::boolean:
        case ElementType::uint8: return static_cast<Wide>(static_cast<const std::uint8_t*>(x.data)[i]);
        case ElementType::int8: return static_cast<Wide>(static_cast<const std::int8_t*>(x.data)[i]);
        case ElementType::int16: return static_cast<Wide>(static_cast<const std::int16_t*>(x.data)[i]);
        case ElementType::int32: return static_cast<Wide>(static_cast<const std::int32_t*>(x.data)[i]);
        case ElementType::int64: return static_cast<Wide>(static_cast<const std::int64_t*>(x.data)[i]);
        case ElementType::uint16: return static_cast<Wide>(static_cast<const std::uint16_t*>(x.data)[i]);
        case ElementType::uint32: return static_cast<Wide>(static_cast<const std::uint32_t*>(x.data)[i]);
        case ElementType::uint64: return static_cast<Wide>(static_cast<const std::uint64_t*>(x.data)[i]);
        case ElementType::float16: return static_cast<Wide>(to_float(static_cast<const float16*>(x.data)[i]));
        case ElementType::bfloat16: return static_cast<Wide>(to_float(static_cast<const bfloat16*>(x.data)[i]));
        case ElementType::float32: return static_cast<Wide>(static_cast<const float*>(x.data)[i]);
        default: return static_cast<Wide>(static_cast<const double*>(x.data)[i]);
    }
}

/// Truncated and clamped; NaN gives 0.
template <typename Int>
Int to_integer(double x) {
    if (std::isnan(x)) return 0;
    constexpr double end = std::numeric_limits<Int>::max() / 2 + 1;  // half of it: exact for every type
    if (x / 2 >= end) return std::numeric_limits<Int>::max();
    if (x <= static_cast<double>(std::numeric_limits<Int>::min())) return std::numeric_limits<Int>::min();
    return static_cast<Int>(x);
}
template <typename Int>
Int to_integer(std::int64_t x) {
    return static_cast<Int>(x);
}
template <typename Int>
Int to_integer(std::uint64_t x) {
    return static_cast<Int>(x);
}

template <typename Wide>
void store(const Operand& x, std::int64_t i, Wide value) {
    switch (x.type) {
        case ElementType::boolean: static_cast<bool*>(x.data)[i] = value != 0; break;
        case ElementType::int8: static_cast<std::int8_t*>(x.data)[i] = to_integer<std::int8_t>(value); break;
        case ElementType::int16: static_cast<std::int16_t*>(x.data)[i] = to_integer<std::int16_t>(value); break;
        case ElementType::int32: static_cast<std::int32_t*>(x.data)[i] = to_integer<std::int32_t>(value); break;
        case ElementType::int64: static_cast<std::int64_t*>(x.data)[i] = to_integer<std::int64_t>(value); break;
        case ElementType::uint8: static_cast<std::uint8_t*>(x.data)[i] = to_integer<std::uint8_t>(value); break;
        case ElementType::uint16: static_cast<std::uint16_t*>(x.data)[i] = to_integer<std::uint16_t>(value); break;
        case ElementType::uint32: static_cast<std::uint32_t*>(x.data)[i] = to_integer<std::uint32_t>(value); break;
        case ElementType::uint64: static_cast<std::uint64_t*>(x.data)[i] = to_integer<std::uint64_t>(value); break;
        case ElementType::float16: static_cast<float16*>(x.data)[i] = to_float16(round_odd(value)); break;
        case ElementType::bfloat16: static_cast<bfloat16*>(x.data)[i] = to_bfloat16(round_odd(value)); break;
        case ElementType::float32: static_cast<float*>(x.data)[i] = static_cast<float>(value); break;
        default: static_cast<double*>(x.data)[i] = static_cast<double>(value); break;
    }
}

/// Calls visit(o, i0, i1, i2), the offsets of the output and the first `inputs` inputs, for every element.
template <int inputs, typename Visit>
void for_each_element(const ElementwiseArgs& args, Visit visit) {
    std::int64_t index[ElementwiseArgs::max_rank] = {};
    while (true) {
        std::int64_t out = 0, in[3] = {};
        for (std::int64_t axis = 0; axis < args.rank; ++axis) {
            if (args.shape[axis] == 0) return;
            out += index[axis] * args.out.strides[axis];
            for (int k = 0; k < inputs; ++k) in[k] += index[axis] * args.in[k].strides[axis];
        }
        visit(out, in[0], in[1], in[2]);
        std::int64_t axis = args.rank - 1;
        while (axis >= 0 && ++index[axis] == args.shape[axis]) index[axis--] = 0;
        if (axis < 0) return;
    }
}

/// Integers as unsigned, where overflow is defined.
[[maybe_unused]] inline double wrapping(double x) { return x; }
[[maybe_unused]] inline std::uint64_t wrapping(std::int64_t x) { return static_cast<std::uint64_t>(x); }
[[maybe_unused]] inline std::uint64_t wrapping(std::uint64_t x) { return x; }

/// out = op(in[0]), computed in Wide.
template <typename Wide, typename Op>
void apply_unary(const ElementwiseArgs& args, Op op) {
    for_each_element<1>(args, [&](auto out, auto a, auto, auto) { store(args.out, out, op(load<Wide>(args.in[0], a))); });
}

template <typename Wide, typename Op>
void apply_binary(const ElementwiseArgs& args, Op op) {
    for_each_element<2>(
        args, [&](auto out, auto a, auto b, auto) { store(args.out, out, op(load<Wide>(args.in[0], a), load<Wide>(args.in[1], b))); });
}

/// An operation written once for all domains.
template <typename Op>
void apply_unary_any(const ElementwiseArgs& args, Op op) {
    switch (domain_of(args.in[0].type)) {
        case Domain::floating: return apply_unary<double>(args, op);
        case Domain::signed_integer: return apply_unary<std::int64_t>(args, op);
        case Domain::unsigned_integer: return apply_unary<std::uint64_t>(args, op);
    }
}

template <typename Op>
void apply_binary_any(const ElementwiseArgs& args, Op op) {
    switch (domain_of(args.in[0].type)) {
        case Domain::floating: return apply_binary<double>(args, op);
        case Domain::signed_integer: return apply_binary<std::int64_t>(args, op);
        case Domain::unsigned_integer: return apply_binary<std::uint64_t>(args, op);
    }
}

}  // namespace
}  // namespace pyengine::kernels
