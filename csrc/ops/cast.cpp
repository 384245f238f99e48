#include "kernels/cast.h"

#include "csrc/isa.h"
#include "csrc/loop.h"

namespace pyengine {
namespace {

void convert(const Array& out, const Array& x) {
    const Loop loop(out, {&x});
    at_isa([&]<Isa level> { kernels::cast<level>(loop.args()); });
}

bool same_elements(const Array& a, const Array& b) {
    return a.raw() == b.raw() && a.dtype() == b.dtype() && a.shape() == b.shape() && a.strides() == b.strides();
}

}  // namespace

Array copy(const Array& x, DType dtype) {
    Array out(x.shape(), dtype);
    convert(out, x);
    return out;
}

Array astype(const Array& x, DType dtype) { return x.dtype() == dtype && x.is_contiguous() ? x : copy(x, dtype); }

Array contiguous(const Array& x) { return astype(x, x.dtype()); }

void assign(const Array& target, const Array& source) {
    check_writable("assign", target);
    const Array x = broadcast_to(source, target.shape());
    if (!same_elements(target, x)) convert(target, may_overlap(target, x) ? copy(x, x.dtype()) : x);
    target.storage()->bump_version();
}

}  // namespace pyengine
