// Compiled without contraction to fused multiply-adds (nvcc -fmad=false), so that the bits are those of the CPU's kernels. A thread draws
// one block of four words; what a block of threads draws goes through shared memory, so that neighbouring threads store neighbouring
// elements. Every element is written once. It has run in the simulator only so far.
#include "kernels/accumulator.h"
#include "kernels/cuda/cuda.h"
#include "kernels/distributions.h"
#include "kernels/random.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

/// Words 2 j and 2 j + 1 of a block.
__device__ std::uint64_t double_word(const PhiloxBlock& block, int j) { return join(block.word[2 * j], block.word[2 * j + 1]); }

template <typename T>
struct Uniform {
    static constexpr int slots = std::is_same_v<T, double> ? 2 : 4;
    __device__ static void fill(const RandomArgs&, const PhiloxBlock& block, T* out) {
        for (int j = 0; j < slots; ++j)
            if constexpr (slots == 2)
                out[j] = uniform_double(double_word(block, j));
            else
                out[j] = convert<T>(uniform_float(block.word[j], significand_digits<T>));
    }
};

template <typename T>
struct Normal {
    static constexpr int slots = 4;
    __device__ static void fill(const RandomArgs&, const PhiloxBlock& block, T* out) {
        for (int j = 0; j < 4; j += 2) {
            const NormalPair<float> pair = normal_floats(block.word[j], block.word[j + 1]);
            out[j] = convert<T>(pair.cosine);
            out[j + 1] = convert<T>(pair.sine);
        }
    }
};

template <>
struct Normal<double> {
    static constexpr int slots = 2;
    __device__ static void fill(const RandomArgs&, const PhiloxBlock& block, double* out) {
        const NormalPair<double> pair = normal_doubles(double_word(block, 0), double_word(block, 1));
        out[0] = pair.cosine;
        out[1] = pair.sine;
    }
};

template <typename T>
struct Integers {
    static constexpr int slots = 2;
    __device__ static void fill(const RandomArgs& args, const PhiloxBlock& block, T* out) {
        for (int j = 0; j < 2; ++j) out[j] = static_cast<T>(args.low + integer_below(double_word(block, j), args.range));
    }
};

template <typename T>
struct Bernoulli {
    static constexpr int slots = 4;
    __device__ static void fill(const RandomArgs& args, const PhiloxBlock& block, T* out) {
        const T value = convert<T>(args.value), zero = convert<T>(0.0);
        for (int j = 0; j < 4; ++j) out[j] = hit(block.word[j], args.threshold) ? value : zero;
    }
};

constexpr int threads = 128;

template <typename Draw, typename T>
__global__ void draw_kernel(RandomArgs args) {
    constexpr int slots = Draw::slots, tile = threads * slots;
    constexpr RandomStream stream = slots == 2 ? RandomStream::words64 : RandomStream::words32;
    __shared__ T drawn[tile];
    const auto replay = args.replays ? static_cast<std::uint32_t>(*args.replays) : 0u;
    const auto skipped = static_cast<std::int64_t>(args.offset % slots);  // of the first block
    for (std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * tile; first < skipped + args.count;
         first += static_cast<std::int64_t>(gridDim.x) * tile) {
        const std::uint64_t block = args.offset / slots + static_cast<std::uint64_t>(first / slots) + threadIdx.x;
        Draw::fill(args, philox(args.seed, stream, block, replay), drawn + threadIdx.x * slots);
        __syncthreads();
        for (int k = threadIdx.x; k < tile; k += threads) {
            const std::int64_t i = first + k - skipped;
            if (i >= 0 && i < args.count) static_cast<T*>(args.out)[i] = drawn[k];
        }
        __syncthreads();
    }
}

template <typename Draw, typename T>
void run(const RandomArgs& args) {
    launch(draw_kernel<Draw, T>, shape_for(args.count / Draw::slots + 1, threads), args);
}

}  // namespace

template <>
void random<level>(const RandomArgs& args) {
    if (args.count == 0) return;
    with_type(args.type, [&]<typename T> {
        if constexpr (is_real<T>) {
            if (args.distribution == Distribution::uniform) return run<Uniform<T>, T>(args);
            if (args.distribution == Distribution::normal) return run<Normal<T>, T>(args);
        } else {
            if (args.distribution == Distribution::integers) return run<Integers<T>, T>(args);
        }
        run<Bernoulli<T>, T>(args);
    });
}

}  // namespace pyengine::kernels
