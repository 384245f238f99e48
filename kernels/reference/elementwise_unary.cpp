#include "kernels/elementwise_unary.h"

#include "kernels/reference/elementwise.h"

namespace pyengine::kernels {

template <>
bool has_unary<Isa::reference>(UnaryOp op, ElementType type) {
    switch (op) {
        case UnaryOp::negative: return type != ElementType::boolean;
        default: return domain_of(type) == Domain::floating;
    }
}

template <>
void unary<Isa::reference>(UnaryOp op, const ElementwiseArgs& args) {
    switch (op) {
        case UnaryOp::negative: return apply_unary_any(args, [](auto x) { return -wrapping(x); });
        case UnaryOp::exp: return apply_unary<double>(args, [](double x) { return std::exp(x); });
        case UnaryOp::log: return apply_unary<double>(args, [](double x) { return std::log(x); });
        case UnaryOp::sqrt: return apply_unary<double>(args, [](double x) { return std::sqrt(x); });
    }
}

}  // namespace pyengine::kernels
