#include "kernels/simulator/variables.h"

#include <dlfcn.h>
#include <link.h>

#include <cstdint>
#include <string_view>

#include "kernels/simulator/memory.h"
#include "kernels/simulator/symbols.h"

namespace pyengine::simulator {
namespace {

struct Segment {
    std::uintptr_t begin = 0, end = 0;
    bool holds(std::uintptr_t address) const { return address >= begin && address < end; }
};

struct Search {
    std::uintptr_t address;
    Segment found;
};

/// Segments that are not writable, or no longer once the loader is done with them.
int visit(dl_phdr_info* info, std::size_t, void* data) {
    auto& search = *static_cast<Search*>(data);
    for (int i = 0; i < info->dlpi_phnum; ++i) {
        const auto& header = info->dlpi_phdr[i];
        const bool constant = (header.p_type == PT_LOAD && !(header.p_flags & PF_W)) || header.p_type == PT_GNU_RELRO;
        const std::uintptr_t begin = info->dlpi_addr + header.p_vaddr;
        const Segment segment{begin, begin + header.p_memsz};
        if (constant && segment.holds(search.address)) return search.found = segment, 1;
    }
    return 0;
}

}  // namespace

bool is_constant(const void* address) {
    thread_local Segment last;
    Search search{reinterpret_cast<std::uintptr_t>(address), {}};
    if (last.holds(search.address)) return true;
    if (dl_iterate_phdr(visit, &search) == 0) return false;
    last = search.found;
    return true;
}

bool is_variable_of_cpu(const void* address) {
    Dl_info info;
    return dladdr(address, &info) != 0;
}

void adopt_variables(const void* inside) {
    Dl_info info;
    if (!dladdr(inside, &info)) return;
    const Symbols symbols = symbols_in(info.dli_fname);
    for (const auto& symbol : symbols.all) {
        const std::string_view section = symbols.section(symbol), name = symbols.name(symbol);
        const bool constant = section == "pyengine_constant", gap = name.find("pyengine_gap") != std::string_view::npos;
        if ((!constant && section != "pyengine_device") || ELF64_ST_TYPE(symbol.st_info) != STT_OBJECT || gap) continue;
        adopt(static_cast<std::byte*>(info.dli_fbase) + symbol.st_value, symbol.st_size,
              constant ? Allocation::Kind::constant : Allocation::Kind::variable);
    }
}

}  // namespace pyengine::simulator
