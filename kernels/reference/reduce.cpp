#include "kernels/reduce.h"

#include <limits>

#include "kernels/accumulator.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

/// The accumulator after every element of one output was seen.
template <typename T, typename A, typename Step>
A fold(const T* x, const Axes& reduced, A accumulator, Step step) {
    const std::int64_t count = count_of(reduced);
    for (std::int64_t r = 0; r < count; ++r) accumulator = step(accumulator, convert<A>(x[offset_of(reduced, r)]));
    return accumulator;
}

template <typename T>
void sum(const ReduceArgs& args, const T* x, std::int64_t at) {
    using A = std::conditional_t<is_real<T>, double, Accumulator<T>>;
    A total = fold(x, args.reduced, A{0}, wrapping_add<A>);
    if (args.op == ReduceOp::mean) total /= static_cast<A>(count_of(args.reduced));
    static_cast<SumType<T>*>(args.out)[at] = convert<SumType<T>>(total);
}

template <typename T>
void prod(const ReduceArgs& args, const T* x, std::int64_t at) {
    using A = std::conditional_t<is_real<T>, double, Accumulator<T>>;
    const A total = fold(x, args.reduced, A{1}, wrapping_multiply<A>);
    static_cast<SumType<T>*>(args.out)[at] = convert<SumType<T>>(total);
}

template <typename T>
void count_nonzero(const ReduceArgs& args, const T* x, std::int64_t at) {
    std::int64_t total = 0;
    for (std::int64_t r = 0; r < count_of(args.reduced); ++r) total += convert<Comparable<T>>(x[offset_of(args.reduced, r)]) != 0;
    static_cast<std::int64_t*>(args.out)[at] = total;
}

template <typename T>
void logical(const ReduceArgs& args, const T* x, std::int64_t at) {
    const bool result = args.op == ReduceOp::any ? fold(x, args.reduced, false, [](bool a, bool b) { return a || b; })
                                                 : fold(x, args.reduced, true, [](bool a, bool b) { return a && b; });
    static_cast<bool*>(args.out)[at] = result;
}

template <typename T>
void extreme(const ReduceArgs& args, const T* x, std::int64_t at) {
    using A = Comparable<T>;
    const auto smaller = [](A a, A b) { return a < b || a != a ? a : b; };
    const auto larger = [](A a, A b) { return a > b || a != a ? a : b; };
    const A first = convert<A>(*x);
    const A result = args.op == ReduceOp::min ? fold(x, args.reduced, first, smaller) : fold(x, args.reduced, first, larger);
    static_cast<T*>(args.out)[at] = convert<T>(result);
}

}  // namespace

template <>
std::size_t reduce_workspace<Isa::reference>(const ReduceArgs&) {
    return 0;
}

template <>
void reduce<Isa::reference>(const ReduceArgs& args) {
    const Axes out_axes{args.kept.rank, args.kept.sizes, args.out_strides};
    const std::int64_t outputs = count_of(args.kept);
    with_type(args.type, [&]<typename T> {
        for (std::int64_t k = 0; k < outputs; ++k) {
            const T* x = static_cast<const T*>(args.x) + offset_of(args.kept, k);
            const std::int64_t at = offset_of(out_axes, k);
            switch (args.op) {
                case ReduceOp::sum:
                case ReduceOp::mean: sum(args, x, at); break;
                case ReduceOp::prod: prod(args, x, at); break;
                case ReduceOp::any:
                case ReduceOp::all: logical(args, x, at); break;
                case ReduceOp::count_nonzero: count_nonzero(args, x, at); break;
                default: extreme(args, x, at);
            }
        }
    });
}

}  // namespace pyengine::kernels
