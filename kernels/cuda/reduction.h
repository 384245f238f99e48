// Reductions over some axes of a strided array: what reduce and argreduce share.
//
// Where the reduced axes step less than the kept ones, a block works on one output, and neighbouring threads read neighbouring elements.
// Otherwise, or where there is little to reduce, a block works on 32 outputs, and neighbouring lanes read elements of neighbouring outputs.
// Where that makes few blocks, the reduced elements are cut into chunks: a first pass leaves a partial result for each in the workspace, a
// second one combines them. Every element is read once; how the work is cut depends on sizes and strides alone. Merged axes cost nothing,
// each further one a division for each element. Has run in the simulator only.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdlib>

#include "kernels/cuda/axes.h"
#include "kernels/cuda/block_reduce.h"

namespace pyengine::kernels {
namespace {

struct Reduction {
    AxisList kept, reduced;  // strides of x
    AxisList out;            // the kept axes, strides of the output
    std::int64_t outputs, count;
    int columns, warps;          // outputs of a block, and its size
    std::int64_t chunk, chunks;  // elements of each output, and how many times

    Reduction(const Axes& kept_axes, const Axes& reduced_axes, const std::int64_t* out_strides)
        : kept(kept_axes),
          reduced(reduced_axes),
          out(kept_axes.rank, kept_axes.sizes, out_strides),
          outputs(count_of(kept_axes)),
          count(count_of(reduced_axes)) {
        columns = outputs > 1 && (count < 32 || kept_steps_less()) ? 32 : 1;
        const std::int64_t terms_of_a_thread = 8,
                           enough_warps = columns == 1 ? count / (32 * terms_of_a_thread) : count / terms_of_a_thread;
        warps = std::bit_floor(static_cast<unsigned>(std::clamp<std::int64_t>(enough_warps, 1, columns == 1 ? 16 : 8)));
        const std::int64_t enough_blocks = 264;  // two for each multiprocessor of an H100
        const std::int64_t most_chunks = count / ((columns == 1 ? 32 * warps : warps) * 2 * terms_of_a_thread);
        const std::int64_t wanted = std::max<std::int64_t>(1, std::min(enough_blocks / std::max<std::int64_t>(1, groups()), most_chunks));
        chunk = (count + wanted - 1) / wanted;
        chunks = chunk == 0 ? 1 : (count + chunk - 1) / chunk;
    }

    /// Of outputs, one for each block and chunk.
    constexpr std::int64_t groups() const { return (outputs + columns - 1) / columns; }
    std::int64_t partials() const { return chunks > 1 ? chunks * outputs : 0; }

private:
    bool kept_steps_less() const {
        return kept.rank > 0 && reduced.rank > 0 && std::abs(kept.strides[kept.rank - 1]) < std::abs(reduced.strides[reduced.rank - 1]);
    }
};

// Op says what to do: Value neutral(), Value load(element, its number), Value combine(Value, Value), Out finish(Value, count).

/// Threads along x: the chunk's elements (columns = 1), or outputs (columns = 32); grid y: chunks.
template <int columns, typename In, typename Out, typename Op>
__global__ void reduce_chunks(const __grid_constant__ Reduction work, const In* x, typename Op::Value* partials, Out* out, Op op) {
    const std::int64_t begin = blockIdx.y * work.chunk, end = min(begin + work.chunk, work.count);
    const std::int64_t row = columns == 1 ? threadIdx.x : warp_index(), rows = columns == 1 ? blockDim.x : warp_count();
    for (std::int64_t group = blockIdx.x; group < work.groups(); group += gridDim.x) {
        const std::int64_t k = columns == 1 ? group : group * 32 + lane_index();
        const auto combine = [&](auto a, auto b) { return op.combine(a, b); };
        auto value = op.neutral();
        if (k < work.outputs) {
            const In* first = x + work.kept.offset(k);
            value =
                pairwise(value, begin + row, end, rows, combine, [&](std::int64_t r) { return op.load(first[work.reduced.offset(r)], r); });
        }
        value = block_reduce<columns>(value, combine);
        if (row > 0 || k >= work.outputs) continue;
        if (work.chunks > 1)
            partials[blockIdx.y * work.outputs + k] = value;
        else
            out[work.out.offset(k)] = op.finish(value, work.count);
    }
}

/// One warp for each output.
template <typename Out, typename Op>
__global__ void combine_chunks(const __grid_constant__ Reduction work, const typename Op::Value* partials, Out* out, Op op) {
    const auto combine = [&](auto a, auto b) { return op.combine(a, b); };
    for (std::int64_t k = blockIdx.x; k < work.outputs; k += gridDim.x) {
        const auto part = [&](std::int64_t chunk) { return partials[chunk * work.outputs + k]; };
        const auto value = block_reduce<1>(pairwise(op.neutral(), threadIdx.x, work.chunks, 32, combine, part), combine);
        if (threadIdx.x == 0) out[work.out.offset(k)] = op.finish(value, work.count);
    }
}

template <typename In, typename Out, typename Op>
void run(const Reduction& work, const void* x, void* workspace, void* to, Op op) {
    const auto blocks = [](std::int64_t count) { return static_cast<unsigned>(std::min<std::int64_t>(count, 1 << 20)); };
    auto* partials = static_cast<typename Op::Value*>(workspace);
    auto* out = static_cast<Out*>(to);
    if (work.outputs == 0) return;
    const LaunchShape shape{{blocks(work.groups()), static_cast<unsigned>(work.chunks)}, {static_cast<unsigned>(32 * work.warps)}};
    launch(work.columns == 1 ? reduce_chunks<1, In, Out, Op> : reduce_chunks<32, In, Out, Op>, shape, work, static_cast<const In*>(x),
           partials, out, op);
    if (work.chunks > 1) launch(combine_chunks<Out, Op>, {{blocks(work.outputs)}, {32}}, work, partials, out, op);
}

}  // namespace
}  // namespace pyengine::kernels
