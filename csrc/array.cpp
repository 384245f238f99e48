#include "csrc/array.h"

#include "csrc/check.h"

namespace pyengine {

Array::Array(Dims shape, DType dtype, Device device)
    : storage_(std::make_shared<Storage>(static_cast<std::size_t>(element_count(shape, dtype) * size_of(dtype)), device)),
      shape_(std::move(shape)),
      strides_(contiguous_strides(shape_)),
      size_(element_count(shape_, dtype)),
      dtype_(dtype) {}

Array::Array(std::shared_ptr<Storage> storage, std::int64_t offset, Dims shape, Dims strides, DType dtype)
    : storage_(std::move(storage)),
      offset_(offset),
      shape_(std::move(shape)),
      strides_(std::move(strides)),
      size_(element_count(shape_, dtype)),
      dtype_(dtype) {}

bool Array::is_contiguous() const {
    if (size_ == 0) return true;
    std::int64_t expected = 1;
    for (std::size_t i = shape_.size(); i-- > 0;) {
        if (shape_[i] != 1 && strides_[i] != expected) return false;
        expected *= shape_[i];
    }
    return true;
}

Array Array::view(Dims shape, Dims strides, std::int64_t offset) const {
    return Array(storage_, offset, std::move(shape), std::move(strides), dtype_);
}

std::int64_t element_count(const Dims& shape, DType dtype) {
    std::int64_t count = 1, bytes = size_of(dtype);
    bool overflow = false;
    for (std::int64_t size : shape) {
        if (size < 0) fail_value("shape: negative size: ", shape, "; every size must be at least 0");
        if (size == 0) return 0;
        overflow |= __builtin_mul_overflow(count, size, &count) || __builtin_mul_overflow(bytes, size, &bytes);
    }
    if (overflow) fail_value("shape: too many elements: ", shape, " of ", dtype, "; the bytes must fit in 63 bits");
    return count;
}

Dims contiguous_strides(const Dims& shape) {
    Dims strides(shape.size());
    std::int64_t stride = 1;
    for (std::size_t i = shape.size(); i-- > 0;) {
        strides[i] = stride;
        stride *= std::max<std::int64_t>(shape[i], 1);
    }
    return strides;
}

std::int64_t normalize_axis(const char* op, std::int64_t axis, std::int64_t rank) {
    if (axis < -rank || axis >= rank)
        fail<IndexError>(op, ": axis out of range: ", axis, " for rank ", rank, "; must be in [", -rank, ", ", rank, ")");
    return axis < 0 ? axis + rank : axis;
}

Dims broadcast_shapes(const char* op, const Dims& a, const Dims& b) {
    const Dims& longer = a.size() >= b.size() ? a : b;
    const Dims& shorter = a.size() >= b.size() ? b : a;
    Dims shape = longer;
    const std::size_t lead = longer.size() - shorter.size();
    for (std::size_t i = 0; i < shorter.size(); ++i) {
        std::int64_t& size = shape[lead + i];
        if (size == 1)
            size = shorter[i];
        else if (shorter[i] != 1 && shorter[i] != size)
            fail_value(op, ": shapes cannot be broadcast: a ", a, ", b ", b, "; sizes must be equal or 1, aligned at the last axis");
    }
    return shape;
}

Array broadcast_to(const Array& x, const Dims& shape) {
    if (x.shape() == shape) return x;
    const auto lead = static_cast<std::int64_t>(shape.size()) - x.rank();
    bool fits = lead >= 0;
    for (std::int64_t i = 0; fits && i < x.rank(); ++i) fits = x.shape()[i] == 1 || x.shape()[i] == shape[lead + i];
    if (!fits)
        fail_value("broadcast_to: shape cannot be broadcast: ", x.shape(), " to ", shape,
                   "; sizes must be equal or 1, aligned at the last axis");
    Dims strides(shape.size());
    for (std::int64_t i = 0; i < x.rank(); ++i) strides[lead + i] = x.shape()[i] == 1 ? 0 : x.strides()[i];
    return x.view(shape, strides, x.offset());
}

Array real_part(const Array& z) {
    Dims strides = z.strides();
    for (std::int64_t& stride : strides) stride *= 2;
    return Array(z.storage(), 2 * z.offset(), z.shape(), std::move(strides), real_type(z.dtype()));
}

Array imag_part(const Array& z) {
    const Array real = real_part(z);
    return real.view(real.shape(), real.strides(), real.offset() + 1);
}

Array as_real(const Array& z) {
    const Array real = real_part(z);
    Dims shape = real.shape(), strides = real.strides();
    shape.push_back(2);
    strides.push_back(1);
    return real.view(std::move(shape), std::move(strides), real.offset());
}

namespace {

/// First and last element a view can touch, in bytes from the storage's start.
std::pair<std::int64_t, std::int64_t> extent(const Array& x) {
    std::int64_t low = x.offset(), high = x.offset();
    for (std::int64_t i = 0; i < x.rank(); ++i) {
        const std::int64_t reach = (x.shape()[i] - 1) * x.strides()[i];
        (reach < 0 ? low : high) += reach;
    }
    return {low * size_of(x.dtype()), (high + 1) * size_of(x.dtype())};
}

}  // namespace

Array to_device(const Array& x, Device device) {
    if (x.device() == device) return x;
    const Array from = contiguous(x);
    const Array there(x.shape(), x.dtype(), device);
    copy_bytes(there.raw(), device, from.raw(), x.device(), static_cast<std::size_t>(x.size() * size_of(x.dtype())));
    return there;
}

Device common_device(const char* op, std::initializer_list<const Array*> arrays) {
    const Device device = (*arrays.begin())->device();
    for (const Array* x : arrays)
        if (x->device() != device) fail_value(op, ": devices differ: ", device, ", ", x->device(), "; move one with .to(device)");
    return device;
}

bool may_overlap(const Array& a, const Array& b) {
    if (a.storage()->data() != b.storage()->data() || a.size() == 0 || b.size() == 0) return false;
    const auto [a_low, a_high] = extent(a);
    const auto [b_low, b_high] = extent(b);
    return a_low < b_high && b_low < a_high;
}

bool lies_within(const Array& a, const Array& b) {
    if (b.size() == 0) return a.size() == 0;
    const auto [a_low, a_high] = extent(a);
    const auto [b_low, b_high] = extent(b);
    return b_low <= a_low && a_high <= b_high;
}

}  // namespace pyengine
