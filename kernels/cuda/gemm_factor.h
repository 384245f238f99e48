// One factor of the tile of gemm_mma.h in shared memory: 128 lines of 64 bytes of depth, in chunks of 16 bytes; and how it comes there.
//
// Chunks lie along the depth, or, where memory has them so, across the lines; ldmatrix exchanges rows and columns of the latter, but for
// floats, which are read one by one. The 8 chunks that ldmatrix reads at once, the 8 that neighbouring threads write, and the 32 floats of a
// fragment are in different banks:
//     along the depth     a line has 4 chunks, so two fill all banks: chunk c of line l lies at c ^ l / 2 % 4
//     across the lines    a depth has 16 chunks and room for one more; of floats 32, and for two more
//
// A thread brings two chunks of each stage: by cp.async where the loader's memory has aligned chunks, else an element after the other through
// registers. A loader of gemm_tile.h that is asked for chunks says where they lie: the element of line i and depth p at start(i) + distance(p).
#pragma once

#include "kernels/accumulator.h"
#include "kernels/cuda/primitives/cp_async.h"
#include "kernels/cuda/primitives/mma.h"

namespace pyengine::kernels {
namespace {

/// How the elements of a factor come: one by one, or in chunks of 16 bytes, aligned and contiguous along the depth or across the lines.
enum class Way { elements, along_depth, across_lines };

struct alignas(16) Chunk {
    std::uint32_t words[4];

    template <typename E>
    __device__ void set(int i, E x) {
        if constexpr (std::is_same_v<E, float>)
            words[i] = __float_as_uint(x);
        else
            words[i / 2] = i % 2 == 0 ? x.bits : words[i / 2] | std::uint32_t{x.bits} << 16;
    }
};

/// As mma takes them: floats as tf32.
template <typename E, int count>
__device__ void round_factors(std::uint32_t (&words)[count]) {
    if constexpr (std::is_same_v<E, float>)
#pragma unroll
        for (std::uint32_t& word : words) word = to_tf32(__uint_as_float(word));
}

template <typename E, bool across_>
class FactorStage {
public:
    static constexpr bool across = across_;
    static constexpr unsigned threads = 256, lines = 128, in_chunk = 16 / sizeof(E), depth = 4 * in_chunk;

    /// The number of the chunk with element (line, p).
    static constexpr unsigned index(unsigned line, unsigned p) {
        return across ? p * pitch + line / in_chunk : line * pitch + (p / in_chunk ^ line / 2 % 4);
    }
    __device__ Chunk& chunk(unsigned line, unsigned p) { return chunks_[index(line, p)]; }

    /// Fragments of 16 lines and 32 bytes of depth: four matrices of 8 lines and 16 bytes, of which the lane gets a word each. The second is
    /// the first's neighbour in the depth, or in the lines, as the factor's part in a product of mma has it.
    template <bool deep_first>
    __device__ void load(std::uint32_t (&words)[4], unsigned line, unsigned p) {
        const unsigned lane = threadIdx.x % 32;
        const auto place = [&](unsigned matrix, unsigned row, unsigned column) -> Chunk& {
            const unsigned second = matrix % 2, third = matrix / 2;
            return chunk(line + (deep_first ? third : second) * 8 + row, p + (deep_first ? second : third) * in_chunk + column);
        };
        if constexpr (!across)
            load_matrices(words, &place(lane / 8, lane % 8, 0));
        else if constexpr (sizeof(E) == 2)
            load_matrices<true>(words, &place(lane / 8, 0, lane % 8));
        else
#pragma unroll
            for (unsigned i = 0; i < 4; ++i) words[i] = place(i, lane / 4, lane % 4).words[lane / 4 % 4];
        round_factors<E>(words);
    }

private:
    static constexpr unsigned pitch = across ? (lines + 8) / in_chunk : 4;

    Chunk chunks_[across ? depth * pitch : lines * pitch];
};

/// Whether what is read, and what is written, at once lies in different banks: of 32, a chunk fills 4.
template <typename E, bool across>
constexpr bool banks_differ() {
    using Stage = FactorStage<E, across>;
    const bool by_word = across && sizeof(E) == 4;
    unsigned read = 0, written = 0;
    for (unsigned i = 0; i < (by_word ? 32 : 8); ++i) {
        const unsigned word = (Stage::index(i % 8, i / 8) * 4 + i % 4) % 32;
        read |= 1u << (by_word ? word : Stage::index(across ? 0 : i, across ? i : 0) % 8);
    }
    for (unsigned i = 0; i < 8; ++i)
        written |= 1u << Stage::index(across ? i * Stage::in_chunk : i / 4, across ? 0 : i % 4 * Stage::in_chunk) % 8;
    return read == (by_word ? ~0u : 0xffu) && written == 0xffu;
}
static_assert(banks_differ<float16, false>() && banks_differ<float16, true>());
static_assert(banks_differ<float, false>() && banks_differ<float, true>());

/// A thread's part in copying chunks.
template <typename Loader, typename Stage>
class CopyChunks {
public:
    __device__ CopyChunks(const Loader& loader, std::int64_t first, std::int64_t end)
        : loader_(loader), whole_(end - first >= Stage::lines) {
#pragma unroll
        for (int k = 0; k < 2; ++k) {
            const std::int64_t i = first + line_of(k);
            left_[k] = static_cast<int>(max(std::int64_t{0}, min(end - i, std::int64_t{Stage::in_chunk})));
            from_[k] = loader.start(left_[k] > 0 ? i : 0);
        }
    }

    /// `count` depths from `first` on, and zeros where there are no more.
    __device__ void begin(Stage& stage, std::int64_t first, int count) const {
        const bool inside = whole_ && count == Stage::depth;
#pragma unroll
        for (int k = 0; k < 2; ++k) {
            Chunk* const to = &stage.chunk(line_of(k), depth_of(k));
            const auto* const from = from_[k] + loader_.distance(first + depth_of(k));
            if (inside)
                cp_async<16>(to, from);
            else
                cp_async<16>(to, from, given(k, count));
        }
    }
    __device__ void finish(Stage&) const {}

private:
    static constexpr unsigned in_row = Stage::across ? Stage::lines / Stage::in_chunk : 4;

    __device__ static unsigned number(unsigned k) { return threadIdx.x + k * Stage::threads; }
    __device__ static unsigned line_of(unsigned k) { return Stage::across ? number(k) % in_row * Stage::in_chunk : number(k) / in_row; }
    __device__ static unsigned depth_of(unsigned k) { return Stage::across ? number(k) / in_row : number(k) % in_row * Stage::in_chunk; }

    /// Bytes.
    __device__ int given(int k, int count) const {
        const int deep = max(0, min(count - static_cast<int>(depth_of(k)), static_cast<int>(Stage::in_chunk)));
        const int elements = Stage::across ? (deep > 0 ? left_[k] : 0) : left_[k] > 0 ? deep : 0;
        return elements * static_cast<int>(sizeof(typename Loader::Element));
    }

    const Loader& loader_;
    const typename Loader::Element* from_[2];
    int left_[2];  // lines up to the end, at most those of a chunk
    bool whole_;   // all lines are there
};

/// A thread's part in bringing elements: begin() reads those of two chunks, and finish() puts them where they belong.
template <typename Loader, typename Stage>
class BringElements {
public:
    __device__ BringElements(const Loader& loader, std::int64_t first, std::int64_t end) : loader_(loader) {
#pragma unroll
        for (int k = 0; k < 2; ++k) {
            exists_[k] = first + line_of(k) < end;
            line_[k] = loader.line(exists_[k] ? first + line_of(k) : 0);
        }
    }

    __device__ void begin(Stage&, std::int64_t first, int count) {
#pragma unroll
        for (int k = 0; k < 2; ++k)
#pragma unroll
            for (int i = 0; i < static_cast<int>(Stage::in_chunk); ++i) {
                const int p = static_cast<int>(depth_of(k)) + i;
                chunk_[k].set(i, exists_[k] && p < count ? loader_.load(line_[k], loader_.depth(first + p)) : typename Loader::Element{});
            }
    }
    __device__ void finish(Stage& stage) const {
#pragma unroll
        for (int k = 0; k < 2; ++k) stage.chunk(line_of(k), depth_of(k)) = chunk_[k];
    }

private:
    __device__ static unsigned number(unsigned k) { return threadIdx.x + k * Stage::threads; }
    __device__ unsigned line_of(unsigned k) const { return loader_.along_depth() ? number(k) / 4 : number(k) % Stage::lines; }
    __device__ unsigned depth_of(unsigned k) const {
        return (loader_.along_depth() ? number(k) % 4 : number(k) / Stage::lines) * Stage::in_chunk;
    }

    const Loader& loader_;
    typename Loader::Line line_[2];
    bool exists_[2];
    Chunk chunk_[2];
};

template <Way source, typename Loader, typename Stage>
using Bring = std::conditional_t<source == Way::elements, BringElements<Loader, Stage>, CopyChunks<Loader, Stage>>;

}  // namespace
}  // namespace pyengine::kernels
