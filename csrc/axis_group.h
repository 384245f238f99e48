// Some axes of an array, as a kernel takes them: sizes, strides in the array and in the output, merged where both step evenly.
#pragma once

#include <cstdlib>
#include <utility>

#include "csrc/dims.h"
#include "kernels/axes.h"

namespace pyengine {

class AxisGroup {
public:
    void add(std::int64_t size, std::int64_t stride, std::int64_t out_stride) {
        if (size == 1) return;
        sizes_.push_back(size);
        strides_.push_back(stride);
        out_strides_.push_back(out_stride);
    }

    /// Large strides outside, so that memory is read in order.
    void sort_by_stride() {
        for (std::size_t i = 1; i < sizes_.size(); ++i)
            for (std::size_t j = i; j > 0 && std::abs(strides_[j - 1]) < std::abs(strides_[j]); --j)
                for (Dims* dims : {&sizes_, &strides_, &out_strides_}) std::swap((*dims)[j - 1], (*dims)[j]);
    }

    /// Joins axes; to be called once, before the getters.
    void merge() {
        AxisGroup merged;
        for (std::size_t i = 0; i < sizes_.size(); ++i) {
            const bool joins = !merged.sizes_.empty() && merged.strides_.back() == strides_[i] * sizes_[i] &&
                               merged.out_strides_.back() == out_strides_[i] * sizes_[i];
            if (!joins) {
                merged.sizes_.push_back(1);
                merged.strides_.push_back(0);
                merged.out_strides_.push_back(0);
            }
            merged.sizes_.back() *= sizes_[i];
            merged.strides_.back() = strides_[i];
            merged.out_strides_.back() = out_strides_[i];
        }
        *this = std::move(merged);
    }

    kernels::Axes axes() const { return {static_cast<std::int64_t>(sizes_.size()), sizes_.data(), strides_.data()}; }
    const std::int64_t* out_strides() const { return out_strides_.data(); }

private:
    Dims sizes_, strides_, out_strides_;
};

}  // namespace pyengine
