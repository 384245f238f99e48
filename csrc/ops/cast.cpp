#include "kernels/cast.h"

#include <cstring>

#include "csrc/check.h"
#include "csrc/loop.h"
#include "csrc/ops.h"

namespace pyengine {
namespace {

void convert(const Array& out, const Array& x);

Array zero(DType dtype, Device device) {
    Array x({}, dtype, {});
    std::memset(x.raw(), 0, static_cast<std::size_t>(size_of(dtype)));
    return to_device(x, device);
}

void convert_complex(const Array& out, const Array& x) {
    if (is_complex(out.dtype()) && is_complex(x.dtype())) return convert(as_real(out), as_real(x));
    if (is_complex(out.dtype())) {
        convert(real_part(out), x);
        return convert(imag_part(out), broadcast_to(zero(real_type(out.dtype()), out.device()), out.shape()));
    }
    if (out.dtype() != DType::boolean)
        fail_type("astype: complex to real: ", x.dtype(), " to ", out.dtype(), "; take the real part, the imaginary part or the magnitude");
    convert(out, ops::binary(ops::BinaryOp::not_equal, x, zero(x.dtype(), x.device())));
}

void convert(const Array& out, const Array& x) {
    if (is_complex(out.dtype()) || is_complex(x.dtype())) return convert_complex(out, x);
    const Loop loop(out, {&x});
    on_device(out.device(), [&]<Isa level> { kernels::cast<level>(loop.args()); });
}

bool same_elements(const Array& a, const Array& b) {
    return a.raw() == b.raw() && a.dtype() == b.dtype() && a.shape() == b.shape() && a.strides() == b.strides();
}

}  // namespace

Array copy(const Array& x, DType dtype) {
    Array out(x.shape(), dtype, x.device());
    convert(out, x);
    return out;
}

Array astype(const Array& x, DType dtype) { return x.dtype() == dtype && x.is_contiguous() ? x : copy(x, dtype); }

Array contiguous(const Array& x) { return astype(x, x.dtype()); }

void assign(const Array& target, const Array& source) {
    check_writable("assign", target);
    const Array x = broadcast_to(to_device(source, target.device()), target.shape());
    if (!same_elements(target, x)) convert(target, may_overlap(target, x) ? copy(x, x.dtype()) : x);
    target.storage()->bump_version();
}

}  // namespace pyengine
