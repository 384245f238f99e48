#include "kernels/standardize.h"

#include <cmath>

#include "kernels/accumulator.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

/// Calls body(offset) for every element of group k.
template <typename Args, typename Body>
void each_element(const Args& args, std::int64_t k, Body body) {
    for (std::int64_t o = 0; o < args.outer; ++o)
        for (std::int64_t i = 0; i < args.inner; ++i) body((o * args.groups + k) * args.inner + i);
}

template <typename Args, typename Term>
double mean_of(const Args& args, std::int64_t k, Term term) {
    double sum = 0;
    each_element(args, k, [&](std::int64_t at) { sum += term(at); });
    return sum / static_cast<double>(args.outer * args.inner);
}

template <bool centred>
void forward(const StandardizeArgs& args) {
    with_float_type(args.type, [&]<typename T> {
        const auto x = [&](std::int64_t at) { return convert<double>(static_cast<const T*>(args.x)[at]); };
        for (std::int64_t k = 0; k < args.groups; ++k) {
            const double mean = centred ? mean_of(args, k, x) : 0;
            const double variance = mean_of(args, k, [&](std::int64_t at) { return (x(at) - mean) * (x(at) - mean); });
            const double r = 1 / std::sqrt(variance + args.eps);
            each_element(args, k, [&](std::int64_t at) { static_cast<T*>(args.y)[at] = convert<T>((x(at) - mean) * r); });
            if (centred) static_cast<Accumulator<T>*>(args.mean)[k] = static_cast<Accumulator<T>>(mean);
            static_cast<Accumulator<T>*>(args.variance)[k] = static_cast<Accumulator<T>>(variance);
        }
    });
}

template <bool centred>
void backward(const StandardizeBackwardArgs& args) {
    with_float_type(args.type, [&]<typename T> {
        const auto dy = [&](std::int64_t at) { return convert<double>(static_cast<const T*>(args.dy)[at]); };
        for (std::int64_t k = 0; k < args.groups; ++k) {
            const double mean = centred ? static_cast<const Accumulator<T>*>(args.mean)[k] : 0;
            const double r = 1 / std::sqrt(static_cast<const Accumulator<T>*>(args.variance)[k] + args.eps);
            const auto y = [&](std::int64_t at) { return (convert<double>(static_cast<const T*>(args.x)[at]) - mean) * r; };
            const double mean_dy = centred ? mean_of(args, k, dy) : 0;
            const double mean_dy_y = mean_of(args, k, [&](std::int64_t at) { return dy(at) * y(at); });
            each_element(args, k,
                         [&](std::int64_t at) { static_cast<T*>(args.dx)[at] = convert<T>(r * (dy(at) - mean_dy - y(at) * mean_dy_y)); });
        }
    });
}

}  // namespace

template <>
void standardize<Isa::reference>(const StandardizeArgs& args) {
    forward<true>(args);
}

template <>
void rms_standardize<Isa::reference>(const StandardizeArgs& args) {
    forward<false>(args);
}

template <>
void standardize_backward<Isa::reference>(const StandardizeBackwardArgs& args) {
    backward<true>(args);
}

template <>
void rms_standardize_backward<Isa::reference>(const StandardizeBackwardArgs& args) {
    backward<false>(args);
}

}  // namespace pyengine::kernels
