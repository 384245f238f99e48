#include "kernels/attention.h"

#include <algorithm>
#include <cmath>

#include "kernels/accumulator.h"
#include "kernels/philox.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

/// The elements of one (batch, query head), in double.
template <typename T>
struct Head {
    const AttentionProblem& p;
    std::int64_t batch, head;

    std::int64_t key_head() const { return head / (p.query_heads / p.key_heads); }
    std::int64_t row(std::int64_t i) const { return (batch * p.query_heads + head) * p.queries + i; }

    double q(std::int64_t i, std::int64_t d) const { return at(p.q, p.q_strides, head, i, d); }
    double k(std::int64_t j, std::int64_t d) const { return at(p.k, p.k_strides, key_head(), j, d); }
    double v(std::int64_t j, std::int64_t e) const { return at(p.v, p.v_strides, key_head(), j, e); }

    double score(std::int64_t i, std::int64_t j) const {
        const double added = bias(i, j);
        if (added == -INFINITY) return added;
        double sum = 0;
        for (std::int64_t d = 0; d < p.width; ++d) sum += q(i, d) * k(j, d);
        return p.scale * sum + added;
    }

    /// z: what dropout multiplies a weight by.
    double kept(std::int64_t i, std::int64_t j) const {
        if (p.dropout == 0) return 1;
        const std::uint64_t position = p.offset + static_cast<std::uint64_t>(row(i) * p.keys + j);
        return hit(philox_word(p.seed, RandomStream::words32, position), probability_threshold(1 - p.dropout)) ? 1 / (1 - p.dropout) : 0;
    }

private:
    double at(const void* data, const std::int64_t* strides, std::int64_t h, std::int64_t i, std::int64_t d) const {
        return convert<double>(static_cast<const T*>(data)[batch * strides[0] + h * strides[1] + i * strides[2] + d * strides[3]]);
    }

    double bias(std::int64_t i, std::int64_t j) const {
        if (p.causal && j > i) return -INFINITY;
        if (!p.mask) return 0;
        const std::int64_t* s = p.mask_strides;
        const std::int64_t place = batch * s[0] + head * s[1] + i * s[2] + j * s[3];
        if (p.mask_type == ElementType::boolean) return static_cast<const bool*>(p.mask)[place] ? 0 : -INFINITY;
        return convert<double>(static_cast<const T*>(p.mask)[place]);
    }
};

template <typename T, typename Body>
void each_head(const AttentionProblem& p, Body body) {
    for (std::int64_t batch = 0; batch < p.batch; ++batch)
        for (std::int64_t head = 0; head < p.query_heads; ++head) body(Head<T>{p, batch, head});
}

/// log sum exp of a row; -Inf where every key is hidden.
template <typename T>
double log_sum_exp(const Head<T>& head, std::int64_t i) {
    double max = -INFINITY, sum = 0;
    for (std::int64_t j = 0; j < head.p.keys; ++j) max = std::max(max, head.score(i, j));  // a NaN shows in the sum
    const double finite = max == -INFINITY ? 0 : max;
    for (std::int64_t j = 0; j < head.p.keys; ++j) sum += std::exp(head.score(i, j) - finite);
    return finite + std::log(sum);
}

template <typename T>
void attend(const AttentionArgs& args, const Head<T>& head, std::int64_t i) {
    const double total = log_sum_exp(head, i);
    static_cast<Accumulator<T>*>(args.logsumexp)[head.row(i)] = static_cast<Accumulator<T>>(total);
    for (std::int64_t e = 0; e < args.value_width; ++e) {
        double sum = 0;
        for (std::int64_t j = 0; j < args.keys && total != -INFINITY; ++j)
            sum += head.kept(i, j) * std::exp(head.score(i, j) - total) * head.v(j, e);
        static_cast<T*>(args.out)[head.row(i) * args.value_width + e] = convert<T>(sum);
    }
}

/// The gradients in double, in the workspace: a key head gathers from several query heads.
struct Gradients {
    explicit Gradients(const AttentionProblem& p)
        : dq_size(p.batch * p.query_heads * p.queries * p.width),
          dk_size(p.batch * p.key_heads * p.keys * p.width),
          dv_size(p.batch * p.key_heads * p.keys * p.value_width),
          dq(static_cast<double*>(p.workspace)),
          dk(dq + dq_size),
          dv(dk + dk_size) {}

    std::int64_t size() const { return dq_size + dk_size + dv_size; }

    std::int64_t dq_size, dk_size, dv_size;
    double *dq, *dk, *dv;
};

template <typename T>
void pull_back(const AttentionBackwardArgs& args, const Head<T>& head, std::int64_t i, const Gradients& to) {
    const double total = static_cast<const Accumulator<T>*>(args.logsumexp)[head.row(i)];
    if (total == -INFINITY) return;
    const auto dout = [&](std::int64_t e) { return convert<double>(static_cast<const T*>(args.dout)[head.row(i) * args.value_width + e]); };
    const auto out = [&](std::int64_t e) { return convert<double>(static_cast<const T*>(args.out)[head.row(i) * args.value_width + e]); };
    double delta = 0;
    for (std::int64_t e = 0; e < args.value_width; ++e) delta += dout(e) * out(e);
    for (std::int64_t j = 0; j < args.keys; ++j) {
        const std::int64_t key = (head.batch * args.key_heads + head.key_head()) * args.keys + j;
        const double weight = std::exp(head.score(i, j) - total), kept = head.kept(i, j);
        double dweight = 0;
        for (std::int64_t e = 0; e < args.value_width; ++e) {
            to.dv[key * args.value_width + e] += kept * weight * dout(e);
            dweight += kept * dout(e) * head.v(j, e);
        }
        const double dscore = weight * (dweight - delta);
        for (std::int64_t d = 0; d < args.width; ++d) {
            to.dq[head.row(i) * args.width + d] += args.scale * dscore * head.k(j, d);
            to.dk[key * args.width + d] += args.scale * dscore * head.q(i, d);
        }
    }
}

template <typename T>
void round_to(void* out, const double* values, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) static_cast<T*>(out)[i] = convert<T>(values[i]);
}

}  // namespace

template <>
std::size_t scaled_dot_product_attention_workspace<Isa::reference>(const AttentionProblem&) {
    return 0;
}

template <>
void scaled_dot_product_attention<Isa::reference>(const AttentionArgs& args) {
    with_float_type(args.type, [&]<typename T> {
        each_head<T>(args, [&](const Head<T>& head) {
            for (std::int64_t i = 0; i < args.queries; ++i) attend<T>(args, head, i);
        });
    });
}

template <>
std::size_t scaled_dot_product_attention_backward_workspace<Isa::reference>(const AttentionProblem& args) {
    return static_cast<std::size_t>(Gradients(args).size()) * sizeof(double);
}

template <>
void scaled_dot_product_attention_backward<Isa::reference>(const AttentionBackwardArgs& args) {
    const Gradients to(args);
    std::fill(to.dq, to.dq + to.size(), 0.0);
    with_float_type(args.type, [&]<typename T> {
        each_head<T>(args, [&](const Head<T>& head) {
            for (std::int64_t i = 0; i < args.queries; ++i) pull_back<T>(args, head, i, to);
        });
        round_to<T>(args.dq, to.dq, to.dq_size);
        round_to<T>(args.dk, to.dk, to.dk_size);
        round_to<T>(args.dv, to.dv, to.dv_size);
    });
}

}  // namespace pyengine::kernels
