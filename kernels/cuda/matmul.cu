#include "kernels/cuda/matmul_problem.h"
#include "kernels/cuda/upload.h"
#include "kernels/matmul.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

/// Integers of one size are multiplied alike.
template <typename Call>
decltype(auto) with_factor_type(ElementType type, Call&& call) {
    return with_type(type, [&]<typename T>() -> decltype(auto) {
        if constexpr (is_real<T>)
            return call.template operator()<T>();
        else if constexpr (std::is_same_v<T, bool>)
            return call.template operator()<std::uint8_t>();  // the caller lets numbers through alone
        else
            return call.template operator()<std::make_unsigned_t<T>>();
    });
}

/// In the workspace: lists of offsets, as far as they are needed, then the sums of parts.
struct MatmulScratch {
    bool a_listed, b_listed;
    std::size_t list_bytes;

    explicit MatmulScratch(const MatmulArgs& args)
        : a_listed(!evenly_spaced(args.a_offsets, args.batch)),
          b_listed(!evenly_spaced(args.b_offsets, args.batch)),
          list_bytes(static_cast<std::size_t>((args.batch + 7) / 8 * 8) * sizeof(std::int64_t)) {}

    std::size_t bytes() const { return (std::size_t{a_listed} + std::size_t{b_listed}) * list_bytes; }
};

}  // namespace

template <>
std::size_t matmul_workspace<level>(const MatmulArgs& args) {
    return MatmulScratch(args).bytes() +
           with_factor_type(args.type, [&]<typename E> { return gemm_workspace(MatmulProblem<E>(args, nullptr, nullptr)); });
}

template <>
void matmul<level>(const MatmulArgs& args) {
    const MatmulScratch scratch(args);
    auto* free = static_cast<std::byte*>(args.workspace);
    const auto list = [&](const std::int64_t* offsets, bool listed) -> const std::int64_t* {
        if (!listed) return nullptr;
        auto* to = reinterpret_cast<std::int64_t*>(free);
        upload(offsets, args.batch, to);
        free += scratch.list_bytes;
        return to;
    };
    const std::int64_t* a_list = list(args.a_offsets, scratch.a_listed);
    const std::int64_t* b_list = list(args.b_offsets, scratch.b_listed);
    with_factor_type(args.type, [&]<typename E> { gemm(MatmulProblem<E>(args, a_list, b_list), free); });
}

}  // namespace pyengine::kernels
