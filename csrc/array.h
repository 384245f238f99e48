// A strided array over a counted buffer. Cheap to copy: copies and views share the storage.
#pragma once

#include <memory>
#include <optional>

#include "csrc/dims.h"
#include "csrc/dtype.h"
#include "csrc/storage.h"

namespace pyengine {

class Array {
public:
    /// A new, uninitialised, C-contiguous array.
    Array(Dims shape, DType dtype, Device device);
    /// A view; strides and offset in elements.
    Array(std::shared_ptr<Storage> storage, std::int64_t offset, Dims shape, Dims strides, DType dtype);

    const Dims& shape() const { return shape_; }
    const Dims& strides() const { return strides_; }
    std::int64_t rank() const { return static_cast<std::int64_t>(shape_.size()); }
    std::int64_t size() const { return size_; }
    std::int64_t offset() const { return offset_; }
    DType dtype() const { return dtype_; }
    Device device() const { return storage_->device(); }
    const std::shared_ptr<Storage>& storage() const { return storage_; }

    void* raw() const { return storage_->data() + offset_ * size_of(dtype_); }
    template <typename T>
    T* data() const {
        return static_cast<T*>(raw());
    }

    bool is_contiguous() const;

    /// View of the same elements under another shape, strides and offset (elements, absolute).
    Array view(Dims shape, Dims strides, std::int64_t offset) const;

private:
    std::shared_ptr<Storage> storage_;
    std::int64_t offset_ = 0;
    Dims shape_, strides_;
    std::int64_t size_ = 1;
    DType dtype_;
};

/// Product of the sizes; ValueError when it, times the element size, overflows.
std::int64_t element_count(const Dims& shape, DType dtype);
Dims contiguous_strides(const Dims& shape);

/// An axis in [-rank, rank) as one in [0, rank); IndexError otherwise.
std::int64_t normalize_axis(const char* op, std::int64_t axis, std::int64_t rank);

/// The common shape of NumPy's broadcasting; ValueError naming op and both shapes.
Dims broadcast_shapes(const char* op, const Dims& a, const Dims& b);
Array broadcast_to(const Array& x, const Dims& shape);

/// Views of a complex array's memory: its parts, and both of them along one more axis at the end.
Array real_part(const Array& z);
Array imag_part(const Array& z);
Array as_real(const Array& z);

/// x itself if it is C-contiguous (and has that dtype), else a converted contiguous copy.
Array contiguous(const Array& x);
Array astype(const Array& x, DType dtype);
/// A converted contiguous copy, always.
Array copy(const Array& x, DType dtype);

/// Writes source, broadcast and converted (complex numbers to complex numbers and booleans alone), into target's elements, and counts one in-place change. Safe where they overlap.
void assign(const Array& target, const Array& source);

/// x itself if it is there, else a contiguous copy on that device.
Array to_device(const Array& x, Device device);
/// The device of all arrays; ValueError naming op and the devices where they differ.
Device common_device(const char* op, std::initializer_list<const Array*> arrays);

/// True if writing `a` could change an element of `b`.
bool may_overlap(const Array& a, const Array& b);

/// True if every element of `a` lies between the first and the last of `b`.
bool lies_within(const Array& a, const Array& b);

}  // namespace pyengine
