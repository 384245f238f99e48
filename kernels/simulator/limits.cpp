#include "kernels/simulator/limits.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "kernels/simulator/symbols.h"

namespace pyengine::simulator {
namespace {

constexpr std::size_t most_threads = 1024, most_blocks_in_cluster = 16;
constexpr std::size_t most_shared_bytes = 232448, most_unasked_bytes = 49152;  // of static ones, and of dynamic ones with those

std::mutex allowed_mutex;
std::map<const void*, std::size_t> allowed_shared_bytes;  // dynamic, for each kernel that asked

template <typename... Parts>
[[noreturn]] void refuse(const void* kernel, const LaunchShape& s, const Parts&... parts) {
    throw SimulatorError(text("simulator: launch of kernel ", function_name(kernel), ": ", parts..., ": grid ", to_text(s.grid), ", block ",
                              to_text(s.block), ", cluster ", to_text(s.cluster), ", ", s.shared_bytes, " bytes of dynamic and ",
                              static_shared_bytes(kernel), " of static shared memory"));
}

}  // namespace

void check_limits(const void* kernel, const LaunchShape& s) {
    const auto refuse = [&](const auto&... parts) { simulator::refuse(kernel, s, parts...); };
    const std::size_t static_bytes = static_shared_bytes(kernel);
    if (s.grid.count() == 0 || s.block.count() == 0 || s.cluster.count() == 0) refuse("a size is 0");
    if (s.block.count() > most_threads || s.block.z > 64)
        refuse("a block has more than ", most_threads, " threads, or more than 64 along z");
    if (s.grid.x > 2147483647u || s.grid.y > 65535 || s.grid.z > 65535) refuse("the grid is larger than (2147483647, 65535, 65535)");
    if (static_bytes > most_unasked_bytes)
        refuse("a block has more than ", most_unasked_bytes, " bytes of static shared memory; dynamic shared memory may be larger");
    if (s.shared_bytes > most_shared_bytes - static_bytes) refuse("a block has more than ", most_shared_bytes, " bytes of shared memory");
    if (s.cluster.count() > most_blocks_in_cluster) refuse("a cluster has more than ", most_blocks_in_cluster, " blocks");
    if (s.grid.x % s.cluster.x || s.grid.y % s.cluster.y || s.grid.z % s.cluster.z) refuse("clusters do not divide the grid");
}

void allow_shared_memory(const void* kernel, std::size_t bytes) {
    const std::lock_guard lock(allowed_mutex);
    allowed_shared_bytes[kernel] = bytes;
}

void check_allowed_shared_memory(const void* kernel, const LaunchShape& s) {
    const std::lock_guard lock(allowed_mutex);
    const auto asked = allowed_shared_bytes.find(kernel);
    const std::size_t unasked = most_unasked_bytes - std::min(most_unasked_bytes, static_shared_bytes(kernel));
    const std::size_t allowed = asked == allowed_shared_bytes.end() ? unasked : std::max(unasked, asked->second);
    if (s.shared_bytes > allowed)
        refuse(kernel, s, "more than ", allowed, " bytes of dynamic shared memory; ask for them with cudaFuncSetAttribute");
}

}  // namespace pyengine::simulator
