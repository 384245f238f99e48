#include "kernels/random.h"

#include "kernels/accumulator.h"
#include "kernels/distributions.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

std::uint64_t double_word(std::uint64_t seed, std::uint64_t position) {
    const PhiloxBlock block = philox(seed, RandomStream::words64, position / 2);
    return position % 2 ? join(block.word[2], block.word[3]) : join(block.word[0], block.word[1]);
}

template <typename T>
T uniform(const RandomArgs& args, std::uint64_t position) {
    if constexpr (std::is_same_v<T, double>) return uniform_double(double_word(args.seed, position));
    return convert<T>(uniform_float(philox_word(args.seed, RandomStream::words32, position), significand_digits<T>));
}

template <typename T>
T normal(const RandomArgs& args, std::uint64_t position) {
    if constexpr (std::is_same_v<T, double>) {
        const std::uint64_t first = position & ~std::uint64_t{1};
        const NormalPair<double> pair = normal_doubles(double_word(args.seed, first), double_word(args.seed, first + 1));
        return position % 2 ? pair.sine : pair.cosine;
    } else {
        const PhiloxBlock block = philox(args.seed, RandomStream::words32, position / 4);
        const std::uint64_t first = position % 4 & ~std::uint64_t{1};
        const NormalPair<float> pair = normal_floats(block.word[first], block.word[first + 1]);
        return convert<T>(position % 2 ? pair.sine : pair.cosine);
    }
}

template <typename T>
T draw(const RandomArgs& args, std::uint64_t position) {
    if constexpr (is_real<T>) {
        if (args.distribution == Distribution::uniform) return uniform<T>(args, position);
        if (args.distribution == Distribution::normal) return normal<T>(args, position);
    } else {
        if (args.distribution == Distribution::integers)
            return static_cast<T>(args.low + integer_below(double_word(args.seed, position), args.range));
    }
    return convert<T>(hit(philox_word(args.seed, RandomStream::words32, position), args.threshold) ? args.value : 0.0);
}

}  // namespace

template <>
void random<Isa::reference>(const RandomArgs& args) {
    with_type(args.type, [&]<typename T> {
        for (std::int64_t i = 0; i < args.count; ++i)
            static_cast<T*>(args.out)[i] = draw<T>(args, args.offset + static_cast<std::uint64_t>(i));
    });
}

}  // namespace pyengine::kernels
