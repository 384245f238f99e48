#include "kernels/where.h"

#include "kernels/reference/elementwise.h"

namespace pyengine::kernels {
namespace {

template <typename Wide>
void select(const ElementwiseArgs& args) {
    for_each_element<3>(args, [&](auto out, auto condition, auto a, auto b) {
        store(args.out, out, load<bool>(args.in[0], condition) ? load<Wide>(args.in[1], a) : load<Wide>(args.in[2], b));
    });
}

}  // namespace

template <>
void where<Isa::reference>(const ElementwiseArgs& args) {
    switch (domain_of(args.out.type)) {
        case Domain::floating: return select<double>(args);
        case Domain::signed_integer: return select<std::int64_t>(args);
        case Domain::unsigned_integer: return select<std::uint64_t>(args);
    }
}

}  // namespace pyengine::kernels
