// Compiled without contraction to fused multiply-adds (CMakeLists.txt), so that all levels give the bits of the reference. Sixteen blocks
// of four words at a time, laid out for the compiler to vectorise; each batch starts at a multiple of its size, whatever the offset.
#include "kernels/random.h"

#include "kernels/accumulator.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/philox_batch.h"
#include "kernels/distributions.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

/// Element `slot` of block b in values[slot][b]; they go out block by block, as T.
template <typename T, int slots, typename A>
void interleave(const A (&values)[slots][batch_blocks], T* out) {
    for (int b = 0; b < batch_blocks; ++b)
        for (int slot = 0; slot < slots; ++slot) out[b * slots + slot] = convert<T>(values[slot][b]);
}

template <typename T>
struct Uniform {
    static constexpr int slots = 4;
    static void fill(const RandomArgs& args, std::uint64_t block, T* out) {
        const PhiloxBatch batch = philox_batch(args.seed, RandomStream::words32, block);
        float values[4][batch_blocks];
        for (int j = 0; j < 4; ++j)
            for (int b = 0; b < batch_blocks; ++b) values[j][b] = uniform_float(batch.word[j][b], significand_digits<T>);
        interleave<T, 4>(values, out);
    }
};

template <>
struct Uniform<double> {
    static constexpr int slots = 2;
    static void fill(const RandomArgs& args, std::uint64_t block, double* out) {
        const PhiloxBatch batch = philox_batch(args.seed, RandomStream::words64, block);
        double values[2][batch_blocks];
        for (int j = 0; j < 2; ++j)
            for (int b = 0; b < batch_blocks; ++b) values[j][b] = uniform_double(join(batch.word[2 * j][b], batch.word[2 * j + 1][b]));
        interleave<double, 2>(values, out);
    }
};

template <typename T>
struct Normal {
    static constexpr int slots = 4;
    static void fill(const RandomArgs& args, std::uint64_t block, T* out) {
        const PhiloxBatch batch = philox_batch(args.seed, RandomStream::words32, block);
        float values[4][batch_blocks];
        for (int j = 0; j < 4; j += 2)
            for (int b = 0; b < batch_blocks; ++b) {
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
        const PhiloxBatch batch = philox_batch(args.seed, RandomStream::words64, block);
        double values[2][batch_blocks];
        for (int b = 0; b < batch_blocks; ++b) {
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
        const PhiloxBatch batch = philox_batch(args.seed, RandomStream::words64, block);
        for (int b = 0; b < batch_blocks; ++b)
            for (int j = 0; j < 2; ++j)
                out[2 * b + j] = static_cast<T>(args.low + integer_below(join(batch.word[2 * j][b], batch.word[2 * j + 1][b]), args.range));
    }
};

template <typename T>
struct Bernoulli {
    static constexpr int slots = 4;
    static void fill(const RandomArgs& args, std::uint64_t block, T* out) {
        const PhiloxBatch batch = philox_batch(args.seed, RandomStream::words32, block);
        const T value = convert<T>(args.value), zero = convert<T>(0.0);
        T values[4][batch_blocks];
        for (int j = 0; j < 4; ++j)
            for (int b = 0; b < batch_blocks; ++b) values[j][b] = hit(batch.word[j][b], args.threshold) ? value : zero;
        interleave<T, 4>(values, out);
    }
};

template <typename Draw, typename T>
void run(const RandomArgs& args) {
    constexpr std::int64_t size = Draw::slots * batch_blocks;
    T* out = static_cast<T*>(args.out);
    const auto skipped = static_cast<std::int64_t>(args.offset % size);
    const std::uint64_t first_block = args.offset / size * batch_blocks;
    parallel_blocks((skipped + args.count + size - 1) / size, 128, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t batch = begin; batch < end; ++batch) {
            const std::uint64_t block = first_block + static_cast<std::uint64_t>(batch * batch_blocks);
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
