#include "kernels/pool.h"

#include "kernels/accumulator.h"
#include "kernels/cpu/parallel.h"
#include "kernels/level.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

constexpr std::int64_t task_elements = 1 << 13;

std::int64_t volume(const std::int64_t* size) { return size[0] * size[1] * size[2]; }

/// body(plane) for every plane, several a task.
template <typename Body>
void each_plane(const PoolArgs& args, Body body) {
    const std::int64_t size = volume(args.in_size) + volume(args.out_size) + 1;
    parallel_blocks(args.planes, task_elements / size + 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t plane = begin; plane < end; ++plane) body(plane);
    });
}

/// body(output, divisor, visit) for every output of a plane in order; visit(f) calls f(input) for every input in its window.
template <typename Body>
inline void each_window(const PoolArgs& args, Body body) {
    const std::int64_t height = args.in_size[1], width = args.in_size[2];
    std::int64_t output = 0;
    for (std::int64_t i = 0; i < args.out_size[0]; ++i)
        for (std::int64_t j = 0; j < args.out_size[1]; ++j)
            for (std::int64_t k = 0; k < args.out_size[2]; ++k, ++output)
                body(
                    output,
                    [&](auto f) {
                        for (std::int64_t a = 0; a < args.count[0][i]; ++a)
                            for (std::int64_t b = 0; b < args.count[1][j]; ++b) {
                                const std::int64_t z = args.first[0][i] + a * args.step[0], y = args.first[1][j] + b * args.step[1];
                                const std::int64_t row = (z * height + y) * width + args.first[2][k];
                                for (std::int64_t c = 0; c < args.count[2][k]; ++c) f(row + c * args.step[2]);
                            }
                    },
                    [&] { return args.divisor[0][i] * args.divisor[1][j] * args.divisor[2][k]; });
}

template <typename T>
void max_of_plane(const PoolArgs& args, const T* x, T* y, std::int64_t* indices) {
    each_window(args, [&](std::int64_t output, auto visit, auto) {
        std::int64_t at = -1;
        auto best = Comparable<T>{};
        visit([&](std::int64_t input) {
            const auto value = convert<Comparable<T>>(x[input]);
            const bool takes_over = at < 0 || value > best || value != value;
            best = takes_over ? value : best;
            at = takes_over ? input : at;
        });
        y[output] = x[at];
        indices[output] = at;
    });
}

template <typename T>
void mean_of_plane(const PoolArgs& args, const T* x, T* y) {
    using Sum = Accumulator<T>;
    each_window(args, [&](std::int64_t output, auto visit, auto divisor) {
        Sum sum = 0;
        visit([&](std::int64_t input) { sum += convert<Sum>(x[input]); });
        y[output] = convert<T>(sum / static_cast<Sum>(divisor()));
    });
}

template <typename T>
void spread_over_plane(const PoolArgs& args, const T* y, Accumulator<T>* x) {
    using Sum = Accumulator<T>;
    each_window(args, [&](std::int64_t output, auto visit, auto divisor) {
        const Sum share = convert<Sum>(y[output]) / static_cast<Sum>(divisor());
        visit([&](std::int64_t input) { x[input] += share; });
    });
}

/// For every plane: zeros, add(plane, sums), and the sums rounded to T if they are wider.
template <typename T, typename Add>
void accumulate_planes(const PoolArgs& args, Add add) {
    using Sum = Accumulator<T>;
    constexpr bool widens = sizeof(Sum) != sizeof(T);
    const std::int64_t size = volume(args.in_size);
    each_plane(args, [&](std::int64_t plane) {
        T* to = static_cast<T*>(args.to) + plane * size;
        Sum* sums;
        if constexpr (widens)
            sums = static_cast<Sum*>(args.workspace) + plane * size;
        else
            sums = to;
        for (std::int64_t i = 0; i < size; ++i) sums[i] = 0;
        add(plane, sums);
        if constexpr (widens)
            for (std::int64_t i = 0; i < size; ++i) to[i] = convert<T>(sums[i]);
    });
}

}  // namespace

template <>
std::size_t pool_workspace<level>(const PoolArgs&) {
    return 0;
}

template <>
std::size_t pool_transpose_workspace<level>(const PoolArgs& args) {
    const bool widens = args.type == ElementType::float16 || args.type == ElementType::bfloat16;
    return widens ? static_cast<std::size_t>(args.planes * volume(args.in_size)) * sizeof(float) : 0;
}

template <>
void max_pool<level>(const PoolArgs& args) {
    with_float_type(args.type, [&]<typename T> {
        each_plane(args, [&](std::int64_t plane) {
            const std::int64_t to = plane * volume(args.out_size);
            max_of_plane(args, static_cast<const T*>(args.from) + plane * volume(args.in_size), static_cast<T*>(args.to) + to,
                         args.indices + to);
        });
    });
}

template <>
void max_pool_gather<level>(const PoolArgs& args) {
    with_float_type(args.type, [&]<typename T> {
        const std::int64_t outputs = volume(args.out_size);
        each_plane(args, [&](std::int64_t plane) {
            const T* x = static_cast<const T*>(args.from) + plane * volume(args.in_size);
            T* y = static_cast<T*>(args.to) + plane * outputs;
            for (std::int64_t i = 0; i < outputs; ++i) y[i] = x[args.indices[plane * outputs + i]];
        });
    });
}

template <>
void max_pool_scatter<level>(const PoolArgs& args) {
    with_float_type(args.type, [&]<typename T> {
        const std::int64_t outputs = volume(args.out_size);
        accumulate_planes<T>(args, [&](std::int64_t plane, Accumulator<T>* x) {
            const T* y = static_cast<const T*>(args.from) + plane * outputs;
            for (std::int64_t i = 0; i < outputs; ++i) x[args.indices[plane * outputs + i]] += convert<Accumulator<T>>(y[i]);
        });
    });
}

template <>
void avg_pool<level>(const PoolArgs& args) {
    with_float_type(args.type, [&]<typename T> {
        each_plane(args, [&](std::int64_t plane) {
            mean_of_plane(args, static_cast<const T*>(args.from) + plane * volume(args.in_size),
                          static_cast<T*>(args.to) + plane * volume(args.out_size));
        });
    });
}

template <>
void avg_pool_transpose<level>(const PoolArgs& args) {
    with_float_type(args.type, [&]<typename T> {
        accumulate_planes<T>(args, [&](std::int64_t plane, Accumulator<T>* x) {
            spread_over_plane(args, static_cast<const T*>(args.from) + plane * volume(args.out_size), x);
        });
    });
}

}  // namespace pyengine::kernels
