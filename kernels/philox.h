// Philox4x32-10: random words as a function of a counter, the same on every device, level and thread.
// J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 3.3.
//
// A kernel that needs a random word for its element i takes it by position, so that what an element gets depends on (seed, offset + i)
// alone:
//
//     philox_word(seed, stream, offset + i)
//
// and a kernel that walks along takes four at a time: philox(seed, stream, block).word[j] is the word at position 4 * block + j.
// `stream` keeps draws of different kinds apart that stand at the same position: one number for each kind, listed in RandomStream.
// constexpr, so that nvcc compiles the same lines for the device; integers alone, so that nothing can round differently.
#pragma once

#include <cstdint>

namespace pyengine::kernels {

enum class RandomStream : std::uint32_t {
    words32,  // one 32-bit word for each element
    words64,  // two words for each element
};

struct PhiloxBlock {
    std::uint32_t word[4];
};

constexpr int philox_rounds = 10;
constexpr std::uint32_t philox_multiplier[2] = {0xD2511F53u, 0xCD9E8D57u};
constexpr std::uint32_t philox_key_step[2] = {0x9E3779B9u, 0xBB67AE85u};  // the golden ratio; the square root of 3, less 1

/// Ten rounds over a counter of four words and a key of two.
[[maybe_unused]] static constexpr PhiloxBlock philox4x32(PhiloxBlock counter, std::uint32_t key0, std::uint32_t key1) {
    for (int round = 0; round < philox_rounds; ++round) {
        const std::uint64_t product0 = std::uint64_t{philox_multiplier[0]} * counter.word[0];
        const std::uint64_t product1 = std::uint64_t{philox_multiplier[1]} * counter.word[2];
        counter = {{static_cast<std::uint32_t>(product1 >> 32) ^ counter.word[1] ^ key0, static_cast<std::uint32_t>(product1),
                    static_cast<std::uint32_t>(product0 >> 32) ^ counter.word[3] ^ key1, static_cast<std::uint32_t>(product0)}};
        key0 += philox_key_step[0];
        key1 += philox_key_step[1];
    }
    return counter;
}

/// Four words: positions 4 * block to 4 * block + 3 of a stream. `replay`: of the CUDA graph that draws them; each has numbers of its own.
[[maybe_unused]] static constexpr PhiloxBlock philox(std::uint64_t seed, RandomStream stream, std::uint64_t block,
                                                     std::uint32_t replay = 0) {
    return philox4x32(
        {{static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32), static_cast<std::uint32_t>(stream), replay}},
        static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32));
}

[[maybe_unused]] static constexpr std::uint32_t philox_word(std::uint64_t seed, RandomStream stream, std::uint64_t position,
                                                            std::uint32_t replay = 0) {
    return philox(seed, stream, position / 4, replay).word[position % 4];
}

/// True with probability p, from a word: p as a fraction of 2^32. Pass it to `hit`.
[[maybe_unused]] static constexpr std::uint64_t probability_threshold(double p) { return static_cast<std::uint64_t>(p * 0x1p32); }

[[maybe_unused]] static constexpr bool hit(std::uint32_t word, std::uint64_t threshold) { return word < threshold; }

}  // namespace pyengine::kernels
