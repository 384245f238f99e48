#include "kernels/simulator/static_shared.h"

#include <link.h>

#include <cstring>

namespace pyengine::simulator {
namespace {

thread_local Block* inside = nullptr;

struct Search {
    std::uintptr_t code;
    Range found;
};

int visit(dl_phdr_info* info, std::size_t, void* data) {
    auto& search = *static_cast<Search*>(data);
    bool here = false;
    std::size_t bytes = 0;
    for (int i = 0; i < info->dlpi_phnum; ++i) {
        const auto& segment = info->dlpi_phdr[i];
        const std::uintptr_t begin = info->dlpi_addr + segment.p_vaddr;
        if (segment.p_type == PT_LOAD && search.code >= begin && search.code < begin + segment.p_memsz) here = true;
        if (segment.p_type == PT_TLS) bytes = segment.p_memsz;
    }
    if (!here) return 0;
    if (info->dlpi_tls_data) search.found = {static_cast<std::byte*>(info->dlpi_tls_data), bytes};
    return 1;
}

void put_away(Block& block) {
    if (!block.static_shadow) return;
    const Range range = static_shared_range(block.cluster->launch.kernel);
    block.static_words.clear();
    for (std::size_t offset = 0; offset + 4 <= range.bytes; offset += 4)
        if (block.static_shadow->written(offset)) std::memcpy(&block.static_words[offset], range.base + offset, 4);
}

void bring_back(const Block& block) {
    if (block.static_words.empty()) return;
    const Range range = static_shared_range(block.cluster->launch.kernel);
    for (const auto& [offset, word] : block.static_words) std::memcpy(range.base + offset, &word, 4);
}

}  // namespace

Range static_shared_range(const void* kernel) {
    thread_local const void* last_kernel = nullptr;
    thread_local Range last;
    if (kernel == last_kernel && last.base) return last;
    Search search{reinterpret_cast<std::uintptr_t>(kernel), {}};
    dl_iterate_phdr(visit, &search);
    last_kernel = kernel;
    return last = search.found;
}

void enter_static_shared(Block& block) {
    if (inside == &block) return;
    if (inside) put_away(*inside);
    bring_back(block);
    inside = &block;
}

void forget_static_shared(const Block& block) {
    if (inside == &block) inside = nullptr;
}

}  // namespace pyengine::simulator
