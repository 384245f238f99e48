#include <limits>

#include "kernels/accumulator.h"
#include "kernels/cuda/reduction.h"
#include "kernels/reduce.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

template <typename T>
struct SumOrProduct {
    using Value = Accumulator<T>;
    ReduceOp op;

    __device__ Value neutral() const { return op == ReduceOp::prod ? Value{1} : Value{0}; }
    __device__ Value load(T x, std::int64_t) const { return convert<Value>(x); }
    __device__ Value combine(Value a, Value b) const { return op == ReduceOp::prod ? wrapping_multiply(a, b) : wrapping_add(a, b); }
    __device__ SumType<T> finish(Value total, std::int64_t count) const {
        return convert<SumType<T>>(op == ReduceOp::mean ? total / static_cast<Value>(count) : total);
    }
};

/// What extremes of T travel between threads as: at least 32 bits.
template <typename T>
using Extreme = std::conditional_t<is_half<T>, float, std::conditional_t<(sizeof(T) < 4), std::int32_t, T>>;

template <typename T>
struct MinOrMax {
    using Value = Extreme<T>;
    ReduceOp op;

    __device__ Value neutral() const {
        using Limits = std::numeric_limits<Value>;
        if constexpr (Limits::has_infinity) return op == ReduceOp::min ? Limits::infinity() : -Limits::infinity();
        return op == ReduceOp::min ? Limits::max() : Limits::lowest();
    }
    __device__ Value load(T x, std::int64_t) const { return convert<Value>(x); }
    __device__ Value combine(Value a, Value b) const { return (op == ReduceOp::min ? a < b : a > b) || a != a ? a : b; }
    __device__ T finish(Value value, std::int64_t) const { return convert<T>(value); }
};

template <typename T>
struct Nonzero {
    using Value = std::int64_t;

    __device__ Value neutral() const { return 0; }
    __device__ Value load(T x, std::int64_t) const { return convert<Comparable<T>>(x) != 0; }
    __device__ Value combine(Value a, Value b) const { return a + b; }
    __device__ std::int64_t finish(Value count, std::int64_t) const { return count; }
};

struct AnyOrAll {
    using Value = std::int32_t;
    ReduceOp op;

    __device__ Value neutral() const { return op == ReduceOp::all; }
    __device__ Value load(bool x, std::int64_t) const { return x; }
    __device__ Value combine(Value a, Value b) const { return op == ReduceOp::all ? a & b : a | b; }
    __device__ bool finish(Value value, std::int64_t) const { return value != 0; }
};

}  // namespace

template <>
std::size_t reduce_workspace<level>(const ReduceArgs& args) {
    return static_cast<std::size_t>(Reduction(args.kept, args.reduced, args.out_strides).partials()) * sizeof(std::int64_t);
}

template <>
void reduce<level>(const ReduceArgs& args) {
    const Reduction work(args.kept, args.reduced, args.out_strides);
    const auto go = [&]<typename In, typename Out>(auto op) { run<In, Out>(work, args.x, args.workspace, args.out, op); };
    if (args.op == ReduceOp::any || args.op == ReduceOp::all) return go.operator()<bool, bool>(AnyOrAll{args.op});
    with_type(args.type, [&]<typename T> {
        if (args.op == ReduceOp::min || args.op == ReduceOp::max)
            go.template operator()<T, T>(MinOrMax<T>{args.op});
        else if (args.op == ReduceOp::count_nonzero)
            go.template operator()<T, std::int64_t>(Nonzero<T>());
        else
            go.template operator()<T, SumType<T>>(SumOrProduct<T>{args.op});
    });
}

}  // namespace pyengine::kernels
