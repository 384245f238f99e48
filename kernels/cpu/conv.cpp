#include "kernels/conv.h"

#include "kernels/cpu/conv_over_images.h"
#include "kernels/cpu/conv_over_positions.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

/// Whether vectors run over images: where that takes fewer cycles per image and group. A cycle for a vector of the product; what moving
/// elements in and out of scratch costs was measured, by element (over images), and by element, row and task (over positions).
template <typename T>
bool over_images(const Product& p) {
    constexpr Index most_uses = 1 << 16;
    const Index outputs = volume(p.out_size);
    if (p.batch < lanes<T> || outputs * p.taps() > most_uses) return false;
    const Index moved = p.channels * volume(p.source_size) + p.rows * outputs;
    const Index by_images = p.rows * p.channels * all_uses(p) * padded_cols<T>(p.batch) / (p.batch * lanes<T>)+moved * 9 / 4;
    Index by_positions = 0;
    for_each_pass<T>(p, [&](const Pass& pass) {
        const Source& s = pass.source;
        const Index vectors = s.outputs[0] * ceil_div(pass.run_columns(), lanes<T>) * s.blocks(0) * s.blocks(1) * s.blocks(2);
        const Index rows = s.axis[0].outputs * s.axis[1].outputs;
        by_positions += p.rows * p.channels * pass.use_count * vectors + p.rows * rows * (15 + s.axis[2].outputs);
        by_positions += 15 * p.channels * p.source_size[0] * p.source_size[1] + 200;
    });
    return by_images < by_positions;
}

template <typename T>
Index weights_bytes(const Product& p) {
    return whole_lines(p.groups * p.rows * p.channels * p.taps() * static_cast<Index>(sizeof(T)));
}

template <typename T>
std::size_t workspace_of(const Product& p, int threads) {
    if (p.rows == 0 || volume(p.out_size) == 0 || p.batch == 0) return 0;
    const Index rest = over_images<T>(p) ? over_images_workspace<T>(p, threads) : over_positions_workspace<T>(p, threads);
    return static_cast<std::size_t>(weights_bytes<T>(p) + rest);
}

template <typename T, typename E>
void run(const Product& p, const ConvArgs& args, const void* source) {
    if (p.rows == 0 || volume(p.out_size) == 0 || p.batch == 0) return;
    T* weights = static_cast<T*>(args.workspace);
    std::byte* rest = static_cast<std::byte*>(args.workspace) + weights_bytes<T>(p);
    pack_weights<T>(p, static_cast<const E*>(args.w), weights);
    const Arrays<T, E> arrays{static_cast<const E*>(source), static_cast<const E*>(args.bias), static_cast<E*>(args.out), weights};
    if (over_images<T>(p))
        run_over_images(p, arrays, rest, args.threads);
    else
        run_over_positions(p, arrays, rest, args.threads);
}

}  // namespace

template <>
std::size_t conv_workspace<level>(const ConvArgs& args) {
    return with_float_type(args.type, [&]<typename E> { return workspace_of<SumOf<E>>(conv_product(args), args.threads); });
}

template <>
std::size_t conv_transpose_workspace<level>(const ConvArgs& args) {
    return with_float_type(args.type, [&]<typename E> { return workspace_of<SumOf<E>>(transpose_product(args), args.threads); });
}

template <>
void conv<level>(const ConvArgs& args) {
    with_float_type(args.type, [&]<typename E> { run<SumOf<E>, E>(conv_product(args), args, args.x); });
}

template <>
void conv_transpose<level>(const ConvArgs& args) {
    with_float_type(args.type, [&]<typename E> { run<SumOf<E>, E>(transpose_product(args), args, args.y); });
}

}  // namespace pyengine::kernels
