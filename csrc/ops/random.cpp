#include "kernels/random.h"

#include "csrc/check.h"
#include "csrc/ops.h"

namespace pyengine::ops {
namespace {

Array drawn(kernels::RandomArgs args, const Dims& shape, DType dtype, Device device) {
    const Array out(shape, dtype, device);
    args.type = dtype;
    args.count = out.size();
    args.out = out.raw();
    args.replays = replays(device);
    on_device(device, [&]<Isa level> { kernels::random<level>(args); });
    return out;
}

void check_floating(const char* op, DType dtype) {
    if (!is_floating(dtype)) fail_type(op, ": dtype is not floating: ", dtype, "; use random_integers for integers");
}

}  // namespace

Array random_uniform(const Dims& shape, DType dtype, std::uint64_t seed, std::uint64_t offset, Device device) {
    check_floating("random_uniform", dtype);
    return drawn({.distribution = kernels::Distribution::uniform, .seed = seed, .offset = offset}, shape, dtype, device);
}

Array random_normal(const Dims& shape, DType dtype, std::uint64_t seed, std::uint64_t offset, Device device) {
    check_floating("random_normal", dtype);
    return drawn({.distribution = kernels::Distribution::normal, .seed = seed, .offset = offset}, shape, dtype, device);
}

Array random_integers(const Dims& shape, DType dtype, std::uint64_t seed, std::uint64_t offset, std::uint64_t low, std::uint64_t range,
                      Device device) {
    if (kind_of(dtype) != Kind::integer) fail_type("random_integers: dtype is not an integer type: ", dtype, "; convert afterwards");
    return drawn({.distribution = kernels::Distribution::integers, .seed = seed, .offset = offset, .low = low, .range = range}, shape,
                 dtype, device);
}

Array random_bernoulli(const Dims& shape, DType dtype, std::uint64_t seed, std::uint64_t offset, double p, double value, Device device) {
    if (!(p >= 0 && p <= 1)) fail_value("random_bernoulli: not a probability: ", p, "; must be in [0, 1]");
    return drawn({.distribution = kernels::Distribution::bernoulli,
                  .seed = seed,
                  .offset = offset,
                  .threshold = kernels::probability_threshold(p),
                  .value = value},
                 shape, dtype, device);
}

}  // namespace pyengine::ops
