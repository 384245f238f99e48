#include "kernels/matmul.h"

#include <optional>
#include <vector>

#include "csrc/check.h"
#include "csrc/ops.h"
#include "csrc/precision.h"

namespace pyengine::ops {
namespace {

void check_operands(const Array& a, const Array& b) {
    if (a.dtype() == DType::boolean || b.dtype() == DType::boolean)
        fail_type("matmul: boolean operand: a ", a.dtype(), ", b ", b.dtype(), "; the elements must be numbers, convert first");
    if (a.rank() == 0 || b.rank() == 0)
        fail_value("matmul: operand without axes: a ", a.shape(), ", b ", b.shape(), "; both need at least one, use multiply for scalars");
    const bool vector = b.rank() == 1;
    if (a.shape().back() != b.shape()[vector ? 0 : b.shape().size() - 2])
        fail_value("matmul: inner dimensions differ: a ", a.shape(), ", b ", b.shape(), "; a.shape[-1] must equal b.shape[",
                   vector ? "-1" : "-2", "]");
}

void check_bias(const Array& bias, DType dtype, const Array& b) {
    if (bias.dtype() != dtype) fail_type("matmul: bias of another dtype: ", bias.dtype(), "; must be that of the product, ", dtype);
    if (b.rank() < 2 || bias.rank() != 1 || bias.shape()[0] != b.shape().back())
        fail_value("matmul: bias does not fit: shape ", bias.shape(), ", b ", b.shape(), "; must be (b.shape[-1],)");
}

/// A vector as the row or the column of a matrix.
Array as_matrix(const Array& x, bool row) {
    if (x.rank() != 1) return x;
    const std::int64_t size = x.shape()[0], stride = x.strides()[0];
    return row ? x.view({1, size}, {0, stride}, x.offset()) : x.view({size, 1}, {stride, 0}, x.offset());
}

Dims batch_shape(const Array& x) { return Dims(std::span(x.shape().begin(), x.shape().end() - 2)); }

Dims broadcast_batches(const Array& a, const Array& b) {
    const Dims a_batch = batch_shape(a), b_batch = batch_shape(b);
    for (std::size_t i = 1; i <= std::min(a_batch.size(), b_batch.size()); ++i) {
        const std::int64_t a_size = a_batch[a_batch.size() - i], b_size = b_batch[b_batch.size() - i];
        if (a_size != b_size && a_size != 1 && b_size != 1)
            fail_value("matmul: batches cannot be broadcast: a ", a.shape(), ", b ", b.shape(),
                       "; sizes before the last two axes must be equal or 1, aligned at the right");
    }
    return broadcast_shapes("matmul", a_batch, b_batch);
}

/// Where each matrix of the broadcast batch begins, in elements from the array's first.
std::vector<std::int64_t> batch_offsets(const Array& x, const Dims& batch) {
    std::vector<std::int64_t> offsets{0};
    const Dims own = batch_shape(x);
    for (std::size_t axis = 0; axis < batch.size(); ++axis) {
        const std::size_t lead = batch.size() - own.size();
        const std::int64_t stride = axis < lead || own[axis - lead] == 1 ? 0 : x.strides()[axis - lead];
        std::vector<std::int64_t> next;
        next.reserve(offsets.size() * static_cast<std::size_t>(batch[axis]));
        for (std::int64_t offset : offsets)
            for (std::int64_t i = 0; i < batch[axis]; ++i) next.push_back(offset + i * stride);
        offsets = std::move(next);
    }
    return offsets;
}

/// The one distance between successive rows of all matrices of x, 0 if there is none: then x is one tall matrix.
std::int64_t even_row_stride(const Array& x) {
    const auto rows_axis = static_cast<std::size_t>(x.rank() - 2);
    std::int64_t stride = 0, expected = 0;
    for (std::size_t axis = rows_axis + 1; axis-- > 0;) {
        if (x.shape()[axis] == 1) continue;
        if (stride == 0)
            stride = expected = x.strides()[axis];
        else if (x.strides()[axis] != expected)
            return 0;
        expected *= x.shape()[axis];
    }
    return stride;
}

/// One matrix times many is many times one where it can be: (..., m, k) (k, n) is a single product of all rows.
bool fold_batch(kernels::MatmulArgs& args, const Array& a, const Array& b) {
    for (std::size_t axis = 0; axis + 2 < b.shape().size(); ++axis)
        if (b.shape()[axis] != 1) return false;
    const std::int64_t stride = even_row_stride(a);
    if (stride == 0 || args.batch * args.m != a.size() / std::max<std::int64_t>(args.k, 1)) return false;
    args.m *= args.batch;
    args.batch = 1;
    args.a_strides[0] = stride;
    return true;
}

}  // namespace

Array matmul(const Array& a_in, const Array& b_in, const Array* bias) {
    check_operands(a_in, b_in);
    const DType dtype = promote("matmul", a_in.dtype(), b_in.dtype());
    check_real("matmul", dtype);
    if (bias) check_bias(*bias, dtype, b_in);
    const Device device = common_device("matmul", {&a_in, &b_in, bias ? bias : &a_in});
    const Array a_matrix = as_matrix(a_in, true), b_matrix = as_matrix(b_in, false);
    const Dims batch = broadcast_batches(a_matrix, b_matrix);
    const auto a_rank = static_cast<std::size_t>(a_matrix.rank()), b_rank = static_cast<std::size_t>(b_matrix.rank());

    Dims shape = batch;
    if (a_in.rank() > 1) shape.push_back(a_matrix.shape()[a_rank - 2]);
    if (b_in.rank() > 1) shape.push_back(b_matrix.shape().back());
    Array out(shape, dtype, device);

    const Array a = a_matrix.dtype() == dtype ? a_matrix : astype(a_matrix, dtype);
    const Array b = b_matrix.dtype() == dtype ? b_matrix : astype(b_matrix, dtype);
    kernels::MatmulArgs args{};
    args.type = dtype;
    args.tf32 = tf32_allowed();
    args.batch = element_count(batch, dtype);
    args.m = a.shape()[a_rank - 2];
    args.k = a.shape().back();
    args.n = b.shape().back();
    args.a = a.raw();
    args.b = b.raw();
    std::optional<Array> row;
    if (bias) args.bias = row.emplace(contiguous(*bias)).raw();
    args.c = out.raw();
    for (std::size_t i = 0; i < 2; ++i) {
        args.a_strides[i] = a.strides()[a_rank - 2 + i];
        args.b_strides[i] = b.strides()[b_rank - 2 + i];
    }
    const Dims iterated = fold_batch(args, a, b) ? Dims() : batch;
    const auto a_offsets = batch_offsets(a, iterated), b_offsets = batch_offsets(b, iterated);
    args.a_offsets = a_offsets.data();
    args.b_offsets = b_offsets.data();
    on_device(device, [&]<Isa level> {
        const Workspace workspace(kernels::matmul_workspace<level>(args), device);
        args.workspace = workspace.data();
        kernels::matmul<level>(args);
    });
    return out;
}

}  // namespace pyengine::ops
