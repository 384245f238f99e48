// matmul, and conv with its adjoints.
#include "tests/neon/compare.h"

namespace pyengine::compare {
namespace {

void compare_matmul() {
    // Sizes around a register tile and a vector; several chunks of k; few rows, one row, one column; a batch.
    for (const Dims& size : {Dims{1, 1, 1},
                             {1, 65, 33},
                             {33, 1, 65},
                             {7, 11, 0},
                             {8, 12, 16},
                             {9, 13, 17},
                             {23, 37, 515},
                             {64, 96, 1025},
                             {1, 70, 3001},
                             {3, 300, 200},
                             {2, 2, 9001}})
        for (const DType dtype : floats) {
            const std::int64_t m = size[0], n = size[1], k = size[2];
            const Array a = uniform({2, m, k}, dtype, 1), columns = uniform({n, k}, dtype, 2), b = transposed(columns);
            const Expected expected = rounded(ops::matmul(wide(a), wide(b)), ops::matmul(absolute(a), absolute(b)), k, dtype);
            check(text("matmul", size, dtype), [&] { return ops::matmul(a, b); }, expected);
            check(text("matmul, B contiguous", size, dtype), [&] { return ops::matmul(a, contiguous(b)); }, expected);
            check(
                text("matmul, A transposed", size, dtype), [&] { return ops::matmul(transposed(contiguous(transposed(a))), b); }, expected);
        }
}

struct ConvCase {
    std::int64_t batch, groups, channels, filters;  // channels and filters of a group
    Dims size, kernel, stride, dilation, padding;   // padding on both sides
};

const ConvCase conv_cases[] = {
    {2, 1, 3, 20, {17, 19}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},              // over positions
    {3, 1, 7, 9, {12, 23}, {5, 4}, {2, 3}, {2, 1}, {3, 0}},               // strides and dilation
    {33, 1, 8, 17, {7, 6}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},               // over images
    {20, 1, 40, 20, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {0, 0}},              // a product of matrices
    {3, 10, 1, 1, {13, 14}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},              // depthwise
    {4, 2, 5, 2, {11, 9}, {3, 2}, {2, 1}, {1, 2}, {2, 1}},                // few filters, groups
    {2, 1, 2, 3, {900}, {9}, {1}, {2}, {8}},                              // one dimension
    {1, 1, 6, 5, {5, 6, 7}, {3, 2, 3}, {1, 2, 1}, {1, 1, 2}, {1, 0, 2}},  // three
    {2, 1, 30, 30, {30, 25}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},             // several blocks and tasks
};

Dims with_sizes(std::int64_t a, std::int64_t b, const Dims& sizes) {
    Dims shape{a, b};
    for (const std::int64_t size : sizes) shape.push_back(size);
    return shape;
}

Dims out_size(const ConvCase& c) {
    Dims out = c.size;
    for (std::size_t i = 0; i < out.size(); ++i)
        out[i] = (c.size[i] + 2 * c.padding[i] - c.dilation[i] * (c.kernel[i] - 1) - 1) / c.stride[i] + 1;
    return out;
}

std::int64_t product(const Dims& sizes) {
    std::int64_t result = 1;
    for (const std::int64_t size : sizes) result *= size;
    return result;
}

void compare_conv(const ConvCase& c, DType dtype) {
    const std::int64_t in = c.groups * c.channels, out = c.groups * c.filters;
    const Array x = uniform(with_sizes(c.batch, in, c.size), dtype, 1), w = uniform(with_sizes(out, c.channels, c.kernel), dtype, 2);
    const Array y = uniform(with_sizes(c.batch, out, out_size(c)), dtype, 3), bias = uniform({out}, dtype, 4),
                in_bias = uniform({in}, dtype, 5);
    const ops::ConvParameters p{c.stride, c.dilation, c.padding, c.groups};
    const std::string what = text(x.shape(), w.shape(), c.stride, c.dilation, dtype);
    const auto conv = [&](const Array& a, const Array& b, const Array& bias) { return ops::conv(a, b, bias, out_size(c), p); };
    check(
        "conv " + what, [&] { return conv(x, w, bias); },
        rounded(conv(wide(x), wide(w), wide(bias)), conv(absolute(x), absolute(w), absolute(bias)), c.channels * product(c.kernel) + 1,
                dtype));
    const auto transpose = [&](const Array& a, const Array& b, const Array& bias) { return ops::conv_transpose(a, b, bias, c.size, p); };
    check(
        "conv_transpose " + what, [&] { return transpose(y, w, in_bias); },
        rounded(transpose(wide(y), wide(w), wide(in_bias)), transpose(absolute(y), absolute(w), absolute(in_bias)),
                c.filters * product(c.kernel) + 1, dtype));
    const auto gradient = [&](const Array& a, const Array& b) { return ops::conv_weight_gradient(a, b, c.kernel, p); };
    check(
        "conv_weight_gradient " + what, [&] { return gradient(x, y); },
        rounded(gradient(wide(x), wide(y)), gradient(absolute(x), absolute(y)), c.batch * product(out_size(c)), dtype));
}

}  // namespace

void compare_products() {
    compare_matmul();
    for (const ConvCase& c : conv_cases)
        for (const DType dtype : floats) compare_conv(c, dtype);
}

}  // namespace pyengine::compare
