// conv and conv_transpose with vectors over images: for batches of small images, whose rows would fill vectors badly.
//
// A task copies the part of the source that its outputs need to scratch as [position][channel][image], a panel of B for each position. An
// output position is then a product (rows, channels x taps) (channels x taps, images) over the taps that meet the source; padding costs
// nothing.
#pragma once

#include "kernels/cpu/conv_product.h"

namespace pyengine::kernels {
namespace {

struct ImagesPlan {
    Index images;                // of a task: whole vectors
    int cut;                     // the outermost dimension that has several elements; blocks are ranges of outputs along it
    Index block, blocks, parts;  // outputs of a block; blocks; shares of the panels
    Index position_stride;       // in scratch

    Index inner(const Index (&size)[3]) const { return volume(size) / max_of(Index{1}, size[cut]); }
};

/// The source elements along the cut that outputs [first, last) meet, as the range [begin, end).
struct Range {
    Index begin, end;
};

inline Range met_range(const Product& p, int i, Index first, Index last) {
    Range range{p.source_size[i], 0};
    for (Index q = first; q < last; ++q)
        for (Index tap = 0; tap < p.kernel_size[i]; ++tap) {
            const Index at = p.met(i, q, tap);
            if (at < 0) continue;
            range.begin = min_of(range.begin, at);
            range.end = max_of(range.end, at + 1);
        }
    return {min_of(range.begin, range.end), range.end};
}

/// Source elements that the largest block needs.
inline Index block_source(const Product& p, const ImagesPlan& plan) {
    Index most = 0;
    for (Index b = 0; b < plan.blocks; ++b) {
        const Range range = met_range(p, plan.cut, b * plan.block, min_of(p.out_size[plan.cut], (b + 1) * plan.block));
        most = max_of(most, range.end - range.begin);
    }
    return most * plan.inner(p.source_size);
}

template <typename T>
ImagesPlan make_images_plan(const Product& p) {
    constexpr Index scratch_bytes = 640 * 1024, wanted_tasks = 8;
    ImagesPlan plan;
    const Panels<T> panels{p.rows};
    const int vectors = tile_vectors(static_cast<int>(panels.size(0)), Tile<T>::vectors);
    plan.images = min_of(vectors * lanes<T>, padded_cols<T>(p.batch));
    plan.position_stride = (ceil_div(p.channels * plan.images, 16) | 1) * 16;
    const auto several = [&](int i) { return p.source_size[i] > 1 || p.out_size[i] > 1; };
    plan.cut = several(0) ? 0 : several(1) ? 1 : 2;
    plan.block = max_of(Index{1}, p.out_size[plan.cut]);
    const auto cut_blocks = [&] { plan.blocks = ceil_div(p.out_size[plan.cut], plan.block); };
    cut_blocks();
    const auto tasks = [&] { return ceil_div(p.batch, plan.images) * p.groups * plan.blocks; };
    const auto bytes = [&] { return block_source(p, plan) * plan.position_stride * static_cast<Index>(sizeof(T)); };
    while (plan.block > 1 && (bytes() > scratch_bytes || tasks() < wanted_tasks)) {
        plan.block = ceil_div(plan.block, 2);
        cut_blocks();
    }
    plan.parts = min_of(panels.count, ceil_div(wanted_tasks, tasks()));
    return plan;
}

/// Outputs of a panel that are multiplied before they are stored: as many as an image takes in one stretch of some cache lines. The last
/// chunk of a block takes what remains.
template <typename T>
constexpr Index chunk_size = 4 * lanes<T>;

/// Offsets within the workspace, in bytes.
template <typename T>
struct ImagesWorkspace {
    Index uses, scratch, strip, stage, lane;  // strip and stage: within a lane's scratch

    ImagesWorkspace(const Product& p, const ImagesPlan& plan) {
        const Index size = sizeof(T), chunk = 2 * chunk_size<T> * plan.images * size;
        uses = whole_lines(volume(p.out_size) * static_cast<Index>(sizeof(Index)));
        scratch = uses + whole_lines(volume(p.out_size) * p.taps() * static_cast<Index>(sizeof(Use)));
        strip = whole_lines(block_source(p, plan) * plan.position_stride * size);
        stage = strip + Tile<T>::rows * chunk;
        lane = stage + chunk;
    }
};

/// The taps that each output meets, and where in a scratch that held the whole source.
inline void find_uses(const Product& p, Index position_stride, Index* counts, Use* uses) {
    Index q[3], tap[3];
    for (q[0] = 0; q[0] < p.out_size[0]; ++q[0])
        for (q[1] = 0; q[1] < p.out_size[1]; ++q[1])
            for (q[2] = 0; q[2] < p.out_size[2]; ++q[2], uses += p.taps()) {
                Index count = 0;
                for (tap[0] = 0; tap[0] < p.kernel_size[0]; ++tap[0])
                    for (tap[1] = 0; tap[1] < p.kernel_size[1]; ++tap[1])
                        for (tap[2] = 0; tap[2] < p.kernel_size[2]; ++tap[2]) {
                            Index number = 0, position = 0;
                            bool inside = true;
                            for (int i = 0; i < 3; ++i) {
                                const Index at = p.met(i, q[i], tap[i]);
                                inside = inside && at >= 0;
                                number = number * p.kernel_size[i] + tap[i];
                                position = position * p.source_size[i] + at;
                            }
                            if (inside) uses[count++] = {number, position * position_stride};
                        }
                *counts++ = count;
            }
}

template <typename T, typename E>
struct ImagesTask {
    const Product& product;
    const ImagesPlan& plan;
    const Arrays<T, E>& arrays;
    const Index* counts;
    const Use* uses;
    T *scratch, *strip, *stage;

    void run(Index part, Index block, Index group, Index image_block) const {
        const Index image = image_block * plan.images, images = min_of(plan.images, product.batch - image);
        const Index first = block * plan.block, last = min_of(product.out_size[plan.cut], first + plan.block);
        const Range range = met_range(product, plan.cut, first, last);
        const Index inner_source = plan.inner(product.source_size), inner = plan.inner(product.out_size);
        fill(group, image, images, range.begin * inner_source, (range.end - range.begin) * inner_source);
        const T* origin = scratch - range.begin * inner_source * plan.position_stride;
        const Index positions = (last - first) * inner, chunks = max_of(Index{1}, positions / chunk_size<T>);
        const Panels<T> panels{product.rows};
        for (Index chunk = 0; chunk < chunks; ++chunk) {
            const Index begin = first * inner + chunk * chunk_size<T>, end = chunk + 1 < chunks ? begin + chunk_size<T> : last * inner;
            for (Index panel = part * panels.count / plan.parts; panel < (part + 1) * panels.count / plan.parts; ++panel)
                run_panel(group * product.rows + panels.first(panel), panels.size(panel), image, images, begin, end, origin);
        }
    }

private:
    void fill(Index group, Index image, Index images, Index begin, Index count) const {
        const Index channel = volume(product.source_size), all_channels = product.groups * product.channels;
        for (Index c = 0; c < product.channels; ++c) {
            const E* from = arrays.source + (image * all_channels + group * product.channels + c) * channel + begin;
            transpose<T>(scratch + c * plan.images, plan.position_stride, from, all_channels * channel, images, count);
        }
    }

    void run_panel(Index row, Index rows, Index image, Index images, Index begin, Index end, const T* origin) const {
        const Index columns = padded_cols<T>(images), strip_row = (end - begin) * plan.images;
        const MultiplyTaps<T> multiply = multiply_taps_of<T>(rows);
        const T* weights = arrays.weights + row * product.channels * product.taps();
        for (Index q = begin; q < end; ++q) {
            if (q - begin < rows) prefetch(output(row + q - begin, image) + begin, images, end - begin);
            multiply({columns, product.channels, uses + q * product.taps(), counts[q], weights, origin, plan.images,
                      strip + (q - begin) * plan.images, strip_row});
        }
        for (Index i = 0; i < rows; ++i) store_row(strip + i * strip_row, row + i, image, images, begin, end - begin);
    }

    E* output(Index row, Index image) const {
        return arrays.out + (image * product.groups * product.rows + row) * volume(product.out_size);
    }
    Index out_batch() const { return product.groups * product.rows * volume(product.out_size); }

    /// Stores to many images wait for as many lines, which the tiles before leave time to fetch.
    void prefetch(const E* to, Index images, Index count) const {
        for (Index i = 0; i < images; ++i)
            for (Index j = 0; j < count; j += 64 / static_cast<Index>(sizeof(E))) __builtin_prefetch(to + i * out_batch() + j, 1);
    }

    /// Image after image, by way of the stage: where images lie a multiple of the page size apart, neighbouring stores to different images
    /// would evict one another's lines.
    void store_row(const T* sums, Index row, Index image, Index images, Index begin, Index count) const {
        const T bias = arrays.bias ? widened(arrays.bias[row]) : T{};
        transpose<T>(stage, count, sums, plan.images, count, images);
        for (Index i = 0; i < images; ++i) add_row(output(row, image + i) + begin, 1, stage + i * count, count, bias);
    }
};

template <typename T>
Index over_images_workspace(const Product& product, int threads) {
    const ImagesWorkspace<T> offsets(product, make_images_plan<T>(product));
    return offsets.scratch + threads * offsets.lane;
}

template <typename T, typename E>
void run_over_images(const Product& product, const Arrays<T, E>& arrays, std::byte* workspace, int threads) {
    const ImagesPlan plan = make_images_plan<T>(product);
    const ImagesWorkspace<T> offsets(product, plan);
    Index* counts = reinterpret_cast<Index*>(workspace);
    Use* uses = reinterpret_cast<Use*>(workspace + offsets.uses);
    find_uses(product, plan.position_stride, counts, uses);
    const Index tasks = ceil_div(product.batch, plan.images) * product.groups * plan.blocks * plan.parts;
    parallel_with_scratch(tasks, threads, workspace + offsets.scratch, static_cast<std::size_t>(offsets.lane),
                          [&](Index i, std::byte* lane) {
                              const ImagesTask<T, E> task{product,
                                                          plan,
                                                          arrays,
                                                          counts,
                                                          uses,
                                                          reinterpret_cast<T*>(lane),
                                                          reinterpret_cast<T*>(lane + offsets.strip),
                                                          reinterpret_cast<T*>(lane + offsets.stage)};
                              task.run(i % plan.parts, i / plan.parts % plan.blocks, i / plan.parts / plan.blocks % product.groups,
                                       i / plan.parts / plan.blocks / product.groups);
                          });
}

}  // namespace
}  // namespace pyengine::kernels
