// Some axes of an array, as a kernel takes them: sizes, strides in the array and in the output, merged where both step evenly.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "csrc/dims.h"
#include "kernels/axes.h"

namespace pyengine {

class AxisGroup {
public:
    void add(std::int64_t size, std::int64_t stride, std::int64_t out_stride) {
        if (size != 1) axes_.push_back({size, stride, out_stride});
    }

    /// Large strides outside, so that memory is read in order.
    void sort_by_stride() {
        std::stable_sort(axes_.begin(), axes_.end(), [](const Axis& a, const Axis& b) { return std::abs(a.stride) > std::abs(b.stride); });
    }

    /// Joins axes; to be called once, before the getters.
    void merge() {
        for (const Axis& axis : axes_) {
            const bool joins =
                !sizes_.empty() && strides_.back() == axis.stride * axis.size && out_strides_.back() == axis.out_stride * axis.size;
            if (!joins) {
                sizes_.push_back(1);
                strides_.push_back(0);
                out_strides_.push_back(0);
            }
            sizes_.back() *= axis.size;
            strides_.back() = axis.stride;
            out_strides_.back() = axis.out_stride;
        }
    }

    kernels::Axes axes() const { return {static_cast<std::int64_t>(sizes_.size()), sizes_.data(), strides_.data()}; }
    const std::int64_t* out_strides() const { return out_strides_.data(); }

private:
    struct Axis {
        std::int64_t size, stride, out_stride;
    };
    std::vector<Axis> axes_;
    std::vector<std::int64_t> sizes_, strides_, out_strides_;
};

}  // namespace pyengine
