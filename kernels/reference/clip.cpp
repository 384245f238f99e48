#include "kernels/clip.h"

#include "kernels/reference/elementwise.h"

namespace pyengine::kernels {
namespace {

template <typename Wide>
void clamp(const ElementwiseArgs& args) {
    for_each_element<3>(args, [&](auto out, auto i, auto j, auto k) {
        const Wide x = load<Wide>(args.in[0], i), low = load<Wide>(args.in[1], j), high = load<Wide>(args.in[2], k);
        const Wide raised = x > low || x != x ? x : low;
        store(args.out, out, raised < high || raised != raised ? raised : high);
    });
}

}  // namespace

template <>
void clip<Isa::reference>(const ElementwiseArgs& args) {
    switch (domain_of(args.out.type)) {
        case Domain::floating: return clamp<double>(args);
        case Domain::signed_integer: return clamp<std::int64_t>(args);
        case Domain::unsigned_integer: return clamp<std::uint64_t>(args);
    }
}

}  // namespace pyengine::kernels
