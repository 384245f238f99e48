#include "kernels/conv.h"

#include "kernels/half.h"

namespace pyengine::kernels {
namespace {

using Index = std::int64_t;

float widen(float16 x) { return to_float(x); }
float widen(bfloat16 x) { return to_float(x); }
float widen(float x) { return x; }
double widen(double x) { return x; }

template <typename E>
using Sum = decltype(widen(E{}));

void narrow(float16& to, float x) { to = to_float16(x); }
void narrow(bfloat16& to, float x) { to = to_bfloat16(x); }
void narrow(float& to, float x) { to = x; }
void narrow(double& to, double x) { to = x; }

template <typename Body>
void for_each(const Index (&size)[3], Body body) {
    for (Index d = 0; d < size[0]; ++d)
        for (Index h = 0; h < size[1]; ++h)
            for (Index w = 0; w < size[2]; ++w) body({d, h, w});
}

struct Position {
    Index at[3];
};

Index volume(const Index (&size)[3]) { return size[0] * size[1] * size[2]; }

/// The element of one channel's image, zero outside.
template <typename E>
Sum<E> at(const E* image, const Index (&size)[3], const Position& p) {
    for (int i = 0; i < 3; ++i)
        if (p.at[i] < 0 || p.at[i] >= size[i]) return 0;
    return widen(image[(p.at[0] * size[1] + p.at[1]) * size[2] + p.at[2]]);
}

/// Where tap k meets output p, in x.
Position in_x(const ConvArgs& args, const Position& p, const Position& k) {
    Position q;
    for (int i = 0; i < 3; ++i) q.at[i] = p.at[i] * args.stride[i] + k.at[i] * args.dilation[i] - args.padding[i];
    return q;
}

/// The output p that tap k links to input q; false where there is none.
bool in_y(const ConvArgs& args, const Position& q, const Position& k, Position& p) {
    for (int i = 0; i < 3; ++i) {
        const Index scaled = q.at[i] + args.padding[i] - k.at[i] * args.dilation[i];
        if (scaled % args.stride[i] != 0) return false;
        p.at[i] = scaled / args.stride[i];
    }
    return true;
}

/// Arrays of one element type, and the addresses of their channels.
template <typename E>
struct Arrays {
    const ConvArgs& args;
    Index in_share = args.in_channels / args.groups, out_share = args.out_channels / args.groups;

    const E* x(Index n, Index c) const { return static_cast<const E*>(args.x) + (n * args.in_channels + c) * volume(args.in_size); }
    const E* y(Index n, Index o) const { return static_cast<const E*>(args.y) + (n * args.out_channels + o) * volume(args.out_size); }
    const E* w(Index o, Index c) const { return static_cast<const E*>(args.w) + (o * in_share + c) * volume(args.kernel_size); }
    Sum<E> bias(Index channel) const { return args.bias ? widen(static_cast<const E*>(args.bias)[channel]) : 0; }
};

template <typename E>
void run_conv(const ConvArgs& args) {
    const Arrays<E> arrays{args};
    E* out = static_cast<E*>(args.out);
    for (Index n = 0; n < args.batch; ++n)
        for (Index o = 0; o < args.out_channels; ++o)
            for_each(args.out_size, [&](const Position& p) {
                Sum<E> sum = 0;
                for (Index c = 0; c < arrays.in_share; ++c)
                    for_each(args.kernel_size, [&](const Position& k) {
                        const E* x = arrays.x(n, o / arrays.out_share * arrays.in_share + c);
                        sum += at(x, args.in_size, in_x(args, p, k)) * at(arrays.w(o, c), args.kernel_size, k);
                    });
                narrow(*out++, sum + arrays.bias(o));
            });
}

template <typename E>
void run_conv_transpose(const ConvArgs& args) {
    const Arrays<E> arrays{args};
    E* out = static_cast<E*>(args.out);
    for (Index n = 0; n < args.batch; ++n)
        for (Index c = 0; c < args.in_channels; ++c)
            for_each(args.in_size, [&](const Position& q) {
                Sum<E> sum = 0;
                for (Index i = 0; i < arrays.out_share; ++i)
                    for_each(args.kernel_size, [&](const Position& k) {
                        const Index o = c / arrays.in_share * arrays.out_share + i;
                        Position p;
                        if (in_y(args, q, k, p))
                            sum += at(arrays.y(n, o), args.out_size, p) * at(arrays.w(o, c % arrays.in_share), args.kernel_size, k);
                    });
                narrow(*out++, sum + arrays.bias(c));
            });
}

template <typename E>
void run_conv_weight_gradient(const ConvArgs& args) {
    const Arrays<E> arrays{args};
    E* out = static_cast<E*>(args.out);
    for (Index o = 0; o < args.out_channels; ++o)
        for (Index c = 0; c < arrays.in_share; ++c)
            for_each(args.kernel_size, [&](const Position& k) {
                Sum<E> sum = 0;
                for (Index n = 0; n < args.batch; ++n)
                    for_each(args.out_size, [&](const Position& p) {
                        const E* x = arrays.x(n, o / arrays.out_share * arrays.in_share + c);
                        sum += at(x, args.in_size, in_x(args, p, k)) * at(arrays.y(n, o), args.out_size, p);
                    });
                narrow(*out++, sum);
            });
}

}  // namespace

template <>
std::size_t conv_workspace<Isa::reference>(const ConvArgs&) {
    return 0;
}
template <>
std::size_t conv_transpose_workspace<Isa::reference>(const ConvArgs&) {
    return 0;
}
template <>
std::size_t conv_weight_gradient_workspace<Isa::reference>(const ConvArgs&) {
    return 0;
}

template <>
void conv<Isa::reference>(const ConvArgs& args) {
    switch (args.type) {
        case ElementType::float16: return run_conv<float16>(args);
        case ElementType::bfloat16: return run_conv<bfloat16>(args);
        case ElementType::float32: return run_conv<float>(args);
        default: return run_conv<double>(args);
    }
}

template <>
void conv_transpose<Isa::reference>(const ConvArgs& args) {
    switch (args.type) {
        case ElementType::float16: return run_conv_transpose<float16>(args);
        case ElementType::bfloat16: return run_conv_transpose<bfloat16>(args);
        case ElementType::float32: return run_conv_transpose<float>(args);
        default: return run_conv_transpose<double>(args);
    }
}

template <>
void conv_weight_gradient<Isa::reference>(const ConvArgs& args) {
    switch (args.type) {
        case ElementType::float16: return run_conv_weight_gradient<float16>(args);
        case ElementType::bfloat16: return run_conv_weight_gradient<bfloat16>(args);
        case ElementType::float32: return run_conv_weight_gradient<float>(args);
        default: return run_conv_weight_gradient<double>(args);
    }
}

}  // namespace pyengine::kernels
