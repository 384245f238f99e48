#include "kernels/scan.h"

#include "kernels/accumulator.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

constexpr std::int64_t task_elements = 32768;
constexpr std::int64_t tile_columns = 64;

struct RunningSum {
    static constexpr int neutral = 0;
    template <typename A>
    static A combine(A a, A b) {
        return wrapping_add(a, b);
    }
};
struct RunningProduct {
    static constexpr int neutral = 1;
    template <typename A>
    static A combine(A a, A b) {
        return wrapping_multiply(a, b);
    }
};

template <typename Op, typename A, typename T, typename Out>
void scan_columns(const T* x, Out* out, std::int64_t size, std::int64_t columns, std::int64_t row, bool include_initial) {
    A totals[tile_columns];
    for (std::int64_t j = 0; j < columns; ++j) totals[j] = A{Op::neutral};
    if (include_initial) {
        for (std::int64_t j = 0; j < columns; ++j) out[j] = convert<Out>(totals[j]);
        out += row;
    }
    for (std::int64_t r = 0; r < size; ++r)
        for (std::int64_t j = 0; j < columns; ++j) {
            totals[j] = Op::combine(totals[j], convert<A>(x[r * row + j]));
            out[r * row + j] = convert<Out>(totals[j]);
        }
}

template <typename Op, typename T>
void run(const ScanArgs& args) {
    using A = std::conditional_t<is_real<T>, double, Accumulator<T>>;
    const std::int64_t out_size = args.size + args.include_initial, tiles = (args.inner + tile_columns - 1) / tile_columns;
    const std::int64_t cost = max_of<std::int64_t>(1, args.size * min_of(args.inner, tile_columns));
    parallel_blocks(args.outer * tiles, max_of<std::int64_t>(1, task_elements / cost), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t task = begin; task < end; ++task) {
            const std::int64_t o = task / tiles, first = task % tiles * tile_columns;
            const T* x = static_cast<const T*>(args.x) + o * args.size * args.inner + first;
            SumType<T>* out = static_cast<SumType<T>*>(args.out) + o * out_size * args.inner + first;
            scan_columns<Op, A>(x, out, args.size, min_of(args.inner - first, tile_columns), args.inner, args.include_initial);
        }
    });
}

}  // namespace

template <>
std::size_t scan_workspace<level>(const ScanArgs&) {
    return 0;
}

template <>
void scan<level>(const ScanArgs& args) {
    with_type(args.type, [&]<typename T> { args.op == ScanOp::sum ? run<RunningSum, T>(args) : run<RunningProduct, T>(args); });
}

}  // namespace pyengine::kernels
