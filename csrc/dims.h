// A short list of sizes, strides or axes: inline up to eight, on the heap beyond.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>

namespace pyengine {

class Dims {
public:
    Dims() = default;
    explicit Dims(std::size_t size, std::int64_t value = 0) {
        resize(size);
        std::fill(begin(), end(), value);
    }
    Dims(std::initializer_list<std::int64_t> values) : Dims(std::span(values.begin(), values.size())) {}
    explicit Dims(std::span<const std::int64_t> values) {
        resize(values.size());
        std::copy(values.begin(), values.end(), begin());
    }
    Dims(const Dims& other) : Dims(std::span(other.begin(), other.size())) {}
    Dims(Dims&&) = default;
    Dims& operator=(const Dims& other) { return *this = Dims(other); }
    Dims& operator=(Dims&&) = default;

    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    std::int64_t* data() { return heap_ ? heap_.get() : inline_; }
    const std::int64_t* data() const { return heap_ ? heap_.get() : inline_; }
    std::int64_t* begin() { return data(); }
    std::int64_t* end() { return data() + size_; }
    const std::int64_t* begin() const { return data(); }
    const std::int64_t* end() const { return data() + size_; }
    std::int64_t& operator[](std::size_t i) { return data()[i]; }
    std::int64_t operator[](std::size_t i) const { return data()[i]; }
    std::int64_t& back() { return data()[size_ - 1]; }
    std::int64_t back() const { return data()[size_ - 1]; }

    void push_back(std::int64_t value) {
        if (size_ < inline_capacity) {
            inline_[size_++] = value;
            return;
        }
        Dims longer;
        longer.resize(size_ + 1);
        std::copy(begin(), end(), longer.begin());
        longer.back() = value;
        *this = std::move(longer);
    }

    bool operator==(const Dims& other) const { return std::equal(begin(), end(), other.begin(), other.end()); }

private:
    static constexpr std::size_t inline_capacity = 8;

    void resize(std::size_t size) {
        size_ = size;
        if (size > inline_capacity) heap_ = std::make_unique<std::int64_t[]>(size);
    }

    std::size_t size_ = 0;
    std::int64_t inline_[inline_capacity] = {};
    std::unique_ptr<std::int64_t[]> heap_;
};

}  // namespace pyengine
