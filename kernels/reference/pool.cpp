#include "kernels/pool.h"

#include <cmath>

#include "kernels/accumulator.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

std::int64_t volume(const std::int64_t* size) { return size[0] * size[1] * size[2]; }

/// f(output, input, divisor) for every pair of an output of a plane and an input it sees.
template <typename F>
void each_pair(const PoolArgs& args, F f) {
    for (std::int64_t i = 0; i < args.out_size[0]; ++i)
        for (std::int64_t j = 0; j < args.out_size[1]; ++j)
            for (std::int64_t k = 0; k < args.out_size[2]; ++k)
                for (std::int64_t a = 0; a < args.count[0][i]; ++a)
                    for (std::int64_t b = 0; b < args.count[1][j]; ++b)
                        for (std::int64_t c = 0; c < args.count[2][k]; ++c) {
                            const std::int64_t z = args.first[0][i] + a * args.step[0];
                            const std::int64_t y = args.first[1][j] + b * args.step[1];
                            const std::int64_t x = args.first[2][k] + c * args.step[2];
                            const std::int64_t divisor = args.divisor[0] ? args.divisor[0][i] * args.divisor[1][j] * args.divisor[2][k] : 1;
                            f((i * args.out_size[1] + j) * args.out_size[2] + k, (z * args.in_size[1] + y) * args.in_size[2] + x, divisor);
                        }
}

}  // namespace

template <>
std::size_t pool_workspace<Isa::reference>(const PoolArgs&) {
    return 0;
}

template <>
std::size_t pool_transpose_workspace<Isa::reference>(const PoolArgs& args) {
    return static_cast<std::size_t>(volume(args.in_size)) * sizeof(double);
}

template <>
void max_pool<Isa::reference>(const PoolArgs& args) {
    with_float_type(args.type, [&]<typename T> {
        for (std::int64_t plane = 0; plane < args.planes; ++plane) {
            const T* x = static_cast<const T*>(args.from) + plane * volume(args.in_size);
            T* y = static_cast<T*>(args.to) + plane * volume(args.out_size);
            std::int64_t* indices = args.indices + plane * volume(args.out_size);
            for (std::int64_t i = 0; i < volume(args.out_size); ++i) indices[i] = -1;
            each_pair(args, [&](std::int64_t output, std::int64_t input, std::int64_t) {
                const double value = convert<double>(x[input]);
                if (indices[output] < 0 || value > convert<double>(y[output]) || std::isnan(value)) {
                    y[output] = x[input];
                    indices[output] = input;
                }
            });
        }
    });
}

template <>
void max_pool_gather<Isa::reference>(const PoolArgs& args) {
    with_float_type(args.type, [&]<typename T> {
        const std::int64_t outputs = volume(args.out_size);
        for (std::int64_t i = 0; i < args.planes * outputs; ++i)
            static_cast<T*>(args.to)[i] = static_cast<const T*>(args.from)[i / outputs * volume(args.in_size) + args.indices[i]];
    });
}

/// For every plane: zeros in `sums`, add(plane, sums), and the sums rounded into `to`.
template <typename T, typename Add>
static void accumulate_planes(const PoolArgs& args, Add add) {
    auto* sums = static_cast<Accumulator<T>*>(args.workspace);
    const std::int64_t inputs = volume(args.in_size);
    for (std::int64_t plane = 0; plane < args.planes; ++plane) {
        for (std::int64_t i = 0; i < inputs; ++i) sums[i] = 0;
        add(plane, sums);
        for (std::int64_t i = 0; i < inputs; ++i) static_cast<T*>(args.to)[plane * inputs + i] = convert<T>(sums[i]);
    }
}

template <>
void max_pool_scatter<Isa::reference>(const PoolArgs& args) {
    with_float_type(args.type, [&]<typename T> {
        accumulate_planes<T>(args, [&](std::int64_t plane, Accumulator<T>* sums) {
            const std::int64_t outputs = volume(args.out_size);
            for (std::int64_t i = plane * outputs; i < (plane + 1) * outputs; ++i)
                sums[args.indices[i]] += convert<Accumulator<T>>(static_cast<const T*>(args.from)[i]);
        });
    });
}

template <>
void avg_pool<Isa::reference>(const PoolArgs& args) {
    with_float_type(args.type, [&]<typename T> {
        using Sum = Accumulator<T>;
        for (std::int64_t plane = 0; plane < args.planes; ++plane) {
            const T* x = static_cast<const T*>(args.from) + plane * volume(args.in_size);
            T* y = static_cast<T*>(args.to) + plane * volume(args.out_size);
            std::int64_t current = -1, divisor = 1;
            Sum sum = 0;
            const auto finish = [&] {
                if (current >= 0) y[current] = convert<T>(sum / static_cast<Sum>(divisor));
            };
            each_pair(args, [&](std::int64_t output, std::int64_t input, std::int64_t its_divisor) {
                if (output != current) {
                    finish();
                    current = output;
                    divisor = its_divisor;
                    sum = 0;
                }
                sum += convert<Sum>(x[input]);
            });
            finish();
        }
    });
}

template <>
void avg_pool_transpose<Isa::reference>(const PoolArgs& args) {
    with_float_type(args.type, [&]<typename T> {
        using Sum = Accumulator<T>;
        accumulate_planes<T>(args, [&](std::int64_t plane, Sum* sums) {
            const T* y = static_cast<const T*>(args.from) + plane * volume(args.out_size);
            each_pair(args, [&](std::int64_t output, std::int64_t input, std::int64_t divisor) {
                sums[input] += convert<Sum>(y[output]) / static_cast<Sum>(divisor);
            });
        });
    });
}

}  // namespace pyengine::kernels
