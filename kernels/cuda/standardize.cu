// A block, or a lane of it, takes a group. Forward: three passes, for the mean, the variance, and the output; backward: two. A group is
// not cut into parts: few groups of very many elements leave most of a large GPU idle. Has run in the simulator only.
#include "kernels/accumulator.h"
#include "kernels/cuda/rows.h"
#include "kernels/standardize.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

/// sum of term over the group / count
template <int columns, typename A, typename Term>
__device__ A mean_of(const OuterAxes& groups, const Share<OuterAxes>& share, Term term) {
    const A part = share.template sum<A>([&](std::int64_t, std::int64_t at) { return term(at); });
    return block_reduce<columns>(part, Add()) / static_cast<A>(groups.length());
}

template <int columns, bool centred, typename T>
__global__ void __launch_bounds__(most_threads<columns>)
    forward_groups(OuterAxes groups, double eps, const T* x, T* y, Accumulator<T>* means, Accumulator<T>* variances) {
    using A = Accumulator<T>;
    each_row<columns>(groups, [&](const Share<OuterAxes>& share) {
        const auto value = [&](std::int64_t at) { return convert<A>(x[at]); };
        const A mean = centred ? mean_of<columns, A>(groups, share, value) : A{0};
        const A variance = mean_of<columns, A>(groups, share, [&](std::int64_t at) { return (value(at) - mean) * (value(at) - mean); });
        const A r = 1 / sqrt(variance + static_cast<A>(eps));
        share.each([&](std::int64_t, std::int64_t at) { y[at] = convert<T>((value(at) - mean) * r); });
        if (!share.first) return;
        if (centred) means[share.number] = mean;
        variances[share.number] = variance;
    });
}

template <int columns, bool centred, typename T>
__global__ void __launch_bounds__(most_threads<columns>)
    backward_groups(OuterAxes groups, double eps, const T* x, const Accumulator<T>* means, const Accumulator<T>* variances, const T* dy,
                    T* dx) {
    using A = Accumulator<T>;
    each_row<columns>(groups, [&](const Share<OuterAxes>& share) {
        const bool exists = share.number < groups.rows();
        const A mean = centred && exists ? means[share.number] : A{0};
        const A r = 1 / sqrt((exists ? variances[share.number] : A{1}) + static_cast<A>(eps));
        const auto result = [&](std::int64_t at) { return (convert<A>(x[at]) - mean) * r; };
        const auto gradient = [&](std::int64_t at) { return convert<A>(dy[at]); };
        const A mean_dy = centred ? mean_of<columns, A>(groups, share, gradient) : A{0};
        const A mean_dy_y = mean_of<columns, A>(groups, share, [&](std::int64_t at) { return gradient(at) * result(at); });
        share.each([&](std::int64_t, std::int64_t at) { dx[at] = convert<T>(r * (gradient(at) - mean_dy - result(at) * mean_dy_y)); });
    });
}

template <bool centred>
void forward(const StandardizeArgs& args) {
    const OuterAxes groups{args.outer, args.groups, args.inner};
    with_float_type(args.type, [&]<typename T> {
        using A = Accumulator<T>;
        over_rows(groups, [&]<int columns>(const LaunchShape& shape) {
            launch(forward_groups<columns, centred, T>, shape, groups, args.eps, static_cast<const T*>(args.x), static_cast<T*>(args.y),
                   static_cast<A*>(args.mean), static_cast<A*>(args.variance));
        });
    });
}

template <bool centred>
void backward(const StandardizeBackwardArgs& args) {
    const OuterAxes groups{args.outer, args.groups, args.inner};
    with_float_type(args.type, [&]<typename T> {
        using A = Accumulator<T>;
        over_rows(groups, [&]<int columns>(const LaunchShape& shape) {
            launch(backward_groups<columns, centred, T>, shape, groups, args.eps, static_cast<const T*>(args.x),
                   static_cast<const A*>(args.mean), static_cast<const A*>(args.variance), static_cast<const T*>(args.dy),
                   static_cast<T*>(args.dx));
        });
    });
}

}  // namespace

template <>
void standardize<level>(const StandardizeArgs& args) {
    forward<true>(args);
}

template <>
void rms_standardize<level>(const StandardizeArgs& args) {
    forward<false>(args);
}

template <>
void standardize_backward<level>(const StandardizeBackwardArgs& args) {
    backward<true>(args);
}

template <>
void rms_standardize_backward<level>(const StandardizeBackwardArgs& args) {
    backward<false>(args);
}

}  // namespace pyengine::kernels
