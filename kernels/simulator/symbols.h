// What the symbols of the program or library that a kernel is part of say of it.
#pragma once

#include <link.h>

#include <cstddef>
#include <vector>

namespace pyengine::simulator {

struct Symbols {
    std::vector<ElfW(Sym)> all;
    std::vector<ElfW(Shdr)> sections;
    std::vector<char> names, names_of_sections;

    const char* name(const ElfW(Sym) & symbol) const { return names.data() + symbol.st_name; }
    /// Of the section that the symbol is in.
    const char* section(const ElfW(Sym) & symbol) const {
        return symbol.st_shndx < sections.size() ? names_of_sections.data() + sections[symbol.st_shndx].sh_name : "";
    }
};
/// Those of a file; none where they were stripped.
Symbols symbols_in(const char* path);

/// Bytes of the kernel's own variables declared __shared__, without those of functions it calls. Where symbols were stripped, 0.
std::size_t static_shared_bytes(const void* kernel);

}  // namespace pyengine::simulator
