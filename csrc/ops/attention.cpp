#include "kernels/attention.h"

#include "csrc/float_checks.h"
#include "csrc/ops.h"
#include "csrc/precision.h"
#include "kernels/cpu/parallel.h"

namespace pyengine::ops {
namespace {

constexpr const char* op = "scaled_dot_product_attention";

void check(const Array& q, const Array& k, const Array& v, const AttentionOptions& options) {
    check_floating(op, "q", q);
    check_same_dtype(op, "k", k, "q", q);
    common_device(op, {&q, &k, &v, options.mask ? &*options.mask : &q});
    check_same_dtype(op, "v", v, "q", q);
    if (q.rank() != 4 || k.rank() != 4 || v.rank() != 4)
        fail_value(op, ": not of rank 4: q ", q.shape(), ", k ", k.shape(), ", v ", v.shape(), "; must be (batch, heads, length, width)");
    const Dims &qs = q.shape(), &ks = k.shape(), &vs = v.shape();
    if (qs[0] != ks[0] || ks[0] != vs[0])
        fail_value(op, ": batches differ: q ", qs, ", k ", ks, ", v ", vs, "; the first sizes must be equal");
    if (ks[1] != vs[1] || (ks[1] == 0 ? qs[1] != 0 : qs[1] % ks[1] != 0))
        fail_value(op, ": heads do not fit: q ", qs, ", k ", ks, ", v ", vs, "; k and v must have equally many, q a multiple of them");
    if (ks[2] != vs[2]) fail_value(op, ": lengths differ: k ", ks, ", v ", vs, "; every key needs a value");
    if (qs[3] != ks[3]) fail_value(op, ": widths differ: q ", qs, ", k ", ks, "; q.shape[-1] must equal k.shape[-1]");
    if (options.mask && options.mask->dtype() != DType::boolean && options.mask->dtype() != q.dtype())
        fail_type(op, ": mask is ", options.mask->dtype(), ", q ", q.dtype(), "; a mask must be boolean or have the dtype of q");
    if (!(options.dropout >= 0 && options.dropout < 1)) fail_value(op, ": dropout out of range: ", options.dropout, "; must be in [0, 1)");
}

void set_strides(std::int64_t (&strides)[4], const Array& x) { std::copy(x.strides().begin(), x.strides().end(), strides); }

kernels::AttentionProblem problem_of(const Array& q, const Array& k, const Array& v, const std::optional<Array>& mask,
                                     const AttentionOptions& options) {
    kernels::AttentionProblem p{};
    p.type = q.dtype();
    p.tf32 = tf32_allowed();
    p.batch = q.shape()[0];
    p.query_heads = q.shape()[1];
    p.key_heads = k.shape()[1];
    p.queries = q.shape()[2];
    p.keys = k.shape()[2];
    p.width = q.shape()[3];
    p.value_width = v.shape()[3];
    p.q = q.raw();
    p.k = k.raw();
    p.v = v.raw();
    set_strides(p.q_strides, q);
    set_strides(p.k_strides, k);
    set_strides(p.v_strides, v);
    if (mask) {
        p.mask = mask->raw();
        p.mask_type = mask->dtype();
        set_strides(p.mask_strides, *mask);
    }
    p.causal = options.causal;
    p.scale = options.scale;
    p.dropout = options.dropout;
    p.seed = options.seed;
    p.offset = options.offset;
    p.replays = replays(q.device());
    p.lanes = kernels::thread_count();
    return p;
}

/// The mask seen in the shape of the scores.
std::optional<Array> expanded_mask(const Array& q, const Array& k, const AttentionOptions& options) {
    if (!options.mask) return std::nullopt;
    const Dims scores{q.shape()[0], q.shape()[1], q.shape()[2], k.shape()[2]}, &mask = options.mask->shape();
    bool fits = mask.size() <= 4;
    for (std::size_t i = 1; fits && i <= mask.size(); ++i) fits = mask[mask.size() - i] == 1 || mask[mask.size() - i] == scores[4 - i];
    if (!fits)
        fail_value(op, ": mask cannot be broadcast: mask ", mask, ", scores ", scores,
                   "; sizes must be equal or 1, aligned at the last axis");
    return broadcast_to(*options.mask, scores);
}

}  // namespace

std::pair<Array, Array> scaled_dot_product_attention(const Array& q, const Array& k, const Array& v, const AttentionOptions& options) {
    check(q, k, v, options);
    const auto mask = expanded_mask(q, k, options);
    const Dims& rows = q.shape();
    const Array out({rows[0], rows[1], rows[2], v.shape()[3]}, q.dtype(), q.device());
    const Array logsumexp({rows[0], rows[1], rows[2]}, accumulation_type(q.dtype()), q.device());
    kernels::AttentionArgs args{problem_of(q, k, v, mask, options), out.raw(), logsumexp.raw()};
    on_device(q.device(), [&]<Isa level> {
        const Workspace workspace(kernels::scaled_dot_product_attention_workspace<level>(args), q.device());
        args.workspace = workspace.data();
        kernels::scaled_dot_product_attention<level>(args);
    });
    return {out, logsumexp};
}

std::tuple<Array, Array, Array> scaled_dot_product_attention_backward(const Array& dout, const Array& q, const Array& k, const Array& v,
                                                                      const Array& out, const Array& logsumexp,
                                                                      const AttentionOptions& options) {
    check(q, k, v, options);
    check_same_dtype(op, "dout", dout, "out", out);
    check_same_shape(op, "dout", dout, "out", out);
    common_device(op, {&q, &dout, &out, &logsumexp});
    const auto mask = expanded_mask(q, k, options);
    const Array gradient = contiguous(dout), result = contiguous(out), total = contiguous(logsumexp);
    const Array dq(q.shape(), q.dtype(), q.device()), dk(k.shape(), k.dtype(), q.device()), dv(v.shape(), v.dtype(), q.device());
    kernels::AttentionBackwardArgs args{
        problem_of(q, k, v, mask, options), result.raw(), total.raw(), gradient.raw(), dq.raw(), dk.raw(), dv.raw()};
    on_device(q.device(), [&]<Isa level> {
        const Workspace workspace(kernels::scaled_dot_product_attention_backward_workspace<level>(args), q.device());
        args.workspace = workspace.data();
        kernels::scaled_dot_product_attention_backward<level>(args);
    });
    return {dq, dk, dv};
}

}  // namespace pyengine::ops
