// Compiled without contraction to fused multiply-adds (CMakeLists.txt), so that all levels give the bits of the reference. Sixteen blocks
// of four words at a time, laid out for the compiler to vectorise; each batch starts at a multiple of its size, whatever the offset.
#include "kernels/random.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#include "kernels/accumulator.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"
#include "kernels/distributions.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

constexpr int blocks = 16;

/// Word j of block b in word[j][b].
struct Batch {
    std::uint32_t word[4][blocks];
};

/// The low halves of 64-bit lanes, multiplied in full. (Masked by all ones: GCC 12 warns of the plain form, see simd.h.)
Vec<std::uint64_t> multiply_low(Vec<std::uint64_t> a, std::uint32_t b) {
#if defined(__AVX512F__)
    return (Vec<std::uint64_t>)_mm512_maskz_mul_epu32(0xff, (__m512i)a, _mm512_set1_epi64(b));
#elif defined(__AVX2__)
    return (Vec<std::uint64_t>)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi64x(b));
#elif defined(__SSE2__)
    return (Vec<std::uint64_t>)_mm_mul_epu32((__m128i)a, _mm_set1_epi64x(b));
#elif defined(__ARM_NEON)
    return (Vec<std::uint64_t>)vmull_u32(vmovn_u64((uint64x2_t)a), vdup_n_u32(b));
#else
    return (a & 0xffffffffu) * b;
#endif
}

/// philox of kernels/philox.h for many counters at once, each word in the low half of a lane; what gathers above it is never used.
Batch words(std::uint64_t seed, RandomStream stream, std::uint64_t first_block) {
    using Words = Vec<std::uint64_t>;
    typedef std::uint32_t Low __attribute__((vector_size(lanes<std::uint64_t> * 4)));
    Batch batch;
    for (int b = 0; b < blocks; b += lanes<std::uint64_t>) {
        Words w0 = broadcast(first_block + static_cast<std::uint64_t>(b));
        for (int i = 0; i < lanes<std::uint64_t>; ++i) w0[i] += static_cast<std::uint64_t>(i);
        Words w1 = w0 >> 32, w2 = broadcast(std::uint64_t{static_cast<std::uint32_t>(stream)}), w3{};
        auto key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
        for (int round = 0; round < philox_rounds; ++round) {
            const Words product0 = multiply_low(w0, philox_multiplier[0]), product1 = multiply_low(w2, philox_multiplier[1]);
            w0 = product1 >> 32 ^ w1 ^ std::uint64_t{key0};
            w1 = product1;
            w2 = product0 >> 32 ^ w3 ^ std::uint64_t{key1};
            w3 = product0;
            key0 += philox_key_step[0];
            key1 += philox_key_step[1];
        }
        const Words all[4] = {w0, w1, w2, w3};
        for (int j = 0; j < 4; ++j) {
            const Low low = __builtin_convertvector(all[j], Low);
            std::memcpy(&batch.word[j][b], &low, sizeof low);
        }
    }
    return batch;
}

/// Element `slot` of block b in values[slot][b]; they go out block by block, as T.
template <typename T, int slots, typename A>
void interleave(const A (&values)[slots][blocks], T* out) {
    for (int b = 0; b < blocks; ++b)
        for (int slot = 0; slot < slots; ++slot) out[b * slots + slot] = convert<T>(values[slot][b]);
}

template <typename T>
struct Uniform {
    static constexpr int slots = 4;
    static void fill(const RandomArgs& args, std::uint64_t block, T* out) {
        const Batch batch = words(args.seed, RandomStream::words32, block);
        float values[4][blocks];
        for (int j = 0; j < 4; ++j)
            for (int b = 0; b < blocks; ++b) values[j][b] = uniform_float(batch.word[j][b], significand_digits<T>);
        interleave<T, 4>(values, out);
    }
};

template <>
struct Uniform<double> {
    static constexpr int slots = 2;
    static void fill(const RandomArgs& args, std::uint64_t block, double* out) {
        const Batch batch = words(args.seed, RandomStream::words64, block);
        double values[2][blocks];
        for (int j = 0; j < 2; ++j)
            for (int b = 0; b < blocks; ++b) values[j][b] = uniform_double(join(batch.word[2 * j][b], batch.word[2 * j + 1][b]));
        interleave<double, 2>(values, out);
    }
};

template <typename T>
struct Normal {
    static constexpr int slots = 4;
    static void fill(const RandomArgs& args, std::uint64_t block, T* out) {
        const Batch batch = words(args.seed, RandomStream::words32, block);
        float values[4][blocks];
        for (int j = 0; j < 4; j += 2)
            for (int b = 0; b < blocks; ++b) {
                const NormalPair<float> pair = normal_floats(batch.word[j][b], batch.word[j + 1][b]);
                values[j][b] = pair.cosine;
                values[j + 1][b] = pair.sine;
            }
        interleave<T, 4>(values, out);
    }
};

template <>
struct Normal<double> {
    static constexpr int slots = 2;
    static void fill(const RandomArgs& args, std::uint64_t block, double* out) {
        const Batch batch = words(args.seed, RandomStream::words64, block);
        double values[2][blocks];
        for (int b = 0; b < blocks; ++b) {
            const std::uint64_t first = join(batch.word[0][b], batch.word[1][b]), second = join(batch.word[2][b], batch.word[3][b]);
            const NormalPair<double> pair = normal_doubles(first, second);
            values[0][b] = pair.cosine;
            values[1][b] = pair.sine;
        }
        interleave<double, 2>(values, out);
    }
};

template <typename T>
struct Integers {
    static constexpr int slots = 2;
    static void fill(const RandomArgs& args, std::uint64_t block, T* out) {
        const Batch batch = words(args.seed, RandomStream::words64, block);
        for (int b = 0; b < blocks; ++b)
            for (int j = 0; j < 2; ++j)
                out[2 * b + j] = static_cast<T>(args.low + integer_below(join(batch.word[2 * j][b], batch.word[2 * j + 1][b]), args.range));
    }
};

template <typename T>
struct Bernoulli {
    static constexpr int slots = 4;
    static void fill(const RandomArgs& args, std::uint64_t block, T* out) {
        const Batch batch = words(args.seed, RandomStream::words32, block);
        const T value = convert<T>(args.value), zero = convert<T>(0.0);
        T values[4][blocks];
        for (int j = 0; j < 4; ++j)
            for (int b = 0; b < blocks; ++b) values[j][b] = hit(batch.word[j][b], args.threshold) ? value : zero;
        interleave<T, 4>(values, out);
    }
};

template <typename Draw, typename T>
void run(const RandomArgs& args) {
    constexpr std::int64_t size = Draw::slots * blocks;
    T* out = static_cast<T*>(args.out);
    const auto skipped = static_cast<std::int64_t>(args.offset % size);
    const std::uint64_t first_block = args.offset / size * blocks;
    parallel_blocks((skipped + args.count + size - 1) / size, 128, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t batch = begin; batch < end; ++batch) {
            const std::uint64_t block = first_block + static_cast<std::uint64_t>(batch * blocks);
            const std::int64_t at = batch * size - skipped;
            const std::int64_t from = max_of<std::int64_t>(0, -at), to = min_of(size, args.count - at);
            if (from == 0 && to == size) {
                Draw::fill(args, block, out + at);
                continue;
            }
            T part[size];
            Draw::fill(args, block, part);
            for (std::int64_t i = from; i < to; ++i) out[at + i] = part[i];
        }
    });
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
